//! What the documents of other services' caching layers show, feature by feature: each test bears the name of one.
#![cfg(unix)]
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

#[path = "../cache-redis/tests/common/server.rs"]
mod server;

#[path = "parity/configuration.rs"]
mod configuration;
#[path = "parity/explain.rs"]
mod explain;
#[path = "parity/limits.rs"]
mod limits;
#[path = "parity/locks.rs"]
mod locks;
#[path = "parity/metrics.rs"]
mod metrics;
#[path = "parity/pubsub.rs"]
mod pubsub;
#[path = "parity/queries.rs"]
mod queries;
#[path = "parity/sessions.rs"]
mod sessions;
#[path = "parity/stats.rs"]
mod stats;

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use larder::{Cache, CacheBuilder};
use server::Server;

/// A cache without a shared tier, then one on a real server.
async fn for_both_forms(test: impl AsyncFn(Cache)) {
    for_both_forms_of(Cache::builder, test).await;
}

/// The same with settings.
async fn for_both_forms_of(builder: impl Fn() -> CacheBuilder, test: impl AsyncFn(Cache)) {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    test(builder().build().await.unwrap()).await;
    let url = SERVER.get_or_init(|| Server::start(&[])).url();
    let prefix = format!("parity{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let builder = builder().redis(&url).prefix(prefix);
    // A deadline that a busy machine keeps.
    test(builder.shared_deadline(std::time::Duration::from_secs(10)).build().await.unwrap()).await;
}
