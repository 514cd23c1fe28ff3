//! A store that keeps no index of tags passes these: it says so, and nothing else rests on one.

use std::{collections::BTreeSet, time::Duration};

use super::{super::steps::*, AnyStore};
use crate::{Begin, Claim, ClaimOutcome, Fill, Finish, Life, Nonce, Store};

/// Every page of a tag; `None` from a store without an index.
async fn found(store: &dyn Store, tag: &str) -> Option<BTreeSet<String>> {
    let (mut keys, mut from) = (BTreeSet::new(), 0);
    loop {
        let page = given(store.tagged(tag, from).await)?;
        keys.extend(page.keys);
        match page.next {
            Some(next) => from = next,
            None => return Some(keys),
        }
    }
}

/// Whether exactly these keys are found, or the store keeps no index.
async fn finds(store: &dyn Store, tag: &str, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|&key| key.to_owned()).collect();
    if let Some(found) = found(store, tag).await {
        assert_eq!(found, expected, "{tag:?}");
    }
}

/// Loads and fills with these tags, for this life.
async fn tagged(store: &dyn Store, key: &str, tags: &[&str], life: Duration) {
    let names: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
    let claimed = claim(store, Claim { tags: &names, ..plain(key) }).await;
    let ClaimOutcome::Load(nonce) = claimed.outcome else { panic!("{claimed:?}") };
    fill_tagged(store, key, nonce, tags, &claimed.tag_nonces, life).await;
}

async fn fill_tagged(
    store: &dyn Store,
    key: &str,
    nonce: Nonce,
    tags: &[&str],
    nonces: &[Nonce],
    life: Duration,
) {
    let tags: Vec<(&str, Nonce)> = tags.iter().copied().zip(nonces.iter().copied()).collect();
    let (value, life) = (&bytes(nonce, b"value"), Life::For(life));
    let dependency_life = Life::For(2 * LONG);
    let fill = Fill {
        key,
        nonce,
        value,
        tags: &tags,
        life,
        token: None,
        dependency_life,
        announced: false,
    };
    assert!(given(store.fill(fill).await), "the fill was refused");
}

pub async fn keys_are_found_by_their_tags(store: AnyStore) {
    tagged(&*store, "user:1", &["user", "tenant:7"], LONG).await;
    tagged(&*store, "user:2", &["user"], LONG).await;
    tagged(&*store, "ключ:}{ \n", &["odd }{:\0*"], LONG).await;
    stored(&*store, "user:3", b"without a tag").await;
    finds(&*store, "user", &["user:1", "user:2"]).await;
    finds(&*store, "tenant:7", &["user:1"]).await;
    finds(&*store, "odd }{:\0*", &["ключ:}{ \n"]).await;
}

pub async fn a_written_key_is_found_by_its_tags(store: AnyStore) {
    let tags = &names(["user"])[..];
    let (at_most, dependency_life) = (LONG, Life::For(2 * LONG));
    let begin =
        Begin { key: "user:1", token: token(), tags, tag_log: false, at_most, dependency_life };
    let begun = given(store.begin(begin).await);
    let named = &[("user", begun.tag_nonces[0])];
    let finish = Finish {
        key: "user:1",
        begun: &begun,
        value: Some(b"value"),
        tags: named,
        life: Life::For(LONG),
        dependency_life,
    };
    assert!(given(store.finish(finish).await));
    finds(&*store, "user", &["user:1"]).await;
}

pub async fn an_invalidated_tag_finds_nothing_but_what_was_stored_since(store: AnyStore) {
    tagged(&*store, "old", &["user", "other"], LONG).await;
    let late = claim(&*store, Claim { tags: &names(["user"]), ..plain("late") }).await;
    let ClaimOutcome::Load(nonce) = late.outcome else { panic!("{late:?}") };
    invalidate_tag(&*store, "user").await;
    finds(&*store, "user", &[]).await;

    tagged(&*store, "new", &["user"], LONG).await;
    fill_tagged(&*store, "late", nonce, &["user"], &late.tag_nonces, LONG).await;
    finds(&*store, "user", &["new"]).await;
    finds(&*store, "other", &["old"]).await;
}

pub async fn a_key_whose_value_ended_is_not_found(store: AnyStore) {
    tagged(&*store, "long", &["user"], LONG).await;
    tagged(&*store, "short", &["user"], SHORT).await;
    outlast(SHORT).await;
    finds(&*store, "user", &["long"]).await;
}

pub async fn a_tag_without_entries_finds_nothing(store: AnyStore) {
    finds(&*store, "never was", &[]).await;
    claim(&*store, Claim { tags: &names(["claimed"]), ..plain("key") }).await;
    finds(&*store, "claimed", &[]).await;
}

pub async fn many_keys_are_found_page_by_page(store: AnyStore) {
    let keys: Vec<String> = (0..1_500).map(|number| format!("user:{number}")).collect();
    for key in &keys {
        tagged(&*store, key, &["user"], LONG).await;
    }
    finds(&*store, "user", &keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
    if let Some(first) = given(store.tagged("user", 0).await) {
        assert!(first.next.is_some() && first.keys.len() < keys.len(), "it is one page");
    }
}
