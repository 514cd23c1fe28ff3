//! Futures that their caller drops, at each place where they wait: nothing hangs, nothing old is served, nothing stays locked.
//! And runtimes that end while calls are under way.
#![allow(clippy::unwrap_used)]

#[path = "cancellation/operations.rs"]
mod operations;
#[path = "cancellation/runtimes.rs"]
mod runtimes;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use larder::{
    Cache, Clock, cache_aside, cache_invalidate, stampede_protect,
    testing::{ChaosStore, Fault, MemoryStore},
    write_through,
};
use tokio::{runtime::Handle, time::timeout};

const BOUND: Duration = Duration::from_secs(2);
const MOMENT: Duration = Duration::from_millis(1);
/// After which a request counts as unanswered.
const DEADLINE: Duration = Duration::from_secs(10);
/// In a time that does not pass while there is something to do: whoever is not done by then hangs.
const HOUR: Duration = Duration::from_secs(3600);

type Line = Arc<ChaosStore<MemoryStore>>;

/// What the functions read and write.
#[derive(Clone)]
struct Source(Arc<AtomicU64>, Arc<AtomicUsize>);

impl Source {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1)), Arc::default())
    }

    async fn load(&self) -> u64 {
        self.1.fetch_add(1, SeqCst);
        tokio::time::sleep(MOMENT).await;
        self.0.load(SeqCst)
    }

    /// The change is made as soon as this is called, and told a moment later.
    async fn change(&self) -> u64 {
        let new = self.changed();
        tokio::time::sleep(MOMENT).await;
        new
    }

    /// The change is made.
    fn changed(&self) -> u64 {
        self.0.fetch_add(1, SeqCst) + 1
    }

    fn now(&self) -> u64 {
        self.0.load(SeqCst)
    }

    fn loads(&self) -> usize {
        self.1.load(SeqCst)
    }
}

#[cache_aside(key = "row:{id}", tags = ["rows", "of:{id}"], ttl = "1d", skip(source))]
async fn row(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[cache_aside(key = "row:{id}", tags = ["rows", "of:{id}"], ttl = "1d", skip(source), batch(id in ids))]
async fn rows(source: &Source, ids: &[u64]) -> Vec<Option<u64>> {
    let found = source.load().await;
    ids.iter().map(|_| Some(found)).collect()
}

#[stampede_protect(key = "report", tags = ["rows"], ttl = "1d", lock_ttl = "10s", skip(source))]
async fn report(source: &Source) -> u64 {
    source.load().await
}

#[write_through(entry = row(id), invalidates = [report()])]
async fn write(source: &Source, id: u64) -> u64 {
    source.change().await
}

#[cache_invalidate(invalidates = [row(1), report()])]
async fn touch(source: &Source) -> u64 {
    source.change().await
}

/// A process in tokio's time, and its line to the shared tier.
async fn process(store: &MemoryStore) -> (Cache, Line) {
    let line = Arc::new(ChaosStore::new(store.connect()));
    let builder = Cache::builder().clock(Clock::tokio()).runtime(Handle::current());
    let builder = builder.coherence_bound(BOUND).rules(operations::rules());
    (builder.shared(line.clone()).build().await.unwrap(), line)
}

/// Polls a future so many times, and then drops it.
struct DroppedAfter<F>(Option<F>, usize);

impl<F: Future + Unpin> Future for DroppedAfter<F> {
    /// Whether it was done before.
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let Some(inner) = &mut self.0 else { return Poll::Ready(false) };
        if Pin::new(inner).poll(context).is_ready() {
            return Poll::Ready(true);
        }
        self.1 -= 1;
        if self.1 == 0 {
            self.0 = None;
            return Poll::Ready(false);
        }
        Poll::Pending
    }
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(HOUR, future).await.unwrap_or_else(|_| panic!("{what}: it hangs"))
}

/// Where a future is dropped: how often it was polled, and how many of its requests had been answered. The next one takes
/// effect, and its answer never comes.
#[derive(Clone, Copy, Debug)]
struct Place {
    polls: usize,
    answered: u64,
    /// Whether there is nothing to find, and everything is loaded.
    anew: bool,
}

/// Every request takes a moment to arrive, and so is one more place to wait at.
fn answer(line: &Line, requests: u64) {
    line.calm();
    line.inject(Fault::delay(MOMENT).times(requests));
    line.inject(Fault::drop_reply(DEADLINE));
}
