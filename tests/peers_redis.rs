//! Mistakes of other caches with Redis: here each of them is a sentence that holds, against a real server,
//! against a cluster, and behind Sentinel.
#![allow(clippy::unwrap_used)]

#[path = "common/loads.rs"]
mod loads;
#[macro_use]
#[path = "common/places.rs"]
mod places;
#[path = "../cache-redis/tests/common/server.rs"]
mod server;

use std::{sync::Arc, time::Duration};

use larder::{Cache, Stats, cache_aside, cache_invalidate, write_through};
use loads::{Held, in_time};
use places::Place;
use server::{Server, wait_until};

on_redis!(
    a_redis_that_is_down_on_first_use_is_neither_a_panic_nor_an_error,
    a_redis_that_goes_down_later_leaves_every_call_its_result,
    a_redis_that_hangs_leaves_every_call_its_result_in_time,
    a_redis_that_dies_while_the_body_runs_leaves_ok_an_ok,
    a_full_redis_leaves_ok_an_ok,
    a_writer_returns_its_result_whatever_redis_does,
    a_ttl_below_a_second_is_kept_and_ends,
    a_ttl_below_a_millisecond_is_stored_and_ends,
    a_value_read_from_redis_is_kept_no_longer_than_its_remaining_life,
    a_value_that_expires_while_it_is_read_does_not_live_for_ever,
    a_second_load_without_a_ttl_does_not_keep_the_first_ones,
    a_second_write_without_a_ttl_does_not_keep_the_first_ones,
    a_clear_removes_only_what_is_under_our_prefix,
);

/// In Redis only, so that every call asks it.
#[cache_aside(key = "row:{id}", ttl = "1m", layer = "shared", cache = cache, skip(found))]
async fn row(cache: &Cache, id: u64, found: u64) -> u64 {
    found
}

#[cache_aside(key = "held:{id}", cache = cache, skip(held))]
async fn held_row(cache: &Cache, held: &Held, id: u64) -> Result<u64, String> {
    held.run(Ok(id)).await
}

#[cache_aside(key = "plain:{id}", cache = cache)]
fn plain(cache: &Cache, id: u64) -> u64 {
    id
}

#[write_through(entry = held_row(cache, id))]
async fn write(cache: &Cache, held: &Held, id: u64) -> Result<u64, String> {
    held.run(Ok(id)).await
}

#[cache_invalidate(cache = cache, invalidates = [held_row(cache, id)], invalidate_tags = ["rows"])]
async fn remove(cache: &Cache, id: u64) -> Result<u64, String> {
    Ok(id)
}

const VALUE: &str = "v:{cache:k:row:1}";

async fn process(place: &Place) -> Cache {
    place.builder().build().await.unwrap()
}

/// How often Redis failed, one way or the other.
fn failures(stats: &Stats) -> u64 {
    stats.shared_errors + stats.shared_timeouts
}

// Guard: cache-redis/src/store.rs, `connect` starts without a server that cannot be reached.
async fn a_redis_that_is_down_on_first_use_is_neither_a_panic_nor_an_error(mut place: Place) {
    place.kill();
    let cache = process(&place).await;
    let held = Held::new();
    held.end();
    assert_eq!(held_row(&cache, &held, 7).await, Ok(7));
    assert_eq!(plain(&cache, 7), 7);
    assert!(failures(&cache.stats()) > 1);
}

// Guard: cache-core/src/engine/lead.rs, `ask` loads without the shared tier when it fails.
async fn a_redis_that_goes_down_later_leaves_every_call_its_result(mut place: Place) {
    let cache = process(&place).await;
    assert_eq!(row(&cache, 1, 10).await, 10);
    place.kill();
    for id in 1..20 {
        assert_eq!(row(&cache, id, 20).await, 20);
    }
    assert!(failures(&cache.stats()) >= 19);
    place.restart();
    let back = async {
        while cache.get::<u64>("row:1").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    in_time("it is found again", back).await;
    assert_eq!((row(&cache, 1, 30).await, row(&cache, 1, 40).await), (30, 30));
}

// Guard: cache-redis/src/link.rs, `send` waits no longer than the deadline.
async fn a_redis_that_hangs_leaves_every_call_its_result_in_time(place: Place) {
    let brief = place.builder().shared_deadline(Duration::from_millis(200)).build().await.unwrap();
    place.freeze();
    for id in 1..6 {
        assert_eq!(in_time("the call returns", row(&brief, id, 20)).await, 20);
    }
    assert!(brief.stats().shared_timeouts > 0);
    place.thaw();
}

/// A call whose body ends after `trouble` has come over the server; gives what was counted.
async fn in_trouble(place: &mut Place, trouble: impl FnOnce(&mut Place)) -> Stats {
    let (cache, held) = (process(place).await, Held::new());
    let call = {
        let (cache, held) = (cache.clone(), Arc::clone(&held));
        tokio::spawn(async move { held_row(&cache, &held, 7).await })
    };
    held.began().await;
    trouble(place);
    held.end();
    assert_eq!(in_time("the call returns", call).await.unwrap(), Ok(7));
    cache.stats()
}

// Guard: cache-core/src/engine/fill.rs, a fill that fails is counted and is nobody's error.
async fn a_redis_that_dies_while_the_body_runs_leaves_ok_an_ok(mut place: Place) {
    let stats = in_trouble(&mut place, Place::kill).await;
    assert_eq!((stats.loads, failures(&stats)), (1, 1));
}

// Guard: cache-core/src/engine/fill.rs, a refused SET is counted and is nobody's error.
async fn a_full_redis_leaves_ok_an_ok(mut place: Place) {
    let stats = in_trouble(&mut place, |place| place.fill_up(true)).await;
    assert_eq!((stats.loads, stats.shared_errors), (1, 1));
    assert_eq!(place.ask(&["EXISTS", "v:{cache:k:held:7}"]), "0");
    // Full from the beginning.
    let cache = process(&place).await;
    assert_eq!((row(&cache, 1, 10).await, row(&cache, 1, 20).await), (10, 20));
    assert_eq!(cache.stats().shared_errors, 2);
    place.fill_up(false);
    assert_eq!((row(&cache, 1, 30).await, row(&cache, 1, 40).await), (30, 30));
}

// Guard: cache-core/src/engine/fill.rs, a refused SET is counted and is nobody's error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_replica_leaves_ok_an_ok() {
    let (mut place, master) = (Place::one(), Server::start(&[]));
    let port = master.port.to_string();
    let demoted = |place: &mut Place| place.tell_all(&["REPLICAOF", "127.0.0.1", &port], "OK");
    let stats = in_trouble(&mut place, demoted).await;
    assert_eq!((stats.loads, stats.shared_errors), (1, 1));
    // A replica from the beginning.
    let cache = process(&place).await;
    assert_eq!((row(&cache, 1, 10).await, row(&cache, 1, 20).await), (10, 20));
    assert!(cache.stats().shared_errors >= 2);
}

#[cfg(all(feature = "redis-cluster", feature = "redis-sentinel"))]
mod demoted {
    use super::*;

    // Guard: cache-core/src/engine/fill.rs, as above; and cache-redis/src/link.rs, who is no master any more is left.
    async fn leaves_ok_an_ok_and_is_left(place: Place) {
        let (cache, held) = (process(&place).await, Held::new());
        let call = {
            let (cache, held) = (cache.clone(), Arc::clone(&held));
            tokio::spawn(async move { held_row(&cache, &held, 7).await })
        };
        held.began().await;
        place.demote("v:{cache:k:held:7}");
        held.end();
        assert_eq!(in_time("the call returns", call).await.unwrap(), Ok(7));
        let written = async {
            while cache.set("held:7", &8u64).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        in_time("the new master is found", written).await;
        assert_eq!(held_row(&process(&place).await, &held, 7).await, Ok(8));
        assert_eq!(held.runs(), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_master_that_sentinel_demotes_leaves_ok_an_ok_and_is_left() {
        leaves_ok_an_ok_and_is_left(Place::sentinel()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_master_that_its_cluster_demotes_leaves_ok_an_ok_and_is_left() {
        let cluster = server::Cluster::start_with_replicas();
        leaves_ok_an_ok_and_is_left(Place::Cluster(cluster)).await;
    }
}

// Guard: cache-core/src/engine/write.rs, a write that Redis does not confirm is counted and is nobody's error.
async fn a_writer_returns_its_result_whatever_redis_does(mut place: Place) {
    let troubles: [fn(&mut Place); 2] = [|place| place.fill_up(true), Place::kill];
    for trouble in troubles {
        let (cache, held) = (process(&place).await, Held::new());
        let call = {
            let (cache, held) = (cache.clone(), Arc::clone(&held));
            tokio::spawn(async move { write(&cache, &held, 7).await })
        };
        held.began().await;
        trouble(&mut place);
        held.end();
        assert_eq!(in_time("the call returns", call).await.unwrap(), Ok(7));
        held.end();
        assert_eq!(in_time("the call returns", write(&cache, &held, 7)).await, Ok(7));
        assert_eq!(in_time("the call returns", remove(&cache, 7)).await, Ok(7));
        let stats = cache.stats();
        assert!(failures(&stats) + stats.fills_fenced > 0);
        if place.is_up() {
            place.fill_up(false);
        }
    }
}

/// As short as the argument says.
#[cache_aside(key = "brief:{id}", ttl = life, layer = "shared", cache = cache, skip(life, found))]
async fn brief(cache: &Cache, id: u64, life: Duration, found: u64) -> u64 {
    found
}

const BRIEF: &str = "v:{cache:k:brief:1}";

fn life_of(place: &Place, name: &str) -> i64 {
    place.ask(&["PTTL", name]).parse().unwrap()
}

// Guard: cache-redis/src/steps.rs, `millis` counts in milliseconds and rounds up.
async fn a_ttl_below_a_second_is_kept_and_ends(place: Place) {
    let cache = process(&place).await;
    let life = Duration::from_millis(990);
    assert_eq!(brief(&cache, 1, life, 10).await, 10);
    let left = life_of(&place, BRIEF);
    assert!(left > 100 && left <= 990, "{left}");
    assert_eq!(brief(&cache, 1, life, 20).await, 10);
    wait_until("it ends", || place.ask(&["EXISTS", BRIEF]) == "0");
    assert_eq!(brief(&cache, 1, life, 30).await, 30);
}

// Guard: cache-redis/src/steps.rs, `millis` is never zero; cache-redis/src/scripts/fill.lua, `PX` goes with every life.
async fn a_ttl_below_a_millisecond_is_stored_and_ends(place: Place) {
    let cache = process(&place).await;
    for round in 1..=20 {
        let life = Duration::from_nanos(round);
        assert_eq!(brief(&cache, 1, life, round).await, round);
        wait_until("it ends", || place.ask(&["EXISTS", BRIEF]) == "0");
    }
    let stats = cache.stats();
    assert_eq!((stats.fills, stats.shared_errors), (20, 0));
}

// Guard: cache-core/src/engine/lead.rs, `promote` keeps a value no longer than Redis will.
async fn a_value_read_from_redis_is_kept_no_longer_than_its_remaining_life(place: Place) {
    #[cache_aside(key = "promoted:{id}", ttl = "500ms", cache = cache, skip(found))]
    async fn promoted(cache: &Cache, id: u64, found: u64) -> u64 {
        found
    }
    let long = || place.builder().coherence_bound(Duration::from_secs(3600)).build();
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
async fn a_value_that_expires_while_it_is_read_does_not_live_for_ever(place: Place) {
    let cache = process(&place).await;
    let life = Duration::from_millis(2);
    for round in 0..300 {
        brief(&cache, round, life, round).await;
        while let Some(left) = brief_entry(&cache, round, life).ttl().await.unwrap() {
            assert!(left <= life, "{left:?} of {life:?}");
        }
    }
}

// Guard: cache-redis/src/scripts/fill.lua, the SET of a load without a ttl keeps none.
async fn a_second_load_without_a_ttl_does_not_keep_the_first_ones(place: Place) {
    let cache = process(&place).await;
    brief(&cache, 1, Duration::from_secs(5), 10).await;
    assert!(life_of(&place, BRIEF) > 0);
    // The value stays where it is until it is overwritten.
    cache.invalidate("brief:1").await.unwrap();
    assert!(life_of(&place, BRIEF) > 0);
    assert_eq!(brief(&cache, 1, Duration::MAX, 20).await, 20);
    assert_eq!(life_of(&place, BRIEF), -1);
    assert_eq!(life_of(&place, "d:{cache:k:brief:1}"), -1, "what it depends on lives as long");
}

// Guard: cache-redis/src/scripts/finish.lua, the SET of a write without a ttl keeps none.
async fn a_second_write_without_a_ttl_does_not_keep_the_first_ones(place: Place) {
    let cache = process(&place).await;
    let name = "v:{cache:k:k}";
    cache.set("k", &1u64).ttl("5s").await.unwrap();
    assert!(life_of(&place, name) > 0);
    cache.set("k", &2u64).ttl("forever").await.unwrap();
    assert_eq!((life_of(&place, name), life_of(&place, "d:{cache:k:k}")), (-1, -1));
    cache.set("k", &3u64).ttl("5s").await.unwrap();
    assert!((1..=5000).contains(&life_of(&place, name)));
}

/// Makes a key look as if nobody had touched it for an hour, so that a sweep may take it.
const AGE: &str = "return redis.call('RESTORE', KEYS[1], 0, redis.call('DUMP', KEYS[1]), \
                   'REPLACE', 'IDLETIME', 3600)";

// Guard: cache-redis/src/write.rs, `invalidate_all` and its sweep stay within the prefix.
async fn a_clear_removes_only_what_is_under_our_prefix(place: Place) {
    let (ours, theirs) = (process(&place).await, place.builder().prefix("cache2:"));
    let theirs = theirs.build().await.unwrap();
    row(&ours, 1, 10).await;
    row(&theirs, 1, 10).await;
    let others = ["session:1", "cache", "cache:row:1", "v:row:1", "v:{cache2:k:row:1}"];
    for name in &others[..4] {
        assert_eq!(place.ask(&["SET", name, "not ours"]), "OK");
    }
    for name in others.iter().chain([&VALUE]) {
        assert_eq!(place.ask(&["EVAL", AGE, "1", name]), "OK");
    }
    ours.clear().await.unwrap();
    wait_until("ours is swept", || place.ask(&["EXISTS", VALUE]) == "0");
    for name in others {
        assert_eq!(place.ask(&["EXISTS", name]), "1", "{name}");
    }
    assert_eq!((row(&ours, 1, 20).await, row(&theirs, 1, 20).await), (20, 10));
}
