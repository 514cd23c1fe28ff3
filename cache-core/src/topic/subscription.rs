//! The end of a subscription that is read.

use std::{
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    ops::Deref,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use cache_store::Error;
use futures_core::Stream;
use tokio::task::coop::{cooperative, unconstrained};

use super::{
    mailbox::{Mailbox, Payload, Raw, Taken},
    wire,
};
use crate::{engine::Engine, stats::Counter, value::SharedValue};

/// The messages of a topic from the moment of the subscription on: what [`Topic::subscribe`](crate::Topic::subscribe) gives.
///
/// A [`Stream`](futures_core::Stream), with a [`next`](Self::next) of its own for those who need no combinators. Dropping it
/// unsubscribes. It ends, and gives `None` for ever, after [`Cache::shutdown`](crate::Cache::shutdown), and when the runtime ends that
/// the cache's connections live on. It keeps the cache alive.
///
/// # Slow subscribers
///
/// A subscriber holds up neither publishers nor other subscribers: what it has not read yet waits in a buffer of its own, which
/// is [bounded](crate::Topic::buffer). When that is full the oldest messages are dropped, and it is told how many
/// ([`Received::Lagged`]).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// use larder::{Cache, Received};
///
/// let cache = Cache::memory();
/// let prices = cache.topic::<u64>("prices").buffer(2);
/// let mut subscription = prices.subscribe().await?;
/// for price in [1, 2, 3] {
///     prices.publish(&price).await?;
/// }
/// cache.shutdown().await?;
/// let mut received = Vec::new();
/// while let Some(next) = subscription.next().await {
///     received.push(match next {
///         Received::Message(price) => format!("{}", *price),
///         Received::Gap => "something may be missing: read the truth anew".to_owned(),
///         Received::Lagged(lost) => format!("{lost} lost, too slow"),
///         Received::Undecodable(what) => format!("no price: {what}"),
///     });
/// }
/// assert_eq!(received, ["1 lost, too slow", "2", "3"]);
/// # Ok(()) }
/// ```
pub struct Subscription<T> {
    engine: Arc<Engine>,
    /// With which it ends: nobody else keeps it.
    mailbox: Arc<Mailbox>,
    fingerprint: u64,
    of: PhantomData<fn() -> T>,
}

/// What a [`Subscription`] gives, with an example there.
#[derive(Clone, Debug)]
pub enum Received<T> {
    /// A message.
    Message(Message<T>),
    /// Messages may have been lost here: the connection to the shared tier was lost, and is there again. Whatever is published
    /// from now on comes again, so this is the moment to read anew what messages are about. Comes once for each such time,
    /// before the first message that follows.
    Gap,
    /// The subscriber was too slow, and so many messages were dropped before the next one.
    Lagged(u64),
    /// A message that is none of this type and version: of another publisher, damaged, encrypted with an unknown key, or larger
    /// than the limit. The messages that follow come all the same.
    Undecodable(Undecodable),
}

/// A message, and the topic that it was published in.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # use larder::{Cache, Received};
/// # let cache = Cache::memory();
/// # let topic = cache.topic::<String>("names");
/// # let mut subscription = topic.subscribe().await?;
/// # topic.publish(&"Ada".to_owned()).await?;
/// # let Some(Received::Message(message)) = subscription.next().await else { panic!() };
/// assert_eq!(message.topic(), "names");
/// assert_eq!(message.len(), 3); // it is used like its value
/// let name: String = message.into_inner();
/// # drop(name);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Message<T> {
    topic: Arc<str>,
    value: T,
}

impl<T> Message<T> {
    /// The topic's name.
    ///
    /// See [`Message`] for an example.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The value alone.
    ///
    /// See [`Message`] for an example.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Message<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// What is known of a message that could not be read. Displays as a sentence.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// use larder::{Cache, Received};
///
/// let cache = Cache::memory();
/// let mut numbers = cache.topic::<u64>("a").subscribe().await?;
/// cache.topic::<String>("a").publish(&"no number".to_owned()).await?;
/// let Some(Received::Undecodable(what)) = numbers.next().await else { panic!("it is a text") };
/// assert_eq!(what.topic(), "a");
/// println!("{what}");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Undecodable {
    topic: Arc<str>,
    why: Error,
}

impl Undecodable {
    /// The topic's name.
    ///
    /// See [`Undecodable`] for an example.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// What is wrong with it, of kind [`Codec`](crate::ErrorKind::Codec).
    ///
    /// See [`Undecodable`] for an example.
    #[must_use]
    pub const fn error(&self) -> &Error {
        &self.why
    }
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message in the topic `{}` was not read: {}", self.topic, self.why)
    }
}

impl<T: SharedValue> Subscription<T> {
    pub(super) fn new(engine: Arc<Engine>, mailbox: Arc<Mailbox>, fingerprint: u64) -> Self {
        Self { engine, mailbox, fingerprint, of: PhantomData }
    }

    /// What comes next; `None` when the subscription has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// ```
    /// use larder::{Received, Subscription};
    ///
    /// async fn print(mut names: Subscription<String>) {
    ///     while let Some(received) = names.next().await {
    ///         if let Received::Message(name) = received {
    ///             println!("{}", *name);
    ///         }
    ///     }
    /// }
    /// # drop(print);
    /// ```
    pub async fn next(&mut self) -> Option<Received<T>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// What comes next if it is there already. Waits for nothing and needs no runtime.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let topic = cache.topic::<u64>("prices");
    /// let mut subscription = topic.subscribe().await?;
    /// assert!(subscription.try_next().is_none());
    /// topic.publish(&1).await?;
    /// assert!(subscription.try_next().is_some());
    /// # Ok(()) }
    /// ```
    pub fn try_next(&mut self) -> Option<Received<T>> {
        // A task that has used up its turn would be told that there is nothing.
        let polled = pin!(unconstrained(self.next())).poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Ready(received) => received,
            Poll::Pending => None,
        }
    }

    fn read(&self, raw: Raw) -> Received<T> {
        let Raw { topic, payload } = raw;
        let read = match payload {
            Payload::Bytes(bytes) => wire::open(&self.engine, &topic, self.fingerprint, &bytes),
            Payload::Value { fingerprint, value } if fingerprint == self.fingerprint => {
                T::TYPE.copy(&value).ok_or_else(wire::of_another_type)
            }
            Payload::Value { .. } => Err(wire::of_another_type()),
        };
        match read {
            Ok(value) => Received::Message(Message { topic, value }),
            Err(why) => {
                self.engine.counters.count(Counter::MessagesUndecodable);
                tracing::debug!(target: "larder", error = %why, topic = &*topic, "a message was not read");
                Received::Undecodable(Undecodable { topic, why })
            }
        }
    }
}

impl<T: SharedValue> Stream for Subscription<T> {
    type Item = Received<T>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Received<T>>> {
        // A publisher that is faster than this one would keep its task from ever giving way to others.
        let next = pin!(cooperative(poll_fn(|context| self.mailbox.poll_take(context))));
        next.poll(context).map(|taken| {
            Some(match taken? {
                Taken::Message(raw) => self.read(raw),
                Taken::Gap => Received::Gap,
                Taken::Lost(messages) => Received::Lagged(messages),
            })
        })
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("mailbox", &self.mailbox).finish_non_exhaustive()
    }
}
