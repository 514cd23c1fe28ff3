use std::collections::{BTreeSet, HashMap};

use larder::cache_aside;

#[cache_aside(key = "a:{id}", batch(id in ids))]
async fn number(ids: &[u64]) -> u64 {
    ids.len() as u64
}

#[cache_aside(key = "b:{id}", batch(id in ids))]
async fn list(ids: &[u64]) -> Result<Vec<String>, String> {
    Ok(ids.iter().map(u64::to_string).collect())
}

#[cache_aside(key = "c:{id}", batch(id in ids))]
async fn set(ids: &[u64]) -> BTreeSet<u64> {
    ids.iter().copied().collect()
}

#[cache_aside(key = "d:{id}", batch(id in ids))]
async fn option(ids: &[u64]) -> Result<Option<HashMap<u64, u64>>, String> {
    Ok(Some(ids.iter().map(|id| (*id, *id)).collect()))
}

#[cache_aside(key = "e:{id}", batch(id in ids))]
async fn options(ids: &[u64]) -> HashMap<u64, Option<u64>> {
    ids.iter().map(|id| (*id, Some(*id))).collect()
}

#[cache_aside(key = "f:{id}", batch(id in ids))]
async fn results(ids: &[u64]) -> HashMap<u64, Result<u64, String>> {
    ids.iter().map(|id| (*id, Ok(*id))).collect()
}

#[cache_aside(key = "g:{id}", batch(id in ids))]
async fn nothing(ids: &[u64]) {
    drop(ids.len());
}

#[cache_aside(key = "h:{id}", batch(id in ids))]
async fn pairs(ids: &[u64]) -> (u64, u64) {
    (ids[0], ids[1])
}

#[cache_aside(key = "i:{id}", returns = "option", batch(id in ids))]
async fn said(ids: &[u64]) -> Option<u64> {
    ids.first().copied()
}

fn main() {}
