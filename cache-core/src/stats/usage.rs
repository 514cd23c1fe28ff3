//! How much of the memory tier is taken, for those who ask.

use std::fmt;

/// How many entries are in memory at the moment, and how large they are; Displays as `3 entries, 1234 bytes`.
///
/// [`FnCache::memory_usage`](crate::FnCache::memory_usage) gives it for a function, and
/// [`Cache::memory_usage`](crate::Cache::memory_usage) for a cache. Both look at every entry of the cache when they are called, for
/// nothing is counted for it before.
///
/// ```
/// #[larder::memoize(key = "square:{n}")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// # larder::init(larder::Cache::memory()).unwrap();
/// square(7);
/// square(8);
/// println!("{}", square_cache().memory_usage()); // 2 entries, 144 bytes
/// # assert_eq!(square_cache().memory_usage().to_string(), "2 entries, 144 bytes");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryUsage {
    /// Entries that may be served: those that are stale, or that this process has invalidated, do not count.
    pub entries: u64,
    /// What these weigh where memory is bounded by [`max_bytes`](crate::CacheBuilder::max_bytes): the key and the encoded value of
    /// an entry that was encoded for the shared tier, else the key and 64 bytes, whatever the value takes.
    pub bytes: u64,
}

impl fmt::Display for MemoryUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entries, {} bytes", self.entries, self.bytes)
    }
}
