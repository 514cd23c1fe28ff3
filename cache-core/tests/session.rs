//! The coherence session: what other processes invalidate, as this one hears of it. Time is tokio's and stands still.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{convert::Infallible, sync::Arc, time::Duration};

use cache_core::{
    __private::{Layer, PlainShape, Spec, given, lookup, shared, sharing::Probe},
    Cache, CacheBuilder, Clock, ErrorKind, Event,
};
use cache_store::{
    News, Store,
    testing::{ChaosStore, Fault, MemoryStore, Operation},
};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout},
};

const BOUND: Duration = Duration::from_secs(2);

type Line = Arc<ChaosStore<MemoryStore>>;

fn builder() -> CacheBuilder {
    Cache::builder()
        .coherence_bound(BOUND)
        .clock(Clock::tokio())
        .runtime(Handle::current())
        .default_ttl(Duration::from_secs(24 * 3600))
}

/// A process: its cache, and its line to the shared tier.
async fn process(store: &MemoryStore) -> (Cache, Line) {
    let line = Arc::new(ChaosStore::new(store.connect()));
    (builder().shared(line.clone()).build().await.unwrap(), line)
}

/// A process whose session lives and whose memory holds 1 under the key `k`, with the tag `t`.
async fn warm(store: &MemoryStore) -> (Cache, Line) {
    let (cache, line) = process(store).await;
    while cache.health().await.session != Some(true) {
        cache.get_or_set("other", || ok(0)).await.unwrap();
        sleep(Duration::from_millis(1)).await;
    }
    // The first call makes the tag, which is heard like its end; the second one finds it.
    for _ in 0..2 {
        assert_eq!(cache.get_or_set("k", || ok(1)).tags(["t"]).await, Ok(1));
        sleep(Duration::from_millis(1)).await;
    }
    (cache, line)
}

async fn ok(value: u64) -> Result<u64, Infallible> {
    Ok(value)
}

async fn get(cache: &Cache) -> Option<u64> {
    cache.get::<u64>("k").await.unwrap()
}

fn reads(line: &Line) -> u64 {
    line.inner().calls().of(Operation::Read)
}

/// Whether the next read is answered by memory.
async fn is_in_memory(cache: &Cache, line: &Line) -> bool {
    let before = reads(line);
    get(cache).await.is_some() && reads(line) == before
}

async fn invalidate(cache: &Cache, what: &str) {
    match what {
        "tag" => cache.invalidate_tags(["t"]).await.unwrap(),
        "pattern" => cache.invalidate_pattern("k*").await.unwrap(),
        "all" => cache.clear().await.unwrap(),
        "write" => cache.set("k", &2u64).await.unwrap(),
        _ => cache.invalidate("k").await.unwrap(),
    }
}

const EVERY_WAY: [&str; 5] = ["key", "tag", "pattern", "all", "write"];

#[tokio::test(start_paused = true)]
async fn while_the_session_lives_memory_serves_an_entry_for_its_whole_life() {
    let (cache, line) = warm(&MemoryStore::new()).await;
    let before = reads(&line);
    for _ in 0..1_000 {
        sleep(Duration::from_secs(60)).await;
        assert_eq!(get(&cache).await, Some(1));
    }
    assert_eq!(reads(&line), before);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_invalidates_is_not_served_as_soon_as_it_is_heard() {
    for what in EVERY_WAY {
        let store = MemoryStore::new();
        let ((here, _), (there, _)) = (warm(&store).await, process(&store).await);
        sleep(BOUND * 10).await;
        assert_eq!(get(&here).await, Some(1));
        invalidate(&there, what).await;
        // A pattern is known when its log has been fetched, which takes no time here.
        sleep(Duration::from_millis(1)).await;
        assert_ne!(get(&here).await, Some(1), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_hears_nothing_is_no_more_than_the_bound_behind() {
    for what in EVERY_WAY {
        let store = MemoryStore::new();
        let ((here, line), (there, _)) = (warm(&store).await, process(&store).await);
        sleep(BOUND * 10 + BOUND / 3).await;
        line.hold_news();
        invalidate(&there, what).await;
        let invalidated = Instant::now();
        while get(&here).await == Some(1) {
            assert!(invalidated.elapsed() < BOUND, "{what}: after {:?}", invalidated.elapsed());
            sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_heartbeat_proves_nothing_however_late_the_answer_is_expected() {
    let (cache, line) = warm(&MemoryStore::new()).await;
    sleep(BOUND * 2).await;
    let gate = line.hold(Operation::Heartbeat);
    gate.arrived(1).await;
    sleep(BOUND).await;
    assert!(!is_in_memory(&cache, &line).await);
    assert_eq!(cache.health().await.session, Some(false));
    gate.open();
    sleep(BOUND / 2).await;
    assert!(is_in_memory(&cache, &line).await);
    assert!(cache.stats().without_session > Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_bound_counts_from_the_sending_of_a_heartbeat_and_not_from_its_answer() {
    let store = MemoryStore::new();
    let ((here, line), (there, _)) = (warm(&store).await, process(&store).await);
    sleep(BOUND * 2).await;
    let gate = line.hold_reply(Operation::Heartbeat);
    gate.arrived(1).await;
    // The server has answered, and the line breaks down with the answer on it.
    line.hold_news();
    invalidate(&there, "key").await;
    let invalidated = Instant::now();
    sleep(BOUND / 2).await;
    line.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Heartbeat));
    gate.open();
    while get(&here).await == Some(1) {
        assert!(invalidated.elapsed() < BOUND, "{:?}", invalidated.elapsed());
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_does_not_count_while_a_pattern_that_was_heard_is_unknown() {
    let store = MemoryStore::new();
    let ((here, line), (there, _)) = (warm(&store).await, process(&store).await);
    sleep(BOUND * 2).await;
    line.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Patterns));
    invalidate(&there, "pattern").await;
    let invalidated = Instant::now();
    let read = || timeout(BOUND, here.get::<u64>("k"));
    while let Ok(Ok(Some(1))) = read().await {
        assert!(invalidated.elapsed() < BOUND, "{:?}", invalidated.elapsed());
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_gap_gives_up_everything_that_other_processes_may_have_invalidated() {
    static ALONE: Spec<u64> =
        Spec::new(shared::<u64>(), "session", "alone", &["alone"]).layer(Layer::Memory);
    let store = MemoryStore::new();
    let (cache, line) = warm(&store).await;
    let alone = || lookup::<PlainShape, u64>(&ALONE, given(&cache), &[]);
    if let Err(miss) = alone() {
        miss.load::<PlainShape, _, _>(Probe::none(), async { 7 }).await;
    }
    assert!(is_in_memory(&cache, &line).await);
    let bumps = cache.stats().epoch_bumps;
    line.tell(News::Gap);
    assert!(!is_in_memory(&cache, &line).await);
    assert!(matches!(alone(), Ok(7)), "what no other process can invalidate stays");
    assert_eq!(cache.stats().epoch_bumps, bumps + 1);
    sleep(Duration::from_millis(1)).await;
    assert!(get(&cache).await.is_some());
    // What was asked for before the session was back is kept for the bound.
    sleep(BOUND * 2).await;
    assert!(get(&cache).await.is_some());
    sleep(BOUND * 2).await;
    assert!(is_in_memory(&cache, &line).await, "the session is back");
}

#[tokio::test(start_paused = true)]
async fn what_was_invalidated_while_nothing_was_heard_is_given_up_with_the_gap() {
    for what in EVERY_WAY {
        let store = MemoryStore::new();
        let ((here, line), (there, _)) = (warm(&store).await, process(&store).await);
        sleep(BOUND).await;
        line.hold_news();
        invalidate(&there, what).await;
        line.lose_news();
        // The session is back at once, and vouches for nothing from before the gap.
        sleep(Duration::from_millis(1)).await;
        assert_eq!(here.health().await.session, Some(true));
        assert_ne!(get(&here).await, Some(1), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_that_another_processs_tag_invalidation_overtook_is_not_kept() {
    // FILL compares the key's nonce alone, so what was heard of a tag since the claim must not be forgotten before it.
    let store = MemoryStore::new();
    let ((here, line), (there, _)) = (warm(&store).await, process(&store).await);
    here.invalidate("k").await.unwrap();
    let load = || async {
        there.invalidate_tags(["t"]).await.unwrap();
        ok(1).await
    };
    assert_eq!(here.get_or_set("k", load).tags(["t"]).await, Ok(1));
    assert!(!is_in_memory(&here, &line).await);
    assert_eq!(get(&here).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_load_is_kept_though_the_making_of_its_own_dependency_is_heard() {
    let (cache, line) = warm(&MemoryStore::new()).await;
    cache.invalidate("k").await.unwrap();
    assert_eq!(cache.get_or_set("k", || ok(3)).tags(["t"]).await, Ok(3));
    assert!(is_in_memory(&cache, &line).await);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_shared_tier_is_not_kept_when_its_invalidation_was_heard_before_it_came() {
    let store = MemoryStore::new();
    let ((writer, _), (here, line), (there, _)) =
        (warm(&store).await, process(&store).await, process(&store).await);
    assert_eq!(get(&writer).await, Some(1));
    here.get_or_set("other", || ok(0)).await.unwrap();
    // Tags are asked about when the value has told them.
    let asked = [Operation::Read, Operation::TagNonces, Operation::Read];
    for (what, last) in ["key", "tag", "pattern"].into_iter().zip(asked) {
        writer.get_or_set("k", || ok(1)).tags(["t"]).await.unwrap();
        let gate = line.hold_reply(last);
        let late = tokio::spawn({
            let here = here.clone();
            async move { here.get::<u64>("k").await }
        });
        gate.arrived(1).await;
        invalidate(&there, what).await;
        gate.open();
        assert_eq!(late.await.unwrap().unwrap(), Some(1), "{what}: it asked before");
        sleep(Duration::from_millis(1)).await;
        assert_eq!(get(&here).await, None, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn invalidations_are_repeated_when_the_shared_tier_went_back() {
    let store = MemoryStore::new();
    let ((here, line), (there, other)) = (warm(&store).await, process(&store).await);
    there.get_or_set("other", || ok(0)).await.unwrap();
    invalidate(&there, "key").await;
    sleep(Duration::from_millis(1)).await;
    // What a promoted replica has, which had not heard of the invalidation: the old value under its old nonce.
    assert_eq!(here.get_or_set("k", || ok(1)).tags(["t"]).await, Ok(1));
    let before = other.inner().calls().of(Operation::Invalidate);
    other.tell(News::Rewound);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(other.inner().calls().of(Operation::Invalidate), before + 1);
    assert_eq!(get(&here).await, None);
    assert_eq!(line.inner().calls().of(Operation::Invalidate), 0, "by the one that made it");
    // Once is enough, and what is long ago is not repeated.
    sleep(Duration::from_secs(61)).await;
    other.tell(News::Rewound);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(other.inner().calls().of(Operation::Invalidate), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_never_reads_repeats_its_invalidations_as_well() {
    for what in ["key", "tag", "pattern"] {
        let store = MemoryStore::new();
        let ((here, _), (there, _)) = (warm(&store).await, process(&store).await);
        let snapshot = store.snapshot();
        invalidate(&there, what).await;
        store.restore(&snapshot);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(get(&here).await, None, "{what}");
    }
}

// Guard: `owed` in `Engine::unconfirmed`.
#[tokio::test(start_paused = true)]
async fn what_this_process_invalidated_is_not_read_from_a_tier_that_went_back_however_late_it_is_repeated()
 {
    for what in ["key", "tag", "pattern"] {
        let store = MemoryStore::new();
        let (here, line) = warm(&store).await;
        let snapshot = store.snapshot();
        invalidate(&here, what).await;
        assert_eq!(get(&here).await, None, "{what}");
        // What repeats invalidations waits for an answer.
        let busy = line.hold(Operation::Heartbeat);
        busy.arrived(1).await;
        let before = line.inner().calls().of(Operation::Invalidate);
        store.restore(&snapshot);
        assert_eq!(get(&here).await, None, "{what}");
        assert_eq!(here.get_many::<u64, _>(["k"]).await.unwrap(), [None], "{what}");
        assert_eq!(line.inner().calls().of(Operation::Invalidate), before, "{what}");
        busy.open();
        sleep(Duration::from_secs(1)).await;
        let (there, _) = process(&store).await;
        assert_eq!(get(&there).await, None, "{what}: it is told again");
    }
}

// Guard: `has_gone_back` in `Call::doubts`.
#[tokio::test(start_paused = true)]
async fn a_read_that_began_before_the_tier_went_back_and_is_answered_after_it_is_not_believed() {
    let store = MemoryStore::new();
    let (here, line) = warm(&store).await;
    let snapshot = store.snapshot();
    invalidate(&here, "key").await;
    let (read, repeated) = (line.hold(Operation::Read), line.hold(Operation::Invalidate));
    let late = tokio::spawn({
        let here = here.clone();
        async move { get(&here).await }
    });
    read.arrived(1).await;
    store.restore(&snapshot);
    read.open();
    assert_eq!(late.await.unwrap(), None);
    repeated.arrived(1).await;
}

// Guard: `under_way` in `Recent::owed`.
#[tokio::test(start_paused = true)]
async fn an_invalidation_that_is_confirmed_while_the_tier_goes_back_is_repeated() {
    let store = MemoryStore::new();
    let (here, line) = warm(&store).await;
    let snapshot = store.snapshot();
    let answer = line.hold_reply(Operation::Invalidate);
    let telling = tokio::spawn({
        let here = here.clone();
        async move { here.invalidate("k").await }
    });
    answer.arrived(1).await;
    store.restore(&snapshot);
    sleep(Duration::from_millis(10)).await;
    answer.open();
    telling.await.unwrap().unwrap();
    sleep(Duration::from_secs(1)).await;
    let (there, _) = process(&store).await;
    assert_eq!(get(&there).await, None);
}

#[tokio::test(start_paused = true)]
async fn without_news_memory_serves_an_entry_for_the_bound_and_then_asks() {
    let store = MemoryStore::new();
    let (cache, line) = process(&store).await;
    line.inject(Fault::fail(ErrorKind::Unavailable).on(Operation::Heartbeat));
    cache.get_or_set("k", || ok(1)).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(get(&cache).await, Some(1));
    for _ in 0..3 {
        assert!(is_in_memory(&cache, &line).await);
        sleep(BOUND).await;
        assert!(!is_in_memory(&cache, &line).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_gone_leaves_nothing_behind() {
    let store = MemoryStore::new();
    let (cache, line) = warm(&store).await;
    drop(cache);
    sleep(BOUND * 2).await;
    let before = line.inner().calls().of(Operation::Heartbeat);
    sleep(BOUND * 10).await;
    assert_eq!(line.inner().calls().of(Operation::Heartbeat), before);
    assert!(Arc::strong_count(&line) == 1);
    assert!(line.health().await.reachable);
}

#[tokio::test(start_paused = true)]
async fn listeners_hear_what_other_processes_invalidate_and_whether_that_can_be_relied_on() {
    let store = MemoryStore::new();
    let ((here, line), (there, _)) = (warm(&store).await, process(&store).await);
    let mut events = here.events();
    invalidate(&there, "key").await;
    sleep(Duration::from_millis(1)).await;
    invalidate(&there, "pattern").await;
    sleep(Duration::from_millis(1)).await;
    invalidate(&here, "pattern").await;
    sleep(Duration::from_millis(1)).await;
    line.tell(News::Gap);
    sleep(Duration::from_millis(1)).await;
    line.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Heartbeat));
    sleep(BOUND * 2).await;
    let told = std::iter::from_fn(|| events.try_next()).map(|event| match event {
        Event::Invalidated { what, origin } => format!("{origin:?} {what:?}"),
        other => format!("{other:?}"),
    });
    let expected = [
        r#"Elsewhere Keys(["k"])"#,
        r#"Elsewhere Pattern("k*")"#,
        // What comes back of one's own is not told again.
        r#"Here Pattern("k*")"#,
        "SessionLost",
        "SessionLive",
        "SessionLost",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}
