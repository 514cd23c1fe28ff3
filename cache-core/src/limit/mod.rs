//! Rate limits.
//!
//! `mod` is the builder, `ask` what it makes of what was said, `verdict` the answer; the counts are in the shared tier, or
//! `here` where there is none.

mod ask;
mod here;
mod verdict;

use std::{fmt, future::IntoFuture, sync::Arc, time::Duration};

use cache_store::{BoxFuture, LimitStrategy, Result};

use crate::{cache::Cache, engine::Engine, explicit::IntoTtl, runtime};

use self::ask::Ask;
pub(crate) use self::here::Here;
pub use self::verdict::{Verdict, WhenAway};

/// A question whether a call may be made, which counts it if it may; does nothing before it is awaited. What
/// [`Cache::check`] gives.
///
/// # Errors
///
/// When awaited: [`ErrorKind::Template`](crate::ErrorKind::Template) for an empty name and a window that is none,
/// [`ErrorKind::Config`](crate::ErrorKind::Config) for a limit that was not said or is too large, and a cost for which there
/// could never be room, each with what to write instead; [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a
/// shared tier that has no limits. A shared tier that cannot be asked is no error: [`when_away`](Self::when_away) says what
/// it is.
///
/// # Cancel safety
///
/// Dropped before it is done, the call may have been counted or not.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let cache = larder::Cache::memory();
/// let verdict = cache.check("login:1.2.3.4").limit(5).per("5m").await?;
/// if !verdict.allowed {
///     println!("429, Retry-After: {:?}", verdict.retry_after);
/// }
/// # Ok(()) }
/// ```
#[must_use = "nothing is counted before it is awaited"]
pub struct Check {
    engine: Arc<Engine>,
    name: Result<Arc<str>>,
    limit: Option<u64>,
    per: Option<Result<Duration>>,
    cost: u64,
    strategy: LimitStrategy,
    when_away: WhenAway,
}

impl Cache {
    /// Asks whether there is room for one more call under this name, and counts it if there is: among all processes on the
    /// same shared tier and prefix, by its server's clock. Without a shared tier it is counted among the users of this
    /// cache, which is one process, by the cache's [`Clock`](crate::Clock).
    ///
    /// A name, a strategy and a window are one count. So two checks of one name with different windows (5 in a minute, 100
    /// in a day) do not disturb each other, and a [`limit`](Check::limit) may change between two calls.
    ///
    /// Counts are no entries: no key meets their names, and nothing that is invalidated, cleared or evicted from memory
    /// touches them. They work in a cache that is not [enabled](crate::CacheBuilder::enabled), too. More is in the guide of
    /// limits.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// for left in [1, 0] {
    ///     let verdict = cache.check("login:1.2.3.4").limit(2).per("5m").await?;
    ///     assert_eq!((verdict.allowed, verdict.remaining), (true, left));
    /// }
    /// let refused = cache.check("login:1.2.3.4").limit(2).per("5m").await?;
    /// assert!(!refused.allowed && refused.retry_after.is_some());
    /// # Ok(()) }
    /// ```
    pub fn check(&self, name: &str) -> Check {
        Check {
            engine: Arc::clone(self.engine()),
            name: ask::checked_name(name),
            limit: None,
            per: None,
            cost: 1,
            strategy: LimitStrategy::default(),
            when_away: WhenAway::default(),
        }
    }
}

impl Check {
    /// How many calls a window has room for, from 1 to a billion. Has to be said.
    ///
    /// It may be another one each time. What an earlier, higher one allowed stays counted.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let of_plan = |plan: &str| if plan == "free" { 1 } else { 1000 };
    /// assert!(cache.check("api:7").limit(of_plan("free")).per("1h").await?.allowed);
    /// assert!(!cache.check("api:7").limit(of_plan("free")).per("1h").await?.allowed);
    /// assert!(cache.check("api:7").limit(of_plan("paid")).per("1h").await?.allowed);
    /// # Ok(()) }
    /// ```
    pub fn limit(mut self, calls: u64) -> Self {
        self.limit = Some(calls);
        self
    }

    /// How long a window is, from a millisecond to 100 days: `"5m"`, a [`Duration`], or seconds as an integer. Has to be
    /// said.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// assert!(cache.check("login:ada").limit(5).per("5m").await?.allowed);
    /// assert!(cache.check("login:ada").limit(5).per("forever").await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn per(mut self, window: impl IntoTtl) -> Self {
        self.per = Some(ask::checked_window(window.into_ttl()));
        self
    }

    /// Counts in windows that begin with a first call and start anew when they are over: the cheapest.
    ///
    /// Never more than the limit in one of its windows. In a time as long that lies across the end of one it may be twice as
    /// many: all of them just before it, and as many just after.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// assert!(cache.check("report:7").limit(10).per("1d").fixed_window().await?.allowed);
    /// # Ok(()) }
    /// ```
    pub fn fixed_window(mut self) -> Self {
        self.strategy = LimitStrategy::FixedWindow;
        self
    }

    /// Never more than the limit in any window, wherever it begins; what is done where nothing is said.
    ///
    /// It keeps a log of what was allowed and when. The other form, two counters whose weighted sum estimates the window,
    /// takes less memory and is an estimate: it allows more than the limit where calls do not come evenly. This log has at
    /// most a thousand entries: above a limit of 1,000 a call is remembered for up to a thousandth of the window longer.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// assert!(cache.check("login:1.2.3.4").limit(5).per("5m").sliding_window().await?.allowed);
    /// # Ok(()) }
    /// ```
    pub fn sliding_window(mut self) -> Self {
        self.strategy = LimitStrategy::SlidingWindow;
        self
    }

    /// Spreads calls evenly: a bucket that a [`limit`](Self::limit) of calls flows out of in each window, one after the
    /// other, and that holds `burst` of them, from 1 to a billion.
    ///
    /// Never more than `burst` at once, and never more than `burst` and what flowed out meanwhile in any time. It is the
    /// [generic cell rate algorithm](https://www.itu.int/rec/T-REC-I.371/en) (ITU-T I.371, annex A), which keeps one time and no
    /// log.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// // One every six seconds; up to three at once after a pause.
    /// let verdict = cache.check("api:7").limit(10).per("1m").token_bucket(3).await?;
    /// assert_eq!((verdict.allowed, verdict.remaining), (true, 2));
    /// # Ok(()) }
    /// ```
    pub fn token_bucket(mut self, burst: u64) -> Self {
        self.strategy = LimitStrategy::TokenBucket { burst };
        self
    }

    /// For how many calls this one counts; 1 where nothing is said. All of it is allowed or nothing.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let export = cache.check("rows:7").limit(1000).per("1m").cost(600).await?;
    /// assert_eq!(export.remaining, 400);
    /// assert!(!cache.check("rows:7").limit(1000).per("1m").cost(600).await?.allowed);
    /// assert!(cache.check("rows:7").limit(1000).per("1m").cost(1001).await.is_err()); // never
    /// # Ok(()) }
    /// ```
    pub fn cost(mut self, calls: u64) -> Self {
        self.cost = calls;
        self
    }

    /// What becomes of the call when the shared tier cannot be asked; [`WhenAway::Open`] where nothing is said.
    ///
    /// See [`WhenAway`] for an example.
    pub fn when_away(mut self, when_away: WhenAway) -> Self {
        self.when_away = when_away;
        self
    }

    /// The same for sync code: waits on the calling thread, at most for the shared tier's deadline.
    ///
    /// # Errors
    ///
    /// As when awaited; and on Larder's own thread, which cannot wait for itself, where there is a shared tier.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// assert!(cache.check("login:1.2.3.4").limit(5).per("5m").blocking()?.allowed);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn blocking(self) -> Result<Verdict> {
        let ask = self.checked()?;
        if ask.is_here() {
            return Ok(ask.here());
        }
        runtime::wait_for(ask.run()).unwrap_or_else(|| Err(crate::blocking::not_here()))
    }
}

impl IntoFuture for Check {
    type Output = Result<Verdict>;
    type IntoFuture = BoxFuture<'static, Result<Verdict>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.checked()?.run().await })
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, limit, per, cost, strategy, when_away, .. } = self;
        f.debug_struct("Check")
            .field("name", name)
            .field("limit", limit)
            .field("per", per)
            .field("cost", cost)
            .field("strategy", strategy)
            .field("when_away", when_away)
            .finish_non_exhaustive()
    }
}
