//! The steps for many keys at once: what they cost a server, and what a failing one takes along.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::time::{Duration, Instant};

use cache_redis::RedisStore;
#[cfg(feature = "cluster")]
use cache_store::Finish;
use cache_store::{
    Begin, Claim, ClaimOutcome, Claimed, ErrorKind, Fill, Nonce, Query, Result, Stamp, Store,
};
#[cfg(feature = "cluster")]
use common::server::Cluster;
use common::*;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key:{number}")).collect()
}

fn query<'a>(key: &'a str, tags: &'a [String]) -> Query<'a> {
    Query { key, tags, pattern: true, life: true }
}

/// Also over a value that is there.
fn nonce_to_fill_with(claimed: &Claimed) -> Nonce {
    match &claimed.outcome {
        ClaimOutcome::Found { value, .. } => Nonce::from_bytes(value).unwrap(),
        _ => nonce_of(claimed),
    }
}

/// Claims and fills all of them with their own names; what became of each.
async fn put_many(store: &RedisStore, keys: &[String]) -> Vec<Result<bool>> {
    let claims: Vec<Claim<'_>> = keys.iter().map(|key| claim(key)).collect();
    let claimed = store.claim_many(&claims).await;
    let nonces = claimed.into_iter().map(|one| one.map(|one| nonce_to_fill_with(&one)));
    let reached: Vec<_> = keys.iter().zip(nonces).collect();
    let values: Vec<_> = reached
        .iter()
        .filter_map(|(key, nonce)| Some((*key, *nonce.as_ref().ok()?)))
        .map(|(key, nonce)| (key, nonce, stored(nonce, key)))
        .collect();
    let fills: Vec<Fill<'_>> =
        values.iter().map(|(key, nonce, value)| fill(key, *nonce, value)).collect();
    let mut filled = store.fill_many(&fills).await.into_iter();
    reached.into_iter().map(|(_, nonce)| nonce.and_then(|_| filled.next().unwrap())).collect()
}

/// How often each of these commands was run since the last call.
fn count<const N: usize>(server: &Server, commands: [&str; N]) -> [u64; N] {
    let counts = commands.map(|command| server.calls(command));
    server.ask(&["CONFIG", "RESETSTAT"]);
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_keys_have_in_common_is_asked_for_once() {
    let (server, store) = start().await;
    let (keys, tags) = (names(100), ["a".to_owned(), "b".to_owned()]);
    // The scripts are known from here on.
    assert!(put_many(&store, &keys[..1]).await.iter().all(|done| matches!(done, Ok(true))));

    count(&server, []);
    let queries: Vec<Query<'_>> = keys.iter().map(|key| query(key, &tags)).collect();
    assert!(store.read_many(&queries).await.iter().all(Result::is_ok));
    assert_eq!(count(&server, ["mget", "lindex", "pttl"]), [1, 1, 100]);

    let claims: Vec<Claim<'_>> =
        keys.iter().map(|key| Claim { tags: &tags, tag_log: true, ..claim(key) }).collect();
    let claimed = store.claim_many(&claims).await;
    assert_eq!(count(&server, ["evalsha", "lrange"]), [101, 1], "the logs are captured once");

    let captured = claimed[0].as_ref().unwrap().tag_log.unwrap();
    let stamp = Stamp { captured, tags: &tags, dependency_life: DEPENDENCY };
    assert!(store.stamp_many(&[stamp; 100]).await.iter().all(|one| matches!(one, Ok(Some(_)))));
    // The script's first call is by its code.
    assert_eq!(count(&server, ["eval", "lrange"]), [1, 1], "the tag log is looked through once");

    let begin = |key| Begin {
        key,
        token: token(),
        tags: &tags,
        tag_log: false,
        at_most: Duration::from_secs(30),
        dependency_life: DEPENDENCY,
    };
    let begins: Vec<Begin<'_>> = keys.iter().map(|key| begin(key)).collect();
    assert!(store.begin_many(&begins).await.iter().all(Result::is_ok));
    assert_eq!(count(&server, ["lindex"]), [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_the_server_forgot_are_sent_again_for_all_keys() {
    let (server, store) = start().await;
    let keys = names(50);
    server.ask(&["SCRIPT", "FLUSH"]);
    assert!(put_many(&store, &keys).await.iter().all(|done| matches!(done, Ok(true))));
    for key in &keys {
        assert_eq!(get(&store, key).await.as_deref(), Some(key.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_are_large_together_are_stored_in_several_pieces() {
    let (_server, store) = start().await;
    let keys = names(10);
    let claims: Vec<Claim<'_>> = keys.iter().map(|key| claim(key)).collect();
    let claimed = store.claim_many(&claims).await;
    let body = "x".repeat(1 << 20);
    let nonces: Vec<_> = claimed.iter().map(|one| nonce_of(one.as_ref().unwrap())).collect();
    let values: Vec<Vec<u8>> = nonces.iter().map(|nonce| stored(*nonce, &body)).collect();
    let fills: Vec<Fill<'_>> =
        (0..keys.len()).map(|at| fill(&keys[at], nonces[at], &values[at])).collect();
    assert!(store.fill_many(&fills).await.iter().all(|done| matches!(done, Ok(true))));
    let queries: Vec<Query<'_>> = keys.iter().map(|key| query(key, &[])).collect();
    for (reading, value) in store.read_many(&queries).await.into_iter().zip(values) {
        assert_eq!(reading.unwrap().value.unwrap(), value);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_ones_value_under_one_key_is_that_keys_problem_alone() {
    let (server, store) = start().await;
    let keys = names(3);
    assert!(put_many(&store, &keys).await.iter().all(|done| matches!(done, Ok(true))));
    let name = format!("d:{{cache:k:{}}}", keys[1]);
    server.ask(&["DEL", &name]);
    server.ask(&["RPUSH", &name, "not a nonce"]);
    let claims: Vec<Claim<'_>> = keys.iter().map(|key| claim(key)).collect();
    let claimed = store.claim_many(&claims).await;
    assert!(matches!(claimed[..], [Ok(_), Err(_), Ok(_)]), "{claimed:?}");
    assert_eq!(claimed[1].as_ref().unwrap_err().kind(), ErrorKind::Protocol);
    let queries: Vec<Query<'_>> = keys.iter().map(|key| query(key, &[])).collect();
    let readings = store.read_many(&queries).await;
    let nonces: Vec<bool> =
        readings.iter().map(|one| one.as_ref().unwrap().key_nonce.is_some()).collect();
    assert_eq!(nonces, [true, false, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_costs_one_deadline_however_long_the_list_is() {
    let server = Server::start(&[]);
    let deadline = Duration::from_millis(400);
    let store = RedisStore::connect(config(&server.url()).deadline(deadline)).await.unwrap();
    let keys = names(5_000);
    assert!(put(&store, &keys[0], "body", MINUTE).await);
    server.freeze();
    let since = Instant::now();
    let queries: Vec<Query<'_>> = keys.iter().map(|key| query(key, &[])).collect();
    let readings = store.read_many(&queries).await;
    let took = since.elapsed();
    server.thaw();
    assert_eq!(readings.len(), keys.len());
    assert!(readings.iter().all(|one| one.as_ref().unwrap_err().kind() == ErrorKind::Timeout));
    assert!(took < 4 * deadline, "{took:?}, and ten pieces would take ten deadlines");
}

#[cfg(feature = "cluster")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_fails_its_own_keys_of_many_and_no_others() {
    let mut cluster = Cluster::start();
    let settings = config(&cluster.url()).deadline(Duration::from_millis(1_000));
    let store = RedisStore::connect(settings).await.unwrap();
    let keys = names(60);
    assert!(put_many(&store, &keys).await.iter().all(|done| matches!(done, Ok(true))));
    let home = cluster.owner("d:{cache}").port;
    let owner = |key: &String| cluster.owner(&format!("d:{{cache:k:{key}}}")).port;
    let owners: Vec<u16> = keys.iter().map(owner).collect();
    let dead = *owners.iter().find(|port| **port != home).unwrap();
    let node = cluster.nodes.iter().position(|node| node.port == dead).unwrap();
    cluster.nodes[node].kill();

    let others: Vec<bool> = owners.iter().map(|port| *port != dead).collect();
    let queries: Vec<Query<'_>> = keys.iter().map(|key| query(key, &[])).collect();
    // The first calls after the death may meet the repair of the connections.
    until_it_holds("the others are read", async || {
        let readings = store.read_many(&queries).await;
        assert_eq!(readings.len(), keys.len());
        readings.iter().map(Result::is_ok).collect::<Vec<_>>() == others
    })
    .await;
    until_it_holds("the others are filled", async || {
        let done = put_many(&store, &keys).await;
        let stored = done.iter().map(|one| matches!(one, Ok(true))).collect::<Vec<_>>();
        stored == others
    })
    .await;
}

/// Asks again and again, as a service does, for as long as a repair may take.
#[cfg(feature = "cluster")]
async fn until_it_holds(what: &str, holds: impl AsyncFn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < until, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[cfg(feature = "cluster")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_all_slots_are_written_read_and_written_through_in_one_call() {
    let cluster = Cluster::start();
    let store = RedisStore::connect(config(&cluster.url())).await.unwrap();
    let keys = names(300);
    assert!(put_many(&store, &keys).await.iter().all(|done| matches!(done, Ok(true))));
    let begin = |key| Begin {
        key,
        token: token(),
        tags: &[],
        tag_log: false,
        at_most: Duration::from_secs(30),
        dependency_life: DEPENDENCY,
    };
    let begins: Vec<Begin<'_>> = keys.iter().map(|key| begin(key)).collect();
    let begun: Vec<_> = store.begin_many(&begins).await.into_iter().map(Result::unwrap).collect();
    let finishes: Vec<Finish<'_>> = keys
        .iter()
        .zip(&begun)
        .map(|(key, begun)| Finish {
            key,
            begun,
            value: Some(b"new"),
            tags: &[],
            life: MINUTE,
            dependency_life: DEPENDENCY,
        })
        .collect();
    assert!(store.finish_many(&finishes).await.iter().all(|done| matches!(done, Ok(true))));
    let queries: Vec<Query<'_>> = keys.iter().map(|key| query(key, &[])).collect();
    for reading in store.read_many(&queries).await {
        assert!(reading.unwrap().value.unwrap().ends_with(b"new"));
    }
}
