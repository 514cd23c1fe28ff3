//! What hearing costs: how many messages a node gets for each step of another one, and how many commands a heartbeat is.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use cache_redis::RedisStore;
use cache_store::{Begin, Claim, Fill, Finish, Invalidation, Store};
use common::*;
use redis::{AsyncConnectionConfig, PushInfo, PushKind, aio::MultiplexedConnection};

/// A connection that tracks what a store tracks, and counts messages instead of names.
struct Counter {
    conn: MultiplexedConnection,
    messages: Arc<AtomicUsize>,
}

impl Counter {
    async fn start(server: &Server) -> Self {
        let messages = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&messages);
        let config = AsyncConnectionConfig::new().set_push_sender(move |push: PushInfo| {
            counted.fetch_add(usize::from(push.kind == PushKind::Invalidate), SeqCst);
            Ok::<(), redis::aio::SendError>(())
        });
        let client = redis::Client::open(format!("{}?protocol=resp3", server.url())).unwrap();
        let mut conn = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
        let mut track = redis::cmd("CLIENT");
        track.arg("TRACKING").arg("ON").arg("BCAST");
        track.arg("PREFIX").arg("d:{cache:k:").arg("PREFIX").arg("d:{cache}");
        track.exec_async(&mut conn).await.unwrap();
        Self { conn, messages }
    }

    /// How many there were since the last time.
    async fn since(&mut self) -> usize {
        redis::cmd("PING").exec_async(&mut self.conn).await.unwrap();
        self.messages.swap(0, SeqCst)
    }
}

/// A store that acts, one that listens, and one connection that counts.
struct Scene {
    server: Server,
    acts: Arc<RedisStore>,
    listens: Arc<RedisStore>,
    ears: Arc<Ears>,
    counter: Counter,
}

impl Scene {
    async fn start() -> Self {
        let (server, acts) = start().await;
        let listens = connect(&server).await;
        acts.patterns().await.unwrap();
        let ears = Ears::attentive(&listens).await;
        let counter = Counter::start(&server).await;
        Self { server, acts, listens, ears, counter }
    }

    /// A miss: claims with this tag, if there is one, and fills.
    async fn miss(&self, key: &str, tag: Option<&str>) {
        let tags: Vec<String> = tag.into_iter().map(str::to_owned).collect();
        let refused = self.value(key).await;
        let wanted = Claim { tags: &tags, refused: &refused, ..claim(key) };
        let nonce = nonce_of(&self.acts.claim(wanted).await.unwrap());
        let value = stored(nonce, "body");
        assert!(self.acts.fill(Fill { ..fill(key, nonce, &value) }).await.unwrap());
    }

    /// What is stored, so that a miss refuses it.
    async fn value(&self, key: &str) -> Vec<u8> {
        read(&self.acts, key).await.unwrap().value.unwrap_or_default()
    }

    async fn write(&self, key: &str) {
        let begin = Begin {
            key,
            token: token(),
            tags: &[],
            tag_log: false,
            at_most: std::time::Duration::from_secs(60),
            dependency_life: DEPENDENCY,
        };
        let begun = self.acts.begin(begin).await.unwrap();
        let value = Some(&b"written"[..]);
        let finish = Finish {
            key,
            begun: &begun,
            value,
            tags: &[],
            life: MINUTE,
            dependency_life: DEPENDENCY,
        };
        assert!(self.acts.finish(finish).await.unwrap());
    }

    async fn invalidate(&self, what: Invalidation) {
        self.acts.invalidate(&what).await.unwrap();
    }

    /// Messages, and names in them, since the last time.
    async fn told(&mut self, what: &str) -> (usize, usize) {
        let names = self.ears.told(&self.listens).await.len();
        let messages = self.counter.since().await;
        println!("{what:45} {messages} messages, {names} names");
        (messages, names)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_gets_few_messages_for_what_others_do() {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let mut scene = Scene::start().await;
    scene.told("the beginning").await;

    scene.miss("a", None).await;
    assert_eq!(scene.told("miss of a fresh key").await, (1, 1));
    scene.miss("a", None).await;
    assert_eq!(scene.told("miss of a known key").await, (0, 0));
    scene.miss("b", Some("x")).await;
    assert_eq!(scene.told("miss of a fresh key with a fresh tag").await, (2, 2));
    scene.miss("c", Some("x")).await;
    assert_eq!(scene.told("miss of a fresh key with a known tag").await, (1, 1));
    get(&scene.acts, "a").await;
    assert_eq!(scene.told("hit").await, (0, 0));

    scene.invalidate(Invalidation::Keys(owned(&["a"]))).await;
    assert_eq!(scene.told("invalidation of a key").await, (1, 1));
    scene.miss("a", None).await;
    assert_eq!(scene.told("the miss after it").await, (1, 1));
    scene.invalidate(Invalidation::Keys(owned(&["a", "b", "c"]))).await;
    assert_eq!(scene.told("invalidation of three keys").await, (1, 3));
    scene.invalidate(Invalidation::Keys(owned(&["a", "nobody's"]))).await;
    assert_eq!(scene.told("invalidation of what is not there").await, (0, 0));
    scene.invalidate(Invalidation::Tags(owned(&["x"]))).await;
    assert_eq!(scene.told("invalidation of a tag").await, (1, 1));
    scene.invalidate(Invalidation::Pattern("users:*".to_owned())).await;
    assert_eq!(scene.told("invalidation of a pattern").await, (1, 1));
    scene.invalidate(Invalidation::All).await;
    assert_eq!(scene.told("invalidation of everything").await, (1, 1));

    scene.write("a").await;
    let (messages, names) = scene.told("write of a fresh key, and the log it opens").await;
    assert_eq!((messages, names), (3, 3));
    scene.write("a").await;
    assert_eq!(scene.told("write of a known key").await, (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_is_two_commands_to_one_server() {
    let scene = Scene::start().await;
    let counts = || {
        let stats = scene.server.ask(&["INFO", "commandstats"]);
        let calls = stats.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), rest.split(',').next()?.parse::<u64>().ok()?))
        });
        calls.collect::<std::collections::BTreeMap<_, _>>()
    };
    counts();
    let before = counts();
    for _ in 0..100 {
        scene.listens.heartbeat().await.unwrap();
    }
    let mut made = counts();
    made.retain(|name, calls| {
        *calls -= before.get(name).unwrap_or(&0);
        *calls > 1
    });
    // One INFO is this test's own.
    assert_eq!(made, [("info".to_owned(), 101), ("touch".to_owned(), 100)].into());
}

#[cfg(feature = "cluster")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_is_two_commands_to_each_master_and_one_more_to_the_logs() {
    let cluster = common::server::Cluster::start();
    let store = RedisStore::connect(config(&cluster.url())).await.unwrap();
    let _ears = Ears::attentive(&store).await;
    let home = cluster.owner("d:{cache}").port;
    let counts = || {
        let of = |node: &Server, name: &str| node.calls(name);
        let all = cluster.nodes.iter().map(|node| {
            let names = ["cluster|info", "cluster|nodes", "touch"].map(|name| of(node, name));
            (node.port == home, names)
        });
        all.collect::<Vec<_>>()
    };
    let before = counts();
    for _ in 0..100 {
        store.heartbeat().await.unwrap();
    }
    for ((is_home, after), (_, before)) in counts().into_iter().zip(before) {
        let made: Vec<u64> =
            after.iter().zip(before).map(|(after, before)| after - before).collect();
        assert_eq!(made, [100, 100, if is_home { 100 } else { 0 }]);
    }
}
