//! A miss in memory and its fill: an annotated function against a bare moka `get` and `insert`.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use larder::{Cache, memoize, scoped_sync};
use larder_benches::{Candidate, compare};

#[memoize(key = "product:{id}", ttl = "5m")]
async fn product(id: u64) -> Arc<u64> {
    Arc::new(id)
}

#[memoize(key = "order:{id}", ttl = "5m")]
fn order(id: u64) -> Arc<u64> {
    Arc::new(id)
}

fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("in memory, and alone, nothing is waited for"),
    }
}

fn main() {
    let moka: moka::sync::Cache<u64, Arc<u64>> = moka::sync::Cache::builder()
        .max_capacity(10_000)
        .time_to_live(Duration::from_secs(300))
        .build();
    scoped_sync(Cache::memory(), || {
        let (mut a, mut b, mut c) = (0, 0, 0);
        compare(
            "A miss in memory and its fill",
            2_000,
            &mut [
                Candidate::new("moka, get and insert", || {
                    a += 1;
                    moka.get(&a).unwrap_or_else(|| {
                        let value = Arc::new(a);
                        moka.insert(a, Arc::clone(&value));
                        value
                    })
                }),
                Candidate::new("larder, async fn", || {
                    b += 1;
                    now(product(b))
                }),
                Candidate::new("larder, fn", || {
                    c += 1;
                    order(c)
                }),
            ],
        );
    });
}
