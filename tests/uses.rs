//! Every use of the library as its user writes it: once in memory, and once with a Redis of its own.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

#[path = "../cache-redis/tests/common/server.rs"]
mod server;

#[path = "uses/by_hand.rs"]
mod by_hand;
#[path = "uses/options.rs"]
mod options;
#[path = "uses/readers.rs"]
mod readers;
#[path = "uses/threads.rs"]
mod threads;
#[path = "uses/writers.rs"]
mod writers;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use larder::{Cache, CacheBuilder};
use serde::{Deserialize, Serialize};
use server::Server;

/// Defines a test twice: `$name::in_memory` and `$name::with_redis`.
macro_rules! in_both {
    ($(async fn $name:ident($tiers:ident: &Tiers) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn holds($tiers: &$crate::Tiers) $body

            #[tokio::test]
            async fn in_memory() {
                let tiers = $crate::Tiers::memory();
                larder::scoped(tiers.cache.clone(), holds(&tiers)).await;
            }

            #[tokio::test]
            async fn with_redis() {
                let tiers = $crate::Tiers::redis().await;
                larder::scoped(tiers.cache.clone(), holds(&tiers)).await;
            }
        }
    )+};
}
use in_both;

/// The cache under test, and how another process would see the same entries.
struct Tiers {
    cache: Cache,
    /// A second handle with an empty memory on the same Redis; without Redis the same cache once more.
    other: Cache,
    shared: bool,
    prefix: String,
}

impl Tiers {
    fn memory() -> Self {
        let cache = Cache::memory();
        Self { other: cache.clone(), cache, shared: false, prefix: String::new() }
    }

    async fn redis() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("uses-{}:", COUNT.fetch_add(1, SeqCst));
        Self {
            cache: shared(&prefix).build().await.unwrap(),
            other: shared(&prefix).build().await.unwrap(),
            shared: true,
            prefix,
        }
    }

    /// What Redis holds under a name, or `None` without Redis.
    fn stored(&self, key: &str) -> Option<bool> {
        let name = format!("v:{{{}k:{key}}}", self.prefix);
        self.shared.then(|| redis().ask(&["EXISTS", &name]) == "1")
    }

    /// Runs a future as another process would: with an empty memory at first.
    async fn elsewhere<F: Future>(&self, future: F) -> F::Output {
        larder::scoped(self.other.clone(), future).await
    }
}

/// A cache on the test's Redis, patient enough for a busy machine.
fn shared(prefix: &str) -> CacheBuilder {
    Cache::builder().redis(redis().url()).prefix(prefix).shared_deadline(Duration::from_secs(10))
}

/// One server for all tests of this process; it ends with the process.
fn redis() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    tenant_id: u32,
    name: String,
}

#[derive(Clone, Debug, PartialEq)]
enum DbError {
    Gone,
}

/// A table of users that counts how often it is asked.
struct Db {
    users: Mutex<BTreeMap<u64, User>>,
    asked: AtomicUsize,
}

impl Db {
    fn with(names: &[(u64, &str)]) -> Self {
        let user = |&(id, name): &(u64, &str)| (id, User { id, tenant_id: 7, name: name.into() });
        Self { users: Mutex::new(names.iter().map(user).collect()), asked: AtomicUsize::new(0) }
    }

    async fn user(&self, id: u64) -> Result<User, DbError> {
        self.find(id).ok_or(DbError::Gone)
    }

    fn find(&self, id: u64) -> Option<User> {
        self.asked.fetch_add(1, SeqCst);
        self.users.lock().unwrap().get(&id).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.asked.fetch_add(1, SeqCst);
        self.users.lock().unwrap().values().map(|user| user.name.clone()).collect()
    }

    /// Changes the table behind the cache's back.
    fn rename(&self, id: u64, name: &str) -> Result<User, DbError> {
        let mut users = self.users.lock().unwrap();
        let user = users.get_mut(&id).ok_or(DbError::Gone)?;
        user.name = name.into();
        Ok(user.clone())
    }

    fn remove(&self, id: u64) -> bool {
        self.users.lock().unwrap().remove(&id).is_some()
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}
