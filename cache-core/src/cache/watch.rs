//! What a cache did, and how it is.

use cache_store::{Health, Result, SharedInfo};

use super::Cache;
use crate::{
    engine::Asker,
    events::Events,
    explain::Explanation,
    stats::{FunctionStats, MemoryUsage, Stats},
};

impl Cache {
    /// What happened in this cache so far, counted by this process.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// println!("{}", cache.stats());
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// Why a [`get`](Self::get) of the key would hit or miss: as [`Entry::explain`](crate::Entry::explain), but without knowing
    /// the type and the function of the entry, so that neither is checked.
    ///
    /// # Errors
    ///
    /// When the key is empty.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("user:42", &1_u8).tags(["users"]).await?;
    /// assert!(cache.explain("user:42").await?.is_hit());
    /// cache.invalidate_tags(["users"]).await?;
    /// println!("{}", cache.explain("user:42").await?);
    /// # Ok(()) }
    /// ```
    pub async fn explain(&self, key: &str) -> Result<Explanation> {
        let subject = self.subject::<bool>(key).map_err(|error| error.during("explain"))?;
        let call = subject.call(false);
        let bypassed = call.bypass(Asker::Key);
        Ok(call.explain(Asker::Key, bypassed).await)
    }

    /// What each annotated function did with this cache, by name; those that were not called are not listed. What belongs to no
    /// function, as reads of keys given by hand, is in [`stats`](Self::stats) alone, which counts everything.
    ///
    /// ```
    /// #[larder::memoize(key = "square:{n}", cache = cache, skip(cache))]
    /// fn square(cache: &larder::Cache, n: u64) -> u64 {
    ///     n * n
    /// }
    ///
    /// let cache = larder::Cache::memory();
    /// square(&cache, 7);
    /// for function in cache.function_stats() {
    ///     println!("{function}"); // crate::square: 0 hits, 1 misses (0.0 %), 1 loads of 1.2µs, 1.2µs at most
    /// }
    /// # assert_eq!(cache.function_stats().len(), 1);
    /// ```
    #[must_use]
    pub fn function_stats(&self) -> Vec<FunctionStats> {
        self.0.functions.stats()
    }

    /// What is in memory at the moment; for one function it is [`FnCache::memory_usage`](crate::FnCache::memory_usage).
    /// [`Stats::entries`] costs nothing beside it, and counts what was invalidated until its memory is given back.
    ///
    /// **Looks at every entry of the cache**, on the calling thread: for a page of figures or a test, and not for each call.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("user:42", &"Ada".to_owned()).await?;
    /// assert_eq!(cache.memory_usage().entries, 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn memory_usage(&self) -> MemoryUsage {
        self.0.memory_usage(None)
    }

    /// Tells the [sink of metrics](crate::CacheBuilder::metrics) what was counted since it was told last, and how things are now. That is done
    /// every ten seconds anyhow: this is for who wants it at a time of their own, as when an exporter is asked. Without a sink nothing
    /// happens.
    ///
    /// See [`MetricsSink`](crate::metrics::MetricsSink) for an example.
    pub fn publish_metrics(&self) {
        self.0.publish_metrics();
    }

    /// Whether the tiers work now. One round trip where there is a shared tier.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let health = larder::Cache::memory().health().await;
    /// assert!(health.is_healthy());
    /// assert!(health.shared.is_none()); // there is no shared tier
    /// # }
    /// ```
    pub async fn health(&self) -> CacheHealth {
        let shared = match &self.0.shared {
            Some(store) => Some(store.health().await),
            None => None,
        };
        let session = self.0.session.is_live(self.0.now());
        CacheHealth {
            shared,
            session,
            waiting_invalidations: self.0.waiting(),
            disabled: !self.0.enabled(),
        }
    }

    /// What the servers of the shared tier say about themselves: version, memory, keys, evictions, hit rate. `None` where there
    /// is no shared tier. One round trip, two to a cluster, each within the tier's deadline.
    ///
    /// # Errors
    ///
    /// When a server does not answer. Nothing is counted for that.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// assert!(cache.shared_info().await?.is_none());
    /// # Ok(()) }
    /// ```
    pub async fn shared_info(&self) -> Result<Option<SharedInfo>> {
        let Some(store) = &self.0.shared else { return Ok(None) };
        store.info().await.map(Some).map_err(|error| error.during("shared_info"))
    }

    /// What happens in this cache from now on. A listener that is slow loses the oldest events and is told how many;
    /// it never slows the cache down.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let mut events = cache.events();
    /// cache.invalidate("user:42").await?;
    /// println!("{:?}", events.next().await);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn events(&self) -> Events {
        self.0.events.subscribe()
    }
}

/// How the tiers are.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let health = larder::Cache::memory().health().await;
/// assert_eq!(health.waiting_invalidations, 0);
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CacheHealth {
    /// The shared tier's answer; `None` where there is no shared tier.
    pub shared: Option<Health>,
    /// Whether news of other processes' invalidations is reliable now, so that memory serves entries until they expire;
    /// otherwise it serves them for the coherence bound only. `None` where there is no news: no shared tier, or nothing
    /// was kept of it yet.
    pub session: Option<bool>,
    /// How many invalidations wait for the shared tier to confirm them.
    pub waiting_invalidations: usize,
    /// Whether the cache is off ([`Cache::set_enabled`]). That is no illness: the tiers are as the other fields say.
    pub disabled: bool,
}

impl CacheHealth {
    /// Whether everything that is configured answers, and no invalidation waits.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// assert!(larder::Cache::memory().health().await.is_healthy());
    /// # }
    /// ```
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.reachable)
            && self.waiting_invalidations == 0
    }
}
