//! What is no longer fresh: given at once while it is renewed, or instead of an error, or not at all. Time is tokio's and
//! stands still.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

#[path = "serving/background.rs"]
mod background;
#[path = "serving/errors.rs"]
mod errors;
#[path = "serving/shared.rs"]
mod shared;
#[path = "serving/timeouts.rs"]
mod timeouts;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use cache_store::testing::{ChaosStore, MemoryStore};
use larder::{Cache, CacheBuilder, Clock};
use tokio::{runtime::Handle, time::sleep};

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

#[derive(Clone, Debug, PartialEq)]
enum Failed {
    Source,
    Cache(larder::ErrorKind),
}

impl From<larder::Error> for Failed {
    fn from(error: larder::Error) -> Self {
        Self::Cache(error.kind())
    }
}

/// What the bodies read from. Its clones are the same source.
#[derive(Clone, Default)]
struct Source(Arc<Inner>);

#[derive(Default)]
struct Inner {
    value: AtomicU64,
    runs: AtomicUsize,
    ended: AtomicUsize,
    fails: AtomicBool,
    takes: AtomicU64,
}

impl Source {
    fn with(value: u64) -> Self {
        let source = Self::default();
        source.change(value);
        source
    }

    fn change(&self, value: u64) {
        self.0.value.store(value, SeqCst);
    }

    fn fail(&self, fails: bool) {
        self.0.fails.store(fails, SeqCst);
    }

    fn take(&self, time: Duration) {
        self.0.takes.store(time.as_millis() as u64, SeqCst);
    }

    fn runs(&self) -> usize {
        self.0.runs.load(SeqCst)
    }

    fn ended(&self) -> usize {
        self.0.ended.load(SeqCst)
    }

    /// Reads when it begins, and answers when it ends.
    async fn load(&self) -> Result<u64, Failed> {
        self.0.runs.fetch_add(1, SeqCst);
        let value = self.0.value.load(SeqCst);
        let takes = self.0.takes.load(SeqCst);
        if takes > 0 {
            sleep(Duration::from_millis(takes)).await;
        }
        self.0.ended.fetch_add(1, SeqCst);
        if self.0.fails.load(SeqCst) { Err(Failed::Source) } else { Ok(value) }
    }
}

type Line = Arc<ChaosStore<MemoryStore>>;

fn builder() -> CacheBuilder {
    Cache::builder().clock(Clock::tokio()).runtime(Handle::current())
}

/// A process with a line of its own to the shared tier.
async fn process(store: &MemoryStore) -> (Cache, Line) {
    let line = Arc::new(ChaosStore::new(store.connect()));
    (builder().shared(line.clone()).build().await.unwrap(), line)
}

/// Runs the test in memory alone, and with a shared tier.
async fn in_both<F: Future<Output = ()>>(test: impl Fn(Cache) -> F) {
    let memory = builder().build().await.unwrap();
    larder::scoped(memory.clone(), test(memory)).await;
    let (both, _) = process(&MemoryStore::new()).await;
    larder::scoped(both.clone(), test(both)).await;
}
