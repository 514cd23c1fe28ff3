//! What goes wrong only when things come at the wrong moment: each test is one interleaving.
#![allow(missing_docs, clippy::unwrap_used)]

mod bound;
mod changes;
mod dropped;
mod limits;
mod outage;
mod sharing;
mod unconfirmed;
mod values;
mod waiting;
mod writers;

use std::{
    convert::Infallible,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use cache_core::{
    __private::{
        Layer, PlainShape, ResultShape, Spec, entry, entry_sync, given, lookup, shared,
        sharing::Probe, write_through, writer,
    },
    Cache, CacheBuilder, Clock, ErrorKind, ManualClock, SharedValue,
};
use cache_store::testing::{ChaosStore, Fault, MemoryStore, Operation};
use tokio::{sync::Notify, task::JoinHandle, time::Instant};

const BOUND: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_secs(5);

fn builder() -> CacheBuilder {
    Cache::builder().coherence_bound(BOUND).flight_wait(WAIT)
}

async fn on(store: &MemoryStore) -> Cache {
    builder().shared(Arc::new(store.connect())).build().await.unwrap()
}

async fn with_clock(store: &MemoryStore) -> (Cache, ManualClock) {
    let (clock, time) = Clock::manual();
    (builder().clock(clock).shared(Arc::new(store.connect())).build().await.unwrap(), time)
}

async fn with_faults(store: &MemoryStore) -> (Cache, Arc<ChaosStore<MemoryStore>>) {
    let chaos = Arc::new(ChaosStore::new(store.connect()));
    (builder().shared(chaos.clone()).build().await.unwrap(), chaos)
}

/// A load that says when it began, and ends when it is told to.
#[derive(Default)]
struct Slow {
    began: Notify,
    end: Notify,
    runs: AtomicUsize,
}

impl Slow {
    async fn load(self: Arc<Self>, value: u64) -> u64 {
        self.runs.fetch_add(1, SeqCst);
        self.began.notify_one();
        self.end.notified().await;
        value
    }
}

/// A call of the function that this specification describes, with the key `k:1`.
async fn call(spec: &'static Spec<u64>, cache: Cache, body: impl Future<Output = u64>) -> u64 {
    match lookup::<PlainShape, u64>(spec, given(&cache), &[&1u64]) {
        Ok(hit) => hit,
        Err(miss) => miss.load::<PlainShape, _, _>(Probe::none(), body).await,
    }
}

fn start(spec: &'static Spec<u64>, cache: &Cache, slow: &Arc<Slow>, value: u64) -> JoinHandle<u64> {
    tokio::spawn(call(spec, cache.clone(), Arc::clone(slow).load(value)))
}

const fn function() -> Spec<u64> {
    Spec::new(shared::<u64>(), "review", "function", &["k:", ""])
}

static PLAIN: Spec<u64> = function();
static TAGGED: Spec<u64> = function().tags(&[&["t"]]);
static LEARNING: Spec<u64> =
    function().learned(&["v:", ""], |value, _, tags| tags.add(&["v:", ""], &[value]));

async fn coalesced(cache: &Cache, callers: u64) {
    while cache.stats().coalesced < callers {
        tokio::task::yield_now().await;
    }
}

/// Waits for what another thread does.
async fn until(what: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(std::time::Instant::now() < deadline, "it never happened");
        tokio::task::yield_now().await;
    }
}

async fn confirmed(cache: &Cache) {
    while cache.health().await.waiting_invalidations > 0 {
        tokio::task::yield_now().await;
    }
}

async fn get(cache: &Cache) -> Option<u64> {
    cache.get::<u64>("k:1").await.unwrap()
}

async fn invalidate(cache: &Cache, what: &str) {
    match what {
        "tag" => cache.invalidate_tags(["t"]).await.unwrap(),
        "pattern" => cache.invalidate_pattern("k*").await.unwrap(),
        "all" => cache.clear().await.unwrap(),
        _ => cache.invalidate("k:1").await.unwrap(),
    }
}
