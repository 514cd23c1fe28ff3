//! What a shared tier says about itself.

/// What the servers of a shared tier say about themselves; what they do not say, or what is not known of such a tier, is
/// `None`. What [`Store::info`](crate::Store::info) answers.
///
/// Of several servers (a cluster) the numbers are sums. All are of the whole server, also of what others keep there.
///
/// ```
/// use cache_store::SharedInfo;
///
/// let mut info = SharedInfo::default();
/// assert_eq!(info.hit_rate(), None);
/// (info.hits, info.misses) = (Some(3), Some(1));
/// assert_eq!(info.hit_rate(), Some(0.75));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedInfo {
    /// How many servers have answered: the masters of a cluster, otherwise one.
    pub servers: usize,
    /// Which server it is: `redis` or `valkey`.
    pub server: Option<String>,
    /// Its version; of several the least.
    pub version: Option<String>,
    /// Bytes in use.
    pub memory_used: Option<u64>,
    /// The most bytes it will use; `None` also where there is no limit.
    pub memory_limit: Option<u64>,
    /// Keys of all its databases.
    pub keys: Option<u64>,
    /// Keys that made room for others since it started.
    pub evictions: Option<u64>,
    /// Keys found since it started, by whoever looked.
    pub hits: Option<u64>,
    /// Keys not found since then.
    pub misses: Option<u64>,
}

impl SharedInfo {
    /// The share of the looks that found a key, between 0 and 1; `None` where that is not known, or nobody looked.
    ///
    /// See [`SharedInfo`] for an example.
    #[must_use]
    pub fn hit_rate(&self) -> Option<f64> {
        let (hits, misses) = (self.hits?, self.misses?);
        let looks = hits.saturating_add(misses);
        (looks > 0).then(|| hits as f64 / looks as f64)
    }
}
