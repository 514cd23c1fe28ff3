//! A master and its replica, watched by sentinels. The workers have no lines that could be broken: sentinels tell them the
//! servers' own addresses.

use std::{io, thread::sleep, time::Duration};

use super::{
    field::{Field, PERSISTENT},
    server::{Server, wait_until},
    servers::{REPLICATION, Servers},
};
use crate::clock::Moment;

/// What the sentinels call the servers.
pub(super) const SERVICE: &str = "main";
const SENTINELS: usize = 3;
/// How many of them have to agree that the master is away.
const QUORUM: usize = 2;
/// How long it may be away before they do.
const DOWN_AFTER: Duration = Duration::from_secs(1);
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(5);

impl Field {
    /// A master, its replica and three sentinels.
    pub(crate) fn sentinel() -> Self {
        let mut arguments = vec!["--repl-diskless-sync-delay", "0"];
        arguments.extend(PERSISTENT);
        let master = Server::start(&arguments);
        let port = master.port.to_string();
        arguments.extend(["--replicaof", "127.0.0.1", &port]);
        let replica = Server::start(&arguments);
        let config = format!(
            "sentinel monitor {SERVICE} 127.0.0.1 {port} {QUORUM}\n\
             sentinel down-after-milliseconds {SERVICE} {}\n\
             sentinel failover-timeout {SERVICE} {}\n",
            DOWN_AFTER.as_millis(),
            FAILOVER_TIMEOUT.as_millis(),
        );
        let watcher = |_| Server::start(&[&config, "--sentinel"]);
        let sentinels = (0..SENTINELS).map(watcher).collect();
        let servers = vec![master, replica];
        let field = Self { servers, proxies: Vec::new(), is_cluster: false, sentinels };
        field.settle();
        field
    }

    /// Whether sentinels watch the servers.
    pub(crate) fn is_watched(&self) -> bool {
        !self.sentinels.is_empty()
    }

    /// The server that is written to: of a cluster one of them.
    pub(crate) fn master(&self) -> &Server {
        &self.servers[self.masters().first().copied().unwrap_or(0)]
    }

    /// The number of the last failover that any sentinel has heard of; each successful one has a greater number.
    pub(super) fn failovers(&self) -> u64 {
        let epochs = self.sentinels.iter().filter_map(|one| told(one, "config-epoch"));
        epochs.max().unwrap_or(0)
    }

    /// Whether there is one master, the other server is in step with it, and all sentinels know that.
    pub(super) fn agree(&self) -> bool {
        let [master] = self.masters()[..] else { return false };
        let in_step = |server: &Server| {
            server.port == self.servers[master].port
                || server
                    .try_ask(&["INFO", "replication"])
                    .is_ok_and(|state| state.contains("master_link_status:up"))
        };
        let knows = |sentinel: &Server| {
            let port = format!("\nport\n{}\n", self.servers[master].port);
            let state = sentinel.try_ask(&["SENTINEL", "MASTER", SERVICE]).unwrap_or_default();
            let others = format!("\nnum-other-sentinels\n{}\n", SENTINELS - 1);
            let is_calm = state.contains("\nflags\nmaster\n");
            is_calm
                && [port.as_str(), &others, "\nnum-slaves\n1\n"].iter().all(|it| state.contains(it))
        };
        self.servers.iter().all(in_step) && self.sentinels.iter().all(knows)
    }
}

/// What a sentinel says of the master.
fn told(sentinel: &Server, what: &str) -> Option<u64> {
    let state = sentinel.try_ask(&["SENTINEL", "MASTER", SERVICE]).ok()?;
    state.lines().skip_while(|line| *line != what).nth(1)?.parse().ok()
}

impl Servers {
    /// Sentinel may replace a master unasked: because the machine is busy and the master answered late. What its replica
    /// had not been sent is lost then, and what the former master takes until it is told, some ten seconds later. Accounts
    /// for that, once all agree again.
    pub(crate) fn account(&mut self) {
        self.field.settle();
        let (known, since) = self.accounted;
        let failovers = self.field.failovers();
        if failovers > known {
            self.forget(
                "Sentinel replaced the master unasked",
                since.minus(REPLICATION),
                Moment::now(),
            );
        }
        self.accounted = (failovers, Moment::now());
        self.unasked += failovers - known;
    }

    /// The replica takes the master's place: because it died, or because a sentinel is told so. The former master comes back
    /// as a replica. What the replica had not been sent is lost, and so is what the former master took until it knew. The
    /// judge is to be held meanwhile.
    pub(crate) fn replace_watched(&mut self, kills: bool, length: Duration) -> io::Result<()> {
        self.account();
        let [master] = self.field.masters()[..] else {
            return Err(io::Error::other("there is not one master"));
        };
        let replica = 1 - master;
        let from = Moment::now().minus(REPLICATION);
        if kills {
            self.field.servers[master].kill();
        } else {
            wait_until("the failover begins", || {
                let sentinel = &self.field.sentinels[0];
                sentinel.ask(&["SENTINEL", "FAILOVER", SERVICE]) == "OK"
            });
        }
        wait_until("the replica is promoted", || self.field.masters().contains(&replica));
        if !kills {
            wait_until("the former master knows", || self.field.masters() == [replica]);
        }
        let (known, _) = self.accounted;
        wait_until("all sentinels know of the failover", || {
            let epochs = |sentinel: &Server| told(sentinel, "config-epoch");
            self.field.sentinels.iter().all(|one| epochs(one).is_some_and(|epoch| epoch > known))
        });
        let (to, failovers) = (Moment::now(), self.field.failovers());
        sleep(length / 4);
        self.forget("a replica was promoted by Sentinel", from, to);
        self.accounted = (failovers, to);
        if kills {
            // Sentinel would write it into its configuration, if it had one.
            let port = self.field.servers[replica].port.to_string();
            self.field.servers[master].restart_with(&["--replicaof", "127.0.0.1", &port]);
        }
        Ok(())
    }
}
