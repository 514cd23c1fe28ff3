//! The switch for incidents. A cache that is off is not read and stores nothing. All else goes on: writers and invalidations in
//! this process and in the shared tier, news of other processes, repetitions. So nothing that was invalidated meanwhile is
//! served when it is on again, by the same fences as ever, and what was not is there still.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Engine;
use crate::{events::Event, scope, stats::Counter};

#[derive(Debug)]
pub(super) struct Switch(AtomicBool);

impl Switch {
    pub(super) fn new(on: bool) -> Self {
        Self(AtomicBool::new(on))
    }
}

impl Engine {
    /// Whether anything is cached at all.
    #[inline]
    pub(crate) fn enabled(&self) -> bool {
        // Whoever finds it on again also finds what was invalidated before that.
        self.switch.0.load(Ordering::Acquire)
    }

    /// Whether a call looks for its value here; one that does not is counted.
    #[inline]
    pub(crate) fn is_read(&self, bypassed: bool) -> bool {
        let read = self.enabled() && !bypassed;
        if !read {
            self.counters.count(Counter::Bypassed);
        }
        read
    }

    /// Whether the caller, who names an entry, may be told what is in it.
    pub(crate) fn is_shown(&self) -> bool {
        self.enabled() && !scope::is_bypassed()
    }

    /// Switches it, and tells when that changes anything.
    pub(crate) fn set_enabled(&self, on: bool) {
        if self.switch.0.swap(on, Ordering::AcqRel) == on {
            return;
        }
        if on {
            tracing::info!(target: "larder", "the cache is on again");
            self.events.tell(|| Event::Enabled);
        } else {
            tracing::warn!(target: "larder", "the cache is off: annotated functions run their bodies");
            self.events.tell(|| Event::Disabled);
        }
    }
}
