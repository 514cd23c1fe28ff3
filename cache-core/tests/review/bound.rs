//! How far behind other processes' invalidations a process may be.

use super::*;

#[tokio::test]
async fn memory_is_no_more_than_the_bound_behind_an_invalidation_that_came_while_a_load_ran() {
    for what in ["key", "tag", "pattern", "all"] {
        let store = MemoryStore::new();
        let ((here, time), there) = (with_clock(&store).await, on(&store).await);
        let slow = Arc::new(Slow::default());
        let load = start(&TAGGED, &here, &slow, 1);
        slow.began.notified().await;
        invalidate(&there, what).await;
        time.advance(BOUND * 2);
        slow.end.notify_one();
        assert_eq!(load.await.unwrap(), 1);
        assert_eq!(get(&here).await, None, "{what}");
    }
}

#[tokio::test]
async fn memory_is_no_more_than_the_bound_behind_an_invalidation_that_came_while_a_write_ran() {
    for what in ["key", "tag", "pattern", "all"] {
        let store = MemoryStore::new();
        let ((here, time), there) = (with_clock(&store).await, on(&store).await);
        let slow = Arc::new(Slow::default());
        let write = write_through(entry(&TAGGED, given(&here), &[&1u64]));
        let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(1)));
        slow.began.notified().await;
        invalidate(&there, what).await;
        time.advance(BOUND * 2);
        slow.end.notify_one();
        assert_eq!(write.await.unwrap(), 1);
        assert_eq!(get(&here).await, None, "{what}");
    }
}

#[tokio::test]
async fn a_caller_that_comes_later_than_the_bound_is_not_given_a_load_that_was_invalidated_elsewhere()
 {
    let store = MemoryStore::new();
    let ((here, time), there) = (with_clock(&store).await, on(&store).await);
    let slow = Arc::new(Slow::default());
    let load = start(&PLAIN, &here, &slow, 1);
    slow.began.notified().await;
    invalidate(&there, "key").await;
    time.advance(BOUND * 2);
    let late = tokio::spawn(call(&PLAIN, here.clone(), async { 2 }));
    coalesced(&here, 1).await;
    slow.end.notify_one();
    assert_eq!((load.await.unwrap(), late.await.unwrap()), (1, 2));
}

#[tokio::test]
async fn a_caller_that_comes_later_than_the_bound_is_given_a_load_that_is_still_valid() {
    let store = MemoryStore::new();
    let (here, time) = with_clock(&store).await;
    let slow = Arc::new(Slow::default());
    let load = start(&PLAIN, &here, &slow, 1);
    slow.began.notified().await;
    time.advance(BOUND * 2);
    let late = start(&PLAIN, &here, &slow, 2);
    coalesced(&here, 1).await;
    slow.end.notify_one();
    assert_eq!((load.await.unwrap(), late.await.unwrap()), (1, 1));
    assert_eq!(slow.runs.load(SeqCst), 1);
}

#[tokio::test]
async fn a_function_that_asks_for_every_hit_is_not_given_a_load_that_was_invalidated_elsewhere() {
    static STRICT: Spec<u64> = function().layer(Layer::Shared);
    let store = MemoryStore::new();
    let ((here, time), there) = (with_clock(&store).await, on(&store).await);
    let slow = Arc::new(Slow::default());
    let load = start(&STRICT, &here, &slow, 1);
    slow.began.notified().await;
    invalidate(&there, "key").await;
    time.advance(Duration::from_nanos(1));
    let late = tokio::spawn(call(&STRICT, here.clone(), async { 2 }));
    coalesced(&here, 1).await;
    slow.end.notify_one();
    assert_eq!((load.await.unwrap(), late.await.unwrap()), (1, 2));
}

#[tokio::test]
async fn a_function_that_asks_for_every_hit_is_not_given_such_a_load_by_who_was_cut_off_either() {
    static STRICT: Spec<u64> = function().layer(Layer::Shared);
    let store = MemoryStore::new();
    let (chaos, there) = (Arc::new(ChaosStore::new(store.connect())), on(&store).await);
    let (clock, time) = Clock::manual();
    let here = builder().clock(clock).shared(chaos.clone()).build().await.unwrap();
    let slow = Arc::new(Slow::default());
    chaos.down(ErrorKind::Timeout);
    let load = start(&STRICT, &here, &slow, 1);
    slow.began.notified().await;
    chaos.up();
    invalidate(&there, "key").await;
    time.advance(Duration::from_nanos(1));
    let late = tokio::spawn(call(&STRICT, here.clone(), async { 2 }));
    coalesced(&here, 1).await;
    slow.end.notify_one();
    assert_eq!((load.await.unwrap(), late.await.unwrap()), (1, 2));
}
