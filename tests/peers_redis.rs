//! Mistakes of other caches with Redis: here each of them is a sentence that holds, against a real server.
#![allow(clippy::unwrap_used)]

#[path = "common/loads.rs"]
mod loads;
#[path = "../cache-redis/tests/common/server.rs"]
#[allow(unused_imports)]
mod server;

use std::{sync::Arc, time::Duration};

use larder::{Cache, Stats, cache_aside, stampede_protect};
use loads::{Held, in_time};
use serde::{Deserialize, Serialize, Serializer};
use server::{Server, wait_until};

/// In Redis only, so that every call asks it.
#[cache_aside(key = "row:{id}", ttl = "1m", layer = "shared", cache = cache, skip(found))]
async fn row(cache: &Cache, id: u64, found: u64) -> u64 {
    found
}

#[cache_aside(key = "held:{id}", cache = cache, skip(held))]
async fn held_row(cache: &Cache, held: &Held, id: u64) -> Result<u64, String> {
    held.run(Ok(id)).await
}

const VALUE: &str = "v:{cache:k:row:1}";

async fn process(server: &Server) -> Cache {
    builder(server).build().await.unwrap()
}

fn builder(server: &Server) -> larder::CacheBuilder {
    Cache::builder().redis(server.url()).shared_deadline(Duration::from_secs(5))
}

/// How often Redis failed, one way or the other.
fn failures(stats: &Stats) -> u64 {
    stats.shared_errors + stats.shared_timeouts
}

// Guard: cache-redis/src/store.rs, `connect` starts without a server that cannot be reached.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_down_on_first_use_is_neither_a_panic_nor_an_error() {
    let mut server = Server::start(&[]);
    server.kill();
    let cache = process(&server).await;
    let held = Held::new();
    held.end();
    assert_eq!(held_row(&cache, &held, 7).await, Ok(7));
    assert!(failures(&cache.stats()) > 0);
}

// Guard: cache-core/src/engine/lead.rs, `ask` loads without the shared tier when it fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_goes_down_later_leaves_every_call_its_result() {
    let mut server = Server::start(&[]);
    let cache = process(&server).await;
    assert_eq!(row(&cache, 1, 10).await, 10);
    server.kill();
    for id in 1..20 {
        assert_eq!(row(&cache, id, 20).await, 20);
    }
    assert!(failures(&cache.stats()) >= 19);
    server.restart();
    let back = async {
        while cache.get::<u64>("row:1").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    in_time("it is found again", back).await;
    assert_eq!((row(&cache, 1, 30).await, row(&cache, 1, 40).await), (30, 30));
}

// Guard: cache-redis/src/link.rs, `send` waits no longer than the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_leaves_every_call_its_result_in_time() {
    let server = Server::start(&[]);
    let brief = builder(&server).shared_deadline(Duration::from_millis(200)).build().await.unwrap();
    server.freeze();
    for id in 1..6 {
        assert_eq!(in_time("the call returns", row(&brief, id, 20)).await, 20);
    }
    assert!(brief.stats().shared_timeouts > 0);
    server.thaw();
}

/// A call whose body ends after `trouble` has come over the server; gives what was counted.
async fn in_trouble(server: &mut Server, trouble: impl FnOnce(&mut Server)) -> Stats {
    let (cache, held) = (process(server).await, Held::new());
    let call = {
        let (cache, held) = (cache.clone(), Arc::clone(&held));
        tokio::spawn(async move { held_row(&cache, &held, 7).await })
    };
    held.began().await;
    trouble(server);
    held.end();
    assert_eq!(in_time("the call returns", call).await.unwrap(), Ok(7));
    cache.stats()
}

// Guard: cache-core/src/engine/fill.rs, a fill that fails is counted and is nobody's error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_dies_while_the_body_runs_leaves_ok_an_ok() {
    let stats = in_trouble(&mut Server::start(&[]), Server::kill).await;
    assert_eq!((stats.loads, failures(&stats)), (1, 1));
}

// Guard: cache-core/src/engine/fill.rs, a refused SET is counted and is nobody's error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_redis_leaves_ok_an_ok() {
    let mut server = Server::start(&["--maxmemory-policy", "noeviction"]);
    let full = |server: &mut Server| {
        assert_eq!(server.ask(&["CONFIG", "SET", "maxmemory", "1"]), "OK");
    };
    let stats = in_trouble(&mut server, full).await;
    assert_eq!((stats.loads, stats.shared_errors), (1, 1));
    assert_eq!(server.ask(&["EXISTS", "v:{cache:k:held:7}"]), "0");
    // Full from the beginning.
    let cache = process(&server).await;
    assert_eq!((row(&cache, 1, 10).await, row(&cache, 1, 20).await), (10, 20));
    assert_eq!(cache.stats().shared_errors, 2);
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!((row(&cache, 1, 30).await, row(&cache, 1, 40).await), (30, 30));
}

// Guard: cache-core/src/engine/fill.rs, a refused SET is counted and is nobody's error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_replica_leaves_ok_an_ok() {
    let (mut server, master) = (Server::start(&[]), Server::start(&[]));
    let demoted = |server: &mut Server| {
        let port = master.port.to_string();
        assert_eq!(server.ask(&["REPLICAOF", "127.0.0.1", &port]), "OK");
    };
    let stats = in_trouble(&mut server, demoted).await;
    assert_eq!((stats.loads, stats.shared_errors), (1, 1));
    // A replica from the beginning.
    let cache = process(&server).await;
    assert_eq!((row(&cache, 1, 10).await, row(&cache, 1, 20).await), (10, 20));
    assert!(cache.stats().shared_errors >= 2);
}

/// As short as the argument says.
#[cache_aside(key = "brief:{id}", ttl = life, layer = "shared", cache = cache, skip(life, found))]
async fn brief(cache: &Cache, id: u64, life: Duration, found: u64) -> u64 {
    found
}

const BRIEF: &str = "v:{cache:k:brief:1}";

fn life_of(server: &Server, name: &str) -> i64 {
    server.ask(&["PTTL", name]).parse().unwrap()
}

// Guard: cache-redis/src/steps.rs, `millis` counts in milliseconds and rounds up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ttl_below_a_second_is_kept_and_ends() {
    let server = Server::start(&[]);
    let cache = process(&server).await;
    let life = Duration::from_millis(990);
    assert_eq!(brief(&cache, 1, life, 10).await, 10);
    let left = life_of(&server, BRIEF);
    assert!(left > 100 && left <= 990, "{left}");
    assert_eq!(brief(&cache, 1, life, 20).await, 10);
    wait_until("it ends", || server.ask(&["EXISTS", BRIEF]) == "0");
    assert_eq!(brief(&cache, 1, life, 30).await, 30);
}

// Guard: cache-redis/src/steps.rs, `millis` is never zero; cache-redis/src/scripts/fill.lua, `PX` goes with every life.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ttl_below_a_millisecond_is_stored_and_ends() {
    let server = Server::start(&[]);
    let cache = process(&server).await;
    for round in 1..=20 {
        let life = Duration::from_nanos(round);
        assert_eq!(brief(&cache, 1, life, round).await, round);
        wait_until("it ends", || server.ask(&["EXISTS", BRIEF]) == "0");
    }
    let stats = cache.stats();
    assert_eq!((stats.fills, stats.shared_errors), (20, 0));
}

// Guard: cache-core/src/engine/lead.rs, `promote` keeps a value no longer than Redis will.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_read_from_redis_is_kept_no_longer_than_its_remaining_life() {
    #[cache_aside(key = "promoted:{id}", ttl = "500ms", cache = cache, skip(found))]
    async fn promoted(cache: &Cache, id: u64, found: u64) -> u64 {
        found
    }
    let server = Server::start(&[]);
    let long = || builder(&server).coherence_bound(Duration::from_secs(3600)).build();
    let (here, there) = (long().await.unwrap(), long().await.unwrap());
    assert_eq!(promoted(&here, 1, 10).await, 10);
    assert_eq!(promoted(&there, 1, 20).await, 10);
    assert_eq!(there.stats().hits_shared, 1);
    let renewed = async {
        while promoted(&there, 1, 30).await == 10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    in_time("the old value ends", renewed).await;
}

// Guard: cache-redis/src/reply.rs, `life` of a key that is gone is no life.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_expires_while_it_is_read_does_not_live_for_ever() {
    let server = Server::start(&[]);
    let cache = process(&server).await;
    let life = Duration::from_millis(2);
    for round in 0..300 {
        brief(&cache, round, life, round).await;
        while let Some(left) = brief_entry(&cache, round, life).ttl().await.unwrap() {
            assert!(left <= life, "{left:?} of {life:?}");
        }
    }
}

// Guard: cache-redis/src/scripts/fill.lua, the SET of a load without a ttl keeps none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_load_without_a_ttl_does_not_keep_the_first_ones() {
    let server = Server::start(&[]);
    let cache = process(&server).await;
    brief(&cache, 1, Duration::from_secs(5), 10).await;
    assert!(life_of(&server, BRIEF) > 0);
    // The value stays where it is until it is overwritten.
    cache.invalidate("brief:1").await.unwrap();
    assert!(life_of(&server, BRIEF) > 0);
    assert_eq!(brief(&cache, 1, Duration::MAX, 20).await, 20);
    assert_eq!(life_of(&server, BRIEF), -1);
    assert_eq!(life_of(&server, "d:{cache:k:brief:1}"), -1, "what it depends on lives as long");
}

// Guard: cache-redis/src/scripts/finish.lua, the SET of a write without a ttl keeps none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_write_without_a_ttl_does_not_keep_the_first_ones() {
    let server = Server::start(&[]);
    let cache = process(&server).await;
    let name = "v:{cache:k:k}";
    cache.set("k", &1u64).ttl("5s").await.unwrap();
    assert!(life_of(&server, name) > 0);
    cache.set("k", &2u64).ttl("forever").await.unwrap();
    assert_eq!((life_of(&server, name), life_of(&server, "d:{cache:k:k}")), (-1, -1));
    cache.set("k", &3u64).ttl("5s").await.unwrap();
    assert!((1..=5000).contains(&life_of(&server, name)));
}

/// Makes a key look as if nobody had touched it for an hour, so that a sweep may take it.
const AGE: &str = "return redis.call('RESTORE', KEYS[1], 0, redis.call('DUMP', KEYS[1]), \
                   'REPLACE', 'IDLETIME', 3600)";

// Guard: cache-redis/src/write.rs, `invalidate_all` and its sweep stay within the prefix.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clear_removes_only_what_is_under_our_prefix() {
    let server = Server::start(&[]);
    let (ours, theirs) = (process(&server).await, builder(&server).prefix("cache2:"));
    let theirs = theirs.build().await.unwrap();
    row(&ours, 1, 10).await;
    row(&theirs, 1, 10).await;
    let others = ["session:1", "cache", "cache:row:1", "v:row:1", "v:{cache2:k:row:1}"];
    for name in &others[..4] {
        assert_eq!(server.ask(&["SET", name, "not ours"]), "OK");
    }
    for name in others.iter().chain([&VALUE]) {
        assert_eq!(server.ask(&["EVAL", AGE, "1", name]), "OK");
    }
    ours.clear().await.unwrap();
    wait_until("ours is swept", || server.ask(&["EXISTS", VALUE]) == "0");
    for name in others {
        assert_eq!(server.ask(&["EXISTS", name]), "1", "{name}");
    }
    assert_eq!((row(&ours, 1, 20).await, row(&theirs, 1, 20).await), (20, 10));
}

const FLIP: &str = "local v, at = redis.call('GET', KEYS[1]), tonumber(ARGV[1]) \
    local byte = string.char(bit.bxor(string.byte(v, at + 1), 1)) \
    redis.call('SET', KEYS[1], string.sub(v, 1, at) .. byte .. string.sub(v, at + 2)) return 'OK'";
const CUT: &str = "local v = redis.call('GET', KEYS[1]) \
    redis.call('SET', KEYS[1], string.sub(v, 1, tonumber(ARGV[1]))) return 'OK'";
/// What begins the stored bytes; without it they are of an entry that was invalidated.
const NONCE: usize = 16;

/// Every byte of an entry in its turn is treated with `script`: each time the body runs and its result is returned.
async fn damaged(script: &str) {
    let server = Server::start(&[]);
    let cache = process(&server).await;
    row(&cache, 1, 1000).await;
    let length: usize = server.ask(&["STRLEN", VALUE]).parse().unwrap();
    assert!(length > 4 * NONCE, "{length}");
    for at in 0..length {
        assert_eq!(server.ask(&["EVAL", script, "1", VALUE, &at.to_string()]), "OK");
        // As long as the first one when it is encoded.
        let (before, found) = (cache.stats(), 1001 + at as u64);
        assert_eq!(row(&cache, 1, found).await, found, "{at}");
        let after = cache.stats();
        assert_eq!(after.misses, before.misses + 1, "{at}");
        assert_eq!(after.corrupt > before.corrupt, at >= NONCE, "{at}");
        assert_eq!(row(&cache, 1, 1000).await, found, "it is replaced");
    }
    assert_eq!(failures(&cache.stats()), 0);
}

// Guard: cache-core/src/envelope/parse.rs, the checksum covers every byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_anywhere_is_a_miss_that_is_counted() {
    damaged(FLIP).await;
}

// Guard: cache-core/src/envelope/parse.rs, `Reader::take` never takes more than there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_cut_off_anywhere_is_a_miss_that_is_counted() {
    damaged(CUT).await;
}

// Guard: cache-core/src/engine/validity.rs, the type's fingerprint is compared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_types_value_is_a_miss_that_is_counted() {
    #[cache_aside(key = "row:{id}", layer = "shared", cache = cache)]
    async fn named(cache: &Cache, id: u64) -> Vec<u8> {
        vec![id as u8; 3]
    }
    let server = Server::start(&[]);
    let cache = process(&server).await;
    for round in 1..4 {
        assert_eq!(row(&cache, 1, 10).await, 10);
        assert_eq!(named(&cache, 1).await, [1, 1, 1]);
        assert_eq!(cache.stats().foreign_type, 2 * round - 1);
    }
}

#[stampede_protect(
    key = "all:{id}",
    tags = ["known:{id}", "learned:{value}"],
    layer = "shared",
    cache = cache,
    skip(found)
)]
async fn everything(cache: &Cache, id: u64, found: u64) -> u64 {
    found
}

// Guard: cache-core/src/engine/lead.rs, `ask` takes an error reply for a load without Redis; fill.rs does the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_redis_type_in_our_place_is_no_error_and_is_counted() {
    let server = Server::start(&[]);
    let cache = process(&server).await;
    let places = [
        "v:{cache:k:all:1}",
        "d:{cache:k:all:1}",
        "l:{cache:k:all:1}",
        "w:{cache:k:all:1}",
        "d:{cache}",
        "g:{cache}",
        "d:{cache}t:known:1",
        "d:{cache}t:learned:5",
    ];
    for place in places {
        server.ask(&["FLUSHALL"]);
        assert_eq!(server.ask(&["HSET", place, "field", "value"]), "1");
        let before = cache.stats();
        assert_eq!(everything(&cache, 1, 5).await, 5, "{place}");
        assert!(cache.stats().shared_errors > before.shared_errors, "{place}");
    }
}

// Guard: cache-core/src/engine/lead.rs, `read_asking` takes only what begins with the key's nonce.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_value_of_no_bytes_is_a_miss_that_is_counted() {
    let server = Server::start(&[]);
    let cache = process(&server).await;
    for round in 1..4 {
        assert_eq!(server.ask(&["SET", VALUE, ""]), "OK");
        assert_eq!(row(&cache, 1, round).await, round);
        assert_eq!(cache.stats().misses, round);
    }
    assert_eq!(row(&cache, 1, 10).await, 3);
}

// Guard: cache-core/src/envelope/parse.rs, the magic bytes are compared before anything else is believed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_megabytes_of_garbage_are_a_miss_that_is_counted() {
    let server = Server::start(&[]);
    let cache = process(&server).await;
    row(&cache, 1, 10).await;
    let garbage = "redis.call('SET', KEYS[1], redis.call('GET', KEYS[2]) .. \
                   string.rep('\\255', 10000000)) return 'OK'";
    let dependency = "d:{cache:k:row:1}";
    assert_eq!(server.ask(&["EVAL", garbage, "2", VALUE, dependency]), "OK");
    assert_eq!(row(&cache, 1, 20).await, 20);
    assert!(cache.stats().corrupt > 0);
    assert_eq!(row(&cache, 1, 30).await, 20);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[cache_aside(key = "nothing:{id}", layer = "shared", cache = cache, skip(held))]
async fn nothing(cache: &Cache, held: &Held, id: u64) -> Nothing {
    held.run(Nothing).await
}

#[cache_aside(key = "text:{length}", layer = "shared", cache = cache, skip(held))]
async fn text(cache: &Cache, held: &Held, length: usize) -> String {
    held.run("x".repeat(length)).await
}

// Guard: cache-core/src/envelope/parse.rs, a payload of no bytes is an entry like every other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_of_no_bytes_is_cached() {
    let server = Server::start(&[]);
    let (cache, held) = (process(&server).await, Held::new());
    held.end();
    held.end();
    for _ in 0..3 {
        assert_eq!(nothing(&cache, &held, 1).await, Nothing);
        assert_eq!(text(&cache, &held, 0).await, "");
    }
    let stats = cache.stats();
    assert_eq!((stats.fills, stats.hits_shared, held.runs()), (2, 4, 2));
}

// Guard: cache-core/src/envelope/write.rs, a value within the limit is stored whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_of_ten_megabytes_is_cached() {
    let server = Server::start(&[]);
    let (cache, held) = (process(&server).await, Held::new());
    held.end();
    for _ in 0..3 {
        assert_eq!(text(&cache, &held, 10_000_000).await.len(), 10_000_000);
    }
    let stats = cache.stats();
    assert_eq!((stats.fills, stats.hits_shared, failures(&stats)), (1, 2, 0));
}

// Guard: cache-core/src/envelope/write.rs and parse.rs, neither passes what is larger than the limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_above_the_limit_is_returned_and_neither_stored_nor_read() {
    let server = Server::start(&[]);
    let held = Held::new();
    let small = builder(&server).max_value_bytes(1 << 20).build().await.unwrap();
    held.end();
    assert_eq!(text(&small, &held, 10_000_000).await.len(), 10_000_000);
    assert_eq!((small.stats().too_large, small.stats().fills), (1, 0));
    held.end();
    text(&process(&server).await, &held, 10_000_000).await;
    held.end();
    assert_eq!(text(&small, &held, 10_000_000).await.len(), 10_000_000);
    assert_eq!((small.stats().too_large, small.stats().corrupt > 0), (2, true));
    assert_eq!(held.runs(), 3);
}

/// Does not encode.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Stubborn;

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}

// Guard: cache-core/src/engine/fill.rs, `encode` counts what does not encode.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_does_not_encode_is_returned_and_counted() {
    #[cache_aside(key = "stubborn:{id}", layer = "shared", cache = cache)]
    async fn stubborn(cache: &Cache, id: u64) -> Stubborn {
        Stubborn
    }
    let server = Server::start(&[]);
    let cache = process(&server).await;
    assert_eq!(stubborn(&cache, 1).await, Stubborn);
    assert_eq!((cache.stats().codec_errors, cache.stats().fills), (1, 0));
}
