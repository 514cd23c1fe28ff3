//! A cache that is switched off and on again, and requests that look past it: nothing that was invalidated meanwhile comes back.
#![cfg(unix)]
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

#[path = "common/loads.rs"]
mod loads;
#[path = "../cache-redis/tests/common/server.rs"]
mod server;

#[path = "switch/bypass.rs"]
mod bypass;
#[path = "switch/front.rs"]
mod front;
#[path = "switch/off.rs"]
mod off;
#[path = "switch/redis.rs"]
mod redis;

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
};

use larder::{Cache, cache_aside, cache_invalidate, memoize, stampede_protect, write_through};

/// What the functions read from. Its clones are the same source.
#[derive(Clone, Default)]
struct Source(Arc<(AtomicU64, AtomicUsize)>);

impl Source {
    /// The version as it is.
    fn load(&self) -> u64 {
        self.0.1.fetch_add(1, SeqCst);
        self.0.0.load(SeqCst)
    }

    fn change(&self) -> u64 {
        self.0.0.fetch_add(1, SeqCst) + 1
    }

    fn runs(&self) -> usize {
        self.0.1.load(SeqCst)
    }
}

#[cache_aside(key = "row:{id}", tags = ["row", "id:{id}"], ttl = "1h", skip(source))]
async fn row(source: &Source, id: u64) -> u64 {
    source.load()
}

#[cache_aside(key = "sync:{id}", tags = ["row"], ttl = "1h", skip(source))]
fn row_sync(source: &Source, id: u64) -> u64 {
    let _ = id;
    source.load()
}

#[memoize(key = "kept:{id}", tags = ["row"], ttl = "1h", skip(source))]
fn row_kept(source: &Source, id: u64) -> u64 {
    let _ = id;
    source.load()
}

#[cache_aside(key = "renewed:{id}", ttl = "1h", refresh_ahead = 0.9, skip(source))]
async fn row_renewed(source: &Source, id: u64) -> u64 {
    source.load()
}

#[cache_aside(key = "batch:{id}", ttl = "1h", batch(id in ids), skip(source))]
async fn rows(source: &Source, ids: &[u64]) -> Vec<Option<u64>> {
    ids.iter().map(|_| Some(source.load())).collect()
}

#[stampede_protect(key = "alone:{id}", ttl = "1h", lock_ttl = "30s", skip(source))]
async fn row_alone(source: &Source, id: u64) -> u64 {
    source.load()
}

#[cache_aside(key = "asked:{id}", ttl = "1h", layer = "shared", skip(source))]
async fn row_asked(source: &Source, id: u64) -> u64 {
    source.load()
}

struct Table(Cache);

impl Table {
    #[cache_aside(key = "given:{id}", ttl = "1h", cache = self.0, skip(self, source))]
    async fn row(&self, source: &Source, id: u64) -> u64 {
        source.load()
    }
}

#[write_through(entry = row(id), invalidate_tags = ["list"])]
async fn update(source: &Source, id: u64) -> u64 {
    source.change()
}

#[cache_invalidate(invalidates = [row(id)], cache = cache)]
async fn delete(cache: &Cache, source: &Source, id: u64) {
    source.change();
}

/// What each kind of reader gives, by its name.
async fn read_all(cache: &Cache, source: &Source) -> Vec<(&'static str, u64)> {
    let by_hand = cache.get_or_set("hand:1", async || Ok::<_, larder::Error>(source.load()));
    let mut all = vec![
        ("async", row(source, 1).await),
        ("sync", row_sync(source, 1)),
        ("memoize", row_kept(source, 1)),
        ("refresh_ahead", row_renewed(source, 1).await),
        ("batch", rows(source, &[1]).await[0].unwrap()),
        ("stampede_protect", row_alone(source, 1).await),
        ("cache = ..", Table(cache.clone()).row(source, 1).await),
        ("get_or_set", by_hand.await.unwrap()),
    ];
    // Without a shared tier it caches nothing.
    if cache.health().await.shared.is_some() {
        all.push(("shared", row_asked(source, 1).await));
    }
    all
}

/// Asks often enough for copies to be kept, and says what was given last.
async fn warm(cache: &Cache, source: &Source) -> Vec<(&'static str, u64)> {
    for _ in 0..3 {
        read_all(cache, source).await;
    }
    read_all(cache, source).await
}

/// Those that gave something else.
fn other_than(version: u64, all: &[(&'static str, u64)]) -> Vec<(&'static str, u64)> {
    all.iter().copied().filter(|(_, given)| *given != version).collect()
}

/// Runs a test in memory alone, and with a shared tier.
async fn in_both(test: impl AsyncFn(Cache, Source)) {
    for cache in loads::caches().await {
        larder::scoped(cache.clone(), test(cache.clone(), Source::default())).await;
    }
}
