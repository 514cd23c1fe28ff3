//! What a cache promises, over the in-process store: two caches on one store are two processes.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    convert::Infallible,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use cache_core::{Cache, ErrorKind};
use cache_store::testing::{ChaosStore, MemoryStore, Operation};
use tokio::sync::Notify;

async fn on(store: &MemoryStore) -> Cache {
    counted(store).await.0
}

/// A cache, and its own connection, which counts its round trips.
async fn counted(store: &MemoryStore) -> (Cache, Arc<MemoryStore>) {
    let store = Arc::new(store.connect());
    (Cache::builder().shared(store.clone()).build().await.unwrap(), store)
}

async fn with_faults(store: &MemoryStore) -> (Cache, Arc<ChaosStore<MemoryStore>>) {
    let chaos = Arc::new(ChaosStore::new(store.connect()));
    (Cache::builder().shared(chaos.clone()).build().await.unwrap(), chaos)
}

async fn ok(value: u64) -> Result<u64, Infallible> {
    Ok(value)
}

/// A load that says when it began, and ends when it is told to.
#[derive(Default)]
struct Slow {
    began: Notify,
    end: Notify,
    runs: AtomicUsize,
}

impl Slow {
    async fn load(self: Arc<Self>, value: u64) -> Result<u64, Infallible> {
        self.runs.fetch_add(1, SeqCst);
        self.began.notify_one();
        self.end.notified().await;
        Ok(value)
    }
}

fn get(cache: &Cache, slow: &Arc<Slow>, value: u64) -> impl Future<Output = u64> + Send + 'static {
    let (cache, slow) = (cache.clone(), Arc::clone(slow));
    async move { cache.get_or_set("k", || slow.load(value)).await.unwrap() }
}

async fn both() -> [Cache; 2] {
    [Cache::memory(), on(&MemoryStore::new()).await]
}

#[tokio::test]
async fn an_invalidation_while_a_load_runs_is_not_undone_by_its_fill() {
    for cache in both().await {
        let slow = Arc::new(Slow::default());
        let old = tokio::spawn(get(&cache, &slow, 1));
        slow.began.notified().await;
        cache.invalidate("k").await.unwrap();
        slow.end.notify_one();
        assert_eq!(old.await.unwrap(), 1, "its own caller gets what it loaded");
        assert_eq!(cache.get_or_set("k", || ok(2)).await, Ok(2));
        assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(2));
    }
}

#[tokio::test]
async fn an_invalidation_by_another_process_is_not_undone_either() {
    let store = MemoryStore::new();
    let (here, there) = (on(&store).await, on(&store).await);
    for what in ["key", "tag", "pattern", "all"] {
        let slow = Arc::new(Slow::default());
        let (cache, load) = (here.clone(), slow.clone());
        let old = tokio::spawn(async move {
            cache.get_or_set("k", || load.load(1)).tags(["t"]).await.unwrap()
        });
        slow.began.notified().await;
        match what {
            "key" => there.invalidate("k").await.unwrap(),
            "tag" => there.invalidate_tags(["t"]).await.unwrap(),
            "pattern" => there.invalidate_pattern("k*").await.unwrap(),
            _ => there.clear().await.unwrap(),
        }
        slow.end.notify_one();
        assert_eq!(old.await.unwrap(), 1);
        assert_eq!(there.get::<u64>("k").await.unwrap(), None, "{what}");
        here.clear().await.unwrap();
    }
}

#[tokio::test]
async fn a_caller_that_arrives_after_an_invalidation_does_not_join_the_old_load() {
    for cache in both().await {
        let (old, new) = (Arc::new(Slow::default()), Arc::new(Slow::default()));
        let first = tokio::spawn(get(&cache, &old, 1));
        old.began.notified().await;
        cache.invalidate("k").await.unwrap();
        let second = tokio::spawn(get(&cache, &new, 2));
        new.began.notified().await;
        old.end.notify_one();
        new.end.notify_one();
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 2));
        assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(2));
    }
}

#[tokio::test]
async fn a_value_set_while_a_load_runs_stays() {
    for cache in both().await {
        let slow = Arc::new(Slow::default());
        let old = tokio::spawn(get(&cache, &slow, 1));
        slow.began.notified().await;
        cache.set("k", &7u64).await.unwrap();
        slow.end.notify_one();
        old.await.unwrap();
        assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(7));
    }
}

#[tokio::test]
async fn many_callers_of_a_cold_key_run_the_load_once() {
    for cache in both().await {
        let slow = Arc::new(Slow::default());
        let callers: Vec<_> = (0..100).map(|_| tokio::spawn(get(&cache, &slow, 5))).collect();
        slow.began.notified().await;
        while cache.stats().coalesced < 99 {
            tokio::task::yield_now().await;
        }
        slow.end.notify_one();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), 5);
        }
        assert_eq!(slow.runs.load(SeqCst), 1);
    }
}

#[tokio::test]
async fn a_cancelled_leader_hands_over_to_one_of_its_waiters() {
    for cache in both().await {
        let slow = Arc::new(Slow::default());
        let leader = tokio::spawn(get(&cache, &slow, 1));
        slow.began.notified().await;
        let waiters: Vec<_> = (0..10).map(|_| tokio::spawn(get(&cache, &slow, 2))).collect();
        while cache.stats().coalesced < 10 {
            tokio::task::yield_now().await;
        }
        leader.abort();
        slow.began.notified().await;
        slow.end.notify_one();
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap(), 2);
        }
        assert_eq!(slow.runs.load(SeqCst), 2);
    }
}

#[tokio::test]
async fn a_cancelled_waiter_disturbs_nobody() {
    let cache = Cache::memory();
    let slow = Arc::new(Slow::default());
    let leader = tokio::spawn(get(&cache, &slow, 1));
    slow.began.notified().await;
    let (one, other) = (tokio::spawn(get(&cache, &slow, 2)), tokio::spawn(get(&cache, &slow, 3)));
    while cache.stats().coalesced < 2 {
        tokio::task::yield_now().await;
    }
    one.abort();
    assert!(one.await.unwrap_err().is_cancelled());
    slow.end.notify_one();
    assert_eq!((leader.await.unwrap(), other.await.unwrap()), (1, 1));
}

#[tokio::test]
async fn failing_loads_run_at_the_same_time_once_each() {
    let cache = Cache::memory();
    let all = Arc::new(tokio::sync::Barrier::new(5));
    let (first, began) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let runs = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..5)
        .map(|_| {
            let (cache, all, first) = (cache.clone(), all.clone(), first.clone());
            let (began, runs) = (began.clone(), runs.clone());
            tokio::spawn(async move {
                let load = || async move {
                    if runs.fetch_add(1, SeqCst) == 0 {
                        began.notify_one();
                        first.notified().await;
                    } else {
                        // Passes only if the four that waited run together.
                        all.wait().await;
                    }
                    Err::<u64, _>("no")
                };
                cache.get_or_set("k", load).await
            })
        })
        .collect();
    began.notified().await;
    while cache.stats().coalesced < 4 {
        tokio::task::yield_now().await;
    }
    first.notify_one();
    all.wait().await;
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Err("no"));
    }
    assert_eq!(runs.load(SeqCst), 5);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_alive_but_not_polled_holds_nobody_for_ever() {
    let cache = Cache::builder().flight_wait(Duration::from_secs(5)).build().await.unwrap();
    let stuck = Arc::new(Slow::default());
    let mut leader = Box::pin(get(&cache, &stuck, 1));
    tokio::select! {
        biased;
        _ = &mut leader => unreachable!("nobody lets it end"),
        () = stuck.began.notified() => {}
    }
    assert_eq!(cache.get_or_set("k", || ok(2)).await, Ok(2));
    stuck.end.notify_one();
    assert_eq!(leader.await, 1);
    assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(2), "the late fill is fenced");
}

#[tokio::test]
async fn a_miss_costs_two_round_trips_before_the_load_and_one_after_a_hit_one_an_invalidation_one()
{
    let store = MemoryStore::new();
    let ((cache, trips), (other, others)) = (counted(&store).await, counted(&store).await);
    // The session follows the pattern log in the background.
    let trips = || {
        let calls = trips.calls();
        calls.round_trips() - calls.of(Operation::Patterns)
    };
    let load = || async {
        assert_eq!(trips(), 2);
        Ok::<_, Infallible>(1u64)
    };
    cache.get_or_set("k", load).tags(["a", "b"]).await.unwrap();
    assert_eq!(trips(), 3);

    assert_eq!(other.get_or_set("k", || ok(2)).tags(["a", "b"]).await, Ok(1));
    assert_eq!(others.calls().of(Operation::Read), 1);
    assert_eq!(others.calls().of(Operation::Claim) + others.calls().of(Operation::TagNonces), 0);

    for invalidate in
        [cache.invalidate("k"), cache.invalidate_pattern("k*"), cache.invalidate_tags(["a", "b"])]
    {
        let before = trips();
        invalidate.await.unwrap();
        assert_eq!(trips() - before, 1);
    }
}

#[tokio::test]
async fn while_the_shared_tier_is_down_calls_return_what_they_load() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    chaos.down(ErrorKind::Unavailable);
    assert_eq!(cache.get_or_set("k", || ok(1)).await, Ok(1));
    assert!(cache.stats().shared_errors > 0);
    assert_eq!(cache.get::<u64>("other").await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn an_invalidation_that_is_not_confirmed_is_an_error_holds_here_and_is_repeated() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let other = on(&store).await;
    cache.set("k", &1u64).await.unwrap();
    chaos.down(ErrorKind::Timeout);
    let mut events = cache.events();
    let error = cache.invalidate("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("repeated"), "{error}");
    assert_eq!(cache.get_or_set("k", || ok(2)).await, Ok(2));
    assert_eq!(other.get::<u64>("k").await.unwrap(), Some(1), "the shared tier does not know yet");
    assert!(!cache.health().await.is_healthy());
    chaos.up();
    while !matches!(events.next().await, Some(cache_core::Event::Replayed { .. })) {}
    assert_eq!(on(&store).await.get::<u64>("k").await.unwrap(), None);
    assert_eq!(cache.health().await.waiting_invalidations, 0);
}

#[tokio::test]
async fn a_dropped_invalidation_still_happens() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    cache.set("k", &1u64).await.unwrap();
    let gate = chaos.hold(Operation::Invalidate);
    let mut events = cache.events();
    let pending = tokio::spawn(std::future::IntoFuture::into_future(cache.invalidate("k")));
    gate.arrived(1).await;
    pending.abort();
    assert!(pending.await.unwrap_err().is_cancelled());
    gate.open();
    while !matches!(events.next().await, Some(cache_core::Event::Replayed { .. })) {}
    assert_eq!(on(&store).await.get::<u64>("k").await.unwrap(), None);
}

#[tokio::test]
async fn damaged_bytes_are_a_miss_that_is_counted() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    on(&store).await.set("k", &1u64).await.unwrap();
    chaos.alter_values(|_, mut bytes| {
        *bytes.last_mut()? ^= 1;
        Some(bytes)
    });
    assert_eq!(cache.get_or_set("k", || ok(2)).await, Ok(2));
    assert!(cache.stats().corrupt > 0);
    chaos.keep_values();
    assert_eq!(on(&store).await.get::<u64>("k").await.unwrap(), Some(2));
}

#[tokio::test]
async fn another_types_value_under_the_key_is_a_miss_that_is_counted() {
    let store = MemoryStore::new();
    on(&store).await.set("k", &"text".to_owned()).await.unwrap();
    let cache = on(&store).await;
    assert_eq!(cache.get_or_set("k", || ok(2)).await, Ok(2));
    assert!(cache.stats().foreign_type > 0);
}

#[tokio::test]
async fn a_value_above_the_limit_is_returned_and_not_stored_in_the_shared_tier() {
    let store = MemoryStore::new();
    let small = Cache::builder().max_value_bytes(8).shared(Arc::new(store.connect())).build();
    let cache = small.await.unwrap();
    let load = || async { Ok::<_, Infallible>("x".repeat(100)) };
    assert_eq!(cache.get_or_set("k", load).await.unwrap().len(), 100);
    assert_eq!(cache.stats().too_large, 1);
    assert_eq!(on(&store).await.get::<String>("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_tag_added_later_reaches_the_entry() {
    for cache in both().await {
        cache.set("k", &1u64).tags(["a"]).await.unwrap();
        assert!(cache.tag("k", ["late"]).await.unwrap());
        assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(1));
        cache.invalidate_tags(["late"]).await.unwrap();
        assert_eq!(cache.get::<u64>("k").await.unwrap(), None);
        assert!(!cache.tag("k", ["late"]).await.unwrap());
    }
}

#[tokio::test]
async fn an_entry_expires_when_its_time_is_over() {
    let (clock, time) = cache_core::Clock::manual();
    let cache = Cache::builder().clock(clock).build().await.unwrap();
    cache.set("k", &1u64).ttl(Duration::from_millis(500)).await.unwrap();
    time.advance(Duration::from_millis(499));
    assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(1));
    time.advance(Duration::from_millis(1));
    assert_eq!(cache.get::<u64>("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_malformed_ttl_is_an_error_that_says_what_to_write() {
    let cache = Cache::memory();
    let error = cache.set("k", &1u64).ttl("5 minutes").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Template);
    assert_eq!(cache.get_or_set("k", || ok(3)).ttl("5 minutes").await, Ok(3));
    assert_eq!(cache.get::<u64>("k").await.unwrap(), None);
}
