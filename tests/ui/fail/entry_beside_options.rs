use larder::{cache_aside, write_through};

#[cache_aside(key = "u:{id}")]
async fn get_user(id: u64) -> u64 {
    id
}

#[write_through(entry = get_user(id), ttl = "5m", tags = ["a"], version = 2, cache = c)]
async fn update_user(c: &larder::Cache, id: u64) -> u64 {
    let _ = c;
    id
}

#[write_through(entry = get_user(*))]
async fn update_all(id: u64) -> u64 {
    id
}

fn main() {}
