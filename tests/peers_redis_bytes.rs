//! What other caches make of bytes in Redis that are not whole or not theirs: each mistake is a sentence that holds.
#![allow(clippy::unwrap_used)]

#[path = "common/loads.rs"]
mod loads;
#[macro_use]
#[path = "common/places.rs"]
mod places;
#[path = "../cache-redis/tests/common/server.rs"]
mod server;

use larder::{Cache, Stats, cache_aside, stampede_protect};
use loads::Held;
use places::Place;
use serde::{Deserialize, Serialize, Serializer};

on_redis!(
    a_flipped_bit_anywhere_is_a_miss_that_is_counted,
    an_entry_cut_off_anywhere_is_a_miss_that_is_counted,
    another_types_value_is_a_miss_that_is_counted,
    a_key_of_another_redis_type_in_our_place_is_no_error_and_is_counted,
    a_stored_value_of_no_bytes_is_a_miss_that_is_counted,
    ten_megabytes_of_garbage_are_a_miss_that_is_counted,
    a_value_of_no_bytes_is_cached,
    a_value_of_ten_megabytes_is_cached,
    a_value_above_the_limit_is_returned_and_neither_stored_nor_read,
    a_value_that_does_not_encode_is_returned_and_counted,
);

/// In Redis only, so that every call asks it.
#[cache_aside(key = "row:{id}", ttl = "1m", layer = "shared", cache = cache, skip(found))]
async fn row(cache: &Cache, id: u64, found: u64) -> u64 {
    found
}

const VALUE: &str = "v:{cache:k:row:1}";

async fn process(place: &Place) -> Cache {
    place.builder().build().await.unwrap()
}

/// How often Redis failed, one way or the other.
fn failures(stats: &Stats) -> u64 {
    stats.shared_errors + stats.shared_timeouts
}

const FLIP: &str = "local v, at = redis.call('GET', KEYS[1]), tonumber(ARGV[1]) \
    local byte = string.char(bit.bxor(string.byte(v, at + 1), 1)) \
    redis.call('SET', KEYS[1], string.sub(v, 1, at) .. byte .. string.sub(v, at + 2)) return 'OK'";
const CUT: &str = "local v = redis.call('GET', KEYS[1]) \
    redis.call('SET', KEYS[1], string.sub(v, 1, tonumber(ARGV[1]))) return 'OK'";
/// What begins the stored bytes; without it they are of an entry that was invalidated.
const NONCE: usize = 16;

/// Every byte of an entry in its turn is treated with `script`: each time the body runs and its result is returned.
async fn damaged(place: Place, script: &str) {
    let cache = process(&place).await;
    row(&cache, 1, 1000).await;
    let length: usize = place.ask(&["STRLEN", VALUE]).parse().unwrap();
    assert!(length > 4 * NONCE, "{length}");
    for at in 0..length {
        assert_eq!(place.ask(&["EVAL", script, "1", VALUE, &at.to_string()]), "OK");
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
async fn a_flipped_bit_anywhere_is_a_miss_that_is_counted(place: Place) {
    damaged(place, FLIP).await;
}

// Guard: cache-core/src/envelope/parse.rs, `Reader::take` never takes more than there is.
async fn an_entry_cut_off_anywhere_is_a_miss_that_is_counted(place: Place) {
    damaged(place, CUT).await;
}

// Guard: cache-core/src/engine/validity.rs, the type's fingerprint is compared.
async fn another_types_value_is_a_miss_that_is_counted(place: Place) {
    #[cache_aside(key = "row:{id}", layer = "shared", cache = cache)]
    async fn named(cache: &Cache, id: u64) -> Vec<u8> {
        vec![id as u8; 3]
    }
    let cache = process(&place).await;
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
async fn a_key_of_another_redis_type_in_our_place_is_no_error_and_is_counted(place: Place) {
    let cache = process(&place).await;
    let names = [
        "v:{cache:k:all:1}",
        "d:{cache:k:all:1}",
        "l:{cache:k:all:1}",
        "w:{cache:k:all:1}",
        "d:{cache}",
        "g:{cache}",
        "d:{cache}t:known:1",
        "d:{cache}t:learned:5",
    ];
    for name in names {
        place.flush();
        assert_eq!(place.ask(&["HSET", name, "field", "value"]), "1");
        let before = cache.stats();
        assert_eq!(everything(&cache, 1, 5).await, 5, "{name}");
        assert!(cache.stats().shared_errors > before.shared_errors, "{name}");
    }
}

// Guard: cache-core/src/engine/lead.rs, `read_asking` takes only what begins with the key's nonce.
async fn a_stored_value_of_no_bytes_is_a_miss_that_is_counted(place: Place) {
    let cache = process(&place).await;
    for round in 1..4 {
        assert_eq!(place.ask(&["SET", VALUE, ""]), "OK");
        assert_eq!(row(&cache, 1, round).await, round);
        assert_eq!(cache.stats().misses, round);
    }
    assert_eq!(row(&cache, 1, 10).await, 3);
}

// Guard: cache-core/src/envelope/parse.rs, the magic bytes are compared before anything else is believed.
async fn ten_megabytes_of_garbage_are_a_miss_that_is_counted(place: Place) {
    let cache = process(&place).await;
    row(&cache, 1, 10).await;
    let garbage = "redis.call('SET', KEYS[1], redis.call('GET', KEYS[2]) .. \
                   string.rep('\\255', 10000000)) return 'OK'";
    let dependency = "d:{cache:k:row:1}";
    assert_eq!(place.ask(&["EVAL", garbage, "2", VALUE, dependency]), "OK");
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
async fn a_value_of_no_bytes_is_cached(place: Place) {
    let (cache, held) = (process(&place).await, Held::open());
    for _ in 0..3 {
        assert_eq!(nothing(&cache, &held, 1).await, Nothing);
        assert_eq!(text(&cache, &held, 0).await, "");
    }
    let stats = cache.stats();
    assert_eq!((stats.fills, stats.hits_shared, held.runs()), (2, 4, 2));
}

// Guard: cache-core/src/envelope/write.rs, a value within the limit is stored whole.
async fn a_value_of_ten_megabytes_is_cached(place: Place) {
    let (cache, held) = (process(&place).await, Held::open());
    for _ in 0..3 {
        assert_eq!(text(&cache, &held, 10_000_000).await.len(), 10_000_000);
    }
    let stats = cache.stats();
    assert_eq!((stats.fills, stats.hits_shared, failures(&stats)), (1, 2, 0));
}

// Guard: cache-core/src/envelope/write.rs and parse.rs, neither passes what is larger than the limit.
async fn a_value_above_the_limit_is_returned_and_neither_stored_nor_read(place: Place) {
    let held = Held::open();
    let small = place.builder().max_value_bytes(1 << 20).build().await.unwrap();
    assert_eq!(text(&small, &held, 10_000_000).await.len(), 10_000_000);
    assert_eq!((small.stats().too_large, small.stats().fills), (1, 0));
    text(&process(&place).await, &held, 10_000_000).await;
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
async fn a_value_that_does_not_encode_is_returned_and_counted(place: Place) {
    #[cache_aside(key = "stubborn:{id}", layer = "shared", cache = cache)]
    async fn stubborn(cache: &Cache, id: u64) -> Stubborn {
        Stubborn
    }
    let cache = process(&place).await;
    assert_eq!(stubborn(&cache, 1).await, Stubborn);
    assert_eq!((cache.stats().codec_errors, cache.stats().fills), (1, 0));
}
