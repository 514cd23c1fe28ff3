use larder::cache_aside;

#[cache_aside(key = "a:{id}", stale(on_error = "1h"), timeout = "2s", ttl = "1m")]
async fn get(id: u64) -> u64 {
    id
}

#[cache_aside(key = "b:{id}", refresh_ahead = 0.8)]
async fn renewed(id: u64) -> u64 {
    id
}

fn main() {}
