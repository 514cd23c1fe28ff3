//! A server that stops in the middle of everything: what it costs those who ask it.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{ErrorKind, Store};
use common::{server::wait_until, *};
use tokio::task::JoinSet;

const CALLERS: u64 = 1_000;
const DEADLINE: Duration = Duration::from_millis(400);
/// What a busy machine may add to a deadline; far less than a second deadline would.
const SLACK: Duration = Duration::from_millis(300);

fn impatient(url: &str) -> RedisConfig {
    RedisConfig::new(url).deadline(DEADLINE).connect_timeout(Duration::from_secs(5))
}

/// As many reads at the same time: what each of them got, and how long the slowest took.
async fn wave(store: &Arc<RedisStore>) -> (Vec<Option<ErrorKind>>, Duration) {
    let mut calls = JoinSet::new();
    let since = Instant::now();
    for n in 0..CALLERS {
        let store = Arc::clone(store);
        calls.spawn(async move { read(&store, &n.to_string()).await.err().map(|e| e.kind()) });
    }
    (calls.join_all().await, since.elapsed())
}

// Guards: Link::admit (nobody waits behind a timeout), probe::watch (it is found again).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_costs_each_of_a_thousand_callers_one_deadline_and_later_ones_nothing() {
    let server = Server::start(&[]);
    let store = RedisStore::connect(impatient(&server.url())).await.unwrap();
    let before = server.calls("mget");
    server.freeze();
    let (kinds, took) = wave(&store).await;
    assert!(kinds.iter().all(|kind| *kind == Some(ErrorKind::Timeout)), "{kinds:?}");
    assert!(took < DEADLINE + SLACK, "{took:?}");
    // Through the probes on the silent line, and through the attempts to get another.
    let until = Instant::now() + 5 * DEADLINE;
    while Instant::now() < until {
        let (kinds, took) = wave(&store).await;
        assert!(kinds.iter().all(|kind| *kind == Some(ErrorKind::Unavailable)), "{kinds:?}");
        assert!(took < SLACK, "{took:?}");
    }
    server.thaw();
    until_reachable(&store).await;
    assert_eq!(wave(&store).await.0, vec![None; 1_000]);
    assert!(server.calls("mget") - before <= 2 * CALLERS, "the first wave and the last");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_is_over_for_all_as_soon_as_a_probe_is_answered_and_on_the_same_line() {
    let server = Server::start(&[]);
    let store = RedisStore::connect(impatient(&server.url())).await.unwrap();
    let connections = |server: &Server| server.calls("hello");
    let (before, pings) = (connections(&server), server.calls("ping"));
    server.freeze();
    assert_eq!(read(&store, "a").await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(read(&store, "a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    server.thaw();
    // Not `health`, which would be a request of the caller's.
    wait_until("a probe is answered", || server.calls("ping") > pings);
    until_reachable(&store).await;
    assert_eq!(connections(&server), before);
}

/// The callers give up before the deadline, so none of them ever sees that it is over.
// Guard: the drop of `Unanswered`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_is_found_out_when_no_caller_waits_for_its_deadline() {
    let server = Server::start(&[]);
    let store = RedisStore::connect(impatient(&server.url())).await.unwrap();
    server.freeze();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let brief = tokio::time::timeout(DEADLINE / 8, read(&store, "a")).await;
        if brief.is_ok_and(|answer| answer.unwrap_err().kind() == ErrorKind::Unavailable) {
            break;
        }
        assert!(Instant::now() < until, "every caller still waits");
    }
    server.thaw();
    until_reachable(&store).await;
}

// Guard: Link::connects_too_long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_connection_that_hangs_costs_one_deadline() {
    let server = Server::start(&[]);
    server.freeze();
    let settings = impatient(&server.url()).connect_timeout(Duration::from_secs(60));
    let store = RedisStore::lazy(settings).unwrap();
    assert_eq!(read(&store, "a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    let (kinds, took) = wave(&store).await;
    assert!(kinds.iter().all(|kind| *kind == Some(ErrorKind::Unavailable)), "{kinds:?}");
    assert!(took < SLACK, "{took:?}");
    server.thaw();
    until_reachable(&store).await;
}

// Guard: Bulkhead::enter in Link::send_until.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_requests_than_may_be_under_way_fail_at_once_and_are_not_sent() {
    let server = Server::start(&[]);
    let store = RedisStore::connect(impatient(&server.url()).max_requests(10)).await.unwrap();
    let before = server.calls("mget");
    server.freeze();
    let (kinds, _) = wave(&store).await;
    let count = |kind| kinds.iter().filter(|met| **met == Some(kind)).count() as u64;
    assert_eq!(count(ErrorKind::Timeout), 10);
    assert_eq!(count(ErrorKind::Overloaded), CALLERS - 10);
    server.thaw();
    until_reachable(&store).await;
    assert!(server.calls("mget") - before <= 10);
    assert!(read(&store, "a").await.is_ok(), "the places were given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_bytes_than_may_be_under_way_fail_at_once() {
    let server = Server::start(&[]);
    let settings = impatient(&server.url()).max_request_bytes(100_000);
    let store = RedisStore::connect(settings).await.unwrap();
    let nonce = nonce_of(&store.claim(claim("a")).await.unwrap());
    let big = stored(nonce, &"x".repeat(200_000));
    assert!(store.fill(fill("a", nonce, &big)).await.unwrap(), "it may go alone");
    server.freeze();
    let mut pending = std::pin::pin!(store.fill(fill("a", nonce, &big)));
    tokio::select! {
        biased;
        answer = &mut pending => unreachable!("the server is frozen: {answer:?}"),
        // It was polled once and so is under way.
        () = std::future::ready(()) => {}
    }
    assert_eq!(read(&store, "b").await.unwrap_err().kind(), ErrorKind::Overloaded);
    assert_eq!(pending.await.unwrap_err().kind(), ErrorKind::Timeout);
    server.thaw();
    until_reachable(&store).await;
}

async fn until_reachable(store: &RedisStore) {
    let until = Instant::now() + Duration::from_secs(20);
    while !store.health().await.reachable {
        assert!(Instant::now() < until, "it does not heal: {store:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
