//! Companions of sync functions: the same as their async namesakes without `.await`.
//!
//! Where the entry lives in memory only, nothing is waited for. Otherwise the calling thread waits for a thread that
//! Larder owns, so these work inside and outside tokio. What is asked of a [`Cache`](crate::Cache) by hand is waited for in
//! the same way: [`Invalidate::wait`](crate::Invalidate::wait), [`Tagged::wait`](crate::Tagged::wait), [`Lock::blocking`](crate::Lock::blocking).
//!
//! ```
//! use larder::memoize;
//!
//! #[memoize(ttl = "60s")]
//! fn square(n: u64) -> u64 {
//!     n * n
//! }
//!
//! assert_eq!(square(7), 49);
//! assert_eq!(square_entry(7).get()?, Some(49));
//! square_cache().clear()?;
//! assert_eq!(square_entry(7).get()?, None);
//! # Ok::<(), larder::Error>(())
//! ```

pub use crate::lock::{BlockingLock as Lock, BlockingLockGuard as LockGuard};

use std::{fmt, sync::Arc, time::Duration};

use cache_store::{Error, ErrorKind, Result};

use crate::{
    engine::{Asker, Call},
    entry::{self, Entry as AsyncEntry, FnCache as AsyncFnCache},
    explain::{Explanation, InShared},
    key::KeyPart,
    private::{Given, Spec},
    runtime,
    stats::{FunctionStats, MemoryUsage},
};

/// One entry of an annotated sync function: what its companion `<name>_entry(..)` gives.
///
/// Every operation may block the calling thread for as long as the shared tier takes, at most a few of its deadlines.
/// On an async thread use it where the sync function itself would be called.
///
/// ```
/// #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
/// fn square(n: u64) -> u64 { n * n }
///
/// # larder::init(larder::Cache::memory())?;
/// square(7);
/// let entry = square_entry(7);
/// entry.set(50)?;
/// assert_eq!(square(7), 50);
/// entry.invalidate()?;
/// assert_eq!(square(7), 49);
/// # Ok::<(), larder::Error>(())
/// ```
pub struct Entry<T: 'static>(AsyncEntry<T>);

/// Everything that an annotated sync function stored: what its companion `<name>_cache()` gives.
///
/// ```
/// #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
/// fn square(n: u64) -> u64 { n * n }
///
/// # larder::init(larder::Cache::memory())?;
/// square(7);
/// square_cache().clear()?;
/// assert!(!square_entry(7).exists()?);
/// # Ok::<(), larder::Error>(())
/// ```
pub struct FnCache(AsyncFnCache);

#[doc(hidden)]
#[must_use]
pub fn entry_sync<V>(spec: &'static Spec<V>, cache: Given<'_>, key: &[&dyn KeyPart]) -> Entry<V> {
    Entry(entry::entry(spec, cache, key))
}

#[doc(hidden)]
#[must_use]
pub fn fn_cache_sync<V>(spec: &'static Spec<V>, cache: Given<'_>) -> FnCache {
    FnCache(entry::fn_cache(spec, cache))
}

pub(crate) fn not_here() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "a blocking operation cannot wait on Larder's own thread; call it from another one",
    )
}

/// Waits for the shared tier, or does the same in memory when there is none.
fn either<R: Send + 'static, F>(
    call: Call,
    in_memory: impl FnOnce(Call) -> Result<R>,
    shared: impl FnOnce(Call) -> F,
) -> Result<R>
where
    F: Future<Output = Result<R>> + Send + 'static,
{
    if call.engine.shared_for(call.site).is_none() {
        return in_memory(call);
    }
    runtime::wait_for(shared(call)).unwrap_or_else(|| Err(not_here()))
}

impl<T> Entry<T> {
    /// As [`Entry::key`](crate::Entry::key).
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory())?;
    /// assert_eq!(square_entry(7).key(), "square:7");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[must_use]
    pub fn key(&self) -> &str {
        self.0.key()
    }

    /// As [`Entry::get`](crate::Entry::get).
    ///
    /// # Errors
    ///
    /// As there; and when it is called on Larder's own thread, which cannot wait for itself.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory())?;
    /// square(7);
    /// assert_eq!(square_entry(7).get()?, Some(49));
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn get(&self) -> Result<Option<T>> {
        let Some(subject) = self.0.shown()? else { return Ok(None) };
        let kept = either(
            subject.call(false),
            |call| Ok(call.hit()),
            |call| async move { call.get().await },
        )?;
        Ok(kept.and_then(|kept| subject.copy(&kept)))
    }

    /// As [`Entry::set`](crate::Entry::set).
    ///
    /// # Errors
    ///
    /// As there; and when it is called on Larder's own thread, which cannot wait for itself.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory())?;
    /// square_entry(7).set(50)?;
    /// assert_eq!(square(7), 50); // a hit
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn set(&self, value: T) -> Result<()> {
        let subject = self.0.subject()?;
        let kept = subject.spec.value.keep(&value);
        let (life, learned) = (subject.life(&value), subject.learned(&value));
        let (here, there) = ((kept.clone(), learned.clone()), (kept, learned));
        either(
            subject.call(false),
            |call| call.set_in_memory(Some(here.0), life, here.1),
            |call| call.set(Some(there.0), life, there.1),
        )
    }

    /// As [`Entry::invalidate`](crate::Entry::invalidate).
    ///
    /// # Errors
    ///
    /// As there; and when it is called on Larder's own thread, which cannot wait for itself.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory())?;
    /// square(7);
    /// square_entry(7).invalidate()?;
    /// assert_eq!(square_entry(7).get()?, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn invalidate(&self) -> Result<()> {
        self.0.invalidate().run_sync()
    }

    /// As [`Entry::exists`](crate::Entry::exists).
    ///
    /// # Errors
    ///
    /// As there; and when it is called on Larder's own thread, which cannot wait for itself.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory())?;
    /// assert!(!square_entry(7).exists()?);
    /// square(7);
    /// assert!(square_entry(7).exists()?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn exists(&self) -> Result<bool> {
        let Some(call) = self.0.shown()?.map(|subject| subject.call(false)) else {
            return Ok(false);
        };
        let kept = either(call, |call| Ok(call.hit()), |call| async move { call.get().await })?;
        Ok(kept.is_some())
    }

    /// As [`Entry::ttl`](crate::Entry::ttl).
    ///
    /// # Errors
    ///
    /// As there; and when it is called on Larder's own thread, which cannot wait for itself.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory())?;
    /// square(7);
    /// assert!(square_entry(7).ttl()?.is_some());
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn ttl(&self) -> Result<Option<Duration>> {
        let Some(call) = self.0.shown()?.map(|subject| subject.call(false)) else {
            return Ok(None);
        };
        either(
            call,
            |call| Ok(call.remaining_in_memory()),
            |call| async move { call.remaining().await },
        )
    }

    /// As [`Entry::explain`](crate::Entry::explain).
    ///
    /// # Errors
    ///
    /// As there; and when it is called on Larder's own thread, which cannot wait for itself.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory())?;
    /// square(7);
    /// assert!(square_entry(7).explain()?.is_hit());
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn explain(&self) -> Result<Explanation> {
        let (call, asker) = (self.0.subject()?.call(false), Asker::Function);
        // Here: the thread that asks the shared tier is in no scope.
        let bypassed = call.bypass(asker);
        either(
            call,
            |call| Ok(call.explain_with(asker, bypassed, InShared::Unused)),
            |call| async move { Ok(call.explain(asker, bypassed).await) },
        )
    }

    /// As [`Entry::tag`](crate::Entry::tag).
    ///
    /// # Errors
    ///
    /// As there; and when it is called on Larder's own thread, which cannot wait for itself.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory())?;
    /// square(7);
    /// assert!(square_entry(7).tag(["lucky"])?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn tag<G: Into<String>>(&self, tags: impl IntoIterator<Item = G>) -> Result<bool> {
        let tags: Arc<[String]> = tags.into_iter().map(Into::into).collect();
        let also = Arc::clone(&tags);
        either(
            self.0.subject()?.call(false),
            |call| Ok(call.tag_in_memory(&tags)),
            |call| async move { call.tag(&also).await },
        )
    }

    #[doc(hidden)]
    #[must_use]
    pub fn tagged(self, parts: &[&dyn KeyPart]) -> Self {
        Self(self.0.tagged(parts))
    }

    #[doc(hidden)]
    #[must_use]
    pub fn ttl_override(self, ttl: Duration) -> Self {
        Self(self.0.ttl_override(ttl))
    }

    pub(crate) fn into_inner(self) -> AsyncEntry<T> {
        self.0
    }
}

impl FnCache {
    /// As [`FnCache::clear`](crate::FnCache::clear).
    ///
    /// # Errors
    ///
    /// As there; and when it is called on Larder's own thread, which cannot wait for itself.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory())?;
    /// square(7);
    /// square_cache().clear()?;
    /// assert!(!square_entry(7).exists()?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn clear(&self) -> Result<()> {
        self.0.clear().run_sync()
    }

    /// As [`FnCache::stats`](crate::FnCache::stats).
    ///
    /// ```
    /// # #[larder::memoize(key = "square:{n}")]
    /// # fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory()).unwrap();
    /// square(7);
    /// assert_eq!(square_cache().stats().misses, 1);
    /// ```
    #[must_use]
    pub fn stats(&self) -> FunctionStats {
        self.0.stats()
    }

    /// As [`FnCache::memory_usage`](crate::FnCache::memory_usage).
    ///
    /// ```
    /// # #[larder::memoize(key = "square:{n}")]
    /// # fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory()).unwrap();
    /// square(7);
    /// assert_eq!(square_cache().memory_usage().entries, 1);
    /// ```
    #[must_use]
    pub fn memory_usage(&self) -> MemoryUsage {
        self.0.memory_usage()
    }

    pub(crate) fn into_inner(self) -> AsyncFnCache {
        self.0
    }
}

impl<T> fmt::Debug for Entry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for FnCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
