//! What only a cluster can do wrong.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]
#![cfg(feature = "cluster")]

mod common;

use std::time::{Duration, Instant};

use cache_redis::RedisStore;
use cache_store::{
    Begin, Claim, ClaimOutcome, Claimed, ErrorKind, Invalidation, Query, Reading, Store,
};
use common::{
    server::{Cluster, wait_until},
    *,
};

async fn start() -> (Cluster, std::sync::Arc<RedisStore>) {
    let cluster = Cluster::start();
    let store = RedisStore::connect(config(&cluster.url())).await.unwrap();
    (cluster, store)
}

/// Twenty keys over all slots.
fn names() -> Vec<String> {
    (0..20).map(|i| format!("key:{i}")).collect()
}

/// A key on another node than the namespace's slot.
fn elsewhere(cluster: &Cluster) -> (String, u16) {
    let home = cluster.owner("d:{cache}").port;
    let away = |key: &String| cluster.owner(&format!("d:{{cache:k:{key}}}")).port;
    let key = names().into_iter().find(|key| away(key) != home).unwrap();
    let port = away(&key);
    (key, port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_all_slots_are_invalidated_in_one_call() {
    let (_cluster, store) = start().await;
    for key in names() {
        assert!(put(&store, &key, "body", MINUTE).await);
    }
    store.invalidate(&Invalidation::Keys(names())).await.unwrap();
    for key in names() {
        assert_eq!(get(&store, &key).await, None, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_node_leads_to_the_whole_cluster() {
    let (cluster, _) = start().await;
    let url = format!("{}?cluster=true", cluster.nodes[1].url());
    let store = RedisStore::connect(config(&url)).await.unwrap();
    for key in names() {
        assert!(put(&store, &key, "body", MINUTE).await);
        assert_eq!(get(&store, &key).await.as_deref(), Some("body"));
    }
    assert!(store.health().await.reachable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_one_node_forgot_are_sent_to_it_again() {
    let (cluster, store) = start().await;
    for key in names() {
        for node in &cluster.nodes {
            node.ask(&["SCRIPT", "FLUSH"]);
        }
        assert!(put(&store, &key, "body", MINUTE).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_takes_only_its_own_keys_along_and_comes_back() {
    let (mut cluster, _) = start().await;
    let settings = config(&cluster.url()).deadline(Duration::from_millis(500));
    let store = RedisStore::connect(settings).await.unwrap();
    let (key, port) = elsewhere(&cluster);
    assert!(put(&store, &key, "body", MINUTE).await);
    let node = cluster.nodes.iter().position(|node| node.port == port).unwrap();
    let healthy = |key: &String| cluster.owner(&format!("d:{{cache:k:{key}}}")).port != port;
    let others: Vec<String> = names().into_iter().filter(healthy).collect();
    assert!(!others.is_empty());
    cluster.nodes[node].kill();

    let since = Instant::now();
    let error = read(&store, &key).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Refused),
        "{error:?}"
    );
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    let until = Instant::now() + Duration::from_secs(10);
    for other in &others {
        // The first call after the death may meet the repair of the connections.
        while read(&store, other).await.is_err() {
            assert!(Instant::now() < until, "a healthy node is not reached");
        }
        store.invalidate(&Invalidation::Keys(vec![other.clone()])).await.unwrap();
    }
    let all = Invalidation::Keys(others.iter().chain([&key]).cloned().collect());
    let error = store.invalidate(&all).await.unwrap_err();
    assert!(error.to_string().contains(&format!("1 of {}", others.len() + 1)), "{error}");

    cluster.nodes[node].restart();
    let until = Instant::now() + Duration::from_secs(20);
    while read(&store, &key).await.is_err() {
        assert!(Instant::now() < until, "it does not heal: {store:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.invalidate(&all).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_node_is_given_up_after_a_few_calls_and_the_others_are_not() {
    let (cluster, _) = start().await;
    let settings = config(&cluster.url()).deadline(Duration::from_millis(200));
    let store = RedisStore::connect(settings).await.unwrap();
    let (key, port) = elsewhere(&cluster);
    let node = cluster.nodes.iter().find(|node| node.port == port).unwrap();
    let other = {
        let home = cluster.owner("d:{cache}").port;
        let here = |key: &String| cluster.owner(&format!("d:{{cache:k:{key}}}")).port == home;
        names().into_iter().find(here).unwrap()
    };
    assert!(put(&store, &key, "body", MINUTE).await);
    node.freeze();
    let mut late = 0;
    while late < 3 {
        late += u32::from(read(&store, &key).await.unwrap_err().kind() == ErrorKind::Timeout);
    }
    let since = Instant::now();
    for _ in 0..100 {
        assert_eq!(read(&store, &key).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert!(since.elapsed() < Duration::from_millis(400), "{:?}", since.elapsed());
    read(&store, &other).await.unwrap();
    node.thaw();
    let until = Instant::now() + Duration::from_secs(20);
    while read(&store, &key).await.is_err() {
        assert!(Instant::now() < until, "it does not heal: {store:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Calls to the well nodes are measured from the moment that the other one stops: through the first deadline, the trials of
/// the breaker and the replacement of the connection.
// Guard: what a batch is for, a slot, in Breaker::admits and Link::send_until.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_shard_does_not_slow_the_others() {
    const DEADLINE: Duration = Duration::from_secs(2);
    const CALLERS: u32 = 10;
    let (cluster, _) = start().await;
    let settings = config(&cluster.url()).deadline(DEADLINE);
    let store = RedisStore::connect(settings).await.unwrap();
    let home = cluster.owner("d:{cache}").port;
    let owner = |key: &str| cluster.owner(&format!("d:{{cache:k:{key}}}")).port;
    let (key, port) = elsewhere(&cluster);
    let well: Vec<String> = names().into_iter().filter(|key| owner(key) != port).collect();
    assert!(well.iter().any(|key| owner(key) == home));
    for key in names() {
        assert!(put(&store, &key, "body", MINUTE).await);
    }
    cluster.nodes.iter().find(|node| node.port == port).unwrap().freeze();
    let until = Instant::now() + 3 * DEADLINE;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (store, key) = (std::sync::Arc::clone(&store), key.clone());
        callers.spawn(async move {
            let mut late = 0;
            while Instant::now() < until {
                let error = read(&store, &key).await.unwrap_err();
                late += u32::from(error.kind() == ErrorKind::Timeout);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            late
        });
    }
    let asking_the_well = async {
        let (mut slowest, mut failures, mut calls) = (Duration::ZERO, 0_u64, 0_u64);
        while Instant::now() < until {
            for key in &well {
                let since = Instant::now();
                failures += u64::from(read(&store, key).await.is_err());
                slowest = slowest.max(since.elapsed());
                calls += 1;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (slowest, failures, calls)
    };
    let (slowest, failures, calls) = asking_the_well.await;
    let late: u32 = callers.join_all().await.into_iter().sum();
    assert!(slowest < DEADLINE * 3 / 4, "{slowest:?} of {calls} calls");
    assert_eq!(failures, 0, "of {calls} calls");
    assert!(late <= CALLERS + 3, "the first ones and then only trials wait: {late}");

    let many: Vec<Query<'_>> = [&well[0], &key, &well[1]]
        .map(|key| Query { key, tags: &[], pattern: true, life: false })
        .into();
    let readings = store.read_many(&many).await;
    let found: Vec<bool> = readings.iter().map(Result::is_ok).collect();
    assert_eq!(found, [true, false, true], "what the others have is found");
    assert!(readings[1].as_ref().is_err_and(|error| error.is_of_a_part()));
}

/// Its slot is open, then its keys move, then it has another owner, while it is read, written and invalidated all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_under_load_never_gives_an_old_value_and_is_served_again() {
    let (cluster, store) = start().await;
    let (key, port) = elsewhere(&cluster);
    let source = cluster.nodes.iter().find(|node| node.port == port).unwrap();
    let target = cluster.nodes.iter().find(|node| node.port != port).unwrap();
    let slot = cluster.slot(&format!("d:{{cache:k:{key}}}"));
    let mut last = 0_u64;
    // One value after the other; how many of them were stored.
    let mut load = async |rounds: u64| {
        let mut done = 0;
        for _ in 0..rounds {
            last += 1;
            if store.invalidate(&Invalidation::Keys(vec![key.clone()])).await.is_err() {
                continue;
            }
            if let Ok(Claimed { outcome: ClaimOutcome::Load(nonce), .. }) =
                store.claim(claim(&key)).await
            {
                let bytes = stored(nonce, &last.to_string());
                done += u64::from(store.fill(fill(&key, nonce, &bytes)).await.unwrap_or(false));
            }
            if let Ok(Reading { value: Some(value), key_nonce: Some(nonce), .. }) =
                read(&store, &key).await
            {
                let valid = value.strip_prefix(nonce.as_bytes());
                assert!(valid.is_none_or(|body| body == last.to_string().as_bytes()), "it is old");
            }
        }
        done
    };
    assert_eq!(load(20).await, 20);
    cluster.open_slot(&slot, source, target);
    // Half of it may be on either side, and a script needs all: some rounds store nothing.
    load(20).await;
    Cluster::move_keys(&slot, source, target);
    load(20).await;
    cluster.hand_over(&slot, source, target);
    let until = Instant::now() + Duration::from_secs(20);
    while load(1).await == 0 {
        assert!(Instant::now() < until, "nothing goes through: {store:?}");
    }
    assert_eq!(load(20).await, 20);
    assert_eq!(target.ask(&["EXISTS", &format!("v:{{cache:k:{key}}}")]), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_is_followed() {
    let (cluster, store) = start().await;
    let (key, port) = elsewhere(&cluster);
    assert!(put(&store, &key, "body", MINUTE).await);
    let target = cluster.nodes.iter().find(|node| node.port != port).unwrap();
    let id = target.ask(&["CLUSTER", "MYID"]);
    let slot = target.ask(&["CLUSTER", "KEYSLOT", &format!("v:{{cache:k:{key}}}")]);
    // The slot's new owner has none of its data, which is the worst case.
    let source = cluster.nodes.iter().find(|node| node.port == port).unwrap();
    source.ask(&["FLUSHALL"]);
    for node in &cluster.nodes {
        assert_eq!(node.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]), "OK");
    }
    assert_eq!(get(&store, &key).await, None);
    assert!(put(&store, &key, "moved", MINUTE).await);
    assert_eq!(get(&store, &key).await.as_deref(), Some("moved"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_away_fails_calls_at_once_and_is_found_again() {
    let (mut cluster, store) = start().await;
    for node in &mut cluster.nodes {
        node.kill();
    }
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let since = Instant::now();
        let error = read(&store, "a").await.unwrap_err();
        if error.kind() == ErrorKind::Unavailable && since.elapsed() < Duration::from_millis(5) {
            break;
        }
        assert!(Instant::now() < until, "calls still hang: {error:?}");
    }
    for node in &mut cluster.nodes {
        node.restart();
    }
    let until = Instant::now() + Duration::from_secs(30);
    while store.claim(claim("a")).await.is_err() {
        assert!(Instant::now() < until, "it does not heal: {store:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_an_error_of_connect() {
    let server = Server::start(&["--cluster-enabled", "yes", "--requirepass", "right"]);
    let url = format!("redis-cluster://:wr0ng-s3cret@{}", server.address());
    let error = RedisStore::connect(config(&url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_without_the_setting_says_which_setting_is_missing() {
    let (cluster, _) = start().await;
    let (key, _) = elsewhere(&cluster);
    let home = cluster.owner("d:{cache}");
    let store = RedisStore::connect(config(&home.url())).await.unwrap();
    let error = read(&store, &key).await.unwrap_err();
    assert!(error.to_string().contains("?cluster=true"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_for_a_lease_asks_after_growing_pauses() {
    let (cluster, store) = start().await;
    let mine = lease(60_000);
    let nonce = nonce_of(&store.claim(Claim { lease: Some(mine), ..claim("a") }).await.unwrap());
    let owner = cluster.owner("l:{cache:k:a}");
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { store.lease_ended("a", Duration::from_secs(30)).await })
    };
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(owner.calls("mget") < 15, "{} looks", owner.calls("mget"));
    assert!(!waiting.is_finished());
    store.release("a", nonce, mine.token).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_announced_to_one_node_while_another_failed_is_taken_back() {
    let (cluster, store) = start().await;
    let (far, port) = elsewhere(&cluster);
    let (home, node) = (cluster.owner("d:{cache}"), cluster.nodes.iter().find(|n| n.port == port));
    let (node, writers) = (node.unwrap(), format!("w:{{cache:k:{far}}}"));
    let begin = || Begin {
        key: &far,
        token: token(),
        tags: &[],
        tag_log: false,
        // Longer than the test has patience for.
        at_most: Duration::from_secs(600),
        dependency_life: DEPENDENCY,
    };
    assert_eq!(home.ask(&["SET", "d:{cache}", "no log"]), "OK");
    store.begin(begin()).await.unwrap_err();
    assert!(store.begin_many(&[begin()]).await.iter().all(Result::is_err));
    assert_eq!(home.ask(&["DEL", "d:{cache}"]), "1");
    assert_eq!(node.calls("zadd"), 2);
    wait_until("they are taken back", || node.ask(&["EXISTS", &writers]) == "0");
    assert!(store.begin(begin()).await.unwrap().alone, "nobody is in the way");
}
