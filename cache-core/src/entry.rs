//! Companions of async functions: one entry, or everything that a function stored.

use std::{fmt, sync::Arc, time::Duration};

use cache_store::{Error, ErrorKind, Invalidation, Result};
use cache_template::Glob;

use crate::{
    engine::{Asker, Engine, Order},
    events::Origin,
    explain::Explanation,
    explicit::Invalidate,
    key::{KeyBuffer, KeyPart, render_key},
    private::{Given, Site, Spec, Subject},
    stats::{FunctionStats, MemoryUsage},
};

/// One entry of an annotated function: what its companion `<name>_entry(..)` gives. A sync function's companion gives
/// [`blocking::Entry`](crate::blocking::Entry).
///
/// Where there is no cache (the default could not be built from the environment), every operation says why.
///
/// ```
/// #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
/// async fn square(n: u64) -> u64 { n * n }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// assert_eq!(square(7).await, 49);
/// let entry = square_entry(7);
/// assert_eq!(entry.key(), "square:7");
/// assert_eq!(entry.get().await?, Some(49));
/// entry.invalidate().await?;
/// assert!(!entry.exists().await?);
/// # Ok(()) }
/// ```
pub struct Entry<T: 'static>(Option<Subject<T>>);

/// Everything that an annotated function stored: what its companion `<name>_cache()` gives.
///
/// ```
/// #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
/// async fn square(n: u64) -> u64 { n * n }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// square(7).await;
/// square_cache().clear().await?;
/// assert!(!square_entry(7).exists().await?);
/// # Ok(()) }
/// ```
pub struct FnCache {
    engine: Option<Arc<Engine>>,
    site: &'static Site,
}

#[doc(hidden)]
#[must_use]
pub fn entry<V>(spec: &'static Spec<V>, cache: Given<'_>, key: &[&dyn KeyPart]) -> Entry<V> {
    let mut buffer = KeyBuffer::new();
    render_key(spec.site.key, key, &mut buffer);
    if buffer.failure().is_some() {
        return Entry(None);
    }
    let key = buffer.finish();
    Entry(cache.with(|engine| engine.map(|engine| Subject::new(spec, engine, key))))
}

#[doc(hidden)]
#[must_use]
pub fn fn_cache<V>(spec: &'static Spec<V>, cache: Given<'_>) -> FnCache {
    FnCache { engine: cache.with(|engine| engine.cloned()), site: &spec.site }
}

impl<T> Entry<T> {
    /// The rendered key, without the cache's prefix; empty when there is no cache to have an entry in.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// # larder::init(larder::Cache::memory())?;
    /// assert_eq!(square_entry(7).key(), "square:7");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn key(&self) -> &str {
        self.0.as_ref().map_or("", |subject| subject.key.text())
    }

    /// The cached value; never runs the function.
    ///
    /// # Errors
    ///
    /// When the shared tier has to be asked and does not answer.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// # larder::init(larder::Cache::memory())?;
    /// assert_eq!(square_entry(7).get().await?, None);
    /// square(7).await;
    /// assert_eq!(square_entry(7).get().await?, Some(49));
    /// # Ok(()) }
    /// ```
    pub async fn get(&self) -> Result<Option<T>> {
        let Some(subject) = self.shown()? else { return Ok(None) };
        Ok(subject.call(false).get().await?.and_then(|kept| subject.copy(&kept)))
    }

    /// Stores a value as if the function had returned it: with its time to live and its tags.
    ///
    /// Loads that began before store nothing over it.
    ///
    /// # Errors
    ///
    /// When the shared tier does not answer (the entry is invalidated then, as soon as it does), or when other writes
    /// of the same key kept coming between.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the entry is invalidated.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// # larder::init(larder::Cache::memory())?;
    /// square_entry(7).set(50).await?;
    /// assert_eq!(square(7).await, 50); // a hit
    /// # Ok(()) }
    /// ```
    pub async fn set(&self, value: T) -> Result<()> {
        let subject = self.subject()?;
        let kept = subject.spec.value.keep(&value);
        let (life, learned) = (subject.life(&value), subject.learned(&value));
        subject.call(false).set(Some(kept), life, learned).await
    }

    /// Invalidates the entry: no read that begins after `Ok` returns a value whose load began before.
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
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// # larder::init(larder::Cache::memory())?;
    /// square(7).await;
    /// square_entry(7).invalidate().await?;
    /// assert_eq!(square_entry(7).get().await?, None);
    /// # Ok(()) }
    /// ```
    pub fn invalidate(&self) -> Invalidate {
        Invalidate::of(self.target().ok_or_else(no_cache))
    }

    /// Whether there is a value.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// # larder::init(larder::Cache::memory())?;
    /// square(7).await;
    /// assert!(square_entry(7).exists().await?);
    /// assert!(!square_entry(8).exists().await?);
    /// # Ok(()) }
    /// ```
    pub async fn exists(&self) -> Result<bool> {
        let Some(subject) = self.shown()? else { return Ok(false) };
        Ok(subject.call(false).get().await?.is_some())
    }

    /// How long the value will live: `None` when there is none, [`Duration::MAX`] when nothing but an invalidation or
    /// an eviction ends it.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// # larder::init(larder::Cache::memory())?;
    /// use std::time::Duration;
    ///
    /// square(7).await;
    /// let left = square_entry(7).ttl().await?.expect("it was stored just now");
    /// assert!(left <= Duration::from_secs(300));
    /// assert_eq!(square_entry(8).ttl().await?, None);
    /// # Ok(()) }
    /// ```
    pub async fn ttl(&self) -> Result<Option<Duration>> {
        let Some(subject) = self.shown()? else { return Ok(None) };
        subject.call(false).remaining().await
    }

    /// Why the next call would hit or miss: what each tier holds, and whether calls from here ask the cache at all.
    ///
    /// A look without consequences: it is not counted, also not for whether the entry stays in memory; nothing is promoted,
    /// renewed or removed, no load begins, no lease is asked for. At most three round trips where there is a shared tier; where
    /// that is away, the explanation says so.
    ///
    /// # Errors
    ///
    /// When there is no cache to have an entry in.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// # larder::init(larder::Cache::memory())?;
    /// square(7).await;
    /// let why = square_entry(7).explain().await?;
    /// assert!(why.is_hit());
    /// println!("{why}");
    /// # Ok(()) }
    /// ```
    pub async fn explain(&self) -> Result<Explanation> {
        let call = self.subject()?.call(false);
        let bypassed = call.bypass(Asker::Function);
        Ok(call.explain(Asker::Function, bypassed).await)
    }

    /// Adds tags to the cached value; `false` when there is none.
    ///
    /// # Errors
    ///
    /// When the shared tier does not answer.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the tags may or may not have been added.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// # larder::init(larder::Cache::memory())?;
    /// square(7).await;
    /// assert!(square_entry(7).tag(["lucky"]).await?);
    /// larder::invalidate_tags(["lucky"]).await?;
    /// assert!(!square_entry(7).exists().await?);
    /// # Ok(()) }
    /// ```
    pub async fn tag<G: Into<String>>(&self, tags: impl IntoIterator<Item = G>) -> Result<bool> {
        let tags: Vec<String> = tags.into_iter().map(Into::into).collect();
        self.subject()?.call(false).tag(&tags).await
    }

    #[doc(hidden)]
    #[must_use]
    pub fn tagged(mut self, parts: &[&dyn KeyPart]) -> Self {
        if let Some(subject) = &mut self.0 {
            subject.tag_with(parts);
        }
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub fn ttl_override(mut self, ttl: Duration) -> Self {
        if let Some(subject) = &mut self.0 {
            subject.ttl = Some(ttl);
        }
        self
    }

    pub(crate) fn subject(&self) -> Result<&Subject<T>> {
        self.0.as_ref().ok_or_else(no_cache)
    }

    /// The same for one who wants to know what is in it; `None` where it is as good as empty, for the cache is off or bypassed.
    pub(crate) fn shown(&self) -> Result<Option<&Subject<T>>> {
        self.subject().map(|subject| Some(subject).filter(|subject| subject.engine.is_shown()))
    }

    pub(crate) fn into_subject(self) -> Option<Subject<T>> {
        self.0
    }

    pub(crate) fn engine(&self) -> Option<&Arc<Engine>> {
        self.0.as_ref().map(|subject| &subject.engine)
    }

    /// What invalidates the entry.
    pub(crate) fn target(&self) -> Option<Order> {
        self.0.as_ref().map(|subject| subject.invalidation())
    }
}

impl FnCache {
    /// Invalidates every entry whose key the function's template can make, whatever its arguments were. One round trip.
    ///
    /// Another function whose template makes the same keys, as `user:{id}` and `user:{name}` do, loses its entries too.
    ///
    /// # Errors
    ///
    /// As [`Entry::invalidate`].
    ///
    /// # Cancel safety
    ///
    /// As [`Entry::invalidate`].
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// # larder::init(larder::Cache::memory())?;
    /// square(7).await;
    /// square(8).await;
    /// square_cache().clear().await?;
    /// assert!(!square_entry(7).exists().await? && !square_entry(8).exists().await?);
    /// # Ok(()) }
    /// ```
    pub fn clear(&self) -> Invalidate {
        Invalidate::of(self.target().ok_or_else(no_cache))
    }

    /// What the function did with its cache, counted by this process.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m")]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// # larder::init(larder::Cache::memory())?;
    /// square(7).await;
    /// square(7).await;
    /// assert_eq!(square_cache().stats().hit_rate(), 0.5);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stats(&self) -> FunctionStats {
        match &self.engine {
            Some(engine) => engine.functions.stats_of(self.site),
            None => FunctionStats::new(self.site, |_| 0),
        }
    }

    /// What the function has in memory at the moment: the entries that [`clear`](Self::clear) would end, those of another function
    /// whose template makes the same keys among them.
    ///
    /// **Looks at every entry of the cache**, on the calling thread: for a page of figures or a test, and not for each call.
    ///
    /// ```
    /// # #[larder::cache_aside(key = "square:{n}", ttl = "5m")]
    /// # async fn square(n: u64) -> u64 { n * n }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// # larder::init(larder::Cache::memory())?;
    /// square(7).await;
    /// square(8).await;
    /// assert_eq!(square_cache().memory_usage().entries, 2);
    /// square_entry(7).invalidate().await?;
    /// assert_eq!(square_cache().memory_usage().entries, 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn memory_usage(&self) -> MemoryUsage {
        let usage = |engine: &Arc<Engine>| engine.memory_usage(Some(&self.keys()));
        self.engine.as_ref().map_or_else(MemoryUsage::default, usage)
    }

    /// Every key that the function's template can make.
    fn keys(&self) -> Glob {
        match (self.site.path(), self.site.key) {
            (Some(path), [first, second, rest @ ..]) => {
                let first = format!("{first}{path}{second}");
                let literals: Vec<&str> =
                    std::iter::once(first.as_str()).chain(rest.iter().copied()).collect();
                Glob::from_template(&literals)
            }
            _ => Glob::from_template(self.site.key),
        }
    }

    /// What invalidates everything that the function stored.
    pub(crate) fn target(&self) -> Option<Order> {
        Some(Order {
            engine: Arc::clone(self.engine.as_ref()?),
            what: Invalidation::Pattern(self.keys().as_str().to_owned()),
            shared: self.site.layer.shared(),
            origin: Origin::Here,
        })
    }
}

impl<T> fmt::Debug for Entry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.key()).finish()
    }
}

impl fmt::Debug for FnCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FnCache({}::{})", self.site.module, self.site.function)
    }
}

pub(crate) fn no_cache() -> Error {
    crate::scope::with_current(|cache| cache.err().cloned()).unwrap_or_else(|| {
        Error::new(ErrorKind::Template, "a part of the key could not be rendered")
    })
}
