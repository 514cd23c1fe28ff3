//! The times that are promised, and those that the harness allows.

use std::time::Duration;

use crate::worker::LOCK;

/// The workers' `coherence_bound`.
pub(crate) const BOUND: Duration = Duration::from_secs(1);
/// How long they wait for one answer of Redis.
pub(crate) const DEADLINE: Duration = Duration::from_millis(200);
/// How long they wait for another caller's load.
pub(crate) const FLIGHT_WAIT: Duration = Duration::from_secs(1);

/// What is added to the bound.
///
/// An entry is checked against the clock after the read of it has begun, so that a busy machine does not make it older:
/// the bound needs no allowance for scheduling. This is for clocks that are read in different places.
pub(crate) const MARGIN: Duration = Duration::from_millis(2);

/// The longest that a call of an annotated function may take, times at which its process was stopped left out.
///
/// Twice the wait for somebody else's load, the wait for a lock, at most ten answers of Redis, the slowest body, and a
/// second for a machine that is busy with everything at once.
pub(crate) const LONGEST_CALL: Duration = Duration::from_millis(
    2 * millis(FLIGHT_WAIT) + millis(LOCK) + 10 * millis(DEADLINE) + 2 * 900 + 1000,
);

#[allow(clippy::cast_possible_truncation, reason = "constants of a few seconds")]
const fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}
