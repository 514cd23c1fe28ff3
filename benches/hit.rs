//! A hit in memory: an annotated function with a `&str` and a `u64` in its key and an `Arc` as its value, against a bare
//! `moka::sync::Cache::get` of the same entry.

use std::{hint::black_box, sync::Arc, time::Duration};

use larder::{Cache, cache_aside, memoize};
use larder_benches::{Candidate, Comparison, Target};

const ENTRIES: u64 = 64;
const MOKA: &str = "moka, key at hand";

#[memoize(key = "product:{tenant}:{id}", ttl = "5m")]
async fn product(tenant: &str, id: u64) -> Arc<String> {
    Arc::new(format!("{tenant}{id}"))
}

#[cache_aside(key = "order:{tenant}:{id}", ttl = "5m", layer = "memory")]
fn order(tenant: &str, id: u64) -> Arc<String> {
    Arc::new(format!("{tenant}{id}"))
}

fn main() -> larder::Result<()> {
    larder::init(Cache::memory())?;
    let moka: moka::sync::Cache<(String, u64), Arc<String>> = moka::sync::Cache::builder()
        .max_capacity(10_000)
        .time_to_live(Duration::from_secs(300))
        .build();
    let keys: Vec<_> = (0..ENTRIES).map(|id| (format!("tenant-{id:04}"), 1_000_000 + id)).collect();
    for (tenant, id) in &keys {
        moka.insert((tenant.clone(), *id), Arc::new(format!("{tenant}{id}")));
    }
    let next = || {
        let mut turn = keys.iter().cycle();
        move || black_box(turn.next().expect("a cycle does not end"))
    };
    let (mut a, mut b, mut c, mut d) = (next(), next(), next(), next());
    Comparison::new("hit", "A hit in memory", 20_000)
        .counted()
        .with(Candidate::new(MOKA, || moka.get(a())))
        .with(Candidate::new("moka, key made for the lookup", || {
            let (tenant, id) = b();
            moka.get(&(tenant.clone(), *id))
        }))
        .with(
            Candidate::future("larder, async fn", async || {
                let (tenant, id) = c();
                product(tenant, *id).await
            })
            .target(Target::at_most(0.30, MOKA))
            .allocations(0.0),
        )
        .with(Candidate::new("larder, fn", || {
            let (tenant, id) = d();
            order(tenant, *id)
        }))
        .run();
    Ok(())
}
