//! What a holder may still do when its lease has gone to another one: nothing.

use super::{super::steps::*, AnyStore};

pub async fn a_fill_after_its_lease_expired_is_refused(store: AnyStore) {
    let mine = lease(SHORT);
    let nonce = load(&*store, leased("key", mine)).await;
    store.lease_ended("key", LONG).await;
    assert!(!fill(&*store, "key", nonce, b"late", Some(mine.token)).await);
    assert_eq!(hit(&*store, "key").await, None);
}

pub async fn a_stalled_holder_cannot_fill_while_its_successor_loads(store: AnyStore) {
    let stalled = lease(SHORT);
    let nonce = load(&*store, leased("key", stalled)).await;
    let next = lease(LONG);
    load_eventually(&*store, leased("key", next)).await;

    assert!(!fill(&*store, "key", nonce, b"late", Some(stalled.token)).await);
    assert_eq!(hit(&*store, "key").await, None);
    given(store.release("key", nonce, stalled.token).await);
    held(&*store, leased("key", lease(LONG))).await;

    assert!(fill(&*store, "key", nonce, b"next", Some(next.token)).await);
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"next"[..]));
}

pub async fn a_stalled_holder_cannot_fill_after_its_successor_stored(store: AnyStore) {
    let stalled = lease(SHORT);
    let nonce = load(&*store, leased("key", stalled)).await;
    let next = lease(LONG);
    load_eventually(&*store, leased("key", next)).await;
    assert!(fill(&*store, "key", nonce, b"next", Some(next.token)).await);

    assert!(!fill(&*store, "key", nonce, b"late", Some(stalled.token)).await);
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"next"[..]));
}

pub async fn an_invalidated_holder_takes_nothing_from_its_successor(store: AnyStore) {
    let (old, new) = (lease(LONG), lease(LONG));
    let old_nonce = load(&*store, leased("key", old)).await;
    invalidate_key(&*store, "key").await;
    let new_nonce = load(&*store, leased("key", new)).await;

    assert!(!fill(&*store, "key", old_nonce, b"old", Some(old.token)).await);
    given(store.release("key", old_nonce, old.token).await);
    assert!(!given(store.renew("key", old_nonce, old).await));
    held(&*store, leased("key", lease(LONG))).await;
    assert!(fill(&*store, "key", new_nonce, b"new", Some(new.token)).await);
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"new"[..]));
}
