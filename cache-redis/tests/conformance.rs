//! The behaviour suite of every store, against one server, a cluster and Sentinel.

#![allow(missing_docs)]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use cache_redis::RedisStore;

/// A store over a namespace of its own.
async fn fresh(url: &str) -> Arc<RedisStore> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let prefix = format!("case{}:", COUNT.fetch_add(1, Ordering::Relaxed));
    RedisStore::connect(common::config(url).prefix(prefix)).await.expect("a store")
}

mod one_server {
    use std::sync::OnceLock;

    use super::{RedisStore, common::Server, fresh};

    static SERVER: OnceLock<Server> = OnceLock::new();

    async fn store() -> super::Arc<RedisStore> {
        fresh(&SERVER.get_or_init(|| Server::start(&[])).url()).await
    }

    cache_store::conformance_tests!(store);
}

#[cfg(feature = "cluster")]
mod cluster {
    use std::sync::OnceLock;

    use super::{RedisStore, common::server::Cluster, fresh};

    static CLUSTER: OnceLock<Cluster> = OnceLock::new();

    async fn store() -> super::Arc<RedisStore> {
        fresh(&CLUSTER.get_or_init(Cluster::start).url()).await
    }

    cache_store::conformance_tests!(store);
}

#[cfg(feature = "sentinel")]
mod sentinel {
    use std::sync::OnceLock;

    use super::{RedisStore, common::server::Sentinel, fresh};

    static SENTINEL: OnceLock<Sentinel> = OnceLock::new();

    async fn store() -> super::Arc<RedisStore> {
        fresh(&SENTINEL.get_or_init(Sentinel::start).url()).await
    }

    cache_store::conformance_tests!(store);
}
