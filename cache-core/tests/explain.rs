//! What `explain` says is what the next call does, and saying it changes nothing.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use larder::{
    Bypass, Cache, Clock, ErrorKind, Explanation, InMemory, InShared, ManualClock, Next, Stats,
    testing::{ChaosStore, MemoryStore, Operation},
};
use tokio::{runtime::Handle, sync::Notify, task::yield_now, time};

// Functions that do not always accept each other's entries under one key.

#[larder::cache_aside(key = "n:{n}", ttl = "1m", tags = ["all", "one:{n}"])]
async fn both(n: u64) -> u64 {
    n
}

#[larder::cache_aside(key = "n:{n}", ttl = "1m", tags = ["all", "one:{n}"], layer = "memory")]
async fn here(n: u64) -> u64 {
    n
}

#[larder::cache_aside(key = "n:{n}", ttl = "1m", tags = ["all", "one:{n}"], layer = "shared")]
async fn there(n: u64) -> u64 {
    n
}

#[larder::cache_aside(
    key = "n:{n}",
    ttl = "30s",
    tags = ["all", "one:{n}"],
    refresh_ahead = 0.5,
    stale(while_revalidate = "15s", on_error = "1m")
)]
async fn stale(n: u64) -> Result<u64, String> {
    Ok(n)
}

#[larder::cache_aside(key = "n:{n}", ttl = "1m", negative_ttl = "30s", tags = ["all", "one:{n}"])]
async fn maybe(n: u64) -> Option<u64> {
    (n == 0).then_some(n)
}

#[larder::cache_aside(key = "n:{n}", ttl = "1m", tags = ["other"])]
async fn text(n: u64) -> String {
    n.to_string()
}

/// One cache, and perhaps that of another process.
struct World {
    random: fastrand::Rng,
    cache: Cache,
    other: Option<Cache>,
    hand: ManualClock,
    seen: BTreeSet<String>,
}

impl World {
    async fn new(seed: u64, shared: bool) -> Self {
        let (clock, hand) = Clock::manual();
        let store = MemoryStore::new();
        let built = async || {
            let builder = Cache::builder().clock(clock.clone()).runtime(Handle::current());
            let builder = match shared {
                true => builder.shared(Arc::new(store.connect())),
                false => builder,
            };
            builder.build().await.unwrap()
        };
        let cache = built().await;
        let other = if shared { Some(built().await) } else { None };
        let random = fastrand::Rng::with_seed(seed);
        Self { random, cache, other, hand, seen: BTreeSet::new() }
    }

    async fn step(&mut self) {
        let n = self.random.u64(0..3);
        let by = match &self.other {
            Some(other) if self.random.bool() => other.clone(),
            _ => self.cache.clone(),
        };
        match self.random.u32(0..24) {
            0..=7 => self.predict(n).await,
            8 => larder::bypass(self.predict(n)).await,
            9 => {
                let cache = self.cache.clone();
                let inside = cache.in_transaction(async |_| {
                    self.predict(n).await;
                    Ok::<_, String>(())
                });
                inside.await.unwrap();
            }
            10 => drop(by.set(&format!("n:{n}"), &n).ttl("30s").tags(["all"]).await),
            11 => drop(by.tag(&format!("n:{n}"), ["late"]).await),
            12..=14 => {
                let function = self.random.u32(0..6);
                larder::scoped(by, call(function, n)).await;
            }
            15 => by.invalidate(&format!("n:{n}")).await.unwrap(),
            16 => by.invalidate_tags([["all", "late", "other"][n as usize]]).await.unwrap(),
            17 => by.invalidate_tags([format!("one:{n}")]).await.unwrap(),
            18 => by.invalidate_pattern(["n:*", "n:1", "x:*"][n as usize]).await.unwrap(),
            19 if n == 0 => by.clear().await.unwrap(),
            20 => self.cache.set_enabled(self.random.u32(0..3) > 0),
            _ => {
                let by = Duration::from_secs([1, 3, 15, 35][self.random.usize(0..4)]);
                self.hand.advance(by);
                time::advance(by).await;
            }
        }
    }

    /// One call of any function, or a `get`, compared with what was said about it.
    async fn predict(&mut self, n: u64) {
        settle().await;
        let function = self.random.u32(0..7);
        let cache = self.cache.clone();
        let why = larder::scoped(cache.clone(), async {
            let counted = || (cache.stats(), format!("{:?}", cache.function_stats()));
            let before = counted();
            let why = explain(&cache, function, n).await;
            settle().await;
            let again = explain(&cache, function, n).await;
            assert_eq!(counted(), before, "{why}");
            assert_eq!(why.to_string(), again.to_string(), "a look changes what is found");
            call(function, n).await;
            let mut counts = did(&before.0, &cache.stats());
            if function == 6 && why.is_hit() && counts == [0, 0, 1, 0] {
                // Of which type the entry is `explain` does not know.
                let before = cache.stats();
                let got = cache.get::<String>(&format!("n:{n}")).await.unwrap();
                assert_eq!(got, Some(n.to_string()));
                counts = did(&before, &cache.stats());
            }
            let said = match why.next {
                Next::HitMemory => [1, 0, 0, 0],
                Next::HitShared => [0, 1, 0, 0],
                Next::Loads => [0, 0, 1, 0],
                // A `get` that does not look is not counted.
                Next::Bypasses => [0, 0, 0, u64::from(function != 6)],
                next => panic!("nothing else happens here: {next:?}"),
            };
            // The tiers may hold different types.
            let other_type = function == 6 && counts == [0, 1, 0, 0] && why.is_hit();
            assert!(counts == said || other_type, "function {function}: {counts:?}\n{why}");
            assert_eq!(why.is_hit(), counts[0] + counts[1] == 1);
            why
        })
        .await;
        self.seen.insert(format!("{:?}", why.next));
        let words = |it: String| it.split(['(', ' ']).next().unwrap_or_default().to_owned();
        self.seen.insert(format!("memory {}", words(format!("{:?}", why.memory))));
        self.seen.insert(format!("shared {}", words(format!("{:?}", why.shared))));
        if let InMemory::Stale { served, .. } = why.memory {
            self.seen.insert(format!("memory served {served}"));
        }
        if let InShared::Stale { served, .. } = why.shared {
            self.seen.insert(format!("shared served {served}"));
        }
        self.seen.extend(why.bypassed.map(|it| format!("{it:?}")));
    }
}

/// Hits in memory, hits in the shared tier, misses, and calls that did not ask.
fn did(before: &Stats, after: &Stats) -> [u64; 4] {
    [
        after.hits_memory - before.hits_memory,
        after.hits_shared - before.hits_shared,
        after.misses - before.misses,
        after.bypassed - before.bypassed,
    ]
}

async fn explain(cache: &Cache, function: u32, n: u64) -> Explanation {
    let why = match function {
        0 => larder::explain(both_entry(n)).await,
        1 => larder::explain(here_entry(n)).await,
        2 => larder::explain(there_entry(n)).await,
        3 => stale_entry(n).explain().await,
        4 => maybe_entry(n).explain().await,
        5 => text_entry(n).explain().await,
        _ => cache.explain(&format!("n:{n}")).await,
    };
    why.unwrap()
}

async fn call(function: u32, n: u64) {
    match function {
        0 => assert_eq!(both(n).await, n),
        1 => assert_eq!(here(n).await, n),
        2 => assert_eq!(there(n).await, n),
        3 => assert_eq!(stale(n).await, Ok(n)),
        4 => assert!(maybe(n).await.is_none_or(|it| it == n)),
        5 => assert_eq!(text(n).await, n.to_string()),
        _ => {
            let cache = larder::current().unwrap();
            let got = cache.get::<u64>(&format!("n:{n}")).await.unwrap();
            assert!(got.is_none_or(|it| it == n));
        }
    }
}

/// What goes on in the background comes to rest: time stands still.
async fn settle() {
    for _ in 0..40 {
        yield_now().await;
    }
}

async fn histories(shared: bool) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let mut world = World::new(seed, shared).await;
        for _ in 0..60 {
            world.step().await;
        }
        seen.append(&mut world.seen);
        world.cache.shutdown().await.unwrap();
    }
    seen
}

fn assert_seen(seen: &BTreeSet<String>, all: &[&str]) {
    let missing: Vec<&&str> = all.iter().filter(|one| !seen.contains(**one)).collect();
    assert!(missing.is_empty(), "{missing:?} did not come up in {seen:?}");
}

#[tokio::test(start_paused = true)]
async fn in_memory_each_call_does_what_was_said() {
    let seen = histories(false).await;
    assert_seen(&seen, &["HitMemory", "Loads", "Bypasses", "Off", "Scope", "Transaction"]);
    assert_seen(&seen, &["memory served true", "memory served false"]);
    let memory = ["Absent", "Fresh", "Due", "Stale", "Expired", "Invalidated", "Foreign"];
    assert_seen(&seen, &memory.map(|it| format!("memory {it}")).each_ref().map(String::as_str));
}

#[tokio::test(start_paused = true)]
async fn behind_a_shared_tier_each_call_does_what_was_said() {
    let seen = histories(true).await;
    assert_seen(&seen, &["HitMemory", "HitShared", "Loads", "Bypasses"]);
    assert_seen(&seen, &["memory Unused", "memory InvalidatedElsewhere", "memory Foreign"]);
    assert_seen(&seen, &["shared served true", "shared served false"]);
    let shared =
        ["Absent", "Valid", "Stale", "TagInvalidated", "PatternInvalidated", "Refused", "Unused"];
    assert_seen(&seen, &shared.map(|it| format!("shared {it}")).each_ref().map(String::as_str));
}

#[tokio::test]
async fn a_look_asks_for_no_lease_and_says_that_the_tier_is_away() {
    #[larder::stampede_protect(key = "leased", ttl = "1m", lock_ttl = "10s")]
    async fn leased() -> u8 {
        1
    }
    let store = MemoryStore::new();
    let chaos = Arc::new(ChaosStore::new(store.clone()));
    let cache = Cache::builder().shared(chaos.clone()).build().await.unwrap();
    larder::scoped(cache.clone(), async {
        let asked = || {
            let calls = store.calls();
            [Operation::Claim, Operation::Fill].map(|it| calls.of(it))
        };
        let before = asked();
        assert_eq!(leased_entry().explain().await.unwrap().next, Next::Loads);
        assert_eq!(asked(), before);
        chaos.down(ErrorKind::Unavailable);
        let before = cache.stats();
        let why = larder::explain(leased_entry()).await.unwrap();
        assert!(matches!(why.shared, InShared::Away(_)) && why.next == Next::Loads, "{why}");
        assert_eq!(cache.stats().shared_errors, before.shared_errors);
    })
    .await;
}

#[tokio::test]
async fn a_look_does_not_count_for_whether_an_entry_stays() {
    let cache = Cache::builder().max_entries(8).front(false).build().await.unwrap();
    for _ in 0..5 {
        for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            cache.get_or_set(key, async || Ok::<_, String>(0_u8)).await.unwrap();
        }
        assert_eq!(cache.stats().entries, 8);
    }
    for _ in 0..20 {
        assert!(!cache.explain("looked at").await.unwrap().is_hit());
    }
    cache.get_or_set("looked at", async || Ok::<_, String>(0_u8)).await.unwrap();
    assert_eq!(cache.stats().entries, 8);
    assert!(!cache.explain("looked at").await.unwrap().is_hit(), "the others are asked for");
}

static BEGUN: Notify = Notify::const_new();
static GO_ON: Notify = Notify::const_new();

#[larder::cache_aside(key = "slow:{n}", tags = ["slow"])]
async fn slow(n: u32) -> u32 {
    BEGUN.notify_one();
    GO_ON.notified().await;
    n
}

#[tokio::test]
async fn a_load_that_is_under_way_is_seen_and_one_that_is_too_old_is_not_waited_for() {
    let cache = Cache::memory();
    let load = tokio::spawn(larder::scoped(cache.clone(), slow(1)));
    BEGUN.notified().await;
    let look = || larder::scoped(cache.clone(), async { slow_entry(1).explain().await.unwrap() });
    let why = look().await;
    assert!(why.loading && why.next == Next::Waits, "{why}");
    cache.invalidate_tags(["slow"]).await.unwrap();
    let why = look().await;
    assert!(!why.loading && why.next == Next::Loads, "{why}");
    GO_ON.notify_one();
    load.await.unwrap();
    let again = tokio::spawn(larder::scoped(cache.clone(), slow(1)));
    GO_ON.notify_one();
    again.await.unwrap();
    assert_eq!(look().await.next, Next::HitMemory);
}

#[larder::cache_aside(key = "sync:{n}", ttl = "1m")]
fn of_sync(n: u32) -> u32 {
    n
}

#[tokio::test]
async fn a_sync_functions_entry_knows_the_callers_scope() {
    let store = MemoryStore::new();
    let shared = Cache::builder().shared(Arc::new(store.connect())).build().await.unwrap();
    for cache in [Cache::memory(), shared] {
        larder::scoped_sync(cache, || {
            of_sync(1);
            let why = of_sync_entry(1).explain().unwrap();
            assert!(matches!(why.memory, InMemory::Fresh(Some(_))) && why.bypassed.is_none());
            let why = larder::bypass_sync(|| of_sync_entry(1).explain().unwrap());
            assert_eq!((why.bypassed, why.next), (Some(Bypass::Scope), Next::Bypasses));
        });
    }
}
