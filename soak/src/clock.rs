//! The clock that all processes of this machine share.

use std::{fmt, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A point in time, in nanoseconds of the system's monotonic clock: comparable between processes, unlike `Instant`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) fn now() -> Self {
        let now = clock_gettime(ClockId::Monotonic);
        // The clock counts from the machine's start: neither part is negative.
        Self(
            u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000
                + u64::try_from(now.tv_nsec).unwrap_or(0),
        )
    }

    pub(crate) fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(nanos(time)))
    }

    pub(crate) fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(time)))
    }

    /// How long it is until `then`; nothing if that was before.
    pub(crate) fn until(self, then: Self) -> Duration {
        Duration::from_nanos(then.0.saturating_sub(self.0))
    }

    /// How long ago it was.
    pub(crate) fn elapsed(self) -> Duration {
        self.until(Self::now())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A time as the reports show it.
pub(crate) struct Shown(pub(crate) Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0.as_micros() {
            micros @ 0..10_000 => format!("{:.2} ms", micros as f64 / 1e3),
            micros @ 10_000..1_000_000 => format!("{} ms", micros / 1000),
            micros => format!("{:.2} s", micros as f64 / 1e6),
        };
        f.pad(&text)
    }
}
