//! The memory tier.

use super::CacheBuilder;
use crate::{config::FOREVER, explicit::IntoTtl};

impl CacheBuilder {
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
        self.config.max_memory_bytes = Some(bytes);
        self
    }

    /// Whether each thread keeps copies of the entries that it was given last, on by default. A hit on one takes no lock, renders
    /// no key and allocates nothing. Copies are never served once their entry is invalidated, replaced or expired.
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
        self.config.front = on;
        self
    }

    /// How long entries live where nothing else is said: a [`Duration`](std::time::Duration), seconds, `"5m"` or `"forever"`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::builder().default_ttl("10m").build().await?;
    /// assert!(larder::Cache::builder().default_ttl("soon").build().await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn default_ttl(mut self, ttl: impl IntoTtl) -> Self {
        match ttl.into_ttl() {
            Ok(ttl) => {
                self.config.default_ttl = ttl.unwrap_or(FOREVER.0);
                self.wrong_ttl = None;
            }
            Err(error) => self.wrong_ttl = Some(error),
        }
        self
    }
}
