use std::collections::HashMap;

use larder::cache_aside;

#[cache_aside(key = "a:{id}", batch(id in idz))]
async fn misspelt(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(key = "b:{id}", skip(db), batch(id in everything))]
async fn nowhere(db: &str, ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, db.len() as u64)).collect()
}

#[cache_aside(key = "c:{id}", batch(id in ids))]
async fn in_a_pattern((ids, _): (&[u64], u8)) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

fn main() {
    let _ = misspelt_entry(1);
}
