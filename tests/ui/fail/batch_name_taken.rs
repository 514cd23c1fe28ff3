use std::collections::HashMap;

use larder::cache_aside;

#[cache_aside(key = "a:{id}", batch(id in ids))]
async fn another_argument(id: u64, ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|it| (*it, id)).collect()
}

#[cache_aside(key = "b:{ids}", batch(ids in ids))]
async fn the_list_itself(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|it| (*it, *it)).collect()
}

fn main() {}
