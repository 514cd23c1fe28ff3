use larder::{cache_invalidate, write_through};

#[write_through]
async fn put(id: u64) -> u64 {
    id
}

#[cache_invalidate]
async fn remove(id: u64) -> u64 {
    id
}

fn main() {}
