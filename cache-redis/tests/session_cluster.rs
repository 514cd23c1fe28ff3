//! Hearing of changes by a cluster whose slots and masters change.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]
#![cfg(feature = "cluster")]

mod common;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{ErrorKind, Invalidation, Store};
use common::{
    server::{Cluster, wait_until},
    *,
};
use tokio::time::sleep;

const DEADLINE: Duration = Duration::from_millis(500);

async fn connect_to(cluster: &Cluster) -> Arc<RedisStore> {
    RedisStore::connect(config(&cluster.url())).await.unwrap()
}

/// Impatient, as a service is.
async fn impatient(cluster: &Cluster) -> Arc<RedisStore> {
    let config = RedisConfig::new(cluster.url());
    let config = config.deadline(DEADLINE).connect_timeout(Duration::from_secs(1));
    RedisStore::connect(config).await.unwrap()
}

async fn invalidate(store: &RedisStore, key: &str) {
    let what = Invalidation::Keys(vec![key.to_owned()]);
    let until = Instant::now() + Duration::from_secs(20);
    while let Err(cause) = store.invalidate(&what).await {
        assert!(Instant::now() < until, "not invalidated: {cause}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Makes the key's dependency, once that is possible.
async fn make(store: &RedisStore, key: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    while let Err(cause) = store.claim(claim(key)).await {
        assert!(Instant::now() < until, "not made: {cause}");
        sleep(Duration::from_millis(5)).await;
    }
}

fn dependency(key: &str) -> String {
    format!("d:{{cache:k:{key}}}")
}

/// A key on this node.
fn key_on(cluster: &Cluster, node: &Server) -> String {
    let here = |key: &String| cluster.owner(&dependency(key)).port == node.port;
    (0..100).map(|i| format!("key:{i}")).find(here).unwrap()
}

fn has_lost(heard: &[String]) -> bool {
    heard.iter().any(|news| news == "gap" || news == "rewound")
}

/// All is well again: what is changed on any node is told before the next heartbeat.
async fn check(store: &RedisStore, other: &RedisStore, ears: &Ears) {
    until_alive(store).await;
    for i in 0..30 {
        let key = format!("key:{i}");
        make(other, &key).await;
        until_alive(store).await;
        ears.take();
        invalidate(other, &key).await;
        assert!(ears.told(store).await.contains(&format!("key {key}")), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_master_is_listened_to_once_and_nothing_is_left_afterwards() {
    let cluster = Cluster::start_with_replicas();
    let store = connect_to(&cluster).await;
    let other = connect_to(&cluster).await;
    let ears = Ears::attentive(&store).await;
    check(&store, &other, &ears).await;
    assert!(cluster.nodes.iter().all(|node| tracking(node).len() == 1));
    assert!(cluster.replicas.iter().all(|node| tracking(node).is_empty()));
    drop(store);
    wait_until("nothing is left", || cluster.nodes.iter().all(|node| tracking(node).is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_known_node_is_enough_and_it_may_be_a_replica() {
    let cluster = Cluster::start_with_replicas();
    let replica = &cluster.replicas[0];
    let dead = common::server::free_port();
    let url = format!("redis-cluster://127.0.0.1:{dead},{}", replica.address());
    let store = RedisStore::connect(config(&url)).await.unwrap();
    let other = connect_to(&cluster).await;
    let ears = Ears::attentive(&store).await;
    check(&store, &other, &ears).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_to_one_master_is_a_gap_and_comes_back() {
    let cluster = Cluster::start();
    let (store, other) = (connect_to(&cluster).await, connect_to(&cluster).await);
    let ears = Ears::attentive(&store).await;
    for node in &cluster.nodes {
        let [id] = &tracking(node)[..] else { panic!("one connection") };
        assert_eq!(node.ask(&["CLIENT", "KILL", "ID", id]), "1");
        wait_until("another connection", || {
            tracking(node).first().is_some_and(|present| present != id)
        });
        until_alive(&store).await;
        let heard = ears.take();
        assert!(!heard.is_empty() && heard.iter().all(|news| news == "gap"), "{heard:?}");
    }
    check(&store, &other, &ears).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flushed_node_is_a_gap() {
    let cluster = Cluster::start();
    let store = connect_to(&cluster).await;
    let ears = Ears::attentive(&store).await;
    cluster.nodes[2].ask(&["FLUSHALL"]);
    assert_eq!(ears.told(&store).await, ["gap"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_shard_stops_the_heartbeat_in_time_and_a_short_hang_is_no_gap() {
    let cluster = Cluster::start();
    let store = impatient(&cluster).await;
    let other = connect_to(&cluster).await;
    let ears = Ears::attentive(&store).await;
    let hung = &cluster.nodes[1];
    hung.freeze();
    let since = Instant::now();
    let cause = store.heartbeat().await.unwrap_err();
    assert!(matches!(cause.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{cause}");
    assert!(since.elapsed() < 2 * DEADLINE, "{:?}", since.elapsed());
    let since = Instant::now();
    for _ in 0..100 {
        store.heartbeat().await.unwrap_err();
    }
    assert!(since.elapsed() < DEADLINE, "known: {:?}", since.elapsed());
    hung.thaw();
    until_alive(&store).await;
    assert_eq!(ears.take(), Vec::<String>::new());
    check(&store, &other, &ears).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_master_may_have_gone_back() {
    let mut cluster = Cluster::start();
    let store = impatient(&cluster).await;
    let other = connect_to(&cluster).await;
    let ears = Ears::attentive(&store).await;
    cluster.nodes[1].kill();
    until_dead(&store).await;
    cluster.nodes[1].restart();
    until_alive(&store).await;
    assert!(ears.take().contains(&"rewound".to_owned()));
    check(&store, &other, &ears).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_of_a_slot_migration_is_heard() {
    let cluster = Cluster::start();
    let (store, other) = (connect_to(&cluster).await, connect_to(&cluster).await);
    let (from, to) = (&cluster.nodes[0], &cluster.nodes[1]);
    let key = key_on(&cluster, from);
    let slot = cluster.slot(&dependency(&key));
    let told = format!("key {key}");
    make(&other, &key).await;
    let ears = Ears::attentive(&store).await;

    cluster.open_slot(&slot, from, to);
    assert_eq!(ears.told(&store).await, Vec::<String>::new(), "nothing has moved yet");
    Cluster::move_keys(&slot, from, to);
    let heard = ears.told(&store).await;
    assert_eq!(heard.iter().filter(|news| **news == told).count(), 2, "both sides: {heard:?}");

    // Where the key is now, and only clients that were sent there are served.
    invalidate(&other, &key).await;
    assert_eq!(ears.told(&store).await, [told.as_str()]);

    // From here on the new owner is one by its own word; the old one has not been told.
    assert_eq!(to.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &to.id()]), "OK");
    let cause = store.heartbeat().await.unwrap_err();
    assert!(cause.to_string().contains("changed"), "{cause}");
    assert!(ears.take().contains(&"gap".to_owned()));
    cluster.hand_over(&slot, from, to);
    until_alive(&store).await;
    let heard = ears.take();
    assert!(heard.iter().all(|news| news == "gap"), "nobody was replaced: {heard:?}");
    assert_eq!(cluster.owner(&dependency(&key)).port, to.port);
    check(&store, &other, &ears).await;
    assert!(cluster.nodes.iter().all(|node| tracking(node).len() == 1), "and stay connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_is_taken_by_force_without_its_keys_is_noticed_by_the_next_heartbeat() {
    let cluster = Cluster::start();
    let (store, other) = (connect_to(&cluster).await, connect_to(&cluster).await);
    for round in 0..10 {
        let (from, to) = (&cluster.nodes[round % 3], &cluster.nodes[(round + 1) % 3]);
        let key = key_on(&cluster, from);
        let slot = cluster.slot(&dependency(&key));
        make(&other, &key).await;
        let ears = Ears::attentive(&store).await;
        assert_eq!(to.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from.id()]), "OK");
        store.heartbeat().await.unwrap();
        assert_eq!(to.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &to.id()]), "OK");
        // What is deleted is not there, so nobody pushes anything.
        assert_eq!(to.ask(&["UNLINK", &dependency(&key)]), "0");
        store.heartbeat().await.unwrap_err();
        until_alive(&store).await;
        assert!(has_lost(&ears.take()));
        wait_until("the old owner has given in", || {
            from.ask(&["EXISTS", &dependency(&key)]).starts_with("-MOVED")
        });
        until_alive(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_joins_is_listened_to_before_it_has_slots() {
    let cluster = Cluster::start();
    let (store, other) = (connect_to(&cluster).await, connect_to(&cluster).await);
    let ears = Ears::attentive(&store).await;
    let new = cluster.join();
    wait_until("a connection to the new one", || {
        // What notices it is a heartbeat.
        tokio::task::block_in_place(|| {
            drop(tokio::runtime::Handle::current().block_on(store.heartbeat()));
        });
        tracking(&new).len() == 1
    });
    until_alive(&store).await;
    assert!(has_lost(&ears.take()));

    let from = &cluster.nodes[0];
    let key = key_on(&cluster, from);
    let slot = cluster.slot(&dependency(&key));
    make(&other, &key).await;
    ears.told(&store).await;
    cluster.open_slot(&slot, from, &new);
    Cluster::move_keys(&slot, from, &new);
    assert!(ears.told(&store).await.contains(&format!("key {key}")));
    assert_eq!(new.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &new.id()]), "OK");
    assert_eq!(new.ask(&["UNLINK", &dependency(&key)]), "1");
    store.heartbeat().await.unwrap_err();
    cluster.hand_over(&slot, from, &new);
    check(&store, &other, &ears).await;
}

/// Changes a key on the promoted replica again and again, as a client does that knows it already: whenever a heartbeat
/// that began afterwards succeeds, the change was told. Until that is so several times.
async fn nothing_is_unheard_while_it_takes_over(
    replica: &Server,
    store: &RedisStore,
    ears: &Ears,
    key: &str,
) {
    let name = dependency(key);
    wait_until("the replica is the master", || {
        replica.ask(&["SET", &name, "before any heartbeat"]) == "OK"
    });
    let until = Instant::now() + Duration::from_secs(20);
    let mut heard = Vec::new();
    let (mut failed, mut well) = (0, 0);
    while well < 5 {
        assert!(Instant::now() < until, "it is not heard");
        heard.extend(ears.take());
        assert_eq!(replica.ask(&["SET", &name, "changed"]), "OK");
        if store.heartbeat().await.is_err() {
            failed += 1;
            continue;
        }
        let told = ears.take();
        let is_told = has_lost(&told) || told.contains(&format!("key {key}"));
        assert!(is_told, "unheard, after {failed} heartbeats that failed: {told:?}");
        heard.extend(told);
        well += 1;
    }
    assert!(failed > 0, "votes show at once");
    assert!(heard.contains(&"rewound".to_owned()), "{heard:?}");
}

/// Has a replica take its master's place, once it can.
fn fail_over(replica: &Server) {
    wait_until("the failover begins", || {
        replica.ask(&["INFO", "replication"]).contains("master_link_status:up")
            && replica.ask(&["CLUSTER", "FAILOVER"]) == "OK"
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_is_noticed_by_the_next_heartbeat_and_the_new_master_is_heard() {
    let cluster = Cluster::start_with_replicas();
    let (store, other) = (connect_to(&cluster).await, connect_to(&cluster).await);
    let ears = Ears::attentive(&store).await;
    for (master, replica) in cluster.nodes.iter().zip(&cluster.replicas) {
        let key = key_on(&cluster, master);
        // There and back: nobody votes about one master twice within a few seconds.
        for (old, new) in [(master, replica), (replica, master)] {
            check(&store, &other, &ears).await;
            fail_over(new);
            nothing_is_unheard_while_it_takes_over(new, &store, &ears, &key).await;
            wait_until("nobody listens to the old one", || tracking(old).is_empty());
            assert_eq!(tracking(new).len(), 1);
        }
    }
    check(&store, &other, &ears).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallen_master_has_a_successor_who_is_heard() {
    let mut cluster = Cluster::start_with_replicas();
    let store = impatient(&cluster).await;
    let other = connect_to(&cluster).await;
    let ears = Ears::attentive(&store).await;
    check(&store, &other, &ears).await;
    cluster.nodes[2].kill();
    until_dead(&store).await;
    assert!(has_lost(&ears.take()));
    until_alive(&store).await;
    assert!(cluster.replicas[2].ask(&["ROLE"]).starts_with("master"));
    assert!(ears.take().contains(&"rewound".to_owned()));
    check(&store, &other, &ears).await;

    // It comes back as a replica of its successor, which is no change to anybody.
    cluster.nodes[2].restart();
    wait_until("it is a replica", || cluster.nodes[2].ask(&["ROLE"]).starts_with("slave"));
    check(&store, &other, &ears).await;
    assert!(tracking(&cluster.nodes[2]).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_hangs_for_long_is_replaced_and_does_not_come_back_as_one() {
    let cluster = Cluster::start_with_replicas();
    let store = impatient(&cluster).await;
    let other = impatient(&cluster).await;
    let ears = Ears::attentive(&store).await;
    let (master, replica) = (&cluster.nodes[0], &cluster.replicas[0]);
    let key = key_on(&cluster, master);
    master.freeze();
    until_dead(&store).await;
    nothing_is_unheard_while_it_takes_over(replica, &store, &ears, &key).await;
    master.thaw();
    wait_until("it has given in", || master.ask(&["ROLE"]).starts_with("slave"));
    check(&store, &other, &ears).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_takeover_without_votes_is_noticed_as_soon_as_the_others_know() {
    let cluster = Cluster::start_with_replicas();
    let (store, other) = (connect_to(&cluster).await, connect_to(&cluster).await);
    let ears = Ears::attentive(&store).await;
    let (master, replica) = (&cluster.nodes[0], &cluster.replicas[0]);
    assert_eq!(replica.ask(&["CLUSTER", "FAILOVER", "TAKEOVER"]), "OK");
    wait_until("the old master knows", || master.ask(&["ROLE"]).starts_with("slave"));
    store.heartbeat().await.unwrap_err();
    until_alive(&store).await;
    assert!(ears.take().contains(&"rewound".to_owned()));
    check(&store, &other, &ears).await;
}

// On one thread, so that all is logged where the subscriber is.
#[tokio::test]
async fn a_user_who_may_not_track_is_said_so_once_for_all_masters() {
    let (warnings, _logged) = Warnings::count();
    let cluster = Cluster::start();
    let rules = ["ACL", "SETUSER", "app", "on", "nopass", "~*", "+@all", "-client|tracking"];
    cluster.nodes.iter().for_each(|node| assert_eq!(node.ask(&rules), "OK"));
    let url = cluster.url().replace("://", "://app:x@");
    let store = RedisStore::connect(config(&url)).await.unwrap();
    let (_ears, told) = Ears::on(&store);
    assert!(told);
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        let cause = store.heartbeat().await.unwrap_err();
        assert_eq!(cause.kind(), ErrorKind::Unauthorized, "{cause}");
        get(&store, "a").await;
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(warnings.load(Ordering::Relaxed), 1);
}
