//! The handle that users hold.

mod switch;
mod watch;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use cache_store::{Error, Invalidation, Result};
use cache_template::{Glob, caret};

pub use self::watch::CacheHealth;
use crate::{
    builder::CacheBuilder,
    config::CacheConfig,
    engine::{Engine, Order},
    events::Origin,
    explicit::{GetOrSet, Invalidate, Set, by_hand},
    key::{KeyBuffer, raw_key},
    private::Subject,
    value::SharedValue,
};

/// A cache: a memory tier, and a shared tier behind it where one is configured. Cheap to clone; clones are the same
/// cache.
///
/// ```
/// use larder::Cache;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let cache = Cache::memory();
/// cache.set("user:42", &"Ada".to_owned()).ttl("5m").tags(["user"]).await?;
/// cache.invalidate_tags(["user"]).await?;
/// assert_eq!(cache.get::<String>("user:42").await?, None);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cache(Arc<Engine>);

impl Cache {
    /// A cache in this process only: 10,000 entries, which live five minutes where nothing else is said.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// assert_eq!(cache.stats().entries, 0);
    /// ```
    #[must_use]
    pub fn memory() -> Self {
        CacheBuilder::default().build_in_memory()
    }

    /// A builder with the defaults of [`memory`](Self::memory).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use std::time::Duration;
    ///
    /// let cache = larder::Cache::builder()
    ///     .max_entries(100_000)
    ///     .default_ttl(Duration::from_secs(60))
    ///     .build()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn builder() -> CacheBuilder {
        CacheBuilder::default()
    }

    /// The cache that the environment describes: `REDIS_URL`, `CACHE_BACKEND`, `CACHE_DEFAULT_TTL` and so on; in memory
    /// when nothing is set.
    ///
    /// A shared tier that cannot be reached is no error: calls run without it until it can be.
    ///
    /// # Errors
    ///
    /// Every malformed or contradictory variable, by name, at once; wrong credentials; a URL whose feature is not
    /// compiled in.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is kept.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::from_env().await?;
    /// larder::init(cache)?;
    /// # Ok(()) }
    /// ```
    pub async fn from_env() -> Result<Self> {
        Self::from_config(CacheConfig::from_env()?).await
    }

    /// The cache that a configuration describes.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is kept.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use larder::{Backend, Cache, CacheConfig};
    ///
    /// let mut config = CacheConfig::default();
    /// config.backend = Backend::Memory;
    /// let cache = Cache::from_config(config).await?;
    /// # Ok(()) }
    /// ```
    pub async fn from_config(config: CacheConfig) -> Result<Self> {
        CacheBuilder::from_config(config)?.build().await
    }

    pub(crate) fn from_engine(engine: Arc<Engine>) -> Self {
        Self(engine)
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.0
    }

    fn subject<T: SharedValue>(&self, key: &str) -> Result<Subject<T>> {
        Ok(Subject::new(by_hand::<T>(), &self.0, raw_key(key, &mut KeyBuffer::new())?))
    }

    /// The value under a key, from memory or from the shared tier; `None` when there is none of this type.
    ///
    /// # Errors
    ///
    /// When the shared tier has to be asked and does not answer; for the empty key.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("answer", &42_u64).await?;
    /// assert_eq!(cache.get::<u64>("answer").await?, Some(42));
    /// assert_eq!(cache.get::<String>("answer").await?, None); // another type
    /// # Ok(()) }
    /// ```
    pub async fn get<T: SharedValue>(&self, key: &str) -> Result<Option<T>> {
        let subject = self.subject::<T>(key)?;
        if !self.0.is_shown() {
            return Ok(None);
        }
        Ok(subject.call(false).get().await?.and_then(|kept| subject.copy(&kept)))
    }

    /// Stores a value under a key. Loads that began before store nothing over it.
    ///
    /// # Errors
    ///
    /// When awaited: when the shared tier does not confirm (the key is invalidated then, as soon as it answers), for the
    /// empty key and for a malformed time to live.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the key is invalidated.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("user:42", &"Ada".to_owned()).ttl("5m").tags(["user"]).await?;
    /// assert_eq!(cache.get::<String>("user:42").await?.as_deref(), Some("Ada"));
    /// # Ok(()) }
    /// ```
    pub fn set<'a, T: SharedValue>(&'a self, key: &'a str, value: &'a T) -> Set<'a, T> {
        Set::new(self, key, value)
    }

    /// The value under a key, or what `load` returns: run once for all callers that ask at the same time, and stored
    /// unless the key was invalidated meanwhile.
    ///
    /// # Errors
    ///
    /// Those of `load` only: a problem with the cache is not the caller's problem.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops `load`'s; callers that wait for it elect another leader.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// for _ in 0..2 {
    ///     let load = || async { Ok::<_, larder::Error>(6 * 7) };
    ///     assert_eq!(cache.get_or_set("answer", load).ttl("1h").await?, 42);
    /// }
    /// assert_eq!(cache.stats().loads, 1);
    /// # Ok(()) }
    /// ```
    pub fn get_or_set<'a, T, E, F, L>(&'a self, key: &'a str, load: F) -> GetOrSet<'a, T, E, F>
    where
        T: SharedValue,
        F: FnOnce() -> L,
        L: Future<Output = Result<T, E>>,
    {
        GetOrSet::new(self, key, load)
    }

    /// Adds tags to what is cached under a key; `false` when nothing is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("user:42", &1u8).await?;
    /// assert!(cache.tag("user:42", ["vip"]).await?);
    /// cache.invalidate_tags(["vip"]).await?;
    /// assert_eq!(cache.get::<u8>("user:42").await?, None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the shared tier does not answer; for the empty key.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the tags may or may not have been added.
    pub async fn tag<G: Into<String>>(
        &self,
        key: &str,
        tags: impl IntoIterator<Item = G>,
    ) -> Result<bool> {
        let tags: Vec<String> = tags.into_iter().map(Into::into).collect();
        self.subject::<()>(key)?.call(false).tag(&tags).await
    }

    /// Invalidates a key: no read that begins after `Ok` returns a value whose load began before.
    ///
    /// That holds for every read of this process and for every read that asks the shared tier; what another process has
    /// in memory is at most `coherence_bound` behind (see [`Invalidate::everywhere`]).
    ///
    /// # Errors
    ///
    /// When the shared tier does not confirm. The invalidation holds in this process then, and is repeated until it
    /// does.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the invalidation still happens: here at once, in the shared tier as soon as possible.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("user:42", &1_u8).await?;
    /// cache.invalidate("user:42").await?;
    /// assert_eq!(cache.get::<u8>("user:42").await?, None);
    /// # Ok(()) }
    /// ```
    pub fn invalidate(&self, key: &str) -> Invalidate {
        self.invalidate_keys([key])
    }

    /// Invalidates keys, in one round trip.
    ///
    /// # Errors
    ///
    /// As [`invalidate`](Self::invalidate).
    ///
    /// # Cancel safety
    ///
    /// As [`invalidate`](Self::invalidate).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("user:1", &1_u8).await?;
    /// cache.invalidate_keys(["user:1", "user:2"]).await?;
    /// assert_eq!(cache.get::<u8>("user:1").await?, None);
    /// # Ok(()) }
    /// ```
    pub fn invalidate_keys<K: AsRef<str>>(&self, keys: impl IntoIterator<Item = K>) -> Invalidate {
        let keys = keys.into_iter().map(|key| parse_key(key.as_ref()));
        self.invalidation(keys.collect::<Result<_>>().map(Invalidation::Keys))
    }

    /// Invalidates every key that matches a glob: `*` is any run of characters, `?` one character, `\` takes the next
    /// character as it is. One round trip, however many keys there are.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("users:list:1", &1u8).await?;
    /// cache.invalidate_pattern("users:list:*").await?;
    /// assert_eq!(cache.get::<u8>("users:list:1").await?, None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`invalidate`](Self::invalidate), and [`ErrorKind::Template`](crate::ErrorKind::Template) for a pattern that
    /// does not parse, with what to write instead above the place.
    ///
    /// # Cancel safety
    ///
    /// As [`invalidate`](Self::invalidate).
    pub fn invalidate_pattern(&self, pattern: &str) -> Invalidate {
        self.invalidation(parse_pattern(pattern).map(Invalidation::Pattern))
    }

    /// Invalidates every entry that bears one of these tags. One round trip, however many entries there are.
    ///
    /// # Errors
    ///
    /// As [`invalidate`](Self::invalidate).
    ///
    /// # Cancel safety
    ///
    /// As [`invalidate`](Self::invalidate).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("user:42", &1_u8).tags(["user", "tenant:7"]).await?;
    /// cache.invalidate_tags(["tenant:7"]).await?;
    /// assert_eq!(cache.get::<u8>("user:42").await?, None);
    /// # Ok(()) }
    /// ```
    pub fn invalidate_tags<G: Into<String>>(
        &self,
        tags: impl IntoIterator<Item = G>,
    ) -> Invalidate {
        self.invalidation(Ok(Invalidation::Tags(tags.into_iter().map(Into::into).collect())))
    }

    /// Invalidates everything under the cache's prefix. One round trip.
    ///
    /// # Errors
    ///
    /// As [`invalidate`](Self::invalidate).
    ///
    /// # Cancel safety
    ///
    /// As [`invalidate`](Self::invalidate).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("user:42", &1_u8).await?;
    /// cache.clear().await?;
    /// assert_eq!(cache.get::<u8>("user:42").await?, None);
    /// # Ok(()) }
    /// ```
    pub fn clear(&self) -> Invalidate {
        self.invalidation(Ok(Invalidation::All))
    }

    pub(crate) fn invalidation(&self, what: Result<Invalidation>) -> Invalidate {
        let engine = Arc::clone(&self.0);
        Invalidate::of(
            what.map(|what| Order { engine, what, shared: true, origin: Origin::Here })
                .map_err(|error| error.during("invalidate")),
        )
    }

    /// Ends what goes on in the background, before a process ends or a test's runtime does: begins no renewals any more,
    /// waits for the bodies that run in the background and for the invalidations that the shared tier has still to be told
    /// (10 seconds at most), listens to other processes no longer, and ends all [subscriptions](crate::Subscription).
    ///
    /// The cache is still right afterwards, though more calls have to ask the shared tier. A second call finds nothing to do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimedOut`](cache_store::ErrorKind::TimedOut) when that took too long. What was left goes on as long as its runtime does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting; nothing new begins in the background all the same.
    ///
    /// ```
    /// # async fn f(cache: larder::Cache) -> larder::Result<()> {
    /// cache.shutdown().await
    /// # }
    /// ```
    pub async fn shutdown(&self) -> Result<()> {
        let ended = self.0.shutdown(Duration::from_secs(10)).await;
        self.0.publish_metrics();
        ended
    }

    /// How far behind another process's memory may be after an invalidation.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// assert_eq!(larder::Cache::memory().coherence_bound(), Duration::from_secs(2));
    /// ```
    #[must_use]
    pub fn coherence_bound(&self) -> Duration {
        self.0.settings.coherence_bound
    }
}

impl AsRef<Self> for Cache {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cache").field(&self.0).finish()
    }
}

pub(crate) fn parse_key(key: &str) -> Result<String> {
    raw_key(key, &mut KeyBuffer::new()).map(|key| key.text().to_owned())
}

pub(crate) fn parse_pattern(pattern: &str) -> Result<String> {
    match Glob::parse(pattern) {
        Ok(glob) => Ok(glob.as_str().to_owned()),
        Err(error) => Err(Error::new(
            cache_store::ErrorKind::Template,
            format!("{error}\n{}", caret(pattern, error.span.clone())),
        )),
    }
}
