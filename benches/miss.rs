//! A miss in memory and its fill, in a cache that is full: annotated functions against a bare moka `get` and `insert`.
//!
//! `cargo bench -p larder-benches --bench miss`; with `--features allocations`, what it allocates.

use std::{sync::Arc, time::Duration};

use cached::macros::concurrent_cached;
use larder::{Cache, memoize};
use larder_benches::{Candidate, Comparison, Target, block_on};

/// As many as the caches hold, so that they are full after the round that warms up.
const CALLS: u32 = 10_000;
const CAPACITY: u64 = 10_000;
const TTL: Duration = Duration::from_secs(300);

const MOKA: &str = "moka::sync, get and insert, u64 key";

#[memoize(key = "product:{id}", ttl = "5m")]
async fn larder_async(id: u64) -> Arc<u64> {
    Arc::new(id)
}

#[memoize(key = "order:{id}", ttl = "5m")]
fn larder_sync(id: u64) -> Arc<u64> {
    Arc::new(id)
}

#[concurrent_cached(max_size = 10_000, ttl_secs = 300)]
async fn cached_limited(id: u64) -> Arc<u64> {
    Arc::new(id)
}

/// Numbers that were not asked for yet.
fn fresh() -> impl FnMut() -> u64 {
    let mut last = 0;
    move || {
        last += 1;
        last
    }
}

fn main() -> larder::Result<()> {
    larder::init(block_on(Cache::builder().max_entries(CAPACITY).build())?)?;
    let numbers: moka::sync::Cache<u64, Arc<u64>> =
        moka::sync::Cache::builder().max_capacity(CAPACITY).time_to_live(TTL).build();
    let texts: moka::sync::Cache<String, Arc<u64>> =
        moka::sync::Cache::builder().max_capacity(CAPACITY).time_to_live(TTL).build();
    let flights = moka::future::Cache::builder().max_capacity(CAPACITY).time_to_live(TTL).build();
    let quick = quick_cache::sync::Cache::<u64, Arc<u64>>::new(CAPACITY as usize);
    let (mut a, mut b, mut c, mut d) = (fresh(), fresh(), fresh(), fresh());
    let (mut e, mut f, mut g) = (fresh(), fresh(), fresh());
    Comparison::new("miss", "A miss in memory and its fill", CALLS)
        .counted()
        .with(Candidate::new(MOKA, || {
            let id = a();
            numbers
                .get(&id)
                .unwrap_or_else(|| kept(Arc::new(id), |value| numbers.insert(id, value)))
        }))
        .with(Candidate::new("moka::sync, get and insert, key by format!", || {
            let id = b();
            let key = format!("product:{id}");
            texts.get(&key).unwrap_or_else(|| kept(Arc::new(id), |value| texts.insert(key, value)))
        }))
        .with(Candidate::future("moka::future, get_with", async || {
            let id = c();
            flights.get_with(id, async { Arc::new(id) }).await
        }))
        .with(Candidate::new("quick_cache, get and insert", || {
            let id = d();
            quick.get(&id).unwrap_or_else(|| kept(Arc::new(id), |value| quick.insert(id, value)))
        }))
        .with(Candidate::future("cached, #[concurrent_cached] async, size and ttl", async || {
            cached_limited(e()).await
        }))
        .with(
            Candidate::future("larder, async fn", async || larder_async(f()).await)
                .target(Target::at_most(1.3, MOKA)),
        )
        .with(Candidate::new("larder, fn", || larder_sync(g())).target(Target::at_most(1.3, MOKA)))
        .run();
    Ok(())
}

fn kept(value: Arc<u64>, keep: impl FnOnce(Arc<u64>)) -> Arc<u64> {
    keep(Arc::clone(&value));
    value
}
