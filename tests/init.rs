//! The process's default cache. Alone in its file: a default is set once in a process.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use larder::{Cache, ErrorKind, cache_aside, memoize};

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[cache_aside(key = "square:{n}")]
async fn square(n: u64) -> u64 {
    RUNS.fetch_add(1, SeqCst);
    n * n
}

#[memoize]
fn twice(n: u64) -> u64 {
    RUNS.fetch_add(1, SeqCst);
    2 * n
}

#[test]
fn init_sets_the_default_once_and_for_every_task_and_thread() {
    let (first, second) = (Cache::memory(), Cache::memory());
    larder::init(first.clone()).unwrap();
    let error = larder::init(second.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyInitialized);
    assert!(error.to_string().contains("larder::init"), "{error}");

    assert_eq!((twice(4), std::thread::spawn(|| twice(4)).join().unwrap()), (8, 8));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        assert_eq!(square(3).await, 9);
        assert_eq!(tokio::spawn(square(3)).await.unwrap(), 9);
        assert_eq!(larder::current().unwrap().get("square:3").await.unwrap(), Some(9u64));
        larder::scoped(second.clone(), async { assert_eq!(square(3).await, 9) }).await;
    });
    assert_eq!(RUNS.load(SeqCst), 3, "one each, and one in the scope");
    assert_eq!((first.stats().loads, second.stats().loads), (2, 1));
}
