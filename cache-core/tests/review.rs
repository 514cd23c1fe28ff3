//! What goes wrong only when things come at the wrong moment: each test is one interleaving.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    convert::Infallible,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use cache_core::{
    __private::{
        Layer, PlainShape, ResultShape, Spec, entry, entry_sync, given, lookup, shared,
        sharing::Probe, write_through, writer,
    },
    Cache, CacheBuilder, Clock, ErrorKind, ManualClock, SharedValue,
};
use cache_store::testing::{ChaosStore, Fault, MemoryStore, Operation};
use tokio::{sync::Notify, task::JoinHandle, time::Instant};

const BOUND: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_secs(5);

fn builder() -> CacheBuilder {
    Cache::builder().coherence_bound(BOUND).flight_wait(WAIT)
}

async fn on(store: &MemoryStore) -> Cache {
    builder().shared(Arc::new(store.connect())).build().await.unwrap()
}

async fn with_clock(store: &MemoryStore) -> (Cache, ManualClock) {
    let (clock, time) = Clock::manual();
    (builder().clock(clock).shared(Arc::new(store.connect())).build().await.unwrap(), time)
}

async fn with_faults(store: &MemoryStore) -> (Cache, Arc<ChaosStore<MemoryStore>>) {
    let chaos = Arc::new(ChaosStore::new(store.connect()));
    (builder().shared(chaos.clone()).build().await.unwrap(), chaos)
}

/// A load that says when it began, and ends when it is told to.
#[derive(Default)]
struct Slow {
    began: Notify,
    end: Notify,
    runs: AtomicUsize,
}

impl Slow {
    async fn load(self: Arc<Self>, value: u64) -> u64 {
        self.runs.fetch_add(1, SeqCst);
        self.began.notify_one();
        self.end.notified().await;
        value
    }
}

/// A call of the function that this specification describes, with the key `k:1`.
async fn call(spec: &'static Spec<u64>, cache: Cache, body: impl Future<Output = u64>) -> u64 {
    match lookup::<PlainShape, u64>(spec, given(&cache), &[&1u64]) {
        Ok(hit) => hit,
        Err(miss) => miss.load::<PlainShape, _, _>(Probe::none(), body).await,
    }
}

fn start(spec: &'static Spec<u64>, cache: &Cache, slow: &Arc<Slow>, value: u64) -> JoinHandle<u64> {
    tokio::spawn(call(spec, cache.clone(), Arc::clone(slow).load(value)))
}

const fn function() -> Spec<u64> {
    Spec::new(shared::<u64>(), "review", "function", &["k:", ""])
}

static PLAIN: Spec<u64> = function();
static TAGGED: Spec<u64> = function().tags(&[&["t"]]);
static LEARNING: Spec<u64> =
    function().learned(&["v:", ""], |value, _, tags| tags.add(&["v:", ""], &[value]));

async fn coalesced(cache: &Cache, callers: u64) {
    while cache.stats().coalesced < callers {
        tokio::task::yield_now().await;
    }
}

/// Waits for what another thread does.
async fn until(what: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(std::time::Instant::now() < deadline, "it never happened");
        tokio::task::yield_now().await;
    }
}

async fn confirmed(cache: &Cache) {
    while cache.health().await.waiting_invalidations > 0 {
        tokio::task::yield_now().await;
    }
}

async fn get(cache: &Cache) -> Option<u64> {
    cache.get::<u64>("k:1").await.unwrap()
}

// What other processes invalidate

async fn invalidate(cache: &Cache, what: &str) {
    match what {
        "tag" => cache.invalidate_tags(["t"]).await.unwrap(),
        "pattern" => cache.invalidate_pattern("k*").await.unwrap(),
        "all" => cache.clear().await.unwrap(),
        _ => cache.invalidate("k:1").await.unwrap(),
    }
}

#[tokio::test]
async fn memory_is_no_more_than_the_bound_behind_an_invalidation_that_came_while_a_load_ran() {
    for what in ["key", "tag", "pattern", "all"] {
        let store = MemoryStore::new();
        let ((here, time), there) = (with_clock(&store).await, on(&store).await);
        let slow = Arc::new(Slow::default());
        let load = start(&TAGGED, &here, &slow, 1);
        slow.began.notified().await;
        invalidate(&there, what).await;
        time.advance(BOUND * 2);
        slow.end.notify_one();
        assert_eq!(load.await.unwrap(), 1);
        assert_eq!(get(&here).await, None, "{what}");
    }
}

#[tokio::test]
async fn memory_is_no_more_than_the_bound_behind_an_invalidation_that_came_while_a_write_ran() {
    for what in ["key", "tag", "pattern", "all"] {
        let store = MemoryStore::new();
        let ((here, time), there) = (with_clock(&store).await, on(&store).await);
        let slow = Arc::new(Slow::default());
        let write = write_through(entry(&TAGGED, given(&here), &[&1u64]));
        let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(1)));
        slow.began.notified().await;
        invalidate(&there, what).await;
        time.advance(BOUND * 2);
        slow.end.notify_one();
        assert_eq!(write.await.unwrap(), 1);
        assert_eq!(get(&here).await, None, "{what}");
    }
}

#[tokio::test]
async fn a_caller_that_comes_later_than_the_bound_is_not_given_a_load_that_was_invalidated_elsewhere()
 {
    let store = MemoryStore::new();
    let ((here, time), there) = (with_clock(&store).await, on(&store).await);
    let slow = Arc::new(Slow::default());
    let load = start(&PLAIN, &here, &slow, 1);
    slow.began.notified().await;
    invalidate(&there, "key").await;
    time.advance(BOUND * 2);
    let late = tokio::spawn(call(&PLAIN, here.clone(), async { 2 }));
    coalesced(&here, 1).await;
    slow.end.notify_one();
    assert_eq!((load.await.unwrap(), late.await.unwrap()), (1, 2));
}

#[tokio::test]
async fn a_caller_that_comes_later_than_the_bound_is_given_a_load_that_is_still_valid() {
    let store = MemoryStore::new();
    let (here, time) = with_clock(&store).await;
    let slow = Arc::new(Slow::default());
    let load = start(&PLAIN, &here, &slow, 1);
    slow.began.notified().await;
    time.advance(BOUND * 2);
    let late = start(&PLAIN, &here, &slow, 2);
    coalesced(&here, 1).await;
    slow.end.notify_one();
    assert_eq!((load.await.unwrap(), late.await.unwrap()), (1, 1));
    assert_eq!(slow.runs.load(SeqCst), 1);
}

#[tokio::test]
async fn a_function_that_asks_for_every_hit_is_not_given_a_load_that_was_invalidated_elsewhere() {
    static STRICT: Spec<u64> = function().layer(Layer::Shared);
    let store = MemoryStore::new();
    let ((here, time), there) = (with_clock(&store).await, on(&store).await);
    let slow = Arc::new(Slow::default());
    let load = start(&STRICT, &here, &slow, 1);
    slow.began.notified().await;
    invalidate(&there, "key").await;
    time.advance(Duration::from_nanos(1));
    let late = tokio::spawn(call(&STRICT, here.clone(), async { 2 }));
    coalesced(&here, 1).await;
    slow.end.notify_one();
    assert_eq!((load.await.unwrap(), late.await.unwrap()), (1, 2));
}

// Who may share a flight, and an entry

#[tokio::test(start_paused = true)]
async fn functions_that_ask_for_different_things_do_not_share_a_flight() {
    static NEWER: Spec<u64> = function().version(2);
    static STRICT: Spec<u64> = function().layer(Layer::Shared);
    static LEASED: Spec<u64> = function().lease(1000, None);
    for other in [&NEWER, &STRICT, &LEASED, &TAGGED] {
        let cache = on(&MemoryStore::new()).await;
        let slow = Arc::new(Slow::default());
        let load = start(&PLAIN, &cache, &slow, 1);
        slow.began.notified().await;
        let own = tokio::time::timeout(WAIT / 5, call(other, cache.clone(), async { 2 }));
        assert_eq!(own.await, Ok(2));
        load.abort();
    }
}

#[tokio::test]
async fn what_a_function_keeps_in_memory_only_is_not_served_to_one_that_uses_the_shared_tier() {
    static ALONE: Spec<u64> = function().layer(Layer::Memory);
    let store = MemoryStore::new();
    let (here, there) = (on(&store).await, on(&store).await);
    assert_eq!(call(&ALONE, here.clone(), async { 1 }).await, 1);
    assert_eq!(call(&ALONE, here.clone(), async { 2 }).await, 1);
    there.set("k:1", &3u64).await.unwrap();
    assert_eq!(call(&PLAIN, here.clone(), async { 4 }).await, 3);
}

#[tokio::test]
async fn what_a_function_without_the_tag_loaded_is_not_served_to_one_with_it() {
    for cache in [builder().build().await.unwrap(), on(&MemoryStore::new()).await] {
        assert_eq!(call(&PLAIN, cache.clone(), async { 1 }).await, 1);
        assert_eq!(call(&TAGGED, cache.clone(), async { 2 }).await, 2);
        cache.invalidate_tags(["t"]).await.unwrap();
        assert_eq!(get(&cache).await, None);
    }
    let store = MemoryStore::new();
    assert_eq!(call(&PLAIN, on(&store).await, async { 1 }).await, 1);
    assert_eq!(call(&TAGGED, on(&store).await, async { 2 }).await, 2);
}

#[tokio::test]
async fn another_types_value_in_memory_is_no_value() {
    let cache = Cache::memory();
    cache.set("k:1", &"text".to_owned()).await.unwrap();
    let entry = entry(&PLAIN, given(&cache), &[&1u64]);
    assert!(!entry.exists().await.unwrap());
    assert_eq!(entry.ttl().await.unwrap(), None);
    assert_eq!(cache.stats().hits_memory, 0);
}

#[tokio::test]
async fn a_caller_that_arrives_after_a_learned_tag_was_invalidated_is_not_given_a_value_that_is_not_kept()
 {
    static PASSING: Spec<u64> = function()
        .learned(&["v:", ""], |value, _, tags| tags.add(&["v:", ""], &[value]))
        .cache_if(|_| false);
    for spec in [&PASSING, &LEARNING] {
        let cache = Cache::memory();
        let slow = Arc::new(Slow::default());
        let load = start(spec, &cache, &slow, 1);
        slow.began.notified().await;
        cache.invalidate_tags(["v:1"]).await.unwrap();
        let late = tokio::spawn(call(spec, cache.clone(), async { 2 }));
        coalesced(&cache, 1).await;
        slow.end.notify_one();
        assert_eq!((load.await.unwrap(), late.await.unwrap()), (1, 2));
    }
}

#[tokio::test]
async fn a_tag_that_was_invalidated_after_the_load_cannot_be_added() {
    let cache = Cache::memory();
    cache.set("k:1", &1u64).await.unwrap();
    cache.invalidate_tags(["late"]).await.unwrap();
    assert!(!cache.tag("k:1", ["late"]).await.unwrap());
    assert_eq!(get(&cache).await, None);
}

#[tokio::test]
async fn a_tag_that_was_added_reaches_a_read_that_was_under_way() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    on(&store).await.set("k:1", &1u64).await.unwrap();
    let gate = chaos.hold_reply(Operation::Read);
    let reader = cache.clone();
    let read = tokio::spawn(async move { get(&reader).await });
    gate.arrived(1).await;
    assert!(cache.tag("k:1", ["late"]).await.unwrap());
    gate.open();
    assert_eq!(read.await.unwrap(), Some(1));
    cache.invalidate_tags(["late"]).await.unwrap();
    assert_eq!(get(&cache).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_arrives_after_an_invalidation_does_not_wait_for_the_old_load() {
    for what in ["key", "tag", "pattern", "all"] {
        for cache in [builder().build().await.unwrap(), on(&MemoryStore::new()).await] {
            let slow = Arc::new(Slow::default());
            let load = start(&TAGGED, &cache, &slow, 1);
            slow.began.notified().await;
            invalidate(&cache, what).await;
            let own = tokio::time::timeout(WAIT / 5, call(&TAGGED, cache.clone(), async { 2 }));
            assert_eq!(own.await, Ok(2), "{what}");
            load.abort();
        }
    }
}

#[tokio::test]
async fn a_load_that_was_invalidated_here_is_not_even_offered_to_the_shared_tier() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let slow = Arc::new(Slow::default());
    let load = start(&PLAIN, &cache, &slow, 1);
    slow.began.notified().await;
    chaos.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Invalidate));
    cache.invalidate("k:1").await.unwrap_err();
    slow.end.notify_one();
    assert_eq!(load.await.unwrap(), 1);
    assert_eq!(chaos.inner().calls().of(Operation::Fill), 0);
}

// Waiting

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_for_two_loads_that_never_end() {
    let cache = builder().build().await.unwrap();
    let stuck = Arc::new(Slow::default());
    let began = Instant::now();
    let leaders: Vec<_> = (0..2).map(|_| start(&PLAIN, &cache, &stuck, 1)).collect();
    stuck.began.notified().await;
    let waiters = (0..5).map(|_| {
        tokio::spawn(call(&PLAIN, cache.clone(), {
            let stuck = Arc::clone(&stuck);
            async move {
                stuck.runs.fetch_add(1, SeqCst);
                std::future::pending::<()>().await;
                2
            }
        }))
    });
    let waiters: Vec<_> = waiters.collect();
    while stuck.runs.load(SeqCst) < 7 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(began.elapsed() <= WAIT * 2 + Duration::from_millis(200), "{:?}", began.elapsed());
    leaders.iter().chain(&waiters).for_each(JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn leaders_that_are_cancelled_one_after_another_do_not_prolong_the_wait() {
    let cache = builder().build().await.unwrap();
    let began = Instant::now();
    let mut leaders = Vec::new();
    for _ in 0..5 {
        let slow = Arc::new(Slow::default());
        leaders.push(start(&PLAIN, &cache, &slow, 1));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let last = tokio::spawn(call(&PLAIN, cache.clone(), async { 2 }));
    for leader in &leaders {
        tokio::time::sleep(WAIT - Duration::from_secs(1)).await;
        leader.abort();
    }
    assert_eq!(last.await.unwrap(), 2);
    assert!(began.elapsed() <= WAIT * 5);
    assert!(cache.stats().coalesced <= 12, "{}", cache.stats().coalesced);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_was_taken_over_is_stored_unless_its_successor_was_there_first() {
    let cache = builder().build().await.unwrap();
    let (first, second) = (Arc::new(Slow::default()), Arc::new(Slow::default()));
    let old = start(&PLAIN, &cache, &first, 1);
    first.began.notified().await;
    let new = start(&PLAIN, &cache, &second, 2);
    second.began.notified().await;
    first.end.notify_one();
    assert_eq!(old.await.unwrap(), 1);
    assert_eq!(get(&cache).await, Some(1), "else a slow function is never cached while it is busy");
    second.end.notify_one();
    assert_eq!(new.await.unwrap(), 2);
}

#[test]
fn a_caller_outside_tokio_waits_for_another_ones_load() {
    let cache = Cache::memory();
    let slow = Arc::new(Slow::default());
    let mut leader = Box::pin(call(&PLAIN, cache.clone(), slow.clone().load(1)));
    let mut waiter = Box::pin(call(&PLAIN, cache.clone(), async { 2 }));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(leader.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(waiter.as_mut().poll(&mut context), Poll::Pending);
    slow.end.notify_one();
    assert_eq!(leader.as_mut().poll(&mut context), Poll::Ready(1));
    assert_eq!(waiter.as_mut().poll(&mut context), Poll::Ready(1));
}

// Futures that are dropped half-way

static LEASED: Spec<u64> = function().lease(60_000, None);

#[tokio::test]
async fn a_lease_is_given_back_however_its_load_ends_without_storing() {
    for how in ["fill fails", "dropped while it fills", "dropped while it loads"] {
        let store = MemoryStore::new();
        let (cache, chaos) = with_faults(&store).await;
        let slow = Arc::new(Slow::default());
        let gate = chaos.hold(Operation::Fill);
        let load = start(&LEASED, &cache, &slow, 1);
        slow.began.notified().await;
        match how {
            "fill fails" => {
                chaos.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Fill));
                slow.end.notify_one();
                gate.open();
                assert_eq!(load.await.unwrap(), 1);
            }
            "dropped while it fills" => {
                slow.end.notify_one();
                gate.arrived(1).await;
                load.abort();
            }
            _ => load.abort(),
        }
        until(|| chaos.inner().calls().of(Operation::Release) == 1).await;
    }
}

#[tokio::test]
async fn a_lease_is_given_back_when_a_learned_tag_was_invalidated() {
    static SPEC: Spec<u64> = function()
        .lease(60_000, None)
        .learned(&["v:", ""], |value, _, tags| tags.add(&["v:", ""], &[value]));
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let slow = Arc::new(Slow::default());
    let load = start(&SPEC, &cache, &slow, 1);
    slow.began.notified().await;
    on(&store).await.invalidate_tags(["v:1"]).await.unwrap();
    slow.end.notify_one();
    assert_eq!(load.await.unwrap(), 1);
    until(|| chaos.inner().calls().of(Operation::Release) == 1).await;
    assert_eq!(get(&cache).await, None);
}

#[tokio::test]
async fn a_leader_that_is_dropped_while_it_stores_hands_its_value_to_those_who_wait() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let slow = Arc::new(Slow::default());
    let gate = chaos.hold(Operation::Fill);
    let leader = start(&PLAIN, &cache, &slow, 1);
    slow.began.notified().await;
    let waiter = start(&PLAIN, &cache, &slow, 2);
    coalesced(&cache, 1).await;
    slow.end.notify_one();
    gate.arrived(1).await;
    leader.abort();
    assert_eq!(waiter.await.unwrap(), 1);
    assert_eq!(slow.runs.load(SeqCst), 1);
}

type Failing = Result<u64, Infallible>;

#[tokio::test]
async fn a_writer_that_is_dropped_once_its_body_began_invalidates_what_it_would_have() {
    for how in ["in the body", "while it stores", "while it invalidates"] {
        let store = MemoryStore::new();
        let (cache, chaos) = with_faults(&store).await;
        cache.set("k:1", &1u64).await.unwrap();
        cache.set("list", &1u64).await.unwrap();
        let slow = Arc::new(Slow::default());
        let step = if how == "while it stores" { Operation::Finish } else { Operation::Invalidate };
        let gate = chaos.hold(step);
        let write = write_through(entry(&PLAIN, given(&cache), &[&1u64])).key(&["list"], &[]);
        let body = slow.clone().load(2);
        let write = tokio::spawn(write.run::<ResultShape, Failing, _>(async { Ok(body.await) }));
        slow.began.notified().await;
        if how != "in the body" {
            slow.end.notify_one();
            gate.arrived(1).await;
        }
        write.abort();
        assert!(write.await.unwrap_err().is_cancelled());
        assert_eq!(cache.get::<u64>("list").await.unwrap(), None, "{how}: here at once");
        gate.open();
        confirmed(&cache).await;
        assert_eq!(on(&store).await.get::<u64>("list").await.unwrap(), None, "{how}");
    }
}

#[tokio::test]
async fn an_entry_that_only_the_value_tells_is_invalidated_when_its_writer_is_dropped() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    cache.set("k:1", &1u64).await.unwrap();
    let gate = chaos.hold(Operation::Begin);
    let (inner, write) = (cache.clone(), writer::<u64>(given(&cache)));
    let write = write.after(move |value, after| {
        after.entry(entry(&PLAIN, given(&inner), &[value]));
    });
    let write = tokio::spawn(write.run::<PlainShape, _, _>(async { 1 }));
    gate.arrived(1).await;
    write.abort();
    assert!(write.await.unwrap_err().is_cancelled());
    gate.open();
    confirmed(&cache).await;
    assert_eq!(on(&store).await.get::<u64>("k:1").await.unwrap(), None);
}

#[tokio::test]
async fn a_writer_whose_body_fails_invalidates_nothing_but_its_entry() {
    let cache = Cache::memory();
    cache.set("k:1", &1u64).await.unwrap();
    cache.set("list", &1u64).await.unwrap();
    let write = write_through(entry(&PLAIN, given(&cache), &[&1u64])).key(&["list"], &[]);
    let failed = write.run::<ResultShape, Result<u64, &str>, _>(async { Err("no") });
    assert_eq!(failed.await, Err("no"));
    assert_eq!(get(&cache).await, None);
    assert_eq!(cache.get::<u64>("list").await.unwrap(), Some(1));
}

#[test]
fn a_sync_writer_whose_body_panics_invalidates_what_it_would_have() {
    let cache = Cache::memory();
    let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    rt.block_on(async { cache.set("list", &1u64).await.unwrap() });
    let write = writer::<u64>(given(&cache)).key(&["list"], &[]);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        write.run_sync::<PlainShape, u64>(|| std::panic::panic_any("on purpose"))
    }));
    assert!(panicked.is_err());
    assert_eq!(rt.block_on(cache.get::<u64>("list")).unwrap(), None);
}

// Writers

#[tokio::test]
async fn a_writer_that_is_dropped_leaves_nothing_that_was_loaded_meanwhile() {
    for cache in [builder().build().await.unwrap(), on(&MemoryStore::new()).await] {
        assert_eq!(call(&PLAIN, cache.clone(), async { 1 }).await, 1);
        let slow = Arc::new(Slow::default());
        let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
        let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(3)));
        slow.began.notified().await;
        assert_eq!(call(&PLAIN, cache.clone(), async { 2 }).await, 2, "the old entry is gone");
        write.abort();
        assert!(write.await.unwrap_err().is_cancelled());
        assert_eq!(get(&cache).await, None);
    }
}

#[tokio::test]
async fn a_dropped_writer_tells_readers_that_they_may_store_again() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let slow = Arc::new(Slow::default());
    let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
    let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(3)));
    slow.began.notified().await;
    write.abort();
    until(|| chaos.inner().calls().of(Operation::Finish) == 1).await;
    assert_eq!(call(&PLAIN, on(&store).await, async { 2 }).await, 2);
    assert_eq!(get(&on(&store).await).await, Some(2));
}

#[tokio::test]
async fn nothing_that_is_loaded_while_another_process_writes_is_kept() {
    let store = MemoryStore::new();
    let (here, there) = (on(&store).await, on(&store).await);
    let slow = Arc::new(Slow::default());
    let write = write_through(entry(&PLAIN, given(&there), &[&1u64]));
    let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(9)));
    slow.began.notified().await;
    assert_eq!(call(&PLAIN, here.clone(), async { 1 }).await, 1);
    assert_eq!(call(&PLAIN, here.clone(), async { 2 }).await, 2);
    slow.end.notify_one();
    assert_eq!(write.await.unwrap(), 9);
    assert_eq!(call(&PLAIN, here, async { 3 }).await, 9);
}

#[tokio::test]
async fn a_write_that_was_refused_leaves_nothing_that_was_loaded_meanwhile() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let slow = Arc::new(Slow::default());
    let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
    let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(2)));
    slow.began.notified().await;
    chaos.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Read).times(1));
    assert_eq!(call(&PLAIN, cache.clone(), async { 1 }).await, 1);
    assert_eq!(get(&cache).await, Some(1), "kept in memory without asking");
    on(&store).await.invalidate("k:1").await.unwrap();
    slow.end.notify_one();
    assert_eq!(write.await.unwrap(), 2);
    assert_eq!(get(&cache).await, None);
}

#[tokio::test]
async fn a_write_that_another_one_overtook_leaves_nothing() {
    for cache in [builder().build().await.unwrap(), on(&MemoryStore::new()).await] {
        let slow = Arc::new(Slow::default());
        let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
        let early = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(1)));
        slow.began.notified().await;
        let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
        assert_eq!(write.run::<PlainShape, _, _>(async { 2 }).await, 2);
        slow.end.notify_one();
        assert_eq!(early.await.unwrap(), 1);
        assert_eq!(get(&cache).await, None, "which of them was the last, nobody knows");
    }
}

#[tokio::test]
async fn a_written_value_whose_learned_tag_was_invalidated_meanwhile_is_not_stored() {
    let store = MemoryStore::new();
    let (here, there) = (on(&store).await, on(&store).await);
    for process in [&here, &there] {
        let slow = Arc::new(Slow::default());
        let write = write_through(entry(&LEARNING, given(&here), &[&1u64]));
        let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(1)));
        slow.began.notified().await;
        process.invalidate_tags(["v:1"]).await.unwrap();
        slow.end.notify_one();
        assert_eq!(write.await.unwrap(), 1);
        assert_eq!(get(&here).await, None);
        assert_eq!(get(&on(&store).await).await, None);
    }
}

#[tokio::test]
async fn a_write_whose_announcement_or_end_is_lost_invalidates_its_entry() {
    for step in [Operation::Begin, Operation::Finish] {
        for fault in [Fault::fail(ErrorKind::Timeout), Fault::lose_reply(ErrorKind::Timeout)] {
            let store = MemoryStore::new();
            let (cache, chaos) = with_faults(&store).await;
            on(&store).await.set("k:1", &1u64).await.unwrap();
            chaos.inject(fault.on(step).times(1));
            let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
            assert_eq!(write.run::<PlainShape, _, _>(async { 2 }).await, 2);
            assert_eq!(get(&cache).await, None, "{step:?}: here at once");
            confirmed(&cache).await;
            assert_eq!(get(&on(&store).await).await, None, "{step:?}");
        }
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_encoded_is_said_at_once() {
    let store = Arc::new(MemoryStore::new());
    let small = builder().max_value_bytes(8).shared(store.clone()).build().await.unwrap();
    let error = small.set("k", &"x".repeat(100)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(store.calls().round_trips(), 2);
}

#[tokio::test]
async fn a_writer_invalidates_its_entry_though_caching_is_switched_off_in_its_process() {
    let store = MemoryStore::new();
    let there = on(&store).await;
    let off = builder().enabled(false).shared(Arc::new(store.connect())).build().await.unwrap();
    for by_value in [false, true] {
        there.set("k:1", &1u64).await.unwrap();
        if by_value {
            let inner = off.clone();
            let write = writer::<u64>(given(&off)).after(move |value, after| {
                after.entry(entry(&PLAIN, given(&inner), &[value]));
            });
            assert_eq!(write.run::<PlainShape, _, _>(async { 1 }).await, 1);
        } else {
            let write = write_through(entry(&PLAIN, given(&off), &[&1u64]));
            assert_eq!(write.run::<PlainShape, _, _>(async { 2 }).await, 2);
        }
        assert_eq!(get(&on(&store).await).await, None, "{by_value}");
    }
}

#[tokio::test]
async fn a_writer_invalidates_a_key_that_is_too_long_to_stand_whole() {
    let store = MemoryStore::new();
    let (here, there) = (on(&store).await, on(&store).await);
    let name = "x".repeat(300);
    let key = format!("user:{name}");
    there.set(&key, &1u64).await.unwrap();
    let write = writer::<u64>(given(&here)).key(&["user:", ""], &[&name]);
    write.run::<PlainShape, _, _>(async { 1 }).await;
    assert_eq!(on(&store).await.get::<u64>(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_written_value_whose_life_is_zero_is_not_stored() {
    static ZERO: Spec<u64> = function().ttl_fn(|_| Duration::ZERO);
    let store = Arc::new(MemoryStore::new());
    let cache = builder().shared(store.clone()).build().await.unwrap();
    let write = write_through(entry(&ZERO, given(&cache), &[&1u64]));
    write.run::<PlainShape, _, _>(async { 1 }).await;
    assert_eq!(get(&cache).await, None);
    assert_eq!(cache.stats().fills, 0);
}

// Invalidations that the shared tier has not confirmed

#[tokio::test]
async fn an_invalidation_that_fails_while_its_like_is_repeated_is_repeated_too() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let there = on(&store).await;
    let fail = || Fault::fail(ErrorKind::Timeout).on(Operation::Invalidate).times(1);
    let gate = chaos.hold_reply(Operation::Invalidate);
    chaos.inject(fail());
    cache.invalidate("k:1").await.unwrap_err();
    gate.arrived(1).await;
    there.set("k:1", &1u64).await.unwrap();
    chaos.inject(fail());
    cache.invalidate("k:1").await.unwrap_err();
    gate.open();
    confirmed(&cache).await;
    assert_eq!(get(&on(&store).await).await, None);
}

#[tokio::test]
async fn an_invalidation_that_is_not_confirmed_holds_in_this_process() {
    for what in ["key", "tag", "learned tag", "pattern", "all"] {
        let store = MemoryStore::new();
        let (cache, chaos) = with_faults(&store).await;
        let there = on(&store).await;
        let spec = if what == "learned tag" { &LEARNING } else { &TAGGED };
        assert_eq!(call(spec, there, async { 1 }).await, 1);
        chaos.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Invalidate));
        let invalidate = match what {
            "key" => cache.invalidate("k:1"),
            "tag" => cache.invalidate_tags(["t"]),
            "learned tag" => cache.invalidate_tags(["v:1"]),
            "pattern" => cache.invalidate_pattern("k*"),
            _ => cache.clear(),
        };
        invalidate.await.unwrap_err();
        assert_eq!(get(&cache).await, None, "{what}");
        assert_eq!(call(spec, cache.clone(), async { 2 }).await, 2, "{what}");
        assert_eq!(call(spec, cache.clone(), async { 3 }).await, 2, "{what}: kept in memory");
    }
}

#[tokio::test]
async fn an_invalidation_that_is_confirmed_while_a_read_is_under_way_holds_for_it() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    on(&store).await.set("k:1", &1u64).await.unwrap();
    let repeated = chaos.hold(Operation::Invalidate);
    let pending = tokio::spawn(std::future::IntoFuture::into_future(cache.invalidate("k:1")));
    repeated.arrived(1).await;
    pending.abort();
    assert!(pending.await.unwrap_err().is_cancelled());
    let answer = chaos.hold_reply(Operation::Read);
    let reader = cache.clone();
    let read = tokio::spawn(async move { get(&reader).await });
    answer.arrived(1).await;
    repeated.open();
    confirmed(&cache).await;
    answer.open();
    assert_eq!(read.await.unwrap(), None);
    assert_eq!(get(&cache).await, None);
}

// Numbers at their limits

#[tokio::test]
async fn a_life_that_is_nearly_endless_is_no_panic_with_jitter() {
    static JITTERED: Spec<u64> = function().jitter(f32::MIN_POSITIVE);
    let cache = on(&MemoryStore::new()).await;
    let miss = lookup::<PlainShape, u64>(&JITTERED, given(&cache), &[&1u64]).unwrap_err();
    let miss = miss.ttl(Duration::from_secs(u64::MAX));
    assert_eq!(miss.load::<PlainShape, _, _>(Probe::none(), async { 1 }).await, 1);
    assert_eq!(get(&cache).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn an_entry_with_tags_lives_as_long_as_the_call_says() {
    let store = MemoryStore::new();
    let cache = on(&store).await;
    let load = || async { Ok::<_, Infallible>(1u64) };
    cache.get_or_set("loaded", load).tags(["a"]).ttl("30d").await.unwrap();
    cache.set("set", &1u64).tags(["b"]).ttl("30d").await.unwrap();
    tokio::time::advance(Duration::from_secs(29 * 24 * 3600)).await;
    let other = on(&store).await;
    assert_eq!(other.get::<u64>("loaded").await.unwrap(), Some(1));
    assert_eq!(other.get::<u64>("set").await.unwrap(), Some(1));
}

// Values with a will of their own

/// Its copies invalidate keys when they are dropped.
#[derive(Clone)]
struct Busy(Cache, Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.1.fetch_add(1, SeqCst);
        let mut context = Context::from_waker(Waker::noop());
        for key in 0..256 {
            let invalidate =
                std::future::IntoFuture::into_future(self.0.invalidate(&format!("x{key}")));
            assert!(std::pin::pin!(invalidate).poll(&mut context).is_ready());
        }
    }
}

#[test]
fn a_value_may_use_the_cache_while_it_is_dropped() {
    static BUSY: Spec<Busy> =
        Spec::new(cache_core::__private::memory::<Busy>(), "review", "busy", &["b:", ""]);
    let (done, finished) = std::sync::mpsc::channel();
    let (clock, time) = Clock::manual();
    std::thread::spawn(move || {
        let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let cache = rt.block_on(Cache::builder().max_entries(4).clock(clock).build()).unwrap();
        let other = Cache::memory();
        let drops = Arc::new(AtomicUsize::new(0));
        for n in 0..2_000u64 {
            // Values that use the cache they are kept in, and values that use another one.
            let within = if n % 2 == 0 { cache.clone() } else { other.clone() };
            let busy = Busy(within, Arc::clone(&drops));
            entry_sync(&BUSY, given(&cache), &[&n]).set(busy).unwrap();
            time.advance(Duration::from_millis(1));
        }
        done.send(drops.load(SeqCst)).unwrap();
    });
    let drops = finished.recv_timeout(Duration::from_secs(60)).expect("it hangs");
    assert!(drops > 2_000, "evicted values were dropped: {drops}");
}

/// Its encoding, or its decoding, panics.
#[derive(Clone, Debug, PartialEq)]
struct Rude(bool);

impl serde::Serialize for Rude {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!self.0, "on purpose");
        serializer.serialize_bool(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Rude {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        std::panic::panic_any("on purpose")
    }
}

#[tokio::test]
async fn a_codec_that_panics_is_not_the_callers_problem() {
    fn is_shared<T: SharedValue>() {}
    is_shared::<Rude>();
    let store = MemoryStore::new();
    for rude in [true, false] {
        let load = || async move { Ok::<_, Infallible>(Rude(rude)) };
        let cache = on(&store).await;
        assert_eq!(cache.get_or_set("rude", load).await.unwrap(), Rude(rude));
        let cache = on(&store).await;
        assert_eq!(cache.get_or_set("rude", load).await.unwrap(), Rude(rude));
        assert!(cache.stats().codec_errors > 0);
    }
}
