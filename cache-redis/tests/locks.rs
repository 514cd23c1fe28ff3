//! Locks of applications on real servers: what stays in them, what a loss of data does, and how waiters are woken.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

#[cfg(feature = "cluster")]
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_redis::RedisStore;
use cache_store::{Lease, Locked, Result, Store};
use common::*;

const LONG: Duration = Duration::from_secs(60);

async fn attempt(store: &RedisStore, lease: Lease) -> Result<Option<u64>> {
    Ok(match store.acquire_lock("import", lease).await? {
        Locked::Acquired(fencing) => Some(fencing),
        Locked::Held(_) => None,
    })
}

async fn acquire(store: &RedisStore, lease: Lease) -> u64 {
    attempt(store, lease).await.unwrap().expect("a free lock")
}

/// Tries until the lock is free and somebody answers; how long that took.
async fn acquire_eventually(store: &RedisStore) -> (u64, Duration) {
    let since = Instant::now();
    loop {
        let mine = lease(60_000);
        match attempt(store, mine).await {
            Ok(Some(fencing)) => return (fencing, since.elapsed()),
            // It may have been taken.
            Err(_) => drop(store.release_lock("import", mine.token).await),
            Ok(None) => {}
        }
        assert!(since.elapsed() < LONG, "nobody ever got it: {store:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lock_ends_by_itself_and_the_fencing_token_outlives_it() {
    let (server, store) = start().await;
    let left = |name: &str| server.ask(&["PTTL", name]).parse::<i64>().unwrap();
    let first = acquire(&store, lease(5_000)).await;
    assert!((1..=5_000).contains(&left("x:{cache:k:import}")));
    assert!(left("f:{cache:k:import}") > 6 * 24 * 60 * 60 * 1_000);
    server.ask(&["DEL", "x:{cache:k:import}"]); // as when its time is over
    // Ahead of the clock, as when that is set back.
    let ahead = first + 3_600_000_000;
    server.ask(&["SET", "f:{cache:k:import}", &ahead.to_string()]);
    assert_eq!(acquire(&store, lease(5_000)).await, ahead + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fencing_tokens_grow_although_the_server_forgets_everything() {
    let (mut server, store) = start().await;
    let first = acquire(&store, lease(60_000)).await;
    server.ask(&["FLUSHALL"]);
    server.ask(&["SCRIPT", "FLUSH"]);
    let second = acquire(&store, lease(60_000)).await;
    server.restart();
    let (third, _) = acquire_eventually(&store).await;
    assert!(first < second && second < third, "{first} {second} {third}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_whose_lock_was_flushed_learns_that_it_is_lost() {
    let (server, store) = start().await;
    let mine = lease(60_000);
    acquire(&store, mine).await;
    assert!(store.renew_lock("import", mine).await.unwrap());
    server.ask(&["FLUSHALL"]);
    assert!(!store.renew_lock("import", mine).await.unwrap());
    assert!(!store.release_lock("import", mine.token).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiters_are_woken_by_a_push_and_ask_seldom() {
    let (server, holder) = start().await;
    let waiting = connect(&server).await;
    let mine = lease(60_000);
    acquire(&holder, mine).await;
    let wait = tokio::spawn(async move {
        waiting.lock_ended("import", LONG).await;
        Instant::now()
    });
    common::server::wait_until("the waiter has looked", || server.calls("mget") >= 1);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(server.calls("mget") <= 4, "{} looks in three seconds", server.calls("mget"));
    assert!(!wait.is_finished());
    let released = Instant::now();
    assert!(holder.release_lock("import", mine.token).await.unwrap());
    let woken = wait.await.unwrap().duration_since(released);
    assert!(woken < Duration::from_secs(1), "{woken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_prefixes_have_locks_of_their_own() {
    let (server, store) = start().await;
    let other = RedisStore::connect(config(&server.url()).prefix("other:")).await.unwrap();
    acquire(&store, lease(60_000)).await;
    acquire(&other, lease(60_000)).await;
    assert!(attempt(&store, lease(60_000)).await.unwrap().is_none());
}

#[cfg(feature = "cluster")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cluster_locks_are_on_all_nodes_and_a_dead_one_takes_only_its_own() {
    let mut cluster = common::server::Cluster::start();
    let settings = config(&cluster.url()).deadline(Duration::from_millis(500));
    let store: Arc<RedisStore> = RedisStore::connect(settings).await.unwrap();
    let names: Vec<String> = (0..30).map(|i| format!("import:{i}")).collect();
    let dead = cluster.nodes[0].address();
    let mut of_dead = 0;
    for name in &names {
        let locked = store.acquire_lock(name, lease(60_000)).await.unwrap();
        assert!(matches!(locked, Locked::Acquired(_)));
        assert!(matches!(store.acquire_lock(name, lease(60_000)).await.unwrap(), Locked::Held(_)));
    }
    let owners: Vec<String> = names
        .iter()
        .map(|name| cluster.owner(&format!("x:{{cache:k:{name}}}")).address())
        .collect();
    cluster.nodes[0].kill();
    for (name, owner) in names.iter().zip(owners) {
        let locked = store.acquire_lock(name, lease(60_000)).await;
        if owner == dead {
            of_dead += 1;
            assert!(locked.is_err(), "{name}: {locked:?}");
        } else {
            assert!(matches!(locked, Ok(Locked::Held(_))), "{name}: {locked:?}");
        }
    }
    assert!(of_dead > 0 && of_dead < names.len());
}

#[cfg(feature = "sentinel")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_the_next_holder_has_a_greater_fencing_token() {
    let mut tier = common::server::Sentinel::start();
    let settings = config(&tier.url()).deadline(Duration::from_millis(500));
    let store = RedisStore::connect(settings).await.unwrap();
    let first = acquire(&store, lease(1_000)).await;
    tier.servers[0].kill();
    // Whether the replica knew of the lock or not.
    let (second, _) = acquire_eventually(&store).await;
    assert!(tier.servers[1].ask(&["ROLE"]).starts_with("master"));
    assert!(second > first, "{second} after {first}");
}
