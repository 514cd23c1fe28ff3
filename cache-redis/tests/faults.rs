//! A server that is away, frozen, full, replaced or unwilling.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{Begin, Claim, ErrorKind, Fill, Finish, Invalidation, Store};
use common::*;

const DEADLINE: Duration = Duration::from_millis(300);

/// Impatient, as a service is.
fn impatient(url: &str) -> RedisConfig {
    RedisConfig::new(url).deadline(DEADLINE).connect_timeout(DEADLINE)
}

async fn kind_of_read(store: &RedisStore) -> Option<ErrorKind> {
    read(store, "a").await.err().map(|cause| cause.kind())
}

async fn wait_until_up(store: &RedisStore) {
    let until = Instant::now() + Duration::from_secs(20);
    while !store.health().await.reachable {
        assert!(Instant::now() < until, "it does not heal: {store:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_fails_calls_at_once_and_its_successor_is_found() {
    for protocol in ["resp2", "resp3"] {
        let server = Server::start(&[]);
        let url = format!("{}?protocol={protocol}", server.url());
        let store = RedisStore::connect(config(&url)).await.unwrap();
        outlive_the_server(server, &store).await;
    }
}

async fn outlive_the_server(mut server: Server, store: &RedisStore) {
    assert!(put(store, "a", "body", MINUTE).await);
    server.kill();
    let until = Instant::now() + Duration::from_secs(5);
    while kind_of_read(store).await != Some(ErrorKind::Unavailable) {
        assert!(Instant::now() < until);
    }
    assert!(format!("{store:?}").contains("down"), "one broken request is enough: {store:?}");
    let since = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(kind_of_read(store).await, Some(ErrorKind::Unavailable));
    }
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    let health = store.health().await;
    assert!(!health.reachable);
    assert_eq!(health.error.unwrap().kind(), ErrorKind::Unavailable);
    server.restart();
    wait_until_up(store).await;
    assert_eq!(get(store, "a").await, None);
    assert!(put(store, "a", "body", MINUTE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_that_the_server_closed_is_replaced_before_it_is_needed() {
    let (mut server, store) = start().await;
    server.restart();
    common::server::wait_until("a new connection", || server.calls("hello") > 0);
    common::server::wait_until("it is up", || format!("{store:?}").contains(r#"state: "up""#));
    assert_eq!(kind_of_read(&store).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_to_a_frozen_server_are_bounded_and_then_fail_at_once() {
    let server = Server::start(&[]);
    let store = RedisStore::connect(impatient(&server.url())).await.unwrap();
    assert_eq!(kind_of_read(&store).await, None);
    server.freeze();
    let since = Instant::now();
    assert_eq!(kind_of_read(&store).await, Some(ErrorKind::Timeout));
    assert!(since.elapsed() < DEADLINE * 4, "{:?}", since.elapsed());
    let since = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(kind_of_read(&store).await, Some(ErrorKind::Unavailable));
    }
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    server.thaw();
    wait_until_up(&store).await;
    assert_eq!(kind_of_read(&store).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_reconnects_for_all() {
    let (mut server, store) = start().await;
    server.kill();
    server.restart();
    let connections = |server: &Server| -> u64 {
        let stats = server.ask(&["INFO", "stats"]);
        let count = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        count.unwrap().trim().parse().unwrap()
    };
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let store = Arc::clone(&store);
        calls.spawn(async move {
            while kind_of_read(&store).await.is_some() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }
    calls.join_all().await;
    // One for the store; the others are this test's own questions.
    assert!(connections(&server) < 20, "{} connections", connections(&server));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_at_the_start_is_no_error_and_is_found_when_it_comes() {
    let mut server = Server::start(&[]);
    server.kill();
    let store = RedisStore::connect(config(&server.url())).await.unwrap();
    let since = Instant::now();
    let error = read(&store, "a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&server.address()), "{error}");
    assert!(since.elapsed() < Duration::from_secs(2));
    server.restart();
    wait_until_up(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lazy_store_connects_with_its_first_operation() {
    let server = Server::start(&[]);
    let store = RedisStore::lazy(config(&server.url())).unwrap();
    assert!(format!("{store:?}").contains("idle"));
    assert_eq!(kind_of_read(&store).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_use_waits_for_the_connection_at_most_its_deadline() {
    let server = Server::start(&[]);
    server.freeze();
    let store = RedisStore::lazy(impatient(&server.url()).connect_timeout(Duration::from_secs(20)))
        .unwrap();
    let since = Instant::now();
    assert_eq!(kind_of_read(&store).await, Some(ErrorKind::Unavailable));
    assert!(since.elapsed() >= DEADLINE && since.elapsed() < DEADLINE * 4, "{:?}", since.elapsed());
    server.thaw();
    wait_until_up(&store).await;
}

#[test]
fn a_store_lives_on_the_runtime_it_was_given_and_serves_callers_of_others() {
    let server = Server::start(&[]);
    let own =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let store = RedisStore::lazy(config(&server.url()).runtime(own.handle().clone())).unwrap();
    for _ in 0..3 {
        let caller = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stored = caller.block_on(async { put(&store, "a", "body", MINUTE).await });
        assert!(stored);
        caller.block_on(async {
            store.invalidate(&Invalidation::Keys(vec!["a".to_owned()])).await.unwrap();
        });
    }
    assert_eq!(
        RedisStore::lazy(config(&server.url())).unwrap_err().kind(),
        ErrorKind::Config,
        "there is no runtime here"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_handle_takes_the_connections_with_it() {
    let (server, store) = start().await;
    let claimed = store.claim(Claim { lease: Some(lease(60_000)), ..claim("a") }).await.unwrap();
    nonce_of(&claimed);
    store.lease_ended("a", Duration::from_millis(50)).await;
    store.invalidate(&Invalidation::All).await.unwrap();
    let others = |server: &Server| server.ask(&["CLIENT", "LIST"]).lines().count() - 1;
    common::server::wait_until("two connections", || others(&server) == 2);
    drop(store);
    common::server::wait_until("none is left", || others(&server) == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_dropped_while_it_connects_lets_go_at_once() {
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let settings = impatient(&url).connect_timeout(Duration::from_secs(60));
    let store = RedisStore::lazy(settings).unwrap();
    assert_eq!(kind_of_read(&store).await, Some(ErrorKind::Unavailable));
    let (mut line, _) = silent.accept().unwrap();
    drop(store);
    line.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    std::io::copy(&mut line, &mut std::io::sink()).expect("the line is still open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_operation_does_no_harm() {
    let (_server, store) = start().await;
    for round in 0..200_u64 {
        let stop = Duration::from_micros(round * 3);
        let steps = async {
            let nonce = nonce_of(&store.claim(claim("b")).await?);
            store.fill(fill("a", nonce, &stored(nonce, "body"))).await
        };
        let _: Result<cache_store::Result<bool>, _> = tokio::time::timeout(stop, steps).await;
    }
    store.invalidate(&Invalidation::Keys(vec!["a".to_owned()])).await.unwrap();
    assert!(put(&store, "a", "last", MINUTE).await);
    assert_eq!(get(&store, "a").await.as_deref(), Some("last"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_an_error_of_connect_and_shows_nothing_secret() {
    let server = Server::start(&["--requirepass", "right"]);
    for url in [
        format!("redis://:wr0ng-s3cret@{}", server.address()),
        format!("redis://us3r-s3cret:wr0ng-s3cret@{}", server.address()),
        format!("redis://us3r-s3cret:wr0ng-s3cret@{}/?protocol=resp2", server.address()),
        format!("redis://{}", server.address()),
    ] {
        let settings = config(&url);
        let error = RedisStore::connect(settings.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
        let lazy = RedisStore::lazy(settings.clone()).unwrap();
        let late = read(&lazy, "a").await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Unauthorized, "{late}");
        let shown = format!("{error} {error:?} {late} {late:?} {lazy:?} {settings:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    let right = format!("redis://:right@{}", server.address());
    assert_eq!(kind_of_read(&RedisStore::connect(config(&right)).await.unwrap()).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_the_rights_is_an_error_of_connect() {
    let (server, _store) = start().await;
    for missing in [
        "-evalsha", "-eval", "-unlink", "-@read", "-pttl", "-lindex", "-time", "-get", "-set",
        "-pexpire", "-zadd",
    ] {
        let rules = ["ACL", "SETUSER", "s3cret", "reset", "on", "nopass", "~*", "+@all", missing];
        assert_eq!(server.ask(&rules), "OK");
        let url = format!("redis://s3cret:x@{}", server.address());
        let error = RedisStore::connect(config(&url)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{missing}: {error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        assert!(error.to_string().contains("+@read +@write +@scripting"), "{error}");
    }
    let rules = ["ACL", "SETUSER", "app", "reset", "on", "nopass", "~?:{shop*", "+@all"];
    assert_eq!(server.ask(&rules), "OK");
    let url = format!("redis://app:x@{}", server.address());
    let error = RedisStore::connect(config(&url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    let store = RedisStore::connect(config(&url).prefix("shop:")).await.unwrap();
    assert!(put(&store, "a", "body", MINUTE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_right_is_reported_as_what_it_is() {
    let (server, _store) = start().await;
    let rules = ["ACL", "SETUSER", "app", "on", "nopass", "~*", "+@all"];
    server.ask(&rules);
    let url = format!("redis://app:x@{}", server.address());
    let store = RedisStore::connect(config(&url)).await.unwrap();
    server.ask(&["ACL", "SETUSER", "app", "-mget"]);
    assert_eq!(kind_of_read(&store).await, Some(ErrorKind::Unauthorized));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_refuses_values_and_takes_invalidations() {
    let (server, store) = start().await;
    for key in ["a", "b", "c"] {
        assert!(put(&store, key, "body", MINUTE).await);
    }
    let names = vec!["x".to_owned()];
    let captured = store.claim(Claim { tags: &names, tag_log: true, ..claim("a") }).await.unwrap();
    let mine = lease(60_000);
    let leased = store.claim(Claim { lease: Some(mine), ..claim("d") }).await.unwrap();
    let nonce = nonce_of(&leased);
    let begin = Begin {
        key: "b",
        token: token(),
        tags: &[],
        tag_log: false,
        at_most: Duration::from_secs(60),
        dependency_life: DEPENDENCY,
    };
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);

    let big = stored(nonce, &"x".repeat(1_000));
    let refused = store.fill(Fill { token: Some(mine.token), ..fill("d", nonce, &big) }).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(server.ask(&["EXISTS", "v:{cache:k:d}", "l:{cache:k:d}"]), "0", "the lease went");
    assert_eq!(store.claim(claim("new")).await.unwrap_err().kind(), ErrorKind::Refused);

    store.invalidate(&Invalidation::Keys(vec!["a".to_owned()])).await.unwrap();
    store.invalidate(&Invalidation::Tags(names.clone())).await.unwrap();
    store.invalidate(&Invalidation::Pattern("c*".to_owned())).await.unwrap();
    let begun = store.begin(begin).await.unwrap();
    let finish = Finish {
        key: "b",
        begun: &begun,
        value: Some(b"new"),
        tags: &[],
        life: MINUTE,
        dependency_life: DEPENDENCY,
    };
    assert!(!store.finish(finish).await.unwrap(), "a full server stores no value");
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);

    assert_eq!(get(&store, "a").await, None);
    assert_eq!(get(&store, "b").await, None);
    assert_eq!(store.patterns().await.unwrap().pop().unwrap().what.to_text(), "c*");
    let position = captured.tag_log.unwrap();
    assert_eq!(store.stamp_tags(position, &names, DEPENDENCY).await.unwrap(), None);
    store.invalidate(&Invalidation::All).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_became_a_replica_is_left_and_tried_again() {
    let (server, store) = start().await;
    let master = Server::start(&[]);
    let port = master.port.to_string();
    server.ask(&["REPLICAOF", "127.0.0.1", &port]);
    let claimed = store.claim(claim("a")).await;
    assert_eq!(claimed.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(kind_of_read(&store).await, Some(ErrorKind::Unavailable));
    server.ask(&["REPLICAOF", "NO", "ONE"]);
    wait_until_up(&store).await;
    assert!(put(&store, "a", "body", MINUTE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_server_refuses_and_the_store_says_so() {
    let (server, store) = start().await;
    server.ask(&["CONFIG", "SET", "busy-reply-threshold", "1"]);
    let address = server.port;
    let busy = std::thread::spawn(move || {
        let client = redis::Client::open(("127.0.0.1", address)).unwrap();
        let mut connection = client.get_connection().unwrap();
        let endless: redis::RedisResult<()> =
            redis::cmd("EVAL").arg("while true do end").arg(0).query(&mut connection);
        endless
    });
    common::server::wait_until("the server is busy", || {
        server.ask(&["GET", "x"]).starts_with("-BUSY")
    });
    assert_eq!(kind_of_read(&store).await, Some(ErrorKind::Refused));
    server.ask(&["SCRIPT", "KILL"]);
    assert!(busy.join().unwrap().is_err());
    wait_until_up(&store).await;
}
