//! What tags of stored values need, on a real server: their own life, and the index beside the protocol.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use cache_redis::RedisStore;
use cache_store::{Begin, Claim, ClaimOutcome, Fill, Finish, Life, Nonce, Store};
use common::*;

const SET: &str = "s:{cache:t:a}";

/// Loads and fills with the tag `a`; the tag's nonce.
async fn tagged(store: &RedisStore, key: &str, life: Life) -> Nonce {
    let tags = &["a".to_owned()];
    let claimed = store.claim(Claim { tags, ..claim(key) }).await.unwrap();
    let nonce = match claimed.outcome {
        ClaimOutcome::Load(nonce) => nonce,
        // The value is there; it is stored once more.
        ClaimOutcome::Found { value, .. } => Nonce::from_bytes(&value).unwrap(),
        other => panic!("{other:?}"),
    };
    let (value, named) = (&stored(nonce, key), &[("a", claimed.tag_nonces[0])]);
    assert!(store.fill(Fill { life, tags: named, ..fill(key, nonce, value) }).await.unwrap());
    claimed.tag_nonces[0]
}

async fn listed(store: &RedisStore) -> Vec<String> {
    let mut keys = store.tagged("a", 0).await.unwrap().unwrap().keys;
    keys.sort_unstable();
    keys
}

fn seconds(seconds: u64) -> Life {
    Life::For(Duration::from_secs(seconds))
}

fn life_of(server: &Server, name: &str) -> i64 {
    server.ask(&["PTTL", name]).parse().unwrap()
}

#[tokio::test]
async fn the_set_of_a_tag_lives_as_long_as_its_longest_member() {
    let (server, store) = start().await;
    let between = |least: i64, most: i64| {
        let life = life_of(&server, SET);
        assert!((least * 1_000..=most * 1_000).contains(&life), "{life}");
    };
    tagged(&store, "long", seconds(3_600)).await;
    between(3_590, 3_600);
    tagged(&store, "short", seconds(5)).await;
    between(3_590, 3_600);
    tagged(&store, "longer", seconds(7_200)).await;
    between(7_190, 7_200);
    tagged(&store, "for ever", Life::Forever).await;
    assert_eq!(life_of(&server, SET), -1);
    tagged(&store, "short", seconds(5)).await;
    assert_eq!(life_of(&server, SET), -1);
    // The one that lives for ever gets a life after all: so does the set.
    tagged(&store, "for ever", seconds(60)).await;
    between(7_190, 7_200);
}

#[tokio::test]
async fn what_has_ended_goes_when_the_set_is_touched() {
    let (server, store) = start().await;
    for number in 0..150 {
        tagged(&store, &format!("short:{number}"), Life::For(Duration::from_millis(20))).await;
    }
    tagged(&store, "long", MINUTE).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(listed(&store).await, ["long"]);
    // A hundred at a time, so that nobody waits for the rest.
    tagged(&store, "other", MINUTE).await;
    tagged(&store, "another", MINUTE).await;
    assert_eq!(server.ask(&["ZCARD", SET]), "3");
}

#[tokio::test]
async fn the_set_is_bounded_and_what_ends_first_makes_room() {
    let (server, _) = start().await;
    let store = RedisStore::connect(config(&server.url()).tag_index(3)).await.unwrap();
    for (key, life) in [("b", 30), ("a", 20), ("d", 50), ("c", 40), ("short", 10)] {
        tagged(&store, key, seconds(life)).await;
    }
    assert_eq!(listed(&store).await, ["b", "c", "d"]);
    assert_eq!(server.ask(&["ZCARD", SET]), "3");
    tagged(&store, "for ever", Life::Forever).await;
    assert_eq!(listed(&store).await, ["c", "d", "for ever"]);
}

#[tokio::test]
async fn without_an_index_nothing_is_listed_and_nothing_else_is_different() {
    let (server, _) = start().await;
    let store = RedisStore::connect(config(&server.url()).tag_index(0)).await.unwrap();
    tagged(&store, "b", seconds(200)).await;
    assert_eq!(server.ask(&["KEYS", "s:*"]), "");
    assert_eq!(store.tagged("a", 0).await.unwrap(), None);
    assert!(life_of(&server, "d:{cache}t:a") > 190_000, "the tag lives as long as its entry");
}

#[tokio::test]
async fn a_set_that_cannot_be_written_fails_no_fill() {
    let (server, store) = start().await;
    server.ask(&["SET", SET, "somebody else's"]);
    tagged(&store, "b", MINUTE).await;
    assert_eq!(get(&store, "b").await.as_deref(), Some("b"));
    assert!(store.tagged("a", 0).await.is_err());

    let acl = ["ACL", "SETUSER", "app", "on", ">secret", "+@all"];
    server.ask(&[&acl[..], &["~v:*", "~d:*", "~l:*", "~w:*", "~g:*"]].concat());
    let url = format!("redis://app:secret@{}", server.address());
    let store = RedisStore::connect(config(&url)).await.unwrap();
    tagged(&store, "c", MINUTE).await;
    assert_eq!(get(&store, "c").await.as_deref(), Some("c"));
}

#[tokio::test]
async fn a_tag_is_prolonged_only_when_its_entry_would_outlive_it() {
    let (server, store) = start().await;
    let tag = "d:{cache}t:a";
    // Claims make it live for two minutes.
    tagged(&store, "short", seconds(100)).await;
    let before = server.calls("pexpire");
    tagged(&store, "short", seconds(100)).await;
    assert_eq!(server.calls("pexpire"), before, "nobody is told without need");
    tagged(&store, "long", seconds(3_600)).await;
    assert!(life_of(&server, tag) > 3_590_000);
    let nonce = tagged(&store, "for ever", Life::Forever).await;
    assert_eq!(life_of(&server, tag), -1);
    tagged(&store, "long", seconds(3_600)).await;
    assert_eq!(life_of(&server, tag), -1);
    assert_eq!(store.tag_nonces(&["a".to_owned()]).await.unwrap(), [Some(nonce)]);
}

#[tokio::test]
async fn a_written_value_keeps_its_tags_and_is_listed() {
    let (server, store) = start().await;
    let tags = &["a".to_owned()][..];
    let at_most = Duration::from_secs(30);
    for (key, value) in [("kept", Some(b"new".as_slice())), ("dropped", None)] {
        let begin = Begin {
            key,
            token: token(),
            tags,
            tag_log: false,
            at_most,
            dependency_life: seconds(60),
        };
        let begun = store.begin(begin).await.unwrap();
        let finish = Finish {
            key,
            begun: &begun,
            value,
            tags: &[("a", begun.tag_nonces[0])],
            life: seconds(3_600),
            dependency_life: seconds(7_200),
        };
        assert_eq!(store.finish(finish).await.unwrap(), value.is_some());
    }
    assert_eq!(listed(&store).await, ["kept"]);
    assert!(life_of(&server, "d:{cache}t:a") > 3_590_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fill_is_pushed_to_every_process_only_when_it_is_announced() {
    let (server, store) = start().await;
    let nonce = nonce_of(&store.claim(claim("b")).await.unwrap());
    let pushed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&pushed);
    let config =
        redis::AsyncConnectionConfig::new().set_push_sender(move |push: redis::PushInfo| {
            count.fetch_add(usize::from(push.kind == redis::PushKind::Invalidate), SeqCst);
            Ok::<(), redis::aio::SendError>(())
        });
    let client = redis::Client::open(format!("{}?protocol=resp3", server.url())).unwrap();
    let mut listening = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    let mut track = redis::cmd("CLIENT");
    track.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg("d:{cache:");
    track.exec_async(&mut listening).await.unwrap();
    for (announced, expected) in [(false, 0), (true, 1)] {
        let value = stored(nonce, "body");
        assert!(store.fill(Fill { announced, ..fill("b", nonce, &value) }).await.unwrap());
        redis::cmd("PING").exec_async(&mut listening).await.unwrap();
        assert_eq!(pushed.load(SeqCst), expected);
        assert_eq!(get(&store, "b").await.as_deref(), Some("body"));
        assert!(life_of(&server, "d:{cache:k:b}") > 100_000, "it keeps its life");
    }
}

#[cfg(feature = "cluster")]
mod cluster {
    use super::{common::server::Cluster, *};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_node_that_hangs_with_a_tags_set_fails_no_fill() {
        let cluster = Cluster::start();
        let settings = config(&cluster.url()).deadline(Duration::from_millis(300));
        let store = RedisStore::connect(settings).await.unwrap();
        let set = cluster.owner(SET);
        let home = cluster.owner("d:{cache}");
        assert_ne!(set.port, home.port, "or this test needs another tag");
        let here = |key: &String| cluster.owner(&format!("v:{{cache:k:{key}}}")).port == home.port;
        let keys: Vec<String> =
            (0..60).map(|number| format!("key:{number}")).filter(here).collect();
        tagged(&store, &keys[0], MINUTE).await;
        assert_eq!(set.ask(&["ZCARD", SET]), "1");
        set.freeze();
        for key in &keys[1..6] {
            tagged(&store, key, MINUTE).await;
            assert_eq!(get(&store, key).await.as_ref(), Some(key));
        }
        set.thaw();
    }
}
