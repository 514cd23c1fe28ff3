//! What is invalidated in the current cache, by free functions.

use super::with_current;
use crate::{cache::Cache, explicit::Invalidate};

fn on_current(invalidate: impl FnOnce(&Cache) -> Invalidate) -> Invalidate {
    with_current(|cache| match cache {
        Ok(cache) => invalidate(cache),
        Err(error) => Invalidate::of(Err(error.clone())),
    })
}

/// [`Cache::invalidate`] on the current cache.
///
/// # Errors
///
/// As there, and those of [`current`](crate::current).
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::invalidate("user:42").await?;
/// # Ok(()) }
/// ```
pub fn invalidate(key: &str) -> Invalidate {
    on_current(|cache| cache.invalidate(key))
}

/// [`Cache::invalidate_keys`] on the current cache.
///
/// # Errors
///
/// As there, and those of [`current`](crate::current).
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::invalidate_keys((1..=3).map(|id| format!("user:{id}"))).await?;
/// # Ok(()) }
/// ```
pub fn invalidate_keys<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Invalidate {
    on_current(|cache| cache.invalidate_keys(keys))
}

/// [`Cache::invalidate_tags`] on the current cache.
///
/// # Errors
///
/// As there, and those of [`current`](crate::current).
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::invalidate_tags(["user", "tenant:7"]).await?;
/// # Ok(()) }
/// ```
pub fn invalidate_tags<G: Into<String>>(tags: impl IntoIterator<Item = G>) -> Invalidate {
    on_current(|cache| cache.invalidate_tags(tags))
}

/// [`Cache::invalidate_all_of`] on the current cache.
///
/// # Errors
///
/// As there, and those of [`current`](crate::current).
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::invalidate_all_of(["user", "tenant:7"]).await?; // the users of that tenant
/// # Ok(()) }
/// ```
pub fn invalidate_all_of<G: Into<String>>(tags: impl IntoIterator<Item = G>) -> Invalidate {
    on_current(|cache| cache.invalidate_all_of(tags))
}

/// [`Cache::invalidate_pattern`] on the current cache.
///
/// # Errors
///
/// As there, and those of [`current`](crate::current).
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::invalidate_pattern("users:list:*").await?;
/// # Ok(()) }
/// ```
pub fn invalidate_pattern(pattern: &str) -> Invalidate {
    on_current(|cache| cache.invalidate_pattern(pattern))
}

/// [`Cache::publish`] on the current cache: the rules of that cache apply, and companions in them mean it as well.
///
/// # Errors
///
/// As there, and those of [`current`](crate::current).
///
/// # Panics
///
/// As there.
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// use larder::{Cache, InvalidationRules, Invalidations};
///
/// struct UserUpdated { id: u64 }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let rules = InvalidationRules::new()
///     .on::<UserUpdated>(|event| Invalidations::new().key(format!("user:{}", event.id)));
/// larder::init(Cache::builder().rules(rules).build().await?)?;
/// larder::publish(UserUpdated { id: 42 }).await?;
/// # Ok(()) }
/// ```
pub fn publish<E: 'static>(event: E) -> Invalidate {
    on_current(|cache| cache.publish(event))
}

/// [`Cache::clear`] on the current cache.
///
/// # Errors
///
/// As there, and those of [`current`](crate::current).
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::clear().await?;
/// # Ok(()) }
/// ```
pub fn clear() -> Invalidate {
    on_current(Cache::clear)
}
