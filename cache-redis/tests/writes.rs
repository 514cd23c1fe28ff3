//! Writing through: what is stored between `begin` and `finish`, and what is not.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::time::Duration;

use cache_redis::RedisStore;
use cache_store::{Begin, Begun, ClaimOutcome, Finish, Invalidation, Store};
use common::{server::wait_until, *};

fn begin(key: &str) -> Begin<'_> {
    Begin {
        key,
        token: token(),
        tags: &[],
        tag_log: false,
        at_most: Duration::from_secs(10),
        dependency_life: DEPENDENCY,
    }
}

fn finish<'a>(key: &'a str, begun: &'a Begun, value: Option<&'a [u8]>) -> Finish<'a> {
    Finish { key, begun, value, tags: &[], life: MINUTE, dependency_life: DEPENDENCY }
}

#[tokio::test]
async fn a_write_stores_its_value_under_a_fresh_nonce() {
    let (server, store) = start().await;
    assert!(put(&store, "a", "old", MINUTE).await);
    let names = vec!["x".to_owned()];
    let begun = store.begin(Begin { tags: &names, tag_log: true, ..begin("a") }).await.unwrap();
    assert!(begun.alone && begun.tag_log.is_some());
    assert_eq!(store.tag_nonces(&names).await.unwrap(), [Some(begun.tag_nonces[0])]);
    assert_eq!(begun.pattern_nonce, store.patterns().await.unwrap().last().unwrap().nonce);
    assert_eq!(get(&store, "a").await, None);
    assert!(store.finish(finish("a", &begun, Some(b"new"))).await.unwrap());
    assert_eq!(get(&store, "a").await.as_deref(), Some("new"));
    assert_ne!(read(&store, "a").await.unwrap().key_nonce, Some(begun.nonce));
    assert_eq!(server.ask(&["EXISTS", "w:{cache:k:a}"]), "0");
}

#[tokio::test]
async fn nothing_is_stored_between_begin_and_finish() {
    let (_server, store) = start().await;
    let loading = nonce_of(&store.claim(claim("a")).await.unwrap());
    let begun = store.begin(begin("a")).await.unwrap();
    assert!(!store.fill(fill("a", loading, &stored(loading, "old"))).await.unwrap());
    assert_eq!(store.claim(claim("a")).await.unwrap().outcome, ClaimOutcome::Writing);
    assert!(!store.finish(finish("a", &begun, None)).await.unwrap());
    nonce_of(&store.claim(claim("a")).await.unwrap());
}

#[tokio::test]
async fn a_key_invalidated_between_begin_and_finish_is_not_stored() {
    let (_server, store) = start().await;
    let begun = store.begin(begin("a")).await.unwrap();
    store.invalidate(&Invalidation::Keys(vec!["a".to_owned()])).await.unwrap();
    assert!(!store.finish(finish("a", &begun, Some(b"old"))).await.unwrap());
    assert_eq!(get(&store, "a").await, None);
}

#[tokio::test]
async fn of_two_writers_at_once_neither_stores_and_the_key_is_invalid() {
    let (_server, store) = start().await;
    let first = store.begin(begin("a")).await.unwrap();
    let second = store.begin(begin("a")).await.unwrap();
    assert!(first.alone && !second.alone);
    assert!(!store.finish(finish("a", &second, Some(b"second"))).await.unwrap());
    assert!(!store.finish(finish("a", &first, Some(b"first"))).await.unwrap());
    assert_eq!(get(&store, "a").await, None);
}

#[tokio::test]
async fn a_writer_that_never_finished_is_forgotten_after_its_time_and_cannot_store_later() {
    let (_server, store) = start().await;
    let short = Begin { at_most: Duration::from_millis(30), ..begin("a") };
    let begun = store.begin(short).await.unwrap();
    store.begin(begin("b")).await.unwrap();
    store.begin(Begin { at_most: Duration::from_millis(1), ..begin("b") }).await.unwrap();
    tokio::time::sleep(Duration::from_millis(40)).await;
    nonce_of(&store.claim(claim("a")).await.unwrap());
    assert!(!store.finish(finish("a", &begun, Some(b"late"))).await.unwrap());
    assert_eq!(get(&store, "a").await, None);
    // A shorter write did not take the longer one's record with it.
    assert_eq!(store.claim(claim("b")).await.unwrap().outcome, ClaimOutcome::Writing);
}

#[tokio::test]
async fn a_writer_that_crashed_beside_a_longer_one_does_not_keep_later_writers_from_storing() {
    let (_server, store) = start().await;
    let long = store.begin(begin("a")).await.unwrap();
    store.begin(Begin { at_most: Duration::from_millis(1), ..begin("a") }).await.unwrap();
    assert!(!store.finish(finish("a", &long, None)).await.unwrap());
    tokio::time::sleep(Duration::from_millis(5)).await;
    let next = store.begin(begin("a")).await.unwrap();
    assert!(next.alone);
    assert!(store.finish(finish("a", &next, Some(b"next"))).await.unwrap());
}

#[tokio::test]
async fn a_write_whose_data_was_lost_meanwhile_stores_nothing() {
    let (server, store) = start().await;
    let begun = store.begin(begin("a")).await.unwrap();
    server.ask(&["FLUSHALL"]);
    assert!(!store.finish(finish("a", &begun, Some(b"old"))).await.unwrap());
    assert_eq!(get(&store, "a").await, None);
}

/// Longer than the test has patience for.
fn long(key: &str) -> Begin<'_> {
    Begin { at_most: Duration::from_secs(600), ..begin(key) }
}

/// One write from beginning to end, after which the server knows the scripts.
async fn write_once(store: &RedisStore) {
    let begun = store.begin(begin("first")).await.unwrap();
    assert!(store.finish(finish("first", &begun, Some(b"value"))).await.unwrap());
}

/// Besides the first one so many writes were announced, and the announcements of these keys are taken back.
fn are_taken_back(server: &Server, announced: u64, keys: &[&str]) {
    wait_until("the announcements came", || server.calls("zadd") >= announced);
    wait_until("they are taken back", || {
        let stands = |key: &&str| server.ask(&["EXISTS", &format!("w:{{cache:k:{key}}}")]) != "0";
        !keys.iter().any(stands)
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_that_was_not_answered_in_time_is_taken_back() {
    let server = Server::start(&[]);
    let deadline = Duration::from_millis(100);
    let connect_hasty = || RedisStore::connect(config(&server.url()).deadline(deadline));
    // After one timeout a store asks nothing until the server is back: one of them for one key, one for many.
    let (one, many) = (connect_hasty().await.unwrap(), connect_hasty().await.unwrap());
    write_once(&one).await;
    let before = server.calls("zadd");
    server.freeze();
    one.begin(long("a")).await.unwrap_err();
    assert!(many.begin_many(&[long("b"), long("c")]).await.iter().all(Result::is_err));
    server.thaw();
    are_taken_back(&server, before + 3, &["a", "b", "c"]);
    nonce_of(&connect(&server).await.claim(claim("a")).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_whose_caller_went_away_is_taken_back() {
    let (server, store) = start().await;
    write_once(&store).await;
    let before = server.calls("zadd");
    server.freeze();
    for _ in 0..2 {
        let begun = tokio::time::timeout(Duration::from_millis(50), store.begin(long("a"))).await;
        assert!(begun.is_err(), "nobody answers");
    }
    server.thaw();
    are_taken_back(&server, before + 2, &["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_without_the_namespace_s_part_is_taken_back_and_the_others_stand() {
    let (server, store) = start().await;
    write_once(&store).await;
    let before = server.calls("zadd");
    let stays = store.begin(long("stays")).await.unwrap();
    server.ask(&["SET", "d:{cache}", "no log"]);
    store.begin(long("a")).await.unwrap_err();
    assert!(store.begin_many(&[long("b"), long("c")]).await.iter().all(Result::is_err));
    server.ask(&["DEL", "d:{cache}"]);
    are_taken_back(&server, before + 4, &["a", "b", "c"]);
    assert_eq!(server.ask(&["EXISTS", "w:{cache:k:stays}"]), "1");
    assert!(store.finish(finish("stays", &stays, Some(b"value"))).await.unwrap());
    let begun = store.begin_many(&[long("a"), long("b")]).await;
    for (key, begun) in ["a", "b"].iter().zip(&begun) {
        let begun = begun.as_ref().unwrap();
        assert!(begun.alone, "nobody is in the way");
        assert!(store.finish(finish(key, begun, Some(b"value"))).await.unwrap());
    }
}
