//! Rate limits: within the process by a clock that is moved by hand, and on a store that misbehaves, in virtual time.
#![allow(missing_docs, clippy::unwrap_used)]

mod away;
mod oracle;

use std::{sync::Arc, time::Duration};

use cache_core::{Cache, Check, Clock, ErrorKind, ManualClock, Store};
use cache_store::testing::{ChaosStore, MemoryStore};

const SECOND: Duration = Duration::from_secs(1);

type How = fn(Check) -> Check;

const STRATEGIES: [How; 3] =
    [Check::fixed_window, Check::sliding_window, |check| check.token_bucket(5)];

/// A cache without a shared tier, and the hand of its clock.
async fn alone() -> (Cache, ManualClock) {
    let (clock, hand) = Clock::manual();
    (Cache::builder().clock(clock).build().await.unwrap(), hand)
}

async fn on(store: Arc<dyn Store>) -> Cache {
    Cache::builder().shared(store).clock(Clock::tokio()).build().await.unwrap()
}

fn five(cache: &Cache) -> Check {
    cache.check("login:1.2.3.4").limit(5).per("5m")
}

#[tokio::test]
async fn the_log_is_what_is_used_where_no_strategy_is_named() {
    let (cache, hand) = alone().await;
    for _ in 0..5 {
        assert!(five(&cache).await.unwrap().allowed);
        hand.advance(50 * SECOND);
    }
    // In a fixed window there would be room again in 50 seconds for five, here for one.
    let refused = five(&cache).sliding_window().await.unwrap();
    assert_eq!((refused.allowed, refused.retry_after), (false, Some(50 * SECOND)));
    hand.advance(50 * SECOND);
    assert_eq!(five(&cache).await.unwrap().remaining, 0);
    assert!(!five(&cache).await.unwrap().allowed);
}

#[tokio::test]
async fn a_fixed_window_begins_with_the_first_call_and_starts_anew() {
    let (cache, hand) = alone().await;
    hand.advance(7 * SECOND);
    for left in (0..5).rev() {
        let verdict = five(&cache).fixed_window().await.unwrap();
        assert_eq!((verdict.allowed, verdict.remaining), (true, left));
    }
    hand.advance(299 * SECOND);
    let refused = five(&cache).fixed_window().await.unwrap();
    assert_eq!((refused.allowed, refused.retry_after), (false, Some(SECOND)));
    hand.advance(SECOND);
    let verdict = five(&cache).fixed_window().await.unwrap();
    assert_eq!((verdict.remaining, verdict.resets_after), (4, 300 * SECOND));
}

#[tokio::test]
async fn a_bucket_gives_its_burst_at_once_and_then_one_call_after_the_other() {
    let (cache, hand) = alone().await;
    let check = || cache.check("api").limit(60).per("1m").token_bucket(3);
    for left in (0..3).rev() {
        assert_eq!(check().await.unwrap().remaining, left);
    }
    for _ in 0..5 {
        assert_eq!(check().await.unwrap().retry_after, Some(SECOND));
        hand.advance(SECOND);
        assert!(check().await.unwrap().allowed);
    }
    hand.advance(60 * SECOND);
    assert_eq!(check().await.unwrap().remaining, 2, "it holds no more than its burst");
}

#[tokio::test]
async fn two_caches_without_a_shared_tier_count_apart() {
    let ((one, _), (other, _)) = (alone().await, alone().await);
    assert!(five(&one).cost(5).await.unwrap().allowed);
    assert!(five(&other).cost(5).await.unwrap().allowed);
    assert!(!five(&one.clone()).await.unwrap().allowed);
}

#[tokio::test]
async fn on_one_shared_tier_all_caches_count_together() {
    let store = MemoryStore::new();
    for strategy in STRATEGIES {
        let (one, other) =
            (on(Arc::new(store.connect())).await, on(Arc::new(store.connect())).await);
        for cache in [&one, &other, &one, &other, &one] {
            let verdict = strategy(five(cache)).await.unwrap();
            assert!(verdict.allowed && verdict.asked);
        }
        for cache in [&one, &other] {
            assert!(!strategy(five(cache)).await.unwrap().allowed);
            assert_eq!(cache.stats().limits_refused, 1);
            assert_eq!(cache.stats().limits_unasked, 0);
        }
    }
}

#[tokio::test]
async fn a_check_is_one_round_trip() {
    let store = Arc::new(MemoryStore::new());
    let cache = on(store.clone()).await;
    let before = store.calls();
    five(&cache).await.unwrap();
    assert_eq!((store.calls() - before).round_trips(), 1);
}

#[tokio::test]
async fn what_could_never_be_or_was_not_said_is_an_error_that_says_what_to_write() {
    let (cache, _) = alone().await;
    let check = || cache.check("a").limit(5).per("5m");
    for (check, kind, word) in [
        (cache.check(""), ErrorKind::Template, "cache.check(\"login:1.2.3.4\")"),
        (cache.check("a"), ErrorKind::Config, ".limit(5).per(\"5m\")"),
        (cache.check("a").limit(5), ErrorKind::Config, ".limit(5).per(\"5m\")"),
        (cache.check("a").per("5m"), ErrorKind::Config, ".limit(5).per(\"5m\")"),
        (check().per("soon"), ErrorKind::Template, "soon"),
        (check().per("forever"), ErrorKind::Template, ".per(\"5m\")"),
        (check().per(Duration::ZERO), ErrorKind::Template, ".per(\"5m\")"),
        (check().per("101d"), ErrorKind::Template, "100 days"),
        (check().per(Duration::from_micros(999)), ErrorKind::Template, "millisecond"),
        (check().limit(0), ErrorKind::Config, "limit of 0"),
        (check().limit(1_000_000_001), ErrorKind::Config, "billion"),
        (check().cost(0), ErrorKind::Config, "cost of 0"),
        (check().cost(6), ErrorKind::Config, "a cost of 6 and a limit of 5"),
        (check().fixed_window().cost(6), ErrorKind::Config, "a cost of 6 and a limit of 5"),
        (check().token_bucket(2).cost(3), ErrorKind::Config, "a cost of 3 and a burst of 2"),
        (check().token_bucket(0), ErrorKind::Config, "burst of 0"),
        (check().per("100d").token_bucket(6), ErrorKind::Config, "100 days"),
    ] {
        let shown = format!("{check:?}");
        let error = check.await.unwrap_err();
        assert_eq!(error.kind(), kind, "{shown}: {error}");
        assert!(error.to_string().starts_with("check: "), "{error}");
        assert!(error.to_string().contains(word), "{shown}: {error}");
    }
    // As much as the bucket holds may be more than the limit.
    assert!(check().token_bucket(50).cost(50).await.unwrap().allowed);
}

#[tokio::test]
async fn names_are_told_apart_as_keys_are() {
    let store = MemoryStore::new();
    let long = "n".repeat(1000);
    let (one, two) = (format!("{long}1"), format!("{long}2"));
    for cache in [alone().await.0, on(Arc::new(store)).await] {
        for name in ["a", "a:b", "a*", "{}", " ", "}s1", "\0", "\u{e9}", &one, &two] {
            for strategy in STRATEGIES {
                let all = || strategy(cache.check(name).limit(5).per("5m").cost(5));
                assert!(all().await.unwrap().allowed, "{name}");
                assert!(!all().await.unwrap().allowed, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn limits_are_no_entries_and_work_in_a_cache_that_is_off() {
    let cache = Cache::builder().enabled(false).build().await.unwrap();
    assert!(five(&cache).cost(5).await.unwrap().allowed);
    cache.invalidate("login:1.2.3.4").await.unwrap();
    cache.clear().await.unwrap();
    assert!(!five(&cache).await.unwrap().allowed);
}

#[test]
fn sync_code_has_the_same_limits() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shared = runtime.block_on(on(Arc::new(MemoryStore::new())));
    for cache in [shared, Cache::memory()] {
        for strategy in STRATEGIES {
            assert_eq!(strategy(five(&cache)).blocking().unwrap().remaining, 4);
            assert_eq!(
                runtime.block_on(strategy(five(&cache)).into_future()).unwrap().remaining,
                3
            );
            assert!(!strategy(five(&cache)).cost(5).blocking().unwrap().allowed);
            assert!(strategy(five(&cache)).cost(9).blocking().is_err());
        }
    }
}

/// A store that fails on demand.
async fn failing() -> (Cache, Arc<ChaosStore<MemoryStore>>) {
    let chaos = Arc::new(ChaosStore::new(MemoryStore::new()));
    (on(chaos.clone()).await, chaos)
}
