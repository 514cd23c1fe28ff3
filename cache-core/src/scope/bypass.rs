//! Calls that read from no cache, whichever it is.

use std::future::Future;

use super::{Scope, in_scope, in_scope_sync};

impl Scope {
    /// The caller's, which reads from no cache.
    fn bypassing() -> Self {
        let here = Self::here().unwrap_or(Self { cache: None, bypass: true });
        Self { bypass: true, ..here }
    }
}

/// Runs a future that reads from no cache: one request that has to see the truth, while all others are served as ever.
///
/// In it, and in what it spawns through [`spawn`](crate::spawn) and [`spawn_blocking`](crate::spawn_blocking):
///
/// - every annotated reader, and [`get_or_set`](crate::Cache::get_or_set), runs its body. It neither looks into a cache, nor waits
///   for another caller's load, nor stores what it got; entries stay as they are. [`Stats::bypassed`](crate::Stats) counts it;
/// - [`get`](crate::Cache::get), `get_many` and the companions' `get`, `exists` and `ttl` find nothing;
/// - writers, `set`, `tag` and invalidations do what they always do: what they store is as new as can be, and a request that
///   reads past the cache still has to tell others what it changed.
///
/// It holds for all caches, also those of `cache = ..`. To renew an entry rather than to look past it, invalidate it and call.
///
/// # Cancel safety
///
/// That of the future.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
///
/// static RUNS: AtomicU32 = AtomicU32::new(0);
///
/// #[larder::cache_aside(key = "price:{id}", ttl = "5m")]
/// async fn price(id: u64) -> u32 {
///     100 + RUNS.fetch_add(1, Relaxed) + id as u32
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// assert_eq!(price(7).await, 107);
/// assert_eq!(larder::bypass(async { price(7).await }).await, 108); // the body's own
/// assert_eq!(price(7).await, 107); // what was cached is there still
/// # Ok(()) }
/// ```
pub async fn bypass<F: Future>(future: F) -> F::Output {
    in_scope(Scope::bypassing(), future).await
}

/// Runs a closure that reads from no cache: [`bypass`] for sync code, on its thread. Needs no runtime.
///
/// ```
/// use larder::{Cache, bypass_sync, memoize, scoped_sync};
///
/// #[memoize(key = "square:{n}")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let mine = Cache::memory();
/// scoped_sync(mine.clone(), || bypass_sync(|| assert_eq!(square(7), 49)));
/// assert_eq!((mine.stats().loads, mine.stats().bypassed), (0, 1));
/// ```
pub fn bypass_sync<R>(f: impl FnOnce() -> R) -> R {
    in_scope_sync(Scope::bypassing(), f)
}
