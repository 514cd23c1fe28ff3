//! What holds of cached responses in memory holds with Redis behind it: the same tests, on the servers that
//! `cache-redis/tests/common/server.rs` starts. Those that move the time by hand have a cache in memory here, too.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]
#![allow(clippy::duplicate_mod, reason = "each of these has the helpers of its own crate")]

mod common;

#[path = "handlers.rs"]
mod handlers;
#[path = "keys.rs"]
mod keys;
#[path = "serving.rs"]
mod serving;
#[path = "storing.rs"]
mod storing;

#[tokio::test]
async fn the_caches_of_these_tests_are_on_a_server() {
    assert!(common::cache().await.health().await.shared.is_some_and(|shared| shared.reachable));
}
