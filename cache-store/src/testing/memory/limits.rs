//! Rate limits, which are no entries.

use tokio::time::Instant;

use crate::{LimitAnswer, LimitCheck, LimitCounts};

/// What was counted, in times since the first check.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    counts: LimitCounts,
    origin: Option<Instant>,
}

impl Limits {
    pub(super) fn check(&mut self, check: &LimitCheck<'_>, now: Instant) -> LimitAnswer {
        let origin = *self.origin.get_or_insert(now);
        self.counts.check(now.saturating_duration_since(origin), check)
    }
}
