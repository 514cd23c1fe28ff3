use super::{super::steps::*, AnyStore};
use crate::{Begin, Claim, ClaimOutcome, Fill, Finish, Invalidation, Life, Nonce, Query, Store};

const LIFE: Life = Life::For(LONG);

/// What a claim with these tags gets for them.
async fn claimed(store: &dyn Store, key: &str, tags: &[String]) -> Vec<Nonce> {
    claim(store, Claim { tags, ..plain(key) }).await.tag_nonces
}

async fn tag_nonces(store: &dyn Store, tags: &[String]) -> Vec<Option<Nonce>> {
    given(store.tag_nonces(tags).await)
}

/// Two tags with nonces of their own: a store may give one nonce to all tags that one claim makes.
async fn two_tags(store: &dyn Store) -> (Nonce, Nonce) {
    let a = claimed(store, "one", &names(["a"])).await[0];
    let b = claimed(store, "other", &names(["b"])).await[0];
    assert_ne!(a, b);
    (a, b)
}

/// The position of the tag log.
async fn capture(store: &dyn Store) -> Nonce {
    let claimed = claim(store, Claim { tag_log: true, ..plain("capture") }).await;
    claimed.tag_log.unwrap_or_else(|| panic!("the claim asked for the tag log's position"))
}

async fn stamp(store: &dyn Store, captured: Nonce, tags: &[String]) -> Option<Vec<Nonce>> {
    given(store.stamp_tags(captured, tags, LIFE).await)
}

pub async fn tag_nonces_are_made_once_and_shared(store: AnyStore) {
    let tags = names(["a", "b"]);
    let made = claimed(&*store, "one", &tags).await;
    assert_eq!(claimed(&*store, "other", &tags).await, made);
    assert_eq!(tag_nonces(&*store, &tags).await, [Some(made[0]), Some(made[1])]);
}

pub async fn tags_are_answered_in_their_order(store: AnyStore) {
    let (a, b) = two_tags(&*store).await;
    let tags = names(["b", "never was", "a", "b"]);
    let expected = [Some(b), None, Some(a), Some(b)];
    assert_eq!(tag_nonces(&*store, &tags).await, expected);
    let reading =
        given(store.read(Query { key: "key", tags: &tags, pattern: true, life: false }).await);
    assert_eq!(reading.tag_nonces, expected);
    let again = claimed(&*store, "key", &names(["b", "a", "b"])).await;
    assert_eq!(again, [b, a, b]);
}

pub async fn an_invalidated_tag_is_gone_and_comes_back_with_another_nonce(store: AnyStore) {
    let tags = names(["a", "b"]);
    let before = claimed(&*store, "key", &tags).await;
    invalidate_tag(&*store, "a").await;
    assert_eq!(tag_nonces(&*store, &tags).await, [None, Some(before[1])]);
    let after = claimed(&*store, "key", &tags).await;
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1], before[1]);
}

pub async fn a_tag_and_a_key_of_one_name_do_not_meet(store: AnyStore) {
    let tags = names(["name"]);
    claimed(&*store, "name", &tags).await;
    stored(&*store, "name", b"value").await;
    invalidate_tag(&*store, "name").await;
    assert!(hit(&*store, "name").await.is_some());
    let tag = claimed(&*store, "other", &tags).await;
    invalidate_key(&*store, "name").await;
    assert_eq!(tag_nonces(&*store, &tags).await, [Some(tag[0])]);
}

pub async fn stamps_are_the_nonces_that_claims_get(store: AnyStore) {
    let (a, b) = two_tags(&*store).await;
    let captured = capture(&*store).await;
    assert_eq!(stamp(&*store, captured, &names(["b", "a"])).await, Some(vec![b, a]));
}

pub async fn stamps_make_tags_that_there_were_not(store: AnyStore) {
    let tags = names(["a", "b"]);
    let captured = capture(&*store).await;
    let made = stamp(&*store, captured, &tags).await.unwrap_or_default();
    assert_eq!(made.len(), 2);
    assert_eq!(claimed(&*store, "key", &tags).await, made);
    assert_eq!(tag_nonces(&*store, &tags).await, [Some(made[0]), Some(made[1])]);
}

pub async fn a_stamp_is_refused_after_one_of_its_tags_was_invalidated(store: AnyStore) {
    for tags in [names(["a", "b"]), names(["b", "a"])] {
        claimed(&*store, "key", &tags).await;
        let captured = capture(&*store).await;
        invalidate_tag(&*store, "a").await;
        assert_eq!(stamp(&*store, captured, &tags).await, None);
        claimed(&*store, "key", &tags).await;
        invalidate_tag(&*store, "other").await;
        assert_eq!(stamp(&*store, captured, &tags).await, None, "the tag is there, but too new");
    }
}

pub async fn a_stamp_is_accepted_after_other_tags_were_invalidated(store: AnyStore) {
    let captured = capture(&*store).await;
    let others = names(["other", "", "a:1", "A"]);
    invalidate(&*store, Invalidation::Tags(others)).await;
    assert!(stamp(&*store, captured, &names(["a", "b"])).await.is_some());
}

pub async fn a_stamp_is_accepted_when_its_tag_was_invalidated_before_the_capture(store: AnyStore) {
    capture(&*store).await;
    invalidate_tag(&*store, "a").await;
    let captured = capture(&*store).await;
    assert!(stamp(&*store, captured, &names(["a"])).await.is_some());
}

pub async fn a_stamp_with_an_unknown_capture_is_refused(store: AnyStore) {
    let unknown = given(Nonce::random());
    assert_eq!(stamp(&*store, unknown, &names(["a"])).await, None);
    capture(&*store).await;
    assert_eq!(stamp(&*store, unknown, &names(["a"])).await, None);
}

pub async fn a_stamp_is_refused_when_its_capture_was_trimmed(store: AnyStore) {
    let captured = capture(&*store).await;
    for round in 0..64 {
        let others = (0..512).map(|number| format!("other:{round}:{number}")).collect();
        invalidate(&*store, Invalidation::Tags(others)).await;
        if stamp(&*store, captured, &names(["a"])).await.is_none() {
            let captured = capture(&*store).await;
            assert!(stamp(&*store, captured, &names(["a"])).await.is_some());
            return;
        }
    }
    panic!("the tag log holds {} records and was not trimmed", 64 * 512);
}

pub async fn claiming_a_tag_again_prolongs_it(store: AnyStore) {
    let tags = &names(["a"])[..];
    let ending = Claim { tags, dependency_life: Life::For(SOON), ..plain("one") };
    let made = claim(&*store, ending).await.tag_nonces;
    let kept = claimed(&*store, "other", tags).await;
    assert_eq!(kept, made, "it has not ended yet");
    outlast(SOON).await;
    assert_eq!(tag_nonces(&*store, tags).await, [Some(kept[0])]);
}

pub async fn stamping_a_tag_again_prolongs_it(store: AnyStore) {
    let tags = &names(["a"])[..];
    let captured = capture(&*store).await;
    let ending = Claim { tags, dependency_life: Life::For(SOON), ..plain("one") };
    let made = claim(&*store, ending).await.tag_nonces;
    assert_eq!(stamp(&*store, captured, tags).await.as_ref(), Some(&made), "not ended yet");
    outlast(SOON).await;
    assert_eq!(tag_nonces(&*store, tags).await, [Some(made[0])]);
}

/// Tags that would end soon, with the key's own dependency, which would not.
async fn ending_tags(store: &dyn Store, key: &str, tags: &[String]) -> (Nonce, Vec<Nonce>) {
    let ending = Claim { tags, dependency_life: Life::For(SOON), ..plain("other") };
    claim(store, ending).await;
    let claimed = Claim { tags, dependency_life: Life::For(SOON), ..plain(key) };
    let claimed = claim(store, claimed).await;
    match claimed.outcome {
        ClaimOutcome::Load(nonce) => (nonce, claimed.tag_nonces),
        other => panic!("expected to load, got {other:?}"),
    }
}

async fn fill_with(store: &dyn Store, life: Life, dependency_life: Life) -> Vec<Option<Nonce>> {
    let tags = names(["a", "b"]);
    let (nonce, made) = ending_tags(store, "key", &tags).await;
    let (value, named) = (&bytes(nonce, b"value"), &[("a", made[0]), ("b", made[1])]);
    let fill = Fill {
        key: "key",
        nonce,
        value,
        tags: named,
        life,
        token: None,
        dependency_life,
        announced: false,
    };
    assert!(given(store.fill(fill).await));
    outlast(SOON).await;
    assert_eq!(tag_nonces(store, &tags).await, [Some(made[0]), Some(made[1])]);
    given(store.read(Query { key: "key", tags: &tags, pattern: true, life: true }).await).tag_nonces
}

pub async fn a_fill_keeps_its_tags_as_long_as_its_value(store: AnyStore) {
    fill_with(&*store, LIFE, Life::For(2 * LONG)).await;
}

pub async fn a_fill_that_lives_forever_keeps_its_tags(store: AnyStore) {
    fill_with(&*store, Life::Forever, Life::Forever).await;
}

pub async fn a_finished_value_keeps_its_tags_as_long_as_itself(store: AnyStore) {
    let tags = &names(["a"])[..];
    let (at_most, soon) = (LONG, Life::For(SOON));
    let begin =
        Begin { key: "key", token: token(), tags, tag_log: false, at_most, dependency_life: soon };
    let begun = given(store.begin(begin).await);
    let finish = Finish {
        key: "key",
        begun: &begun,
        value: Some(b"value"),
        tags: &[("a", begun.tag_nonces[0])],
        life: LIFE,
        dependency_life: Life::For(2 * LONG),
    };
    assert!(given(store.finish(finish).await));
    outlast(SOON).await;
    assert_eq!(tag_nonces(&*store, tags).await, [Some(begun.tag_nonces[0])]);
}

pub async fn a_fill_neither_brings_back_nor_prolongs_a_tag_that_is_another_one_by_now(
    store: AnyStore,
) {
    let tags = names(["gone", "other"]);
    let (nonce, made) = ending_tags(&*store, "key", &tags).await;
    invalidate(&*store, Invalidation::Tags(tags.clone())).await;
    let ending = Claim { tags: &tags[1..], dependency_life: Life::For(SOON), ..plain("another") };
    let other = claim(&*store, ending).await.tag_nonces[0];
    let (value, named) = (&bytes(nonce, b"value"), &[("gone", made[0]), ("other", made[1])]);
    let (life, dependency_life) = (LIFE, Life::For(2 * LONG));
    let fill = Fill {
        key: "key",
        nonce,
        value,
        tags: named,
        life,
        token: None,
        dependency_life,
        announced: false,
    };
    given(store.fill(fill).await);
    assert_eq!(tag_nonces(&*store, &tags).await, [None, Some(other)], "not ended yet");
    outlast(SOON).await;
    assert_eq!(tag_nonces(&*store, &tags).await, [None, None]);
}
