//! The snapshot of one function's counters that users see.

use std::time::Duration;

use crate::{
    private::Site,
    stats::{Counter, mean, share},
};

/// What one annotated function did in one cache and this process, since the cache was built; Displays as one line.
///
/// [`FnCache::stats`](crate::FnCache::stats) gives it for one function, [`Cache::function_stats`](crate::Cache::function_stats) for
/// all that were called. The instances of a generic function are counted together.
///
/// How many entries a function has is counted when it is asked for: [`FnCache::memory_usage`](crate::FnCache::memory_usage). How many
/// were evicted is known of the whole cache alone ([`Stats`](crate::Stats)): entries belong to keys, which several functions may
/// share, and memory does not note whose an entry is.
///
/// ```
/// #[larder::memoize(key = "square:{n}")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// # fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// square(7);
/// square(7);
/// let stats = square_cache().stats();
/// assert_eq!((stats.hits(), stats.misses, stats.hit_rate()), (1, 1, 0.5));
/// assert_eq!(stats.key(), "square:{}");
/// println!("{stats}");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionStats {
    name: String,
    key: String,
    /// Reads answered by the memory tier.
    pub hits_memory: u64,
    /// Reads answered by the shared tier.
    pub hits_shared: u64,
    /// Hits, counted above as well, on a stored `None`.
    pub negative_hits: u64,
    /// Reads that neither tier answered.
    pub misses: u64,
    /// Runs of the body on behalf of the cache.
    pub loads: u64,
    /// Those of them that failed: the body returned an error, or in a batch nothing that could be kept.
    pub load_errors: u64,
    /// The time of those runs, summed up.
    pub load_time: Duration,
    /// The longest of them.
    pub load_time_max: Duration,
    /// Misses that waited for a load under way instead of running their own.
    pub coalesced: u64,
    /// Values stored.
    pub fills: u64,
    /// Values not stored because an invalidation overtook their load.
    pub fills_fenced: u64,
    /// Bodies that failed or were late and had a value that was not fresh stand in for theirs.
    pub stale_served: u64,
    /// Renewals that were begun in the background.
    pub refreshes: u64,
    /// Entries of the shared tier that were refused, whatever the reason, and values that could not be stored there:
    /// [`Stats`](crate::Stats) tells the reasons apart.
    pub refused: u64,
}

impl FunctionStats {
    pub(crate) fn new(site: &Site, get: impl Fn(Counter) -> u64) -> Self {
        Self {
            name: format!("{}::{}", site.module, site.function),
            key: site.key.join("{}"),
            ..Self::of_keys(get)
        }
    }

    pub(super) fn of_keys(get: impl Fn(Counter) -> u64) -> Self {
        Self {
            name: String::new(),
            key: String::new(),
            hits_memory: get(Counter::HitsMemory),
            hits_shared: get(Counter::HitsShared),
            negative_hits: get(Counter::NegativeHits),
            misses: get(Counter::Misses),
            loads: get(Counter::Loads),
            load_errors: get(Counter::LoadErrors),
            load_time: Duration::from_nanos(get(Counter::LoadNanos)),
            load_time_max: Duration::from_nanos(get(Counter::LoadNanosMax)),
            coalesced: get(Counter::Coalesced),
            fills: get(Counter::Fills),
            fills_fenced: get(Counter::FillsFenced),
            stale_served: get(Counter::StaleServed),
            refreshes: get(Counter::Refreshes),
            refused: Counter::REFUSALS.into_iter().map(get).sum(),
        }
    }

    /// The module's path and the function's name.
    ///
    /// ```
    /// # #[larder::memoize] fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory()).unwrap();
    /// assert!(square_cache().stats().name().ends_with("::square"));
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The template of its keys, with `{}` for each argument. It tells methods of one name apart.
    ///
    /// See [`FunctionStats`] for an example.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Reads that were answered, by either tier.
    ///
    /// See [`FunctionStats`] for an example.
    #[must_use]
    pub const fn hits(&self) -> u64 {
        self.hits_memory + self.hits_shared
    }

    /// The share of reads that were answered, between 0 and 1; 0 when nothing was read.
    ///
    /// See [`FunctionStats`] for an example.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        share(self.hits(), self.misses)
    }

    /// The mean time of a load; zero when there was none.
    ///
    /// ```
    /// # #[larder::memoize] fn square(n: u64) -> u64 { n * n }
    /// # larder::init(larder::Cache::memory()).unwrap();
    /// assert!(square_cache().stats().mean_load_time().is_zero());
    /// square(7);
    /// println!("{:?}", square_cache().stats().mean_load_time());
    /// ```
    #[must_use]
    pub fn mean_load_time(&self) -> Duration {
        mean(self.load_time, self.loads)
    }
}
