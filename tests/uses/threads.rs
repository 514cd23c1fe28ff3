//! Sync functions on the shared tier, wherever they are called from, and bodies that stay on one thread.

use std::{cell::Cell, rc::Rc, sync::atomic::AtomicUsize, time::Duration};

use larder::{Cache, cache_aside, write_through};
use tokio::runtime::Builder;

use crate::{DbError, SeqCst, in_both, shared};

#[cache_aside(key = "sync:{n}", ttl = "5m", layer = "shared", tags = ["sync"], skip(runs))]
fn read(runs: &AtomicUsize, n: u64) -> Result<usize, DbError> {
    Ok(runs.fetch_add(1, SeqCst))
}

#[write_through(entry = read(n))]
fn write(n: u64, value: usize) -> Result<usize, DbError> {
    Ok(value)
}

/// Hits, misses, all blocking companions and a write.
fn use_it() {
    let runs = AtomicUsize::new(0);
    let reads = [read(&runs, 1), read(&runs, 1), read(&runs, 2)];
    assert_eq!(reads, [Ok(0), Ok(0), Ok(1)]);
    assert_eq!(read_entry(1).get().unwrap(), Some(0));
    assert!(read_entry(1).ttl().unwrap().unwrap() <= Duration::from_secs(300));
    read_entry(1).invalidate().unwrap();
    assert!(!read_entry(1).exists().unwrap());
    assert_eq!(read(&runs, 1), Ok(2));
    read_entry(1).set(50).unwrap();
    assert_eq!(read(&runs, 1), Ok(50));
    assert_eq!(write(1, 60), Ok(60));
    assert_eq!(read(&runs, 1), Ok(60));
    assert!(read_entry(2).tag(["two"]).unwrap());
    read_cache().clear().unwrap();
    assert_eq!((read(&runs, 1), read(&runs, 2)), (Ok(3), Ok(4)));
}

async fn cache(prefix: &str) -> Cache {
    shared(prefix).build().await.unwrap()
}

#[test]
fn a_sync_function_asks_redis_outside_tokio() {
    let building = Builder::new_current_thread().enable_all().build().unwrap();
    let cache = building.block_on(cache("outside:"));
    drop(building);
    larder::scoped_sync(cache.clone(), use_it);
    assert_eq!((cache.stats().hits_memory, cache.stats().shared_errors), (0, 0));
    assert!(cache.stats().hits_shared >= 4);
}

#[tokio::test(flavor = "current_thread")]
async fn a_sync_function_asks_redis_inside_the_only_thread_of_a_runtime() {
    let cache = cache("current:").await;
    larder::scoped(cache.clone(), async { use_it() }).await;
    assert!(cache.stats().hits_shared >= 4 && cache.stats().shared_errors == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sync_function_asks_redis_inside_the_only_worker_of_a_runtime() {
    let cache = cache("multi:").await;
    larder::scoped(cache.clone(), async { larder::spawn(async { use_it() }).await.unwrap() }).await;
    assert!(cache.stats().hits_shared >= 4 && cache.stats().shared_errors == 0);
}

#[tokio::test]
async fn a_sync_function_asks_redis_from_a_blocking_thread() {
    let cache = cache("blocking:").await;
    larder::scoped(cache.clone(), async { larder::spawn_blocking(use_it).await.unwrap() }).await;
    assert!(cache.stats().hits_shared >= 4);
}

#[test]
fn threads_that_miss_at_once_run_a_sync_body_once() {
    let building = Builder::new_current_thread().enable_all().build().unwrap();
    let cache = building.block_on(cache("together:"));
    let runs = AtomicUsize::new(0);
    let barrier = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                larder::scoped_sync(cache.clone(), || assert_eq!(read(&runs, 1), Ok(0)));
            });
        }
    });
    assert_eq!(runs.load(SeqCst), 1);
}

#[cache_aside(key = "rc:{n}", skip(state))]
async fn not_send(state: Rc<Cell<u64>>, n: u64) -> u64 {
    state.set(state.get() + 1);
    tokio::task::yield_now().await;
    state.get() * 100 + n
}

in_both! {
    async fn a_body_that_stays_on_its_thread_is_cached(tiers: &Tiers) {
        let state = Rc::new(Cell::new(0));
        let both = tokio::join!(not_send(Rc::clone(&state), 7), not_send(Rc::clone(&state), 7));
        assert_eq!(both, (107, 107));
        assert_eq!(tiers.elsewhere(not_send(Rc::clone(&state), 7)).await, 107);
        assert_eq!(state.get(), 1);
    }
}
