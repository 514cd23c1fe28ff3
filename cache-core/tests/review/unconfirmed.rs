//! Invalidations that the shared tier has not confirmed.

use super::*;

#[tokio::test]
async fn an_invalidation_that_fails_while_its_like_is_repeated_is_repeated_too() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let there = on(&store).await;
    let fail = || Fault::fail(ErrorKind::Timeout).on(Operation::Invalidate).times(1);
    let gate = chaos.hold_reply(Operation::Invalidate);
    chaos.inject(fail());
    cache.invalidate("k:1").await.unwrap_err();
    gate.arrived(1).await;
    there.set("k:1", &1u64).await.unwrap();
    chaos.inject(fail());
    cache.invalidate("k:1").await.unwrap_err();
    gate.open();
    confirmed(&cache).await;
    assert_eq!(get(&on(&store).await).await, None);
}

#[tokio::test]
async fn an_invalidation_that_is_not_confirmed_holds_in_this_process() {
    for what in ["key", "tag", "learned tag", "pattern", "all"] {
        let store = MemoryStore::new();
        let (cache, chaos) = with_faults(&store).await;
        let there = on(&store).await;
        let spec = if what == "learned tag" { &LEARNING } else { &TAGGED };
        assert_eq!(call(spec, there, async { 1 }).await, 1);
        chaos.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Invalidate));
        let invalidate = match what {
            "key" => cache.invalidate("k:1"),
            "tag" => cache.invalidate_tags(["t"]),
            "learned tag" => cache.invalidate_tags(["v:1"]),
            "pattern" => cache.invalidate_pattern("k*"),
            _ => cache.clear(),
        };
        invalidate.await.unwrap_err();
        assert_eq!(get(&cache).await, None, "{what}");
        assert_eq!(call(spec, cache.clone(), async { 2 }).await, 2, "{what}");
        assert_eq!(call(spec, cache.clone(), async { 3 }).await, 2, "{what}: kept in memory");
    }
}

#[tokio::test]
async fn an_invalidation_that_is_confirmed_while_a_read_is_under_way_holds_for_it() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    on(&store).await.set("k:1", &1u64).await.unwrap();
    let repeated = chaos.hold(Operation::Invalidate);
    let pending = tokio::spawn(std::future::IntoFuture::into_future(cache.invalidate("k:1")));
    repeated.arrived(1).await;
    pending.abort();
    assert!(pending.await.unwrap_err().is_cancelled());
    let answer = chaos.hold_reply(Operation::Read);
    let reader = cache.clone();
    let read = tokio::spawn(async move { get(&reader).await });
    answer.arrived(1).await;
    repeated.open();
    confirmed(&cache).await;
    answer.open();
    assert_eq!(read.await.unwrap(), None);
    assert_eq!(get(&cache).await, None);
}

/// What is counted is what waits.
async fn nothing_is_lost_count_of(cache: &Cache) {
    let (stats, health) = (cache.stats(), cache.health().await);
    let open = stats.replay_queued - stats.replay_done - stats.replay_dropped;
    assert_eq!(open, health.waiting_invalidations as u64, "{stats:?}");
}

#[tokio::test]
async fn of_invalidations_that_wait_none_is_lost_count_of() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let fails = || Fault::fail(ErrorKind::Timeout).on(Operation::Invalidate).times(1);
    let gate = chaos.hold_reply(Operation::Invalidate);
    chaos.inject(fails());
    chaos.inject(Fault::lose_reply(ErrorKind::Timeout).on(Operation::Invalidate).times(1));
    cache.invalidate("k:1").await.unwrap_err();
    gate.arrived(1).await;
    // Its like comes while it is sent, and then it fails.
    chaos.inject(fails());
    cache.invalidate("k:1").await.unwrap_err();
    nothing_is_lost_count_of(&cache).await;
    gate.open();
    confirmed(&cache).await;
    until(|| cache.stats().replay_done == 2).await;
    nothing_is_lost_count_of(&cache).await;

    chaos.down(ErrorKind::Timeout);
    // More than are kept.
    for n in 0..1100 {
        cache.invalidate(&format!("other:{n}")).await.unwrap_err();
    }
    assert!(cache.stats().replay_dropped > 0);
    nothing_is_lost_count_of(&cache).await;
    chaos.up();
    until(|| {
        let stats = cache.stats();
        stats.replay_queued == stats.replay_done + stats.replay_dropped
    })
    .await;
    confirmed(&cache).await;
}
