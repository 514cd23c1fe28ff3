use larder::cache_aside;

#[cache_aside(key = "a:{id}", layer = "memmory", jitter = 1.5, version = 5_000_000_000)]
async fn get(id: u64) -> u64 {
    id
}

#[cache_aside(key = "b:{id}", layer = "disk", negative_ttl = seconds())]
async fn other(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
