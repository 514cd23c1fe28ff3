//! Many keys by hand, in as few round trips as one.

use std::{
    collections::HashMap, error::Error as StdError, fmt, future::IntoFuture, time::Duration,
};

use cache_store::{BoxFuture, Error, Result};

use super::{IntoTtl, by_hand};
use crate::{
    cache::Cache,
    engine::{Setting, get_many, set_many, set_many_in_memory},
    key::{KeyBuffer, raw_key},
    private::Subject,
    value::SharedValue,
};

/// How many keys a message names.
const NAMED: usize = 10;

impl Cache {
    /// The values under many keys, in the order of the keys; `None` where there is none of this type.
    ///
    /// What memory has is not asked for; the rest is read in one round trip (in a cluster, one for each slot, at the same
    /// time; long lists in pieces of 500).
    ///
    /// # Errors
    ///
    /// When all keys had to be asked of the shared tier, and it answered for none of them; for the empty key. Where a part of it
    /// does not answer, one node of a cluster for example, the keys of that part are `None` and the others as they are;
    /// [`stats`](Cache::stats) counts the error.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set_many([("user:1", &"Ada".to_owned()), ("user:2", &"Bo".to_owned())]).await?;
    /// let names = cache.get_many::<String, _>(["user:2", "user:9", "user:1"]).await?;
    /// assert_eq!(names, [Some("Bo".to_owned()), None, Some("Ada".to_owned())]);
    /// # Ok(()) }
    /// ```
    pub async fn get_many<T, I>(&self, keys: I) -> Result<Vec<Option<T>>>
    where
        T: SharedValue,
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut calls = Vec::new();
        for key in keys {
            calls.push(subject::<T>(self, key.as_ref())?.call(false));
        }
        if !self.engine().is_shown() {
            return Ok(calls.iter().map(|_| None).collect());
        }
        let spec = by_hand::<T>();
        let copy = |kept: Option<_>| kept.and_then(|kept: Option<_>| spec.value.copy(&kept?));
        Ok(get_many(calls).await?.into_iter().map(copy).collect())
    }

    /// Stores values under many keys, each as [`set`](Self::set) does; of a key that comes twice, the last value.
    ///
    /// Two round trips for all of them (in a cluster, for each slot, at the same time; long lists in pieces of 500): one
    /// announces, the other stores. They are not stored as one: each key is stored or not for itself.
    ///
    /// # Errors
    ///
    /// When awaited: when the shared tier does not confirm all of them. The error's [source](std::error::Error::source) is a
    /// [`NotStored`], which names the keys that are not stored; they are invalidated, as soon as the shared tier answers.
    /// For an empty key and for a malformed time to live nothing is stored at all.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the keys that were announced are invalidated.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let (ada, bo) = ("Ada".to_owned(), "Bo".to_owned());
    /// cache.set_many([("user:1", &ada), ("user:2", &bo)]).ttl("5m").tags(["user"]).await?;
    /// assert_eq!(cache.get::<String>("user:2").await?, Some(bo));
    /// # Ok(()) }
    /// ```
    pub fn set_many<'a, T: SharedValue, K: AsRef<str>>(
        &'a self,
        entries: impl IntoIterator<Item = (K, &'a T)>,
    ) -> SetMany<'a, T> {
        let entries = entries.into_iter().map(|(key, value)| (key.as_ref().to_owned(), value));
        SetMany { cache: self, entries: entries.collect(), ttl: None, tags: Vec::new() }
    }
}

/// Stores many values by their keys; does nothing before it is awaited. What [`Cache::set_many`] gives, which says when it
/// fails and what happens when it is dropped.
///
/// # Cancel safety
///
/// As [`Cache::set_many`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let cache = larder::Cache::memory();
/// let stock = std::collections::HashMap::from([("stock:1", 7_u32), ("stock:2", 0)]);
/// cache.set_many(&stock).ttl("1m").await?;
/// assert_eq!(cache.get::<u32>("stock:1").await?, Some(7));
/// # Ok(()) }
/// ```
#[must_use = "a set_many does nothing before it is awaited"]
#[derive(Debug)]
pub struct SetMany<'a, T> {
    cache: &'a Cache,
    entries: Vec<(String, &'a T)>,
    ttl: Option<Result<Option<Duration>>>,
    tags: Vec<String>,
}

impl<'a, T: SharedValue> SetMany<'a, T> {
    /// How long they live; the cache's default when this is not said.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set_many([("token:1", &1_u8), ("token:2", &2)]).ttl("10m").await?;
    /// assert!(cache.set_many([("token:1", &1_u8)]).ttl("soon").await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn ttl(mut self, ttl: impl IntoTtl) -> Self {
        self.ttl = Some(ttl.into_ttl());
        self
    }

    /// The tags that each of them bears.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set_many([("user:1", &1_u8), ("user:2", &2)]).tags(["user", "tenant:7"]).await?;
    /// cache.invalidate_tags(["tenant:7"]).await?;
    /// assert_eq!(cache.get::<u8>("user:1").await?, None);
    /// # Ok(()) }
    /// ```
    pub fn tags<G: Into<String>>(mut self, tags: impl IntoIterator<Item = G>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    fn prepare(self) -> Result<Prepared> {
        let engine = self.cache.engine();
        let life = self.ttl.unwrap_or(Ok(engine.settings.default_ttl))?;
        let mut places = HashMap::new();
        let (mut names, mut settings) = (Vec::new(), Vec::<Setting>::new());
        for (key, value) in self.entries {
            let mut subject = subject::<T>(self.cache, &key)?;
            subject.tags.clone_from(&self.tags);
            subject.ttl = Some(life.unwrap_or(Duration::MAX));
            let call = subject.call(false);
            let value = Some(subject.spec.value.keep(value));
            let place = *places.entry(call.key.clone()).or_insert(settings.len());
            match settings.get_mut(place) {
                Some(earlier) => earlier.value = value,
                None => {
                    names.push(key);
                    settings.push(Setting { call, value });
                }
            }
        }
        Ok(Prepared { names, settings, life })
    }
}

/// What is to be stored, each key once, and for how long.
struct Prepared {
    names: Vec<String>,
    settings: Vec<Setting>,
    life: Option<Duration>,
}

impl<'a, T: SharedValue> IntoFuture for SetMany<'a, T> {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'a, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        let in_memory = self.cache.engine().shared.is_none();
        let prepared = self.prepare();
        Box::pin(async move {
            let Prepared { names, settings, life } =
                prepared.map_err(|error| error.during("set_many"))?;
            let results = match in_memory {
                true => set_many_in_memory(settings, life),
                false => set_many(settings, life).await,
            };
            let all = results.len();
            let failed = names.into_iter().zip(results);
            let failed = failed.filter_map(|(key, result)| Some((key, result.err()?)));
            let (keys, mut causes): (Vec<String>, Vec<Error>) = failed.unzip();
            if causes.is_empty() {
                return Ok(());
            }
            Err(NotStored { keys, cause: causes.swap_remove(0) }.into_error(all))
        })
    }
}

/// The keys that [`Cache::set_many`] did not store: the source of its error.
///
/// ```
/// use std::error::Error as _;
///
/// fn keys_to_try_again(error: &larder::Error) -> &[String] {
///     let source = error.source().and_then(|source| source.downcast_ref::<larder::NotStored>());
///     source.map_or(&[], larder::NotStored::keys)
/// }
/// # let _ = keys_to_try_again;
/// ```
#[derive(Clone, Debug)]
pub struct NotStored {
    keys: Vec<String>,
    cause: Error,
}

impl NotStored {
    /// The keys, in the order in which they were given. Each of them is invalidated, as soon as the shared tier answers.
    ///
    /// See [`NotStored`] for an example.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    fn into_error(self, of: usize) -> Error {
        let message = format!("{} of {of} values {self}", self.keys.len());
        Error::new(self.cause.kind(), message).during("set_many").with_source(self)
    }
}

impl fmt::Display for NotStored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("are not stored (")?;
        for (number, key) in self.keys.iter().take(NAMED).enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}`{key}`")?;
        }
        if let Some(more @ 1..) = self.keys.len().checked_sub(NAMED) {
            write!(f, " and {more} more")?;
        }
        write!(f, "): {}", self.cause)
    }
}

impl StdError for NotStored {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.cause)
    }
}

fn subject<T: SharedValue>(cache: &Cache, key: &str) -> Result<Subject<T>> {
    Ok(Subject::new(by_hand::<T>(), cache.engine(), raw_key(key, &mut KeyBuffer::new())?))
}
