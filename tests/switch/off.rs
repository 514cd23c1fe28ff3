//! A cache that is off: what it does meanwhile, and what it serves when it is on again.

use std::{sync::Arc, time::Duration};

use cache_store::testing::MemoryStore;
use larder::{Cache, Event, Invalidation, Origin, write_through};

use crate::{
    Source, Table, delete, in_both,
    loads::{self, Held},
    other_than, read_all, row, row_cache, row_entry, row_kept_entry, row_sync_entry, rows, update,
    warm,
};

#[tokio::test]
async fn every_kind_of_reader_runs_its_body_while_the_cache_is_off_and_is_served_again_afterwards()
{
    in_both(async |cache, source| {
        warm(&cache, &source).await;
        let newer = source.change();
        cache.set_enabled(false);
        let runs = source.runs();
        let bypassed = cache.stats().bypassed;
        let all = read_all(&cache, &source).await;
        assert_eq!(other_than(newer, &all), []);
        assert_eq!(other_than(newer, &read_all(&cache, &source).await), []);
        assert_eq!(source.runs() - runs, 2 * all.len());
        assert_eq!(cache.stats().bypassed - bypassed, 2 * all.len() as u64);
        cache.set_enabled(true);
        // Nothing was invalidated, and nothing was stored over it.
        assert_eq!(other_than(0, &read_all(&cache, &source).await), []);
    })
    .await;
}

#[tokio::test]
async fn a_cache_that_was_built_off_can_be_switched_on() {
    let cache = Cache::builder().enabled(false).build().await.unwrap();
    assert!(!cache.is_enabled());
    larder::scoped(cache.clone(), async {
        let source = Source::default();
        row(&source, 1).await;
        row(&source, 1).await;
        assert_eq!(source.runs(), 2);
        cache.set_enabled(true);
        row(&source, 1).await;
        row(&source, 1).await;
        assert_eq!(source.runs(), 3);
    })
    .await;
}

#[tokio::test]
async fn the_switch_is_that_of_one_cache_and_of_all_its_handles() {
    let (one, other) = (Cache::memory(), Cache::memory());
    one.set("k", &1u8).await.unwrap();
    other.set("k", &2u8).await.unwrap();
    one.clone().set_enabled(false);
    assert_eq!(one.get::<u8>("k").await.unwrap(), None);
    assert_eq!(other.get::<u8>("k").await.unwrap(), Some(2));
}

/// Each way to say that a row has changed.
const CHANGES: [&str; 14] = [
    "its key",
    "its key among others",
    "its companion",
    "one of its tags",
    "another of its tags",
    "all of its tags",
    "a pattern",
    "everything",
    "the function's entries",
    "its value by hand",
    "its value among others",
    "its value by its companion",
    "a writer of it",
    "a writer of something else",
];

async fn change(what: &str, cache: &Cache, source: &Source) {
    let done = match what {
        "its key" => cache.invalidate("row:1").await,
        "its key among others" => cache.invalidate_keys(["row:0", "row:1"]).await,
        "its companion" => row_entry(1).invalidate().await,
        "one of its tags" => cache.invalidate_tags(["row"]).await,
        "another of its tags" => cache.invalidate_tags(["id:1"]).await,
        "all of its tags" => cache.invalidate_all_of(["row", "id:1"]).await,
        "a pattern" => cache.invalidate_pattern("row:*").await,
        "everything" => cache.clear().await,
        "the function's entries" => row_cache().clear().await,
        "its value by hand" => cache.set("row:1", &7u64).await,
        "its value among others" => cache.set_many([("row:0", &7u64), ("row:1", &7)]).await,
        "its value by its companion" => row_entry(1).set(7).await,
        "a writer of it" => {
            update(source, 1).await;
            Ok(())
        }
        _ => {
            delete(cache, source, 1).await;
            Ok(())
        }
    };
    done.unwrap();
}

#[tokio::test]
async fn what_was_invalidated_while_the_cache_was_off_is_not_served_when_it_is_on_again() {
    for what in CHANGES {
        in_both(async |cache, source| {
            warm(&cache, &source).await;
            source.change();
            cache.set_enabled(false);
            row(&source, 1).await;
            change(what, &cache, &source).await;
            let newest = source.change();
            assert_eq!(row(&source, 1).await, newest, "{what}");
            cache.set_enabled(true);
            assert_eq!(row(&source, 1).await, newest, "{what}");
            assert_eq!(row_entry(1).get().await.unwrap(), Some(newest), "{what}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_a_cache_that_is_off_invalidates_is_invalidated_in_every_process() {
    for what in CHANGES {
        let store = MemoryStore::new();
        let (off, other) = (loads::on(&store).await, loads::on(&store).await);
        let source = Source::default();
        let there = async || larder::scoped(other.clone(), row(&source, 1)).await;
        there().await;
        off.set_enabled(false);
        source.change();
        larder::scoped(off.clone(), change(what, &off, &source)).await;
        // A third process, which has nothing in memory, asks the shared tier.
        let third = loads::on(&store).await;
        assert_eq!(third.get::<u64>("row:1").await.unwrap(), None, "{what}");
        let newest = source.change();
        larder::scoped(third, async { assert_eq!(row(&source, 1).await, newest, "{what}") }).await;
    }
}

#[tokio::test]
async fn what_another_process_invalidates_meanwhile_is_heard() {
    let store = MemoryStore::new();
    let bound = Duration::from_millis(100);
    let builder = Cache::builder().coherence_bound(bound);
    let off = builder.shared(Arc::new(store.connect())).build().await.unwrap();
    let other = loads::on(&store).await;
    let source = Source::default();
    let here = async || larder::scoped(off.clone(), row(&source, 1)).await;
    for _ in 0..4 {
        here().await;
    }
    off.set_enabled(false);
    let newest = source.change();
    other.invalidate("row:1").await.unwrap();
    // As long as a process may be behind; it waits for what `off` is bound to, which is less than its own.
    tokio::time::sleep(bound).await;
    off.set_enabled(true);
    assert_eq!(here().await, newest);
}

#[tokio::test]
async fn a_load_that_was_under_way_stores_nothing_over_what_was_invalidated_meanwhile() {
    in_both(async |cache, _| {
        let held = Held::new();
        let load = {
            let (cache, held) = (cache.clone(), Arc::clone(&held));
            tokio::spawn(async move {
                cache.get_or_set("k", async || Ok::<_, larder::Error>(held.run(1u64).await)).await
            })
        };
        held.began().await;
        cache.set_enabled(false);
        cache.invalidate("k").await.unwrap();
        cache.set_enabled(true);
        held.end();
        assert_eq!(load.await.unwrap().unwrap(), 1);
        assert_eq!(cache.get::<u64>("k").await.unwrap(), None);
    })
    .await;
}

#[write_through(entry = row(id))]
async fn update_and_switch_off(cache: &Cache, source: &Source, id: u64) -> u64 {
    cache.set_enabled(false);
    source.change()
}

#[tokio::test]
async fn a_write_that_ends_while_the_cache_is_off_invalidates_its_entry() {
    in_both(async |cache, source| {
        row(&source, 1).await;
        let written = update_and_switch_off(&cache, &source, 1).await;
        cache.set_enabled(true);
        assert_eq!(row_entry(1).get().await.unwrap(), None);
        assert_eq!(row(&source, 1).await, written);
    })
    .await;
}

#[tokio::test]
async fn while_it_is_off_a_cache_tells_nothing_and_keeps_nothing() {
    in_both(async |cache, source| {
        warm(&cache, &source).await;
        cache.set("k", &1u64).await.unwrap();
        let before = cache.stats();
        cache.set_enabled(false);
        assert_eq!(cache.get::<u64>("k").await.unwrap(), None);
        assert_eq!(cache.get_many::<u64, _>(["k", "row:1"]).await.unwrap(), [None, None]);
        assert_eq!(row_entry(1).get().await.unwrap(), None);
        assert!(!row_entry(1).exists().await.unwrap());
        assert_eq!(row_entry(1).ttl().await.unwrap(), None);
        for entry in [row_sync_entry(1), row_kept_entry(1)] {
            assert_eq!(entry.get().unwrap(), None);
            assert!(!entry.exists().unwrap());
            assert_eq!(entry.ttl().unwrap(), None);
        }
        cache.set("k", &2u64).await.unwrap();
        cache.set_many([("l", &2u64), ("m", &2)]).await.unwrap();
        row_sync_entry(1).set(2).unwrap();
        row_kept_entry(1).set(2).unwrap();
        rows(&source, &[5, 6]).await;
        assert!(cache.get::<u64>("").await.is_err(), "what is no key is none");
        cache.set_enabled(true);
        let after = cache.stats();
        assert_eq!((after.hits(), after.fills), (before.hits(), before.fills));
        for key in ["k", "l", "m", "sync:1", "kept:1", "batch:5"] {
            assert_eq!(cache.get::<u64>(key).await.unwrap(), None, "{key}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_tag_that_is_added_while_the_cache_is_off_counts() {
    in_both(async |cache, source| {
        row(&source, 1).await;
        row_sync_entry(1).set(0).unwrap();
        cache.set_enabled(false);
        assert!(cache.tag("row:1", ["late"]).await.unwrap());
        assert!(row_sync_entry(1).tag(["late"]).unwrap());
        cache.invalidate_tags(["late"]).await.unwrap();
        cache.set_enabled(true);
        assert!(!row_entry(1).exists().await.unwrap());
        assert!(!row_sync_entry(1).exists().unwrap());
    })
    .await;
}

#[tokio::test]
async fn health_and_statistics_say_that_it_is_off_and_listeners_are_told_once() {
    in_both(async |cache, _| {
        let mut events = cache.events();
        for enabled in [true, false, false, true, true] {
            cache.set_enabled(enabled);
            assert_eq!(cache.health().await.disabled, !enabled);
            assert!(cache.health().await.is_healthy(), "it is no illness");
            assert_eq!(cache.stats().disabled, !enabled);
            assert_eq!(cache.stats().to_string().contains("off"), !enabled);
            assert_eq!(cache.is_enabled(), enabled);
        }
        cache.invalidate("k").await.unwrap();
        let said: Vec<Event> = std::iter::from_fn(|| events.try_next()).collect();
        let expected = |event: &Event| {
            !matches!(event, Event::SessionLive | Event::SessionLost | Event::SharedUp)
        };
        let said: Vec<&Event> = said.iter().filter(|event| expected(event)).collect();
        assert!(matches!(said[..2], [Event::Disabled, Event::Enabled]), "{said:?}");
        assert!(matches!(said[2], Event::Invalidated { .. }) && said.len() == 3, "{said:?}");
    })
    .await;
}

#[tokio::test]
async fn a_set_while_it_is_off_is_told_as_the_invalidation_that_it_is() {
    let cache = Cache::memory();
    cache.set_enabled(false);
    let mut events = cache.events();
    cache.set("k", &1u8).await.unwrap();
    let told = events.try_next().unwrap();
    let Event::Invalidated { what, origin: Origin::Here } = &told else { panic!("{told:?}") };
    assert_eq!(**what, Invalidation::Keys(vec!["k".to_owned()]));
}

#[tokio::test]
async fn a_reader_of_a_given_cache_follows_the_switch_of_that_cache() {
    let (given, current) = (Cache::memory(), Cache::memory());
    let source = Source::default();
    larder::scoped(current.clone(), async {
        let table = Table(given.clone());
        table.row(&source, 1).await;
        current.set_enabled(false);
        table.row(&source, 1).await;
        assert_eq!(source.runs(), 1);
        given.set_enabled(false);
        table.row(&source, 1).await;
        assert_eq!(source.runs(), 2);
    })
    .await;
}
