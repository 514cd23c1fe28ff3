use larder::cache_aside;

#[cache_aside(key = "a:{id}", ttl = "5m", ttl = "6m")]
async fn get(id: u64) -> u64 {
    id
}

fn main() {}
