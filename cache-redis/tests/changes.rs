//! Changes of tags: what is announced on the server, and what becomes of it.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::time::Duration;

use cache_redis::RedisStore;
use cache_store::{Claim, ClaimOutcome, Store};
use common::{server::wait_until, *};

/// Longer than the test has patience for.
const LONG: Duration = Duration::from_secs(600);

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

/// How many names there are of changes of these tags.
fn left(server: &Server, tags: &[&str]) -> String {
    let mut command = vec!["EXISTS".to_owned(), "w:{cache}t".to_owned()];
    command.extend(tags.iter().map(|tag| format!("w:{{cache}}t:{tag}")));
    server.ask(&command.iter().map(String::as_str).collect::<Vec<_>>())
}

async fn is_changing(store: &RedisStore, tags: &[String]) -> bool {
    let claimed = store.claim(Claim { tags, ..claim("key") }).await.unwrap();
    claimed.outcome == ClaimOutcome::Writing
}

#[tokio::test]
async fn a_change_leaves_nothing_behind_when_it_has_ended() {
    let (server, store) = start().await;
    let (tags, change) = (names(["a", "b"]), token());
    store.begin_tags(&tags, change, LONG).await.unwrap();
    assert_eq!(left(&server, &["a", "b"]), "3");
    assert!(is_changing(&store, &tags[..1]).await);
    assert_eq!(server.ask(&["EXISTS", "d:{cache}t:a"]), "0");
    store.finish_tags(&tags, change).await.unwrap();
    assert_eq!(left(&server, &["a", "b"]), "0");
    // Or when it ended by itself.
    store.begin_tags(&tags, token(), Duration::from_millis(1)).await.unwrap();
    wait_until("its time is over", || left(&server, &["a", "b"]) == "0");
    assert!(!is_changing(&store, &tags).await);
}

#[tokio::test]
async fn a_change_that_ended_by_itself_is_over_although_a_longer_one_kept_its_name() {
    let (server, store) = start().await;
    let (one, other) = (names(["a"]), names(["b"]));
    store.begin_tags(&one, token(), Duration::from_millis(1)).await.unwrap();
    store.begin_tags(&other, token(), LONG).await.unwrap();
    wait_until("its time is over", || server.ask(&["EXISTS", "w:{cache}t:a"]) == "0");
    assert!(!is_changing(&store, &one).await);
    assert!(is_changing(&store, &other).await);
    store.begin_tags(&other, token(), LONG).await.unwrap();
    assert_eq!(server.ask(&["ZCARD", "w:{cache}t"]), "1", "the names of those that ended go");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_failed_is_sent_again() {
    let (server, store) = start().await;
    let (tags, change) = (names(["a"]), token());
    store.begin_tags(&tags, change, LONG).await.unwrap();
    server.ask(&["DEL", "g:{cache}"]);
    server.ask(&["SET", "g:{cache}", "no log"]);
    store.finish_tags(&tags, change).await.unwrap_err();
    assert_eq!(left(&server, &["a"]), "2");
    server.ask(&["DEL", "g:{cache}"]);
    wait_until("it is taken back", || left(&server, &["a"]) == "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_whose_caller_went_away_is_sent_again_for_all_its_tags() {
    let (server, store) = start().await;
    let tags: Vec<String> = (0..1_200).map(|number| number.to_string()).collect();
    let change = token();
    store.begin_tags(&tags, change, LONG).await.unwrap();
    server.freeze();
    let finish = tokio::time::timeout(Duration::from_millis(30), store.finish_tags(&tags, change));
    assert!(finish.await.is_err(), "nobody answers");
    server.thaw();
    wait_until("all are taken back", || left(&server, &["0", "1199"]) == "0");
}

#[tokio::test]
async fn a_full_server_takes_a_change_and_its_end() {
    let (server, store) = start().await;
    let (tags, change) = (names(["a"]), token());
    assert!(!is_changing(&store, &tags).await, "it knows the scripts");
    store.begin_tags(&tags, token(), Duration::from_millis(1)).await.unwrap();
    store.finish_tags(&tags, token()).await.unwrap();
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    store.begin_tags(&tags, change, LONG).await.unwrap();
    assert_eq!(left(&server, &["a"]), "2");
    store.finish_tags(&tags, change).await.unwrap();
    assert_eq!(left(&server, &["a"]), "0");
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
}

/// What a full server asks to be given back is never an announcement alone: without it nothing valid is left either.
#[tokio::test]
async fn an_announcement_that_was_evicted_leaves_the_tag_invalid() {
    let (server, store) = start().await;
    let tags = names(["a"]);
    let before = store.claim(Claim { tags: &tags, ..claim("key") }).await.unwrap();
    store.begin_tags(&tags, token(), LONG).await.unwrap();
    server.ask(&["DEL", "w:{cache}t", "w:{cache}t:a"]);
    let after = store.claim(Claim { tags: &tags, ..claim("key") }).await.unwrap();
    assert!(matches!(after.outcome, ClaimOutcome::Load(_)));
    assert_ne!(before.tag_nonces, after.tag_nonces);
}
