//! Requests that look past the cache.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use cache_store::testing::MemoryStore;
use larder::{Cache, bypass, bypass_sync, scoped, scoped_sync};

use crate::{
    Source, Table, delete, in_both,
    loads::{self, Held},
    other_than, read_all, row, row_entry, row_kept, row_kept_entry, row_sync, row_sync_entry,
    update, warm,
};

#[tokio::test]
async fn every_kind_of_reader_runs_its_body_stores_nothing_and_leaves_entries_as_they_are() {
    in_both(async |cache, source| {
        warm(&cache, &source).await;
        let newer = source.change();
        let before = cache.stats();
        let all = bypass(read_all(&cache, &source)).await;
        assert_eq!(other_than(newer, &all), []);
        assert_eq!(other_than(newer, &bypass(read_all(&cache, &source)).await), []);
        let after = cache.stats();
        assert_eq!(after.bypassed - before.bypassed, 2 * all.len() as u64);
        assert_eq!((after.fills, after.hits()), (before.fills, before.hits()));
        assert_eq!(other_than(0, &read_all(&cache, &source).await), []);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_told_by_name_either() {
    in_both(async |cache, source| {
        warm(&cache, &source).await;
        bypass(async {
            assert_eq!(cache.get::<u64>("row:1").await.unwrap(), None);
            assert_eq!(cache.get_many::<u64, _>(["row:1"]).await.unwrap(), [None]);
            assert!(!row_entry(1).exists().await.unwrap());
            assert_eq!(row_entry(1).get().await.unwrap(), None);
            assert_eq!(row_entry(1).ttl().await.unwrap(), None);
            assert_eq!(row_sync_entry(1).get().unwrap(), None);
            assert!(!row_kept_entry(1).exists().unwrap());
            assert_eq!(row_kept_entry(1).ttl().unwrap(), None);
        })
        .await;
        assert!(row_entry(1).exists().await.unwrap() && row_sync_entry(1).exists().unwrap());
    })
    .await;
}

#[tokio::test]
async fn writers_invalidations_and_what_is_set_work_as_ever() {
    in_both(async |cache, source| {
        warm(&cache, &source).await;
        let written = bypass(update(&source, 1)).await;
        assert_eq!(row_entry(1).get().await.unwrap(), Some(written));
        bypass(delete(&cache, &source, 1)).await;
        assert_eq!(row_entry(1).get().await.unwrap(), None);

        bypass(async {
            cache.set("k", &1u64).await.unwrap();
            row_entry(1).set(5).await.unwrap();
            row_sync_entry(1).set(5).unwrap();
            assert!(cache.tag("k", ["late"]).await.unwrap());
        })
        .await;
        assert_eq!((row(&source, 1).await, row_sync(&source, 1)), (5, 5));
        assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(1));
        bypass(async { larder::invalidate_tags(["late", "row"]).await.unwrap() }).await;
        assert_eq!(cache.get::<u64>("k").await.unwrap(), None);
        assert!(!row_entry(1).exists().await.unwrap() && !row_sync_entry(1).exists().unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_invalidation_in_it_reaches_other_processes() {
    let store = MemoryStore::new();
    let (here, there) = (loads::on(&store).await, loads::on(&store).await);
    there.set("row:1", &1u64).await.unwrap();
    scoped(here, bypass(async { larder::invalidate("row:1").await.unwrap() })).await;
    assert_eq!(loads::on(&store).await.get::<u64>("row:1").await.unwrap(), None);
}

#[tokio::test]
async fn it_neither_joins_a_load_nor_is_joined() {
    let cache = Cache::builder().flight_wait(loads::FLIGHT_WAIT).build().await.unwrap();
    let (held, past) = (Held::new(), Held::new());
    let load = |held: &Arc<Held>, value: u64| {
        let (cache, held) = (cache.clone(), Arc::clone(held));
        async move {
            let load = async || Ok::<_, larder::Error>(held.run(value).await);
            cache.get_or_set("k", load).await.unwrap()
        }
    };
    let first = tokio::spawn(load(&held, 1));
    held.began().await;
    let second = tokio::spawn(bypass(load(&past, 2)));
    // It runs a body of its own while the first load goes on.
    past.began().await;
    let third = tokio::spawn(load(&Held::open(), 3));
    loads::waiting(&cache, 1).await;
    past.end();
    assert_eq!(second.await.unwrap(), 2);
    held.end();
    assert_eq!((first.await.unwrap(), third.await.unwrap()), (1, 1));
}

#[tokio::test]
async fn what_is_spawned_in_it_bypasses_too_and_what_leaves_it_does_not() {
    in_both(async |cache, source| {
        warm(&cache, &source).await;
        let newer = source.change();
        let of = |source: &Source| {
            let source = source.clone();
            async move { row(&source, 1).await }
        };
        bypass(async {
            assert_eq!(larder::spawn(of(&source)).await.unwrap(), newer);
            let sync = source.clone();
            let spawned = larder::spawn_blocking(move || row_sync(&sync, 1));
            assert_eq!(spawned.await.unwrap(), newer);
            let given = (Table(cache.clone()), source.clone());
            // A task of its own, without the scope.
            let task = tokio::spawn(async move { given.0.row(&given.1, 1).await });
            assert_eq!(task.await.unwrap(), 0);
        })
        .await;
        assert_eq!(larder::spawn(of(&source)).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn scopes_within_it_bypass_too_and_those_around_it_keep_their_cache() {
    let (outer, inner) = (Cache::memory(), Cache::memory());
    let source = Source::default();
    scoped(outer.clone(), async {
        row(&source, 1).await;
        let newer = source.change();
        bypass(async {
            assert_eq!(row(&source, 1).await, newer);
            scoped(inner.clone(), async { assert_eq!(row(&source, 1).await, newer) }).await;
            scoped_sync(inner.clone(), || assert_eq!(row_kept(&source, 1), newer));
            bypass_sync(|| assert_eq!(row_kept(&source, 1), newer));
            larder::invalidate("other").await.unwrap();
        })
        .await;
        assert_eq!(row(&source, 1).await, 0);
    })
    .await;
    assert_eq!((outer.stats().invalidations, inner.stats().invalidations), (1, 0));
    assert_eq!((outer.stats().bypassed, inner.stats().bypassed), (2, 2));
}

#[tokio::test]
async fn requests_that_take_turns_on_one_thread_are_apart() {
    in_both(async |cache, source| {
        warm(&cache, &source).await;
        let newer = source.change();
        let turns = async || {
            let mut seen = Vec::new();
            for _ in 0..5 {
                seen.push(row(&source, 1).await);
                tokio::task::yield_now().await;
            }
            seen
        };
        let (past, served) = tokio::join!(bypass(turns()), turns());
        assert_eq!((past, served), (vec![newer; 5], vec![0; 5]));
    })
    .await;
}

#[tokio::test]
async fn it_ends_with_its_future_also_when_that_is_dropped_or_panics() {
    in_both(async |cache, source| {
        warm(&cache, &source).await;
        source.change();
        let held = Held::new();
        tokio::select! {
            _ = bypass(held.run(1)) => unreachable!("nobody ends it"),
            () = held.began() => {}
        }
        assert_eq!(row(&source, 1).await, 0);
        let panics = || bypass_sync(|| panic!("on purpose"));
        catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
        assert_eq!((row(&source, 1).await, row_kept(&source, 1)), (0, 0));
    })
    .await;
}

#[test]
fn sync_code_needs_no_runtime() {
    let (cache, source) = (Cache::memory(), Source::default());
    scoped_sync(cache.clone(), || {
        row_kept(&source, 1);
        let newer = source.change();
        assert_eq!(bypass_sync(|| (row_kept(&source, 1), row_sync(&source, 1))), (newer, newer));
        assert_eq!(row_kept(&source, 1), 0);
    });
}

#[tokio::test]
async fn a_cache_that_is_off_is_off_in_it_and_after_it() {
    let (cache, source) = (Cache::memory(), Source::default());
    scoped(cache.clone(), async {
        row(&source, 1).await;
        cache.set_enabled(false);
        bypass(async {
            row(&source, 1).await;
            cache.set_enabled(true);
            row(&source, 1).await;
        })
        .await;
        row(&source, 1).await;
        assert_eq!(source.runs(), 3);
    })
    .await;
}
