//! The servers of a deployment, and the lines to them.

use std::{io, net::TcpListener, sync::Arc};

use super::{
    crew::WORKERS,
    proxy::Proxy,
    sentinel::SERVICE,
    server::{Cluster, Server, wait_until},
};
use crate::world::NAMESPACE;

/// How long a master of a cluster may be away before its replica is promoted, in milliseconds.
const NODE_TIMEOUT: &str = "2000";
const MASTERS: usize = 3;

/// What was confirmed is on the disk, so that a server that is killed can come back with all of it.
pub(super) const PERSISTENT: [&str; 6] =
    ["--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-min-size", "8mb"];

pub(crate) struct Field {
    pub(crate) servers: Vec<Server>,
    /// One for each worker, or one for each server of a cluster.
    pub(crate) proxies: Vec<Arc<Proxy>>,
    pub(crate) is_cluster: bool,
    /// Those that watch the servers, if any do.
    pub(super) sentinels: Vec<Server>,
}

impl Field {
    /// One server; every worker has a line of its own.
    pub(crate) fn single() -> io::Result<Self> {
        let server = Server::start(&PERSISTENT);
        let mut proxies = Vec::new();
        for _ in 0..WORKERS {
            let (proxy, listener) = Proxy::bind()?;
            proxy.serve(listener, server.port);
            proxies.push(proxy);
        }
        Ok(Self { servers: vec![server], proxies, is_cluster: false, sentinels: Vec::new() })
    }

    /// Three masters and their replicas. What a node says of its address is its line's.
    pub(crate) fn cluster() -> io::Result<Self> {
        let lines: Vec<(Arc<Proxy>, TcpListener)> =
            (0..2 * MASTERS).map(|_| Proxy::bind()).collect::<io::Result<_>>()?;
        let servers = lines.iter().map(|(line, _)| node(line.port)).collect();
        let servers = Cluster::of(servers).nodes;
        let mut proxies = Vec::new();
        for ((proxy, listener), server) in lines.into_iter().zip(&servers) {
            proxy.serve(listener, server.port);
            proxies.push(proxy);
        }
        for (master, replica) in servers.iter().zip(&servers[MASTERS..]) {
            let id = master.id();
            wait_until("the replica knows its master", || {
                replica.ask(&["CLUSTER", "REPLICATE", &id]) == "OK"
            });
        }
        let field = Self { servers, proxies, is_cluster: true, sentinels: Vec::new() };
        field.settle();
        Ok(field)
    }

    /// Where Redis is, for each worker.
    pub(crate) fn urls(&self) -> Vec<String> {
        if self.is_watched() {
            let watchers: Vec<String> = self.sentinels.iter().map(Server::address).collect();
            return vec![format!("redis-sentinel://{}/{SERVICE}", watchers.join(","))];
        }
        let ports: Vec<String> =
            self.proxies.iter().map(|proxy| format!("127.0.0.1:{}", proxy.port)).collect();
        if self.is_cluster {
            vec![format!("redis-cluster://{}", ports.join(","))]
        } else {
            ports.into_iter().map(|port| format!("redis://{port}")).collect()
        }
    }

    /// Waits until every server answers and knows its place.
    pub(crate) fn settle(&self) {
        wait_until("all servers are well", || {
            if self.is_watched() {
                return self.agree();
            }
            let well = |server: &Server| {
                if !self.is_cluster {
                    return server.try_ask(&["PING"]).is_ok_and(|pong| pong == "PONG");
                }
                let state = server.try_ask(&["CLUSTER", "INFO"]).unwrap_or_default();
                let role = server.try_ask(&["INFO", "replication"]).unwrap_or_default();
                state.contains("cluster_state:ok")
                    && (role.contains("master_link_status:up") || role.contains("state=online"))
            };
            self.servers.iter().all(well)
        });
    }

    /// The servers that are masters.
    pub(crate) fn masters(&self) -> Vec<usize> {
        let is_master = |server: &Server| {
            server.try_ask(&["ROLE"]).is_ok_and(|role| role.starts_with("master"))
        };
        (0..self.servers.len()).filter(|&at| is_master(&self.servers[at])).collect()
    }

    /// The master that owns a key.
    pub(crate) fn owner(&self, key: &str) -> Option<usize> {
        let owns = |at: &usize| {
            self.servers[*at].try_ask(&["EXISTS", key]).is_ok_and(|answer| !answer.starts_with('-'))
        };
        self.masters().into_iter().find(owns)
    }

    /// The replica of a master.
    pub(crate) fn replica_of(&self, master: usize) -> Option<usize> {
        let port = format!("master_port:{}", self.proxies[master].port);
        (0..self.servers.len()).find(|&at| {
            let role = self.servers[at].try_ask(&["INFO", "replication"]).unwrap_or_default();
            role.contains(&port) && role.contains("master_link_status:up")
        })
    }

    /// Invalidates everything by hand, as the manual says.
    pub(crate) fn clear(&self) {
        wait_until("the namespace is cleared", || {
            self.servers.iter().any(|server| {
                // A replica and a master of other slots send one away.
                let answer = server.try_ask(&["UNLINK", NAMESPACE]);
                answer.is_ok_and(|answer| matches!(answer.as_str(), "0" | "1"))
            })
        });
    }
}

fn node(announced: u16) -> Server {
    let announced = announced.to_string();
    let mut arguments = vec![
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        NODE_TIMEOUT,
        "--cluster-require-full-coverage",
        "no",
        "--cluster-allow-replica-migration",
        "no",
        // However long ago a replica heard of its master, it takes its place.
        "--cluster-replica-validity-factor",
        "0",
        "--repl-diskless-sync-delay",
        "0",
        "--cluster-announce-port",
        &announced,
    ];
    arguments.extend(PERSISTENT);
    Server::start(&arguments)
}
