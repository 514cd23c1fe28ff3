//! Decorators with prefix and ttl, and those that invalidate.

use std::{
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use larder::{Cache, cache_aside, cache_invalidate, memoize, write_through};

use crate::for_both_forms;

/// What is in a table, which counts how often it is read.
struct Table {
    cache: Cache,
    name: AtomicU64,
    reads: AtomicU64,
}

impl Table {
    fn new(cache: Cache) -> Self {
        Self { cache, name: AtomicU64::new(1), reads: AtomicU64::new(0) }
    }

    fn read(&self) -> u64 {
        self.reads.fetch_add(1, SeqCst);
        self.name.load(SeqCst)
    }

    /// How often it was read since the last time.
    fn reads(&self) -> u64 {
        self.reads.swap(0, SeqCst)
    }
}

/// `@cached(prefix="user", ttl=300)`
#[cache_aside(key = "user:{id}", ttl = 300, skip(table), cache = table.cache)]
async fn user(table: &Table, id: u64) -> u64 {
    let _ = id;
    table.read()
}

/// `@cached(prefix="users:list", ttl="1m", tags=["users"])`
#[cache_aside(key = "users:list:{page}", ttl = "1m", tags = ["users"], skip(table), cache = table.cache)]
async fn users(table: &Table, page: u32) -> Vec<u64> {
    let _ = page;
    vec![table.read()]
}

/// `@cached(prefix="price", ttl=60)` on an ordinary function.
#[cache_aside(key = "price:{item}", ttl = "60s", skip(table), cache = table.cache)]
fn price(table: &Table, item: &str) -> u64 {
    item.len() as u64 + table.read()
}

/// `@lru_cache`, with a key of its own.
#[memoize(ttl = "60s", skip(table), cache = table.cache)]
fn risk(table: &Table, portfolio: &str, factor: f64) -> u64 {
    (portfolio.len() as f64 * factor) as u64 + table.read()
}

impl Table {
    /// The same on a method.
    #[cache_aside(key = "method:{id}", ttl = "5m", skip(self), cache = self.cache)]
    async fn of_method(&self, id: u64) -> u64 {
        id + self.read()
    }
}

#[tokio::test]
async fn decorators_with_prefix_and_ttl() {
    for_both_forms(async |cache| {
        let table = Table::new(cache.clone());
        for _ in 0..2 {
            assert_eq!((user(&table, 42).await, user(&table, 43).await), (1, 1));
            assert_eq!(users(&table, 0).await, [1]);
            assert_eq!((price(&table, "chair"), risk(&table, "bonds", 2.0)), (6, 11));
            assert_eq!(table.of_method(7).await, 8);
        }
        assert_eq!(table.reads(), 6, "each body once for each argument");
        assert_eq!(user_entry(&table, 42).key(), "user:42");
        assert_eq!(users_entry(&table, 0).key(), "users:list:0");
        let left = user_entry(&table, 42).ttl().await.unwrap().unwrap();
        assert!(left <= Duration::from_secs(300) && left > Duration::from_secs(200), "{left:?}");
        let left = users_entry(&table, 0).ttl().await.unwrap().unwrap();
        assert!(left <= Duration::from_secs(60) && left > Duration::from_secs(20), "{left:?}");
    })
    .await;
}

/// `@invalidate(keys=["user:{id}"], patterns=["users:list:*"])`
#[cache_invalidate(invalidate_keys = ["user:{id}"], invalidate_patterns = ["users:list:*"], cache = table.cache)]
async fn rename(table: &Table, id: u64, name: u64) -> Result<(), &'static str> {
    let _ = id;
    if name == 0 {
        return Err("no name");
    }
    table.name.store(name, SeqCst);
    Ok(())
}

/// `@invalidate(tags=["users"])`
#[cache_invalidate(invalidate_tags = ["users"], cache = table.cache)]
async fn import(table: &Table) {
    table.name.fetch_add(1, SeqCst);
}

/// The same, with what is invalidated checked by the compiler.
#[cache_invalidate(invalidates = [user(table, id), users(table, *)], cache = table.cache)]
async fn remove(table: &Table, id: u64) {
    let _ = id;
    table.name.store(0, SeqCst);
}

/// `@write_through(prefix="user")`
#[write_through(entry = user(table, id))]
async fn update(table: &Table, id: u64, name: u64) -> u64 {
    let _ = id;
    table.name.store(name, SeqCst);
    name
}

#[tokio::test]
async fn invalidate_decorators() {
    for_both_forms(async |cache| {
        let table = Table::new(cache.clone());
        let read =
            async || (user(&table, 42).await, user(&table, 43).await, users(&table, 0).await);
        assert_eq!((read().await, table.reads()), ((1, 1, vec![1]), 3));
        rename(&table, 42, 0).await.unwrap_err();
        assert_eq!((read().await, table.reads()), ((1, 1, vec![1]), 0), "it failed");
        rename(&table, 42, 2).await.unwrap();
        assert_eq!((read().await, table.reads()), ((2, 1, vec![2]), 2));
        import(&table).await;
        assert_eq!((read().await, table.reads()), ((2, 1, vec![3]), 1));
        update(&table, 43, 4).await;
        assert_eq!((read().await, table.reads()), ((2, 4, vec![3]), 0), "it is stored already");
        remove(&table, 42).await;
        assert_eq!((read().await, table.reads()), ((0, 4, vec![0]), 2));
    })
    .await;
}
