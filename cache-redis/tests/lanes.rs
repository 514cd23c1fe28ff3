//! Reads of many callers at once, and the connections that runtimes have for them.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;
// The lines of the soak, which can die without a word.
#[allow(dead_code, unreachable_pub)]
#[path = "../../soak/src/coordinator/proxy.rs"]
mod proxy;

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use cache_redis::RedisStore;
use cache_store::{ErrorKind, Invalidation, Query, Reading, Result, Store};
use common::{server::wait_until, *};
use proxy::{Mode, Proxy};
use tokio::{
    runtime::{Builder, Runtime},
    task::{JoinSet, yield_now},
};

type Reads<'a> = Pin<Box<dyn Future<Output = Result<Reading>> + Send + 'a>>;

fn query<'a>(key: &'a str, tags: &'a [String]) -> Query<'a> {
    Query { key, tags, pattern: true, life: key.len().is_multiple_of(2) }
}

/// As many reads as are sent one by one, sent and not polled again.
fn unpolled(store: &RedisStore) -> Vec<Reads<'_>> {
    let mut reads: Vec<Reads<'_>> = (0..4).map(|_| store.read(query("a", &[]))).collect();
    let mut context = Context::from_waker(Waker::noop());
    for read in &mut reads {
        assert!(read.as_mut().poll(&mut context).is_pending());
    }
    reads
}

#[tokio::test]
async fn reads_at_the_same_time_travel_together_and_each_gets_its_own_answer() {
    const READS: u64 = 200;
    let (server, store) = start().await;
    let tag = |number: u64| [format!("tag:{}", number % 3), "all".to_owned()];
    let names: Vec<String> = (0..20).map(|number| format!("key:{number}")).collect();
    for name in &names {
        assert!(put(&store, name, name, MINUTE).await);
    }
    let claimed =
        store.claim(cache_store::Claim { tags: &tag(1), ..claim("other") }).await.unwrap();
    server.ask(&["CONFIG", "RESETSTAT"]);
    let mut reads = JoinSet::new();
    for number in 0..READS {
        let (store, key) = (Arc::clone(&store), names[number as usize % names.len()].clone());
        reads.spawn(async move {
            let tags = tag(number);
            let reading = store.read(query(&key, &tags)).await.unwrap();
            (number, key, reading)
        });
    }
    while let Some(done) = reads.join_next().await {
        let (number, key, reading) = done.unwrap();
        let value = reading.value.unwrap();
        assert_eq!(value.strip_prefix(reading.key_nonce.unwrap().as_bytes()), Some(key.as_bytes()));
        assert_eq!(reading.life.is_some(), key.len().is_multiple_of(2));
        assert!(reading.pattern_nonce.is_some());
        let own = (number % 3 == 1).then_some(claimed.tag_nonces[0]);
        assert_eq!(reading.tag_nonces, [own, Some(claimed.tag_nonces[1])]);
    }
    assert!(server.calls("mget") < READS / 4, "{} requests", server.calls("mget"));
    assert_eq!(server.calls("mget"), server.calls("lindex"));
}

#[tokio::test]
async fn callers_that_go_away_or_are_not_polled_hold_nobody_up() {
    let (server, store) = start().await;
    assert!(put(&store, "a", "x", MINUTE).await);
    for go_away in [true, false] {
        server.freeze();
        let before = unpolled(&store);
        let mine = Arc::clone(&store);
        let waits = tokio::spawn(async move { get(&mine, "a").await });
        yield_now().await;
        let kept = if go_away { None } else { Some(before) };
        server.thaw();
        assert_eq!(waits.await.unwrap().as_deref(), Some("x"));
        drop(kept);
    }
}

#[tokio::test]
async fn a_failing_request_fails_all_who_share_it_at_once() {
    let (mut server, store) = start().await;
    server.freeze();
    let before = unpolled(&store);
    let mut waiting = JoinSet::new();
    for _ in 0..50 {
        let store = Arc::clone(&store);
        waiting.spawn(async move { read(&store, "a").await.unwrap_err().kind() });
    }
    yield_now().await;
    server.kill();
    while let Some(kind) = waiting.join_next().await {
        assert_eq!(kind.unwrap(), ErrorKind::Unavailable);
    }
    drop(before);
}

fn connections(server: &Server) -> BTreeSet<String> {
    let list = server.ask(&["CLIENT", "LIST"]);
    let id =
        |line: &str| line.split(' ').find_map(|word| word.strip_prefix("id=").map(str::to_owned));
    // The question's own connection is the only one that runs this.
    list.lines().filter(|line| !line.contains("cmd=client|list")).filter_map(id).collect()
}

/// A store on a runtime of its own, and the number of its connection.
fn apart() -> (Server, Runtime, Arc<RedisStore>, String) {
    let server = Server::start(&[]);
    let url = server.url();
    apart_at(server, &url)
}

/// The same over a line to the server.
fn apart_at(server: Server, url: &str) -> (Server, Runtime, Arc<RedisStore>, String) {
    let home = workers();
    let config = config(url).deadline(Duration::from_secs(1)).sweep(false);
    let store = home.block_on(async { RedisStore::connect(config).await.unwrap() });
    assert!(home.block_on(put(&store, "a", "x", MINUTE)));
    let own = connections(&server);
    assert_eq!(own.len(), 1, "{own:?}");
    (server, home, store, own.into_iter().next().unwrap())
}

fn workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Reads on this runtime until it does so over a connection of its own, and gives that one's number.
fn with_lane(server: &Server, runtime: &Runtime, store: &Arc<RedisStore>, home: &str) -> String {
    let mut lane = None;
    wait_until("a read over another connection", || {
        assert_eq!(runtime.block_on(get(store, "a")).as_deref(), Some("x"));
        let row = |id: &String| server.ask(&["CLIENT", "LIST", "ID", id]);
        lane =
            connections(server).into_iter().find(|id| id != home && row(id).contains("cmd=lindex"));
        lane.is_some()
    });
    lane.unwrap()
}

#[test]
fn a_runtime_that_reads_has_a_connection_of_its_own_and_its_end_is_nobodys_trouble() {
    let (server, home, store, own) = apart();
    let one_thread = Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(one_thread.block_on(get(&store, "a")).as_deref(), Some("x"));
    for _ in 0..6 {
        let runtime = workers();
        let lane = with_lane(&server, &runtime, &store, &own);
        drop(runtime);
        wait_until("its end", || !connections(&server).contains(&lane));
        assert_eq!(home.block_on(get(&store, "a")).as_deref(), Some("x"));
    }
    assert_eq!(connections(&server), BTreeSet::from([own]), "none for the runtime of one thread");
}

#[test]
fn one_runtime_too_many_reads_over_the_stores_connection_until_another_one_ends() {
    let (server, _home, store, own) = apart();
    let mut known = BTreeSet::from([own.clone()]);
    let mut runtimes: Vec<Runtime> = (0..4).map(|_| workers()).collect();
    for runtime in &runtimes {
        wait_until("one more connection", || {
            assert_eq!(runtime.block_on(get(&store, "a")).as_deref(), Some("x"));
            connections(&server).len() > known.len()
        });
        known = connections(&server);
    }
    let fifth = workers();
    for _ in 0..50 {
        assert_eq!(fifth.block_on(get(&store, "a")).as_deref(), Some("x"));
    }
    assert_eq!(connections(&server), known);
    drop(runtimes.pop());
    wait_until("a new one in its place", || {
        assert_eq!(fifth.block_on(get(&store, "a")).as_deref(), Some("x"));
        connections(&server).iter().any(|id| !known.contains(id))
    });
}

// Guards: Link::follows, Lanes::mend.
#[test]
fn whoever_reads_leaves_the_server_that_the_store_has_left() {
    for is_demoted in [false, true] {
        let (server, home, store, own) = apart();
        let runtime = workers();
        let lane = with_lane(&server, &runtime, &store, &own);
        if is_demoted {
            let port = common::server::free_port().to_string();
            assert_eq!(server.ask(&["REPLICAOF", "127.0.0.1", &port]), "OK");
            let all = Invalidation::Keys(vec!["a".to_owned()]);
            assert!(home.block_on(store.invalidate(&all)).is_err());
        } else {
            assert_eq!(server.ask(&["CLIENT", "KILL", "ID", &own]), "1");
        }
        wait_until("another connection", || {
            let _ = runtime.block_on(read(&store, "a"));
            !connections(&server).contains(&lane)
        });
        wait_until("two of them", || {
            let _ = runtime.block_on(read(&store, "a"));
            connections(&server).len() >= 2
        });
    }
}

// Guard: Link::is_sound in Lanes::lane.
#[test]
fn a_lane_that_is_killed_costs_one_read_and_comes_back() {
    let (server, _home, store, own) = apart();
    let runtime = workers();
    for _ in 0..3 {
        let lane = with_lane(&server, &runtime, &store, &own);
        assert_eq!(server.ask(&["CLIENT", "KILL", "ID", &lane]), "1");
        let failed = (0..50).filter(|_| runtime.block_on(read(&store, "a")).is_err()).count();
        assert!(failed <= 1, "{failed} reads, after one of them has found it out");
        assert!(connections(&server).contains(&own), "the store's own was not concerned");
    }
    with_lane(&server, &runtime, &store, &own);
    assert_eq!(server.ask(&["FLUSHALL"]), "OK");
    assert_eq!(runtime.block_on(get(&store, "a")), None);
}

// Guard: the failures in Link::is_sound.
#[test]
fn a_lane_that_is_half_open_costs_one_deadline_and_the_way_round_is_open() {
    let (line, listener) = Proxy::bind().unwrap();
    let server = Server::start(&[]);
    line.serve(listener, server.port);
    let (server, home, store, own) = apart_at(server, &format!("redis://127.0.0.1:{}", line.port));
    let runtime = workers();
    with_lane(&server, &runtime, &store, &own);
    let mut number = 0;
    let second = || {
        number += 1;
        number == 2
    };
    assert_eq!(line.set(Mode::Dead, second), 1);
    assert_eq!(runtime.block_on(read(&store, "a")).unwrap_err().kind(), ErrorKind::Timeout);
    // It was in doubt as well, for as long as a question takes.
    wait_until("the other one answers", || home.block_on(read(&store, "a")).is_ok());
    for _ in 0..20 {
        assert_eq!(runtime.block_on(get(&store, "a")).as_deref(), Some("x"));
    }
    with_lane(&server, &runtime, &store, &own);
}

// Guard: Ties::on_silence.
#[test]
fn one_silence_is_found_once_whichever_connection_it_is_found_on_and_by_whatever() {
    let (server, home, store, own) = apart();
    let runtime = workers();
    with_lane(&server, &runtime, &store, &own);
    let reads = |on: &Runtime| on.block_on(read(&store, "a")).err().map(|error| error.kind());
    let claims = |on: &Runtime| on.block_on(store.claim(claim("b"))).err().map(|e| e.kind());
    type Asks<'a> = &'a dyn Fn(&Runtime) -> Option<ErrorKind>;
    let orders: [[(&Runtime, Asks<'_>); 2]; 3] = [
        [(&runtime, &reads), (&home, &reads)],
        [(&home, &reads), (&runtime, &reads)],
        [(&home, &claims), (&runtime, &reads)],
    ];
    for order in orders {
        wait_until("both answer", || order.iter().all(|(on, _)| reads(on).is_none()));
        with_lane(&server, &runtime, &store, &own);
        server.freeze();
        let kinds = order.map(|(on, asks)| asks(on));
        server.thaw();
        assert_eq!(kinds, [Some(ErrorKind::Timeout), Some(ErrorKind::Unavailable)]);
    }
}
