use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{super::steps::*, AnyStore};
use crate::{Claim, ClaimOutcome, Store};

pub async fn of_two_claims_with_a_lease_the_second_is_held(store: AnyStore) {
    load(&*store, leased("key", lease(LONG))).await;
    let left = held(&*store, leased("key", lease(LONG))).await;
    assert!(!left.is_zero() && left <= LONG, "{left:?}");
}

pub async fn of_many_claims_at_once_one_gets_the_lease(store: AnyStore) {
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let store = store.clone();
        tasks.spawn(async move { claim(&*store, leased("key", lease(LONG))).await.outcome });
    }
    let outcomes = tasks.join_all().await;
    let loads = outcomes.iter().filter(|outcome| matches!(outcome, ClaimOutcome::Load(_))).count();
    let holds = outcomes.iter().filter(|outcome| matches!(outcome, ClaimOutcome::Held(_))).count();
    assert_eq!((loads, holds), (1, 31));
}

pub async fn a_claim_without_a_lease_loads_beside_a_holder(store: AnyStore) {
    let holder = load(&*store, leased("key", lease(LONG))).await;
    assert_eq!(load(&*store, plain("key")).await, holder);
    held(&*store, leased("key", lease(LONG))).await;
}

pub async fn a_lease_on_one_key_holds_no_other(store: AnyStore) {
    load(&*store, leased("one", lease(LONG))).await;
    load(&*store, leased("other", lease(LONG))).await;
}

pub async fn a_fill_frees_the_lease(store: AnyStore) {
    let mine = lease(LONG);
    let nonce = load(&*store, leased("key", mine)).await;
    assert!(fill(&*store, "key", nonce, b"value", Some(mine.token)).await);
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"value"[..]));
    let refused = &bytes(nonce, b"value");
    load(&*store, Claim { refused, ..leased("key", lease(LONG)) }).await;
}

pub async fn a_release_frees_the_lease(store: AnyStore) {
    let mine = lease(LONG);
    let nonce = load(&*store, leased("key", mine)).await;
    given(store.release("key", nonce, mine.token).await);
    load(&*store, leased("key", lease(LONG))).await;
}

pub async fn a_release_with_another_token_frees_nothing(store: AnyStore) {
    let mine = lease(LONG);
    let nonce = load(&*store, leased("key", mine)).await;
    given(store.release("key", nonce, lease(LONG).token).await);
    held(&*store, leased("key", lease(LONG))).await;
    assert!(fill(&*store, "key", nonce, b"value", Some(mine.token)).await);
}

pub async fn an_expired_lease_is_free(store: AnyStore) {
    let nonce = load(&*store, leased("key", lease(SHORT))).await;
    let next = lease(LONG);
    assert_eq!(load_eventually(&*store, leased("key", next)).await, nonce);
    held(&*store, leased("key", lease(LONG))).await;
    assert!(fill(&*store, "key", nonce, b"value", Some(next.token)).await);
}

pub async fn a_lease_of_an_invalidated_key_is_void(store: AnyStore) {
    let old = load(&*store, leased("key", lease(LONG))).await;
    invalidate_key(&*store, "key").await;
    let new = load(&*store, leased("key", lease(LONG))).await;
    assert_ne!(old, new);
    held(&*store, leased("key", lease(LONG))).await;
}

pub async fn renewing_keeps_a_lease(store: AnyStore) {
    let mut mine = lease(SOON);
    let nonce = load(&*store, leased("key", mine)).await;
    mine.life = LONG;
    assert!(given(store.renew("key", nonce, mine).await), "it was not lost yet");
    outlast(SOON).await;
    let left = held(&*store, leased("key", lease(LONG))).await;
    assert!(left > LONG / 2, "{left:?}");
    assert!(fill(&*store, "key", nonce, b"value", Some(mine.token)).await);
}

pub async fn an_expired_lease_cannot_be_renewed(store: AnyStore) {
    let mine = lease(SHORT);
    let nonce = load(&*store, leased("key", mine)).await;
    store.lease_ended("key", LONG).await;
    assert!(!given(store.renew("key", nonce, mine).await));
    load(&*store, leased("key", lease(LONG))).await;
}

pub async fn a_lease_that_another_holds_cannot_be_renewed(store: AnyStore) {
    let mine = lease(SHORT);
    let nonce = load(&*store, leased("key", mine)).await;
    let next = lease(LONG);
    load_eventually(&*store, leased("key", next)).await;
    assert!(!given(store.renew("key", nonce, mine).await));
    assert!(given(store.renew("key", nonce, next).await));
}

pub async fn a_wait_without_a_lease_is_over_at_once(store: AnyStore) {
    let start = Instant::now();
    store.lease_ended("key", LONG).await;
    assert!(start.elapsed() < LONG / 10);
}

pub async fn a_wait_for_a_lease_ends_with_a_fill(store: AnyStore) {
    let mine = lease(LONG);
    let nonce = load(&*store, leased("key", mine)).await;
    waits_for(&*store, async {
        assert!(fill(&*store, "key", nonce, b"value", Some(mine.token)).await);
    })
    .await;
    assert!(hit(&*store, "key").await.is_some());
}

pub async fn a_wait_for_a_lease_ends_with_a_release(store: AnyStore) {
    let mine = lease(LONG);
    let nonce = load(&*store, leased("key", mine)).await;
    waits_for(&*store, async { given(store.release("key", nonce, mine.token).await) }).await;
    load(&*store, leased("key", lease(LONG))).await;
}

pub async fn a_wait_for_a_lease_ends_when_it_expires(store: AnyStore) {
    load(&*store, leased("key", lease(SHORT))).await;
    let start = Instant::now();
    store.lease_ended("key", LONG).await;
    assert!(start.elapsed() < LONG / 10);
    load(&*store, leased("key", lease(LONG))).await;
}

pub async fn a_wait_for_a_lease_gives_up_in_time(store: AnyStore) {
    load(&*store, leased("key", lease(LONG))).await;
    let start = Instant::now();
    store.lease_ended("key", SHORT).await;
    let waited = start.elapsed();
    assert!(waited >= SHORT && waited < LONG / 10, "{waited:?}");
}

/// Waits for the key's lease while something ends it, neither before it does nor long after.
async fn waits_for(store: &dyn Store, end: impl Future<Output = ()>) {
    let start = Instant::now();
    let waiter = async {
        store.lease_ended("key", LONG).await;
        start.elapsed()
    };
    let ender = async {
        // Gives the waiter time to begin; if it does not take it, the case is merely weaker.
        sleep(SHORT).await;
        end.await;
    };
    let (waited, ()) = tokio::join!(waiter, ender);
    assert!(waited >= SHORT && waited < LONG / 10, "{waited:?}");
}
