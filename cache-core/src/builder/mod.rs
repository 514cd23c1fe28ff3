//! Builds a [`Cache`].

mod memory;
mod shared;

use std::{fmt, sync::Arc, time::Duration};

use cache_store::{Error, Result, Store};
use tokio::runtime::Handle;

use crate::{
    cache::Cache,
    clock::Clock,
    config::{CacheConfig, Field, Problems},
    encryption::EncryptionKeys,
    engine::{Engine, Settings},
    envelope::Packing,
    metrics::{MetricsSink, Publisher},
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
    /// Why what was given as the default time to live is none.
    wrong_ttl: Option<Error>,
    clock: Clock,
    store: Option<Arc<dyn Store>>,
    runtime: Option<Handle>,
    rules: InvalidationRules,
    encryption: Option<EncryptionKeys>,
    metrics: Option<Sink>,
    name: Option<String>,
}

/// Where metrics go.
#[derive(Clone)]
struct Sink(Arc<dyn MetricsSink>);

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

impl Sink {
    /// That of the feature.
    fn usual() -> Option<Self> {
        #[cfg(feature = "metrics")]
        return Some(Self(Arc::new(crate::metrics::Facade::new())));
        #[cfg(not(feature = "metrics"))]
        None
    }
}

impl Default for CacheBuilder {
    fn default() -> Self {
        Self {
            config: CacheConfig::default(),
            wrong_ttl: None,
            clock: Clock::system(),
            store: None,
            runtime: None,
            rules: InvalidationRules::new(),
            encryption: None,
            metrics: Sink::usual(),
            name: None,
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

    /// Whether anything is cached at all; `false`: every call runs its body, until [`Cache::set_enabled`] says otherwise.
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
        self.config.background_limit = bodies;
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

    /// Where metrics go, instead of the facade of the feature `metrics`. They are told every ten seconds, on the
    /// [runtime](Self::runtime), and by [`Cache::publish_metrics`]. [`METRICS`](crate::metrics::METRICS) lists them.
    ///
    /// See [`MetricsSink`] for an example.
    pub fn metrics(mut self, sink: impl MetricsSink) -> Self {
        self.metrics = Some(Sink(Arc::new(sink)));
        self
    }

    /// What metrics call the cache, where a process has several. Default: `default`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::builder().name("sessions").build().await?;
    /// # Ok(()) }
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
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
        let settings = self.unchecked();
        self.finish(settings, None)
    }

    fn settings(&self) -> Result<Settings> {
        self.problems().into_result()?;
        Ok(self.unchecked())
    }

    /// Everything that is wrong.
    fn problems(&self) -> Problems {
        let (config, mut problems) = (&self.config, self.config.problems());
        if let Some(error) = &self.wrong_ttl {
            problems.add(Field::DefaultTtl, format!("is malformed: {error}"));
        }
        // Where there is a URL that was looked at with the rest.
        let unsaid = config.enabled && config.shared_url().is_none();
        if unsaid && !config.codec.is_compiled_in() {
            problems.add(Field::Codec, config.codec.not_compiled_in().to_string());
        }
        if unsaid && !config.compression.is_compiled_in() {
            problems.add(Field::Compression, config.compression.not_compiled_in().to_string());
        }
        if let Some(Err(error)) = self.encryption.as_ref().map(EncryptionKeys::check_compiled_in) {
            problems.add(Field::Encryption, error.to_string());
        }
        problems
    }

    fn unchecked(&self) -> Settings {
        let config = &self.config;
        Settings {
            max_entries: config.max_memory_entries,
            max_bytes: config.max_memory_bytes,
            default_ttl: config.default_life(),
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
            background_limit: config.background_limit,
            front: config.front,
        }
    }

    fn finish(self, settings: Settings, store: Option<Arc<dyn Store>>) -> Cache {
        let name = self.name.as_deref().unwrap_or("default");
        let metrics = self.metrics.map(|sink| Publisher::new(Box::new(sink.0), name));
        let engine = Engine::new(settings, store, self.config.enabled, metrics);
        engine.keep_publishing();
        Cache::from_engine(engine)
    }
}
