//! What a cache does with several tags at once, and with the keys that bear one.

use std::{future::IntoFuture, sync::Arc};

use cache_store::{BoxFuture, Error, ErrorKind, Invalidation, Result};

use crate::{Cache, Invalidate, engine::Engine, runtime};

impl Cache {
    /// Invalidates every entry that bears all of these tags. One round trip, however many entries there are.
    ///
    /// One tag alone is [`invalidate_tags`](Self::invalidate_tags). Tags that an entry was given later by
    /// [`tag`](Self::tag) count as if it had borne them from the beginning.
    ///
    /// # Errors
    ///
    /// As [`invalidate`](Self::invalidate), and [`ErrorKind::Template`] for no tags at all.
    ///
    /// # Cancel safety
    ///
    /// As [`invalidate`](Self::invalidate).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("user:1", &1_u8).tags(["user", "tenant:7"]).await?;
    /// cache.set("user:2", &2_u8).tags(["user", "tenant:8"]).await?;
    /// cache.invalidate_all_of(["user", "tenant:7"]).await?;
    /// assert_eq!(cache.get::<u8>("user:1").await?, None);
    /// assert_eq!(cache.get::<u8>("user:2").await?, Some(2));
    /// # Ok(()) }
    /// ```
    pub fn invalidate_all_of<G: Into<String>>(
        &self,
        tags: impl IntoIterator<Item = G>,
    ) -> Invalidate {
        self.invalidation(all_of(tags.into_iter().map(Into::into).collect()))
    }

    /// The keys of the entries that bear a tag, as far as they are known: for a look inside, never to decide what is
    /// valid.
    ///
    /// What this process has in memory is checked as a hit would be. What the shared tier adds comes from an index that
    /// it keeps beside the entries: the keys that were stored with the tag since the tag was last invalidated and whose
    /// time is not over. Such a key may have no valid entry any more (evicted, invalidated by its key, a pattern or
    /// another tag, stored again without the tag), and one may be missing: the index is bounded, and an entry that was
    /// stored while the index could not be written is not in it.
    ///
    /// Costs a look at every entry in memory, and one round trip for about a thousand keys of the index.
    ///
    /// # Errors
    ///
    /// When awaited: when the shared tier does not answer, or keeps no index.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("user:1", &1_u8).tags(["user"]).await?;
    /// cache.set("user:2", &2_u8).tags(["user"]).await?;
    /// assert_eq!(cache.tagged("user").await?, ["user:1", "user:2"]);
    /// cache.invalidate_tags(["user"]).await?;
    /// assert!(cache.tagged("user").await?.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn tagged(&self, tag: impl Into<String>) -> Tagged {
        Tagged { engine: Arc::clone(self.engine()), tag: tag.into(), limit: usize::MAX }
    }
}

pub(crate) fn all_of(mut tags: Vec<String>) -> Result<Invalidation> {
    tags.sort_unstable();
    tags.dedup();
    match tags.len() {
        0 => Err(Error::new(
            ErrorKind::Template,
            "`invalidate_all_of` was given no tags, and every entry bears all of none: name at least one, or write \
             `clear()` to invalidate everything",
        )),
        1 => Ok(Invalidation::Tags(tags)),
        _ => Ok(Invalidation::AllOf(tags)),
    }
}

/// A look for the keys that bear a tag; does nothing before it is awaited. What [`Cache::tagged`] gives, which says what
/// the answer means, when it fails and what happens when it is dropped.
///
/// The keys are in order, each of them once.
///
/// # Cancel safety
///
/// Safe: nothing is changed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let cache = larder::Cache::memory();
/// cache.set("user:42", &1_u8).tags(["user"]).await?;
/// for key in cache.tagged("user").limit(1_000).await? {
///     println!("{key}");
/// }
/// # Ok(()) }
/// ```
#[must_use = "nothing is looked for before it is awaited"]
#[derive(Debug)]
pub struct Tagged {
    engine: Arc<Engine>,
    tag: String,
    limit: usize,
}

impl Tagged {
    /// At most so many keys, whichever are found first. Without it all that are known.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// for id in 0..10 {
    ///     cache.set(&format!("user:{id}"), &id).tags(["user"]).await?;
    /// }
    /// assert_eq!(cache.tagged("user").limit(3).await?.len(), 3);
    /// # Ok(()) }
    /// ```
    pub fn limit(mut self, keys: usize) -> Self {
        self.limit = keys;
        self
    }

    /// The same for sync code: waits on the calling thread, at most a few of the shared tier's deadlines for each
    /// thousand keys.
    ///
    /// # Errors
    ///
    /// As when awaited; and on Larder's own thread, which cannot wait for itself.
    ///
    /// ```
    /// let cache = larder::Cache::memory();
    /// assert!(cache.tagged("user").wait()?.is_empty());
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn wait(self) -> Result<Vec<String>> {
        if self.engine.shared.is_none() {
            return Ok(self.engine.tagged_here(&self.tag, self.limit));
        }
        runtime::wait_for(self.run()).unwrap_or_else(|| Err(crate::blocking::not_here()))
    }

    async fn run(self) -> Result<Vec<String>> {
        let found = self.engine.tagged(&self.tag, self.limit).await;
        found.map_err(|error| error.during("tagged"))
    }
}

impl IntoFuture for Tagged {
    type Output = Result<Vec<String>>;
    type IntoFuture = BoxFuture<'static, Result<Vec<String>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
