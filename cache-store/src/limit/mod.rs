//! What is asked of a [`Store`](crate::Store) about rate limits, what it answers, and the counts of one that is in memory.

mod count;
mod counts;
mod sliding;

use std::time::Duration;

pub use counts::LimitCounts;

/// Into how many parts a sliding window is cut where more calls than that go into it.
const GRAINS: u32 = 1000;

/// How calls are counted.
///
/// ```
/// use cache_store::LimitStrategy;
///
/// assert_eq!(LimitStrategy::default(), LimitStrategy::SlidingWindow);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LimitStrategy {
    /// A count that begins with the first call and starts anew when the window is over. Never more than the limit in
    /// one of its windows; up to twice as many in a time as long that lies across the end of one.
    FixedWindow,
    /// A log of what was allowed and when: never more than the limit in any window, wherever it begins.
    #[default]
    SlidingWindow,
    /// A bucket that a limit's worth of calls flows into in each window, and no more than `burst` at a time: the
    /// [generic cell rate algorithm](https://www.itu.int/rec/T-REC-I.371/en) (ITU-T I.371, annex A).
    TokenBucket {
        /// How many calls the bucket holds.
        burst: u64,
    },
}

/// A call that is about to be made, to be counted if there is room for it.
///
/// A name, the kind of strategy and a window are one count: what an earlier check of it said about the limit and the burst
/// does not matter.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use std::time::Duration;
/// use cache_store::{LimitCheck, LimitStrategy, Store, testing::MemoryStore};
///
/// let store = MemoryStore::new();
/// let check = LimitCheck {
///     name: "login:1.2.3.4", limit: 2, per: Duration::from_secs(60), cost: 1, strategy: LimitStrategy::SlidingWindow,
/// };
/// assert_eq!(store.check_limit(check).await?.remaining, 1);
/// assert!(store.check_limit(check).await?.allowed);
/// let refused = store.check_limit(check).await?;
/// assert!(!refused.allowed && refused.retry_after.is_some());
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitCheck<'a> {
    /// Who is limited, and in what.
    pub name: &'a str,
    /// How many calls a window has room for: from 1 to [`MOST`](Self::MOST).
    pub limit: u64,
    /// How long a window is: from a millisecond to [`LONGEST`](Self::LONGEST).
    pub per: Duration,
    /// For how many calls this one counts: at least 1, and no more than the limit, or the burst of a bucket.
    pub cost: u64,
    /// How calls are counted.
    pub strategy: LimitStrategy,
}

/// The answer to a [`LimitCheck`], with an example there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitAnswer {
    /// Whether there was room. A call that is refused is not counted.
    pub allowed: bool,
    /// How many more calls of cost 1 there is room for now.
    pub remaining: u64,
    /// When the same call would have been allowed, if nobody makes another one meanwhile; `None` when it was.
    pub retry_after: Option<Duration>,
    /// When all that is counted will have been forgotten, if nobody makes another call.
    pub resets_after: Duration,
}

impl LimitCheck<'_> {
    /// The greatest limit and the greatest burst.
    pub const MOST: u64 = 1_000_000_000;
    /// The longest window, and the longest that a bucket may take to fill: 100 days. In nanoseconds that is exact in the
    /// numbers of Lua.
    pub const LONGEST: Duration = Duration::from_secs(100 * 24 * 60 * 60);

    /// How long one call takes to flow out of a bucket, rounded up to a nanosecond.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{LimitCheck, LimitStrategy};
    ///
    /// let strategy = LimitStrategy::TokenBucket { burst: 10 };
    /// let check = LimitCheck { name: "a", limit: 3, per: Duration::from_secs(1), cost: 1, strategy };
    /// assert_eq!(check.interval(), Duration::from_nanos(333_333_334));
    /// ```
    #[must_use]
    pub fn interval(&self) -> Duration {
        from_nanos(self.per.as_nanos().div_ceil(u128::from(self.limit.max(1))))
    }

    /// What the times in a log of calls are rounded up to, so that no log is longer than a thousand entries; zero, for not
    /// at all, where the limit keeps it shorter anyway.
    ///
    /// Rounded up, a call is remembered for a thousandth of the window longer than it has to be, never shorter.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{LimitCheck, LimitStrategy};
    ///
    /// let strategy = LimitStrategy::SlidingWindow;
    /// let check = LimitCheck { name: "a", limit: 1_000, per: Duration::from_secs(60), cost: 1, strategy };
    /// assert_eq!(check.grain(), Duration::ZERO);
    /// assert_eq!(LimitCheck { limit: 1_001, ..check }.grain(), Duration::from_millis(60));
    /// ```
    #[must_use]
    pub fn grain(&self) -> Duration {
        if self.limit <= u64::from(GRAINS) { Duration::ZERO } else { self.per / GRAINS }
    }
}

/// A time as long as the clocks of this crate's counts know; what is longer is the end of time.
fn from_nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
