use super::{super::steps::*, AnyStore};
use crate::{Begin, Begun, Claim, ClaimOutcome, Finish, Life};

pub async fn nothing_is_stored_between_begin_and_finish(store: AnyStore) {
    let nonce = load(&*store, plain("key")).await;
    let begun = begin(&*store, "key", LONG).await;
    for wanted in [plain("key"), leased("key", lease(LONG))] {
        assert_eq!(claim(&*store, wanted).await.outcome, ClaimOutcome::Writing);
    }
    assert!(!fill(&*store, "key", nonce, b"old", None).await);
    assert_eq!(hit(&*store, "key").await, None);
    load(&*store, plain("another key")).await;
    finish(&*store, "key", &begun, None).await;
    load(&*store, plain("key")).await;
}

pub async fn an_announcement_without_an_answer_is_ended_by_its_token(store: AnyStore) {
    let nonce = load(&*store, plain("key")).await;
    for many in [false, true] {
        let (token, at_most) = (token(), LONG);
        let dependency_life = Life::For(2 * LONG);
        let begin =
            Begin { key: "key", token, tags: &[], tag_log: false, at_most, dependency_life };
        // The answer is lost.
        if many {
            store.begin_many(&[begin]).await.into_iter().for_each(|begun| drop(given(begun)));
        } else {
            given(store.begin(begin).await);
        }
        assert_eq!(claim(&*store, plain("key")).await.outcome, ClaimOutcome::Writing);
        assert!(!finish(&*store, "key", &Begun::unanswered(token), None).await);
        assert_ne!(load(&*store, plain("key")).await, nonce, "the key is invalidated");
    }
    assert!(begin(&*store, "key", LONG).await.alone, "no announcement stands");
}

pub async fn a_write_that_is_announced_twice_is_one(store: AnyStore) {
    let (token, at_most, dependency_life) = (token(), LONG, Life::For(2 * LONG));
    let begin = Begin { key: "key", token, tags: &[], tag_log: false, at_most, dependency_life };
    given(store.begin(begin).await);
    let again = given(store.begin(begin).await);
    assert!(again.alone, "it finds nobody else at work");
    assert!(finish(&*store, "key", &again, Some(b"new")).await);
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"new"[..]));
}

pub async fn a_value_ends_when_a_write_begins(store: AnyStore) {
    stored(&*store, "key", b"old").await;
    let begun = begin(&*store, "key", LONG).await;
    assert!(begun.alone);
    assert_eq!(hit(&*store, "key").await, None);
}

pub async fn a_write_that_was_alone_stores_its_value(store: AnyStore) {
    let nonce = load(&*store, plain("key")).await;
    let begun = begin(&*store, "key", LONG).await;
    assert!(begun.alone);
    assert!(finish(&*store, "key", &begun, Some(b"new")).await);

    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"new"[..]));
    let fresh = read(&*store, "key").await.key_nonce;
    assert!(fresh != Some(begun.nonce) && fresh != Some(nonce), "the value has a nonce of its own");
    assert!(!fill(&*store, "key", nonce, b"old", None).await);
    let found = claim(&*store, plain("key")).await.outcome;
    assert!(matches!(found, ClaimOutcome::Found { .. }), "{found:?}");
}

pub async fn a_finished_value_has_the_life_it_was_given(store: AnyStore) {
    let begun = &begin(&*store, "key", LONG).await;
    let (life, dependency_life) = (Life::Forever, Life::Forever);
    let value = Some(&b"kept"[..]);
    let forever = Finish { key: "key", begun, value, tags: &[], life, dependency_life };
    assert!(given(store.finish(forever).await));
    assert_eq!(read(&*store, "key").await.life, Some(Life::Forever));

    let begun = &begin(&*store, "key", LONG).await;
    assert!(given(store.finish(Finish { begun, life: Life::For(LONG), ..forever }).await));
    at_most(read(&*store, "key").await.life, LONG);

    let begun = &begin(&*store, "key", LONG).await;
    assert!(given(store.finish(Finish { begun, life: Life::For(SHORT), ..forever }).await));
    eventually("the end of the value", async || hit(&*store, "key").await.is_none().then_some(()))
        .await;
}

pub async fn a_write_without_a_value_invalidates(store: AnyStore) {
    stored(&*store, "key", b"old").await;
    let begun = begin(&*store, "key", LONG).await;
    assert!(!finish(&*store, "key", &begun, None).await);
    assert_eq!(hit(&*store, "key").await, None);
    stored(&*store, "key", b"new").await;
}

pub async fn a_write_that_another_overlapped_stores_nothing(store: AnyStore) {
    let first = begin(&*store, "key", LONG).await;
    let second = begin(&*store, "key", LONG).await;
    assert!(first.alone && !second.alone);
    assert!(!finish(&*store, "key", &first, Some(b"first")).await);
    assert_eq!(hit(&*store, "key").await, None);
    assert_eq!(claim(&*store, plain("key")).await.outcome, ClaimOutcome::Writing);
    assert!(!finish(&*store, "key", &second, Some(b"second")).await);
    assert_eq!(hit(&*store, "key").await, None);
    stored(&*store, "key", b"new").await;
}

pub async fn a_write_that_began_second_stores_nothing(store: AnyStore) {
    let first = begin(&*store, "key", LONG).await;
    let second = begin(&*store, "key", LONG).await;
    assert!(!finish(&*store, "key", &second, Some(b"second")).await);
    assert_eq!(hit(&*store, "key").await, None);
    assert_eq!(claim(&*store, plain("key")).await.outcome, ClaimOutcome::Writing);
    assert!(!finish(&*store, "key", &first, Some(b"first")).await);
    assert_eq!(hit(&*store, "key").await, None);
    assert!(begin(&*store, "key", LONG).await.alone, "both are over");
}

pub async fn a_write_that_an_invalidation_came_between_stores_nothing(store: AnyStore) {
    let begun = begin(&*store, "key", LONG).await;
    invalidate_key(&*store, "key").await;
    assert_eq!(claim(&*store, plain("key")).await.outcome, ClaimOutcome::Writing);
    assert!(!finish(&*store, "key", &begun, Some(b"new")).await);
    assert_eq!(hit(&*store, "key").await, None);
    stored(&*store, "key", b"newer").await;
}

pub async fn a_write_that_is_finished_twice_stores_once(store: AnyStore) {
    let begun = begin(&*store, "key", LONG).await;
    assert!(finish(&*store, "key", &begun, Some(b"one")).await);
    assert!(!finish(&*store, "key", &begun, Some(b"two")).await);
    assert_ne!(hit(&*store, "key").await.as_deref(), Some(&b"two"[..]));
}

pub async fn an_unfinished_write_is_over_after_its_time(store: AnyStore) {
    stored(&*store, "key", b"old").await;
    begin(&*store, "key", SHORT).await;
    let nonce = load_eventually(&*store, plain("key")).await;
    assert!(fill(&*store, "key", nonce, b"new", None).await);
    assert_eq!(hit(&*store, "key").await.as_deref(), Some(&b"new"[..]));
    assert!(begin(&*store, "key", LONG).await.alone);
}

pub async fn a_write_that_finishes_after_its_time_invalidates(store: AnyStore) {
    let begun = begin(&*store, "key", SHORT).await;
    load_eventually(&*store, plain("key")).await;
    assert!(!finish(&*store, "key", &begun, Some(b"late")).await);
    assert_eq!(hit(&*store, "key").await, None);

    let begun = begin(&*store, "key", SHORT).await;
    let nonce = load_eventually(&*store, plain("key")).await;
    assert!(fill(&*store, "key", nonce, b"read during the write", None).await);
    assert!(!finish(&*store, "key", &begun, Some(b"late")).await);
    assert_eq!(hit(&*store, "key").await, None);
}

pub async fn a_short_write_does_not_end_the_mark_of_a_long_one(store: AnyStore) {
    begin(&*store, "key", LONG).await;
    begin(&*store, "key", SHORT).await;
    outlast(5 * SHORT).await;
    assert_eq!(claim(&*store, plain("key")).await.outcome, ClaimOutcome::Writing);
}

pub async fn a_write_captures_what_a_load_captures(store: AnyStore) {
    invalidate_pattern(&*store, "users:*").await;
    let tags = &names(["a", "b"])[..];
    let claimed = claim(&*store, Claim { tags, tag_log: true, ..plain("other") }).await;
    let begun = begin_with(&store, tags).await;
    assert_eq!(begun.tag_nonces, claimed.tag_nonces);
    assert_eq!(Some(begun.pattern_nonce), claimed.patterns.last().map(|record| record.nonce));
    assert!(begun.tag_log.is_some());
    assert_eq!(begun.tag_log, claimed.tag_log);
}

async fn begin_with(store: &AnyStore, tags: &[String]) -> crate::Begun {
    let (tag_log, at_most, dependency_life) = (true, LONG, Life::For(2 * LONG));
    let begin = Begin { key: "key", token: token(), tags, tag_log, at_most, dependency_life };
    given(store.begin(begin).await)
}
