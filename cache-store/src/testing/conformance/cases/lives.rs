use std::time::Duration;

use super::{super::steps::*, AnyStore};
use crate::{Claim, Fill, Life, Store};

/// Returns when the value is gone for a reader.
async fn ended(store: &dyn Store, key: &str) {
    eventually("the end of the value", async || hit(store, key).await.is_none().then_some(()))
        .await;
}

pub async fn a_life_under_one_millisecond_is_stored_and_ends(store: AnyStore) {
    let lives = [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(999)];
    for (number, life) in lives.into_iter().enumerate() {
        let key = format!("key:{number}");
        let nonce = load(&*store, plain(&key)).await;
        fill_for(&*store, &key, nonce, b"value", Life::For(life)).await;
        ended(&*store, &key).await;
    }
}

pub async fn a_short_life_ends(store: AnyStore) {
    let nonce = load(&*store, plain("key")).await;
    fill_for(&*store, "key", nonce, b"value", Life::For(SHORT)).await;
    ended(&*store, "key").await;
    load(&*store, plain("key")).await;
}

pub async fn a_value_about_to_end_never_says_that_it_lives_forever(store: AnyStore) {
    let nonce = load(&*store, plain("key")).await;
    fill_for(&*store, "key", nonce, b"value", Life::For(SHORT)).await;
    for _ in 0..100_000 {
        let reading = read(&*store, "key").await;
        if reading.value.is_none() {
            assert_eq!(reading.life, None);
            return;
        }
        at_most(reading.life, SHORT);
    }
    panic!("the value did not end");
}

pub async fn a_value_that_lives_forever_stays(store: AnyStore) {
    let claimed = Claim { dependency_life: Life::Forever, ..plain("key") };
    let nonce = load(&*store, claimed).await;
    fill_for(&*store, "key", nonce, b"value", Life::Forever).await;
    assert_eq!(read(&*store, "key").await.life, Some(Life::Forever));
    outlast(5 * SHORT).await;
    assert!(hit(&*store, "key").await.is_some());
}

pub async fn a_second_fill_does_not_inherit_the_first_ones_end(store: AnyStore) {
    let nonce = load(&*store, plain("key")).await;
    fill_for(&*store, "key", nonce, b"one", Life::For(SHORT)).await;
    fill_for(&*store, "key", nonce, b"two", Life::Forever).await;
    assert_eq!(read(&*store, "key").await.life, Some(Life::Forever));
    outlast(5 * SHORT).await;
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"two"[..]));
}

pub async fn a_second_fill_does_not_inherit_the_first_ones_lack_of_an_end(store: AnyStore) {
    let nonce = load(&*store, plain("key")).await;
    fill_for(&*store, "key", nonce, b"one", Life::Forever).await;
    fill_for(&*store, "key", nonce, b"two", Life::For(SHORT)).await;
    ended(&*store, "key").await;
}

pub async fn the_longest_life_there_is_can_be_stored(store: AnyStore) {
    let (life, dependency_life) = (Life::For(Duration::MAX), Life::For(Duration::MAX));
    let nonce = load(&*store, Claim { dependency_life, ..plain("key") }).await;
    fill_for(&*store, "key", nonce, b"value", life).await;
    assert!(hit(&*store, "key").await.is_some());
}

pub async fn a_fill_keeps_its_dependency_as_long_as_its_value(store: AnyStore) {
    let ending = Claim { dependency_life: Life::For(SOON), ..plain("key") };
    let nonce = load(&*store, ending).await;
    assert!(fill(&*store, "key", nonce, b"value", None).await, "the dependency has not ended yet");
    outlast(SOON).await;
    assert!(hit(&*store, "key").await.is_some());
}

pub async fn a_fill_that_lives_forever_keeps_its_dependency(store: AnyStore) {
    let ending = Claim { dependency_life: Life::For(SOON), ..plain("key") };
    let nonce = load(&*store, ending).await;
    fill_for(&*store, "key", nonce, b"value", Life::Forever).await;
    outlast(SOON).await;
    assert!(hit(&*store, "key").await.is_some());
}

pub async fn a_fill_after_its_dependency_ended_is_refused(store: AnyStore) {
    let ending = Claim { dependency_life: Life::For(SHORT), ..plain("key") };
    let nonce = load(&*store, ending).await;
    eventually("the end of the dependency", async || {
        read(&*store, "key").await.key_nonce.is_none().then_some(())
    })
    .await;
    let (life, dependency_life) = (Life::For(LONG), Life::For(2 * LONG));
    let value = &bytes(nonce, b"late");
    let late = Fill {
        key: "key",
        nonce,
        value,
        tags: &[],
        life,
        token: None,
        dependency_life,
        announced: false,
    };
    assert!(!given(store.fill(late).await));
    assert_eq!(hit(&*store, "key").await, None);
}
