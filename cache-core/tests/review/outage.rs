//! What calls cost and what is told while the shared tier is away, and what is served when it is back.

use cache_core::Event;
use cache_store::Error;
use tokio::task::JoinSet;

use super::*;

/// What was told of the shared tier itself.
fn told(events: &mut cache_core::Events) -> Vec<&'static str> {
    let shown = |event| match event {
        Event::SharedDown { .. } => Some("down"),
        Event::SharedUp => Some("up"),
        _ => None,
    };
    std::iter::from_fn(|| events.try_next()).filter_map(shown).collect()
}

async fn number(cache: &Cache, n: u64) -> u64 {
    let body = || async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok::<_, Error>(n)
    };
    cache.get_or_set(&format!("n:{n}"), body).await.unwrap()
}

// Guard: the swap of `Engine::down`.
#[tokio::test(start_paused = true)]
async fn an_outage_costs_a_thousand_callers_one_deadline_each_and_is_told_once() {
    const DEADLINE: Duration = Duration::from_millis(500);
    let (cache, chaos) = with_faults(&MemoryStore::new()).await;
    let mut events = cache.events();
    for round in 0..3 {
        chaos.inject(Fault::drop_request(DEADLINE));
        let since = Instant::now();
        let mut calls = JoinSet::new();
        for n in 0..1_000 {
            let cache = cache.clone();
            calls.spawn(async move { number(&cache, round * 1_000 + n).await });
        }
        calls.join_all().await;
        let took = since.elapsed();
        assert!(took >= DEADLINE && took <= DEADLINE + Duration::from_millis(60), "{took:?}");
        assert_eq!(told(&mut events), ["down"]);
        chaos.up();
        for n in 0..10 {
            assert_eq!(cache.get::<u64>(&format!("none:{n}")).await.unwrap(), None);
        }
        assert_eq!(told(&mut events), ["up"]);
    }
}

// Guard: `Error::is_of_a_part` in `Engine::count_error`.
#[tokio::test]
async fn a_part_that_is_away_is_counted_and_the_whole_is_not_told_to_be() {
    let (cache, chaos) = with_faults(&MemoryStore::new()).await;
    let mut events = cache.events();
    chaos.down_for(ErrorKind::Unavailable, |key| key == "n:1");
    for n in 1..=10 {
        assert_eq!(number(&cache, n).await, n);
        assert_eq!(number(&cache, 1).await, 1);
    }
    assert!(cache.stats().shared_errors > 0);
    assert_eq!(told(&mut events), [""; 0]);
}

// Guard: `ErrorKind::Overloaded` in `Engine::count_error`.
#[tokio::test]
async fn too_much_at_once_is_counted_by_itself_and_is_no_outage() {
    let (cache, chaos) = with_faults(&MemoryStore::new()).await;
    let mut events = cache.events();
    chaos.inject(Fault::fail(ErrorKind::Overloaded).on(Operation::Read).times(3));
    for n in 0..5 {
        assert_eq!(number(&cache, n).await, n);
    }
    let stats = cache.stats();
    assert_eq!((stats.shared_overloads, stats.shared_errors), (3, 0));
    assert_eq!(told(&mut events), [""; 0]);
}

/// The invalidation is on its way to a shared tier that answers again: until it has arrived, nothing that it covers is
/// served, by any way that a value takes.
// Guards: `unconfirmed` in `Call::candidate` and in `validity`.
#[tokio::test]
async fn what_was_invalidated_during_an_outage_is_not_served_before_the_shared_tier_knows() {
    for what in ["key", "tag", "learned tag", "pattern", "all"] {
        let store = MemoryStore::new();
        let (cache, chaos) = with_faults(&store).await;
        let spec = if what == "learned tag" { &LEARNING } else { &TAGGED };
        assert_eq!(call(spec, cache.clone(), async { 1 }).await, 1, "in both tiers");
        chaos.down(ErrorKind::Unavailable);
        let invalidate = match what {
            "key" => cache.invalidate("k:1"),
            "tag" => cache.invalidate_tags(["t"]),
            "learned tag" => cache.invalidate_tags(["v:1"]),
            "pattern" => cache.invalidate_pattern("k*"),
            _ => cache.clear(),
        };
        invalidate.await.unwrap_err();
        let replay = chaos.hold(Operation::Invalidate);
        chaos.up();
        replay.arrived(1).await;
        // The shared tier answers, and has the old value.
        assert_eq!(on(&store).await.get::<u64>("k:1").await.unwrap(), Some(1), "{what}");
        assert_eq!(get(&cache).await, None, "{what}");
        assert_eq!(cache.get_many::<u64, _>(["k:1"]).await.unwrap(), [None], "{what}");
        assert_eq!(call(spec, cache.clone(), async { 2 }).await, 2, "{what}");
        assert_eq!(call(spec, cache.clone(), async { 3 }).await, 2, "{what}: kept in memory");
        replay.open();
        confirmed(&cache).await;
        assert_ne!(get(&on(&store).await).await, Some(1), "{what}: the shared tier knows");
        assert_ne!(call(spec, cache.clone(), async { 4 }).await, 1, "{what}");
    }
}

/// A read asks before the outage and is answered after it; its answer must not get into memory behind the invalidation.
#[tokio::test]
async fn an_answer_from_before_an_outage_is_not_promoted_after_it() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    on(&store).await.set("k:1", &1u64).await.unwrap();
    let answer = chaos.hold_reply(Operation::Read);
    let read = {
        let cache = cache.clone();
        tokio::spawn(async move { call(&TAGGED, cache, async { 2 }).await })
    };
    answer.arrived(1).await;
    chaos.inject(Fault::fail(ErrorKind::Unavailable).on(Operation::Invalidate).times(1));
    cache.invalidate("k:1").await.unwrap_err();
    confirmed(&cache).await;
    answer.open();
    read.await.unwrap();
    assert_ne!(get(&cache).await, Some(1));
    assert_eq!(call(&TAGGED, cache.clone(), async { 3 }).await, 3);
}
