//! The same for sync code.

use std::fmt;

use cache_store::Result;

use super::{Lock as AsyncLock, LockGuard as AsyncGuard};
use crate::{blocking::not_here, runtime};

/// A lock that is about to be asked for by sync code. What [`Lock::blocking`](crate::Lock::blocking) gives.
///
/// ```
/// let cache = larder::Cache::memory();
/// let guard = cache.lock("import:user:123").ttl("30s").blocking().acquire()?;
/// assert!(guard.is_held());
/// guard.release()?;
/// # Ok::<(), larder::Error>(())
/// ```
#[must_use = "a lock is not held before it is acquired"]
#[derive(Debug)]
pub struct Lock(AsyncLock);

/// A lock that this process holds, for sync code. Dropping it lets go of the lock, in the background.
///
/// ```
/// let cache = larder::Cache::memory();
/// let guard = cache.lock("report").blocking().acquire()?;
/// println!("write with token {}", guard.fencing_token());
/// # Ok::<(), larder::Error>(())
/// ```
#[must_use = "a guard that is dropped lets go of its lock"]
pub struct LockGuard(AsyncGuard);

impl AsyncLock {
    /// The same for sync code: waits on the calling thread.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// assert!(cache.lock("report").blocking().try_acquire()?.is_some());
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn blocking(self) -> Lock {
        Lock(self)
    }
}

impl Lock {
    /// As [`Lock::acquire`](crate::Lock::acquire).
    ///
    /// # Errors
    ///
    /// As there; and when it is called on Larder's own thread, which cannot wait for itself.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// let guard = cache.lock("report").wait("1s").blocking().acquire()?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn acquire(self) -> Result<LockGuard> {
        let guard = runtime::wait_for(self.0.acquire()).unwrap_or_else(|| Err(not_here()))?;
        Ok(LockGuard(guard))
    }

    /// As [`Lock::try_acquire`](crate::Lock::try_acquire).
    ///
    /// # Errors
    ///
    /// As there; and when it is called on Larder's own thread, which cannot wait for itself.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// let _mine = cache.lock("report").blocking().acquire()?;
    /// assert!(cache.lock("report").blocking().try_acquire()?.is_none());
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn try_acquire(self) -> Result<Option<LockGuard>> {
        let guard = runtime::wait_for(self.0.try_acquire()).unwrap_or_else(|| Err(not_here()))?;
        Ok(guard.map(LockGuard))
    }
}

impl LockGuard {
    /// As [`LockGuard::fencing_token`](crate::LockGuard::fencing_token).
    ///
    /// See [`LockGuard`] for an example.
    #[must_use]
    pub fn fencing_token(&self) -> u64 {
        self.0.fencing_token()
    }

    /// As [`LockGuard::is_held`](crate::LockGuard::is_held).
    ///
    /// See [`Lock`] for an example.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.is_held()
    }

    /// As [`LockGuard::release`](crate::LockGuard::release).
    ///
    /// # Errors
    ///
    /// As there; and when it is called on Larder's own thread, which cannot wait for itself: the lock is let go of all
    /// the same.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// cache.lock("report").blocking().acquire()?.release()?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn release(self) -> Result<()> {
        runtime::wait_for(self.0.release()).unwrap_or_else(|| Err(not_here()))
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
