//! The shared tier, and how it is connected to.

use std::{sync::Arc, time::Duration};

use cache_store::{Result, Store};

use super::CacheBuilder;
#[cfg(feature = "redis")]
use crate::config::Backend;
use crate::{codec::Codec, compression::Compression, encryption::EncryptionKeys};

impl CacheBuilder {
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
}

#[cfg(feature = "redis")]
impl CacheBuilder {
    pub(super) async fn connect(&self, url: &str) -> Result<Arc<dyn Store>> {
        let store = cache_redis::RedisStore::connect(self.redis_config(url)?).await?;
        Ok(store)
    }

    pub(super) fn connect_lazily(&self, url: &str) -> Result<Arc<dyn Store>> {
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
    pub(super) async fn connect(&self, url: &str) -> Result<Arc<dyn Store>> {
        self.connect_lazily(url)
    }

    pub(super) fn connect_lazily(&self, _: &str) -> Result<Arc<dyn Store>> {
        Err(cache_store::Error::new(
            cache_store::ErrorKind::Config,
            "a Redis URL is set, but the crate was built without it; add the feature `redis` to `larder`",
        ))
    }
}
