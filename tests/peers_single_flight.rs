//! Mistakes of other caches with single flight: here each of them is a sentence that holds.
#![allow(clippy::unwrap_used)]
// A task that was spawned in a scope is handed out of it.
#![allow(clippy::async_yields_async)]

#[path = "common/loads.rs"]
mod loads;
#[macro_use]
#[path = "common/places.rs"]
mod places;
#[path = "../cache-redis/tests/common/server.rs"]
mod server;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use cache_store::testing::{ChaosStore, MemoryStore, Operation};
use larder::{Cache, cache_aside, memoize, stampede_protect};
use loads::{Held, in_time, on, waiting};
use places::Place;
use server::wait_until;
use tokio::{sync::Barrier, task::JoinHandle};

in_process!(
    a_cancelled_leader_leaves_no_waiter_hanging,
    a_cancelled_waiter_cancels_nobody_else,
    a_failing_load_runs_once_for_all_who_wait,
    a_failing_load_whose_error_is_not_shared_does_not_run_one_waiter_after_another,
    fifty_callers_of_a_cold_key_run_it_once,
);

on_redis!(
    a_cancelled_leader_leaves_no_waiter_hanging,
    a_cancelled_waiter_cancels_nobody_else,
    a_failing_load_runs_once_for_all_who_wait,
    a_failing_load_whose_error_is_not_shared_does_not_run_one_waiter_after_another,
    fifty_callers_of_a_cold_key_run_it_once,
    a_leader_looks_into_the_shared_tier_before_it_loads,
    fifty_callers_in_five_processes_run_a_protected_function_once,
    a_load_whose_lock_was_deleted_and_acquired_again_stores_nothing,
    a_key_deleted_and_loaded_again_in_one_process_keeps_the_second_value,
    a_body_that_outlives_its_lock_keeps_it,
    a_lock_left_by_a_killed_process_ends,
);

#[cache_aside(key = "row:{id}", skip(held, found))]
async fn row(held: &Held, id: u64, found: u64) -> u64 {
    held.run(found).await
}

/// A call in a task of its own, in the scope's cache.
fn call(held: &Arc<Held>, found: u64) -> JoinHandle<u64> {
    let held = Arc::clone(held);
    larder::spawn(async move { row(&held, 1, found).await })
}

// Guard: cache-core/src/flight/leader.rs, `Drop` of a leader that has not landed.
async fn a_cancelled_leader_leaves_no_waiter_hanging(place: Place) {
    let cache = place.cache().await;
    larder::scoped(cache.clone(), async {
        let held = Held::new();
        let leader = call(&held, 1);
        held.began().await;
        let waiters: Vec<_> = (0..10).map(|_| call(&held, 2)).collect();
        waiting(&cache, 10).await;
        leader.abort();
        held.began().await;
        held.end();
        for waiter in waiters {
            assert_eq!(in_time("a waiter is answered", waiter).await.unwrap(), 2);
        }
        assert_eq!(held.runs(), 2);
    })
    .await;
}

// Guard: cache-core/src/flight/state.rs, a waiter that leaves takes back its own waker and nobody else's.
async fn a_cancelled_waiter_cancels_nobody_else(place: Place) {
    let cache = place.cache().await;
    larder::scoped(cache.clone(), async {
        let held = Held::new();
        let leader = call(&held, 1);
        held.began().await;
        let waiters: Vec<_> = (0..5).map(|_| call(&held, 2)).collect();
        waiting(&cache, 5).await;
        waiters[2].abort();
        let mut waiters = waiters;
        assert!(waiters.remove(2).await.unwrap_err().is_cancelled());
        held.end();
        assert_eq!(in_time("the leader ends", leader).await.unwrap(), 1);
        for waiter in waiters {
            assert_eq!(in_time("a waiter is answered", waiter).await.unwrap(), 1);
        }
        assert_eq!(held.runs(), 1);
    })
    .await;
}

#[cache_aside(key = "failing:{id}", skip(held))]
async fn failing(held: &Held, id: u64) -> Result<u64, String> {
    held.run(Err("no database".to_owned())).await
}

#[cache_aside(key = "failing-alone:{id}", skip(held, others), share_errors = false)]
async fn failing_alone(held: &Held, others: &Barrier, id: u64) -> Result<u64, String> {
    if held.runs() == 0 {
        return held.run(Err("no database".to_owned())).await;
    }
    // Passes only when all that waited run at the same time.
    others.wait().await;
    held.end();
    held.run(Err("no database".to_owned())).await
}

// Guard: cache-core/src/engine/call.rs, `landed` hands the leader's error to those who waited.
async fn a_failing_load_runs_once_for_all_who_wait(place: Place) {
    let cache = place.cache().await;
    larder::scoped(cache.clone(), async {
        let held = Held::new();
        let call = || {
            let held = Arc::clone(&held);
            larder::spawn(async move { failing(&held, 1).await })
        };
        let leader = call();
        held.began().await;
        let waiters: Vec<_> = (0..5).map(|_| call()).collect();
        waiting(&cache, 5).await;
        held.end();
        assert!(leader.await.unwrap().is_err());
        for waiter in waiters {
            let answer = in_time("a waiter is answered", waiter).await.unwrap();
            assert_eq!(answer, Err("no database".to_owned()));
        }
        assert_eq!(held.runs(), 1);
    })
    .await;
}

// Guard: cache-core/src/engine/call.rs, `landed` lets everybody run when the error cannot be shared.
async fn a_failing_load_whose_error_is_not_shared_does_not_run_one_waiter_after_another(
    place: Place,
) {
    let cache = place.cache().await;
    larder::scoped(cache.clone(), async {
        let (held, others) = (Held::new(), Arc::new(Barrier::new(5)));
        let call = || {
            let (held, others) = (Arc::clone(&held), Arc::clone(&others));
            larder::spawn(async move { failing_alone(&held, &others, 1).await })
        };
        let leader = call();
        held.began().await;
        let waiters: Vec<_> = (0..5).map(|_| call()).collect();
        waiting(&cache, 5).await;
        held.end();
        assert!(leader.await.unwrap().is_err());
        for waiter in waiters {
            assert!(in_time("the waiters run together", waiter).await.unwrap().is_err());
        }
        assert_eq!(held.runs(), 6);
    })
    .await;
}

static DOUBLED: AtomicUsize = AtomicUsize::new(0);
static FILLED: AtomicBool = AtomicBool::new(false);

/// The ttl is computed between the look into memory and the flight: there another caller fills the entry.
#[memoize(key = "doubled:{n}", ttl = filled_meanwhile(n))]
fn doubled(n: u64) -> u64 {
    DOUBLED.fetch_add(1, SeqCst);
    n * 2
}

fn filled_meanwhile(n: u64) -> Duration {
    if !FILLED.swap(true, SeqCst) {
        assert_eq!(doubled(n), n * 2);
    }
    Duration::from_secs(60)
}

// Guard: cache-core/src/engine/lead.rs, `filled_meanwhile`.
#[test]
fn a_leader_looks_into_memory_once_more_before_it_loads() {
    larder::scoped_sync(Cache::memory(), || assert_eq!(doubled(4), 8));
    assert_eq!(DOUBLED.load(SeqCst), 1);
}

// Guard: cache-core/src/engine/lead.rs, `ask_until` reads the shared tier, and takes what its claim finds.
#[tokio::test]
async fn a_leader_looks_into_a_shared_tier_of_this_process_before_it_loads() {
    a_leader_looks_into_the_shared_tier_before_it_loads(Place::shared()).await;
}

async fn a_leader_looks_into_the_shared_tier_before_it_loads(place: Place) {
    let held = Held::open();
    larder::scoped(place.cache().await, async { row(&held, 1, 1).await }).await;
    let value = larder::scoped(place.cache().await, async { row(&held, 1, 2).await });
    assert_eq!(in_time("no body runs", value).await, 1);
    assert_eq!(held.runs(), 1);
}

// Guard: cache-core/src/engine/lead.rs, what a claim found is taken.
#[tokio::test]
async fn a_value_that_another_process_stored_after_the_look_is_taken_all_the_same() {
    let store = MemoryStore::new();
    let chaos = Arc::new(ChaosStore::new(store.connect()));
    let here = Cache::builder().shared(chaos.clone()).build().await.unwrap();
    let there = on(&store).await;
    let held = Held::new();
    let gate = chaos.hold(Operation::Claim);
    let late = larder::scoped_sync(here, || call(&held, 2));
    in_time("it has looked", gate.arrived(1)).await;
    held.end();
    larder::scoped(there, async { assert_eq!(row(&held, 1, 1).await, 1) }).await;
    gate.open();
    assert_eq!(in_time("no body runs", late).await.unwrap(), 1);
    assert_eq!(held.runs(), 1);
}

// Guard: cache-core/src/flight/mod.rs, `enter` waits for the flight that is up.
async fn fifty_callers_of_a_cold_key_run_it_once(place: Place) {
    let cache = place.cache().await;
    larder::scoped(cache.clone(), async {
        let held = Held::new();
        let callers: Vec<_> = (0..50).map(|_| call(&held, 3)).collect();
        held.began().await;
        waiting(&cache, 49).await;
        held.end();
        for caller in callers {
            assert_eq!(in_time("a caller is answered", caller).await.unwrap(), 3);
        }
        assert_eq!(held.runs(), 1);
    })
    .await;
}

/// Whoever waits for a lock does so for longer than any test.
#[stampede_protect(key = "report:{id}", lock_ttl = "60s", skip(held, found))]
async fn report(held: &Held, id: u64, found: u64) -> u64 {
    held.run(found).await
}

/// The lock ends soon.
#[stampede_protect(key = "brief:{id}", lock_ttl = "1500ms", lock_wait = "60s", skip(held, found))]
async fn brief(held: &Held, id: u64, found: u64) -> u64 {
    held.run(found).await
}

const LEASE: &str = "l:{cache:k:report:1}";
const BRIEF_LEASE: &str = "l:{cache:k:brief:1}";

fn protected(cache: &Cache, held: &Arc<Held>, found: u64) -> JoinHandle<u64> {
    let held = Arc::clone(held);
    larder::scoped_sync(cache.clone(), || {
        larder::spawn(async move { report(&held, 1, found).await })
    })
}

fn protected_briefly(cache: &Cache, held: &Arc<Held>, found: u64) -> JoinHandle<u64> {
    let held = Arc::clone(held);
    larder::scoped_sync(cache.clone(), || {
        larder::spawn(async move { brief(&held, 1, found).await })
    })
}

async fn stored(cache: &Cache) -> Option<u64> {
    larder::scoped(cache.clone(), async { report_entry(1).get().await.unwrap() }).await
}

// Guard: cache-redis/src/scripts/read.lua, one process gets the lease and the others are told to wait.
async fn fifty_callers_in_five_processes_run_a_protected_function_once(place: Place) {
    let held = Held::new();
    let mut callers = Vec::new();
    for _ in 0..5 {
        let cache = place.cache().await;
        for _ in 0..10 {
            callers.push(protected(&cache, &held, 3));
        }
        waiting(&cache, 9).await;
    }
    held.began().await;
    held.end();
    for caller in callers {
        assert_eq!(in_time("a caller is answered", caller).await.unwrap(), 3);
    }
    assert_eq!(held.runs(), 1);
}

// Guard: cache-core/src/engine/lead.rs, each lease has a token of its own.
async fn a_load_whose_lock_was_deleted_and_acquired_again_stores_nothing(place: Place) {
    let (stalled, successor) = (place.cache().await, place.cache().await);
    let (old, new) = (Held::new(), Held::new());
    let first = protected(&stalled, &old, 1);
    old.began().await;
    assert_eq!(place.ask(&["DEL", LEASE]), "1");
    let second = protected(&successor, &new, 2);
    new.began().await;
    old.end();
    assert_eq!(first.await.unwrap(), 1, "its own caller gets what it loaded");
    assert_eq!(stored(&successor).await, None);
    assert_eq!(place.ask(&["EXISTS", LEASE]), "1", "the successor still holds its lock");
    new.end();
    assert_eq!(second.await.unwrap(), 2);
    assert_eq!(stored(&successor).await, Some(2));
}

// Guard: cache-core/src/engine/call.rs, `is_joinable`; and cache-redis/src/scripts/read.lua, a lease names its nonce.
async fn a_key_deleted_and_loaded_again_in_one_process_keeps_the_second_value(place: Place) {
    let cache = place.cache().await;
    let (old, new) = (Held::new(), Held::new());
    let first = protected(&cache, &old, 1);
    old.began().await;
    larder::scoped(cache.clone(), async { report_entry(1).invalidate().await.unwrap() }).await;
    let second = protected(&cache, &new, 2);
    new.began().await;
    new.end();
    assert_eq!(second.await.unwrap(), 2);
    old.end();
    assert_eq!(first.await.unwrap(), 1);
    assert_eq!(stored(&cache).await, Some(2));
    assert_eq!(stored(&place.cache().await).await, Some(2));
}

// Guard: cache-core/src/engine/fill.rs, `keep_lease` renews while the body runs.
async fn a_body_that_outlives_its_lock_keeps_it(place: Place) {
    let (here, there) = (place.cache().await, place.cache().await);
    let (holder, other) = (Held::new(), Held::new());
    let first = protected_briefly(&here, &holder, 1);
    holder.began().await;
    let second = protected_briefly(&there, &other, 2);
    // A renewal comes at each third of the lock's life: four of them, and it would be over.
    let (mut renewals, mut before) = (0, 1500);
    wait_until("the lock was renewed four times", || {
        let left: i64 = place.ask(&["PTTL", BRIEF_LEASE]).parse().unwrap();
        assert!(left > 0, "the lock ended after {renewals} renewals");
        renewals += u32::from(left > before);
        before = left;
        renewals == 4
    });
    assert_eq!(other.runs(), 0);
    holder.end();
    assert_eq!(first.await.unwrap(), 1);
    assert_eq!(in_time("the other one is answered", second).await.unwrap(), 1);
    assert_eq!(other.runs(), 0);
}

// Guard: cache-redis/src/scripts/read.lua, a lease is written with its life.
async fn a_lock_left_by_a_killed_process_ends(place: Place) {
    place.tell_all(&["ACL", "SETUSER", "doomed", "on", ">x", "~*", "&*", "+@all"], "OK");
    let killed = place.builder().redis(place.url_of("doomed")).build().await.unwrap();
    let (dead, alive) = (Held::new(), Held::new());
    let lost = protected_briefly(&killed, &dead, 1);
    dead.began().await;
    // To the server this is a process that is gone: it neither renews nor gives back.
    place.tell_all(&["ACL", "DELUSER", "doomed"], "1");
    assert_eq!(place.ask(&["EXISTS", BRIEF_LEASE]), "1");
    let next = protected_briefly(&place.cache().await, &alive, 2);
    alive.began().await;
    alive.end();
    assert_eq!(in_time("the lock ends", next).await.unwrap(), 2);
    lost.abort();
}
