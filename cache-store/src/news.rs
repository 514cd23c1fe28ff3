//! What a store tells, unasked, of changes that anybody makes in the shared tier.

/// Something that changed in the shared tier, whoever changed it.
///
/// News says that something *may* have been invalidated. A load makes the dependencies that are not there yet, and that
/// is told like their end: a listener that takes either for an invalidation is never wrong, only too careful.
///
/// See [`Listener`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum News<'a> {
    /// The nonce of this key was made, prolonged or taken away.
    Key(&'a str),
    /// The nonce of this tag was.
    Tag(&'a str),
    /// The pattern log is another one than before: ask for it with [`Store::patterns`](crate::Store::patterns).
    Patterns,
    /// Changes may have been made that were not told and never will be: the connection that news comes by is new or
    /// was lost, a server changed its part, or everything was deleted.
    Gap,
    /// A [`Gap`](Self::Gap), and the tier may have gone back to an earlier state: another server answers than before, a
    /// promoted replica or one that restarted from a snapshot. Invalidations that were confirmed shortly before may be
    /// undone, so whoever made them repeats them.
    Rewound,
}

/// Hears the [`News`] of one store; see [`Store::listen`](crate::Store::listen).
///
/// ```
/// use std::sync::{Arc, Mutex, Weak};
/// use cache_store::{Invalidation, Listener, News, Store, testing::MemoryStore};
///
/// #[derive(Default)]
/// struct Ears(Mutex<Vec<String>>);
///
/// impl Listener for Ears {
///     fn hear(&self, news: News<'_>) {
///         self.0.lock().unwrap().push(format!("{news:?}"));
///     }
/// }
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let ears = Arc::new(Ears::default());
/// let listener: Arc<dyn Listener> = ears.clone();
/// assert!(store.listen(Arc::downgrade(&listener)));
///
/// store.connect().invalidate(&Invalidation::Tags(vec!["user".into()])).await?; // another process
/// store.heartbeat().await?; // from here on it is certain that the news has come
/// assert_eq!(*ears.0.lock().unwrap(), ["Gap", r#"Tag("user")"#]);
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
pub trait Listener: Send + Sync {
    /// Takes one piece of news.
    ///
    /// Called by whoever reads the store's connection, one piece at a time, in the order in which the tier made the changes;
    /// what it did at the same moment comes in any order, and repetitions once. It must return at once, and neither panic
    /// nor ask the store anything.
    fn hear(&self, news: News<'_>);
}
