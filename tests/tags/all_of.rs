//! Invalidating what bears several tags together.

use std::sync::Arc;

use cache_store::{
    Store,
    testing::{ChaosStore, Fault, MemoryStore, Operation},
};
use larder::{Cache, ErrorKind, Event, Invalidation, cache_aside};
use tokio::task::JoinHandle;

use super::loads::{FLIGHT_WAIT, Held, caches, in_time, on, waiting};

/// One tag that is known before the load, and two that only the value tells.
#[cache_aside(key = "row:{id}", tags = ["rows", "is:{value}", "not:{value}"], skip(held, found))]
async fn row(held: &Held, id: u64, found: u64) -> u64 {
    held.run(found).await
}

fn call(held: &Arc<Held>, value: u64) -> JoinHandle<u64> {
    let held = Arc::clone(held);
    larder::spawn(async move { row(&held, 1, value).await })
}

#[tokio::test]
async fn only_what_bears_all_of_the_tags_goes() {
    for cache in caches().await {
        for (key, tags) in [("1", vec!["a", "b"]), ("2", vec!["b", "c", "a"]), ("3", vec!["a"])] {
            cache.set(key, &1u64).tags(tags).await.unwrap();
        }
        cache.set("4", &1u64).await.unwrap();
        let before = cache.stats().invalidations;
        cache.invalidate_all_of(["b", "a", "b"]).await.unwrap();
        assert_eq!(cache.stats().invalidations, before + 1);
        for (key, expected) in [("1", None), ("2", None), ("3", Some(1)), ("4", Some(1))] {
            assert_eq!(cache.get::<u64>(key).await.unwrap(), expected, "{key}");
        }
        cache.set("1", &2u64).tags(["a", "b"]).await.unwrap();
        assert_eq!(cache.get::<u64>("1").await.unwrap(), Some(2));
    }
}

#[tokio::test]
async fn one_tag_alone_is_that_tag_and_none_is_an_error_that_says_what_to_write() {
    for cache in caches().await {
        cache.set("1", &1u64).tags(["a", "b"]).await.unwrap();
        let mut events = cache.events();
        cache.invalidate_all_of(["a", "a"]).await.unwrap();
        assert_eq!(cache.get::<u64>("1").await.unwrap(), None);
        let Some(Event::Invalidated { what, .. }) = events.next().await else { panic!("no event") };
        assert_eq!(*what, Invalidation::Tags(vec!["a".to_owned()]));

        cache.set("1", &1u64).tags(["a"]).await.unwrap();
        let error = cache.invalidate_all_of([""; 0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Template);
        assert!(error.to_string().contains("write `clear()`"), "{error}");
        assert_eq!(cache.get::<u64>("1").await.unwrap(), Some(1));
    }
}

#[tokio::test]
async fn it_is_one_round_trip_however_many_entries_there_are() {
    let store = Arc::new(MemoryStore::new());
    let cache = Cache::builder().shared(store.clone()).build().await.unwrap();
    for key in 0..200 {
        cache.set(&key.to_string(), &1u64).tags(["a", "b"]).await.unwrap();
    }
    let before = store.calls();
    cache.invalidate_all_of(["a", "b"]).await.unwrap();
    let cost = store.calls() - before;
    // What the session reads in the background is nobody's round trip.
    assert_eq!(cost.round_trips() - cost.of(Operation::Patterns), 1);
    assert_eq!(cache.get::<u64>("7").await.unwrap(), None);
}

#[tokio::test]
async fn a_load_that_was_under_way_stores_nothing_even_if_its_value_tells_the_last_tag() {
    for tags in [["rows", "is:1"], ["not:1", "is:1"]] {
        for cache in caches().await {
            larder::scoped(cache.clone(), async {
                let held = Held::new();
                let old = call(&held, 1);
                held.began().await;
                larder::invalidate_all_of(tags).await.unwrap();
                held.end();
                assert_eq!(old.await.unwrap(), 1, "its own caller gets what it loaded");
                assert_eq!(row_entry(1).get().await.unwrap(), None);
                held.end();
                assert_eq!(row(&held, 1, 1).await, 1);
                assert_eq!(row_entry(1).get().await.unwrap(), Some(1));
                larder::invalidate_all_of(["rows", "is:2"]).await.unwrap();
                assert_eq!(row_entry(1).get().await.unwrap(), Some(1));
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_caller_that_joined_the_old_load_does_not_take_its_value() {
    for cache in caches().await {
        larder::scoped(cache.clone(), async {
            let held = Held::new();
            let old = call(&held, 1);
            held.began().await;
            cache.invalidate_all_of(["rows", "is:1"]).await.unwrap();
            // What the value will tell is not known, so that it joins.
            let new = call(&held, 2);
            waiting(&cache, 1).await;
            held.end();
            assert_eq!(old.await.unwrap(), 1);
            held.end();
            assert_eq!(in_time("it loads anew", new).await.unwrap(), 2);
            assert_eq!(row_entry(1).get().await.unwrap(), Some(2));
        })
        .await;
    }
}

#[tokio::test]
async fn a_load_that_another_process_overtook_is_stored_for_nobody() {
    for tags in [["rows", "is:1"], ["not:1", "is:1"]] {
        let store = MemoryStore::new();
        let (here, there) = (on(&store).await, on(&store).await);
        let held = Held::new();
        let old = larder::scoped_sync(here, || call(&held, 1));
        held.began().await;
        there.invalidate_all_of(tags).await.unwrap();
        held.end();
        assert_eq!(old.await.unwrap(), 1);
        larder::scoped(there, async {
            assert_eq!(row_entry(1).get().await.unwrap(), None);
        })
        .await;
    }
}

#[tokio::test]
async fn an_entry_that_is_tagged_by_hand_bears_the_tag_as_well() {
    for cache in caches().await {
        cache.set("1", &1u64).tags(["a"]).await.unwrap();
        assert!(cache.tag("1", ["b"]).await.unwrap());
        cache.invalidate_all_of(["a", "c"]).await.unwrap();
        assert_eq!(cache.get::<u64>("1").await.unwrap(), Some(1));
        cache.invalidate_all_of(["a", "b"]).await.unwrap();
        assert_eq!(cache.get::<u64>("1").await.unwrap(), None);
        assert!(!cache.tag("1", ["c"]).await.unwrap());
    }
}

#[tokio::test]
async fn an_entry_that_is_tagged_too_late_goes_and_that_is_said() {
    for cache in caches().await {
        cache.set("1", &1u64).tags(["a"]).await.unwrap();
        cache.invalidate_all_of(["a", "b"]).await.unwrap();
        assert_eq!(cache.get::<u64>("1").await.unwrap(), Some(1));
        assert!(cache.tag("1", ["c"]).await.unwrap());
        assert!(!cache.tag("1", ["b"]).await.unwrap(), "it counts from its load on");
        assert_eq!(cache.get::<u64>("1").await.unwrap(), None);
    }
}

/// A cache over a store that misbehaves on demand.
async fn with_faults(store: &MemoryStore) -> (Cache, Arc<ChaosStore<MemoryStore>>) {
    let chaos = Arc::new(ChaosStore::new(store.connect()));
    let shared: Arc<dyn Store> = chaos.clone();
    let builder = Cache::builder().flight_wait(FLIGHT_WAIT).shared(shared);
    (builder.build().await.unwrap(), chaos)
}

#[tokio::test]
async fn what_the_shared_tier_did_not_confirm_holds_here_and_is_repeated() {
    let store = MemoryStore::new();
    let (here, chaos) = with_faults(&store).await;
    let there = on(&store).await;
    there.set("both", &1u64).tags(["a", "b"]).await.unwrap();
    there.set("one", &1u64).tags(["a"]).await.unwrap();
    let mut events = here.events();
    chaos.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Invalidate));
    let error = here.invalidate_all_of(["b", "a"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(here.get::<u64>("both").await.unwrap(), None);
    assert_eq!(here.get::<u64>("one").await.unwrap(), Some(1));
    assert!(!here.tag("one", ["b"]).await.unwrap(), "it would bear both");

    chaos.up();
    let both = Invalidation::AllOf(vec!["a".to_owned(), "b".to_owned()]);
    let replayed = async {
        loop {
            if let Some(Event::Replayed { what, .. }) = events.next().await {
                return what;
            }
        }
    };
    assert_eq!(*in_time("it is repeated", replayed).await, both);
    assert_eq!(on(&store).await.get::<u64>("both").await.unwrap(), None);
}

#[test]
fn sync_code_waits_for_it() {
    let cache = Cache::memory();
    larder::scoped_sync(cache.clone(), || {
        #[cache_aside(key = "sync:{n}", tags = ["a", "b:{n}"])]
        fn square(n: u64) -> u64 {
            n * n
        }
        assert_eq!((square(1), square(2)), (1, 4));
        larder::invalidate_all_of(["a", "b:1"]).wait().unwrap();
        assert_eq!(square_entry(1).get().unwrap(), None);
        assert_eq!(square_entry(2).get().unwrap(), Some(4));
        larder::invalidate_tags(["a"]).everywhere().wait().unwrap();
        assert_eq!(square_entry(2).get().unwrap(), None);
    });
    let store = MemoryStore::new();
    let shared = tokio::runtime::Runtime::new().unwrap().block_on(on(&store));
    shared.invalidate_all_of(["a", "b"]).wait().unwrap();
    let log = tokio::runtime::Runtime::new().unwrap().block_on(store.patterns()).unwrap();
    assert_eq!(log.last().unwrap().what.to_text(), "[all]1:a1:b");
}
