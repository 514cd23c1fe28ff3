//! The behaviour suite of every store, against one server, a cluster and Sentinel.

#![allow(missing_docs)]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use cache_redis::RedisStore;

/// A namespace that nobody else has.
fn prefix() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("case{}:", COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn connect(url: &str, prefix: &str) -> Arc<RedisStore> {
    RedisStore::connect(common::config(url).prefix(prefix)).await.expect("a store")
}

/// A store over a namespace of its own.
async fn fresh(url: &str) -> Arc<RedisStore> {
    connect(url, &prefix()).await
}

/// Two stores over one.
async fn fresh_two(url: &str) -> (Arc<RedisStore>, Arc<RedisStore>) {
    let prefix = prefix();
    (connect(url, &prefix).await, connect(url, &prefix).await)
}

mod one_server {
    use std::sync::{Arc, OnceLock};

    use super::{RedisStore, common::Server, fresh, fresh_two};

    static SERVER: OnceLock<Server> = OnceLock::new();

    fn url() -> String {
        SERVER.get_or_init(|| Server::start(&[])).url()
    }

    async fn store() -> Arc<RedisStore> {
        fresh(&url()).await
    }

    async fn two() -> (Arc<RedisStore>, Arc<RedisStore>) {
        fresh_two(&url()).await
    }

    cache_store::conformance_tests!(store, two);

    /// Which tells no news.
    mod over_resp2 {
        use super::*;

        fn url() -> String {
            format!("{}?protocol=resp2", super::url())
        }

        async fn store() -> Arc<RedisStore> {
            fresh(&url()).await
        }

        async fn two() -> (Arc<RedisStore>, Arc<RedisStore>) {
            fresh_two(&url()).await
        }

        cache_store::conformance_tests!(store, two);
    }
}

#[cfg(feature = "cluster")]
mod cluster {
    use std::sync::{Arc, OnceLock};

    use super::{RedisStore, common::server::Cluster, fresh, fresh_two};

    static CLUSTER: OnceLock<Cluster> = OnceLock::new();

    fn url() -> String {
        CLUSTER.get_or_init(Cluster::start).url()
    }

    async fn store() -> Arc<RedisStore> {
        fresh(&url()).await
    }

    async fn two() -> (Arc<RedisStore>, Arc<RedisStore>) {
        fresh_two(&url()).await
    }

    cache_store::conformance_tests!(store, two);
}

#[cfg(feature = "sentinel")]
mod sentinel {
    use std::sync::{Arc, OnceLock};

    use super::{RedisStore, common::server::Sentinel, fresh, fresh_two};

    static SENTINEL: OnceLock<Sentinel> = OnceLock::new();

    fn url() -> String {
        SENTINEL.get_or_init(Sentinel::start).url()
    }

    async fn store() -> Arc<RedisStore> {
        fresh(&url()).await
    }

    async fn two() -> (Arc<RedisStore>, Arc<RedisStore>) {
        fresh_two(&url()).await
    }

    cache_store::conformance_tests!(store, two);
}
