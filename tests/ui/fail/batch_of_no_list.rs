use std::collections::{HashMap, HashSet};

use larder::cache_aside;

#[cache_aside(key = "a:{id}", batch(id in ids))]
async fn number(ids: u64) -> HashMap<u64, u64> {
    HashMap::from([(ids, ids)])
}

#[cache_aside(key = "b:{id}", batch(id in ids))]
async fn reference_to_vec(ids: &Vec<u64>) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(key = "c:{id}", batch(id in ids))]
async fn array(ids: [u64; 3]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(key = "d:{id}", batch(id in ids))]
async fn mutable_slice(ids: &mut [u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(key = "e:{id}", batch(id in ids))]
async fn set(ids: HashSet<u64>) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

fn main() {}
