//! How often Redis is asked: for a hit, for a miss before and after its body, for an invalidation.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

#[path = "../cache-redis/tests/common/server.rs"]
mod server;

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use cache_redis::{RedisConfig, RedisStore};
use larder::{Cache, cache_aside};
use server::Server;

#[cache_aside(key = "plain:{id}", ttl = "1h", layer = "shared", skip(cache, trips), cache = cache)]
async fn plain(cache: &Cache, trips: &Trips, id: u64) -> u64 {
    trips.body_begins();
    id
}

#[cache_aside(key = "known:{id}", ttl = "1h", layer = "shared", tags = ["of:{id}", "all"], skip(cache, trips), cache = cache)]
async fn known(cache: &Cache, trips: &Trips, id: u64) -> u64 {
    trips.body_begins();
    id
}

#[cache_aside(key = "learned:{id}", ttl = "1h", layer = "shared", tags = ["is:{value}", "all"], skip(cache, trips), cache = cache)]
async fn learned(cache: &Cache, trips: &Trips, id: u64) -> u64 {
    trips.body_begins();
    id
}

/// Counts what the server receives; a request that comes in one piece counts once.
struct Trips {
    server: Server,
    /// What the question itself makes the server receive.
    asking: u64,
    last: AtomicU64,
    before_body: AtomicU64,
}

const NO_BODY: u64 = u64::MAX;

impl Trips {
    fn start() -> Self {
        let server = Server::start(&[]);
        let first = received(&server);
        let asking = received(&server) - first;
        Self { server, asking, last: AtomicU64::new(0), before_body: AtomicU64::new(NO_BODY) }
    }

    fn since(&self) -> u64 {
        let now = received(&self.server);
        now - self.last.swap(now, Relaxed) - self.asking
    }

    fn body_begins(&self) {
        self.before_body.store(self.since(), Relaxed);
    }

    /// What this costs before its body, where that runs, and after it.
    async fn of<T>(&self, call: impl IntoFuture<Output = T>) -> (Option<u64>, u64) {
        self.before_body.store(NO_BODY, Relaxed);
        self.last.store(received(&self.server), Relaxed);
        call.await;
        let after = self.since();
        (Some(self.before_body.load(Relaxed)).filter(|before| *before != NO_BODY), after)
    }
}

fn received(server: &Server) -> u64 {
    let stats = server.ask(&["INFO", "stats"]);
    let reads = stats.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
    reads.unwrap().parse().unwrap()
}

/// What a process does in the background must not count: without RESP3 it hears of no change, and follows none.
async fn quiet(server: &Server) -> Cache {
    let url = format!("{}/?protocol=resp2", server.url());
    let config = RedisConfig::new(url).sweep(false).deadline(Duration::from_secs(5));
    let store = RedisStore::connect(config).await.unwrap();
    Cache::builder().shared(store).build().await.unwrap()
}

// On one thread, where reads have no connection of their own that would be opened meanwhile.
#[tokio::test]
async fn a_hit_is_one_round_trip_a_miss_two_and_one_or_two_after_it_an_invalidation_one() {
    let trips = Trips::start();
    let cache = quiet(&trips.server).await;
    // The server learns the scripts.
    for id in 0..2 {
        plain(&cache, &trips, id).await;
        known(&cache, &trips, id).await;
        learned(&cache, &trips, id).await;
        cache.invalidate_tags(["other"]).await.unwrap();
        cache.invalidate_pattern("other:*").await.unwrap();
    }

    assert_eq!(trips.of(plain(&cache, &trips, 7)).await, (Some(2), 1));
    assert_eq!(trips.of(known(&cache, &trips, 7)).await, (Some(2), 1));
    assert_eq!(trips.of(learned(&cache, &trips, 7)).await, (Some(2), 2));

    assert_eq!(trips.of(plain(&cache, &trips, 7)).await, (None, 1));
    assert_eq!(trips.of(known(&cache, &trips, 7)).await, (None, 1));
    // The tags are named in the value alone.
    assert_eq!(trips.of(learned(&cache, &trips, 7)).await, (None, 2));

    assert_eq!(trips.of(cache.invalidate("plain:7")).await, (None, 1));
    assert_eq!(trips.of(cache.invalidate_tags(["of:7", "is:7"])).await, (None, 1));
    assert_eq!(trips.of(cache.invalidate_pattern("*:7")).await, (None, 1));
    assert_eq!(trips.of(plain(&cache, &trips, 7)).await, (Some(2), 1));
}
