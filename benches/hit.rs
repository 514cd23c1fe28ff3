//! A hit in memory: an annotated function with a `&str` and a `u64` in its key and an `Arc` as its value, against a bare
//! `moka::sync::Cache::get` of the same entry.

use std::{
    hint::black_box,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use larder::{Cache, cache_aside, memoize, scoped_sync};
use larder_benches::{Candidate, compare};

const ENTRIES: u64 = 64;

#[memoize(key = "product:{tenant}:{id}", ttl = "5m")]
async fn product(tenant: &str, id: u64) -> Arc<String> {
    Arc::new(format!("{tenant}{id}"))
}

#[cache_aside(key = "order:{tenant}:{id}", ttl = "5m", layer = "memory")]
fn order(tenant: &str, id: u64) -> Arc<String> {
    Arc::new(format!("{tenant}{id}"))
}

/// A hit never waits, so one poll is the whole call.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("in memory nothing is waited for"),
    }
}

fn main() {
    let moka: moka::sync::Cache<(String, u64), Arc<String>> = moka::sync::Cache::builder()
        .max_capacity(10_000)
        .time_to_live(Duration::from_secs(300))
        .build();
    let keys: Vec<_> = (0..ENTRIES).map(|id| (format!("tenant-{id:04}"), 1_000_000 + id)).collect();
    let cache = Cache::memory();
    scoped_sync(cache, || {
        for (tenant, id) in &keys {
            moka.insert((tenant.clone(), *id), Arc::new(format!("{tenant}{id}")));
            now(product(tenant, *id));
            order(tenant, *id);
        }
        let next = || {
            let mut turn = keys.iter().cycle();
            move || black_box(turn.next().expect("a cycle does not end"))
        };
        let (mut a, mut b, mut c, mut d) = (next(), next(), next(), next());
        compare(
            "A hit in memory",
            20_000,
            &mut [
                Candidate::new("moka, key at hand", || moka.get(a())),
                Candidate::new("moka, key made for the lookup", || {
                    let (tenant, id) = b();
                    moka.get(&(tenant.clone(), *id))
                }),
                Candidate::new("larder, async fn", || {
                    let (tenant, id) = c();
                    now(product(tenant, *id))
                }),
                Candidate::new("larder, fn", || {
                    let (tenant, id) = d();
                    order(tenant, *id)
                }),
            ],
        );
    });
}
