use larder::{cache_aside, cache_invalidate, write_through};

#[cache_aside(key = "a:{id}", lock_ttl = "10s", invalidates = [get(1)])]
async fn get(id: u64) -> u64 {
    id
}

#[write_through(key = "a:{id}", skip(db), negative_ttl = "5s")]
async fn put(db: &str, id: u64) -> u64 {
    let _ = db;
    id
}

#[cache_invalidate(key = "a:{id}", invalidate_tags = ["a"])]
async fn remove(id: u64) {
    let _ = id;
}

fn main() {}
