//! The switch for incidents; what it means is in `engine/switch.rs`.

use super::Cache;

impl Cache {
    /// Switches the cache off, and on again: for incidents. Clones of the handle are the same cache; other processes have a
    /// switch of their own.
    ///
    /// While it is off, nothing is read from it and nothing is stored, from the next call on:
    ///
    /// - annotated readers and [`get_or_set`](Self::get_or_set) run their bodies, each caller its own
    ///   ([`Stats::bypassed`](crate::Stats) counts them; `stampede_protect` protects nothing then);
    /// - [`get`](Self::get), [`get_many`](Self::get_many) and the companions' `get`, `exists` and `ttl` find nothing;
    /// - writers run their bodies, and invalidate what they would have renewed; so do [`set`](Self::set) and
    ///   [`set_many`](Self::set_many), which are `Ok` when that is confirmed;
    /// - **invalidations work as ever**, here and in the shared tier, and so do [`tag`](Self::tag), [`publish`](Self::publish), and
    ///   listening to other processes. So nothing that was invalidated meanwhile, by whomever, is served when the cache is on
    ///   again, and what was not is served again until its time is over. [`clear`](Self::clear) starts from nothing;
    /// - [locks](Self::lock) and [rate limits](Self::check) are no caching: they work as ever.
    ///
    /// To look past the cache in one request only: [`bypass`](crate::bypass).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("a", &1_u8).await?;
    /// cache.set("b", &2_u8).await?;
    /// cache.set_enabled(false);
    /// assert_eq!(cache.get::<u8>("a").await?, None);
    /// cache.invalidate("a").await?;
    /// cache.set_enabled(true);
    /// assert_eq!(cache.get::<u8>("a").await?, None); // invalidated meanwhile
    /// assert_eq!(cache.get::<u8>("b").await?, Some(2)); // still right
    /// # Ok(()) }
    /// ```
    pub fn set_enabled(&self, enabled: bool) {
        self.0.set_enabled(enabled);
    }

    /// Whether the cache is on: what [`set_enabled`](Self::set_enabled) said last, at first what it was built with.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// assert!(larder::Cache::memory().is_enabled());
    /// assert!(!larder::Cache::builder().enabled(false).build().await?.is_enabled());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.0.enabled()
    }
}
