use std::collections::HashMap;

use larder::{Cache, cache_aside};

#[cache_aside(key = "a:{id}", batch(id in ids), share_errors = false)]
async fn shares(ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
    Ok(ids.iter().map(|id| (*id, *id)).collect())
}

#[cache_aside(key = "b:{id}", batch(id in ids), cache = caches[*id as usize % 2], skip(caches))]
async fn cache_of_an_element(caches: &[Cache; 2], ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id + caches.len() as u64)).collect()
}

#[cache_aside(key = "c:{id}", batch(id in ids), ttl = std::time::Duration::from_secs(ids.len() as u64 + 1))]
async fn ttl_of_the_list(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

fn main() {}
