use std::collections::HashSet;

use super::{super::steps::*, AnyStore};
use crate::Invalidation;

pub async fn an_invalidation_between_claim_and_fill_refuses_the_fill(store: AnyStore) {
    let nonce = load(&*store, plain("key")).await;
    invalidate_key(&*store, "key").await;
    assert!(!fill(&*store, "key", nonce, b"old", None).await);
    assert_eq!(hit(&*store, "key").await, None);
}

pub async fn an_invalidation_ends_a_stored_value(store: AnyStore) {
    let old = stored(&*store, "key", b"old").await;
    invalidate_key(&*store, "key").await;
    assert_eq!(hit(&*store, "key").await, None);
    let new = stored(&*store, "key", b"new").await;
    assert_ne!(old, new);
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"new"[..]));
}

pub async fn an_old_load_cannot_fill_after_a_newer_claim(store: AnyStore) {
    let old = load(&*store, plain("key")).await;
    invalidate_key(&*store, "key").await;
    let new = load(&*store, plain("key")).await;
    assert!(!fill(&*store, "key", old, b"old", None).await);
    assert_eq!(hit(&*store, "key").await, None);
    assert!(fill(&*store, "key", new, b"new", None).await);
}

pub async fn a_refused_fill_leaves_what_a_newer_load_stored(store: AnyStore) {
    let old = load(&*store, plain("key")).await;
    invalidate_key(&*store, "key").await;
    stored(&*store, "key", b"new").await;
    assert!(!fill(&*store, "key", old, b"old", None).await);
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"new"[..]));
}

pub async fn a_nonce_never_returns(store: AnyStore) {
    let mut seen = HashSet::new();
    for _ in 0..50 {
        assert!(seen.insert(load(&*store, plain("key")).await));
        invalidate_key(&*store, "key").await;
    }
}

pub async fn an_invalidation_leaves_other_keys_alone(store: AnyStore) {
    for key in ["key", "key:1", "ke"] {
        stored(&*store, key, key.as_bytes()).await;
    }
    let loading = load(&*store, plain("loading")).await;
    invalidate_key(&*store, "key").await;
    assert_eq!(hit(&*store, "key").await, None);
    assert_eq!(hit(&*store, "key:1").await.as_deref(), Some(&b"key:1"[..]));
    assert_eq!(hit(&*store, "ke").await.as_deref(), Some(&b"ke"[..]));
    assert!(fill(&*store, "loading", loading, b"value", None).await);
}

pub async fn one_invalidation_takes_many_keys(store: AnyStore) {
    let keys: Vec<String> = (0..300).map(|number| format!("user:{number}")).collect();
    for key in &keys {
        stored(&*store, key, b"value").await;
    }
    invalidate(&*store, Invalidation::Keys(keys[1..].to_vec())).await;
    assert!(hit(&*store, &keys[0]).await.is_some());
    for key in &keys[1..] {
        assert_eq!(hit(&*store, key).await, None, "{key}");
    }
}

pub async fn invalidations_may_be_repeated_and_may_name_nothing(store: AnyStore) {
    stored(&*store, "key", b"value").await;
    for _ in 0..2 {
        invalidate(&*store, Invalidation::Keys(names(["key", "key", "never was"]))).await;
        invalidate(&*store, Invalidation::Tags(names(["tag", "tag"]))).await;
        invalidate(&*store, Invalidation::Keys(Vec::new())).await;
        invalidate(&*store, Invalidation::Tags(Vec::new())).await;
    }
    assert_eq!(hit(&*store, "key").await, None);
    stored(&*store, "key", b"new").await;
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"new"[..]));
}
