//! Rate limits in a cache that has no shared tier.

use std::sync::{Mutex, PoisonError};

use cache_store::{LimitAnswer, LimitCheck, LimitCounts};

use crate::clock::{Clock, Moment};

#[derive(Default)]
pub(crate) struct Here(Mutex<LimitCounts>);

impl Here {
    pub(super) fn check(&self, clock: &Clock, check: &LimitCheck<'_>) -> LimitAnswer {
        // Nothing panics while the lock is held.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that what is counted later is not earlier.
        counts.check(Moment::default().until(clock.now()), check)
    }
}
