//! What a cache tells of what happens in it: which events, from whom, in which order, and each once.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

use std::{future::IntoFuture, sync::Arc, time::Duration};

use larder::testing::{ChaosStore, Fault, MemoryStore, Operation};
use larder::{
    Cache, Clock, ErrorKind, Event, Events, Invalidation, cache_aside, cache_invalidate, memoize,
    write_through,
};
use tokio::{runtime::Handle, sync::Notify, time::sleep};

#[cache_aside(key = "user:{id}", tags = ["user"])]
async fn get_user(id: u64) -> Result<u64, &'static str> {
    Ok(id)
}

#[cache_aside(key = "users:{page}")]
async fn list_users(page: u32) -> u32 {
    page
}

#[memoize(key = "risk:{id}")]
fn risk(id: u64) -> u64 {
    id
}

#[write_through(
    entry = get_user(id),
    invalidates = [list_users(*), risk(id)],
    invalidate_keys = ["count", "sum:{id}"],
    invalidate_patterns = ["report:*"],
    invalidate_tags = ["report", "report:{id}"],
)]
async fn update_user(id: u64, body: Result<u64, &'static str>) -> Result<u64, &'static str> {
    body
}

#[write_through(entry = get_user(id), invalidate_tags = ["report"])]
async fn update_slowly(id: u64, slow: &Slow) -> Result<u64, &'static str> {
    slow.began.notify_one();
    slow.end.notified().await;
    Ok(id)
}

/// A body that says when it began, and ends when it is told to.
#[derive(Default)]
struct Slow {
    began: Notify,
    end: Notify,
}

#[write_through(entry = risk(id), invalidate_keys = ["sum"])]
fn update_risk(id: u64) -> u64 {
    id + 1
}

#[cache_invalidate(invalidates = [get_user(id)], invalidate_tags = ["user"])]
async fn delete_user(id: u64) {}

#[write_through(entry = get_user(value), invalidate_tags = ["user"])]
async fn create_user() -> Result<u64, &'static str> {
    Ok(7)
}

type Chaos = Arc<ChaosStore<MemoryStore>>;

/// A process that hears what others change.
async fn with_faults(store: &MemoryStore) -> (Cache, Chaos) {
    let chaos = Arc::new(ChaosStore::new(store.connect()));
    // What goes on in the background takes its turns on the thread of the test.
    let builder = Cache::builder().runtime(Handle::current()).clock(Clock::tokio());
    let cache = builder.shared(chaos.clone()).build().await.unwrap();
    while cache.health().await.session != Some(true) {
        assert_eq!(cache.get::<u8>("nothing").await.unwrap(), None);
        a_moment().await;
    }
    (cache, chaos)
}

/// Enough for what is under way in the background.
async fn a_moment() {
    sleep(Duration::from_millis(1)).await;
}

async fn on(store: &MemoryStore) -> Cache {
    with_faults(store).await.0
}

async fn both() -> [Cache; 2] {
    [Cache::memory(), on(&MemoryStore::new()).await]
}

/// What was told so far, in a form to compare. How long a replay waited and what an error said are left out.
fn told(events: &mut Events) -> Vec<String> {
    std::iter::from_fn(|| events.try_next()).map(|event| shown(&event)).collect()
}

fn shown(event: &Event) -> String {
    match event {
        Event::Invalidated { what, origin } => format!("{origin:?}: {}", named(what)),
        Event::Written { key, origin } => format!("{origin:?}: wrote {key}"),
        Event::Evicted { key } => format!("evicted {key}"),
        Event::Expired { key } => format!("expired {key}"),
        Event::SharedDown { error } => format!("down: {:?}", error.kind()),
        Event::SharedUp => "up".to_owned(),
        Event::Replayed { what, .. } => format!("replayed {}", named(what)),
        Event::ReplayDropped { what, instead } => {
            format!("dropped {} for {}", what.len(), named(instead))
        }
        other => format!("{other:?}"),
    }
}

fn named(what: &Invalidation) -> String {
    match what {
        Invalidation::Keys(keys) => format!("keys {}", keys.join(" ")),
        Invalidation::Tags(tags) => format!("tags {}", tags.join(" ")),
        Invalidation::AllOf(tags) => format!("all of {}", tags.join(" ")),
        Invalidation::Pattern(pattern) => format!("pattern {pattern}"),
        Invalidation::All => "all".to_owned(),
    }
}

/// What is told until everything that waited was replayed.
async fn until_replayed(events: &mut Events) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        all.push(shown(&events.next().await.unwrap()));
        if all.last().is_some_and(|last| last.starts_with("replayed")) {
            return all;
        }
    }
}

#[tokio::test]
async fn an_explicit_invalidation_is_told_once_before_its_result_and_comes_from_here() {
    for cache in both().await {
        let mut events = cache.events();
        larder::scoped(cache, async {
            larder::invalidate("k").await.unwrap();
            assert_eq!(told(&mut events), ["Here: keys k"]);
            larder::invalidate_keys(["k", "l"]).await.unwrap();
            assert_eq!(told(&mut events), ["Here: keys k l"]);
            larder::invalidate_tags(["t", "u"]).await.unwrap();
            assert_eq!(told(&mut events), ["Here: tags t u"]);
            larder::invalidate_pattern("p*").await.unwrap();
            assert_eq!(told(&mut events), ["Here: pattern p*"]);
            larder::clear().await.unwrap();
            assert_eq!(told(&mut events), ["Here: all"]);
            get_user_entry(1).invalidate().await.unwrap();
            assert_eq!(told(&mut events), ["Here: keys user:1"]);
            list_users_cache().clear().await.unwrap();
            assert_eq!(told(&mut events), ["Here: pattern users:{}"]);
            risk_entry(1).invalidate().unwrap();
            risk_cache().clear().unwrap();
            assert_eq!(told(&mut events), ["Here: keys risk:1", "Here: pattern risk:{}"]);
            assert_eq!(larder::current().unwrap().stats().invalidations, 9);
        })
        .await;
    }
}

#[tokio::test]
async fn reads_and_loads_are_not_told() {
    for cache in both().await {
        let mut events = cache.events();
        larder::scoped(cache.clone(), async {
            for _ in 0..2 {
                get_user(1).await.unwrap();
                risk(1);
                get_user_entry(1).get().await.unwrap();
                get_user_entry(1).tag(["vip"]).await.unwrap();
                cache.get_or_set("k", || async { Ok::<_, larder::Error>(1_u8) }).await.unwrap();
            }
        })
        .await;
        assert!(told(&mut events).is_empty());
    }
}

#[tokio::test]
async fn a_writer_tells_its_entry_once_and_what_else_it_invalidates_once() {
    for cache in both().await {
        let mut events = cache.events();
        larder::scoped(cache.clone(), async {
            update_user(1, Ok(2)).await.unwrap();
            let mut all = told(&mut events);
            assert_eq!(all.remove(0), "Writer: wrote user:1", "the entry comes first");
            all.sort_unstable();
            let mut expected = vec![
                "Writer: pattern report:*",
                "Writer: pattern users:{}",
                "Writer: tags report report:1",
            ];
            if cache.health().await.shared.is_some() {
                // In memory alone, and in both.
                expected.extend(["Writer: keys count sum:1", "Writer: keys risk:1"]);
            } else {
                expected.push("Writer: keys risk:1 count sum:1");
            }
            expected.sort_unstable();
            assert_eq!(all, expected);
            assert_eq!(get_user(1).await, Ok(2), "a hit");
        })
        .await;
    }
}

#[tokio::test]
async fn a_writer_whose_body_fails_tells_that_its_entry_is_gone_and_nothing_else() {
    for cache in both().await {
        let mut events = cache.events();
        larder::scoped(cache, async { update_user(1, Err("no")).await.unwrap_err() }).await;
        assert_eq!(told(&mut events), ["Writer: keys user:1"]);
    }
}

#[tokio::test]
async fn a_writer_that_is_dropped_tells_everything_as_invalidated_once() {
    for cache in both().await {
        let mut events = cache.events();
        larder::scoped(cache.clone(), async {
            let slow = Slow::default();
            tokio::select! {
                _ = update_slowly(1, &slow) => unreachable!("it never ends"),
                () = slow.began.notified() => {}
            }
        })
        .await;
        let mut expected = vec!["Writer: keys user:1", "Writer: tags report"];
        let mut all = if cache.health().await.shared.is_some() {
            expected.push("replayed tags report");
            until_replayed(&mut events).await
        } else {
            told(&mut events)
        };
        all[..2].sort_unstable();
        assert_eq!(all, expected);
        assert!(told(&mut events).is_empty());
    }
}

#[tokio::test]
async fn writers_of_other_kinds_tell_the_same() {
    for cache in both().await {
        let mut events = cache.events();
        larder::scoped(cache, async {
            assert_eq!(update_risk(1), 2);
            assert_eq!(told(&mut events), ["Writer: wrote risk:1", "Writer: keys sum"]);
            delete_user(1).await;
            assert_eq!(told(&mut events), ["Writer: keys user:1", "Writer: tags user"]);
            create_user().await.unwrap();
            assert_eq!(told(&mut events), ["Writer: wrote user:7", "Writer: tags user"]);
        })
        .await;
    }
}

#[tokio::test]
async fn a_value_set_by_hand_is_told_as_written_here() {
    for cache in both().await {
        let mut events = cache.events();
        larder::scoped(cache, async {
            larder::current().unwrap().set("k", &1_u8).await.unwrap();
            get_user_entry(1).set(2).await.unwrap();
            risk_entry(1).set(2).unwrap();
        })
        .await;
        let expected = ["Here: wrote k", "Here: wrote user:1", "Here: wrote risk:1"];
        assert_eq!(told(&mut events), expected);
    }
}

#[tokio::test]
async fn a_writer_that_another_one_overtakes_tells_that_its_entry_is_gone() {
    for cache in both().await {
        let mut events = cache.events();
        larder::scoped(cache.clone(), async {
            let slow = Slow::default();
            let (first, ()) = tokio::join!(update_slowly(1, &slow), async {
                slow.began.notified().await;
                larder::invalidate("user:1").await.unwrap();
                assert_eq!(told(&mut events), ["Here: keys user:1"]);
                slow.end.notify_one();
            });
            assert_eq!(first, Ok(1));
        })
        .await;
        assert_eq!(told(&mut events), ["Writer: keys user:1", "Writer: tags report"]);
    }
}

#[tokio::test]
async fn an_outage_is_told_once_and_what_it_delays_is_told_again_only_as_replayed() {
    let (cache, chaos) = with_faults(&MemoryStore::new()).await;
    let mut events = cache.events();
    chaos.down(ErrorKind::Timeout);
    cache.invalidate("k").await.unwrap_err();
    assert_eq!(told(&mut events), ["down: Timeout", "Here: keys k"]);
    cache.invalidate("k").await.unwrap_err();
    assert_eq!(told(&mut events), ["Here: keys k"], "another one of the same");
    chaos.up();
    assert_eq!(until_replayed(&mut events).await, ["up", "replayed keys k"]);
    cache.health().await;
    assert!(told(&mut events).is_empty());
    assert_eq!(cache.stats().invalidations, 2, "they were asked for twice");
}

#[tokio::test]
async fn a_write_that_the_shared_tier_does_not_confirm_is_told_as_invalidated_and_replayed() {
    for step in [Operation::Begin, Operation::Finish] {
        let store = MemoryStore::new();
        let (cache, chaos) = with_faults(&store).await;
        let mut events = cache.events();
        chaos.inject(Fault::lose_reply(ErrorKind::Timeout).on(step).times(1));
        cache.set("k", &1_u8).await.unwrap_err();
        let all = until_replayed(&mut events).await;
        assert_eq!(
            without_up(all),
            ["down: Timeout", "Here: keys k", "replayed keys k"],
            "{step:?}"
        );

        chaos.inject(Fault::lose_reply(ErrorKind::Timeout).on(step).times(1));
        larder::scoped(cache.clone(), update_shared(1)).await;
        let all = until_replayed(&mut events).await;
        let expected = ["down: Timeout", "Writer: keys shared:1", "replayed keys shared:1"];
        assert_eq!(without_up(all), expected, "{step:?}");
    }
}

/// The same without the end of the outage, which is told when it comes.
fn without_up(mut all: Vec<String>) -> Vec<String> {
    let up = all.iter().position(|event| event == "up").unwrap();
    all.remove(up);
    all
}

#[cache_aside(key = "shared:{id}")]
async fn shared(id: u64) -> u64 {
    id
}

#[write_through(entry = shared(id))]
async fn update_shared(id: u64) -> u64 {
    id
}

#[tokio::test]
async fn a_set_that_others_overtake_every_time_is_told_once() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let other = on(&store).await;
    let mut events = cache.events();
    let mut gate = chaos.hold_reply(Operation::Begin);
    let set = tokio::spawn({
        let cache = cache.clone();
        async move { cache.set("k", &1_u8).await }
    });
    while !set.is_finished() {
        tokio::select! {
            () = gate.arrived(1) => {
                other.invalidate("k").await.unwrap();
                // In place before the held one goes on.
                let next = chaos.hold_reply(Operation::Begin);
                gate.open();
                gate = next;
            }
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(set.await.unwrap().unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(told(&mut events), ["Here: keys k"]);
}

#[tokio::test]
async fn a_set_that_is_dropped_is_told_as_invalidated_once() {
    let (cache, chaos) = with_faults(&MemoryStore::new()).await;
    let mut events = cache.events();
    let gate = chaos.hold(Operation::Finish);
    let set = tokio::spawn({
        let cache = cache.clone();
        async move { cache.set("k", &1_u8).await }
    });
    gate.arrived(1).await;
    set.abort();
    assert!(set.await.unwrap_err().is_cancelled());
    gate.open();
    while chaos.inner().calls().of(Operation::Finish) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(told(&mut events), ["Here: keys k"]);
}

#[tokio::test]
async fn an_invalidation_that_is_dropped_is_told_once_and_replayed_once() {
    let (cache, chaos) = with_faults(&MemoryStore::new()).await;
    let mut events = cache.events();
    let gate = chaos.hold(Operation::Invalidate);
    let pending = tokio::spawn(cache.invalidate_tags(["t"]).into_future());
    gate.arrived(1).await;
    pending.abort();
    assert!(pending.await.unwrap_err().is_cancelled());
    assert_eq!(told(&mut events), ["Here: tags t"]);
    gate.open();
    assert_eq!(until_replayed(&mut events).await, ["replayed tags t"]);
    assert!(told(&mut events).is_empty());
}

#[tokio::test]
async fn when_too_many_wait_it_is_told_what_is_given_up_and_what_stands_for_it() {
    const MOST: usize = 1024;
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let other = on(&store).await;
    other.set("bystander", &1_u8).await.unwrap();
    assert_eq!(cache.get::<u8>("bystander").await.unwrap(), Some(1));
    // The first one is under way, and so it is none of those that wait.
    let gate = chaos.hold(Operation::Invalidate);
    let stuck = tokio::spawn(cache.invalidate("first").into_future());
    gate.arrived(1).await;
    stuck.abort();
    stuck.await.unwrap_err();
    gate.arrived(2).await;

    let mut events = cache.events();
    for number in 0..MOST {
        drop_after_first_poll(&cache, &number.to_string());
        assert_eq!(told(&mut events), [format!("Here: keys {number}")]);
    }
    assert_eq!(cache.health().await.waiting_invalidations, MOST + 1);
    drop_after_first_poll(&cache, "last");
    assert_eq!(told(&mut events), ["dropped 1024 for all", "Replay: all", "Here: keys last"]);
    assert_eq!(cache.get::<u8>("bystander").await.unwrap(), None, "gone here as well");
    assert_eq!(cache.stats().replay_dropped, MOST as u64);
    assert_eq!(cache.health().await.waiting_invalidations, 2, "the first one and the one for all");

    gate.open();
    assert_eq!(until_replayed(&mut events).await, ["replayed keys first"]);
    assert_eq!(until_replayed(&mut events).await, ["replayed all"]);
    assert_eq!(on(&store).await.get::<u8>("bystander").await.unwrap(), None);
}

/// Asks for an invalidation and goes away while the shared tier is told.
fn drop_after_first_poll(cache: &Cache, key: &str) {
    let mut asked = cache.invalidate(key).into_future();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(asked.as_mut().poll(&mut context).is_pending());
}

/// An entry in the memory of a process that was proven valid by the shared tier.
async fn warm(cache: &Cache, key: &str) {
    // The first load makes what it depends on, which is heard like its end.
    for _ in 0..2 {
        cache
            .get_or_set(key, || async { Ok::<_, larder::Error>(1_u64) })
            .tags(["t"])
            .await
            .unwrap();
        a_moment().await;
    }
    let before = cache.stats().hits_memory;
    assert_eq!(cache.get::<u64>(key).await.unwrap(), Some(1));
    assert_eq!(cache.stats().hits_memory, before + 1);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_changes_is_told_once_and_comes_from_elsewhere() {
    let store = MemoryStore::new();
    let (cache, other) = (on(&store).await, on(&store).await);
    let mut events = cache.events();
    for key in ["a", "b"] {
        warm(&cache, key).await;
    }
    assert!(told(&mut events).is_empty());
    other.invalidate_keys(["a", "not here", "b"]).await.unwrap();
    a_moment().await;
    assert_eq!(told(&mut events), ["Elsewhere: keys a", "Elsewhere: keys b"]);
    warm(&cache, "a").await;
    other.set("a", &2_u64).await.unwrap();
    a_moment().await;
    assert_eq!(told(&mut events), ["Elsewhere: keys a"]);
    other.invalidate_pattern("p*").await.unwrap();
    other.invalidate_pattern("q*").await.unwrap();
    a_moment().await;
    assert_eq!(told(&mut events), ["Elsewhere: pattern p*", "Elsewhere: pattern q*"]);
    other.clear().await.unwrap();
    a_moment().await;
    assert_eq!(told(&mut events), ["Elsewhere: all"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_process_changes_itself_is_not_told_again_when_it_hears_of_it() {
    for late in [false, true] {
        let store = MemoryStore::new();
        let ((cache, chaos), other) = (with_faults(&store).await, on(&store).await);
        let mut events = cache.events();
        for (number, expected) in [
            "Here: keys user:1",
            "Here: keys other user:1",
            "Here: wrote user:1",
            "Writer: wrote user:1",
            "Writer: keys user:1",
            "Here: pattern user:*",
            "Here: all",
        ]
        .into_iter()
        .enumerate()
        {
            warm(&cache, "user:1").await;
            assert!(told(&mut events).is_empty(), "{expected}");
            if late {
                chaos.hold_news();
            }
            larder::scoped(cache.clone(), async {
                match number {
                    0 => larder::invalidate("user:1").await.unwrap(),
                    1 => larder::invalidate_keys(["other", "user:1"]).await.unwrap(),
                    2 => get_user_entry(1).set(1).await.unwrap(),
                    3 => drop(write_user(1, Ok(1)).await),
                    4 => drop(write_user(1, Err("no")).await),
                    5 => larder::invalidate_pattern("user:*").await.unwrap(),
                    _ => larder::clear().await.unwrap(),
                }
            })
            .await;
            assert_eq!(told(&mut events), [expected]);
            a_moment().await;
            if late {
                // By then the entry is there again.
                let load = || async { Ok::<_, larder::Error>(1_u64) };
                cache.get_or_set("user:1", load).await.unwrap();
                chaos.release_news();
            }
            a_moment().await;
            assert!(told(&mut events).is_empty(), "{expected}: not from elsewhere as well");

            // A while later it would be somebody else.
            sleep(cache.coherence_bound() * 2).await;
            warm(&cache, "user:1").await;
            other.invalidate("user:1").await.unwrap();
            other.invalidate_pattern("user:*").await.unwrap();
            a_moment().await;
            other.clear().await.unwrap();
            a_moment().await;
            let expected =
                ["Elsewhere: keys user:1", "Elsewhere: pattern user:*", "Elsewhere: all"];
            assert_eq!(told(&mut events), expected);
        }
    }
}

#[write_through(entry = get_user(id))]
async fn write_user(id: u64, body: Result<u64, &'static str>) -> Result<u64, &'static str> {
    let _ = id;
    body
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_whose_reply_is_lost_is_not_told_again_when_it_is_heard() {
    let (cache, chaos) = with_faults(&MemoryStore::new()).await;
    warm(&cache, "k").await;
    let mut events = cache.events();
    chaos.inject(Fault::lose_reply(ErrorKind::Timeout).on(Operation::Invalidate).times(1));
    chaos.hold_news();
    cache.invalidate("k").await.unwrap_err();
    let repeats = chaos.hold(Operation::Invalidate);
    cache.get_or_set("k", || async { Ok::<_, larder::Error>(1_u64) }).await.unwrap();
    chaos.release_news();
    repeats.arrived(1).await;
    repeats.open();
    let all = until_replayed(&mut events).await;
    assert_eq!(without_up(all), ["down: Timeout", "Here: keys k", "replayed keys k"]);
    a_moment().await;
    assert!(told(&mut events).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_lost_and_found_is_told() {
    let (cache, chaos) = with_faults(&MemoryStore::new()).await;
    let mut events = cache.events();
    chaos.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Heartbeat));
    sleep(cache.coherence_bound() * 2).await;
    assert_eq!(told(&mut events), ["SessionLost"]);
    chaos.calm();
    sleep(cache.coherence_bound()).await;
    assert_eq!(told(&mut events), ["SessionLive"]);
}

#[tokio::test]
async fn an_eviction_names_the_entry_that_made_room() {
    let cache = Cache::builder().max_entries(1).build().await.unwrap();
    let mut events = cache.events();
    for key in ["a", "b"] {
        cache.set(key, &1_u8).await.unwrap();
    }
    assert_eq!(cache.stats().entries, 1);
    let all = told(&mut events);
    assert_eq!(all[..2], ["Here: wrote a", "Here: wrote b"]);
    let there = cache.get::<u8>("a").await.unwrap().is_some();
    assert_eq!(all[2..], [if there { "evicted b" } else { "evicted a" }]);
}

#[tokio::test]
async fn an_entry_expires_once_however_often_it_is_asked_for() {
    let (clock, hand) = Clock::manual();
    let cache = Cache::builder().clock(clock).build().await.unwrap();
    let mut events = cache.events();
    cache.set("k", &1_u8).ttl("1m").await.unwrap();
    hand.advance(Duration::from_secs(61));
    for _ in 0..2 {
        assert_eq!(cache.get::<u8>("k").await.unwrap(), None);
        assert_eq!(cache.stats().entries, 0);
    }
    assert_eq!(told(&mut events), ["Here: wrote k", "expired k"]);
}

#[tokio::test]
async fn what_is_invalidated_or_replaced_is_neither_evicted_nor_expired() {
    let cache = Cache::memory();
    let mut events = cache.events();
    cache.set("k", &1_u8).await.unwrap();
    cache.set("k", &2_u8).await.unwrap();
    cache.invalidate("k").await.unwrap();
    cache.set("k", &3_u8).await.unwrap();
    cache.clear().await.unwrap();
    assert_eq!(cache.stats().entries, 0);
    let expected = ["Here: wrote k", "Here: wrote k", "Here: keys k", "Here: wrote k", "Here: all"];
    assert_eq!(told(&mut events), expected);
}

#[tokio::test]
async fn the_events_of_one_cache_are_not_those_of_another() {
    let (one, other) = (Cache::memory(), Cache::memory());
    let mut events = other.events();
    one.invalidate("k").await.unwrap();
    assert!(told(&mut events).is_empty());
    drop(other);
    assert!(events.next().await.is_none(), "the cache is gone");
}

#[tokio::test]
async fn a_shared_tier_that_answers_a_writer_is_told_as_up() {
    let (cache, chaos) = with_faults(&MemoryStore::new()).await;
    let mut events = cache.events();
    chaos.down(ErrorKind::Unavailable);
    assert!(cache.get::<u8>("k").await.is_err());
    chaos.up();
    let slow = Slow::default();
    larder::scoped(cache, async {
        let (_, ()) = tokio::join!(update_slowly(1, &slow), async {
            slow.began.notified().await;
            assert_eq!(told(&mut events), ["down: Unavailable", "up"], "when it begins");
            chaos.down(ErrorKind::Timeout);
            assert!(larder::current().unwrap().get::<u8>("k").await.is_err());
            chaos.up();
            let gate = chaos.hold(Operation::Invalidate);
            slow.end.notify_one();
            gate.arrived(1).await;
            let expected = ["down: Timeout", "up", "Writer: wrote user:1"];
            assert_eq!(told(&mut events), expected, "when it ends");
        });
    })
    .await;
    assert_eq!(told(&mut events), ["Writer: tags report"]);
}
