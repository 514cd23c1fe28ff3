//! Who may share a flight, and an entry.

use super::*;

#[tokio::test(start_paused = true)]
async fn functions_that_ask_for_different_things_do_not_share_a_flight() {
    static NEWER: Spec<u64> = function().version(2);
    static STRICT: Spec<u64> = function().layer(Layer::Shared);
    static LEASED: Spec<u64> = function().lease(1000, None);
    for other in [&NEWER, &STRICT, &LEASED, &TAGGED] {
        let cache = on(&MemoryStore::new()).await;
        let slow = Arc::new(Slow::default());
        let load = start(&PLAIN, &cache, &slow, 1);
        slow.began.notified().await;
        let own = tokio::time::timeout(WAIT / 5, call(other, cache.clone(), async { 2 }));
        assert_eq!(own.await, Ok(2));
        load.abort();
    }
}

#[tokio::test]
async fn what_a_function_keeps_in_memory_only_is_not_served_to_one_that_uses_the_shared_tier() {
    static ALONE: Spec<u64> = function().layer(Layer::Memory);
    let store = MemoryStore::new();
    let (here, there) = (on(&store).await, on(&store).await);
    assert_eq!(call(&ALONE, here.clone(), async { 1 }).await, 1);
    assert_eq!(call(&ALONE, here.clone(), async { 2 }).await, 1);
    there.set("k:1", &3u64).await.unwrap();
    assert_eq!(call(&PLAIN, here.clone(), async { 4 }).await, 3);
}

#[tokio::test]
async fn what_a_function_without_the_tag_loaded_is_not_served_to_one_with_it() {
    for cache in [builder().build().await.unwrap(), on(&MemoryStore::new()).await] {
        assert_eq!(call(&PLAIN, cache.clone(), async { 1 }).await, 1);
        assert_eq!(call(&TAGGED, cache.clone(), async { 2 }).await, 2);
        cache.invalidate_tags(["t"]).await.unwrap();
        assert_eq!(get(&cache).await, None);
    }
    let store = MemoryStore::new();
    assert_eq!(call(&PLAIN, on(&store).await, async { 1 }).await, 1);
    assert_eq!(call(&TAGGED, on(&store).await, async { 2 }).await, 2);
}

#[tokio::test]
async fn another_types_value_in_memory_is_no_value() {
    let cache = Cache::memory();
    cache.set("k:1", &"text".to_owned()).await.unwrap();
    let entry = entry(&PLAIN, given(&cache), &[&1u64]);
    assert!(!entry.exists().await.unwrap());
    assert_eq!(entry.ttl().await.unwrap(), None);
    assert_eq!(cache.stats().hits_memory, 0);
}

#[tokio::test]
async fn a_caller_that_arrives_after_a_learned_tag_was_invalidated_is_not_given_a_value_that_is_not_kept()
 {
    static PASSING: Spec<u64> = function()
        .learned(&["v:", ""], |value, _, tags| tags.add(&["v:", ""], &[value]))
        .cache_if(|_| false);
    for spec in [&PASSING, &LEARNING] {
        let cache = Cache::memory();
        let slow = Arc::new(Slow::default());
        let load = start(spec, &cache, &slow, 1);
        slow.began.notified().await;
        cache.invalidate_tags(["v:1"]).await.unwrap();
        let late = tokio::spawn(call(spec, cache.clone(), async { 2 }));
        coalesced(&cache, 1).await;
        slow.end.notify_one();
        assert_eq!((load.await.unwrap(), late.await.unwrap()), (1, 2));
    }
}

#[tokio::test]
async fn a_tag_that_was_invalidated_after_the_load_cannot_be_added() {
    let cache = Cache::memory();
    cache.set("k:1", &1u64).await.unwrap();
    cache.invalidate_tags(["late"]).await.unwrap();
    assert!(!cache.tag("k:1", ["late"]).await.unwrap());
    assert_eq!(get(&cache).await, None);
}

#[tokio::test]
async fn a_tag_that_was_added_reaches_a_read_that_was_under_way() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    on(&store).await.set("k:1", &1u64).await.unwrap();
    let gate = chaos.hold_reply(Operation::Read);
    let reader = cache.clone();
    let read = tokio::spawn(async move { get(&reader).await });
    gate.arrived(1).await;
    assert!(cache.tag("k:1", ["late"]).await.unwrap());
    gate.open();
    assert_eq!(read.await.unwrap(), Some(1));
    cache.invalidate_tags(["late"]).await.unwrap();
    assert_eq!(get(&cache).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_arrives_after_an_invalidation_does_not_wait_for_the_old_load() {
    for what in ["key", "tag", "pattern", "all"] {
        for cache in [builder().build().await.unwrap(), on(&MemoryStore::new()).await] {
            let slow = Arc::new(Slow::default());
            let load = start(&TAGGED, &cache, &slow, 1);
            slow.began.notified().await;
            invalidate(&cache, what).await;
            let own = tokio::time::timeout(WAIT / 5, call(&TAGGED, cache.clone(), async { 2 }));
            assert_eq!(own.await, Ok(2), "{what}");
            load.abort();
        }
    }
}

#[tokio::test]
async fn a_load_that_was_invalidated_here_is_not_even_offered_to_the_shared_tier() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let slow = Arc::new(Slow::default());
    let load = start(&PLAIN, &cache, &slow, 1);
    slow.began.notified().await;
    chaos.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Invalidate));
    cache.invalidate("k:1").await.unwrap_err();
    slow.end.notify_one();
    assert_eq!(load.await.unwrap(), 1);
    assert_eq!(chaos.inner().calls().of(Operation::Fill), 0);
}
