//! Loads that a test stops in the middle, and caches to run them in.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use cache_store::testing::MemoryStore;
use larder::Cache;
use tokio::sync::Semaphore;

/// Longer than anything here takes, and shorter than [`FLIGHT_WAIT`].
pub const PATIENCE: Duration = Duration::from_secs(10);

/// So long that no test passes because a waiter gave up.
pub const FLIGHT_WAIT: Duration = Duration::from_secs(60);

/// A body that says when it began, and ends when it is told to.
pub struct Held {
    runs: AtomicUsize,
    began: Semaphore,
    end: Semaphore,
}

impl Held {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            runs: AtomicUsize::new(0),
            began: Semaphore::new(0),
            end: Semaphore::new(0),
        })
    }

    /// One that never stops, and counts its runs.
    pub fn open() -> Arc<Self> {
        let held = Self::new();
        held.end.add_permits(1000);
        held
    }

    /// The body.
    pub async fn run<T>(&self, value: T) -> T {
        self.runs.fetch_add(1, SeqCst);
        self.began.add_permits(1);
        self.end.acquire().await.unwrap().forget();
        value
    }

    /// Waits until one more run has begun.
    pub async fn began(&self) {
        in_time("the body begins", self.began.acquire()).await.unwrap().forget();
    }

    /// Lets one run end.
    pub fn end(&self) {
        self.end.add_permits(1);
    }

    pub fn runs(&self) -> usize {
        self.runs.load(SeqCst)
    }
}

/// What the future gives; fails the test when that takes too long.
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("not so: {what}"))
}

/// Waits until so many callers wait for another one's load.
pub async fn waiting(cache: &Cache, callers: u64) {
    let all = async {
        while cache.stats().coalesced < callers {
            tokio::task::yield_now().await;
        }
    };
    in_time("the callers wait", all).await;
}

/// A cache in memory, and one with a shared tier behind it.
pub async fn caches() -> [Cache; 2] {
    let memory = Cache::builder().flight_wait(FLIGHT_WAIT).build().await.unwrap();
    [memory, on(&MemoryStore::new()).await]
}

/// A cache with this shared tier; two of them are two processes.
pub async fn on(store: &MemoryStore) -> Cache {
    let builder = Cache::builder().flight_wait(FLIGHT_WAIT);
    builder.shared(Arc::new(store.connect())).build().await.unwrap()
}
