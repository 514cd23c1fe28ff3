//! Changes of tags that are announced: what a transaction does before it commits.

use super::{super::steps::*, AnyStore};
use crate::{Begin, Claim, ClaimOutcome, Fill, Life, Nonce, Query, Store};

async fn begin_change(store: &dyn Store, tags: &[String], at_most: std::time::Duration) -> Nonce {
    let token = token();
    given(store.begin_tags(tags, token, at_most).await);
    token
}

fn bearing<'a>(key: &'a str, tags: &'a [String]) -> Claim<'a> {
    Claim { tags, ..plain(key) }
}

/// Stores a value with these tags; whether a read finds all of its dependencies.
async fn store_with(store: &dyn Store, key: &str, tags: &[String]) -> bool {
    let claimed = claim(store, bearing(key, tags)).await;
    let ClaimOutcome::Load(nonce) = claimed.outcome else { return false };
    fill_with(store, key, nonce, tags, &claimed.tag_nonces).await;
    is_valid(store, key, tags, &claimed.tag_nonces).await
}

async fn fill_with(store: &dyn Store, key: &str, nonce: Nonce, tags: &[String], nonces: &[Nonce]) {
    let named: Vec<(&str, Nonce)> =
        tags.iter().map(String::as_str).zip(nonces.iter().copied()).collect();
    let (life, dependency_life) = (Life::For(LONG), Life::For(2 * LONG));
    let fill = Fill {
        key,
        nonce,
        value: &bytes(nonce, b"value"),
        tags: &named,
        life,
        token: None,
        dependency_life,
        announced: false,
    };
    given(store.fill(fill).await);
}

/// Where the tag log stands.
async fn position(store: &dyn Store) -> Nonce {
    let claimed = claim(store, Claim { tag_log: true, ..plain("key") }).await;
    claimed.tag_log.unwrap_or_else(|| panic!("the claim asked for it"))
}

async fn is_valid(store: &dyn Store, key: &str, tags: &[String], nonces: &[Nonce]) -> bool {
    let query = Query { key, tags, pattern: true, life: false };
    let reading = given(store.read(query).await);
    let current = nonces.iter().copied().map(Some);
    reading.value.is_some() && reading.tag_nonces.into_iter().eq(current)
}

pub async fn nothing_with_a_tag_is_stored_while_it_is_changed(store: AnyStore) {
    let (tags, others) = (names(["a", "b"]), names(["c"]));
    let change = begin_change(&*store, &names(["b"]), LONG).await;
    for wanted in [bearing("key", &tags), Claim { tags: &tags, ..leased("key", lease(LONG)) }] {
        assert_eq!(claim(&*store, wanted).await.outcome, ClaimOutcome::Writing);
        let many = store.claim_many(&[wanted, bearing("other", &others)]).await;
        let outcomes: Vec<_> = many.into_iter().map(|one| given(one).outcome).collect();
        assert_eq!(outcomes[0], ClaimOutcome::Writing);
        assert!(matches!(outcomes[1], ClaimOutcome::Load(_)), "{outcomes:?}");
    }
    assert_eq!(given(store.tag_nonces(&names(["b"])).await), [None]);
    assert!(store_with(&*store, "other", &others).await, "another tag");
    given(store.finish_tags(&names(["b"]), change).await);
    assert!(store_with(&*store, "key", &tags).await);
    // Nobody kept the lease that was asked for meanwhile.
    load_eventually(&*store, leased("another", lease(LONG))).await;
}

pub async fn what_a_tag_had_ends_when_its_change_begins(store: AnyStore) {
    let tags = names(["a"]);
    let before = claim(&*store, bearing("key", &tags)).await.tag_nonces;
    assert!(store_with(&*store, "key", &tags).await);
    let change = begin_change(&*store, &tags, LONG).await;
    assert!(!is_valid(&*store, "key", &tags, &before).await);
    given(store.finish_tags(&tags, change).await);
    assert!(!is_valid(&*store, "key", &tags, &before).await);
}

pub async fn a_load_from_before_a_change_of_its_tag_stores_nothing_valid(store: AnyStore) {
    let tags = names(["a"]);
    let claimed = claim(&*store, bearing("key", &tags)).await;
    let ClaimOutcome::Load(nonce) = claimed.outcome else { panic!("{claimed:?}") };
    let change = begin_change(&*store, &tags, LONG).await;
    fill_with(&*store, "key", nonce, &tags, &claimed.tag_nonces).await;
    assert!(!is_valid(&*store, "key", &tags, &claimed.tag_nonces).await);
    given(store.finish_tags(&tags, change).await);
    assert!(!is_valid(&*store, "key", &tags, &claimed.tag_nonces).await);
}

pub async fn a_write_that_begins_while_its_tag_is_changed_stores_nothing(store: AnyStore) {
    let tags = names(["a"]);
    let change = begin_change(&*store, &tags, LONG).await;
    for many in [false, true] {
        let (token, at_most, dependency_life) = (token(), LONG, Life::For(2 * LONG));
        let begin =
            Begin { key: "key", token, tags: &tags, tag_log: false, at_most, dependency_life };
        let begun = match many {
            false => given(store.begin(begin).await),
            true => given(store.begin_many(&[begin]).await.remove(0)),
        };
        assert!(!finish(&*store, "key", &begun, Some(b"value")).await);
    }
    given(store.finish_tags(&tags, change).await);
    assert_eq!(hit(&*store, "key").await, None);
}

pub async fn a_stamp_is_refused_while_its_tag_is_changed(store: AnyStore) {
    let (tags, life) = (names(["a"]), Life::For(LONG));
    let change = begin_change(&*store, &tags, LONG).await;
    // A load that begins now and learns of the tag later.
    let captured = position(&*store).await;
    assert_eq!(given(store.stamp_tags(captured, &tags, life).await), None);
    assert!(given(store.stamp_tags(captured, &names(["b"]), life).await).is_some());
    given(store.finish_tags(&tags, change).await);
    assert_eq!(given(store.stamp_tags(captured, &tags, life).await), None, "it began before");
    let captured = position(&*store).await;
    assert!(given(store.stamp_tags(captured, &tags, life).await).is_some());
}

pub async fn an_invalidation_ends_no_change_of_a_tag(store: AnyStore) {
    let tags = names(["a"]);
    let change = begin_change(&*store, &tags, LONG).await;
    invalidate_tag(&*store, "a").await;
    assert_eq!(claim(&*store, bearing("key", &tags)).await.outcome, ClaimOutcome::Writing);
    given(store.finish_tags(&tags, change).await);
    assert!(store_with(&*store, "key", &tags).await);
}

pub async fn of_two_changes_of_a_tag_each_ends_alone(store: AnyStore) {
    let tags = names(["a"]);
    let one = begin_change(&*store, &tags, LONG).await;
    let other = begin_change(&*store, &tags, LONG).await;
    given(store.finish_tags(&tags, other).await);
    assert!(!store_with(&*store, "key", &tags).await, "the first one is still at it");
    given(store.finish_tags(&tags, one).await);
    assert!(store_with(&*store, "key", &tags).await);
}

pub async fn an_unfinished_change_of_a_tag_is_over_after_its_time(store: AnyStore) {
    let tags = names(["a"]);
    let before = claim(&*store, bearing("key", &tags)).await.tag_nonces;
    assert!(store_with(&*store, "key", &tags).await);
    begin_change(&*store, &tags, SHORT).await;
    load_eventually(&*store, bearing("other", &tags)).await;
    assert!(!is_valid(&*store, "key", &tags, &before).await, "it was invalidated");
}

pub async fn a_change_of_a_tag_may_be_finished_twice_and_without_having_begun(store: AnyStore) {
    let tags = names(["a"]);
    let before = claim(&*store, bearing("key", &tags)).await.tag_nonces;
    assert!(store_with(&*store, "key", &tags).await);
    let change = token();
    for _ in 0..2 {
        given(store.finish_tags(&tags, change).await);
        assert!(!is_valid(&*store, "key", &tags, &before).await);
    }
    assert!(store_with(&*store, "other", &tags).await);
}
