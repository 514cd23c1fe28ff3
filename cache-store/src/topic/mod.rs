//! Messages between processes: what is asked of a [`Store`](crate::Store) about them, and what it hands to those who listen.

mod subscribers;

use std::{fmt, sync::Arc};

pub use subscribers::Subscribers;

/// Which topics somebody subscribes to.
///
/// See [`Subscriber`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topics<'a> {
    /// The one of this name.
    One(&'a str),
    /// All whose names match this glob, which is written as those of
    /// [`Invalidation::Pattern`](crate::Invalidation::Pattern) are. A store hands over the messages of these topics and maybe
    /// of others: whoever listens looks at the name.
    Matching(&'a str),
}

/// What a [`Subscriber`] is handed, with an example there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery<'a> {
    /// Somebody published this.
    Message {
        /// The topic's name.
        topic: &'a str,
        /// As it was published. One copy for all who listen in a process.
        bytes: &'a Arc<[u8]>,
    },
    /// Messages may have been lost: the connection they come by was lost, and is there again. Comes once it is, and before
    /// the first message that follows.
    Gap,
    /// Nothing comes any more: the store is closed, or the runtime that its connection lives on has ended.
    Ended,
}

/// Is handed the messages of the topics it [subscribed](crate::Store::subscribe) to.
///
/// ```
/// use std::sync::{Arc, Mutex, Weak};
/// use cache_store::{Delivery, Store, Subscriber, Topics, testing::MemoryStore};
///
/// #[derive(Default)]
/// struct Inbox(Mutex<Vec<String>>);
///
/// impl Subscriber for Inbox {
///     fn receive(&self, delivery: Delivery<'_>) {
///         if let Delivery::Message { topic, bytes } = delivery {
///             self.0.lock().unwrap().push(format!("{topic} {}", String::from_utf8_lossy(bytes)));
///         }
///     }
/// }
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let inbox = Arc::new(Inbox::default());
/// let subscriber: Arc<dyn Subscriber> = inbox.clone();
/// let feed = store.subscribe(Topics::One("orders"), Arc::downgrade(&subscriber)).await?;
///
/// store.connect().publish("orders", b"one").await?; // another process
/// assert_eq!(*inbox.0.lock().unwrap(), ["orders one"]);
/// drop(feed);
/// store.publish("orders", b"two").await?;
/// assert_eq!(inbox.0.lock().unwrap().len(), 1);
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
pub trait Subscriber: Send + Sync {
    /// Takes one delivery.
    ///
    /// Called by whoever reads the store's connection, one at a time, in the order of each topic's messages. It must return at
    /// once, and neither panic nor ask the store anything: what it does not take at once it has to keep itself, in bounds.
    fn receive(&self, delivery: Delivery<'_>);
}

/// A subscription, which ends when this is dropped.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
/// use cache_store::Feed;
///
/// let ended = Arc::new(AtomicBool::new(false));
/// let feed = Feed::new({
///     let ended = Arc::clone(&ended);
///     move || ended.store(true, Ordering::Relaxed)
/// });
/// drop(feed);
/// assert!(ended.load(Ordering::Relaxed));
/// ```
#[must_use = "dropping it ends the subscription"]
pub struct Feed(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Feed {
    /// One that calls this when it is dropped. It must return at once.
    ///
    /// See [`Feed`] for an example.
    pub fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(end)))
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}
