//! Mistakes of other caches with invalidations: here each of them is a sentence that holds.
#![allow(clippy::unwrap_used)]
// A task that was spawned in a scope is handed out of it.
#![allow(clippy::async_yields_async)]

#[path = "common/loads.rs"]
mod loads;
#[path = "../cache-redis/tests/common/server.rs"]
mod server;

use std::{sync::Arc, time::Duration};

use cache_store::testing::MemoryStore;
use larder::{Cache, Invalidate, cache_aside, write_through};
use loads::{Held, caches, in_time, on, waiting};
use server::Server;
use tokio::task::JoinHandle;

#[cache_aside(key = "row:{id}", tags = ["rows"], skip(held, found))]
async fn row(held: &Held, id: u64, found: u64) -> u64 {
    held.run(found).await
}

/// A tag that is known only when the value is.
#[cache_aside(key = "learned:{id}", tags = ["is:{value}"], skip(held, found))]
async fn learned(held: &Held, id: u64, found: u64) -> u64 {
    held.run(found).await
}

#[write_through(entry = row(id))]
async fn write(held: &Held, id: u64, found: u64) -> u64 {
    held.run(found).await
}

/// A call in a task of its own, in the scope's cache.
fn call(held: &Arc<Held>, value: u64) -> JoinHandle<u64> {
    let held = Arc::clone(held);
    larder::spawn(async move { row(&held, 1, value).await })
}

fn call_learned(held: &Arc<Held>, value: u64) -> JoinHandle<u64> {
    let held = Arc::clone(held);
    larder::spawn(async move { learned(&held, 1, value).await })
}

/// A load of 1, overtaken by what `invalidate` gives, in memory and with a shared tier.
async fn overtaken(invalidate: impl Fn(&Cache) -> Invalidate) {
    for cache in caches().await {
        larder::scoped(cache.clone(), async {
            let held = Held::new();
            let old = call(&held, 1);
            held.began().await;
            invalidate(&cache).await.unwrap();
            held.end();
            assert_eq!(old.await.unwrap(), 1, "its own caller gets what it loaded");
            assert_eq!(row_entry(1).get().await.unwrap(), None);
            held.end();
            assert_eq!(row(&held, 1, 2).await, 2);
            assert_eq!(row_entry(1).get().await.unwrap(), Some(2));
        })
        .await;
    }
}

// Guard: cache-core/src/fence/mod.rs, `admit` compares the key's last invalidation.
#[tokio::test]
async fn a_key_that_was_invalidated_while_it_was_loaded_is_not_cached() {
    overtaken(|_| row_entry(1).invalidate()).await;
    overtaken(|cache| cache.invalidate("row:1")).await;
}

// Guard: cache-core/src/fence/mod.rs, `tags_untouched`.
#[tokio::test]
async fn a_value_whose_tag_was_invalidated_while_it_was_loaded_is_not_cached() {
    overtaken(|cache| cache.invalidate_tags(["rows"])).await;
}

// Guard: cache-core/src/fence/patterns.rs, `spares` matches the records since the load began.
#[tokio::test]
async fn a_value_whose_key_matched_a_pattern_while_it_was_loaded_is_not_cached() {
    overtaken(|cache| cache.invalidate_pattern("row:*")).await;
    overtaken(|_| row_cache().clear()).await;
}

// Guard: cache-core/src/fence/mod.rs, `is_live_by` compares the last clearing.
#[tokio::test]
async fn a_value_that_was_loaded_while_everything_was_cleared_is_not_cached() {
    overtaken(Cache::clear).await;
}

// Guard: cache-core/src/engine/write.rs, `LocalWrite` marks the key, which fences the loads that began before.
#[tokio::test]
async fn a_value_that_was_inserted_while_a_load_ran_stays() {
    for cache in caches().await {
        larder::scoped(cache, async {
            let held = Held::new();
            let old = call(&held, 1);
            held.began().await;
            row_entry(1).set(7).await.unwrap();
            held.end();
            assert_eq!(old.await.unwrap(), 1);
            assert_eq!(row_entry(1).get().await.unwrap(), Some(7));
        })
        .await;
    }
}

// Guard: cache-core/src/fence/keys.rs, a write marks the key again when it ends.
#[tokio::test]
async fn a_load_that_began_within_a_write_stores_nothing_over_it() {
    for cache in caches().await {
        larder::scoped(cache, async {
            let (load, writer) = (Held::new(), Held::new());
            let writing = {
                let writer = Arc::clone(&writer);
                larder::spawn(async move { write(&writer, 1, 7).await })
            };
            writer.began().await;
            let old = call(&load, 1);
            load.began().await;
            writer.end();
            assert_eq!(writing.await.unwrap(), 7);
            load.end();
            assert_eq!(old.await.unwrap(), 1);
            assert_eq!(row_entry(1).get().await.unwrap(), Some(7));
        })
        .await;
    }
}

// Guard: cache-redis/src/scripts/fill.lua, a value is stored under no nonce but the one from before its load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_another_process_invalidated_while_it_was_loaded_is_not_cached() {
    overtaken_elsewhere(|there| there.invalidate("row:1")).await;
}

// Guard: cache-core/src/engine/fill.rs, an entry carries the pattern log's position from before its load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_that_another_process_invalidated_while_a_load_ran_covers_its_value() {
    overtaken_elsewhere(|there| there.invalidate_pattern("row:*")).await;
    overtaken_elsewhere(Cache::clear).await;
}

// Guard: cache-core/src/engine/fill.rs, an entry carries the versions that its tags had before its load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_of_a_tag_is_the_one_from_before_the_load() {
    overtaken_elsewhere(|there| there.invalidate_tags(["rows"])).await;
}

/// A load in one process, overtaken by an invalidation in another one, over a real server.
async fn overtaken_elsewhere(invalidate: impl Fn(&Cache) -> Invalidate) {
    let server = Server::start(&[]);
    let (here, there) = (process(&server).await, process(&server).await);
    let held = Held::new();
    let old = larder::scoped_sync(here, || call(&held, 1));
    held.began().await;
    invalidate(&there).await.unwrap();
    held.end();
    assert_eq!(old.await.unwrap(), 1);
    larder::scoped(there, async {
        assert_eq!(row_entry(1).get().await.unwrap(), None);
        held.end();
        assert_eq!(row(&held, 1, 2).await, 2);
        assert_eq!(row_entry(1).get().await.unwrap(), Some(2));
    })
    .await;
}

async fn process(server: &Server) -> Cache {
    let builder = Cache::builder().redis(server.url()).shared_deadline(Duration::from_secs(5));
    builder.flight_wait(loads::FLIGHT_WAIT).build().await.unwrap()
}

// Guard: cache-redis/src/scripts/index.lua, the set of a tag lives as long as its longest member.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tag_set_does_not_take_the_ttl_of_its_last_member_and_miss_those_that_live_longer() {
    let server = Server::start(&[]);
    let (here, there) = (process(&server).await, process(&server).await);
    for (key, ttl) in [("hour", "1h"), ("minute", "1m"), ("last", "50ms")] {
        here.set(key, &1u64).ttl(ttl).tags(["rows"]).await.unwrap();
    }
    assert_eq!(there.tagged("rows").await.unwrap(), ["hour", "last", "minute"]);
    let ended = || server.ask(&["EXISTS", "v:{cache:k:last}"]) == "0";
    tokio::task::block_in_place(|| server::wait_until("the last one ends", ended));
    assert_eq!(there.tagged("rows").await.unwrap(), ["hour", "minute"]);

    // And so their memory is given back when the tag is invalidated.
    there.invalidate_tags(["rows"]).await.unwrap();
    let gone = || server.ask(&["EXISTS", "v:{cache:k:hour}", "v:{cache:k:minute}"]) == "0";
    tokio::task::block_in_place(|| server::wait_until("both are swept", gone));
}

/// A second caller that comes after what `invalidate` gives, while the first one's load still runs.
async fn arrives_after(invalidate: impl Fn(&Cache) -> Invalidate) {
    for cache in caches().await {
        larder::scoped(cache.clone(), async {
            let (first, second) = (Held::new(), Held::new());
            let old = call(&first, 1);
            first.began().await;
            invalidate(&cache).await.unwrap();
            let new = call(&second, 2);
            second.began().await;
            second.end();
            assert_eq!(new.await.unwrap(), 2);
            first.end();
            assert_eq!(old.await.unwrap(), 1);
            assert_eq!(row_entry(1).get().await.unwrap(), Some(2));
        })
        .await;
    }
}

// Guard: cache-core/src/engine/call.rs, `is_joinable`.
#[tokio::test]
async fn a_caller_that_arrives_after_an_invalidation_does_not_join_the_old_load() {
    arrives_after(|_| row_entry(1).invalidate()).await;
    arrives_after(|cache| cache.invalidate_tags(["rows"])).await;
    arrives_after(|cache| cache.invalidate_pattern("r?w:*")).await;
    arrives_after(|_| row_cache().clear()).await;
    arrives_after(Cache::clear).await;
}

// Guard: cache-core/src/engine/call.rs, `may_use` compares the tags that only the value told.
#[tokio::test]
async fn a_caller_that_arrives_after_the_invalidation_of_a_learned_tag_does_not_take_the_old_value()
{
    for cache in caches().await {
        larder::scoped(cache.clone(), async {
            let held = Held::new();
            let old = call_learned(&held, 1);
            held.began().await;
            cache.invalidate_tags(["is:1"]).await.unwrap();
            let new = call_learned(&held, 2);
            waiting(&cache, 1).await;
            held.end();
            assert_eq!(old.await.unwrap(), 1);
            held.end();
            assert_eq!(in_time("it loads anew", new).await.unwrap(), 2);
            assert_eq!(learned_entry(1).get().await.unwrap(), Some(2));
        })
        .await;
    }
}

// Guard: cache-core/src/engine/fill.rs, learned tags are stamped at the tag log's position from before the load.
#[tokio::test]
async fn a_tag_that_was_invalidated_elsewhere_before_the_value_told_it_refuses_the_value() {
    let store = MemoryStore::new();
    let (here, there) = (on(&store).await, on(&store).await);
    let held = Held::new();
    let old = larder::scoped_sync(here.clone(), || call_learned(&held, 1));
    held.began().await;
    there.invalidate_tags(["is:1"]).await.unwrap();
    held.end();
    assert_eq!(old.await.unwrap(), 1);
    assert_eq!(here.stats().fills_fenced, 1);
    larder::scoped(there, async {
        assert_eq!(learned_entry(1).get().await.unwrap(), None);
    })
    .await;
}

/// A load that nobody polls any more, whose caller was overtaken by one that loads 2 in its place.
async fn given_up(cache: &Cache, held: &Arc<Held>) -> std::pin::Pin<Box<dyn Future<Output = u64>>> {
    let late = Arc::clone(held);
    let mut late: std::pin::Pin<Box<dyn Future<Output = u64>>> =
        Box::pin(larder::scoped(cache.clone(), async move { row(&late, 1, 1).await }));
    tokio::select! {
        biased;
        _ = &mut late => unreachable!("nobody lets it end"),
        () = held.began() => {}
    }
    let quick = Held::new();
    quick.end();
    larder::scoped(cache.clone(), async { assert_eq!(row(&quick, 1, 2).await, 2) }).await;
    late
}

// Guard: cache-core/src/engine/fill.rs, a load that another one has replaced stores nothing.
#[tokio::test(start_paused = true)]
async fn a_load_that_ends_after_another_one_took_its_place_stores_nothing() {
    let cache = Cache::builder().flight_wait(Duration::from_millis(100)).build().await.unwrap();
    let held = Held::new();
    let late = given_up(&cache, &held).await;
    held.end();
    assert_eq!(late.await, 1);
    larder::scoped(cache, async {
        assert_eq!(row_entry(1).get().await.unwrap(), Some(2));
    })
    .await;
}

// Guard: cache-core/src/fence/mod.rs, `tags_untouched` counts from when the load began, however late it ends.
#[tokio::test(start_paused = true)]
async fn a_late_completion_does_not_undo_a_tag_invalidation() {
    for flight_wait in [Duration::from_millis(100), loads::FLIGHT_WAIT] {
        let cache = Cache::builder().flight_wait(flight_wait).build().await.unwrap();
        let held = Held::new();
        let late = if flight_wait < loads::FLIGHT_WAIT {
            given_up(&cache, &held).await
        } else {
            let load = larder::scoped_sync(cache.clone(), || call(&held, 1));
            held.began().await;
            Box::pin(async move { load.await.unwrap() })
        };
        cache.invalidate_tags(["rows"]).await.unwrap();
        held.end();
        assert_eq!(late.await, 1);
        larder::scoped(cache, async {
            assert_eq!(row_entry(1).get().await.unwrap(), None, "{flight_wait:?}");
        })
        .await;
    }
}
