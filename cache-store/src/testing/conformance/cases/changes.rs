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
    for lease in [None, Some(lease(LONG))] {
        let wanted = |key| Claim { lease, ..bearing(key, &tags) };
        assert_eq!(claim(&*store, wanted("third")).await.outcome, ClaimOutcome::Writing);
        let many = store.claim_many(&[wanted("fourth"), bearing("other", &others)]).await;
        let outcomes: Vec<_> = many.into_iter().map(|one| given(one).outcome).collect();
        assert_eq!(outcomes[0], ClaimOutcome::Writing);
        assert!(matches!(outcomes[1], ClaimOutcome::Load(_)), "{outcomes:?}");
    }
    assert_eq!(given(store.tag_nonces(&names(["b"])).await), [None]);
    assert!(store_with(&*store, "other", &others).await, "another tag");
    given(store.finish_tags(&names(["b"]), change).await);
    assert!(store_with(&*store, "key", &tags).await);
    // Nobody kept the lease that was asked for meanwhile.
    for key in ["third", "fourth"] {
        load_eventually(&*store, leased(key, lease(LONG))).await;
    }
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

/// What a claim and a write, alone and among many, are told of changes of tags.
async fn told(store: &dyn Store, key: &str) -> [(Option<Nonce>, Vec<String>); 4] {
    let wanted = Claim { tag_log: true, ..plain(key) };
    let (at_most, dependency_life) = (SHORT, Life::For(2 * LONG));
    let begin =
        || Begin { key, token: token(), tags: &[], tag_log: true, at_most, dependency_life };
    let one = claim(store, wanted).await;
    let many = given(store.claim_many(&[wanted]).await.remove(0));
    let write = given(store.begin(begin()).await);
    let writes = given(store.begin_many(&[begin()]).await.remove(0));
    for begun in [&write, &writes] {
        finish(store, key, begun, None).await;
    }
    [
        (one.tag_log, one.changing),
        (many.tag_log, many.changing),
        (write.tag_log, write.changing),
        (writes.tag_log, writes.changing),
    ]
}

pub async fn whoever_learns_tags_from_values_is_told_which_are_changed(store: AnyStore) {
    let change = begin_change(&*store, &names(["a", "b"]), LONG).await;
    for (tag_log, mut changing) in told(&*store, "key").await {
        changing.sort();
        assert_eq!((tag_log.is_some(), changing), (true, names(["a", "b"])));
    }
    given(store.finish_tags(&names(["a"]), change).await);
    for (_, changing) in told(&*store, "key").await {
        assert_eq!(changing, names(["b"]));
    }
    given(store.finish_tags(&names(["b"]), change).await);
    for (tag_log, changing) in told(&*store, "key").await {
        assert_eq!((tag_log.is_some(), changing), (true, Vec::new()));
    }
    begin_change(&*store, &names(["a"]), SHORT).await;
    eventually("its end", async || {
        let changing = claim(&*store, Claim { tag_log: true, ..plain("key") }).await.changing;
        changing.is_empty().then_some(())
    })
    .await;
}

pub async fn of_more_changed_tags_than_can_be_told_none_is_stored_when_learned(store: AnyStore) {
    let tags: Vec<String> = (0..600).map(|number| format!("tag {number}")).collect();
    let change = begin_change(&*store, &tags, LONG).await;
    for (tag_log, changing) in told(&*store, "key").await {
        assert!(tag_log.is_none() || tags.iter().all(|tag| changing.contains(tag)));
    }
    assert!(!store_with(&*store, "key", &tags[599..]).await);
    given(store.finish_tags(&tags, change).await);
    assert!(store_with(&*store, "key", &tags).await);
    for (tag_log, changing) in told(&*store, "key").await {
        assert_eq!((tag_log.is_some(), changing.len()), (true, 0));
    }
}

pub async fn a_stamp_of_a_load_from_before_a_change_is_refused(store: AnyStore) {
    let (tags, life) = (names(["a"]), Life::For(LONG));
    let before = position(&*store).await;
    let change = begin_change(&*store, &tags, LONG).await;
    let meanwhile = position(&*store).await;
    assert_eq!(given(store.stamp_tags(before, &tags, life).await), None);
    assert!(given(store.stamp_tags(before, &names(["b"]), life).await).is_some());
    given(store.finish_tags(&tags, change).await);
    for captured in [before, meanwhile] {
        assert_eq!(given(store.stamp_tags(captured, &tags, life).await), None);
    }
    assert!(given(store.stamp_tags(position(&*store).await, &tags, life).await).is_some());
}

pub async fn a_change_that_is_announced_twice_is_one(store: AnyStore) {
    let (tags, change) = (names(["a"]), token());
    for _ in 0..2 {
        given(store.begin_tags(&tags, change, LONG).await);
    }
    assert!(!store_with(&*store, "key", &tags).await);
    given(store.finish_tags(&tags, change).await);
    assert!(store_with(&*store, "key", &tags).await);
}

pub async fn the_time_of_a_short_change_ends_no_long_one(store: AnyStore) {
    let tags = names(["a"]);
    let long = begin_change(&*store, &tags, LONG).await;
    begin_change(&*store, &tags, SHORT).await;
    outlast(SHORT).await;
    assert!(!store_with(&*store, "key", &tags).await);
    given(store.finish_tags(&tags, long).await);
    assert!(store_with(&*store, "key", &tags).await);
}

pub async fn the_end_of_a_long_change_leaves_a_short_one_its_time(store: AnyStore) {
    let tags = names(["a"]);
    begin_change(&*store, &tags, SOON).await;
    let long = begin_change(&*store, &tags, LONG).await;
    given(store.finish_tags(&tags, long).await);
    assert!(!store_with(&*store, "key", &tags).await);
    load_eventually(&*store, bearing("other", &tags)).await;
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
