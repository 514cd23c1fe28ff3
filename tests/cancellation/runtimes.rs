//! Runtimes that end while calls are under way.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use larder::testing::Operation;
use tokio::runtime::{Builder, Runtime};

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn runtimes() -> [Runtime; 2] {
    let single = Builder::new_current_thread().enable_all().build().unwrap();
    let multi = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    [single, multi]
}

/// Runs a closure in a thread of its own; fails the test when it hangs or panics.
fn in_thread<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || done.send(run()));
    let answer = ended.recv_timeout(PATIENCE);
    assert!(answer.is_ok() || thread.is_finished(), "{what}: it hangs");
    thread.join().unwrap_or_else(|_| panic!("{what}: it panics")).unwrap();
    answer.unwrap()
}

/// Lets calls of every kind begin on this runtime, and waits until a request of theirs hangs and a body runs.
fn busy(runtime: &Runtime, cache: &Cache, line: &Line, source: &Source) {
    let gate = line.hold(Operation::Claim);
    for id in 0..8 {
        let source = source.clone();
        runtime.spawn(larder::scoped(cache.clone(), async move { row(&source, id % 4).await }));
        runtime.spawn(larder::scoped(cache.clone(), async { drop(row_entry(9).set(7).await) }));
        runtime.spawn(cache.invalidate_tags(["of:3"]).into_future());
    }
    let (source, cache) = (source.clone(), cache.clone());
    // A body that never ends, in memory alone.
    runtime.spawn(larder::scoped(cache, async move { forever(&source).await }));
    runtime.block_on(async {
        in_time("a request hangs", gate.arrived(1)).await;
        tokio::time::sleep(MOMENT).await;
    });
    // The requests go on when the runtime is gone, or never.
    std::mem::forget(gate);
}

#[cache_aside(key = "forever", ttl = "1d", layer = "memory", skip(source))]
async fn forever(source: &Source) -> u64 {
    if source.loads() < usize::MAX {
        std::future::pending::<()>().await;
    }
    0
}

#[test]
fn a_runtime_ends_with_calls_under_way_and_another_one_goes_on_with_the_cache() {
    for (first, second) in runtimes().into_iter().zip(runtimes().into_iter().rev()) {
        let line = Arc::new(ChaosStore::new(MemoryStore::new()));
        let cache = first.block_on(Cache::builder().shared(line.clone()).build()).unwrap();
        let source = Source::new();
        busy(&first, &cache, &line, &source);
        let begun = Instant::now();
        in_thread("the end of the runtime", move || drop(first));
        assert!(begun.elapsed() < PATIENCE);
        line.calm();
        let (cache, source) = (cache.clone(), source.clone());
        in_thread("the calls after it", move || {
            second.block_on(larder::scoped(cache, async {
                for id in 0..4 {
                    assert_eq!(row(&source, id).await, 1);
                }
                row_entry(1).invalidate().await.unwrap();
                assert_eq!(row_entry(1).get().await.unwrap(), None);
                let again = timeout(Duration::from_millis(50), forever(&source)).await;
                assert!(again.is_err(), "its body runs again, for as long as it is waited for");
            }));
        });
    }
}
