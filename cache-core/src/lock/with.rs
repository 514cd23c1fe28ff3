//! A future that runs while a lock is held.

use std::future::Future;

use cache_store::{Error, ErrorKind, Result};

use crate::{cache::Cache, explicit::IntoTtl};

impl Cache {
    /// Runs a future while a [lock](Self::lock) is held, and gives what it returns. Waits for another holder for as long as
    /// `ttl`; the lock is renewed while the future runs, so a long one needs no long `ttl`.
    ///
    /// The future is not polled before the lock is had, and **dropped, half-way, when the lock is lost**: from then on
    /// another process may run its own. A process that stands still notices neither, so what the future writes is safe from
    /// its successor only with a [fencing token](crate::LockGuard::fencing_token). For one of those, for another wait, and to
    /// go on without the lock, there is [`Cache::lock`].
    ///
    /// # Errors
    ///
    /// Those of [`Lock::acquire`](crate::Lock::acquire), and nothing has run. [`ErrorKind::Fenced`](crate::ErrorKind::Fenced)
    /// when the lock was lost: the message says whether the future was dropped, or had come to its end before it was
    /// known. A lock that cannot be given back in time is no error: it is in the background, or ends with its ttl.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the future is dropped where it stands, and the lock is let go of.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let rows = cache.with_lock("import:user:123", "30s", async { 7 }).await?;
    /// assert_eq!(rows, 7);
    /// # Ok(()) }
    /// ```
    pub async fn with_lock<F: Future>(
        &self,
        name: &str,
        ttl: impl IntoTtl,
        future: F,
    ) -> Result<F::Output> {
        let lock = self.lock(name).ttl(ttl);
        let guard = lock.acquire().await?;
        let lost = guard.lost();
        let value = tokio::select! {
            // What is no longer protected is not polled once more.
            biased;
            () = lost => return Err(lost_error(name, "what ran under it was dropped half-way")),
            value = future => value,
        };
        match guard.release().await {
            Err(error) if error.kind() == ErrorKind::Fenced => {
                let what = "what ran under it was done, and another one may have been at it, too";
                Err(lost_error(name, what).with_source(error))
            }
            // Whoever did the work is told so; the lock is let go of in the background.
            Ok(()) | Err(_) => Ok(value),
        }
    }
}

fn lost_error(name: &str, what: &str) -> Error {
    Error::new(ErrorKind::Fenced, format!("the lock `{name}` was lost: {what}")).during("with_lock")
}
