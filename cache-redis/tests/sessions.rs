//! Sessions on real servers: what is in them and how long, what is lost there, and what a cluster does.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::time::Duration;

use cache_redis::RedisStore;
use cache_store::{
    ErrorKind, SessionAt, SessionFound, SessionMove, SessionStart, SessionTier, SessionUser,
    SessionWrite, SessionWritten,
};
use common::*;

const MINUTE: Duration = Duration::from_secs(60);
const SESSION: &str = "i:{cache:s:007}web:a";
const LIST: &str = "u:{cache:s:007}web:u";

fn at(digest: &str) -> SessionAt<'_> {
    SessionAt { name: "web", shard: 7, digest }
}

const USER: SessionUser<'_> = SessionUser { name: "web", shard: 7, user: "u" };

fn start_of(digest: &str) -> SessionStart<'_> {
    SessionStart {
        at: at(digest),
        user: Some("u"),
        who: b"who",
        data: b"data",
        stamp: 1,
        idle: MINUTE,
        absolute: 10 * MINUTE,
        most: 100,
    }
}

async fn make(store: &RedisStore, digest: &str) {
    store.start_session(start_of(digest)).await.unwrap();
}

async fn look(store: &RedisStore, digest: &str) -> Option<SessionFound> {
    store.read_session(at(digest), true).await.unwrap()
}

fn write(digest: &str) -> SessionWrite<'_> {
    SessionWrite { at: at(digest), data: b"new", stamp: 2, expected: None, life: None }
}

fn move_of<'a>(from: &'a str, to: &'a str) -> SessionMove<'a> {
    SessionMove { from: at(from), to, who: b"who", data: b"data", stamp: 3, expected: 1 }
}

fn left(server: &Server, key: &str) -> i64 {
    server.ask(&["PTTL", key]).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_is_one_request_and_what_it_leaves_ends_by_itself() {
    let (server, store) = start().await;
    make(&store, "a").await; // so that the server knows the script
    let before = server.calls("evalsha");
    make(&store, "b").await;
    look(&store, "b").await.unwrap();
    assert_eq!(store.write_session(write("b")).await.unwrap(), SessionWritten::Written);
    assert_eq!(store.move_session(move_of("a", "c")).await.unwrap(), SessionWritten::Written);
    assert_eq!(store.list_sessions(USER).await.unwrap().len(), 2);
    assert_eq!(server.calls("evalsha") - before, 5);
    for key in ["i:{cache:s:007}web:b", "i:{cache:s:007}web:c"] {
        assert!((50_000..=60_000).contains(&left(&server, key)), "{key}");
    }
    // The list outlives the sessions.
    assert!((500_000..=600_000).contains(&left(&server, LIST)));
    assert!(store.end_session(at("b")).await.unwrap());
    assert_eq!(store.end_sessions(USER).await.unwrap(), 1);
    assert_eq!(server.ask(&["KEYS", "?:{cache:s:*"]), "", "nothing is left");
    // Also where the last one of a list ends alone.
    make(&store, "d").await;
    assert!(store.end_session(at("d")).await.unwrap());
    assert_eq!(server.ask(&["KEYS", "?:{cache:s:*"]), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_lives_as_long_as_the_longest_of_its_sessions() {
    let (server, store) = start().await;
    let long = SessionStart { absolute: 100 * MINUTE, ..start_of("long") };
    store.start_session(long).await.unwrap();
    make(&store, "a").await;
    assert!(left(&server, LIST) > 5_000_000, "a shorter one does not shorten it");
    assert!(look(&store, "long").await.is_some());
    let longer = SessionWrite { life: Some(200 * MINUTE), ..write("a") };
    assert_eq!(store.write_session(longer).await.unwrap(), SessionWritten::Written);
    assert!(left(&server, LIST) > 11_000_000, "nor than a session that is to live longer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_was_lost_ends_its_sessions_for_ever() {
    let (server, store) = start().await;
    for digest in ["a", "b", "c", "d"] {
        make(&store, digest).await;
    }
    // As an eviction takes it, or a person.
    server.ask(&["UNLINK", LIST]);
    assert_eq!(look(&store, "a").await, None);
    assert_eq!(server.ask(&["EXISTS", SESSION]), "0", "it is cleared away");
    // The user signs in anew; what was before stays dead, whatever is asked of it.
    make(&store, "e").await;
    assert_eq!(look(&store, "b").await, None);
    assert_eq!(store.write_session(write("c")).await.unwrap(), SessionWritten::Gone);
    assert_eq!(store.move_session(move_of("d", "f")).await.unwrap(), SessionWritten::Gone);
    assert!(look(&store, "e").await.is_some());
    assert_eq!(store.list_sessions(USER).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_sessions_end_also_those_that_the_list_has_lost() {
    let (server, store) = start().await;
    make(&store, "a").await;
    make(&store, "b").await;
    server.ask(&["HDEL", LIST, "a"]);
    assert!(look(&store, "a").await.is_some(), "the list is not what a session lives by");
    assert_eq!(store.end_sessions(USER).await.unwrap(), 1);
    assert_eq!(look(&store, "a").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_lost_leaves_the_list() {
    let (server, store) = start().await;
    make(&store, "a").await;
    make(&store, "b").await;
    server.ask(&["UNLINK", SESSION]);
    assert_eq!(store.list_sessions(USER).await.unwrap().len(), 1);
    assert_eq!(server.ask(&["HEXISTS", LIST, "a"]), "0");
    assert_eq!(store.end_sessions(USER).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_session_is_an_error_and_never_none() {
    let (server, store) = start().await;
    server.ask(&["RPUSH", SESSION, "foreign"]);
    let found = store.read_session(at("a"), true).await;
    assert_eq!(found.unwrap_err().kind(), ErrorKind::Protocol);
    assert!(store.end_session(at("a")).await.is_err());
    server.ask(&["SET", LIST, "foreign"]);
    assert!(store.list_sessions(USER).await.is_err());
    assert!(store.start_session(start_of("b")).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_full_still_finds_and_ends_sessions() {
    let (server, store) = start().await;
    for digest in ["a", "b", "c"] {
        make(&store, digest).await;
    }
    server.ask(&["PEXPIRE", SESSION, "30000"]);
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = store.start_session(start_of("d")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");
    assert_eq!(store.write_session(write("a")).await.unwrap_err().kind(), ErrorKind::Refused);
    let moved = store.move_session(move_of("a", "e")).await;
    assert_eq!(moved.unwrap_err().kind(), ErrorKind::Refused);
    let found = look(&store, "a").await.unwrap();
    assert_eq!((&*found.data, found.stamp), (&b"data"[..], 1), "nothing was done by halves");
    assert!(left(&server, SESSION) > 30_000, "its idle time began anew");
    assert!(store.end_session(at("b")).await.unwrap());
    assert_eq!(store.list_sessions(USER).await.unwrap().len(), 2);
    assert_eq!(store.end_sessions(USER).await.unwrap(), 2);
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(look(&store, "a").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_prefixes_have_sessions_of_their_own() {
    let (server, store) = start().await;
    let other = RedisStore::connect(config(&server.url()).prefix("other:")).await.unwrap();
    make(&store, "a").await;
    assert_eq!(look(&other, "a").await, None);
    assert_eq!(other.end_sessions(USER).await.unwrap(), 0);
    assert!(look(&store, "a").await.is_some());
}

#[cfg(feature = "cluster")]
mod in_a_cluster {
    use super::{common::server::Cluster, *};

    async fn on(cluster: &Cluster) -> std::sync::Arc<RedisStore> {
        let settings = config(&cluster.url()).deadline(Duration::from_millis(500));
        RedisStore::connect(settings).await.unwrap()
    }

    /// A session of another user in each shard.
    fn in_shard(shard: u16) -> SessionStart<'static> {
        SessionStart { at: SessionAt { shard, ..at("a") }, ..start_of("a") }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_dead_node_takes_only_its_own_and_never_says_that_there_is_none() {
        let mut cluster = Cluster::start();
        let store = on(&cluster).await;
        for shard in 0..30 {
            store.start_session(in_shard(shard)).await.unwrap();
        }
        let dead = cluster.nodes[0].address();
        let owner =
            |shard: u16| cluster.owner(&format!("i:{{cache:s:{shard:03x}}}web:a")).address();
        let owners: Vec<String> = (0..30).map(owner).collect();
        cluster.nodes[0].kill();
        let mut of_dead = 0;
        for (shard, owner) in (0..30).zip(owners) {
            let at = in_shard(shard).at;
            let user = SessionUser { shard, ..USER };
            if owner == dead {
                of_dead += 1;
                assert!(store.read_session(at, true).await.is_err(), "{shard}");
                assert!(store.end_sessions(user).await.is_err(), "{shard}");
            } else {
                // Of a range of slots that has both some may be refused for a moment.
                let found = eventually(async || store.read_session(at, true).await.ok()).await;
                assert!(found.is_some(), "{shard}");
                let ended = eventually(async || store.end_sessions(user).await.ok()).await;
                assert_eq!(ended, 1, "{shard}");
            }
        }
        assert!(of_dead > 0 && of_dead < 30);
    }

    /// Whatever is asked while the keys of a slot are on two sides, one or the other answers, or an error; never "none". And an
    /// end that was confirmed holds.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn while_a_slot_moves_no_session_is_said_to_be_gone_before_it_is() {
        let cluster = Cluster::start();
        let store = on(&cluster).await;
        let slot = cluster.slot(SESSION);
        let from = cluster.owner(SESSION);
        let to = cluster.nodes.iter().find(|node| node.address() != from.address()).unwrap();
        for digest in ["a", "b"] {
            make(&store, digest).await;
        }
        cluster.open_slot(&slot, from, to);
        let port = to.address().rsplit(':').next().unwrap().to_owned();
        for moved in [LIST, SESSION] {
            let told = from.ask(&["MIGRATE", "127.0.0.1", &port, moved, "0", "5000"]);
            assert_eq!(told, "OK");
            for digest in ["a", "b"] {
                let found: cache_store::Result<_> = store.read_session(at(digest), true).await;
                assert!(!matches!(found, Ok(None)), "{digest} after {moved} moved");
            }
        }
        let first = store.end_sessions(USER).await;
        if first.is_ok() {
            for digest in ["a", "b"] {
                let found = store.read_session(at(digest), true).await;
                assert!(!matches!(found, Ok(Some(_))), "{digest}");
            }
        }
        Cluster::move_keys(&slot, from, to);
        cluster.hand_over(&slot, from, to);
        eventually(async || store.end_sessions(USER).await.ok()).await;
        for digest in ["a", "b"] {
            assert_eq!(look(&store, digest).await, None, "{digest} {first:?}");
        }
    }

    async fn eventually<T>(ask: impl AsyncFn() -> Option<T>) -> T {
        let asking = async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap()
    }
}
