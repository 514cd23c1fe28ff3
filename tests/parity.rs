//! What the documents of other services' caching layers show, feature by feature: each test bears the name of one. Those of HTTP,
//! `parity/responses.rs`, are run by `larder-http`. `xtask/src/guides.rs` has the list.
#![cfg(unix)]
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

#[path = "../cache-redis/tests/common/server.rs"]
mod server;

#[path = "parity/asked.rs"]
mod asked;
#[path = "parity/away.rs"]
mod away;
#[path = "parity/clear.rs"]
mod clear;
#[path = "parity/configuration.rs"]
mod configuration;
#[path = "parity/decorators.rs"]
mod decorators;
#[path = "parity/events.rs"]
mod events;
#[path = "parity/explain.rs"]
mod explain;
#[path = "parity/limits.rs"]
mod limits;
#[path = "parity/loaders.rs"]
mod loaders;
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

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{Cache, CacheBuilder};
use server::Server;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

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
    test(builder.shared_deadline(Duration::from_secs(10)).build().await.unwrap()).await;
}

/// Waits for a condition, for as long as a busy machine may need.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, holds).await.expect(what);
}

/// Waits for the session that begins with the first entry of a cache with a shared tier: memory is emptied then.
async fn settled(cache: &Cache) {
    if cache.health().await.shared.is_none() {
        return;
    }
    until("the session lives", async || {
        let load = || async { Ok::<_, larder::Error>(1_u8) };
        cache.get_or_set("settled", load).await.unwrap();
        cache.health().await.session == Some(true)
    })
    .await;
    cache.invalidate("settled").await.unwrap();
}
