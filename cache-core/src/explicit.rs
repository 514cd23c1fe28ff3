//! Explicit operations as builders: what is not said takes the cache's defaults, and `.await` does it.

mod many;

use std::{
    future::{Future, IntoFuture},
    marker::PhantomData,
    time::Duration,
};

use cache_store::{BoxFuture, Error, ErrorKind, Result};

use crate::{
    cache::Cache,
    engine::{Invalidating, Order},
    key::{KeyBuffer, raw_key},
    private::{Miss, ResultShape, Spec, Subject, sharing::Share},
    rules::Publication,
    scope, timer,
    transaction::{self, Intents},
    value::SharedValue,
};

pub use self::many::{NotStored, SetMany};

/// More than twice the difference between two machines' clocks over one bound.
const MARGIN: Duration = Duration::from_millis(50);

/// An invalidation; does nothing before it is awaited. What [`Cache::invalidate`] and its like, [`Cache::publish`],
/// [`Entry::invalidate`] and [`FnCache::clear`] give.
///
/// [`Entry::invalidate`]: crate::Entry::invalidate
/// [`FnCache::clear`]: crate::FnCache::clear
///
/// # Errors
///
/// When awaited: when the shared tier does not confirm. The invalidation holds in this process then, and is repeated
/// until it went through.
///
/// # Cancel safety
///
/// Dropped after its first poll, the invalidation still happens: here at once, in the shared tier as soon as possible.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let cache = larder::Cache::memory();
/// cache.invalidate("user:42").await?;
/// cache.invalidate_tags(["user"]).everywhere().await?;
/// # Ok(()) }
/// ```
#[must_use = "an invalidation does nothing before it is awaited"]
#[derive(Debug)]
pub struct Invalidate {
    asked: Result<Asked>,
    everywhere: bool,
}

#[derive(Debug)]
enum Asked {
    One(Order),
    Event(Publication),
}

impl Invalidate {
    pub(crate) fn of(order: Result<Order>) -> Self {
        Self { asked: order.map(Asked::One), everywhere: false }
    }

    pub(crate) fn event(publication: Result<Publication>) -> Self {
        Self { asked: publication.map(Asked::Event), everywhere: false }
    }

    /// Also waits until no other process can serve what was invalidated from its memory: the cache's
    /// `coherence_bound` and a margin. At once where there is no shared tier.
    ///
    /// # Cancel safety
    ///
    /// As without it; the invalidation itself happens first.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.invalidate("price:7").everywhere().await?; // from here on nobody sees the old price
    /// # Ok(()) }
    /// ```
    pub fn everywhere(mut self) -> Self {
        self.everywhere = true;
        self
    }

    /// The same for sync code: waits on the calling thread, at most a few of the shared tier's deadlines.
    ///
    /// # Errors
    ///
    /// As when awaited; and on Larder's own thread, which cannot wait for itself.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// cache.invalidate_tags(["user"]).wait()?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn wait(self) -> Result<()> {
        let waits = self.waits().filter(|_| transaction::current().is_none());
        self.run_sync()?;
        if let Some(waits) = waits {
            std::thread::sleep(waits);
        }
        Ok(())
    }

    /// Leaves it to the end of a transaction.
    pub(crate) fn record(self, intents: &Intents) -> Result<()> {
        match self.asked? {
            Asked::One(order) => intents.record([order]),
            Asked::Event(publication) => {
                let (orders, refused) = publication.into_parts();
                intents.record(orders);
                refused.map_or(Ok(()), Err)?;
            }
        }
        Ok(())
    }

    /// How long other processes may still serve what was invalidated, where that is to be waited for.
    fn waits(&self) -> Option<Duration> {
        let asked = self.asked.as_ref().ok().filter(|_| self.everywhere)?;
        asked.coherence_bound().map(|bound| bound + MARGIN)
    }

    async fn run(self) -> Result<()> {
        if let Some(intents) = transaction::current() {
            return self.record(&intents);
        }
        let waits = self.waits();
        self.asked?.run().await?;
        if let Some(waits) = waits {
            timer::sleep(waits).await;
        }
        Ok(())
    }

    /// For sync callers: waits on the calling thread, and never for other processes' memory.
    pub(crate) fn run_sync(self) -> Result<()> {
        if let Some(intents) = transaction::current() {
            return self.record(&intents);
        }
        let asked = match self.asked? {
            Asked::One(order) if order.is_local() => {
                order.engine.invalidate_here(&order.what, order.origin);
                return Ok(());
            }
            asked => asked,
        };
        // Where waiting is not possible, it is dropped and so happens later.
        crate::runtime::wait_for(asked.run()).unwrap_or_else(|| Err(crate::blocking::not_here()))
    }
}

impl Asked {
    fn coherence_bound(&self) -> Option<Duration> {
        match self {
            Self::One(order) => order.coherence_bound(),
            Self::Event(publication) => publication.coherence_bound(),
        }
    }

    async fn run(self) -> Result<()> {
        match self {
            Self::One(order) => Invalidating::new(order).run().await,
            Self::Event(publication) => publication.run().await,
        }
    }
}

impl IntoFuture for Invalidate {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// A time to live: `"5m"`, `"forever"`, a [`Duration`], or seconds as an integer.
///
/// ```
/// use std::time::Duration;
/// use larder::IntoTtl;
///
/// assert_eq!("1h30m".into_ttl()?, Some(Duration::from_secs(5400)));
/// assert_eq!(300_u64.into_ttl()?, Some(Duration::from_secs(300)));
/// assert_eq!("forever".into_ttl()?, None);
/// # Ok::<(), larder::Error>(())
/// ```
pub trait IntoTtl {
    /// The time, or `None` for ever.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Template`] for text that is no duration, and for zero.
    ///
    /// ```
    /// use larder::{ErrorKind, IntoTtl};
    ///
    /// assert_eq!("300".into_ttl().unwrap_err().kind(), ErrorKind::Template); // seconds? say `300s`
    /// assert!(0_u64.into_ttl().is_err());
    /// ```
    fn into_ttl(self) -> Result<Option<Duration>>;
}

const ZERO_TTL: &str = "a time to live of zero stores nothing; leave the operation out instead";

/// Whether [`IntoTtl::into_ttl`] was given no time at all; others than those who store something say so in other words.
pub(crate) fn is_zero_ttl(error: &Error) -> bool {
    error.to_string() == ZERO_TTL
}

impl IntoTtl for Duration {
    fn into_ttl(self) -> Result<Option<Duration>> {
        if self.is_zero() {
            return Err(Error::new(ErrorKind::Template, ZERO_TTL));
        }
        Ok(Some(self))
    }
}

impl IntoTtl for u64 {
    fn into_ttl(self) -> Result<Option<Duration>> {
        Duration::from_secs(self).into_ttl()
    }
}

impl IntoTtl for &str {
    fn into_ttl(self) -> Result<Option<Duration>> {
        if self == "forever" {
            return Ok(None);
        }
        let parsed = cache_template::parse_duration(self);
        parsed
            .map_err(|error| Error::new(ErrorKind::Template, format!("ttl \"{self}\": {error}")))?
            .into_ttl()
    }
}

/// Stores a value by its key; does nothing before it is awaited. What [`Cache::set`] gives, which says when it fails and
/// what happens when it is dropped.
///
/// # Cancel safety
///
/// As [`Cache::set`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let cache = larder::Cache::memory();
/// cache.set("user:42", &"Ada".to_owned()).ttl("5m").tags(["user"]).await?;
/// assert_eq!(cache.get::<String>("user:42").await?.as_deref(), Some("Ada"));
/// # Ok(()) }
/// ```
#[must_use = "a set does nothing before it is awaited"]
#[derive(Debug)]
pub struct Set<'a, T> {
    options: Options<'a>,
    value: &'a T,
}

/// Gets a value by its key, or loads it once for all who ask; does nothing before it is awaited. What
/// [`Cache::get_or_set`] gives, which says when it fails and what happens when it is dropped.
///
/// # Cancel safety
///
/// As [`Cache::get_or_set`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let cache = larder::Cache::memory();
/// let load = || async { Ok::<_, std::io::Error>("Ada".to_owned()) };
/// assert_eq!(cache.get_or_set("user:42", load).ttl("2h").await?, "Ada");
/// # Ok(()) }
/// ```
#[must_use = "a get_or_set does nothing before it is awaited"]
#[derive(Debug)]
pub struct GetOrSet<'a, T, E, F> {
    options: Options<'a>,
    load: F,
    result: PhantomData<fn() -> (T, E)>,
}

#[derive(Debug)]
struct Options<'a> {
    cache: &'a Cache,
    key: &'a str,
    ttl: Option<Result<Option<Duration>>>,
    tags: Vec<String>,
}

impl<'a> Options<'a> {
    fn new(cache: &'a Cache, key: &'a str) -> Self {
        Self { cache, key, ttl: None, tags: Vec::new() }
    }

    fn subject<T: SharedValue>(self) -> Result<(Subject<T>, Option<Duration>)> {
        let mut buffer = KeyBuffer::new();
        let key = raw_key(self.key, &mut buffer)?;
        let mut subject = Subject::new(by_hand::<T>(), self.cache.engine(), key);
        subject.tags = self.tags;
        let life = self.ttl.unwrap_or(Ok(self.cache.engine().settings.default_ttl))?;
        subject.ttl = Some(life.unwrap_or(Duration::MAX));
        Ok((subject, life))
    }
}

pub(crate) fn by_hand<T: SharedValue>() -> &'static Spec<T> {
    const { &Spec::by_hand(T::TYPE) }
}

impl<'a, T: SharedValue> Set<'a, T> {
    pub(crate) fn new(cache: &'a Cache, key: &'a str, value: &'a T) -> Self {
        Self { options: Options::new(cache, key), value }
    }

    /// How long it lives; the cache's default when this is not said.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("token", &1_u8).ttl("10m").await?;
    /// cache.set("country:dk", &45_u8).ttl("forever").await?;
    /// assert!(cache.set("token", &1_u8).ttl("soon").await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn ttl(mut self, ttl: impl IntoTtl) -> Self {
        self.options.ttl = Some(ttl.into_ttl());
        self
    }

    /// The tags it bears.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("user:42", &1_u8).tags(["user", "tenant:7"]).await?;
    /// # Ok(()) }
    /// ```
    pub fn tags<G: Into<String>>(mut self, tags: impl IntoIterator<Item = G>) -> Self {
        self.options.tags.extend(tags.into_iter().map(Into::into));
        self
    }
}

impl<'a, T: SharedValue + Sync> IntoFuture for Set<'a, T> {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'a, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { options, value } = self;
        let prepared = options.subject::<T>().map(|(subject, life)| {
            let kept = subject.spec.value.keep(value);
            (subject.call(false), kept, life)
        });
        Box::pin(async move {
            let (call, kept, life) = prepared.map_err(|error| error.during("set"))?;
            call.set(Some(kept), life, Vec::new()).await
        })
    }
}

impl<'a, T: SharedValue, E, F> GetOrSet<'a, T, E, F> {
    pub(crate) fn new(cache: &'a Cache, key: &'a str, load: F) -> Self {
        Self { options: Options::new(cache, key), load, result: PhantomData }
    }

    /// A ttl that was read already.
    pub(crate) fn ttl_of(mut self, ttl: Option<Result<Option<Duration>>>) -> Self {
        self.options.ttl = ttl;
        self
    }

    /// The entry, without what loads it.
    pub(crate) fn subject(self) -> Result<Subject<T>> {
        self.options.subject().map(|(subject, _)| subject)
    }

    /// How long a loaded value lives; the cache's default when this is not said. Text that is no duration is logged,
    /// and the value is loaded without being stored.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let load = || async { Ok::<_, larder::Error>(42_u8) };
    /// assert_eq!(cache.get_or_set("answer", load).ttl("2h").await?, 42);
    /// # Ok(()) }
    /// ```
    pub fn ttl(mut self, ttl: impl IntoTtl) -> Self {
        self.options.ttl = Some(ttl.into_ttl());
        self
    }

    /// The tags that a loaded value bears.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let load = || async { Ok::<_, larder::Error>(42_u8) };
    /// cache.get_or_set("answer", load).tags(["deep thought"]).await?;
    /// cache.invalidate_tags(["deep thought"]).await?;
    /// assert_eq!(cache.get::<u8>("answer").await?, None);
    /// # Ok(()) }
    /// ```
    pub fn tags<G: Into<String>>(mut self, tags: impl IntoIterator<Item = G>) -> Self {
        self.options.tags.extend(tags.into_iter().map(Into::into));
        self
    }
}

impl<'a, T, E, F, L> IntoFuture for GetOrSet<'a, T, E, F>
where
    T: SharedValue + Send + Sync,
    E: Send + 'a,
    F: FnOnce() -> L + Send + 'a,
    L: Future<Output = Result<T, E>> + Send + 'a,
{
    type Output = Result<T, E>;
    type IntoFuture = BoxFuture<'a, Result<T, E>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { options, load, .. } = self;
        Box::pin(async move {
            let subject = match options.subject::<T>() {
                Ok((subject, _)) if subject.engine.is_read(scope::reads_past()) => subject,
                Ok(_) => return load().await,
                Err(error) => {
                    tracing::error!(target: "larder", %error, "get_or_set: loaded without the cache");
                    return load().await;
                }
            };
            if let Some(hit) = subject.call(false).hit().and_then(|kept| subject.copy(&kept)) {
                return Ok(hit);
            }
            Miss::of(Some(subject))
                .load::<ResultShape, _, _>(Share::never(), async { load().await })
                .await
        })
    }
}
