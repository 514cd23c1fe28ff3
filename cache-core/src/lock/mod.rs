//! Locks of the application's own.
//!
//! `mod` is the builder, `guard` what is given, `held` what is known of an acquisition and until when, `place` where
//! locks are: in the shared tier, or `here` where there is none; `with` runs a future under one.

mod blocking;
mod guard;
mod held;
mod here;
mod place;
mod with;

use std::{fmt, sync::Arc, time::Duration};

use cache_store::{Error, ErrorKind, Result};
use tokio::time::Instant;

use crate::{
    cache::Cache,
    engine::Engine,
    explicit::{IntoTtl, is_zero_ttl},
    key::{KeyBuffer, raw_key},
    timer::sleep,
};

pub(crate) use self::here::Here;
use self::place::Place;
pub use self::{
    blocking::{Lock as BlockingLock, LockGuard as BlockingLockGuard},
    guard::LockGuard,
};

/// How long a lock outlives its holder where nothing is said.
const DEFAULT_TTL: Duration = Duration::from_secs(30);
/// Below this a lock would be lost by a hiccup of the network between two renewals.
const SHORTEST: Duration = Duration::from_millis(100);
/// Beyond this a ttl is no help against a holder that died.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A wait that ended sooner than this was no wait: the next one begins after a pause.
const NO_WAIT: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A lock that is about to be asked for; does nothing before it is acquired. What [`Cache::lock`] gives.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let cache = larder::Cache::memory();
/// let guard = cache.lock("import:user:123").ttl("30s").wait("5s").acquire().await?;
/// // … what only one process may do; `guard.fencing_token()` goes along with every write …
/// guard.release().await?;
/// # Ok(()) }
/// ```
#[must_use = "a lock is not held before it is acquired"]
pub struct Lock {
    engine: Arc<Engine>,
    name: Result<Arc<str>>,
    ttl: Result<Duration>,
    /// The ttl where nothing was said; `None` inside is for ever.
    wait: Option<Result<Option<Duration>>>,
}

impl Cache {
    /// A lock of the application's own, which one holder at a time has among all processes on the same shared tier and
    /// prefix. Without a shared tier it is one among the users of this cache, which is one process.
    ///
    /// Locks are no entries: no key meets their names, and nothing that is invalidated, cleared or evicted from memory
    /// touches them. They work in a cache that is not [enabled](crate::CacheBuilder::enabled), too. What they promise and
    /// what no lock can promise is told in the guide of locks.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let first = cache.lock("import:user:123").acquire().await?;
    /// assert!(cache.lock("import:user:123").try_acquire().await?.is_none());
    /// let token = first.fencing_token();
    /// drop(first);
    /// let second = cache.lock("import:user:123").acquire().await?;
    /// assert!(second.fencing_token() > token);
    /// # Ok(()) }
    /// ```
    pub fn lock(&self, name: &str) -> Lock {
        Lock {
            engine: Arc::clone(self.engine()),
            name: checked_name(name),
            ttl: Ok(DEFAULT_TTL),
            wait: None,
        }
    }
}

impl Lock {
    /// How long the lock outlives a holder that died or cannot be reached: from 100 milliseconds to a day, 30 seconds
    /// where nothing is said. A holder that lives keeps it for as long as it likes: it is renewed after each third of
    /// this time.
    ///
    /// What is wrong with the time is told when the lock is acquired.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let guard = cache.lock("report").ttl("10s").acquire().await?;
    /// assert!(cache.lock("other").ttl("forever").acquire().await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn ttl(mut self, ttl: impl IntoTtl) -> Self {
        self.ttl = checked_ttl(ttl.into_ttl());
        self
    }

    /// How long [`acquire`](Self::acquire) waits for another holder; as long as the [ttl](Self::ttl) where nothing is
    /// said, so that a holder that died is waited out. `"forever"` has no end.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use larder::ErrorKind;
    ///
    /// let cache = larder::Cache::memory();
    /// let _mine = cache.lock("report").acquire().await?;
    /// let late = cache.lock("report").wait("10ms").acquire().await;
    /// assert_eq!(late.unwrap_err().kind(), ErrorKind::Locked);
    /// # Ok(()) }
    /// ```
    pub fn wait(mut self, wait: impl IntoTtl) -> Self {
        self.wait = Some(checked_wait(wait.into_ttl()));
        self
    }

    /// Takes the lock, and waits for it while another one has it.
    ///
    /// Who waits is woken when the lock is let go of, where the server can say so, and looks again and again elsewhere.
    /// There is no queue: of those who wait any may be next, and one of them may be passed over again and again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`](crate::ErrorKind::Locked) when another one had it all the time; whatever kept the shared
    /// tier from answering: nobody has a lock because nobody could be asked. [`ErrorKind::Template`](crate::ErrorKind::Template)
    /// for an empty name and for a time that is none, with what to write instead;
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a shared tier that has no locks.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it leaves no lock behind: what the shared tier grants to nobody is let go of again, in
    /// the background. Only if the shared tier cannot be reached for that, it takes the ttl.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let guard = cache.lock("report").acquire().await?;
    /// assert!(guard.is_held());
    /// # Ok(()) }
    /// ```
    pub async fn acquire(self) -> Result<LockGuard> {
        self.checked()?.acquire().await
    }

    /// Takes the lock if nobody has it now; `None` if somebody has. Waits for no holder.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire), but never `Locked`.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// match cache.lock("nightly-report").try_acquire().await? {
    ///     Some(guard) => println!("it is up to this process, with token {}", guard.fencing_token()),
    ///     None => println!("another one does it"),
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn try_acquire(self) -> Result<Option<LockGuard>> {
        self.checked()?.attempt().await
    }

    fn checked(self) -> Result<Ask> {
        let named = |error: Error| error.during("lock");
        let (name, ttl) = (self.name.map_err(named)?, self.ttl.map_err(named)?);
        let wait = self.wait.unwrap_or(Ok(Some(ttl))).map_err(named)?;
        let place = Place::of(&self.engine);
        Ok(Ask { engine: self.engine, place, name, ttl, wait })
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, ttl, wait, .. } = self;
        f.debug_struct("Lock")
            .field("name", name)
            .field("ttl", ttl)
            .field("wait", wait)
            .finish_non_exhaustive()
    }
}

/// All that an acquisition needs.
struct Ask {
    engine: Arc<Engine>,
    place: Place,
    name: Arc<str>,
    ttl: Duration,
    wait: Option<Duration>,
}

impl Ask {
    async fn acquire(self) -> Result<LockGuard> {
        let give_up = self.wait.and_then(|wait| Instant::now().checked_add(wait));
        let mut pause = NO_WAIT;
        loop {
            // Once more at the very end: a holder that died when the wait began is gone by then.
            let is_last = give_up.is_some_and(|at| at <= Instant::now());
            if let Some(guard) = self.attempt().await? {
                return Ok(guard);
            }
            if is_last {
                return Err(self.still_held());
            }
            let began = Instant::now();
            let left = give_up.map_or(LONGEST, |at| at.saturating_duration_since(began));
            self.place.ended(&self.name, left).await;
            if began.elapsed() < NO_WAIT {
                // Many may have been woken by one end, and a store may not know how to wait.
                sleep(pause.mul_f64(fastrand::f64()).min(left)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            } else {
                pause = NO_WAIT;
            }
        }
    }

    async fn attempt(&self) -> Result<Option<LockGuard>> {
        guard::attempt(&self.engine, &self.place, &self.name, self.ttl).await
    }

    fn still_held(&self) -> Error {
        let Self { name, wait, .. } = self;
        let waited = wait.unwrap_or(Duration::MAX);
        let message = format!(
            "another one has held the lock `{name}` for {waited:?}; wait longer with `.wait(…)`, or ask with `.try_acquire()`"
        );
        Error::new(ErrorKind::Locked, message).during("lock")
    }
}

/// Names are written as keys are, and are as long.
fn checked_name(name: &str) -> Result<Arc<str>> {
    if name.is_empty() {
        let message = "the lock has no name: write for instance `cache.lock(\"import:user:42\")`";
        return Err(Error::new(ErrorKind::Template, message));
    }
    Ok(raw_key(name, &mut KeyBuffer::new())?.text().into())
}

fn checked_ttl(ttl: Result<Option<Duration>>) -> Result<Duration> {
    let wrong = |what: &str| {
        let message = format!(
            "{what}: a lock's ttl is how long it outlives a holder that died; write for instance `.ttl(\"30s\")`, it is renewed while it is held"
        );
        Err(Error::new(ErrorKind::Template, message))
    };
    match ttl {
        Ok(Some(ttl)) if ttl < SHORTEST => wrong("less than 100 milliseconds"),
        Ok(Some(ttl)) if ttl <= LONGEST => Ok(ttl),
        Ok(Some(_)) => wrong("more than a day"),
        Ok(None) => wrong("for ever"),
        Err(error) if is_zero_ttl(&error) => wrong("no time at all"),
        Err(error) => Err(error),
    }
}

fn checked_wait(wait: Result<Option<Duration>>) -> Result<Option<Duration>> {
    wait.map_err(|error| match is_zero_ttl(&error) {
        true => Error::new(
            ErrorKind::Template,
            "a wait of no time at all: write `.try_acquire()`, which answers at once",
        ),
        false => error,
    })
}
