//! URLs and what becomes of the secrets in them.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::time::{Duration, Instant};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{Claim, ErrorKind, Store};
use common::*;

const S: &str = "s3cret";

fn shown(config: &RedisConfig) -> String {
    let error = config.validate().err();
    format!("{config:?} {error:?} {}", error.as_ref().map(ToString::to_string).unwrap_or_default())
}

#[test]
fn no_form_of_url_shows_its_secrets() {
    for url in [
        "redis://s3cret@host",
        "redis://s3cret:s3cret@host:6380/2",
        "redis://:s3cret@host/not-a-database",
        "redis://:s3cret@ho st",
        "redis://user:s3cret/with/slashes@host",
        "redis://user:s3cret#with@host:1",
        "redis://user:s3cret@host:99999",
        "redis://user:s3cret@host?protocol=s3cret",
        "rediss://user:s3cret@host#s3cret",
        "unix:///tmp/socket?user=s3cret&pass=s3cret",
        "redis-sentinel://user:s3cret@a:1,b:2/main?sentinel_password=s3cret",
        "redis-sentinel://user:s3cret@a:1,b:2",
        "redis-cluster://user:s3cret@a:1,b:2",
        "redis://user:s3cret@a:1,redis://b:2",
        "redis://user:s3cret@a,,b",
        "s3cret://host",
        "s3cret",
        "",
    ] {
        let shown = shown(&RedisConfig::new(url));
        assert!(!shown.contains(S), "{url}: {shown}");
    }
}

#[test]
fn a_malformed_url_is_an_error_that_says_what_is_expected() {
    for url in [
        "",
        "localhost",
        "http://localhost",
        "redis://",
        "redis://host:port",
        "redis://host/database",
        "redis://0.0.0.0",
        "redis://a,",
    ] {
        let error = RedisConfig::new(url).validate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        assert!(error.to_string().contains("redis://"), "{url}: {error}");
    }
}

#[test]
fn every_form_of_one_server_is_understood() {
    for (url, address) in [
        ("redis://localhost", "Redis at localhost:6379"),
        ("redis://user:pass@127.0.0.1:6380/3", "Redis at 127.0.0.1:6380"),
        ("valkey://[::1]:6380", "Redis at ::1:6380"),
        ("redis://host?protocol=resp2", "Redis at host:6379"),
        ("redis://host/?family=0", "Redis at host:6379"),
        ("unix:///run/redis.sock", "Redis at /run/redis.sock"),
        ("redis+unix:///run/redis.sock?db=2", "Redis at /run/redis.sock"),
    ] {
        let config = RedisConfig::new(url);
        config.validate().unwrap();
        assert!(format!("{config:?}").contains(address), "{config:?}");
    }
}

fn check_feature(url: &str, enabled: bool, feature: &str, address: &str) {
    let config = RedisConfig::new(url);
    match config.validate() {
        Ok(()) => {
            assert!(enabled, "{url} is accepted without the feature {feature}");
            assert!(format!("{config:?}").contains(address), "{config:?}");
        }
        Err(error) => {
            assert!(!enabled, "{url}: {error}");
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(&format!("`{feature}`")), "{error}");
        }
    }
}

#[test]
fn what_needs_a_feature_names_it() {
    let tls = cfg!(feature = "tls");
    check_feature("rediss://host", tls, "tls", "Redis at host:6379");
    check_feature("valkeys://host", tls, "tls", "Redis at host:6379");
    let cluster = cfg!(feature = "cluster");
    let address = "Redis Cluster at a:1, b:6379";
    check_feature("redis-cluster://a:1,b", cluster, "cluster", address);
    check_feature("redis://a:1,b", cluster, "cluster", address);
    check_feature("redis://a:1,redis://b", cluster, "cluster", address);
    check_feature("redis://a:1?cluster=true", cluster, "cluster", "Redis Cluster at a:1");
    let sentinel = cfg!(feature = "sentinel");
    let address = "Sentinel service main at a:26379, [::1]:2";
    let address =
        if cfg!(feature = "sentinel") { address.replace("[::1]", "::1") } else { String::new() };
    check_feature("redis-sentinel://a,[::1]:2/main/3", sentinel, "sentinel", &address);
}

#[cfg(feature = "cluster")]
#[test]
fn a_cluster_has_one_database() {
    let error = RedisConfig::new("redis-cluster://a,b/1").validate().unwrap_err();
    assert!(error.to_string().contains("databases"), "{error}");
}

#[test]
fn a_bad_prefix_is_an_error_before_anything_is_connected() {
    let error = RedisConfig::new("redis://host").prefix("a{b}:").validate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_database_and_a_password_with_special_characters_reach_the_server() {
    let server = Server::start(&["--requirepass", "p@ss/w:rd%"]);
    let url = format!("redis://:p%40ss%2Fw%3Ard%25@{}/7", server.address());
    let store = RedisStore::connect(config(&url)).await.unwrap();
    assert!(put(&store, "a", "body", MINUTE).await);
    assert_eq!(get(&store, "a").await.as_deref(), Some("body"));
    drop(server);
}

#[tokio::test]
async fn a_unix_socket_and_resp2_work_alike() {
    let dir = std::env::temp_dir().join(format!("larder-socket-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let socket = dir.join("redis.sock").to_string_lossy().into_owned();
    let server = Server::start(&["--unixsocket", &socket]);
    for url in [format!("unix://{socket}"), format!("{}?protocol=resp2", server.url())] {
        let store = RedisStore::connect(config(&url).prefix(url.len().to_string())).await.unwrap();
        assert!(put(&store, "a", "body", MINUTE).await);
        assert_eq!(get(&store, "a").await.as_deref(), Some("body"), "{url}");
        let mine = lease(60_000);
        let wanted = Claim { lease: Some(mine), ..claim("b") };
        let nonce = nonce_of(&store.claim(wanted).await.unwrap());
        let since = Instant::now();
        let release = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            store.release("b", nonce, mine.token).await.unwrap();
        };
        tokio::join!(store.lease_ended("b", Duration::from_secs(30)), release);
        assert!(since.elapsed() < Duration::from_millis(1_500), "{url}: {:?}", since.elapsed());
    }
    drop(server);
    std::fs::remove_dir_all(dir).unwrap();
}
