//! The clock that decides when an entry is too old, and the one that a test moves by hand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// Where a cache takes the time from: the machine's monotonic clock, or a hand that a test moves.
///
/// A cache reads it when it stores an entry and when it serves one, so a test of expiry needs no sleep. Give the cache
/// under test the first half of [`Clock::manual`] and keep the second.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use cache_core::Clock;
///
/// let (clock, hand) = Clock::manual();
/// // A cache that was built with `clock` now lives in a time of its own:
/// hand.advance(Duration::from_secs(301));
/// assert_eq!(hand.elapsed(), Duration::from_secs(301));
/// # drop(clock);
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// Time since the origin that all system clocks of this process share, so that their moments compare.
    System(Instant),
    Manual(Arc<AtomicU64>),
}

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock {
    /// The machine's monotonic clock, the default.
    ///
    /// It is [`Instant`]: it never goes back, and on most systems it stands still while the machine sleeps.
    ///
    /// # Examples
    ///
    /// ```
    /// let clock = cache_core::Clock::system();
    /// # drop(clock);
    /// ```
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System(*ORIGIN))
    }

    /// A clock that stands still until its [`ManualClock`] is advanced.
    ///
    /// # Examples
    ///
    /// ```
    /// let (clock, hand) = cache_core::Clock::manual();
    /// assert_eq!(hand.elapsed(), std::time::Duration::ZERO);
    /// # drop(clock);
    /// ```
    #[must_use]
    pub fn manual() -> (Self, ManualClock) {
        let nanos = Arc::new(AtomicU64::new(0));
        (Self(Source::Manual(Arc::clone(&nanos))), ManualClock(nanos))
    }

    /// The present moment.
    #[inline]
    pub(crate) fn now(&self) -> Moment {
        match &self.0 {
            Source::System(origin) => Moment(nanos(origin.elapsed())),
            Source::Manual(hand) => Moment(hand.load(Ordering::Acquire)),
        }
    }

    /// Whether this clock runs by itself.
    pub(crate) fn is_system(&self) -> bool {
        matches!(self.0, Source::System(_))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

/// The hand of a clock made by [`Clock::manual`]. Its clones move the same clock.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let (_clock, hand) = cache_core::Clock::manual();
/// hand.advance(Duration::from_millis(250));
/// hand.clone().advance(Duration::from_millis(250));
/// assert_eq!(hand.elapsed(), Duration::from_millis(500));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Moves the clock forward, at once for every cache that uses it.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_clock, hand) = cache_core::Clock::manual();
    /// hand.advance(std::time::Duration::from_secs(60));
    /// ```
    pub fn advance(&self, by: Duration) {
        let step = nanos(by);
        let mut now = self.0.load(Ordering::Acquire);
        while let Err(moved) = self.0.compare_exchange_weak(
            now,
            now.saturating_add(step),
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            now = moved;
        }
    }

    /// How far the clock has been moved since it was made.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_clock, hand) = cache_core::Clock::manual();
    /// assert!(hand.elapsed().is_zero());
    /// ```
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Acquire))
    }
}

/// A point in time: nanoseconds since the clock's origin. Moments of two manual clocks do not compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(u64);

impl Moment {
    /// The moment `later` than this one; the end of time if that does not fit.
    pub(crate) fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(nanos(later)))
    }

    /// How long it is until `then`; zero if that has passed.
    pub(crate) fn until(self, then: Self) -> Duration {
        Duration::from_nanos(then.0.saturating_sub(self.0))
    }
}

/// Nanoseconds in 64 bits last 584 years; what is longer means for ever.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand_and_for_all_its_clones() {
        let (clock, hand) = Clock::manual();
        let twin = clock.clone();
        let start = clock.now();
        assert_eq!(twin.now(), start);
        hand.clone().advance(Duration::from_millis(7));
        assert_eq!(clock.now(), start.plus(Duration::from_millis(7)));
        assert_eq!(twin.now(), clock.now());
        assert_eq!(hand.elapsed(), Duration::from_millis(7));
    }

    #[test]
    fn moments_of_two_system_clocks_are_on_one_scale() {
        let earlier = Clock::system().now();
        let later = Clock::default().now();
        assert!(earlier <= later);
        assert!(earlier.until(later) < Duration::from_secs(60));
    }

    #[test]
    fn a_ttl_that_does_not_fit_lasts_for_ever_instead_of_wrapping() {
        let (clock, hand) = Clock::manual();
        hand.advance(Duration::from_secs(1));
        let never = clock.now().plus(Duration::MAX);
        hand.advance(Duration::MAX);
        hand.advance(Duration::MAX);
        assert_eq!(clock.now(), never);
        assert_eq!(clock.now().plus(Duration::from_nanos(1)), never);
    }

    #[test]
    fn the_time_until_a_moment_that_has_passed_is_zero() {
        let (clock, hand) = Clock::manual();
        let past = clock.now();
        hand.advance(Duration::from_secs(1));
        assert_eq!(clock.now().until(past), Duration::ZERO);
        assert_eq!(past.until(clock.now()), Duration::from_secs(1));
    }
}
