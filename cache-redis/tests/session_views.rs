//! What the nodes of a cluster may say, and what it means for a session: nodes that disagree, that were left behind, or that
//! have heard of an election. The nodes here only pretend.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]
#![cfg(feature = "cluster")]

mod common;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::Store;
use common::{
    fake::{Fake, text},
    *,
};
use tokio::time::sleep;

/// What a node knows: the state, the epoch, and its lines: name, node, flags, epoch, slots.
#[derive(Clone)]
struct Known {
    state: &'static str,
    epoch: u64,
    lines: Vec<(&'static str, usize, &'static str, u64, &'static str)>,
}

/// A node that says what it is told to.
struct Node {
    fake: Fake,
    known: Arc<Mutex<Known>>,
}

/// The ports of the nodes, once all have one.
type Ports = Arc<Mutex<Vec<u16>>>;

impl Node {
    async fn start(ports: Ports, known: Known) -> Self {
        let known = Arc::new(Mutex::new(known));
        let said = Arc::clone(&known);
        let fake = Fake::start(move |command| {
            let known = said.lock().unwrap().clone();
            let ports = ports.lock().unwrap().clone();
            match command {
                ["CLUSTER", "INFO"] => Some(text(&format!(
                    "cluster_state:{}\r\ncluster_current_epoch:{}\r\n",
                    known.state, known.epoch
                ))),
                ["CLUSTER", "NODES"] => {
                    let lines = known.lines.iter().map(|(name, node, flags, epoch, slots)| {
                        let port = ports[*node];
                        format!(
                            "{name} 127.0.0.1:{port}@1 {flags} - 0 0 {epoch} connected {slots}\n"
                        )
                    });
                    Some(text(&lines.collect::<String>()))
                }
                ["CLUSTER", "SLOTS"] => Some("*0\r\n".to_owned()),
                _ => None,
            }
        });
        Self { fake: fake.await, known }
    }

    fn says(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock().unwrap());
    }
}

/// `aa` and `bb` share the slots; `cc` will want those of `aa`.
fn known_by(myself: &str) -> Known {
    let mine = |name: &str| if name == myself { "myself,master" } else { "master" };
    let lines = vec![("aa", 0, mine("aa"), 1, "0-8000"), ("bb", 1, mine("bb"), 2, "8001-16383")];
    Known { state: "ok", epoch: 2, lines }
}

/// The same after `cc` has taken the place of `aa`.
fn known_after(myself: &str) -> Known {
    let mine = |name: &str| if name == myself { "myself,master" } else { "master" };
    let lines = vec![
        ("aa", 0, "master,fail", 1, ""),
        ("bb", 1, mine("bb"), 2, "8001-16383"),
        ("cc", 2, mine("cc"), 3, "0-8000"),
    ];
    Known { state: "ok", epoch: 3, lines }
}

struct Scene {
    nodes: [Node; 3],
    ports: Ports,
    store: Arc<RedisStore>,
    ears: Arc<Ears>,
}

impl Scene {
    async fn start() -> Self {
        let ports = Ports::default();
        let node = |known| Node::start(Arc::clone(&ports), known);
        let nodes =
            [node(known_by("aa")).await, node(known_by("bb")).await, node(known_after("cc")).await];
        *ports.lock().unwrap() = nodes.iter().map(|node| node.fake.port).collect();
        let [one, other, _] = &nodes;
        let url =
            format!("redis-cluster://127.0.0.1:{},127.0.0.1:{}", one.fake.port, other.fake.port);
        let config = RedisConfig::new(url).deadline(Duration::from_secs(5));
        let store = RedisStore::lazy(config).unwrap();
        let ears = Ears::attentive(&store).await;
        store.heartbeat().await.unwrap();
        ears.take();
        Self { nodes, ports, store, ears }
    }

    /// No heartbeat for a while, in which many maps are drawn.
    async fn stays_dead(&self) {
        let until = Instant::now() + Duration::from_millis(1_500);
        while Instant::now() < until {
            assert!(self.store.heartbeat().await.is_err());
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_difference_at_any_node_is_a_gap() {
    let scene = Scene::start().await;
    for (node, change) in [
        (0, (|known| known.epoch = 9) as fn(&mut Known)),
        (1, |known| known.lines[0].3 = 7),
        (0, |known| (known.lines[0].4, known.lines[1].4) = ("0-7999", "8000-16383")),
        (1, |known| known.lines.push(("dd", 2, "master", 0, ""))),
        (0, |known| known.lines[1].0 = "ee"),
    ] {
        let before = scene.nodes[node].known.lock().unwrap().clone();
        scene.nodes[node].says(change);
        scene.store.heartbeat().await.unwrap_err();
        assert_eq!(scene.ears.take(), ["gap"]);
        scene.nodes[node].says(|known| *known = before);
        until_alive(&scene.store).await;
        let heard = scene.ears.take();
        assert!(heard.iter().all(|news| news == "gap"), "{heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_down_or_has_holes_has_no_heartbeat() {
    let scene = Scene::start().await;
    for (change, why) in [
        ((|known| known.state = "fail") as fn(&mut Known), "down"),
        (|known| known.lines[0].4 = "0-7999", "slots without a master"),
        (|known| known.lines[1].2 = "myself,slave", "slots without a master"),
    ] {
        let before = scene.nodes[1].known.lock().unwrap().clone();
        scene.nodes[1].says(change);
        let cause = scene.store.heartbeat().await.unwrap_err();
        assert!(cause.to_string().contains(why), "{cause}");
        scene.stays_dead().await;
        scene.nodes[1].says(|known| *known = before);
        until_alive(&scene.store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_disagree_have_no_heartbeat() {
    let scene = Scene::start().await;
    // One of them knows a successor, who knows nobody.
    scene.nodes[1].says(|known| *known = known_after("bb"));
    scene.nodes[2].says(|known| *known = known_by("aa"));
    scene.store.heartbeat().await.unwrap_err();
    scene.stays_dead().await;
    assert!(!scene.ears.take().contains(&"rewound".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_left_behind_does_not_count() {
    let scene = Scene::start().await;
    // The successor and the others know; the old master, who is asked first, does not.
    scene.nodes[1].says(|known| *known = known_after("bb"));
    scene.store.heartbeat().await.unwrap_err();
    until_alive(&scene.store).await;
    assert!(scene.ears.take().contains(&"rewound".to_owned()));
    scene.nodes[0].says(|known| known.epoch = 99);
    scene.store.heartbeat().await.unwrap();
    scene.nodes[2].says(|known| known.epoch = 99);
    scene.store.heartbeat().await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_at_a_masters_address_is_not_that_master() {
    let scene = Scene::start().await;
    let [one, other, _] = &scene.nodes;
    // One of them twice, although it is said to be two.
    *scene.ports.lock().unwrap() = vec![other.fake.port, other.fake.port, 1];
    scene.store.heartbeat().await.unwrap_err();
    scene.stays_dead().await;
    *scene.ports.lock().unwrap() = vec![other.fake.port, one.fake.port, 1];
    one.says(|known| *known = known_by("bb"));
    other.says(|known| *known = known_by("aa"));
    until_alive(&scene.store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_election_stops_the_heartbeats_until_it_is_decided() {
    let scene = Scene::start().await;
    let raised = Instant::now();
    scene.nodes[0].says(|known| known.epoch = 3);
    scene.nodes[1].says(|known| known.epoch = 3);
    scene.store.heartbeat().await.unwrap_err();
    scene.stays_dead().await;
    // Won, and known to all.
    scene.nodes[1].says(|known| *known = known_after("bb"));
    until_alive(&scene.store).await;
    assert!(raised.elapsed() < Duration::from_secs(4), "who won is known: {:?}", raised.elapsed());
    assert!(scene.ears.take().contains(&"rewound".to_owned()));
    // Lost: nobody ever claims it.
    let raised = Instant::now();
    scene.nodes[1].says(|known| known.epoch = 4);
    scene.nodes[2].says(|known| known.epoch = 4);
    scene.store.heartbeat().await.unwrap_err();
    scene.ears.take();
    until_alive(&scene.store).await;
    assert!(raised.elapsed() > Duration::from_secs(4), "{:?}", raised.elapsed());
    assert_eq!(scene.ears.take(), ["gap"]);
}
