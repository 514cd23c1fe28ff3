//! The log of a sliding window: what was allowed, and until when that counts.

use std::{collections::VecDeque, time::Duration};

use super::{LimitAnswer, LimitCheck, from_nanos};

/// What was allowed, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    calls: VecDeque<Calls>,
    /// The sum of the costs.
    used: u64,
}

/// Calls that count from one time on.
#[derive(Clone, Copy, Debug)]
struct Calls {
    at: Duration,
    cost: u64,
}

impl Log {
    pub(super) fn check(&mut self, now: Duration, check: &LimitCheck<'_>) -> LimitAnswer {
        while let Some(oldest) = self.calls.front().filter(|calls| until(calls, check) <= now) {
            self.used -= oldest.cost;
            self.calls.pop_front();
        }
        let allowed = self.used.saturating_add(check.cost) <= check.limit;
        if allowed {
            self.add(rounded_up(now, check.grain()), check.cost);
        }
        LimitAnswer {
            allowed,
            remaining: check.limit.saturating_sub(self.used),
            retry_after: (!allowed).then(|| self.fits_at(check).saturating_sub(now)),
            resets_after: self.ends(check.per).saturating_sub(now),
        }
    }

    pub(super) fn ends(&self, per: Duration) -> Duration {
        self.calls.back().map_or(Duration::ZERO, |newest| newest.at.saturating_add(per))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    fn add(&mut self, at: Duration, cost: u64) {
        self.used += cost;
        match self.calls.back_mut() {
            // Later than it was is safe, earlier is not.
            Some(newest) if newest.at >= at => newest.cost += cost,
            _ => self.calls.push_back(Calls { at, cost }),
        }
    }

    /// When enough will have been forgotten.
    fn fits_at(&self, check: &LimitCheck<'_>) -> Duration {
        let mut used = self.used;
        let enough = self.calls.iter().find(|calls| {
            used -= calls.cost;
            used.saturating_add(check.cost) <= check.limit
        });
        enough.map_or(Duration::ZERO, |calls| until(calls, check))
    }
}

fn until(calls: &Calls, check: &LimitCheck<'_>) -> Duration {
    calls.at.saturating_add(check.per)
}

fn rounded_up(now: Duration, grain: Duration) -> Duration {
    let grain = grain.as_nanos();
    if grain == 0 { now } else { from_nanos(now.as_nanos().div_ceil(grain) * grain) }
}
