//! Following Sentinel to the master of the day.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]
#![cfg(feature = "sentinel")]

mod common;

use std::time::{Duration, Instant};

use cache_redis::RedisStore;
use cache_store::{ClaimOutcome, ErrorKind, Store};
use common::{server::Sentinel, *};

async fn wait_until_writable(store: &RedisStore) {
    let until = Instant::now() + Duration::from_secs(30);
    while store.claim(claim("probe")).await.is_err() {
        assert!(Instant::now() < until, "no master was found: {store:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallen_master_is_replaced_by_the_one_that_sentinel_promotes() {
    let mut tier = Sentinel::start();
    let store = RedisStore::connect(config(&tier.url())).await.unwrap();
    assert!(put(&store, "a", "body", MINUTE).await);
    assert_eq!(tier.servers[0].ask(&["EXISTS", "v:{cache:k:a}"]), "1");
    tier.servers[0].kill();
    // A slow machine makes the sentinel doubt the new master, too: what counts is that it is found, not when.
    let until = Instant::now() + Duration::from_secs(30);
    let stored = async |body: &str| {
        let nonce = match store.claim(claim("b")).await?.outcome {
            ClaimOutcome::Load(nonce) => nonce,
            _ => return Ok(false),
        };
        store.fill(fill("b", nonce, &stored(nonce, body))).await
    };
    while !matches!(stored("body").await, Ok(true)) {
        assert!(Instant::now() < until, "no master was found: {store:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(tier.servers[1].ask(&["EXISTS", "v:{cache:k:b}"]), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_is_followed() {
    let tier = Sentinel::start();
    let store = RedisStore::connect(config(&tier.url())).await.unwrap();
    assert!(put(&store, "a", "body", MINUTE).await);
    common::server::wait_until("the failover starts", || {
        tier.sentinel.ask(&["SENTINEL", "FAILOVER", "main"]) == "OK"
    });
    let is = |server: &Server, role: &str| {
        server.try_ask(&["ROLE"]).is_ok_and(|present| present.starts_with(role))
    };
    common::server::wait_until("the roles are swapped", || {
        is(&tier.servers[1], "master") && is(&tier.servers[0], "slave")
    });
    wait_until_writable(&store).await;
    assert!(put(&store, "b", "body", MINUTE).await);
    assert_eq!(tier.servers[1].ask(&["EXISTS", "v:{cache:k:b}"]), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_sentinel_and_an_unknown_service_are_told_apart_from_mistakes() {
    let tier = Sentinel::start();
    let free = common::server::free_port();
    let both = format!("redis-sentinel://127.0.0.1:{free},127.0.0.1:{}/main", tier.sentinel.port);
    let store = RedisStore::connect(config(&both)).await.unwrap();
    assert!(put(&store, "a", "body", MINUTE).await);

    let unknown = tier.url().replace("/main", "/other");
    let store = RedisStore::connect(config(&unknown)).await.unwrap();
    let error = read(&store, "a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("other"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_are_for_the_master_and_a_wrong_one_is_an_error_of_connect() {
    let tier = Sentinel::start();
    for server in &tier.servers {
        server.ask(&["ACL", "SETUSER", "app", "on", ">right", "~*", "+@all"]);
    }
    let with = |credentials: &str| tier.url().replace("://", &format!("://{credentials}@"));
    let store = RedisStore::connect(config(&with("app:right"))).await.unwrap();
    assert!(put(&store, "a", "body", MINUTE).await);
    let error = RedisStore::connect(config(&with("app:wr0ng-s3cret"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_have_credentials_of_their_own() {
    let tier = Sentinel::start();
    let watcher = ["ACL", "SETUSER", "watch", "on", ">p4ss", "~*", "&*", "+@all"];
    assert_eq!(tier.sentinel.ask(&watcher), "OK");
    assert_eq!(tier.sentinel.ask(&["ACL", "SETUSER", "default", "off"]), "OK");
    let url = format!("{}?sentinel_username=watch&sentinel_password=p4ss", tier.url());
    let store = RedisStore::connect(config(&url)).await.unwrap();
    assert!(put(&store, "a", "body", MINUTE).await);
    let error = RedisStore::connect(config(&tier.url())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    let error = RedisStore::connect(config(&url.replace("p4ss", "s3cret"))).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_is_pushed_to_by_the_master() {
    let tier = Sentinel::start();
    let store = RedisStore::connect(config(&tier.url())).await.unwrap();
    let mine = lease(60_000);
    let wanted = cache_store::Claim { lease: Some(mine), ..claim("a") };
    let nonce = nonce_of(&store.claim(wanted).await.unwrap());
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { store.lease_ended("a", Duration::from_secs(30)).await })
    };
    common::server::wait_until("it looked", || tier.servers[0].calls("mget") == 1);
    store.release("a", nonce, mine.token).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    assert_eq!(tier.servers[0].calls("mget"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_successor_of_a_fallen_master_is_heard_and_may_have_gone_back() {
    let mut tier = Sentinel::start();
    let settings = config(&tier.url()).deadline(Duration::from_millis(500));
    let store = RedisStore::connect(settings.clone()).await.unwrap();
    let ears = Ears::attentive(&store).await;
    assert!(put(&store, "a", "body", MINUTE).await);
    assert!(ears.told(&store).await.contains(&"key a".to_owned()));
    tier.servers[0].kill();
    until_dead(&store).await;
    until_alive(&store).await;
    let heard = ears.take();
    assert_eq!(heard.first().map(String::as_str), Some("gap"), "{heard:?}");
    assert!(heard.contains(&"rewound".to_owned()), "{heard:?}");
    assert_eq!(tracking(&tier.servers[1]).len(), 1);
    let other = RedisStore::connect(settings).await.unwrap();
    wait_until_writable(&other).await;
    assert!(put(&other, "b", "body", MINUTE).await);
    assert!(ears.told(&store).await.contains(&"key b".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_leaves_no_heartbeat_to_the_old_master() {
    let tier = Sentinel::start();
    let store = RedisStore::connect(config(&tier.url())).await.unwrap();
    let ears = Ears::attentive(&store).await;
    let is = |server: &Server, role: &str| {
        server.try_ask(&["ROLE"]).is_ok_and(|present| present.starts_with(role))
    };
    let until = Instant::now() + Duration::from_secs(40);
    let mut heard = Vec::new();
    while !heard.contains(&"rewound".to_owned()) {
        assert!(Instant::now() < until, "{heard:?}");
        if !is(&tier.servers[1], "master") {
            // Again and again: a slow machine makes the sentinel give a failover up.
            tier.sentinel.ask(&["SENTINEL", "FAILOVER", "main"]);
        }
        let was_replica = is(&tier.servers[0], "slave");
        let is_well = store.heartbeat().await.is_ok();
        heard.extend(ears.take());
        let follows = heard.contains(&"rewound".to_owned());
        assert!(!(was_replica && is_well) || follows, "the old master was a replica: {heard:?}");
    }
    until_alive(&store).await;
    tier.servers[1].ask(&["SET", "d:{cache:k:a}", "changed"]);
    assert!(ears.told(&store).await.contains(&"key a".to_owned()));
    assert!(tracking(&tier.servers[0]).is_empty());
}
