//! Rate limits. A store without them passes.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{super::steps::*, AnyStore};
use crate::{ErrorKind, Invalidation, LimitAnswer, LimitCheck, LimitStrategy, Store};

const STRATEGIES: [LimitStrategy; 3] = [
    LimitStrategy::FixedWindow,
    LimitStrategy::SlidingWindow,
    LimitStrategy::TokenBucket { burst: 5 },
];

/// Five calls, in a window that no case outlasts.
fn five(strategy: LimitStrategy) -> LimitCheck<'static> {
    LimitCheck { name: "caller", limit: 5, per: LONG, cost: 1, strategy }
}

/// Asks; `None` from a store that has no limits.
async fn ask(store: &dyn Store, check: LimitCheck<'_>) -> Option<LimitAnswer> {
    match store.check_limit(check).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => None,
        asked => Some(given(asked)),
    }
}

pub async fn a_limit_is_counted_down_to_nothing(store: AnyStore) {
    for strategy in STRATEGIES {
        let check = five(strategy);
        for left in (0..5).rev() {
            let Some(answer) = ask(&*store, check).await else { return };
            assert!(answer.allowed, "{strategy:?} {answer:?}");
            assert_eq!(answer.remaining, left, "{strategy:?}");
            assert_eq!(answer.retry_after, None);
            assert!(answer.resets_after <= LONG && !answer.resets_after.is_zero(), "{answer:?}");
        }
        for _ in 0..3 {
            let Some(answer) = ask(&*store, check).await else { return };
            assert!(!answer.allowed && answer.remaining == 0, "{strategy:?} {answer:?}");
            let wait = answer.retry_after.expect("a time");
            assert!(wait <= answer.resets_after && wait >= LONG / 5 - LONG / 10, "{answer:?}");
        }
    }
}

pub async fn of_many_who_call_at_once_as_many_as_the_limit_are_allowed(store: AnyStore) {
    for strategy in STRATEGIES {
        let mut tasks = JoinSet::new();
        for _ in 0..32 {
            let store = store.clone();
            tasks.spawn(async move { ask(&*store, five(strategy)).await });
        }
        let Some(answers) = tasks.join_all().await.into_iter().collect::<Option<Vec<_>>>() else {
            return;
        };
        let allowed = answers.iter().filter(|answer| answer.allowed).count();
        assert_eq!(allowed, 5, "{strategy:?}");
    }
}

pub async fn a_limit_is_one_for_all_handles(one: AnyStore, other: AnyStore) {
    for strategy in STRATEGIES {
        for (turn, store) in [&one, &other, &one, &other, &one].into_iter().enumerate() {
            let Some(answer) = ask(&**store, five(strategy)).await else { return };
            assert_eq!((answer.allowed, answer.remaining), (true, 4 - turn as u64));
        }
        assert!(!given(other.check_limit(five(strategy)).await).allowed);
        assert!(!given(one.check_limit(five(strategy)).await).allowed);
    }
}

pub async fn a_call_that_is_refused_is_not_counted(store: AnyStore) {
    for strategy in STRATEGIES {
        let check = five(strategy);
        let Some(_) = ask(&*store, LimitCheck { cost: 3, ..check }).await else { return };
        for _ in 0..10 {
            let dear = given(store.check_limit(LimitCheck { cost: 3, ..check }).await);
            assert!(!dear.allowed && dear.remaining == 2, "{strategy:?} {dear:?}");
        }
        assert!(given(store.check_limit(LimitCheck { cost: 2, ..check }).await).allowed);
    }
}

pub async fn a_call_counts_for_what_it_costs(store: AnyStore) {
    for strategy in STRATEGIES {
        let check = five(strategy);
        let Some(answer) = ask(&*store, LimitCheck { cost: 4, ..check }).await else { return };
        assert_eq!((answer.allowed, answer.remaining), (true, 1), "{strategy:?}");
        assert!(!given(store.check_limit(LimitCheck { cost: 2, ..check }).await).allowed);
        assert!(given(store.check_limit(check).await).allowed);
        // As much as there is room for at all.
        let all = LimitCheck { name: "another", cost: 5, ..check };
        assert!(given(store.check_limit(all).await).allowed);
        assert!(!given(store.check_limit(all).await).allowed);
    }
}

pub async fn there_is_room_again_when_it_was_said(store: AnyStore) {
    for strategy in STRATEGIES {
        let check = LimitCheck { per: SOON, cost: 3, ..five(strategy) };
        let Some(first) = ask(&*store, check).await else { return };
        assert!(first.allowed);
        let asked = Instant::now();
        let refused = given(store.check_limit(check).await);
        let Some(wait) = refused.retry_after else {
            // A machine that is so busy that the window was over shows nothing.
            assert!(asked.elapsed() >= SOON / 5, "{strategy:?} {refused:?}");
            continue;
        };
        assert!(wait <= SOON && !wait.is_zero(), "{strategy:?} {wait:?}");
        // The server's clock may be a different one from that of this sleep.
        sleep(wait + SHORT / 10).await;
        assert!(given(store.check_limit(check).await).allowed, "{strategy:?} after {wait:?}");
    }
}

/// Calls for a while as fast as it goes; from when to when each call that was allowed may have been counted.
async fn hammer(store: &dyn Store, check: LimitCheck<'_>) -> Option<Vec<(Instant, Instant)>> {
    let (start, mut allowed) = (Instant::now(), Vec::new());
    while start.elapsed() < check.per * 6 {
        let before = Instant::now();
        if ask(store, check).await?.allowed {
            allowed.push((before, Instant::now()));
        }
        // Not in step with the window, and not so fast that it is all one moment.
        sleep(Duration::from_millis(1)).await;
    }
    Some(allowed)
}

pub async fn never_more_than_the_limit_in_any_sliding_window(store: AnyStore) {
    let check = LimitCheck { limit: 10, per: SHORT * 2, ..five(LimitStrategy::SlidingWindow) };
    let Some(allowed) = hammer(&*store, check).await else { return };
    assert!(allowed.len() > 10, "{} in six windows", allowed.len());
    for (first, past) in allowed.iter().zip(allowed.iter().skip(10)) {
        assert!(past.1 - first.0 >= check.per, "eleven in {:?}", past.1 - first.0);
    }
}

pub async fn never_more_than_the_burst_and_what_flowed_out_of_the_bucket(store: AnyStore) {
    let strategy = LimitStrategy::TokenBucket { burst: 4 };
    let check = LimitCheck { limit: 10, per: SHORT * 2, ..five(strategy) };
    let Some(allowed) = hammer(&*store, check).await else { return };
    assert!(allowed.len() > 4, "{} in six windows", allowed.len());
    for (at, first) in allowed.iter().enumerate() {
        for (more, last) in allowed.iter().skip(at).enumerate().skip(4) {
            // So many calls beyond the burst have to have flowed out meanwhile.
            let needed = check.interval() * u32::try_from(more - 3).unwrap_or(u32::MAX);
            assert!(last.1 - first.0 >= needed, "{more} more in {:?}", last.1 - first.0);
        }
    }
}

pub async fn a_fixed_window_starts_anew_when_it_is_over(store: AnyStore) {
    let check = LimitCheck { per: SOON, ..five(LimitStrategy::FixedWindow) };
    let began = Instant::now();
    let Some(first) = ask(&*store, check).await else { return };
    let answered = Instant::now();
    sleep(SOON / 2).await;
    let second = given(store.check_limit(check).await);
    let age = Instant::now();
    if age - began < SOON {
        // What is counted later does not make the window longer.
        assert_eq!(second.remaining, 3);
        assert!(second.resets_after <= SOON - SOON / 2 + SHORT, "{second:?}");
    }
    assert!(first.resets_after <= SOON);
    sleep((answered + SOON + SHORT).saturating_duration_since(Instant::now())).await;
    assert_eq!(given(store.check_limit(check).await).remaining, 4);
}

pub async fn a_limit_may_change_between_calls(store: AnyStore) {
    for strategy in STRATEGIES {
        let with = |limit| {
            let strategy = match strategy {
                LimitStrategy::TokenBucket { .. } => LimitStrategy::TokenBucket { burst: limit },
                other => other,
            };
            LimitCheck { limit, ..five(strategy) }
        };
        for _ in 0..5 {
            let Some(answer) = ask(&*store, with(5)).await else { return };
            assert!(answer.allowed);
        }
        let fewer = given(store.check_limit(with(2)).await);
        assert!(!fewer.allowed && fewer.remaining == 0, "{strategy:?} {fewer:?}");
        let more = given(store.check_limit(with(5_000)).await);
        assert!(more.allowed, "{strategy:?} {more:?}");
        // Once more with the fewer: what was allowed meanwhile is counted as well.
        let fewer = given(store.check_limit(with(5)).await);
        assert!(!fewer.allowed, "{strategy:?}");
        if let LimitStrategy::TokenBucket { .. } = strategy {
            // A bucket is full at the most, whatever flowed into a greater one.
            assert!(fewer.retry_after.is_some_and(|wait| wait <= LONG / 5), "{fewer:?}");
        }
    }
}

pub async fn a_limit_of_many_calls_is_kept_too(store: AnyStore) {
    for strategy in [
        LimitStrategy::FixedWindow,
        LimitStrategy::SlidingWindow,
        LimitStrategy::TokenBucket { burst: 5_000 },
    ] {
        let many = LimitCheck { limit: 5_000, ..five(strategy) };
        for cost in [4_000, 1, 999] {
            let Some(answer) = ask(&*store, LimitCheck { cost, ..many }).await else { return };
            assert!(answer.allowed, "{strategy:?} {answer:?}");
        }
        assert!(!given(store.check_limit(many).await).allowed, "{strategy:?}");
        let most = LimitCheck { name: "most", limit: LimitCheck::MOST, ..many };
        let most = LimitCheck { cost: most.limit, ..most };
        let most = match strategy {
            LimitStrategy::TokenBucket { .. } => {
                let strategy = LimitStrategy::TokenBucket { burst: LimitCheck::MOST };
                LimitCheck { strategy, ..most }
            }
            _ => LimitCheck { per: LimitCheck::LONGEST, ..most },
        };
        assert!(given(store.check_limit(most).await).allowed, "{strategy:?}");
        assert!(!given(store.check_limit(most).await).allowed, "{strategy:?}");
    }
}

pub async fn strategies_and_windows_of_one_name_are_counted_apart(store: AnyStore) {
    for strategy in STRATEGIES {
        let all = LimitCheck { cost: 5, ..five(strategy) };
        let Some(answer) = ask(&*store, all).await else { return };
        assert!(answer.allowed, "{strategy:?}");
        assert!(given(store.check_limit(LimitCheck { per: LONG * 2, ..all }).await).allowed);
        assert!(given(store.check_limit(LimitCheck { name: "other", ..all }).await).allowed);
        assert!(!given(store.check_limit(all).await).allowed, "{strategy:?}");
    }
}

pub async fn what_is_invalidated_or_stored_touches_no_limit(store: AnyStore) {
    for strategy in STRATEGIES {
        let all = LimitCheck { cost: 5, ..five(strategy) };
        let Some(_) = ask(&*store, all).await else { return };
        let nonce = load(&*store, plain("caller")).await;
        assert!(fill(&*store, "caller", nonce, b"value", None).await);
        for what in [
            Invalidation::Keys(vec!["caller".into()]),
            Invalidation::Tags(vec!["caller".into()]),
            Invalidation::Pattern("*".into()),
            Invalidation::All,
        ] {
            given(store.invalidate(&what).await);
            assert!(!given(store.check_limit(all).await).allowed, "{strategy:?} {what:?}");
        }
    }
}

pub async fn limits_may_have_any_name(store: AnyStore) {
    for strategy in STRATEGIES {
        for name in ["a b", "}", "{a}b", "*?[\\", "\u{e9}\n\0", ":k:", "}s1", "a}f600000000"] {
            let all = LimitCheck { name, cost: 5, ..five(strategy) };
            let Some(answer) = ask(&*store, all).await else { return };
            assert!(answer.allowed, "{strategy:?} {name:?}");
            assert!(!given(store.check_limit(all).await).allowed, "{strategy:?} {name:?}");
        }
    }
}
