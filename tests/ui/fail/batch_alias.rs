use std::collections::{BTreeMap, HashMap};

use larder::cache_aside;

type Answer = Result<HashMap<u64, u64>, String>;
type Fallible = Result<u64, String>;
type Count = BTreeMap<u64, Option<u64>>;
struct Page(#[allow(dead_code)] Vec<u64>);

#[cache_aside(key = "a:{id}", batch(id in ids))]
async fn hidden_result(ids: &[u64]) -> Answer {
    Ok(ids.iter().map(|id| (*id, *id)).collect())
}

#[cache_aside(key = "b:{id}", batch(id in ids))]
async fn hidden_results(ids: &[u64]) -> HashMap<u64, Fallible> {
    ids.iter().map(|id| (*id, Ok(*id))).collect()
}

#[cache_aside(key = "c:{id}", batch(id in ids))]
async fn hidden_options(ids: &[u64]) -> Count {
    ids.iter().map(|id| (*id, Some(*id))).collect()
}

#[cache_aside(key = "d:{id}", batch(id in ids))]
async fn something_else(ids: &[u64]) -> Page {
    Page(ids.to_vec())
}

fn main() {}
