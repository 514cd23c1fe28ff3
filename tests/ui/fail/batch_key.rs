use std::collections::HashMap;

use larder::cache_aside;

#[cache_aside(key = "a:{ids}", tags = ["t:{ids}"], batch(id in ids))]
async fn whole_list(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(key = "b:{tenant}", batch(id in ids))]
async fn not_in_the_key(tenant: u8, ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, tenant.into())).collect()
}

#[cache_aside(key = "c:{tenant}", skip(id), batch(id in ids))]
async fn element_skipped(tenant: u8, ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, tenant.into())).collect()
}

#[cache_aside(key = "d:{id}", skip(ids), batch(id in ids))]
async fn list_skipped(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(key = "e:{idd}", batch(id in ids))]
async fn misspelt(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(batch(id in ids))]
async fn no_key(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

fn main() {}
