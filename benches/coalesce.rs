//! A thousand tasks on one cold key: how often the body runs, and when the last of them has its value.
//!
//! `cargo bench -p larder-benches --bench coalesce`

use std::{
    array, iter,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use cached::macros::{cached, concurrent_cached};
use larder::{Cache, cache_aside};
use larder_benches::{Effort, Quantity, Sample, Table, Target};
use tokio::{runtime::Builder, task::JoinSet};

const TASKS: usize = 1_000;
const WORKERS: usize = 2;
/// What the body waits for, a database for example.
const BODY: Duration = Duration::from_millis(5);
const TTL: Duration = Duration::from_secs(300);

static RUNS: AtomicU64 = AtomicU64::new(0);

async fn load(id: u64) -> Arc<u64> {
    RUNS.fetch_add(1, Relaxed);
    tokio::time::sleep(BODY).await;
    Arc::new(id)
}

#[cache_aside(key = "product:{id}", ttl = "5m", layer = "memory")]
async fn larder_async(id: u64) -> Arc<u64> {
    load(id).await
}

#[cached(max_size = 10_000, ttl_secs = 300, sync_writes = "by_key")]
async fn cached_by_key(id: u64) -> Arc<u64> {
    load(id).await
}

#[cached(max_size = 10_000, ttl_secs = 300, sync_writes = true)]
async fn cached_locked(id: u64) -> Arc<u64> {
    load(id).await
}

#[concurrent_cached(max_size = 10_000, ttl_secs = 300)]
async fn cached_sharded(id: u64) -> Arc<u64> {
    load(id).await
}

/// Makes all tasks ask for one key.
type Ask = Box<dyn Fn(&mut JoinSet<u64>, u64)>;

fn ask<F>(call: impl Fn(u64) -> F + 'static) -> Ask
where
    F: Future<Output = Arc<u64>> + Send + 'static,
{
    Box::new(move |tasks, id| {
        for future in iter::repeat_with(|| call(id)).take(TASKS) {
            tasks.spawn(async move { *future.await });
        }
    })
}

fn candidates() -> [(&'static str, Ask); 5] {
    let moka: moka::future::Cache<u64, Arc<u64>> =
        moka::future::Cache::builder().max_capacity(10_000).time_to_live(TTL).build();
    let get_with = move |id| {
        let moka = moka.clone();
        async move { moka.get_with(id, load(id)).await }
    };
    [
        ("moka::future, get_with", ask(get_with)),
        ("cached, #[cached(sync_writes = \"by_key\")]", ask(cached_by_key)),
        ("cached, #[cached(sync_writes = true)]", ask(cached_locked)),
        ("cached, #[concurrent_cached] async", ask(cached_sharded)),
        ("larder, async fn", ask(larder_async)),
    ]
}

fn main() -> larder::Result<()> {
    if cfg!(feature = "allocations") {
        return Ok(());
    }
    larder::init(Cache::memory())?;
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_time().build();
    let runtime = runtime.expect("a runtime");
    let rounds = Effort::asked().choose(1, 15, 41);
    let candidates = candidates();
    let mut nanos: [Vec<f64>; 5] = array::from_fn(|_| Vec::new());
    let mut runs = [0; 5];
    for round in 0..=rounds {
        for (at, (_, ask)) in candidates.iter().enumerate() {
            let (before, start) = (RUNS.load(Relaxed), Instant::now());
            runtime.block_on(async {
                let mut tasks = JoinSet::new();
                ask(&mut tasks, round);
                while let Some(id) = tasks.join_next().await {
                    assert_eq!(id.expect("no panic"), round);
                }
            });
            // The first round only warms up.
            if round > 0 {
                nanos[at].push(start.elapsed().as_secs_f64() * 1e9);
            }
            runs[at] = runs[at].max(RUNS.load(Relaxed) - before);
        }
    }
    let mut counts =
        Table::new("coalesce", "1,000 tasks on a cold key: runs of the body", Quantity::Count);
    let mut times =
        Table::new("coalesce", "1,000 tasks on a cold key: until all have it", Quantity::Time);
    for (((name, _), nanos), runs) in candidates.iter().zip(nanos).zip(runs) {
        let one = name.starts_with("larder").then(|| Target::no_more_than(1.0));
        counts.put(name, runs as f64, one.as_slice());
        times.put(name, Sample::new(nanos), &[]);
    }
    counts.finish();
    times.finish();
    Ok(())
}
