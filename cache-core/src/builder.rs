//! Builds a [`Cache`].

use std::{sync::Arc, time::Duration};

use cache_store::{Result, Store};

use crate::{
    cache::Cache,
    clock::Clock,
    codec::Codec,
    config::{Backend, CacheConfig},
    engine::{Engine, Settings},
    explicit::IntoTtl,
};

/// Builds a [`Cache`]; what is not said has the defaults of [`CacheConfig`].
///
/// ```
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// let cache = cache_core::Cache::builder()
///     .max_entries(100_000)
///     .default_ttl(Duration::from_secs(300))
///     .prefix("shop:")
///     .build()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before `build`"]
pub struct CacheBuilder {
    config: CacheConfig,
    /// `None` inside for entries that live until something ends them.
    default_ttl: Option<Result<Option<Duration>>>,
    max_bytes: Option<u64>,
    clock: Clock,
    store: Option<Arc<dyn Store>>,
}

impl Default for CacheBuilder {
    fn default() -> Self {
        Self {
            config: CacheConfig { backend: Backend::Auto, ..CacheConfig::default() },
            default_ttl: None,
            max_bytes: None,
            clock: Clock::system(),
            store: None,
        }
    }
}

impl CacheBuilder {
    /// A builder with these settings.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    pub fn from_config(config: CacheConfig) -> Result<Self> {
        config.validate()?;
        Ok(Self { config, ..Self::default() })
    }

    /// The most entries in the memory tier, at least 1. To keep nothing in memory write `layer = "shared"`.
    pub fn max_entries(mut self, entries: u64) -> Self {
        self.config.max_memory_entries = entries;
        self
    }

    /// The most bytes in the memory tier, instead of a number of entries. An entry counts as many bytes as it has when
    /// encoded for the shared tier; one that never was (in a cache without one) counts its key and 64 bytes.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// How long entries live where nothing else is said: a [`Duration`], seconds, `"5m"` or `"forever"`.
    pub fn default_ttl(mut self, ttl: impl IntoTtl) -> Self {
        self.default_ttl = Some(ttl.into_ttl());
        self
    }

    /// What the names of all keys in the shared tier begin with: caches with different prefixes do not see each other.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.config.key_prefix = prefix.into();
        self
    }

    /// How far behind another process's invalidation this process's memory may be. Entries of the shared tier are kept
    /// in memory no longer than this.
    pub fn coherence_bound(mut self, bound: Duration) -> Self {
        self.config.coherence_bound = bound;
        self
    }

    /// How long a caller waits for another caller's load before it runs the body itself.
    pub fn flight_wait(mut self, wait: Duration) -> Self {
        self.config.flight_wait = wait;
        self
    }

    /// How long a call waits for one answer of the shared tier before it goes on without.
    pub fn shared_deadline(mut self, deadline: Duration) -> Self {
        self.config.shared_deadline = deadline;
        self
    }

    /// The largest encoded value that is stored in or read from the shared tier.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.config.max_value_bytes = bytes;
        self
    }

    /// How values are encoded for the shared tier. Entries say how they were encoded, so a change needs no flush.
    pub fn codec(mut self, codec: Codec) -> Self {
        self.config.codec = codec;
        self
    }

    /// Whether anything is cached at all; `false`: every call runs its body.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.config.enabled = enabled;
        self
    }

    /// The clock by which entries in memory expire, for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The shared tier at this URL: `redis://`, `rediss://`, `unix://`, and what the `larder` crate's guide on Redis says.
    #[cfg(feature = "redis")]
    pub fn redis(mut self, url: impl Into<String>) -> Self {
        self.config.redis_url = Some(url.into());
        self.config.backend = Backend::Redis;
        self
    }

    /// A shared tier of your own, which should pass `cache_store::conformance_tests!`.
    pub fn shared(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Builds the cache and connects to the shared tier, if there is one.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the settings; wrong credentials; a URL that is malformed or needs a feature that is
    /// not compiled in. A server that cannot be reached is no error: calls run without it until it can be.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is kept.
    pub async fn build(self) -> Result<Cache> {
        let settings = self.settings()?;
        let store = match (self.store.clone(), self.config.shared_url()) {
            (Some(store), _) => Some(store),
            (None, Some(url)) => Some(connect(&self.config, url).await?),
            (None, None) => None,
        };
        Ok(self.finish(settings, store))
    }

    /// Builds the cache without waiting: the shared tier is connected to by the first call that needs it.
    pub(crate) fn build_lazily(self) -> Result<Cache> {
        let settings = self.settings()?;
        let store = match (self.store.clone(), self.config.shared_url()) {
            (Some(store), _) => Some(store),
            (None, Some(url)) => Some(connect_lazily(&self.config, url)?),
            (None, None) => None,
        };
        Ok(self.finish(settings, store))
    }

    pub(crate) fn build_in_memory(self) -> Cache {
        let settings = self.unchecked(Some(self.config.default_ttl));
        self.finish(settings, None)
    }

    fn settings(&self) -> Result<Settings> {
        self.config.validate()?;
        if self.config.enabled && !self.config.codec.is_compiled_in() {
            return Err(self.config.codec.not_compiled_in());
        }
        let default_ttl = self.default_ttl.clone().unwrap_or(Ok(Some(self.config.default_ttl)));
        let default_ttl = default_ttl.map_err(|error| error.during("build"))?;
        Ok(self.unchecked(default_ttl))
    }

    fn unchecked(&self, default_ttl: Option<Duration>) -> Settings {
        let config = &self.config;
        Settings {
            max_entries: config.max_memory_entries,
            max_bytes: self.max_bytes,
            default_ttl,
            coherence_bound: config.coherence_bound,
            flight_wait: config.flight_wait,
            limits: config.limits(),
            codec: config.codec,
            clock: self.clock.clone(),
        }
    }

    fn finish(self, settings: Settings, store: Option<Arc<dyn Store>>) -> Cache {
        Cache::from_engine(Engine::new(settings, store, self.config.enabled))
    }
}

#[cfg(feature = "redis")]
fn redis_config(config: &CacheConfig, url: &str) -> Result<cache_redis::RedisConfig> {
    Ok(cache_redis::RedisConfig::new(url)
        .prefix(config.key_prefix.as_str())
        .deadline(config.shared_deadline)
        .runtime(crate::runtime::handle()?.clone()))
}

#[cfg(feature = "redis")]
async fn connect(config: &CacheConfig, url: &str) -> Result<Arc<dyn Store>> {
    let store = cache_redis::RedisStore::connect(redis_config(config, url)?).await?;
    Ok(store)
}

#[cfg(feature = "redis")]
fn connect_lazily(config: &CacheConfig, url: &str) -> Result<Arc<dyn Store>> {
    let store = cache_redis::RedisStore::lazy(redis_config(config, url)?)?;
    Ok(store)
}

#[cfg(not(feature = "redis"))]
async fn connect(config: &CacheConfig, url: &str) -> Result<Arc<dyn Store>> {
    connect_lazily(config, url)
}

#[cfg(not(feature = "redis"))]
fn connect_lazily(_: &CacheConfig, _: &str) -> Result<Arc<dyn Store>> {
    Err(cache_store::Error::new(
        cache_store::ErrorKind::Config,
        "a Redis URL is set, but the crate was built without it; add the feature `redis` to `larder`",
    ))
}
