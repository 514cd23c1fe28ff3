//! Invalidations that wait for a commit.

mod handle;
mod intents;

use std::{future::Future, ops::Deref, sync::Arc};

use cache_store::{Error, Result};

pub use self::handle::Transaction;
pub(crate) use self::intents::{Intents, current, inside, inside_sync, is_inside};
use self::intents::{Left, Owed};
use crate::{
    blocking::not_here,
    cache::Cache,
    engine::{Announced, Order, invalidate_all},
    runtime,
};

impl Cache {
    /// Runs the body of a database transaction and publishes what it invalidates after the commit: never before, and not
    /// when it is rolled back.
    ///
    /// Inside, nothing is invalidated and nothing is stored. What is asked for is recorded as an intent: by the
    /// [`Transaction`] that the body is given, by `invalidate` and its like on any cache, by companions, by `publish`, and by
    /// annotated writers. A writer or a `set` inside stores no value, for that may yet change or be rolled back; it invalidates
    /// its entry with the commit. Annotated functions and [`get_or_set`](Self::get_or_set) run their bodies inside: those see
    /// what is not committed, so nothing that they return is kept, and nobody else is given it. All that holds for
    /// the body's task, and for what it spawns through [`spawn`](crate::spawn) and [`spawn_blocking`](crate::spawn_blocking).
    ///
    /// Commit through [`Transaction::commit`]: then the keys, tags and tables among the intents are announced before the commit,
    /// as a writer announces its entry, so that a process that dies between commit and publication leaves no old value behind.
    /// Patterns and what else covers more are not announced: there it leaves what was loaded during the commit.
    ///
    /// | the body | what is recorded |
    /// |---|---|
    /// | returns `Ok` | is published |
    /// | returns `Err` before [`commit`](Transaction::commit) was called | is forgotten; everything is as it was |
    /// | returns `Err` after that, or the commit gave an error | is published: the rows may have changed |
    /// | panics, or its future is dropped | is published: nobody knows whether it was committed |
    ///
    /// # Errors
    ///
    /// Those of the body. That something was not confirmed after the commit is no error of the transaction: see
    /// [`Committed::published`].
    ///
    /// # Panics
    ///
    /// When the body does.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the body's future is dropped, and all that was recorded is invalidated: here at once, in the
    /// shared tier as soon as possible.
    ///
    /// ```
    /// # struct Db; impl Db { async fn begin(&self) -> Result<Self, std::io::Error> { Ok(Db) }
    /// # async fn execute(&mut self, _: &str) -> Result<(), std::io::Error> { Ok(()) }
    /// # async fn commit(self) -> Result<(), std::io::Error> { Ok(()) } }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (cache, pool) = (larder::Cache::memory(), Db);
    /// let renamed = cache
    ///     .in_transaction(async |tx| {
    ///         let mut db = pool.begin().await?;
    ///         db.execute("UPDATE users SET name = 'Ada' WHERE id = 42").await?;
    ///         tx.invalidate("user:42").invalidate_tables(["users"]);
    ///         tx.commit(db.commit()).await?;
    ///         Ok::<_, std::io::Error>(1)
    ///     })
    ///     .await?;
    /// assert_eq!(*renamed, 1); // the commit stands
    /// renamed.published()?; // and every cache knows
    /// # Ok(()) }
    /// ```
    pub async fn in_transaction<T, E, F>(
        &self,
        body: impl FnOnce(Transaction) -> F,
    ) -> Result<Committed<T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let intents = Intents::begin();
        let ending = Ending(Some(Arc::clone(&intents)));
        let tx = Transaction::new(self.clone(), Arc::clone(&intents));
        let result = inside(intents, async { body(tx).await }).await;
        let (published, refused) = match ending.end(result.is_ok()) {
            Some(Left { owed, refused, unconfirmed }) => {
                (published(publish(owed).await, unconfirmed), refused)
            }
            None => (Ok(()), Vec::new()),
        };
        committed(result, published, refused)
    }

    /// [`in_transaction`](Self::in_transaction) for sync code, on its thread: commit through
    /// [`Transaction::commit_sync`]. Needs no runtime.
    ///
    /// # Errors
    ///
    /// Those of the body.
    ///
    /// # Panics
    ///
    /// When the body does; what was recorded is invalidated then.
    ///
    /// ```
    /// # struct Db; impl Db { fn execute(&self, _: &str) -> Result<(), std::io::Error> { Ok(()) } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (cache, db) = (larder::Cache::memory(), Db);
    /// cache
    ///     .in_transaction_sync(|tx| {
    ///         db.execute("BEGIN; UPDATE users SET name = 'Ada' WHERE id = 42")?;
    ///         tx.invalidate("user:42");
    ///         tx.commit_sync(|| db.execute("COMMIT"))
    ///     })?
    ///     .published()?;
    /// # Ok(()) }
    /// ```
    pub fn in_transaction_sync<T, E>(
        &self,
        body: impl FnOnce(Transaction) -> Result<T, E>,
    ) -> Result<Committed<T>, E> {
        let intents = Intents::begin();
        let ending = Ending(Some(Arc::clone(&intents)));
        let tx = Transaction::new(self.clone(), Arc::clone(&intents));
        let result = inside_sync(intents, || body(tx));
        let (published, refused) = match ending.end(result.is_ok()) {
            Some(Left { owed, refused, unconfirmed }) => {
                (published(publish_sync(owed), unconfirmed), refused)
            }
            None => (Ok(()), Vec::new()),
        };
        committed(result, published, refused)
    }
}

/// A transaction whose body has not returned. Dropped, nobody knows whether it was committed: all of it is invalidated.
struct Ending(Option<Arc<Intents>>);

impl Ending {
    fn end(mut self, kept: bool) -> Option<Left> {
        let intents = self.0.take()?;
        let left = intents.close(kept);
        intents.pass_on(&left.owed);
        Some(left)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(intents) = self.0.take() {
            let left = intents.close(true);
            intents.pass_on(&left.owed);
        }
    }
}

/// Invalidates; what was not confirmed, by its errors, holds here and is repeated.
async fn publish(owed: Owed) -> Vec<Error> {
    invalidate_all(owed.take()).await.into_iter().filter_map(Result::err).collect()
}

/// The same for sync code.
fn publish_sync(owed: Owed) -> Vec<Error> {
    if owed.orders().iter().all(Order::is_local) {
        // Dropped, it is done.
        return Vec::new();
    }
    runtime::wait_for(publish(owed)).unwrap_or_else(|| vec![not_here()])
}

/// After a commit that was announced: the invalidations, and the end of the announcements.
async fn publish_announced(owed: Owed, announced: Announced) -> Vec<Error> {
    let unconfirmed = publish(owed).await;
    announced.end().await;
    unconfirmed
}

fn published(now: Vec<Error>, before: Vec<Error>) -> Result<()> {
    let Some(first) = before.first().or(now.first()) else { return Ok(()) };
    let message = format!(
        "{first}; the commit stands, and what it invalidates holds in this process, and is queued and repeated until the \
         shared tier confirms it"
    );
    Err(Error::new(first.kind(), message).during("in_transaction").with_source(first.clone()))
}

fn committed<T, E>(
    result: Result<T, E>,
    published: Result<()>,
    refused: Vec<Error>,
) -> Result<Committed<T>, E> {
    let refused = match refused.first() {
        Some(first) => {
            let all: Vec<String> = refused.iter().map(ToString::to_string).collect();
            let message = format!(
                "the commit stands, but not all that the transaction asked for can be invalidated: {}",
                all.join("; ")
            );
            Err(Error::new(first.kind(), message)
                .during("in_transaction")
                .with_source(first.clone()))
        }
        None => Ok(()),
    };
    // A mistake comes first: what was not confirmed is repeated anyway.
    let published = refused.and(published);
    if let Err(error) = &published {
        tracing::warn!(target: "larder", %error, "a transaction's invalidations");
    }
    result.map(|value| Committed { value, published })
}

/// What a transaction's body returned, and whether what it invalidates has been confirmed. Gives the value by `*`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let cache = larder::Cache::memory();
/// let committed = cache.in_transaction(async |tx| {
///     tx.invalidate("user:42");
///     Ok::<_, larder::Error>("Ada")
/// }).await?;
/// assert_eq!(*committed, "Ada");
/// assert!(committed.published().is_ok());
/// assert_eq!(committed.into_value(), "Ada");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Committed<T> {
    value: T,
    published: Result<()>,
}

impl<T> Committed<T> {
    /// Whether every invalidation of the transaction has been confirmed. It is committed in any case.
    ///
    /// # Errors
    ///
    /// When the shared tier does not confirm: the invalidations hold in this process then, and are repeated until it does.
    /// For keys and patterns that are malformed, which were left out.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let committed = cache.in_transaction(async |tx| {
    ///     tx.invalidate_pattern("user:[");
    ///     Ok::<_, larder::Error>(7)
    /// }).await?;
    /// assert_eq!(committed.published().unwrap_err().kind(), larder::ErrorKind::Template);
    /// assert_eq!(*committed, 7);
    /// # Ok(()) }
    /// ```
    pub fn published(&self) -> Result<()> {
        self.published.clone()
    }

    /// What the body returned, for callers that leave what was not confirmed to its repetition.
    ///
    /// ```
    /// # fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let rows = cache.in_transaction_sync(|_| Ok::<_, larder::Error>(3))?.into_value();
    /// assert_eq!(rows, 3);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> Deref for Committed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
