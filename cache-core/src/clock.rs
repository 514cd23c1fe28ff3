//! The clock that decides when an entry is too old, and the one that a test moves by hand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use coarsetime::{Duration as CoarseDuration, Instant as CoarseInstant};

/// Where a cache takes the time from: the machine's monotonic clock, or a hand that a test moves.
///
/// A cache reads it when it stores an entry in memory and when it serves one, so a test of expiry needs no sleep. Give the
/// cache under test the first half of [`Clock::manual`] and keep the second. The shared tier has a clock of its own.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// use std::time::Duration;
/// use larder::{Cache, Clock};
///
/// let (clock, hand) = Clock::manual();
/// let cache = Cache::builder().clock(clock).build().await?;
/// cache.set("token", &1_u8).ttl("5m").await?;
/// assert_eq!(cache.get("token").await?, Some(1_u8));
/// hand.advance(Duration::from_secs(301));
/// assert_eq!(cache.get::<u8>("token").await?, None);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// Time since the origin that all system clocks of this process share, so that their moments compare.
    System(Origin),
    /// The same of tokio's clock.
    Tokio(tokio::time::Instant),
    Manual(Arc<AtomicU64>),
}

/// One moment on the exact clock and on the coarse one.
#[derive(Clone, Copy, Debug)]
struct Origin {
    exact: Instant,
    coarse: CoarseInstant,
}

static ORIGIN: LazyLock<Origin> = LazyLock::new(|| Origin {
    exact: Instant::now(),
    coarse: CoarseInstant::now_without_cache_update(),
});

/// A moment in the form that is compared without being converted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    Never,
    Coarse(CoarseInstant),
    /// Of a clock that is not the machine's.
    Exact(Moment),
}

/// The coarse clock moves at each tick of the kernel, the slowest of which come 100 times a second. Between two readings
/// it can have fallen behind the exact one by one tick; twice that leaves room for a tick that comes late.
const COARSE_LAG: Duration = Duration::from_millis(20);

impl Clock {
    /// The machine's monotonic clock, the default.
    ///
    /// It is [`Instant`]: it never goes back, and on most systems it stands still while the machine sleeps.
    ///
    /// ```
    /// let clock = larder::Clock::system();
    /// # drop(clock);
    /// ```
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System(*ORIGIN))
    }

    /// Tokio's clock: inside a runtime whose time is [paused](https://docs.rs/tokio/latest/tokio/time/fn.pause.html) it
    /// moves with that time, elsewhere it is the machine's.
    ///
    /// ```
    /// let clock = larder::Clock::tokio();
    /// # drop(clock);
    /// ```
    #[must_use]
    pub fn tokio() -> Self {
        // Time that is paused may stand before the origin of the machine's.
        Self(Source::Tokio(tokio::time::Instant::now()))
    }

    /// A clock that stands still until its [`ManualClock`] is advanced.
    ///
    /// ```
    /// let (clock, hand) = larder::Clock::manual();
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
            Source::System(origin) => Moment(nanos(origin.exact.elapsed())),
            Source::Tokio(origin) => {
                Moment(nanos(tokio::time::Instant::now().saturating_duration_since(*origin)))
            }
            Source::Manual(hand) => Moment(hand.load(Ordering::Acquire)),
        }
    }

    /// A moment as the cheap clock tells it; `None` never comes.
    pub(crate) fn deadline(&self, at: Option<Moment>) -> Deadline {
        let Some(at) = at else { return Deadline::Never };
        match &self.0 {
            Source::System(origin) => {
                let passed = Moment::before(at, COARSE_LAG).0;
                let coarse =
                    origin.coarse.checked_add(CoarseDuration::from(Duration::from_nanos(passed)));
                coarse.map_or(Deadline::Never, Deadline::Coarse)
            }
            Source::Tokio(_) | Source::Manual(_) => Deadline::Exact(at),
        }
    }

    /// Whether the deadline is still to come, for sure: in the last [`COARSE_LAG`] before it, or a little earlier, this
    /// says no. A fifth of what [`now`](Self::now) costs.
    #[inline]
    pub(crate) fn is_before(&self, deadline: Deadline) -> bool {
        match deadline {
            Deadline::Never => true,
            Deadline::Coarse(end) => CoarseInstant::now_without_cache_update() < end,
            Deadline::Exact(end) => self.now() < end,
        }
    }

    /// A moment that is not before the present one, and at most twice [`COARSE_LAG`] after it.
    #[inline]
    pub(crate) fn now_at_the_latest(&self) -> Moment {
        match &self.0 {
            Source::System(origin) => {
                let passed =
                    CoarseInstant::now_without_cache_update().duration_since(origin.coarse);
                Moment(passed.as_nanos()).plus(COARSE_LAG)
            }
            Source::Tokio(_) | Source::Manual(_) => self.now(),
        }
    }

    /// When that was by this clock; `None` where it is not the machine's.
    pub(crate) fn moment_of(&self, instant: Instant) -> Option<Moment> {
        match &self.0 {
            Source::System(origin) => {
                Some(Moment(nanos(instant.saturating_duration_since(origin.exact))))
            }
            Source::Tokio(_) | Source::Manual(_) => None,
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

/// The hand of a clock made by [`Clock::manual`]. Its clones move the same clock.
///
/// ```
/// use std::time::Duration;
///
/// let (_clock, hand) = larder::Clock::manual();
/// hand.advance(Duration::from_millis(250));
/// hand.clone().advance(Duration::from_millis(250));
/// assert_eq!(hand.elapsed(), Duration::from_millis(500));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Moves the clock forward, at once for every cache that uses it.
    ///
    /// ```
    /// let (_clock, hand) = larder::Clock::manual();
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
    /// ```
    /// let (_clock, hand) = larder::Clock::manual();
    /// assert!(hand.elapsed().is_zero());
    /// ```
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Acquire))
    }
}

/// A point in time: nanoseconds since the clock's origin. Moments of two manual clocks do not compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(u64);

impl Moment {
    /// The end of time.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// The moment `later` than this one; the end of time if that does not fit.
    pub(crate) fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(nanos(later)))
    }

    /// The moment `earlier` than `now`; the beginning of time if that does not fit.
    pub(crate) fn before(now: Self, earlier: Duration) -> Self {
        Self(now.0.saturating_sub(nanos(earlier)))
    }

    /// How long it is until `then`; zero if that has passed.
    pub(crate) fn until(self, then: Self) -> Duration {
        Duration::from_nanos(then.0.saturating_sub(self.0))
    }
}

/// A moment that threads share. It begins in the past of every clock.
#[derive(Debug, Default)]
pub(crate) struct AtomicMoment(AtomicU64);

impl AtomicMoment {
    #[inline]
    pub(crate) fn get(&self) -> Moment {
        Moment(self.0.load(Ordering::Acquire))
    }

    pub(crate) fn set(&self, moment: Moment) {
        self.0.store(moment.0, Ordering::Release);
    }

    /// Moves on to `to` if it is not beyond `now`; of several who try at once one does.
    pub(crate) fn advance(&self, now: Moment, to: Moment) -> bool {
        let seen = self.0.load(Ordering::Acquire);
        seen <= now.0
            && self.0.compare_exchange(seen, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Back into the past.
    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Release);
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
    fn the_cheap_clock_is_not_behind_the_exact_one() {
        let clock = Clock::system();
        for _ in 0..100_000 {
            let exact = clock.now();
            let latest = clock.now_at_the_latest();
            assert!(exact <= latest, "{exact:?} {latest:?}");
        }
    }

    #[test]
    fn a_deadline_is_never_over_without_being_told_so() {
        let clock = Clock::system();
        let end = clock.now().plus(Duration::from_millis(60));
        let deadline = clock.deadline(Some(end));
        let mut seen_before = 0;
        // Read before the exact clock is: if it says that the deadline is to come, it was.
        while clock.is_before(deadline) {
            seen_before += 1;
        }
        assert!(seen_before > 0, "40 ms before it there is no doubt");
        assert!(clock.is_before(clock.deadline(None)));
        assert!(!clock.is_before(clock.deadline(Some(clock.now()))));
        let (manual, hand) = Clock::manual();
        let deadline = manual.deadline(Some(manual.now().plus(Duration::from_nanos(1))));
        assert!(manual.is_before(deadline));
        hand.advance(Duration::from_nanos(1));
        assert!(!manual.is_before(deadline));
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
