//! What a server says about itself, and that asking never hangs.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::time::{Duration, Instant};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{ErrorKind, Store};
use common::*;

const DEADLINE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_server_tells_its_version_memory_and_keys() {
    let server = Server::start(&["--maxmemory", "64mb"]);
    let store =
        RedisStore::connect(RedisConfig::new(server.url()).deadline(DEADLINE)).await.unwrap();
    server.ask(&["SET", "a", "1"]);
    server.ask(&["GET", "a"]);
    let info = store.info().await.unwrap();
    assert_eq!(info.servers, 1);
    assert!(info.version.unwrap().contains('.'));
    assert_eq!(info.memory_limit, Some(64 << 20));
    assert!(info.memory_used > Some(0));
    assert!(info.keys >= Some(1) && info.hits >= Some(1));
    assert_eq!(info.evictions, Some(0));
}

#[tokio::test]
async fn a_server_that_is_gone_or_silent_is_an_error_within_the_deadline() {
    let mut server = Server::start(&[]);
    let store =
        RedisStore::connect(RedisConfig::new(server.url()).deadline(DEADLINE)).await.unwrap();
    store.info().await.unwrap();
    server.freeze();
    let asked = Instant::now();
    let silent = store.info().await.unwrap_err();
    server.thaw();
    assert_eq!(silent.kind(), ErrorKind::Timeout);
    assert!(asked.elapsed() < DEADLINE * 5, "{:?}", asked.elapsed());
    server.kill();
    let gone = tokio::time::timeout(DEADLINE * 5, store.info()).await.unwrap().unwrap_err();
    assert!(matches!(gone.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{gone}");
}
