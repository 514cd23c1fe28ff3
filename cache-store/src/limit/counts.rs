use std::{
    collections::HashMap,
    mem::{Discriminant, discriminant},
    time::Duration,
};

use super::{LimitAnswer, LimitCheck, LimitStrategy, count::Count};

/// Fewer counts than this are not worth a look.
const FEW: usize = 64;

/// All that a process counts by itself: what a store in memory answers [`LimitCheck`]s from, and a cache without a shared tier.
///
/// What has no effect any more is forgotten now and then: there are never more than twice as many counts as had one when
/// that was done last, or 64.
///
/// ```
/// use std::time::Duration;
/// use cache_store::{LimitCheck, LimitCounts, LimitStrategy};
///
/// let mut counts = LimitCounts::default();
/// let check = LimitCheck {
///     name: "login:1.2.3.4", limit: 1, per: Duration::from_secs(60), cost: 1, strategy: LimitStrategy::SlidingWindow,
/// };
/// let at = Duration::from_secs;
/// assert!(counts.check(at(0), &check).allowed);
/// assert_eq!(counts.check(at(50), &check).retry_after, Some(at(10)));
/// assert!(counts.check(at(60), &check).allowed);
/// ```
#[derive(Clone, Debug, Default)]
pub struct LimitCounts {
    counts: HashMap<Id, Count>,
    /// How many there may be before it is looked who can go.
    look_at: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Id {
    name: Box<str>,
    strategy: Discriminant<LimitStrategy>,
    per: Duration,
}

impl LimitCounts {
    /// Counts the call if there is room for it. `now` is the time since any origin, always the same one; it is taken to
    /// stand still where it goes back.
    ///
    /// See [`LimitCounts`] for an example.
    pub fn check(&mut self, now: Duration, check: &LimitCheck<'_>) -> LimitAnswer {
        let id =
            Id { name: check.name.into(), strategy: discriminant(&check.strategy), per: check.per };
        if self.counts.len() >= self.look_at.max(FEW) && !self.counts.contains_key(&id) {
            self.counts.retain(|id, count| count.ends(id.per) > now);
            self.look_at = self.counts.len() * 2;
        }
        let count = self.counts.entry(id).or_insert_with(|| Count::new(check.strategy, now));
        count.check(now, check)
    }

    /// How many counts are in memory.
    ///
    /// ```
    /// assert!(cache_store::LimitCounts::default().is_empty());
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing is counted.
    ///
    /// ```
    /// assert_eq!(cache_store::LimitCounts::default().len(), 0);
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn check(name: &str, strategy: LimitStrategy) -> LimitCheck<'_> {
        LimitCheck { name, limit: 3, per: SECOND, cost: 1, strategy }
    }

    #[test]
    fn what_has_no_effect_any_more_is_forgotten() {
        for strategy in [
            LimitStrategy::FixedWindow,
            LimitStrategy::SlidingWindow,
            LimitStrategy::TokenBucket { burst: 3 },
        ] {
            let mut counts = LimitCounts::default();
            for caller in 0..10_000_u32 {
                // Ten of them at a time have called within the last second.
                counts.check(SECOND / 10 * caller, &check(&caller.to_string(), strategy));
            }
            assert!(counts.len() <= FEW + 1, "{}", counts.len());
        }
    }

    #[test]
    fn what_still_has_an_effect_is_not_forgotten() {
        let mut counts = LimitCounts::default();
        let mine = check("mine", LimitStrategy::SlidingWindow);
        for _ in 0..3 {
            assert!(counts.check(Duration::ZERO, &mine).allowed);
        }
        for caller in 0..10_000 {
            counts.check(SECOND / 2, &check(&caller.to_string(), LimitStrategy::SlidingWindow));
            assert!(!counts.check(SECOND / 2, &mine).allowed);
        }
    }

    #[test]
    fn a_log_is_never_longer_than_the_window_has_grains() {
        let mut counts = LimitCounts::default();
        let check = LimitCheck { limit: 1_000_000, ..check("a", LimitStrategy::SlidingWindow) };
        for step in 0..100_000 {
            assert!(counts.check(SECOND / 50_000 * step, &check).allowed);
        }
        let count = counts.counts.values().next().map(|count| match count {
            Count::Log(log) => log.len(),
            _ => 0,
        });
        assert!(count.is_some_and(|entries| (500..=1_001).contains(&entries)), "{count:?}");
    }

    #[test]
    fn a_clock_that_goes_back_allows_nothing_more() {
        for strategy in [
            LimitStrategy::FixedWindow,
            LimitStrategy::SlidingWindow,
            LimitStrategy::TokenBucket { burst: 3 },
        ] {
            let mut counts = LimitCounts::default();
            let check = check("a", strategy);
            for at in [10, 10, 9] {
                assert!(counts.check(at * SECOND, &check).allowed);
            }
            assert!(!counts.check(9 * SECOND, &check).allowed, "{strategy:?}");
            let refused = counts.check(10 * SECOND, &check);
            assert!(!refused.allowed && refused.resets_after >= SECOND, "{strategy:?} {refused:?}");
            assert!(counts.check(12 * SECOND, &check).allowed, "{strategy:?}");
        }
    }
}
