//! Which cache a function uses: the scope's, the one that `cache = …` names, or the default.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use larder::{Cache, cache_aside, cache_invalidate, current, memoize, write_through};

/// Returns what its first caller in a cache gave.
#[cache_aside(key = "first:{n}", skip(given))]
async fn first(n: u64, given: u64) -> u64 {
    tokio::task::yield_now().await;
    given
}

#[memoize(key = "first-sync:{n}", skip(given))]
fn first_sync(n: u64, given: u64) -> u64 {
    given
}

#[tokio::test]
async fn functions_companions_and_the_free_functions_use_the_scopes_cache() {
    let (mine, other) = (Cache::memory(), Cache::memory());
    larder::scoped(mine.clone(), async {
        assert_eq!((first(1, 10).await, first(1, 11).await), (10, 10));
        assert_eq!((first_sync(1, 10), first_sync(1, 11)), (10, 10));
        assert_eq!(first_entry(1).get().await.unwrap(), Some(10));
        assert!(first_sync_entry(1).exists().unwrap());
        larder::invalidate("first:1").await.unwrap();
        assert_eq!(first(1, 12).await, 12);
        first_cache().clear().await.unwrap();
        assert_eq!(first(1, 13).await, 13);
    })
    .await;
    assert_eq!(mine.get("first:1").await.unwrap(), Some(13u64));
    assert_eq!(mine.stats().invalidations, 2);

    larder::scoped(other.clone(), async { assert_eq!(first(1, 20).await, 20) }).await;
    assert_eq!(mine.get("first:1").await.unwrap(), Some(13u64));
}

#[tokio::test]
async fn an_inner_scope_hides_the_outer_one_until_it_ends() {
    let (outer, inner) = (Cache::memory(), Cache::memory());
    larder::scoped(outer.clone(), async {
        assert_eq!(first(1, 10).await, 10);
        larder::scoped(inner.clone(), async { assert_eq!(first(1, 20).await, 20) }).await;
        larder::scoped_sync(inner.clone(), || assert_eq!(first_sync(1, 20), 20));
        assert_eq!((first(1, 30).await, first_sync(1, 30)), (10, 30));
    })
    .await;
    assert_eq!((outer.stats().loads, inner.stats().loads), (2, 2));
}

#[tokio::test]
async fn scopes_that_take_turns_on_one_thread_do_not_share() {
    let of = |given: u64| {
        larder::scoped(Cache::memory(), async move {
            let mut seen = Vec::new();
            for _ in 0..5 {
                seen.push(first(1, given).await);
                tokio::task::yield_now().await;
            }
            seen
        })
    };
    let (a, b, c) = tokio::join!(of(1), of(2), of(3));
    assert_eq!((a, b, c), (vec![1; 5], vec![2; 5], vec![3; 5]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_scopes_do_not_share() {
    let tasks: Vec<_> = (0..64u64)
        .map(|given| {
            tokio::spawn(larder::scoped(Cache::memory(), async move {
                let spawned = larder::spawn(async move { first(1, given).await });
                let blocking = larder::spawn_blocking(move || first_sync(1, given));
                let seen = [first(1, given).await, spawned.await.unwrap(), blocking.await.unwrap()];
                assert_eq!(seen, [given; 3]);
                larder::clear().await.unwrap();
                assert_eq!(first(1, given + 1000).await, given + 1000);
            }))
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn what_is_spawned_through_larder_stays_in_the_scope_however_deep() {
    let cache = Cache::memory();
    larder::scoped(cache.clone(), async {
        assert_eq!(first(1, 10).await, 10);
        let deep = larder::spawn(async { larder::spawn(first(1, 20)).await.unwrap() });
        assert_eq!(deep.await.unwrap(), 10);
        let blocking = larder::spawn_blocking(|| (first_sync(1, 30), current().is_ok()));
        assert_eq!(blocking.await.unwrap(), (30, true));
        assert_eq!(first_sync(1, 40), 30);
    })
    .await;
    assert_eq!(cache.stats().loads, 2);
}

#[tokio::test]
async fn a_task_of_tokio_leaves_the_scope() {
    let cache = Cache::memory();
    larder::scoped(cache.clone(), async {
        assert_eq!(first(77, 10).await, 10);
        assert_eq!(tokio::spawn(first(77, 20)).await.unwrap(), 20);
    })
    .await;
    assert_eq!(cache.stats().loads, 1);
}

#[test]
fn a_sync_scope_ends_with_its_closure_also_by_a_panic() {
    let (outer, inner) = (Cache::memory(), Cache::memory());
    larder::scoped_sync(outer.clone(), || {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            larder::scoped_sync(inner.clone(), || {
                assert_eq!(first_sync(1, 10), 10);
                panic!("on purpose");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(first_sync(1, 20), 20);
    });
    assert_eq!((outer.stats().loads, inner.stats().loads), (1, 1));
}

static SHOP: LazyLock<Cache> = LazyLock::new(Cache::memory);

fn shop() -> &'static Cache {
    &SHOP
}

#[cache_aside(key = "static:{n}", cache = *SHOP, skip(runs))]
async fn by_static(runs: &AtomicUsize, n: u64) -> u64 {
    runs.fetch_add(1, SeqCst);
    n
}

#[cache_aside(key = "static:{n}", cache = shop(), skip(runs))]
async fn by_function(runs: &AtomicUsize, n: u64) -> u64 {
    runs.fetch_add(1, SeqCst);
    n
}

#[cache_aside(key = "static:{n}", cache = given, skip(runs))]
async fn by_reference(given: &Cache, runs: &AtomicUsize, n: u64) -> u64 {
    runs.fetch_add(1, SeqCst);
    n
}

#[cache_aside(key = "static:{n}", cache = given.clone(), skip(runs))]
fn by_value(given: Cache, runs: &AtomicUsize, n: u64) -> u64 {
    runs.fetch_add(1, SeqCst);
    n
}

#[tokio::test]
async fn a_named_cache_is_used_whatever_the_scope_is() {
    let (scope, runs) = (Cache::memory(), AtomicUsize::new(0));
    larder::scoped(scope.clone(), async {
        assert_eq!(by_static(&runs, 5).await, 5);
        assert_eq!(by_function(&runs, 5).await, 5);
        assert_eq!(by_reference(shop(), &runs, 5).await, 5);
        assert_eq!(by_value(SHOP.clone(), &runs, 5), 5);
        assert_eq!(runs.load(SeqCst), 1, "four names of one cache");
        by_static_entry(5).invalidate().await.unwrap();
        assert!(!by_reference_entry(&SHOP, 5).exists().await.unwrap());
        by_reference(&Cache::memory(), &runs, 5).await;
        assert_eq!(runs.load(SeqCst), 2);
    })
    .await;
    assert_eq!((scope.stats().loads, scope.stats().invalidations), (0, 0));
}

/// Owns its cache in each of the ways that services do.
struct Service {
    cache: Cache,
    shared: Arc<Cache>,
    runs: AtomicUsize,
}

impl Service {
    fn new() -> Self {
        let cache = Cache::memory();
        Self { shared: Arc::new(cache.clone()), cache, runs: AtomicUsize::new(0) }
    }

    #[cache_aside(key = "item:{n}", cache = self.cache, skip(self))]
    async fn by_field(&self, n: u64) -> u64 {
        self.runs.fetch_add(1, SeqCst) as u64
    }

    #[cache_aside(key = "item:{n}", cache = *self.shared, skip(self))]
    async fn by_arc(&self, n: u64) -> u64 {
        self.runs.fetch_add(1, SeqCst) as u64
    }

    #[write_through(entry = self.by_field(n))]
    async fn put(&self, n: u64, value: u64) -> u64 {
        value
    }

    #[cache_invalidate(invalidate_keys = ["item:{n}"], cache = self.cache)]
    async fn forget(&self, n: u64) {}
}

#[tokio::test]
async fn services_with_caches_of_their_own_do_not_share() {
    let (one, two) = (Service::new(), Service::new());
    assert_eq!((one.by_field(1).await, one.by_arc(1).await), (0, 0));
    assert_eq!(two.put(1, 50).await, 50);
    assert_eq!((one.by_arc(1).await, two.by_arc(1).await), (0, 50));
    one.forget(1).await;
    assert_eq!((one.by_field(1).await, two.by_field(1).await), (1, 50));
    one.by_arc_cache().clear().await.unwrap();
    assert!(!one.by_field_entry(1).exists().await.unwrap());
    assert!(two.by_field_entry(1).exists().await.unwrap());
}
