use larder::cache_aside;

#[cache_aside(
    key = "a:{id}",
    ttl = "forever",
    stale(),
    refresh_ahead = 1.5,
    early_refresh = 0,
    soft_timeout = "1s",
    timeout = "2s",
    companions = false
)]
async fn get(id: u64) -> u64 {
    id
}

#[cache_aside(key = "b:{id}", ttl = "forever", stale(on_error = "1h", while_revalidate = "30s"))]
async fn kept(id: u64) -> u64 {
    id
}

#[cache_aside(key = "c:{id}", soft_timeout = "1s", refresh_ahead = 0.0)]
async fn soft(id: u64) -> u64 {
    id
}

#[cache_aside(key = "d:{id}", timeout = "1s")]
fn sync(id: u64) -> Result<u64, larder::Error> {
    Ok(id)
}

#[cache_aside(key = "e:{id}", batch(id in ids), stale(on_error = "1h"), refresh_ahead = 0.8)]
async fn batch(ids: &[u64]) -> Vec<Option<u64>> {
    ids.iter().map(|id| Some(*id)).collect()
}

fn main() {}
