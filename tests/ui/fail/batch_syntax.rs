use std::collections::HashMap;

use larder::cache_aside;

#[cache_aside(key = "a:{id}", batch(id))]
async fn from_where(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(key = "b:{id}", batch)]
async fn alone(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(key = "c:{id}", batch = ids)]
async fn assigned(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(key = "d:{id}", batch())]
async fn empty(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(key = "e:{id}:{name}", batch(id in ids, name in names))]
async fn two_lists(ids: &[u64], names: &[String]) -> HashMap<u64, String> {
    ids.iter().copied().zip(names.iter().cloned()).collect()
}

#[cache_aside(key = "f:{id}", batch(id in ids), batch(name in names), skip(names))]
async fn two_batches(ids: &[u64], names: &[String]) -> HashMap<u64, String> {
    ids.iter().copied().zip(names.iter().cloned()).collect()
}

#[cache_aside(key = "g:{id}", batch(id of ids))]
async fn other_word(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(key = "h:{id}", batch(id in ids.iter()))]
async fn expression(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

fn main() {}
