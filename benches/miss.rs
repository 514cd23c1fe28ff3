//! A miss in memory and its fill: an annotated function against a bare moka `get` and `insert`.

use std::{sync::Arc, time::Duration};

use larder::{Cache, memoize};
use larder_benches::{Candidate, Comparison, Target};

const CALLS: u32 = 2_000;
const MOKA: &str = "moka, get and insert";

#[memoize(key = "product:{id}", ttl = "5m")]
async fn product(id: u64) -> Arc<u64> {
    Arc::new(id)
}

#[memoize(key = "order:{id}", ttl = "5m")]
fn order(id: u64) -> Arc<u64> {
    Arc::new(id)
}

fn main() -> larder::Result<()> {
    larder::init(Cache::memory())?;
    let moka: moka::sync::Cache<u64, Arc<u64>> = moka::sync::Cache::builder()
        .max_capacity(10_000)
        .time_to_live(Duration::from_secs(300))
        .build();
    let (mut a, mut b, mut c) = (0, 0, 0);
    Comparison::new("miss", "A miss in memory and its fill", CALLS)
        .counted()
        .with(Candidate::new(MOKA, || {
            a += 1;
            moka.get(&a).unwrap_or_else(|| {
                let value = Arc::new(a);
                moka.insert(a, Arc::clone(&value));
                value
            })
        }))
        .with(Candidate::future("larder, async fn", async || {
            b += 1;
            product(b).await
        }))
        .with(
            Candidate::new("larder, fn", || {
                c += 1;
                order(c)
            })
            .target(Target::at_most(1.3, MOKA)),
        )
        .run();
    Ok(())
}
