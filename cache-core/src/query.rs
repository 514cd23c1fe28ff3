//! Results of queries, under keys made from their statements and parameters.

use std::future::Future;

use cache_store::{Error, Result};
use serde::Serialize;

use crate::{
    cache::Cache,
    explicit::{GetOrSet, IntoTtl},
    key::Hashed,
    private::{Miss, ResultShape, sharing::Share},
    scope,
    value::SharedValue,
};

/// The tag that queries of a table bear.
pub(crate) fn table_tag(table: &str) -> String {
    format!("table:{table}")
}

impl Cache {
    /// The cached result of a query, by its statement and parameters: the text and every [`bind`](Query::bind), in order.
    ///
    /// Two statements that differ in anything, be it a space, are two entries: what looks alike in SQL may be two texts, and
    /// what is a little different may return something else. Say which [`tables`](Query::tables) it reads, and whoever
    /// changes those invalidates all of its entries.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let names = |country: &str| {
    ///     let names = vec![format!("a city of {country}")]; // from the database
    ///     async move { Ok::<_, larder::Error>(names) }
    /// };
    /// for _ in 0..2 {
    ///     let cities: Vec<String> = cache
    ///         .query("SELECT name FROM city WHERE country = ?1 ORDER BY name")
    ///         .bind("DK")
    ///         .tables(["city"])
    ///         .ttl("1m")
    ///         .get_or_load(|| names("DK"))
    ///         .await?;
    ///     assert_eq!(cities, ["a city of DK"]);
    /// }
    /// assert_eq!(cache.stats().loads, 1);
    /// cache.invalidate_tables(["city"]).await?;
    /// # Ok(()) }
    /// ```
    pub fn query(&self, statement: &str) -> Query<'_> {
        let query = Query { cache: self, key: Ok("query".to_owned()), tags: Vec::new(), ttl: None };
        query.with(statement)
    }

    /// Invalidates every query of these tables: what bears the tag `table:NAME`. One round trip.
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
    /// cache.invalidate_tables(["users", "orders"]).await
    /// # }
    /// ```
    pub fn invalidate_tables<G: AsRef<str>>(
        &self,
        tables: impl IntoIterator<Item = G>,
    ) -> crate::Invalidate {
        self.invalidate_tags(tables.into_iter().map(|table| table_tag(table.as_ref())))
    }
}

/// A query whose result is cached; does nothing before [`get_or_load`](Self::get_or_load). What [`Cache::query`] gives.
///
/// ```
/// let cache = larder::Cache::memory();
/// let by_id = |id: u64| cache.query("SELECT name FROM users WHERE id = ?1").bind(&id).key();
/// assert_eq!(by_id(42)?, by_id(42)?);
/// assert_ne!(by_id(42)?, by_id(43)?);
/// # Ok::<(), larder::Error>(())
/// ```
#[must_use = "a query does nothing before it is loaded"]
#[derive(Clone, Debug)]
pub struct Query<'a> {
    cache: &'a Cache,
    key: Result<String>,
    tags: Vec<String>,
    ttl: Option<Result<Option<std::time::Duration>>>,
}

impl<'a> Query<'a> {
    fn with<T: Serialize + ?Sized>(mut self, part: &T) -> Self {
        // Digests of one length, so that no two lists of parts read alike.
        self.key = self.key.and_then(|key| Ok(format!("{key}:{}", Hashed::new(part).checked()?)));
        self
    }

    /// The next parameter. Its type counts, too: `1` and `"1"` are two parameters, and so are `1_i32` and `1_i64`.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// let query = || cache.query("SELECT ?1, ?2");
    /// assert_ne!(query().bind(&1).bind(&2).key()?, query().bind(&2).bind(&1).key()?);
    /// assert_ne!(query().bind("ab").bind("").key()?, query().bind("a").bind("b").key()?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn bind<T: Serialize + ?Sized>(self, parameter: &T) -> Self {
        self.with(parameter)
    }

    /// The tables that it reads: their changes invalidate its result, by [`Transaction::invalidate_tables`],
    /// [`Cache::invalidate_tables`] or the tag `table:NAME`. Names are compared as they are written.
    ///
    /// [`Transaction::invalidate_tables`]: crate::Transaction::invalidate_tables
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let count = async || {
    ///     let load = || async { Ok::<u64, larder::Error>(3) };
    ///     cache.query("SELECT count(*) FROM users").tables(["users"]).get_or_load(load).await
    /// };
    /// count().await?;
    /// cache.invalidate_tables(["users"]).await?;
    /// count().await?;
    /// assert_eq!(cache.stats().loads, 2);
    /// # Ok(()) }
    /// ```
    pub fn tables<G: AsRef<str>>(mut self, tables: impl IntoIterator<Item = G>) -> Self {
        self.tags.extend(tables.into_iter().map(|table| table_tag(table.as_ref())));
        self
    }

    /// Further tags of its result.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// let query = cache.query("SELECT name FROM users WHERE tenant = ?1").bind(&7).tags(["tenant:7"]);
    /// # drop(query);
    /// ```
    pub fn tags<G: Into<String>>(mut self, tags: impl IntoIterator<Item = G>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// How long its result lives; the cache's default when this is not said. Text that is no duration is logged, and the
    /// result is loaded without being stored.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// let query = cache.query("SELECT 1").ttl("1m");
    /// # drop(query);
    /// ```
    pub fn ttl(mut self, ttl: impl IntoTtl) -> Self {
        self.ttl = Some(ttl.into_ttl());
        self
    }

    /// The key that its result is cached under.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec) for a parameter whose `Serialize` fails.
    ///
    /// ```
    /// let key = larder::Cache::memory().query("SELECT 1").key()?;
    /// assert!(key.starts_with("query:"));
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn key(&self) -> Result<String> {
        self.key.clone()
    }

    /// The cached result, or what `load` returns: as [`Cache::get_or_set`]. In a
    /// [transaction](Cache::in_transaction) `load` runs, and what it returns is not stored.
    ///
    /// # Errors
    ///
    /// Those of `load` only. Of a parameter that cannot be hashed nothing is cached, which is logged.
    ///
    /// # Cancel safety
    ///
    /// As [`Cache::get_or_set`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let load = || async { Ok::<_, larder::Error>("Ada".to_owned()) };
    /// let name = cache.query("SELECT name FROM users WHERE id = ?1").bind(&42).get_or_load(load).await?;
    /// assert_eq!(name, "Ada");
    /// # Ok(()) }
    /// ```
    pub async fn get_or_load<T, E, L>(self, load: impl FnOnce() -> L + Send) -> Result<T, E>
    where
        T: SharedValue + Send + Sync,
        E: Send,
        L: Future<Output = Result<T, E>> + Send,
    {
        let Self { cache, key, tags, ttl } = self;
        match key {
            Ok(key) => GetOrSet::new(cache, &key, load).tags(tags).ttl_of(ttl).await,
            Err(error) => {
                uncached(&error);
                load().await
            }
        }
    }

    /// The same for sync code: waits on the calling thread, inside and outside tokio.
    ///
    /// # Errors
    ///
    /// Those of `load` only.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// let load = || Ok::<_, larder::Error>("Ada".to_owned());
    /// let name = cache.query("SELECT name FROM users WHERE id = ?1").bind(&42).get_or_load_sync(load)?;
    /// assert_eq!(name, "Ada");
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn get_or_load_sync<T, E>(self, load: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: SharedValue,
    {
        let Self { cache, key, tags, ttl } = self;
        let subject = key.and_then(|key| {
            GetOrSet::<T, E, ()>::new(cache, &key, ()).tags(tags).ttl_of(ttl).subject()
        });
        let subject =
            subject.inspect_err(uncached).ok().filter(|it| it.engine.is_read(scope::reads_past()));
        if let Some(subject) = &subject
            && let Some(hit) = subject.call(false).hit().and_then(|kept| subject.copy(&kept))
        {
            return Ok(hit);
        }
        Miss::of(subject).load_sync::<ResultShape, _>(Share::never(), load)
    }
}

fn uncached(error: &Error) {
    tracing::error!(target: "larder", %error, "a query: loaded without the cache");
}
