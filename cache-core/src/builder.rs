//! Builds a [`Cache`].

use std::{sync::Arc, time::Duration};

use cache_store::{Result, Store};
use tokio::runtime::Handle;

use crate::{
    cache::Cache,
    clock::Clock,
    codec::Codec,
    compression::Compression,
    config::{Backend, CacheConfig},
    encryption::EncryptionKeys,
    engine::{Engine, Settings},
    envelope::Packing,
    explicit::IntoTtl,
    rules::InvalidationRules,
};

/// Builds a [`Cache`]; what is not said has the defaults of [`CacheConfig`].
///
/// ```
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let cache = larder::Cache::builder()
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
    runtime: Option<Handle>,
    rules: InvalidationRules,
    encryption: Option<EncryptionKeys>,
    background_limit: usize,
    front: bool,
}

impl Default for CacheBuilder {
    fn default() -> Self {
        Self {
            config: CacheConfig { backend: Backend::Auto, ..CacheConfig::default() },
            default_ttl: None,
            max_bytes: None,
            clock: Clock::system(),
            store: None,
            runtime: None,
            rules: InvalidationRules::new(),
            encryption: None,
            background_limit: 256,
            front: true,
        }
    }
}

impl CacheBuilder {
    /// A builder with these settings.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use larder::{CacheBuilder, CacheConfig};
    ///
    /// let cache = CacheBuilder::from_config(CacheConfig::from_env()?)?.max_bytes(64 << 20).build().await?;
    /// # Ok(()) }
    /// ```
    pub fn from_config(config: CacheConfig) -> Result<Self> {
        config.validate()?;
        Ok(Self { config, ..Self::default() })
    }

    /// The most entries in the memory tier, at least 1. To keep nothing in memory write `layer = "shared"`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::builder().max_entries(100_000).build().await?;
    /// # Ok(()) }
    /// ```
    pub fn max_entries(mut self, entries: u64) -> Self {
        self.config.max_memory_entries = entries;
        self
    }

    /// The most bytes in the memory tier, instead of a number of entries. An entry counts as many bytes as it has when
    /// encoded for the shared tier; one that never was (in a cache without one) counts its key and 64 bytes.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::builder().max_bytes(64 << 20).build().await?;
    /// # Ok(()) }
    /// ```
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Whether each thread keeps copies of the entries that it was given last, on by default. A hit on one takes no lock, renders
    /// no key and allocates nothing. Copies are never served once their entry is invalidated, replaced, expired or evicted.
    ///
    /// At most 512 copies a thread are kept for all caches together, a quarter of [`max_entries`](Self::max_entries) where that is
    /// less; they share the value with the memory tier. A value that was invalidated or evicted is dropped when the thread
    /// needs the place, or comes by after some 1,000 other hits; so turn this off where few large values fill the memory, or
    /// where dropping a value has an effect that others wait for.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::builder().front(false).build().await?;
    /// # Ok(()) }
    /// ```
    pub fn front(mut self, on: bool) -> Self {
        self.front = on;
        self
    }

    /// How long entries live where nothing else is said: a [`Duration`], seconds, `"5m"` or `"forever"`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::builder().default_ttl("10m").build().await?;
    /// assert!(larder::Cache::builder().default_ttl("soon").build().await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn default_ttl(mut self, ttl: impl IntoTtl) -> Self {
        self.default_ttl = Some(ttl.into_ttl());
        self
    }

    /// What the names of all keys in the shared tier begin with: caches with different prefixes do not see each other.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::builder().prefix("shop:").build().await?;
    /// # Ok(()) }
    /// ```
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.config.key_prefix = prefix.into();
        self
    }

    /// How far behind another process's invalidation this process's memory may be. Entries of the shared tier are kept
    /// in memory no longer than this.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use std::time::Duration;
    ///
    /// let cache = larder::Cache::builder().coherence_bound(Duration::from_millis(500)).build().await?;
    /// # Ok(()) }
    /// ```
    pub fn coherence_bound(mut self, bound: Duration) -> Self {
        self.config.coherence_bound = bound;
        self
    }

    /// How long a caller waits for another caller's load before it runs the body itself.
    /// Default 5 seconds. Raise it above the time that the slowest body takes: one of the waiting callers runs the body as
    /// well when it is over, since whoever runs it may have stopped being polled.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use std::time::Duration;
    ///
    /// let cache = larder::Cache::builder().flight_wait(Duration::from_secs(1)).build().await?;
    /// # Ok(()) }
    /// ```
    pub fn flight_wait(mut self, wait: Duration) -> Self {
        self.config.flight_wait = wait;
        self
    }

    /// How long a call waits for one answer of the shared tier before it goes on without.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use std::time::Duration;
    ///
    /// let cache = larder::Cache::builder().shared_deadline(Duration::from_millis(100)).build().await?;
    /// # Ok(()) }
    /// ```
    pub fn shared_deadline(mut self, deadline: Duration) -> Self {
        self.config.shared_deadline = deadline;
        self
    }

    /// The largest encoded value that is stored in or read from the shared tier.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::builder().max_value_bytes(1 << 20).build().await?;
    /// # Ok(()) }
    /// ```
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.config.max_value_bytes = bytes;
        self
    }

    /// How values are encoded for the shared tier. Entries say how they were encoded, so a change needs no flush.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use larder::{Cache, Codec};
    ///
    /// # if Codec::Json.is_compiled_in() {
    /// let cache = Cache::builder().codec(Codec::Json).build().await?; // feature `json`
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn codec(mut self, codec: Codec) -> Self {
        self.config.codec = codec;
        self
    }

    /// How values of at least `from_bytes` encoded bytes are compressed for the shared tier; values in memory never are.
    /// Entries say how they were compressed, so a change needs no flush. Default: not at all. A kilobyte is a good start:
    /// little of what is smaller gets smaller.
    ///
    /// With [`encryption`](Self::encryption) the length of an entry then tells something of what is in it; see the guide
    /// on values (`larder::docs::values`).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use larder::{Cache, Compression};
    ///
    /// # if Compression::Lz4.is_compiled_in() {
    /// let cache = Cache::builder().compression(Compression::Lz4, 1024).build().await?; // feature `lz4`
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn compression(mut self, compression: Compression, from_bytes: usize) -> Self {
        self.config.compression = compression;
        self.config.compress_from_bytes = from_bytes;
        self
    }

    /// Encrypts every value in the shared tier with XChaCha20-Poly1305 (feature `encryption`) and binds it to its key, the
    /// [prefix](Self::prefix), its tags and its type, so that whoever can write to the shared tier can neither read it,
    /// nor change it, nor move it. From then on nothing is believed that is not encrypted: such entries are misses, and so
    /// are encrypted ones for a cache without keys. How to change the keys: [`EncryptionKeys`].
    ///
    /// Keys, tags, lengths and times stay in the clear, and values in memory are as they are. Another prefix, which a
    /// [`shared`](Self::shared) tier may have of its own, must be said here as well.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use larder::{Cache, EncryptionKeys};
    ///
    /// # let secret = [7; 32];
    /// let keys = EncryptionKeys::new(1, &secret)?; // 32 random bytes, the same in all processes
    /// # if cfg!(feature = "encryption") {
    /// let cache = Cache::builder().encryption(keys).build().await?; // feature `encryption`
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn encryption(mut self, keys: EncryptionKeys) -> Self {
        self.encryption = Some(keys);
        self
    }

    /// Whether anything is cached at all; `false`: every call runs its body.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::builder().enabled(false).build().await?;
    /// for _ in 0..2 {
    ///     cache.get_or_set("answer", || async { Ok::<_, larder::Error>(42) }).await?;
    /// }
    /// assert_eq!(cache.stats().fills, 0); // both ran, neither was stored
    /// # Ok(()) }
    /// ```
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.config.enabled = enabled;
        self
    }

    /// The clock by which entries in memory expire, for tests.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use std::time::Duration;
    /// use larder::{Cache, Clock};
    ///
    /// let (clock, hand) = Clock::manual();
    /// let cache = Cache::builder().clock(clock).build().await?;
    /// cache.set("token", &1_u8).ttl("5m").await?;
    /// hand.advance(Duration::from_secs(301));
    /// assert_eq!(cache.get::<u8>("token").await?, None);
    /// # Ok(()) }
    /// ```
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Where background work runs: the connections, the coherence session, the renewal of leases and the repetition of
    /// invalidations. Default: a thread that Larder owns, which outlives every runtime. With a runtime of your own, all of
    /// that ends with it; a test whose time is paused wants [`Clock::tokio`] beside it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use larder::{Cache, Clock};
    ///
    /// let here = tokio::runtime::Handle::current();
    /// let cache = Cache::builder().clock(Clock::tokio()).runtime(here).build().await?;
    /// # Ok(()) }
    /// ```
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// The most bodies that run in the background at a time: renewals of `stale(while_revalidate = ..)`, `refresh_ahead`
    /// and `early_refresh`, and bodies that go on after their `soft_timeout`. Default 256. Over it nothing is renewed, which
    /// [`Stats::refreshes_limited`](crate::Stats::refreshes_limited) counts; a body that is late is waited for.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::builder().background_limit(32).build().await?;
    /// # Ok(()) }
    /// ```
    pub fn background_limit(mut self, bodies: usize) -> Self {
        self.background_limit = bodies;
        self
    }

    /// What the application's own events invalidate when they are [published](Cache::publish). Adds to rules that were
    /// given before.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use larder::{Cache, InvalidationRules, Invalidations};
    ///
    /// struct PricesChanged;
    ///
    /// let rules = InvalidationRules::new().on::<PricesChanged>(|_| Invalidations::new().tag("price"));
    /// let cache = Cache::builder().rules(rules).build().await?;
    /// cache.publish(PricesChanged).await?;
    /// # Ok(()) }
    /// ```
    pub fn rules(mut self, rules: InvalidationRules) -> Self {
        self.rules = self.rules.and(rules);
        self
    }

    /// The shared tier at this URL: `redis://`, `rediss://`, `unix://`, `redis-sentinel://`, `redis-cluster://`. Feature
    /// `redis`; see the guide on Redis (`larder::docs::redis`).
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::builder().redis("redis://127.0.0.1:6379/0").build().await?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "redis")]
    pub fn redis(mut self, url: impl Into<String>) -> Self {
        self.config.redis_url = Some(url.into());
        self.config.backend = Backend::Redis;
        self
    }

    /// A shared tier of your own: a [`Store`], which should pass `larder::testing::conformance_tests!` (feature
    /// `test-util`). It takes precedence over a URL.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use std::sync::Arc;
    /// use larder::testing::MemoryStore; // feature `test-util`
    ///
    /// let cache = larder::Cache::builder().shared(Arc::new(MemoryStore::new())).build().await?;
    /// assert!(cache.health().await.shared.is_some());
    /// # Ok(()) }
    /// ```
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
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::builder().build().await?;
    /// assert!(larder::Cache::builder().max_entries(0).build().await.is_err());
    /// # Ok(()) }
    /// ```
    pub async fn build(self) -> Result<Cache> {
        let settings = self.settings()?;
        let store = match (self.store.clone(), self.config.shared_url()) {
            (Some(store), _) => Some(store),
            (None, Some(url)) => Some(self.connect(url).await?),
            (None, None) => None,
        };
        Ok(self.finish(settings, store))
    }

    /// Builds the cache without waiting: the shared tier is connected to by the first call that needs it.
    pub(crate) fn build_lazily(self) -> Result<Cache> {
        let settings = self.settings()?;
        let store = match (self.store.clone(), self.config.shared_url()) {
            (Some(store), _) => Some(store),
            (None, Some(url)) => Some(self.connect_lazily(url)?),
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
        if self.config.enabled && !self.config.compression.is_compiled_in() {
            return Err(self.config.compression.not_compiled_in());
        }
        if let Some(keys) = &self.encryption {
            keys.check_compiled_in()?;
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
            packing: Packing {
                compression: config.compression,
                compress_from: config.compress_from_bytes,
                encryption: self.encryption.clone(),
                prefix: config.key_prefix.as_str().into(),
            },
            clock: self.clock.clone(),
            runtime: self.runtime.clone(),
            rules: self.rules.clone(),
            background_limit: self.background_limit,
            front: self.front,
        }
    }

    fn finish(self, settings: Settings, store: Option<Arc<dyn Store>>) -> Cache {
        Cache::from_engine(Engine::new(settings, store, self.config.enabled))
    }
}

#[cfg(feature = "redis")]
impl CacheBuilder {
    async fn connect(&self, url: &str) -> Result<Arc<dyn Store>> {
        let store = cache_redis::RedisStore::connect(self.redis_config(url)?).await?;
        Ok(store)
    }

    fn connect_lazily(&self, url: &str) -> Result<Arc<dyn Store>> {
        let store = cache_redis::RedisStore::lazy(self.redis_config(url)?)?;
        Ok(store)
    }

    fn redis_config(&self, url: &str) -> Result<cache_redis::RedisConfig> {
        let runtime = match &self.runtime {
            Some(runtime) => runtime.clone(),
            None => crate::runtime::handle()?.clone(),
        };
        Ok(cache_redis::RedisConfig::new(url)
            .prefix(self.config.key_prefix.as_str())
            .deadline(self.config.shared_deadline)
            .runtime(runtime))
    }
}

#[cfg(not(feature = "redis"))]
impl CacheBuilder {
    async fn connect(&self, url: &str) -> Result<Arc<dyn Store>> {
        self.connect_lazily(url)
    }

    fn connect_lazily(&self, _: &str) -> Result<Arc<dyn Store>> {
        Err(cache_store::Error::new(
            cache_store::ErrorKind::Config,
            "a Redis URL is set, but the crate was built without it; add the feature `redis` to `larder`",
        ))
    }
}
