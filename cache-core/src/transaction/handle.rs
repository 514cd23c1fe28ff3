//! What the body of a transaction is given.

use std::{future::Future, sync::Arc};

use cache_store::Error;

use super::{
    intents::{Intents, Owed},
    publish_announced, publish_sync,
};
use crate::{
    blocking::not_here,
    cache::Cache,
    engine::{Announced, Order},
    query::table_tag,
    rules::{AnyEntry, AnyFnCache, IntoInvalidations, Invalidations},
    runtime,
};

/// A transaction of the database, as its caches see it: [`Cache::in_transaction`] gives one to the body. Cheap to clone.
///
/// Its methods record what is to be invalidated with the commit, and return at once. What cannot be (an empty key, a pattern
/// that does not parse) is told by [`Committed::published`](crate::Committed::published). After the transaction has
/// ended, they invalidate at once: here, and in the shared tier as soon as that is possible.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let cache = larder::Cache::memory();
/// cache.set("user:42", &1_u8).await?;
/// cache.in_transaction(async |tx| {
///     tx.invalidate("user:42");
///     assert!(cache.get::<u8>("user:42").await?.is_some()); // not before the commit
///     Ok::<_, larder::Error>(())
/// }).await?;
/// assert!(cache.get::<u8>("user:42").await?.is_none());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Transaction {
    cache: Cache,
    intents: Arc<Intents>,
}

impl Transaction {
    pub(super) fn new(cache: Cache, intents: Arc<Intents>) -> Self {
        Self { cache, intents }
    }

    /// Invalidates a key with the commit.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// # cache.in_transaction_sync(|tx| {
    /// tx.invalidate("user:42");
    /// # Ok::<_, larder::Error>(()) }).unwrap().published().unwrap();
    /// ```
    pub fn invalidate(&self, key: &str) -> &Self {
        self.invalidates(Invalidations::new().key(key))
    }

    /// Invalidates keys with the commit.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// # cache.in_transaction_sync(|tx| {
    /// tx.invalidate_keys((1..=3).map(|id| format!("user:{id}")));
    /// # Ok::<_, larder::Error>(()) }).unwrap().published().unwrap();
    /// ```
    pub fn invalidate_keys<K: AsRef<str>>(&self, keys: impl IntoIterator<Item = K>) -> &Self {
        self.invalidates(Invalidations::new().keys(keys))
    }

    /// Invalidates whatever bears one of these tags with the commit.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// # cache.in_transaction_sync(|tx| {
    /// tx.invalidate_tags(["user", "tenant:7"]);
    /// # Ok::<_, larder::Error>(()) }).unwrap().published().unwrap();
    /// ```
    pub fn invalidate_tags<G: Into<String>>(&self, tags: impl IntoIterator<Item = G>) -> &Self {
        self.invalidates(Invalidations::new().tags(tags))
    }

    /// Invalidates every query of these tables with the commit: what bears the tag `table:NAME`, as [`Query::tables`]
    /// gives it.
    ///
    /// [`Query::tables`]: crate::Query::tables
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// # cache.in_transaction_sync(|tx| {
    /// tx.invalidate_tables(["users", "orders"]);
    /// # Ok::<_, larder::Error>(()) }).unwrap().published().unwrap();
    /// ```
    pub fn invalidate_tables<G: AsRef<str>>(&self, tables: impl IntoIterator<Item = G>) -> &Self {
        self.invalidate_tags(tables.into_iter().map(|table| table_tag(table.as_ref())))
    }

    /// Invalidates every key that matches a glob with the commit.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// # cache.in_transaction_sync(|tx| {
    /// tx.invalidate_pattern("users:list:*");
    /// # Ok::<_, larder::Error>(()) }).unwrap().published().unwrap();
    /// ```
    pub fn invalidate_pattern(&self, pattern: &str) -> &Self {
        self.invalidates(Invalidations::new().pattern(pattern))
    }

    /// Invalidates a reader's entry with the commit.
    ///
    /// ```
    /// #[larder::cache_aside(key = "user:{id}")]
    /// async fn get_user(id: u64) -> u64 { id }
    ///
    /// # larder::init(larder::Cache::memory()).unwrap();
    /// # larder::current().unwrap().in_transaction_sync(|tx| {
    /// tx.invalidate_entry(get_user_entry(42));
    /// # Ok::<_, larder::Error>(()) }).unwrap().published().unwrap();
    /// ```
    pub fn invalidate_entry(&self, entry: impl AnyEntry) -> &Self {
        self.invalidates(Invalidations::new().entry(entry))
    }

    /// Invalidates all that a reader has stored with the commit.
    ///
    /// ```
    /// #[larder::cache_aside(key = "users:{page}")]
    /// async fn list_users(page: u64) -> u64 { page }
    ///
    /// # larder::init(larder::Cache::memory()).unwrap();
    /// # larder::current().unwrap().in_transaction_sync(|tx| {
    /// tx.invalidate_everything_of(list_users_cache());
    /// # Ok::<_, larder::Error>(()) }).unwrap().published().unwrap();
    /// ```
    pub fn invalidate_everything_of(&self, function: impl AnyFnCache) -> &Self {
        self.invalidates(Invalidations::new().everything_of(function))
    }

    /// Invalidates whatever a list says with the commit, as a rule would.
    ///
    /// ```
    /// use larder::Invalidations;
    ///
    /// # let cache = larder::Cache::memory();
    /// # cache.in_transaction_sync(|tx| {
    /// tx.invalidates(Invalidations::new().all_of(["user", "tenant:7"]).key("users:count"));
    /// # Ok::<_, larder::Error>(()) }).unwrap().published().unwrap();
    /// ```
    pub fn invalidates(&self, what: impl IntoInvalidations) -> &Self {
        let (orders, refused) = what.into_invalidations().orders(self.cache.engine());
        self.intents.record(orders);
        self.intents.refuse(refused);
        self
    }

    /// Invalidates with the commit what the cache's rules say of an event. The rules run now.
    ///
    /// # Panics
    ///
    /// When a rule does.
    ///
    /// ```
    /// use larder::{Cache, InvalidationRules, Invalidations};
    ///
    /// struct UserUpdated { id: u64 }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let rules = InvalidationRules::new()
    ///     .on::<UserUpdated>(|event| Invalidations::new().key(format!("user:{}", event.id)));
    /// let cache = Cache::builder().rules(rules).build().await?;
    /// cache.in_transaction(async |tx| {
    ///     tx.publish(UserUpdated { id: 42 });
    ///     Ok::<_, larder::Error>(())
    /// }).await?.published()
    /// # }
    /// ```
    pub fn publish<E: 'static>(&self, event: E) -> &Self {
        let publication = self.cache.publish(event).record(&self.intents);
        self.intents.refuse(publication.err());
        self
    }

    /// Commits: announces the keys and tags that were recorded so far, runs the future, and publishes.
    ///
    /// From the announcement on until the publication nobody stores these keys, or anything that bears these tags, in any
    /// process, and what was stored is invalid. Were this process to die in between, that would end by itself after 30 seconds,
    /// when the commit has long been done or not; no value from before it is left. What covers more, which is patterns, several
    /// tags together, all of a function and [`clear`](Cache::clear), cannot be announced: it is invalidated once when this
    /// announces, and once more after the commit. A process that dies in between leaves at the most what was loaded during
    /// the commit itself.
    ///
    /// A shared tier that does not answer does not keep the commit from happening. An error of the future counts as a
    /// commit of which nobody knows: all is published as well.
    ///
    /// # Errors
    ///
    /// Those of the future.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the future is dropped, and all that was recorded is invalidated: here at once, in the shared
    /// tier as soon as possible.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// # let cache = larder::Cache::memory();
    /// # async fn commit() -> larder::Result<()> { Ok(()) }
    /// cache.in_transaction(async |tx| {
    ///     tx.invalidate("user:42");
    ///     tx.commit(commit()).await
    /// }).await?.published()
    /// # }
    /// ```
    pub async fn commit<T, E>(&self, commit: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let owed = self.intents.commit();
        let announced = announce(owed.orders().to_vec()).await;
        let result = commit.await;
        self.intents.pass_on(&owed);
        self.intents.not_confirmed(publish_announced(owed, announced).await);
        result
    }

    /// [`commit`](Self::commit) for sync code.
    ///
    /// # Errors
    ///
    /// Those of the closure.
    ///
    /// # Panics
    ///
    /// When the closure does; what was recorded is invalidated then.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// # fn commit() -> larder::Result<()> { Ok(()) }
    /// cache.in_transaction_sync(|tx| {
    ///     tx.invalidate("user:42");
    ///     tx.commit_sync(commit)
    /// })?.published()?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn commit_sync<T, E>(&self, commit: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let owed = self.intents.commit();
        let announced = if is_local(&owed) {
            Announced::default()
        } else {
            runtime::wait_for(announce(owed.orders().to_vec())).unwrap_or_default()
        };
        let result = commit();
        self.intents.pass_on(&owed);
        let unconfirmed: Vec<Error> = if is_local(&owed) {
            publish_sync(owed)
        } else {
            let published = runtime::wait_for(publish_announced(owed, announced));
            published.unwrap_or_else(|| vec![not_here()])
        };
        self.intents.not_confirmed(unconfirmed);
        result
    }
}

fn is_local(owed: &Owed) -> bool {
    owed.orders().iter().all(Order::is_local)
}

/// What the shared tier is told before a commit.
async fn announce(orders: Vec<Order>) -> Announced {
    Announced::of(&orders).await
}
