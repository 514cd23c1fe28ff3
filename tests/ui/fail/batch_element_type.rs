use std::collections::{BTreeMap, HashMap};

use larder::{KeyPart, cache_aside};

#[derive(KeyPart)]
struct NotClone(u64);

#[derive(Clone, PartialEq, Eq, Hash)]
struct NotInKeys;

#[derive(Clone, KeyPart)]
struct NotHash(#[allow(dead_code)] u64);

#[cache_aside(key = "a:{id}", batch(id in ids))]
async fn not_clone(ids: &[NotClone]) -> Vec<Option<u64>> {
    ids.iter().map(|id| Some(id.0)).collect()
}

#[cache_aside(key = "b:{id}", batch(id in ids))]
async fn not_in_keys(ids: &[NotInKeys]) -> HashMap<NotInKeys, u64> {
    ids.iter().map(|id| (id.clone(), 1)).collect()
}

#[cache_aside(key = "c:{id}", batch(id in ids))]
async fn not_hash(ids: Vec<NotHash>) -> HashMap<NotHash, u64> {
    ids.into_iter().map(|_| unimplemented!()).collect::<Vec<(NotHash, u64)>>();
    HashMap::new()
}

#[cache_aside(key = "d:{id}", batch(id in ids))]
async fn other_keys(ids: &[u64]) -> BTreeMap<String, u64> {
    ids.iter().map(|id| (id.to_string(), *id)).collect()
}

struct NotSerialize;

#[cache_aside(key = "e:{id}", batch(id in ids))]
async fn not_serialize(ids: &[u64]) -> HashMap<u64, NotSerialize> {
    ids.iter().map(|id| (*id, NotSerialize)).collect()
}

fn main() {}
