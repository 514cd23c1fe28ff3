use std::collections::HashMap;

use larder::{cache_invalidate, stampede_protect, write_through};

#[stampede_protect(key = "a:{id}", batch(id in ids), lock_ttl = "10s")]
async fn locked(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[write_through(key = "b:{id}", batch(id in ids))]
async fn written(id: u64, ids: &[u64]) -> u64 {
    id + ids.len() as u64
}

#[cache_invalidate(invalidate_keys = ["c:{id}"], batch(id in ids))]
async fn removed(id: u64, ids: &[u64]) -> u64 {
    id + ids.len() as u64
}

fn main() {}
