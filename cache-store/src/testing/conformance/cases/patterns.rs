use std::collections::HashSet;

use tokio::task::JoinSet;

use super::{super::steps::*, AnyStore};
use crate::{Claim, Invalidation, Recorded};

/// More records than any store keeps.
const MANY: usize = 20_000;

fn pattern(glob: &str) -> Recorded {
    Recorded::Pattern(glob.to_owned())
}

pub async fn the_pattern_log_is_opened_once(store: AnyStore) {
    let log = patterns(&*store).await;
    assert!(!log.is_empty());
    assert_eq!(patterns(&*store).await, log);
    assert_eq!(claim(&*store, plain("key")).await.patterns, log);
    assert_eq!(read(&*store, "key").await.pattern_nonce, log.last().map(|record| record.nonce));
}

pub async fn the_pattern_log_is_opened_once_for_all_who_ask_at_the_same_time(store: AnyStore) {
    let mut tasks = JoinSet::new();
    for number in 0..32 {
        let store = store.clone();
        tasks.spawn(async move {
            let key = format!("key:{number}");
            let log = if number % 2 == 0 {
                patterns(&*store).await
            } else {
                claim(&*store, plain(&key)).await.patterns
            };
            log.first().map(|record| record.nonce)
        });
    }
    let nonces: HashSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(nonces.len(), 1);
    assert!(!nonces.contains(&None));
}

pub async fn patterns_are_appended_oldest_first(store: AnyStore) {
    let opened = patterns(&*store).await;
    for pattern in ["users:*", "orders:?", "*"] {
        invalidate_pattern(&*store, pattern).await;
        let newest = patterns(&*store).await.pop().map(|record| record.nonce);
        assert_eq!(read(&*store, "key").await.pattern_nonce, newest);
    }
    let log = patterns(&*store).await;
    assert_eq!(log[..opened.len()], opened);
    let appended: Vec<_> = log[opened.len()..].iter().map(|record| record.what.to_text()).collect();
    assert_eq!(appended, ["users:*", "orders:?", "*"]);
    assert_eq!(claim(&*store, plain("key")).await.patterns, log);
}

pub async fn the_same_pattern_twice_is_two_records(store: AnyStore) {
    invalidate_pattern(&*store, "users:*").await;
    invalidate_pattern(&*store, "users:*").await;
    let log = patterns(&*store).await;
    let nonces: HashSet<_> = log.iter().map(|record| record.nonce).collect();
    assert_eq!(nonces.len(), log.len());
    assert_eq!(log.iter().filter(|record| record.what == pattern("users:*")).count(), 2);
}

pub async fn the_pattern_log_is_bounded_and_a_trimmed_record_is_unknown(store: AnyStore) {
    let opened = patterns(&*store).await.remove(0);
    for number in 0..MANY {
        invalidate_pattern(&*store, &format!("users:{number}:*")).await;
        if number % 100 == 0 && !patterns(&*store).await.contains(&opened) {
            let newest = patterns(&*store).await.pop().map(|record| record.what);
            assert_eq!(newest, Some(pattern(&format!("users:{number}:*"))));
            return;
        }
    }
    panic!("the log holds {MANY} records and was not trimmed");
}

pub async fn clearing_forgets_every_record(store: AnyStore) {
    stored(&*store, "key", b"value").await;
    invalidate_pattern(&*store, "users:*").await;
    let before = patterns(&*store).await;
    invalidate(&*store, Invalidation::All).await;

    assert!(read(&*store, "key").await.pattern_nonce != before.last().map(|record| record.nonce));
    let after = patterns(&*store).await;
    assert!(!after.is_empty());
    assert!(after.iter().all(|record| !before.contains(record)), "{before:?} {after:?}");
    assert_eq!(claim(&*store, plain("key")).await.patterns, after);
}

pub async fn clearing_may_be_repeated(store: AnyStore) {
    for _ in 0..3 {
        invalidate(&*store, Invalidation::All).await;
    }
    invalidate_pattern(&*store, "users:*").await;
    invalidate(&*store, Invalidation::All).await;
    assert!(patterns(&*store).await.iter().all(|record| record.what != pattern("users:*")));
}

pub async fn tags_that_an_entry_must_bear_together_are_one_record(store: AnyStore) {
    let opened = patterns(&*store).await.len();
    invalidate_pattern(&*store, "users:*").await;
    for tags in [names(["user", "tenant:7"]), names(["", "4:user", "line\nbreak"]), Vec::new()] {
        invalidate(&*store, Invalidation::AllOf(tags.clone())).await;
        let log = patterns(&*store).await;
        let newest = log.last().map(|record| record.nonce);
        assert_eq!(log.last().map(|record| &record.what), Some(&Recorded::AllOf(tags)));
        assert_eq!(read(&*store, "key").await.pattern_nonce, newest);
        assert_eq!(claim(&*store, plain("key")).await.patterns, log);
    }
    assert_eq!(patterns(&*store).await.len(), opened + 4);
}

pub async fn tags_that_an_entry_must_bear_together_keep_their_nonces(store: AnyStore) {
    let tags = &names(["a", "b"])[..];
    let made = claim(&*store, Claim { tags, tag_log: true, ..plain("key") }).await;
    invalidate(&*store, Invalidation::AllOf(tags.to_vec())).await;
    let now: Vec<_> = given(store.tag_nonces(tags).await);
    assert_eq!(now, made.tag_nonces.iter().copied().map(Some).collect::<Vec<_>>());
}

pub async fn a_claim_gives_every_record_after_the_known_one(store: AnyStore) {
    for pattern in ["a*", "b*", "c*", "d*"] {
        invalidate_pattern(&*store, pattern).await;
    }
    let log = patterns(&*store).await;
    for (at, record) in log.iter().enumerate() {
        let known = Some(record.nonce);
        let given = claim(&*store, Claim { known, ..plain("key") }).await.patterns;
        // Earlier ones may come along.
        assert!(log.ends_with(&given), "{given:?}");
        assert!(given.ends_with(&log[at + 1..]) && !given.is_empty(), "{given:?} after {at}");
        let names_it = given.iter().any(|other| other.nonce == record.nonce);
        assert!(names_it, "without it the caller cannot know that nothing is missing");
    }
}

pub async fn a_claim_with_an_unknown_record_gives_the_whole_log(store: AnyStore) {
    let trimmed = patterns(&*store).await[0].nonce;
    invalidate(&*store, Invalidation::All).await;
    invalidate_pattern(&*store, "a*").await;
    invalidate_pattern(&*store, "b*").await;
    let log = patterns(&*store).await;
    let known = Some(trimmed);
    assert_eq!(claim(&*store, Claim { known, ..plain("key") }).await.patterns, log);
}
