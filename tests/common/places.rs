//! Where a cache's shared tier may be: the same test runs on one server, on a cluster, and behind Sentinel.
#![allow(dead_code, unreachable_pub, unused_macros, clippy::unwrap_used)]

use std::time::Duration;

use cache_store::testing::MemoryStore;
use larder::{Cache, CacheBuilder};

use crate::{
    loads::{self, FLIGHT_WAIT},
    server::{Cluster, Sentinel, Server, wait_until},
};

/// Where the shared tier is, if there is one.
pub enum Place {
    /// There is none.
    Memory,
    /// In this process.
    Shared(MemoryStore),
    One(Server),
    Cluster(Cluster),
    /// Much larger than the others.
    Sentinel(Box<Sentinel>),
}

impl Place {
    pub fn one() -> Self {
        Self::One(Server::start(&[]))
    }

    pub fn cluster() -> Self {
        Self::Cluster(Cluster::start())
    }

    pub fn sentinel() -> Self {
        Self::Sentinel(Box::new(Sentinel::start()))
    }

    pub fn shared() -> Self {
        Self::Shared(MemoryStore::new())
    }

    pub fn url(&self) -> String {
        match self {
            Self::One(server) => server.url(),
            Self::Cluster(cluster) => cluster.url(),
            Self::Sentinel(sentinel) => sentinel.url(),
            Self::Memory | Self::Shared(_) => panic!("no server has it"),
        }
    }

    /// The same as another user, whose password is `x`.
    pub fn url_of(&self, user: &str) -> String {
        self.url().replace("://", &format!("://{user}:x@"))
    }

    /// A cache with its shared tier here; two of them are two processes.
    pub async fn cache(&self) -> Cache {
        match self {
            Self::Memory => Cache::builder().flight_wait(FLIGHT_WAIT).build().await.unwrap(),
            Self::Shared(store) => loads::on(store).await,
            _ => self.builder().flight_wait(FLIGHT_WAIT).build().await.unwrap(),
        }
    }

    /// A deadline that a busy machine keeps.
    pub fn builder(&self) -> CacheBuilder {
        Cache::builder().redis(self.url()).shared_deadline(Duration::from_secs(5))
    }

    /// Asks whoever has the key that the command names.
    pub fn ask(&self, command: &[&str]) -> String {
        if let Self::Sentinel(sentinel) = self {
            return sentinel.master().ask(command);
        }
        let elsewhere = |reply: &String| !reply.starts_with("-MOVED");
        self.servers().iter().map(|server| server.ask(command)).find(elsewhere).unwrap()
    }

    /// Whoever has this key.
    pub fn holder(&self, name: &str) -> &Server {
        let has_it = |server: &&Server| !server.ask(&["EXISTS", name]).starts_with('-');
        match self {
            Self::Sentinel(sentinel) => sentinel.master(),
            _ => self.servers().iter().find(has_it).unwrap(),
        }
    }

    /// Tells each server; all agree.
    pub fn tell_all(&self, command: &[&str], reply: &str) {
        for server in self.servers() {
            assert_eq!(server.ask(command), reply, "{command:?}");
        }
    }

    /// Nothing is stored any more.
    pub fn flush(&self) {
        match self {
            Self::Sentinel(sentinel) => drop(sentinel.master().ask(&["FLUSHALL"])),
            _ => self.tell_all(&["FLUSHALL"], "OK"),
        }
    }

    /// Whether any memory is too much.
    pub fn fill_up(&self, is_full: bool) {
        let most = if is_full { "1" } else { "0" };
        self.tell_all(&["CONFIG", "SET", "maxmemory-policy", "noeviction"], "OK");
        self.tell_all(&["CONFIG", "SET", "maxmemory", most], "OK");
    }

    /// `kill -9` of all that hold data.
    pub fn kill(&mut self) {
        self.servers_mut().iter_mut().for_each(Server::kill);
    }

    /// Whether all of them answer.
    pub fn is_up(&self) -> bool {
        self.servers().iter().all(|server| server.try_ask(&["PING"]).is_ok())
    }

    /// All are there again, and hold nothing.
    pub fn restart(&mut self) {
        self.servers_mut().iter_mut().for_each(Server::restart);
    }

    /// None of them answers.
    pub fn freeze(&self) {
        self.servers().iter().for_each(Server::freeze);
    }

    pub fn thaw(&self) {
        self.servers().iter().for_each(Server::thaw);
    }

    /// Another server takes over from the one that has this key, which is a replica from then on.
    pub fn demote(&self, name: &str) {
        match self {
            Self::Sentinel(sentinel) => sentinel.fail_over(),
            Self::Cluster(cluster) => {
                let owner =
                    cluster.nodes.iter().position(|node| node.id() == cluster.owner(name).id());
                let (owner, replica) =
                    (&cluster.nodes[owner.unwrap()], &cluster.replicas[owner.unwrap()]);
                assert_eq!(replica.ask(&["CLUSTER", "FAILOVER"]), "OK");
                wait_until("the roles are swapped", || owner.ask(&["ROLE"]).starts_with("slave"));
            }
            _ => panic!("nobody could take over"),
        }
    }

    fn servers(&self) -> &[Server] {
        match self {
            Self::Memory | Self::Shared(_) => &[],
            Self::One(server) => std::slice::from_ref(server),
            Self::Cluster(cluster) => &cluster.nodes,
            Self::Sentinel(sentinel) => &sentinel.servers,
        }
    }

    fn servers_mut(&mut self) -> &mut [Server] {
        match self {
            Self::Memory | Self::Shared(_) => &mut [],
            Self::One(server) => std::slice::from_mut(server),
            Self::Cluster(cluster) => &mut cluster.nodes,
            Self::Sentinel(sentinel) => &mut sentinel.servers,
        }
    }
}

/// Makes a test of each of these functions on one server, one on a cluster and one behind Sentinel.
macro_rules! on_redis {
    ($($test:ident),+ $(,)?) => {
        mod one_server {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::places::Place::one()).await;
            })+
        }
        #[cfg(feature = "redis-cluster")]
        mod cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::places::Place::cluster()).await;
            })+
        }
        #[cfg(feature = "redis-sentinel")]
        mod sentinel {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::places::Place::sentinel()).await;
            })+
        }
    };
}

/// The same in memory alone, and with a shared tier in this process.
macro_rules! in_process {
    ($($test:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::places::Place::Memory).await;
            })+
        }
        mod shared {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::places::Place::shared()).await;
            })+
        }
    };
}
