//! Two servers that both call themselves masters: a failover that the former master does not know of yet. All connections of
//! a process have to be with one of them, and what that one may have lost has to be known before anything is read there.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]
#![cfg(feature = "sentinel")]

mod common;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use cache_redis::RedisStore;
use cache_store::{Invalidation, Store};
use common::{fake::Fake, server::wait_until, *};
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, sleep},
};

/// A sentinel that names the server that it is told to, and those servers. The second one has what the first one had.
struct Split {
    servers: [Server; 2],
    sentinel: Fake,
    named: Arc<AtomicU16>,
}

impl Split {
    /// Both have the value `x` under `a`. The first one is named.
    async fn start() -> Self {
        let first = Server::start(&["--repl-diskless-sync-delay", "0"]);
        let store = connect(&first).await;
        assert!(put(&store, "a", "x", MINUTE).await);
        drop(store);
        let port = first.port.to_string();
        let second = Server::start(&["--replicaof", "127.0.0.1", &port]);
        wait_until("the second one has it", || second.ask(&["EXISTS", "v:{cache:k:a}"]) == "1");
        assert_eq!(second.ask(&["REPLICAOF", "NO", "ONE"]), "OK");
        let named = Arc::new(AtomicU16::new(first.port));
        let names = Arc::clone(&named);
        let sentinel = Fake::start(move |command| {
            let port = names.load(Ordering::Relaxed).to_string();
            let address = || format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len());
            (command[0] == "SENTINEL").then(address)
        });
        let sentinel = sentinel.await;
        wait_until("nobody is there", || connections(&first, "").is_empty());
        Self { servers: [first, second], sentinel, named }
    }

    fn url(&self) -> String {
        format!("redis-sentinel://127.0.0.1:{}/main", self.sentinel.port)
    }

    async fn store(&self) -> Arc<RedisStore> {
        RedisStore::connect(config(&self.url()).sweep(false)).await.unwrap()
    }

    /// The sentinel says that the second one is the master; nobody has told the first one.
    fn promote(&self) {
        self.named.store(self.servers[1].port, Ordering::Relaxed);
    }
}

/// The numbers of the connections whose row has this in it.
fn connections(server: &Server, with: &str) -> BTreeSet<String> {
    let list = server.ask(&["CLIENT", "LIST"]);
    let id =
        |line: &str| line.split(' ').find_map(|word| word.strip_prefix("id=").map(str::to_owned));
    let rows = list.lines().filter(|row| !row.contains("cmd=client|list") && row.contains(with));
    rows.filter_map(id).collect()
}

fn end(server: &Server, connection: &str) {
    assert_eq!(server.ask(&["CLIENT", "KILL", "ID", connection]), "1");
}

async fn until_readable(store: &RedisStore) {
    let until = Instant::now() + Duration::from_secs(20);
    while read(store, "a").await.is_err() {
        assert!(Instant::now() < until, "no connection came back");
        sleep(Duration::from_millis(1)).await;
    }
}

fn change(key: &str) -> Invalidation {
    Invalidation::Keys(vec![key.to_owned()])
}

// Guard: the leader of the session's link.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_come_from_the_server_that_requests_go_to() {
    let split = Split::start().await;
    let [first, second] = &split.servers;
    let store = split.store().await;
    let ears = Ears::attentive(&store).await;
    split.promote();
    for _ in 0..3 {
        let session = tracking(first).remove(0);
        end(first, &session);
        wait_until("a new session", || {
            [first, second].iter().any(|server| tracking(server).iter().any(|id| *id != session))
        });
        until_alive(&store).await;
        assert_eq!((tracking(first).len(), tracking(second).len()), (1, 0));
    }
    ears.take();
    store.invalidate(&change("a")).await.unwrap();
    assert!(ears.told(&store).await.contains(&"key a".to_owned()));
}

// Guard: the leader in Link::start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_come_though_nothing_was_asked_yet() {
    let split = Split::start().await;
    let store = RedisStore::lazy(config(&split.url())).unwrap();
    Ears::attentive(&store).await;
}

// Guard: is_behind in LeaseWatch::look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_are_looked_for_where_requests_go() {
    let split = Split::start().await;
    let [first, second] = &split.servers;
    let store = split.store().await;
    for server in [first, second] {
        let before = server.calls("mget");
        let mine = lease(60_000);
        let wanted = cache_store::Claim { lease: Some(mine), ..claim("b") };
        let nonce = nonce_of(&store.claim(wanted).await.unwrap());
        let waiting = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.lease_ended("b", Duration::from_secs(30)).await }
        });
        wait_until("it looked", || server.calls("mget") > before);
        assert!(!waiting.is_finished());
        store.release("b", nonce, mine.token).await.unwrap();
        waiting.await.unwrap();
        split.promote();
        connections(first, "cmd=eval").iter().for_each(|id| end(first, id));
        until_readable(&store).await;
    }
}

// Guard: Teller::is_asked in Tracker::heartbeat.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_with_another_server_than_the_one_that_is_asked_proves_nothing() {
    let split = Split::start().await;
    let [first, second] = &split.servers;
    let store = split.store().await;
    let ears = Ears::attentive(&store).await;
    split.promote();
    let session = tracking(first).remove(0);
    connections(first, "").iter().filter(|id| **id != session).for_each(|id| end(first, id));
    until_readable(&store).await;
    // The former master still tells the session of everything: of nothing that concerns this process any more.
    until_alive(&store).await;
    ears.take();
    assert_eq!(second.ask(&["UNLINK", "d:{cache:k:a}"]), "1");
    assert!(ears.told(&store).await.contains(&"key a".to_owned()));
    assert_eq!(tracking(second).len(), 1);
}

// Guard: Teller::reach in Dialer::dial.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_data_went_back_is_known_before_anything_is_read_there() {
    let mut split = Split::start().await;
    // No session can begin at the second one, which is as if it took its time.
    let deny = ["ACL", "SETUSER", "default", "-client|tracking"];
    assert_eq!(split.servers[1].ask(&deny), "OK");
    let store = split.store().await;
    let ears = Ears::attentive(&store).await;
    store.invalidate(&change("a")).await.unwrap();
    ears.told(&store).await;
    split.promote();
    split.servers[0].kill();
    until_readable(&store).await;
    assert_eq!(get(&store, "a").await.as_deref(), Some("x"), "it went back");
    assert!(ears.take().contains(&"rewound".to_owned()));
    // The same server once more: nothing was lost.
    let second = &split.servers[1];
    connections(second, "").iter().for_each(|id| end(second, id));
    wait_until("a new connection", || !connections(second, "").is_empty());
    until_readable(&store).await;
    let heard = ears.take();
    assert!(!heard.contains(&"rewound".to_owned()), "{heard:?}");
}

// Guard: the leader's address in supervise.
#[test]
fn whoever_reads_reads_where_the_store_writes() {
    let home = workers();
    let split = home.block_on(Split::start());
    let [first, second] = &split.servers;
    let store = home.block_on(split.store());
    let own = connections(first, "");
    split.promote();
    let reader = workers();
    home.block_on(store.invalidate(&change("a"))).unwrap();
    wait_until("a read over another connection", || {
        assert_eq!(reader.block_on(get(&store, "a")), None, "the second one has it still");
        connections(first, "cmd=lindex").difference(&own).next().is_some()
    });
    assert!(connections(second, "").is_empty());
}

fn workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
