//! Topics: messages between processes, which nobody keeps.
//!
//! `mod` is what users hold, `wire` the bytes of a message, `mailbox` the bounded buffer of a subscription and `subscription`
//! its end that is read. Messages go through the shared tier, or `here` where there is none.

mod desk;
mod here;
mod mailbox;
mod subscription;
#[cfg(test)]
mod tests;
mod wire;

use std::{fmt, marker::PhantomData, sync::Arc};

use cache_store::{Error, ErrorKind, Result, Store, Topics};
use cache_template::{Glob, MAX_KEY_BYTES};

pub(crate) use self::desk::Desk;
use self::mailbox::{Bounds, Mailbox};
pub use self::subscription::{Message, Received, Subscription, Undecodable};
use crate::{
    cache::{Cache, parse_pattern},
    engine::Engine,
    envelope::type_fingerprint,
    value::SharedValue,
};

/// A topic of messages of one type: what [`Cache::topic`] gives.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// use larder::{Cache, Received};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct OrderPlaced {
///     id: u64,
/// }
///
/// let cache = Cache::memory();
/// let orders = cache.topic::<OrderPlaced>("orders");
/// let mut subscription = orders.subscribe().await?;
/// orders.publish(&OrderPlaced { id: 42 }).await?;
/// let Some(Received::Message(order)) = subscription.next().await else { panic!("it was published") };
/// assert_eq!(order.id, 42);
/// # Ok(()) }
/// ```
pub struct Topic<T> {
    engine: Arc<Engine>,
    name: Result<Arc<str>>,
    version: u32,
    bounds: Bounds,
    of: PhantomData<fn(T) -> T>,
}

/// All topics whose names match a pattern, with messages of one type: what [`Cache::topics`] gives.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// use larder::{Cache, Received};
///
/// let cache = Cache::memory();
/// let mut subscription = cache.topics::<String>("orders:*").subscribe().await?;
/// cache.topic::<String>("orders:eu").publish(&"one".to_owned()).await?;
/// let Some(Received::Message(order)) = subscription.next().await else { panic!("it was published") };
/// assert_eq!((order.topic(), order.as_str()), ("orders:eu", "one"));
/// # Ok(()) }
/// ```
pub struct TopicPattern<T> {
    engine: Arc<Engine>,
    pattern: Result<Glob>,
    version: u32,
    bounds: Bounds,
    of: PhantomData<fn(T) -> T>,
}

impl Cache {
    /// The topic of this name, whose messages are of type `T`: what is [published](Topic::publish) there goes to everybody who
    /// has [subscribed](Topic::subscribe) to it at that moment, in all processes on the same shared tier and prefix. Without a
    /// shared tier it goes to the subscribers of this cache, which is one process.
    ///
    /// A message is delivered at most once to each subscriber: none is kept for whoever is not there. Topics are no entries: no key meets
    /// their names, and nothing that is invalidated, cleared or evicted touches them. They work in a cache that is not
    /// [enabled](crate::CacheBuilder::enabled), too. More is in the guide of topics.
    ///
    /// A name has 1 to 200 bytes; what is wrong with one is an error of `publish` and `subscribe`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let names = cache.topic::<String>("names");
    /// let reached = names.publish(&"Ada".to_owned()).await?;
    /// assert_eq!(reached, Some(0)); // nobody has subscribed
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn topic<T: SharedValue>(&self, name: &str) -> Topic<T> {
        let engine = Arc::clone(self.engine());
        let (name, bounds) = (checked_name(name), Bounds::default());
        Topic { engine, name, version: 0, bounds, of: PhantomData }
    }

    /// All topics whose names match a glob as in [`invalidate_pattern`](Self::invalidate_pattern): `*` is any run of
    /// characters, `?` one character, `\` takes the next character as it is.
    ///
    /// What does not parse is an error of `subscribe`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let subscription = cache.topics::<String>("orders:*").subscribe().await?;
    /// # drop(subscription);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn topics<T: SharedValue>(&self, pattern: &str) -> TopicPattern<T> {
        let engine = Arc::clone(self.engine());
        // It parsed before: the second time is for the glob itself.
        let parsed = parse_pattern(pattern).and_then(|pattern| {
            Glob::parse(&pattern)
                .map_err(|error| Error::new(ErrorKind::Template, error.to_string()))
        });
        let bounds = Bounds::default();
        TopicPattern { engine, pattern: parsed, version: 0, bounds, of: PhantomData }
    }
}

/// What topics and patterns have in common.
macro_rules! settings {
    ($example:literal) => {
        /// Another meaning of the same type: what was published under another version is [`Received::Undecodable`]. Default 0.
        ///
        /// ```
        /// # let cache = larder::Cache::memory();
        #[doc = $example]
        /// let topic = topic.version(2);
        /// # drop(topic);
        /// ```
        #[must_use]
        pub fn version(mut self, version: u32) -> Self {
            self.version = version;
            self
        }

        /// How many messages wait for a subscriber that is slow before it loses the oldest: 1,024 unless told, at least 1.
        ///
        /// ```
        /// # let cache = larder::Cache::memory();
        #[doc = $example]
        /// let topic = topic.buffer(10_000);
        /// # drop(topic);
        /// ```
        #[must_use]
        pub fn buffer(mut self, messages: usize) -> Self {
            self.bounds.messages = messages.max(1);
            self
        }

        /// How many bytes these messages may have together, as they were sent: 16 MiB unless told. A single one that is
        /// larger waits when it is alone. Without a shared tier messages are not encoded, and only their number counts.
        ///
        /// ```
        /// # let cache = larder::Cache::memory();
        #[doc = $example]
        /// let topic = topic.buffer_bytes(1 << 20);
        /// # drop(topic);
        /// ```
        #[must_use]
        pub fn buffer_bytes(mut self, bytes: usize) -> Self {
            self.bounds.bytes = bytes;
            self
        }
    };
}

impl<T: SharedValue> Topic<T> {
    settings!("let topic = cache.topic::<String>(\"orders\");");

    /// Publishes a message, in one round trip. How many it was handed to, where that is known: subscriptions without a shared
    /// tier; connections where it is one Redis server, which is one for each process that has any subscription to this topic,
    /// and one more where it has one to a pattern as well; `None` in a cluster, whose nodes know of their own only.
    ///
    /// # Errors
    ///
    /// When the shared tier does not answer, within its deadline, and at once while it is known to be away; the message may
    /// have been published all the same. [`Template`](ErrorKind::Template) for a name that is none;
    /// [`Codec`](ErrorKind::Codec) and [`TooLarge`](ErrorKind::TooLarge) for a message that cannot be sent;
    /// [`Unsupported`](ErrorKind::Unsupported) for a shared tier that has no topics.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the message may have been published or not.
    ///
    /// An example is at [`Topic`].
    pub async fn publish(&self, message: &T) -> Result<Option<u64>> {
        self.send(message).await.map_err(|error| error.during("publish"))
    }

    async fn send(&self, message: &T) -> Result<Option<u64>> {
        let name = self.name.clone()?;
        let Some(store) = &self.engine.shared else {
            let fingerprint = self.fingerprint();
            let value = T::TYPE.keep(message);
            return Ok(Some(self.engine.topics.here.publish(&name, fingerprint, &value)));
        };
        let bytes = wire::seal(&self.engine, &name, self.fingerprint(), message)?;
        match store.publish(&name, &bytes).await {
            Ok(reached) => {
                self.engine.answered();
                Ok(reached)
            }
            Err(error) => {
                match error.kind() {
                    ErrorKind::Unsupported => {}
                    // A right to topics that a user lacks says nothing about the rest.
                    ErrorKind::Unauthorized => self.engine.tally_error(&error),
                    _ => self.engine.count_error(&error),
                }
                Err(error)
            }
        }
    }

    /// Subscribes. When this returns, whatever anybody publishes from then on is received, as long as the connection to the
    /// shared tier lasts; it comes back by itself, and that something may have been lost is told
    /// ([`Received::Gap`]).
    ///
    /// # Errors
    ///
    /// When the shared tier does not confirm: within a deadline and the time that a connection may take, and at once while
    /// another subscription of this cache waits for it to come back. [`Template`](ErrorKind::Template) for a name that is none;
    /// [`Unavailable`](ErrorKind::Unavailable) after [`Cache::shutdown`]; [`Unsupported`](ErrorKind::Unsupported) for a shared
    /// tier that has no topics, and for Redis over RESP2.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, nothing is subscribed.
    ///
    /// An example is at [`Topic`].
    pub async fn subscribe(&self) -> Result<Subscription<T>> {
        let subscribed = async {
            let name = self.name.clone()?;
            let mailbox =
                self.engine.topics.open(|| Mailbox::new(&self.engine, None, self.bounds))?;
            subscribe(&self.engine, Topics::One(&name), &mailbox).await?;
            Ok(Subscription::new(Arc::clone(&self.engine), mailbox, self.fingerprint()))
        };
        subscribed.await.map_err(|error: Error| error.during("subscribe"))
    }

    fn fingerprint(&self) -> u64 {
        type_fingerprint((T::TYPE.erased.name)(), self.version)
    }
}

impl<T: SharedValue> TopicPattern<T> {
    settings!("let topic = cache.topics::<String>(\"orders:*\");");

    /// Subscribes, as [`Topic::subscribe`] does. A message of a topic that a subscriber has both by name and by pattern is
    /// received by each subscription.
    ///
    /// # Errors
    ///
    /// As [`Topic::subscribe`], and [`Template`](ErrorKind::Template) for a pattern that does not parse.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, nothing is subscribed.
    ///
    /// An example is at [`TopicPattern`].
    pub async fn subscribe(&self) -> Result<Subscription<T>> {
        let subscribed = async {
            let glob = self.pattern.clone()?;
            let text = glob.as_str().to_owned();
            let mailbox =
                self.engine.topics.open(|| Mailbox::new(&self.engine, Some(glob), self.bounds))?;
            subscribe(&self.engine, Topics::Matching(&text), &mailbox).await?;
            let fingerprint = type_fingerprint((T::TYPE.erased.name)(), self.version);
            Ok(Subscription::new(Arc::clone(&self.engine), mailbox, fingerprint))
        };
        subscribed.await.map_err(|error: Error| error.during("subscribe"))
    }
}

/// What does not depend on the messages' type, so that it is compiled once.
async fn subscribe(engine: &Arc<Engine>, topics: Topics<'_>, mailbox: &Arc<Mailbox>) -> Result<()> {
    let feed = match &engine.shared {
        None => engine.topics.here.subscribe(engine, topics, mailbox),
        Some(store) => feed_from(&**store, topics, mailbox).await.inspect_err(|error| {
            if error.kind() != ErrorKind::Unsupported {
                engine.tally_error(error);
            }
        })?,
    };
    mailbox.fill_from(feed);
    Ok(())
}

async fn feed_from(
    store: &dyn Store,
    topics: Topics<'_>,
    mailbox: &Arc<Mailbox>,
) -> Result<cache_store::Feed> {
    let subscriber: Arc<dyn cache_store::Subscriber> = mailbox.clone();
    store.subscribe(topics, Arc::downgrade(&subscriber)).await
}

fn checked_name(name: &str) -> Result<Arc<str>> {
    let wrong = |message: String| Err(Error::new(ErrorKind::Template, message));
    match name.len() {
        0 => wrong("the topic has no name: write for instance `cache.topic(\"orders\")`".into()),
        1..=MAX_KEY_BYTES => Ok(name.into()),
        // Whoever subscribes to a pattern has to see all of it.
        long => wrong(format!("a topic's name has at most {MAX_KEY_BYTES} bytes, this one {long}")),
    }
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        let Self { engine, name, version, bounds, of } = self;
        Self {
            engine: Arc::clone(engine),
            name: name.clone(),
            version: *version,
            bounds: *bounds,
            of: *of,
        }
    }
}

impl<T> Clone for TopicPattern<T> {
    fn clone(&self) -> Self {
        let Self { engine, pattern, version, bounds, of } = self;
        let (engine, pattern) = (Arc::clone(engine), pattern.clone());
        Self { engine, pattern, version: *version, bounds: *bounds, of: *of }
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for TopicPattern<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = self.pattern.as_ref().map(Glob::as_str);
        f.debug_struct("TopicPattern").field("pattern", &pattern).finish_non_exhaustive()
    }
}
