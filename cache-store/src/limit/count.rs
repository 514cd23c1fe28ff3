//! One count: what it remembers, and whether a call fits in.

use std::time::Duration;

use super::{LimitAnswer, LimitCheck, LimitStrategy, from_nanos, sliding::Log};

/// What was counted under one name. Times are those since the origin of the clock that its owner has.
#[derive(Clone, Debug)]
pub(super) enum Count {
    /// The calls of the window that began then.
    Window {
        began: Duration,
        used: u64,
    },
    Log(Log),
    Bucket(Bucket),
}

/// What had still to flow out at a time, as the time that it takes.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    at: Duration,
    debt: Duration,
    /// Of one call.
    interval: Duration,
}

impl Count {
    pub(super) fn new(strategy: LimitStrategy, now: Duration) -> Self {
        match strategy {
            LimitStrategy::FixedWindow => Self::Window { began: now, used: 0 },
            LimitStrategy::SlidingWindow => Self::Log(Log::default()),
            LimitStrategy::TokenBucket { .. } => {
                Self::Bucket(Bucket { at: now, debt: Duration::ZERO, interval: Duration::ZERO })
            }
        }
    }

    /// Counts the call if it fits in. A clock that goes back stands still here.
    pub(super) fn check(&mut self, now: Duration, check: &LimitCheck<'_>) -> LimitAnswer {
        match self {
            Self::Window { began, used } => window(began, used, now, check),
            Self::Log(log) => log.check(now, check),
            Self::Bucket(bucket) => bucket.check(now, check),
        }
    }

    /// When it is as good as none at all.
    pub(super) fn ends(&self, per: Duration) -> Duration {
        match self {
            Self::Window { began, .. } => began.saturating_add(per),
            Self::Log(log) => log.ends(per),
            Self::Bucket(bucket) => bucket.at.saturating_add(bucket.debt),
        }
    }
}

fn window(
    began: &mut Duration,
    used: &mut u64,
    now: Duration,
    check: &LimitCheck<'_>,
) -> LimitAnswer {
    if now >= began.saturating_add(check.per) {
        (*began, *used) = (now, 0);
    }
    let allowed = used.saturating_add(check.cost) <= check.limit;
    if allowed {
        *used += check.cost;
    }
    let left = began.saturating_add(check.per).saturating_sub(now);
    LimitAnswer {
        allowed,
        remaining: check.limit.saturating_sub(*used),
        retry_after: (!allowed).then_some(left),
        resets_after: left,
    }
}

impl Bucket {
    fn check(&mut self, now: Duration, check: &LimitCheck<'_>) -> LimitAnswer {
        let burst = match check.strategy {
            LimitStrategy::TokenBucket { burst } => burst,
            _ => check.limit,
        };
        let interval = check.interval();
        let room = times(interval, burst);
        // Full is the most that it is, also when it has become smaller.
        let mut debt = self.debt_at(now, interval).min(room);
        let after = debt.saturating_add(times(interval, check.cost));
        let allowed = after <= room;
        if allowed {
            debt = after;
            *self = Self { at: now.max(self.at), debt, interval };
        }
        let remaining = room.saturating_sub(debt).as_nanos() / interval.as_nanos().max(1);
        LimitAnswer {
            allowed,
            remaining: u64::try_from(remaining).unwrap_or(u64::MAX),
            retry_after: (!allowed).then(|| after - room),
            resets_after: debt,
        }
    }

    /// What is left to flow out, at this pace.
    fn debt_at(&self, now: Duration, interval: Duration) -> Duration {
        let left = self.debt.saturating_sub(now.saturating_sub(self.at));
        if self.interval == interval {
            return left;
        }
        // As many calls as before.
        let (was, is) = (self.interval.as_nanos().max(1), interval.as_nanos());
        from_nanos(left.as_nanos().saturating_mul(is).div_ceil(was))
    }
}

fn times(interval: Duration, calls: u64) -> Duration {
    from_nanos(interval.as_nanos().saturating_mul(u128::from(calls)))
}
