use std::collections::HashSet;

use tokio::task::JoinSet;

use super::{super::steps::*, AnyStore};
use crate::{Claim, ClaimOutcome, Life, Nonce, Query};

pub async fn a_read_of_nothing_finds_nothing(store: AnyStore) {
    let tags = names(["a", "b"]);
    let reading =
        given(store.read(Query { key: "key", tags: &tags, pattern: true, life: true }).await);
    assert_eq!((reading.value, reading.key_nonce, reading.life), (None, None, None));
    assert_eq!(reading.tag_nonces, [None, None]);
}

pub async fn a_read_after_a_fill_gives_the_value_its_nonce_and_its_life(store: AnyStore) {
    let nonce = stored(&*store, "key", b"value").await;
    let reading = read(&*store, "key").await;
    assert_eq!(reading.value, Some(bytes(nonce, b"value")));
    assert_eq!(reading.key_nonce, Some(nonce));
    at_most(reading.life, LONG);
    assert!(reading.pattern_nonce.is_some(), "the claim opened the pattern log");
}

pub async fn a_read_gives_the_position_in_the_pattern_log_only_when_asked(store: AnyStore) {
    stored(&*store, "key", b"value").await;
    let newest = patterns(&*store).await.pop().map(|record| record.nonce);
    for (tags, life) in [(names([]), false), (names(["a"]), true)] {
        let ask = |pattern| store.read(Query { key: "key", tags: &tags, pattern, life });
        let (asked, other) = (given(ask(true).await), given(ask(false).await));
        assert_eq!((asked.pattern_nonce, other.pattern_nonce), (newest, None));
        assert_eq!(other.value, asked.value);
        assert_eq!(other.key_nonce, asked.key_nonce);
        assert_eq!((other.tag_nonces.len(), other.life.is_some()), (tags.len(), life));
    }
}

pub async fn a_value_starts_with_the_nonce_it_was_stored_under(store: AnyStore) {
    let nonce = stored(&*store, "key", b"value").await;
    let value = read(&*store, "key").await.value.unwrap_or_default();
    assert_eq!(Nonce::from_bytes(&value), Some(nonce));
}

pub async fn two_claims_without_a_lease_both_load_and_both_fill(store: AnyStore) {
    let one = load(&*store, plain("key")).await;
    let other = load(&*store, plain("key")).await;
    assert_eq!(one, other);
    assert!(fill(&*store, "key", one, b"one", None).await);
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"one"[..]));
    assert!(fill(&*store, "key", other, b"other", None).await);
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"other"[..]));
}

pub async fn claims_at_the_same_time_agree_on_the_nonce(store: AnyStore) {
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let store = store.clone();
        tasks.spawn(async move { load(&*store, plain("key")).await });
    }
    let nonces: HashSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(nonces.len(), 1);
}

pub async fn a_claim_finds_what_was_stored_meanwhile(store: AnyStore) {
    let nonce = stored(&*store, "key", b"value").await;
    for wanted in [plain("key"), leased("key", lease(LONG))] {
        match claim(&*store, wanted).await.outcome {
            ClaimOutcome::Found { value, life } => {
                assert_eq!(value, bytes(nonce, b"value"));
                at_most(life, LONG);
            }
            other => panic!("expected the value, got {other:?}"),
        }
    }
}

pub async fn a_refused_value_is_not_offered_again(store: AnyStore) {
    let nonce = stored(&*store, "key", b"header, value").await;
    let refused = &bytes(nonce, b"header");
    assert_eq!(load(&*store, Claim { refused, ..plain("key") }).await, nonce);
    let taken = lease(LONG);
    assert_eq!(load(&*store, Claim { refused, ..leased("key", taken) }).await, nonce);
    assert!(fill(&*store, "key", nonce, b"new", Some(taken.token)).await);
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"new"[..]));
}

pub async fn another_value_than_the_refused_one_is_offered(store: AnyStore) {
    let nonce = stored(&*store, "key", b"new").await;
    let refused = &bytes(nonce, b"old");
    match claim(&*store, Claim { refused, ..plain("key") }).await.outcome {
        ClaimOutcome::Found { value, life: Life::For(_) } => {
            assert_eq!(value, bytes(nonce, b"new"));
        }
        other => panic!("expected the value, got {other:?}"),
    }
}

pub async fn a_fill_without_a_claim_is_refused(store: AnyStore) {
    let nonce = given(Nonce::random());
    assert!(!fill(&*store, "key", nonce, b"value", None).await);
    assert_eq!(hit(&*store, "key").await, None);
    load(&*store, plain("key")).await;
}

pub async fn the_store_says_that_it_is_well(store: AnyStore) {
    let health = store.health().await;
    assert!(health.reachable && health.latency.is_some() && health.error.is_none(), "{health:?}");
}
