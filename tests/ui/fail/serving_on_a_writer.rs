use larder::{cache_aside, cache_invalidate, write_through};

#[cache_aside(key = "a:{id}")]
async fn get(id: u64) -> u64 {
    id
}

#[write_through(
    entry = get(id),
    stale(on_error = "1h"),
    refresh_ahead = 0.8,
    early_refresh = 1.0,
    soft_timeout = "1s"
)]
async fn put(id: u64) -> u64 {
    id
}

#[cache_invalidate(invalidates = [get(id)], timeout = "1s")]
async fn remove(id: u64) {
    let _ = id;
}

fn main() {}
