//! Topics on real servers: connections that are lost, and what is left when the last subscriber goes.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;
// The lines of the soak, which can die without a word.
#[allow(dead_code, unreachable_pub)]
#[path = "../../soak/src/coordinator/proxy.rs"]
mod proxy;

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::{Duration, Instant},
};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{Delivery, ErrorKind, Feed, Store, Subscriber, Topics};
use common::{server::wait_until, *};
use proxy::{Mode, Proxy};
use tokio::{sync::Notify, time::timeout};

const PATIENCE: Duration = Duration::from_secs(30);
const CHANNEL: &str = "t:{cache:k:orders}";

#[derive(Debug, Default)]
struct Inbox {
    received: Mutex<Vec<String>>,
    more: Notify,
}

impl Subscriber for Inbox {
    fn receive(&self, delivery: Delivery<'_>) {
        self.received.lock().unwrap().push(match delivery {
            Delivery::Message { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
            Delivery::Gap => "gap".to_owned(),
            Delivery::Ended => "ended".to_owned(),
        });
        self.more.notify_one();
    }
}

impl Inbox {
    fn all(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until this has come; everything that came.
    async fn until(&self, what: &str) -> Vec<String> {
        let wait = async {
            while !self.all().iter().any(|one| one == what) {
                self.more.notified().await;
            }
        };
        assert!(timeout(PATIENCE, wait).await.is_ok(), "{what} never came: {:?}", self.all());
        self.all()
    }
}

async fn try_subscribe(
    store: &RedisStore,
    topics: Topics<'_>,
) -> cache_store::Result<(Arc<Inbox>, Feed)> {
    let inbox = Arc::new(Inbox::default());
    let subscriber: Arc<dyn Subscriber> = inbox.clone();
    let feed = store.subscribe(topics, Arc::downgrade(&subscriber)).await?;
    Ok((inbox, feed))
}

async fn subscribe(store: &RedisStore, topic: &str) -> (Arc<Inbox>, Feed) {
    try_subscribe(store, Topics::One(topic)).await.unwrap()
}

/// Publishes until it is received: whoever publishes has connections of its own that come back.
async fn publish(store: &RedisStore, message: &str) {
    let until = Instant::now() + PATIENCE;
    while let Err(error) = store.publish("orders", message.as_bytes()).await {
        assert!(Instant::now() < until, "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How many connections have subscribed to the channel.
fn subscribed(server: &Server, channel: &str) -> String {
    // A server that changes its part closes what is open.
    let reply = server.try_ask(&["PUBSUB", "NUMSUB", channel]).unwrap_or_default();
    reply.lines().last().unwrap_or_default().to_owned()
}

/// Of all kinds: one that has unsubscribed from everything is like others.
fn connections(server: &Server) -> usize {
    server.ask(&["CLIENT", "LIST"]).lines().filter(|line| line.contains("id=")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_subscriptions_share_one_connection_which_ends_with_the_last() {
    let (server, store) = start().await;
    let before = connections(&server);
    let first = subscribe(&store, "orders").await;
    let second = subscribe(&store, "orders").await;
    let other = subscribe(&store, "users").await;
    let pattern = try_subscribe(&store, Topics::Matching("o*")).await.unwrap();
    assert_eq!(connections(&server), before + 1);
    assert_eq!(subscribed(&server, CHANNEL), "1");
    drop(first);
    drop(other);
    wait_until("the other topic is left", || subscribed(&server, "t:{cache:k:users}") == "0");
    assert_eq!(subscribed(&server, CHANNEL), "1", "somebody else still wants it");
    drop(second);
    wait_until("the topic is left", || subscribed(&server, CHANNEL) == "0");
    assert_eq!(server.ask(&["PUBSUB", "NUMPAT"]), "1");
    drop(pattern);
    wait_until("the connection is closed", || connections(&server) == before);
    let again = subscribe(&store, "orders").await;
    publish(&store, "1").await;
    assert_eq!(again.0.until("1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_each_subscriber_is_told_of_one_gap_before_what_follows() {
    let (mut server, store) = start().await;
    let quick = RedisConfig::new(server.url()).deadline(Duration::from_millis(500));
    let publisher = RedisStore::connect(quick).await.unwrap();
    let (first, _feed) = subscribe(&store, "orders").await;
    let (second, _feed) = try_subscribe(&store, Topics::Matching("*")).await.unwrap();
    publish(&publisher, "before").await;
    first.until("before").await;
    second.until("before").await;
    server.kill();
    let since = Instant::now();
    publisher.publish("orders", b"lost").await.unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    wait_until_subscribing_fails(&store).await;
    server.restart();
    wait_until("both are subscribed again", || {
        subscribed(&server, CHANNEL) == "1" && server.ask(&["PUBSUB", "NUMPAT"]) == "1"
    });
    publish(&publisher, "after").await;
    for inbox in [first, second] {
        assert_eq!(inbox.until("after").await, ["before", "gap", "after"]);
    }
}

/// While somebody waits for the connection to come back, nobody else waits for it.
async fn wait_until_subscribing_fails(store: &RedisStore) {
    let until = Instant::now() + PATIENCE;
    loop {
        let since = Instant::now();
        if let Err(error) = try_subscribe(store, Topics::One("others")).await {
            assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
            assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
            return;
        }
        assert!(Instant::now() < until);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_connection_that_is_killed_is_one_gap() {
    let (server, store) = start().await;
    let (inbox, _feed) = subscribe(&store, "orders").await;
    for round in 1..=3 {
        assert_eq!(server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]), "1");
        let gaps = || inbox.all().iter().filter(|one| *one == "gap").count();
        wait_until("it is subscribed again", || gaps() == round);
        publish(&store, &round.to_string()).await;
        inbox.until(&round.to_string()).await;
    }
    assert_eq!(inbox.all(), ["gap", "1", "gap", "2", "gap", "3"]);
    // One that has subscribed since has missed nothing.
    let (late, _feed) = subscribe(&store, "orders").await;
    publish(&store, "4").await;
    assert_eq!(late.until("4").await, ["4"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_half_open_is_found_out() {
    let (server, publisher) = start().await;
    let (line, listener) = Proxy::bind().unwrap();
    line.serve(listener, server.port);
    let url = format!("redis://127.0.0.1:{}", line.port);
    let store =
        RedisStore::connect(config(&url).deadline(Duration::from_millis(200))).await.unwrap();
    let (inbox, _feed) = subscribe(&store, "orders").await;
    assert!(line.set(Mode::Dead, || true) > 0);
    publish(&publisher, "lost").await;
    inbox.until("gap").await;
    publish(&publisher, "after").await;
    assert_eq!(inbox.until("after").await, ["gap", "after"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_or_silent_is_an_error_in_a_bounded_time() {
    let mut server = Server::start(&[]);
    let quick = RedisConfig::new(server.url())
        .deadline(Duration::from_millis(200))
        .connect_timeout(Duration::from_millis(500));
    let store = RedisStore::connect(quick).await.unwrap();
    let refused = async |kinds: &[ErrorKind]| {
        let since = Instant::now();
        let error = try_subscribe(&store, Topics::One("orders")).await.unwrap_err();
        assert!(kinds.contains(&error.kind()), "{error}");
        assert!(error.to_string().starts_with("subscribe: "), "{error}");
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    };
    server.freeze();
    refused(&[ErrorKind::Timeout, ErrorKind::Unavailable]).await;
    server.thaw();
    server.kill();
    refused(&[ErrorKind::Unavailable]).await;
    server.restart();
    // Nobody waited for the connection, so nobody is refused because of it.
    let (inbox, _feed) = subscribe(&store, "orders").await;
    publish(&store, "1").await;
    assert_eq!(inbox.until("1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_is_given_up_before_it_is_confirmed_leaves_nothing() {
    let (server, store) = start().await;
    let (inbox, _feed) = subscribe(&store, "orders").await;
    for _ in 0..20 {
        let mut given_up = pin!(try_subscribe(&store, Topics::One("users")));
        let first = poll_fn(|context| Poll::Ready(given_up.as_mut().poll(context))).await;
        assert!(first.is_pending());
    }
    wait_until("it is left", || subscribed(&server, "t:{cache:k:users}") == "0");
    publish(&store, "1").await;
    assert_eq!(inbox.until("1").await, ["1"]);
}

#[test]
fn the_end_of_the_runtime_ends_subscriptions_and_nobody_hangs() {
    let server = Server::start(&[]);
    let connections = tokio::runtime::Runtime::new().unwrap();
    let callers = tokio::runtime::Runtime::new().unwrap();
    let settings = config(&server.url()).runtime(connections.handle().clone());
    let store = RedisStore::lazy(settings).unwrap();
    let (inbox, feed) = callers.block_on(subscribe(&store, "orders"));
    drop(connections);
    assert_eq!(callers.block_on(inbox.until("ended")), ["ended"]);
    let error = callers.block_on(try_subscribe(&store, Topics::One("orders"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    drop(feed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_dropped_ends_its_subscriptions() {
    let (server, store) = start().await;
    let (inbox, _feed) = subscribe(&store, "orders").await;
    drop(store);
    assert_eq!(inbox.until("ended").await, ["ended"]);
    // That of whoever asks.
    wait_until("the connection is closed", || connections(&server) == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_resp2_there_is_publishing_and_advice() {
    let (server, store) = start().await;
    let old =
        RedisStore::connect(config(&format!("{}?protocol=resp2", server.url()))).await.unwrap();
    let error = try_subscribe(&old, Topics::One("orders")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("protocol=resp2"), "{error}");
    let (inbox, _feed) = subscribe(&store, "orders").await;
    assert_eq!(old.publish("orders", b"1").await.unwrap(), Some(1));
    assert_eq!(inbox.until("1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_a_user_may_not_have_is_refused_alone() {
    let (server, _store) = start().await;
    let rules = ["ACL", "SETUSER", "app", "on", ">right", "~*", "+@all", "&t:{cache:k:orders}"];
    assert_eq!(server.ask(&rules), "OK");
    let url = format!("redis://app:right@{}", server.address());
    let store = RedisStore::connect(config(&url)).await.unwrap();
    let (inbox, _feed) = subscribe(&store, "orders").await;
    for _ in 0..2 {
        let error = try_subscribe(&store, Topics::One("users")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert!(error.to_string().contains("+@pubsub"), "{error}");
    }
    publish(&store, "1").await;
    assert_eq!(inbox.until("1").await, ["1"]);
    let users = ["ACL", "SETUSER", "app", "&t:{cache:k:users}"];
    assert_eq!(server.ask(&users), "OK");
    let (earlier, _feed) = subscribe(&store, "users").await;
    // A right that is taken away costs the connection.
    let orders = ["ACL", "SETUSER", "app", "resetchannels", "&t:{cache:k:orders}"];
    assert_eq!(server.ask(&orders), "OK");
    inbox.until("gap").await;
    let since = Instant::now();
    let error = try_subscribe(&store, Topics::One("users")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(since.elapsed() < Duration::from_secs(2), "it was asked for anew");
    assert_eq!(earlier.all(), [""; 0]);
    assert_eq!(server.ask(&users), "OK");
    assert_eq!(earlier.until("gap").await, ["gap"]);
}

#[cfg(feature = "sentinel")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_messages_come_from_the_new_master() {
    let mut tier = common::server::Sentinel::start();
    let store = RedisStore::connect(config(&tier.url())).await.unwrap();
    let (inbox, _feed) = subscribe(&store, "orders").await;
    publish(&store, "before").await;
    inbox.until("before").await;
    tier.servers[0].kill();
    inbox.until("gap").await;
    assert_eq!(subscribed(&tier.servers[1], CHANNEL), "1");
    publish(&store, "after").await;
    let received = inbox.until("after").await;
    // A slow machine makes the sentinel doubt the new master, too.
    let others = &received[1..received.len() - 1];
    assert!(received[0] == "before" && others.iter().all(|one| one == "gap"), "{received:?}");
}

#[cfg(feature = "cluster")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cluster_another_node_takes_over_for_one_that_died() {
    let mut cluster = common::server::Cluster::start();
    let store = RedisStore::connect(config(&cluster.url())).await.unwrap();
    let (inbox, _feed) = subscribe(&store, "orders").await;
    let at = |cluster: &common::server::Cluster| {
        cluster.nodes.iter().position(|node| {
            node.try_ask(&["PUBSUB", "NUMSUB", CHANNEL]).is_ok_and(|reply| reply.ends_with('1'))
        })
    };
    let first = at(&cluster).unwrap();
    for (number, node) in cluster.nodes.iter().enumerate() {
        let message = format!("from {number}");
        node.ask(&["PUBLISH", CHANNEL, &message]);
        inbox.until(&message).await;
    }
    cluster.nodes[first].kill();
    inbox.until("gap").await;
    let second = at(&cluster).unwrap();
    assert_ne!(first, second);
    let third = (0..3).find(|at| *at != first && *at != second).unwrap();
    cluster.nodes[third].ask(&["PUBLISH", CHANNEL, "after"]);
    assert_eq!(inbox.until("after").await[3..], ["gap", "after"]);
}

/// A sentinel that names what it is told to, and nobody else to do what sentinels do.
#[cfg(feature = "sentinel")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_demoted_without_a_word_is_left() {
    use std::sync::atomic::{AtomicU16, Ordering};

    let servers = [Server::start(&[]), Server::start(&[])];
    let master = Arc::new(AtomicU16::new(servers[0].port));
    let named = Arc::clone(&master);
    let sentinel = common::fake::Fake::start(move |command| {
        let port = named.load(Ordering::SeqCst).to_string();
        (command[0] == "SENTINEL")
            .then(|| format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len()))
    })
    .await;
    let url = format!("redis-sentinel://127.0.0.1:{}/main", sentinel.port);
    let store = RedisStore::connect(config(&url)).await.unwrap();
    let (inbox, _feed) = subscribe(&store, "orders").await;
    master.store(servers[1].port, Ordering::SeqCst);
    let port = servers[1].port.to_string();
    assert_eq!(servers[0].ask(&["REPLICAOF", "127.0.0.1", &port]), "OK");
    inbox.until("gap").await;
    assert_eq!(
        (subscribed(&servers[0], CHANNEL), subscribed(&servers[1], CHANNEL)),
        ("0".to_owned(), "1".to_owned())
    );
    servers[1].ask(&["PUBLISH", CHANNEL, "after"]);
    assert_eq!(inbox.until("after").await, ["gap", "after"]);
}
