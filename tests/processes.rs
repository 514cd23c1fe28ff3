//! Two real processes on one Redis: what one of them sees of what the other one does.
#![cfg(unix)]
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

#[path = "../cache-redis/tests/common/server.rs"]
mod server;

#[path = "processes/coherence.rs"]
mod coherence;
#[path = "processes/lag.rs"]
mod lag;
#[path = "processes/limits.rs"]
mod limits;
#[path = "processes/locks.rs"]
mod locks;
#[path = "processes/policies.rs"]
mod policies;
#[path = "processes/proxy.rs"]
mod proxy;
#[path = "processes/publications.rs"]
mod publications;
#[path = "processes/stampede.rs"]
mod stampede;
#[path = "processes/topics.rs"]
mod topics;
#[path = "processes/transactions.rs"]
mod transactions;
#[path = "processes/worker.rs"]
mod worker;
#[path = "processes/world.rs"]
mod world;
#[path = "processes/writers.rs"]
mod writers;

use std::{
    env, fs,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use larder::Cache;
use server::Server;
use worker::Worker;
use world::World;

/// How far behind the memory of the other process may be.
const BOUND: Duration = Duration::from_secs(1);

/// A busy machine answers late, and few of these tests are about that.
const PATIENCE: Duration = Duration::from_secs(20);

/// One test: its database, its namespace in Redis, and the cache of this process.
struct Test {
    world: World,
    prefix: String,
    cache: Cache,
}

impl Test {
    async fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = format!("larder-processes-{}-{prefix}", std::process::id());
        let world = World::at(&env::temp_dir().join(dir));
        let cache = cache(&redis().url(), &prefix, PATIENCE).await;
        Self { world, prefix, cache }
    }

    async fn worker(&self) -> Worker {
        Worker::start(&self.world, &redis().url(), &self.prefix).await
    }

    /// Whether a write of the row is under way in some process.
    fn has_writers(&self, key: &str) -> bool {
        redis().ask(&["EXISTS", &format!("w:{{{}:k:row:{key}}}", self.prefix)]) == "1"
    }

    /// Runs a future with the cache of this process.
    async fn here<F: Future>(&self, future: F) -> F::Output {
        larder::scoped(self.cache.clone(), future).await
    }
}

impl Drop for Test {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.world.dir());
    }
}

/// The cache that every process of a test builds for itself.
async fn cache(url: &str, prefix: &str, deadline: Duration) -> Cache {
    Cache::builder()
        .redis(url)
        .prefix(prefix)
        .coherence_bound(BOUND)
        .rules(publications::rules())
        .shared_deadline(deadline)
        .build()
        .await
        .unwrap()
}

/// One server for all tests of this process; it ends with the process.
fn redis() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

/// On one server, then on a cluster.
async fn for_both_kinds(test: impl AsyncFn(String)) {
    test(redis().url()).await;
    #[cfg(feature = "redis-cluster")]
    {
        let cluster = server::Cluster::start();
        test(cluster.url()).await;
    }
}

/// Waits for a condition that another process makes true; fails the test when it never does.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < end, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
