//! What the tests share.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

pub mod server;

use std::{sync::Arc, time::Duration};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{
    Claim, ClaimOutcome, Claimed, Fill, Lease, Life, Nonce, Query, Reading, Result, Store,
};
pub use server::Server;

/// A minute.
pub const MINUTE: Life = Life::For(Duration::from_secs(60));
/// Two of them.
pub const DEPENDENCY: Life = Life::For(Duration::from_secs(120));

/// A server and a connected store.
pub async fn start() -> (Server, Arc<RedisStore>) {
    start_with(&[]).await
}

/// The same with arguments for the server.
pub async fn start_with(arguments: &[&str]) -> (Server, Arc<RedisStore>) {
    let server = Server::start(arguments);
    let store = connect(&server).await;
    (server, store)
}

/// One more store for a server.
pub async fn connect(server: &Server) -> Arc<RedisStore> {
    RedisStore::connect(config(&server.url())).await.expect("a store")
}

/// A deadline that a busy machine keeps.
pub fn config(url: &str) -> RedisConfig {
    RedisConfig::new(url).deadline(Duration::from_secs(5)).connect_timeout(Duration::from_secs(5))
}

/// A claim without tags or a lease.
pub fn claim(key: &str) -> Claim<'_> {
    Claim {
        key,
        tags: &[],
        lease: None,
        refused: &[],
        known: None,
        tag_log: false,
        dependency_life: DEPENDENCY,
    }
}

/// A fill without a lease for a minute.
pub fn fill<'a>(key: &'a str, nonce: Nonce, value: &'a [u8]) -> Fill<'a> {
    Fill {
        key,
        nonce,
        value,
        tags: &[],
        life: MINUTE,
        token: None,
        dependency_life: DEPENDENCY,
        announced: false,
    }
}

/// A lease of this many milliseconds.
pub fn lease(ms: u64) -> Lease {
    Lease { token: Nonce::random().unwrap(), life: Duration::from_millis(ms) }
}

/// Stored bytes: the key nonce, then a body.
pub fn stored(nonce: Nonce, body: &str) -> Vec<u8> {
    [nonce.as_bytes(), body.as_bytes()].concat()
}

/// The nonce to fill with.
pub fn nonce_of(claimed: &Claimed) -> Nonce {
    match claimed.outcome {
        ClaimOutcome::Load(nonce) => nonce,
        ref other => panic!("{other:?} instead of Load"),
    }
}

/// Reads without tags.
pub async fn read(store: &RedisStore, key: &str) -> Result<Reading> {
    store.read(Query { key, tags: &[], pattern: true, life: true }).await
}

/// Claims and fills; whether it was stored.
pub async fn put(store: &RedisStore, key: &str, body: &str, life: Life) -> bool {
    let nonce = nonce_of(&store.claim(claim(key)).await.unwrap());
    let value = stored(nonce, body);
    store.fill(Fill { life, ..fill(key, nonce, &value) }).await.unwrap()
}

/// The body of the value that is valid now, judged by the key's nonce alone.
pub async fn get(store: &RedisStore, key: &str) -> Option<String> {
    let reading = read(store, key).await.unwrap();
    let (value, nonce) = (reading.value?, reading.key_nonce?);
    let body = value.strip_prefix(nonce.as_bytes())?;
    Some(String::from_utf8(body.to_vec()).unwrap())
}
