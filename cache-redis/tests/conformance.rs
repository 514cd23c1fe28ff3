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

/// One server by its other doors, as a user who has no more rights than the guide lists.
mod other_doors {
    use std::sync::{Arc, OnceLock};

    use super::{RedisStore, common::Server, fresh, fresh_two};

    static SERVER: OnceLock<Server> = OnceLock::new();

    /// In the server's own directory.
    const SOCKET: &str = "socket";

    fn server() -> &'static Server {
        SERVER.get_or_init(|| {
            let server = Server::start(&["--unixsocket", SOCKET]);
            let rules = "ACL SETUSER app on >s3cret ~?:{case* +@read +@write +@scripting +@connection \
                         -@dangerous +time +info +role +cluster &* +@pubsub";
            assert_eq!(server.ask(&rules.split_whitespace().collect::<Vec<_>>()), "OK");
            server
        })
    }

    mod a_user {
        use super::*;

        fn url() -> String {
            format!("redis://app:s3cret@{}", server().address())
        }

        async fn store() -> Arc<RedisStore> {
            fresh(&url()).await
        }

        async fn two() -> (Arc<RedisStore>, Arc<RedisStore>) {
            fresh_two(&url()).await
        }

        cache_store::conformance_tests!(store, two);
    }

    mod a_unix_socket {
        use super::*;

        fn url() -> String {
            let path = server().dir().join(SOCKET);
            format!("unix://{}?user=app&pass=s3cret", path.display())
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

#[cfg(feature = "tls")]
mod tls {
    use std::sync::{Arc, OnceLock};

    use super::{
        RedisStore,
        common::{Server, certificates::Certificates, config},
        prefix,
    };

    static SERVER: OnceLock<(Server, u16, Vec<u8>)> = OnceLock::new();

    async fn connect(prefix: &str) -> Arc<RedisStore> {
        let (_, port, authority) = SERVER.get_or_init(|| {
            let certificates = Certificates::new("conformance");
            let (server, port) = certificates.serve("no");
            (server, port, certificates.read("ca.crt"))
        });
        let config = config(&format!("rediss://127.0.0.1:{port}")).prefix(prefix);
        RedisStore::connect(config.root_certificate(authority.clone())).await.expect("a store")
    }

    async fn store() -> Arc<RedisStore> {
        connect(&prefix()).await
    }

    async fn two() -> (Arc<RedisStore>, Arc<RedisStore>) {
        let prefix = prefix();
        (connect(&prefix).await, connect(&prefix).await)
    }

    cache_store::conformance_tests!(store, two);
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
