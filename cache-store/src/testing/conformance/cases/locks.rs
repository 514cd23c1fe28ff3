//! Locks. A store without them passes.

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{super::steps::*, AnyStore};
use crate::{ErrorKind, Invalidation, Lease, Locked, Store};

/// Tries to take a lock; `None` from a store that has none.
async fn attempt(store: &dyn Store, name: &str, lease: Lease) -> Option<Locked> {
    match store.acquire_lock(name, lease).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => None,
        tried => Some(given(tried)),
    }
}

/// Takes a lock that has to be free.
async fn acquire(store: &dyn Store, name: &str, lease: Lease) -> Option<u64> {
    match attempt(store, name, lease).await? {
        Locked::Acquired(fencing) => Some(fencing),
        held => panic!("expected a free lock, got {held:?}"),
    }
}

/// Takes a lock whose last holder's time has to pass first.
async fn acquire_eventually(store: &dyn Store, name: &str, lease: Lease) -> u64 {
    eventually("a lock that is free", async || match given(store.acquire_lock(name, lease).await) {
        Locked::Acquired(fencing) => Some(fencing),
        Locked::Held(_) => None,
    })
    .await
}

async fn is_held(store: &dyn Store, name: &str) -> bool {
    let mine = lease(SHORT);
    match given(store.acquire_lock(name, mine).await) {
        Locked::Held(left) => {
            assert!(!left.is_zero() && left <= LONG, "{left:?}");
            true
        }
        Locked::Acquired(_) => {
            assert!(given(store.release_lock(name, mine.token).await));
            false
        }
    }
}

pub async fn a_lock_that_another_holds_is_held_for_both(one: AnyStore, other: AnyStore) {
    let mine = lease(LONG);
    let Some(_) = acquire(&*one, "lock", mine).await else { return };
    assert!(is_held(&*other, "lock").await);
    assert!(is_held(&*one, "lock").await);
    assert!(!is_held(&*other, "another").await);
}

pub async fn of_many_who_try_at_once_one_gets_the_lock(store: AnyStore) {
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let store = store.clone();
        tasks.spawn(async move { attempt(&*store, "lock", lease(LONG)).await });
    }
    let tried: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let got = tried.iter().filter(|tried| matches!(tried, Locked::Acquired(_))).count();
    assert!(tried.is_empty() || got == 1, "{tried:?}");
}

pub async fn each_acquisition_has_a_greater_fencing_token(one: AnyStore, other: AnyStore) {
    let mut last = 0;
    for round in 0..20 {
        let (store, mine) = (if round % 2 == 0 { &one } else { &other }, lease(LONG));
        let Some(fencing) = acquire(&**store, "lock", mine).await else { return };
        assert!(fencing > last, "{fencing} after {last}");
        last = fencing;
        assert!(given(store.release_lock("lock", mine.token).await));
    }
}

pub async fn a_lock_that_expired_is_followed_by_a_greater_fencing_token(store: AnyStore) {
    let Some(first) = acquire(&*store, "lock", lease(SHORT)).await else { return };
    let second = acquire_eventually(&*store, "lock", lease(SHORT)).await;
    let third = acquire_eventually(&*store, "lock", lease(SHORT)).await;
    assert!(first < second && second < third, "{first} {second} {third}");
}

pub async fn the_same_acquisition_asked_twice_is_one(store: AnyStore) {
    let mine = lease(LONG);
    let Some(first) = acquire(&*store, "lock", mine).await else { return };
    assert_eq!(acquire(&*store, "lock", mine).await, Some(first));
    assert!(given(store.release_lock("lock", mine.token).await));
    assert!(!is_held(&*store, "lock").await);
}

pub async fn a_lock_is_released_by_its_acquisition_and_no_other(one: AnyStore, other: AnyStore) {
    let mine = lease(LONG);
    let Some(_) = acquire(&*one, "lock", mine).await else { return };
    assert!(!given(other.release_lock("lock", lease(LONG).token).await));
    assert!(is_held(&*other, "lock").await);
    // The token is the acquisition's and not the connection's.
    assert!(given(other.release_lock("lock", mine.token).await));
    assert!(!given(one.release_lock("lock", mine.token).await));
    assert!(!is_held(&*one, "lock").await);
}

pub async fn a_late_release_takes_nothing_from_the_successor(one: AnyStore, other: AnyStore) {
    let (late, next) = (lease(SHORT), lease(LONG));
    let Some(_) = acquire(&*one, "lock", late).await else { return };
    acquire_eventually(&*other, "lock", next).await;
    assert!(!given(one.release_lock("lock", late.token).await));
    assert!(!given(one.renew_lock("lock", late).await));
    assert!(is_held(&*one, "lock").await);
    assert!(given(other.renew_lock("lock", next).await));
}

pub async fn renewing_keeps_a_lock(store: AnyStore) {
    let mine = lease(SHORT);
    let long = Lease { life: LONG, ..mine };
    let Some(_) = acquire(&*store, "lock", Lease { life: SOON, ..mine }).await else { return };
    assert!(given(store.renew_lock("lock", long).await));
    sleep(SOON + SHORT).await;
    assert!(is_held(&*store, "lock").await);
    // What is renewed for a short time ends soon.
    assert!(given(store.renew_lock("lock", mine).await));
    acquire_eventually(&*store, "lock", lease(LONG)).await;
}

pub async fn a_lock_that_nobody_has_cannot_be_renewed(store: AnyStore) {
    let mine = lease(SHORT);
    let Some(_) = acquire(&*store, "lock", mine).await else { return };
    let next = lease(SHORT);
    acquire_eventually(&*store, "lock", next).await;
    assert!(given(store.release_lock("lock", next.token).await));
    assert!(!given(store.renew_lock("lock", mine).await));
    assert!(!given(store.renew_lock("never", mine).await));
}

pub async fn a_wait_for_a_lock_that_nobody_has_is_over_at_once(store: AnyStore) {
    let start = Instant::now();
    store.lock_ended("lock", LONG).await;
    assert!(start.elapsed() < LONG / 10);
}

pub async fn a_wait_for_a_lock_ends_with_its_release(one: AnyStore, other: AnyStore) {
    let mine = lease(LONG);
    let Some(_) = acquire(&*one, "lock", mine).await else { return };
    let start = Instant::now();
    let wait = async {
        other.lock_ended("lock", LONG).await;
        start.elapsed()
    };
    let end = async {
        // Gives the waiter time to begin; if it does not take it, the case is merely weaker.
        sleep(SHORT).await;
        assert!(given(one.release_lock("lock", mine.token).await));
    };
    let (waited, ()) = tokio::join!(wait, end);
    assert!(waited >= SHORT && waited < LONG / 10, "{waited:?}");
}

pub async fn a_wait_for_a_lock_ends_when_it_expires_and_gives_up_in_time(store: AnyStore) {
    let Some(_) = acquire(&*store, "lock", lease(SHORT)).await else { return };
    let start = Instant::now();
    store.lock_ended("lock", LONG).await;
    assert!(start.elapsed() < LONG / 10);
    acquire_eventually(&*store, "lock", lease(LONG)).await;
    let start = Instant::now();
    store.lock_ended("lock", SHORT).await;
    let waited = start.elapsed();
    assert!(waited >= SHORT && waited < LONG / 10, "{waited:?}");
}

pub async fn what_is_invalidated_or_stored_touches_no_lock(store: AnyStore) {
    let mine = lease(LONG);
    let Some(_) = acquire(&*store, "key", mine).await else { return };
    let nonce = load(&*store, leased("key", lease(LONG))).await;
    assert!(fill(&*store, "key", nonce, b"value", None).await);
    for what in [
        Invalidation::Keys(vec!["key".into()]),
        Invalidation::Tags(vec!["key".into()]),
        Invalidation::Pattern("*".into()),
        Invalidation::All,
    ] {
        given(store.invalidate(&what).await);
        assert!(is_held(&*store, "key").await, "{what:?}");
    }
    assert!(given(store.renew_lock("key", mine).await));
}

pub async fn locks_may_have_any_name(store: AnyStore) {
    for name in ["a b", "}", "{a}b", "*?[\\", "\u{e9}\n\0", ":k:"] {
        let mine = lease(LONG);
        let Some(_) = acquire(&*store, name, mine).await else { return };
        assert!(is_held(&*store, name).await, "{name:?}");
        assert!(given(store.release_lock(name, mine.token).await), "{name:?}");
    }
}
