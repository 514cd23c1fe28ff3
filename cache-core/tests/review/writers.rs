//! Writers, and what comes between the beginning and the end of a write.

use super::*;

#[tokio::test]
async fn a_writer_that_is_dropped_leaves_nothing_that_was_loaded_meanwhile() {
    for cache in [builder().build().await.unwrap(), on(&MemoryStore::new()).await] {
        assert_eq!(call(&PLAIN, cache.clone(), async { 1 }).await, 1);
        let slow = Arc::new(Slow::default());
        let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
        let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(3)));
        slow.began.notified().await;
        assert_eq!(call(&PLAIN, cache.clone(), async { 2 }).await, 2, "the old entry is gone");
        write.abort();
        assert!(write.await.unwrap_err().is_cancelled());
        assert_eq!(get(&cache).await, None);
    }
}

#[tokio::test]
async fn a_dropped_writer_tells_readers_that_they_may_store_again() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let slow = Arc::new(Slow::default());
    let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
    let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(3)));
    slow.began.notified().await;
    write.abort();
    until(|| chaos.inner().calls().of(Operation::Finish) == 1).await;
    assert_eq!(call(&PLAIN, on(&store).await, async { 2 }).await, 2);
    assert_eq!(get(&on(&store).await).await, Some(2));
}

#[tokio::test]
async fn nothing_that_is_loaded_while_another_process_writes_is_kept() {
    let store = MemoryStore::new();
    let (here, there) = (on(&store).await, on(&store).await);
    let slow = Arc::new(Slow::default());
    let write = write_through(entry(&PLAIN, given(&there), &[&1u64]));
    let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(9)));
    slow.began.notified().await;
    assert_eq!(call(&PLAIN, here.clone(), async { 1 }).await, 1);
    assert_eq!(call(&PLAIN, here.clone(), async { 2 }).await, 2);
    slow.end.notify_one();
    assert_eq!(write.await.unwrap(), 9);
    assert_eq!(call(&PLAIN, here, async { 3 }).await, 9);
}

#[tokio::test]
async fn a_write_that_was_refused_leaves_nothing_that_was_loaded_meanwhile() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let slow = Arc::new(Slow::default());
    let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
    let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(2)));
    slow.began.notified().await;
    chaos.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Read).times(1));
    assert_eq!(call(&PLAIN, cache.clone(), async { 1 }).await, 1);
    assert_eq!(get(&cache).await, Some(1), "kept in memory without asking");
    on(&store).await.invalidate("k:1").await.unwrap();
    slow.end.notify_one();
    assert_eq!(write.await.unwrap(), 2);
    assert_eq!(get(&cache).await, None);
}

#[tokio::test]
async fn a_write_past_memory_leaves_nothing_there_that_was_loaded_before_its_body_wrote() {
    static SHARED: Spec<u64> = function().layer(Layer::Shared);
    static MEMORY: Spec<u64> = function().layer(Layer::Memory);
    let store = MemoryStore::new();
    let cache = on(&store).await;
    let slow = Arc::new(Slow::default());
    let write = write_through(entry(&SHARED, given(&cache), &[&1u64]));
    let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(2)));
    slow.began.notified().await;
    assert_eq!(call(&MEMORY, cache.clone(), async { 1 }).await, 1);
    slow.end.notify_one();
    assert_eq!(write.await.unwrap(), 2);
    assert_eq!(call(&MEMORY, cache, async { 3 }).await, 3);
}

#[tokio::test]
async fn a_write_that_another_one_overtook_leaves_nothing() {
    for cache in [builder().build().await.unwrap(), on(&MemoryStore::new()).await] {
        let slow = Arc::new(Slow::default());
        let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
        let early = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(1)));
        slow.began.notified().await;
        let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
        assert_eq!(write.run::<PlainShape, _, _>(async { 2 }).await, 2);
        slow.end.notify_one();
        assert_eq!(early.await.unwrap(), 1);
        assert_eq!(get(&cache).await, None, "which of them was the last, nobody knows");
    }
}

#[tokio::test]
async fn a_written_value_whose_learned_tag_was_invalidated_meanwhile_is_not_stored() {
    let store = MemoryStore::new();
    let (here, there) = (on(&store).await, on(&store).await);
    for process in [&here, &there] {
        let slow = Arc::new(Slow::default());
        let write = write_through(entry(&LEARNING, given(&here), &[&1u64]));
        let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(1)));
        slow.began.notified().await;
        process.invalidate_tags(["v:1"]).await.unwrap();
        slow.end.notify_one();
        assert_eq!(write.await.unwrap(), 1);
        assert_eq!(get(&here).await, None);
        assert_eq!(get(&on(&store).await).await, None);
    }
}

#[tokio::test]
async fn a_write_whose_announcement_or_end_is_lost_invalidates_its_entry() {
    for step in [Operation::Begin, Operation::Finish] {
        for fault in [Fault::fail(ErrorKind::Timeout), Fault::lose_reply(ErrorKind::Timeout)] {
            let store = MemoryStore::new();
            let (cache, chaos) = with_faults(&store).await;
            on(&store).await.set("k:1", &1u64).await.unwrap();
            chaos.inject(fault.on(step).times(1));
            let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
            assert_eq!(write.run::<PlainShape, _, _>(async { 2 }).await, 2);
            assert_eq!(get(&cache).await, None, "{step:?}: here at once");
            confirmed(&cache).await;
            assert_eq!(get(&on(&store).await).await, None, "{step:?}");
        }
    }
}

#[tokio::test]
async fn a_write_whose_end_is_lost_keeps_nobody_from_storing_later() {
    for how in ["writer", "dropped", "set", "set_many"] {
        for fault in [Fault::fail(ErrorKind::Timeout), Fault::lose_reply(ErrorKind::Timeout)] {
            let store = MemoryStore::new();
            let (cache, chaos) = with_faults(&store).await;
            chaos.inject(fault.clone().on(Operation::FinishMany).times(1));
            chaos.inject(fault.on(Operation::Finish).times(2));
            match how {
                "set" => drop(cache.set("k:1", &1u64).await.unwrap_err()),
                "set_many" => drop(cache.set_many([("k:1", &1u64)]).await.unwrap_err()),
                "dropped" => {
                    let slow = Arc::new(Slow::default());
                    let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
                    let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(1)));
                    slow.began.notified().await;
                    write.abort();
                    until(|| cache.stats().replay_done == 1).await;
                }
                _ => {
                    let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
                    assert_eq!(write.run::<PlainShape, _, _>(async { 1 }).await, 1);
                }
            }
            confirmed(&cache).await;
            no_write_is_under_way(&store, how).await;
        }
    }
}

/// Readers and writers store what they have.
async fn no_write_is_under_way(store: &MemoryStore, after: &str) {
    let there = on(store).await;
    assert_eq!(call(&PLAIN, there.clone(), async { 2 }).await, 2);
    assert_eq!(get(&on(store).await).await, Some(2), "{after}: a reader stored it");
    there.set("k:1", &3u64).await.unwrap();
    assert_eq!(get(&on(store).await).await, Some(3), "{after}");
}

// Guard: cache-core/src/engine/told.rs, an announcement that was not answered is ended by its token.
#[tokio::test]
async fn a_write_whose_announcement_is_lost_keeps_nobody_from_storing_later() {
    for how in ["writer", "dropped", "set", "set_many"] {
        let store = MemoryStore::new();
        let (cache, chaos) = with_faults(&store).await;
        let lost = || Fault::lose_reply(ErrorKind::Timeout).times(1);
        chaos.inject(lost().on(Operation::Begin));
        chaos.inject(lost().on(Operation::BeginMany));
        let write = write_through(entry(&PLAIN, given(&cache), &[&1u64]));
        match how {
            "set" => drop(cache.set("k:1", &1u64).await.unwrap_err()),
            "set_many" => drop(cache.set_many([("k:1", &1u64)]).await.unwrap_err()),
            "dropped" => {
                let slow = Arc::new(Slow::default());
                let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(1)));
                slow.began.notified().await;
                write.abort();
                until(|| chaos.inner().calls().of(Operation::Finish) == 1).await;
            }
            _ => assert_eq!(write.run::<PlainShape, _, _>(async { 1 }).await, 1),
        }
        confirmed(&cache).await;
        no_write_is_under_way(&store, how).await;
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_encoded_is_said_at_once() {
    let store = Arc::new(MemoryStore::new());
    let small = builder().max_value_bytes(8).shared(store.clone()).build().await.unwrap();
    let error = small.set("k", &"x".repeat(100)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(store.calls().of(Operation::Begin), 1);
    assert_eq!(store.calls().of(Operation::Finish), 1);
}

#[tokio::test]
async fn a_writer_invalidates_its_entry_though_caching_is_switched_off_in_its_process() {
    let store = MemoryStore::new();
    let there = on(&store).await;
    let off = builder().enabled(false).shared(Arc::new(store.connect())).build().await.unwrap();
    for by_value in [false, true] {
        there.set("k:1", &1u64).await.unwrap();
        if by_value {
            let inner = off.clone();
            let write = writer::<u64>(given(&off)).after(move |value, after| {
                after.entry(entry(&PLAIN, given(&inner), &[value]));
            });
            assert_eq!(write.run::<PlainShape, _, _>(async { 1 }).await, 1);
        } else {
            let write = write_through(entry(&PLAIN, given(&off), &[&1u64]));
            assert_eq!(write.run::<PlainShape, _, _>(async { 2 }).await, 2);
        }
        assert_eq!(get(&on(&store).await).await, None, "{by_value}");
    }
}

#[tokio::test]
async fn a_writer_invalidates_a_key_that_is_too_long_to_stand_whole() {
    let store = MemoryStore::new();
    let (here, there) = (on(&store).await, on(&store).await);
    let name = "x".repeat(300);
    let key = format!("user:{name}");
    there.set(&key, &1u64).await.unwrap();
    let write = writer::<u64>(given(&here)).key(&["user:", ""], &[&name]);
    write.run::<PlainShape, _, _>(async { 1 }).await;
    assert_eq!(on(&store).await.get::<u64>(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_written_value_whose_life_is_zero_is_not_stored() {
    static ZERO: Spec<u64> = function().ttl_fn(|_| Duration::ZERO);
    let store = Arc::new(MemoryStore::new());
    let cache = builder().shared(store.clone()).build().await.unwrap();
    let write = write_through(entry(&ZERO, given(&cache), &[&1u64]));
    write.run::<PlainShape, _, _>(async { 1 }).await;
    assert_eq!(get(&cache).await, None);
    assert_eq!(cache.stats().fills, 0);
}
