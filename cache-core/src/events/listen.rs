//! The way from a cache to its listeners.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
};

use cache_store::Invalidation;
use futures_core::Stream;
use tokio::{
    sync::broadcast::{
        self, Receiver,
        error::{RecvError, TryRecvError},
    },
    task::coop::unconstrained,
};

use super::{Event, Origin};

/// Events that wait for a slow listener before it misses the oldest.
pub(super) const CAPACITY: usize = 256;

/// The events of one cache from the moment of the subscription on: what [`Cache::events`](crate::Cache::events) gives.
///
/// A [`Stream`](futures_core::Stream), with a [`next`](Self::next) of its own for those who need no combinators. Every
/// listener hears everything, in one order.
///
/// # Slow listeners
///
/// A listener never slows the cache down: what it has not heard yet waits in a bounded queue. Of more than 256 events it
/// loses the oldest, and is told how many. So do not wait for anything slow between two events, and never block there: on
/// an async thread that stops the tasks of others, and the queue overflows. Hand slow work to another task. A listener
/// that changes the same cache makes events itself; one that invalidates whenever something is invalidated never ends.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// use larder::{Cache, Event};
///
/// let cache = Cache::memory();
/// let mut events = cache.events();
/// cache.invalidate_tags(["user"]).await?;
/// assert!(matches!(events.next().await, Some(Event::Invalidated { .. })));
/// # Ok(()) }
/// ```
pub struct Events(State);

/// A wait for the next event owns the queue, so that it can be kept between two polls.
type Waiting =
    Pin<Box<dyn Future<Output = (Result<Event, RecvError>, Receiver<Event>)> + Send + Sync>>;

enum State {
    Idle(Receiver<Event>),
    Waiting(Waiting),
    Over,
}

impl Events {
    /// The next event, or `None` when the cache is gone and everything it told was heard.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    ///
    /// ```
    /// async fn log(mut events: larder::Events) {
    ///     while let Some(event) = events.next().await {
    ///         println!("{event:?}");
    ///     }
    /// }
    /// # drop(log);
    /// ```
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The next event if it was told already. Waits for nothing and needs no runtime: for sync programs that look now and
    /// then, and for tests.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use larder::{Cache, Event, Origin};
    ///
    /// let cache = Cache::memory();
    /// let mut events = cache.events();
    /// assert!(events.try_next().is_none());
    /// cache.invalidate("user:42").await?; // when it returns, it was told
    /// assert!(matches!(events.try_next(), Some(Event::Invalidated { origin: Origin::Here, .. })));
    /// assert!(events.try_next().is_none());
    /// # Ok(()) }
    /// ```
    pub fn try_next(&mut self) -> Option<Event> {
        if let State::Idle(queue) = &mut self.0 {
            return match queue.try_recv() {
                Ok(event) => Some(event),
                Err(TryRecvError::Lagged(missed)) => Some(Event::Missed(missed)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => None,
            };
        }
        // A task that has used up its turn would be told that there is nothing.
        let polled = pin!(unconstrained(self.next())).poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut waiting = match std::mem::replace(&mut self.0, State::Over) {
            State::Idle(queue) => Box::pin(receive(queue)),
            State::Waiting(waiting) => waiting,
            State::Over => return Poll::Ready(None),
        };
        let Poll::Ready((received, queue)) = waiting.as_mut().poll(context) else {
            self.0 = State::Waiting(waiting);
            return Poll::Pending;
        };
        let event = match received {
            Ok(event) => event,
            Err(RecvError::Lagged(missed)) => Event::Missed(missed),
            Err(RecvError::Closed) => return Poll::Ready(None),
        };
        self.0 = State::Idle(queue);
        Poll::Ready(Some(event))
    }
}

async fn receive(mut queue: Receiver<Event>) -> (Result<Event, RecvError>, Receiver<Event>) {
    (queue.recv().await, queue)
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// That an invalidation which waits for the shared tier has to be told: by whoever asked for it, or by whoever confirms
/// it if that is earlier.
#[derive(Debug)]
pub(crate) struct Announcement {
    origin: Origin,
    made: Mutex<bool>,
}

impl Announcement {
    /// One that has still to be made.
    pub(crate) fn new(origin: Origin) -> Arc<Self> {
        Arc::new(Self { origin, made: Mutex::new(false) })
    }

    /// One that was made.
    pub(crate) fn made(origin: Origin) -> Arc<Self> {
        Arc::new(Self { origin, made: Mutex::new(true) })
    }
}

/// Where a cache tells its events. Costs one load while nobody ever listened.
#[derive(Debug, Default)]
pub(crate) struct EventSink(OnceLock<broadcast::Sender<Event>>);

impl EventSink {
    /// A new listener; it hears what is told from now on.
    pub(crate) fn subscribe(&self) -> Events {
        let sender = self.0.get_or_init(|| broadcast::Sender::new(CAPACITY));
        Events(State::Idle(sender.subscribe()))
    }

    /// Tells an event, which is made only if somebody listens.
    #[inline]
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(sender) = self.listened() {
            // An error means that the last listener left just now.
            let _ = sender.send(event());
        }
    }

    /// Tells an invalidation, unless that was done already.
    pub(crate) fn announce(&self, announcement: &Announcement, what: &Invalidation) {
        // Nothing can go wrong with a flag. Told under the lock, so that who finds it told tells what follows afterwards.
        let mut made = announcement.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *made, true) {
            let origin = announcement.origin;
            self.tell(|| Event::Invalidated { what: Arc::new(what.clone()), origin });
        }
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.listened().is_some()
    }

    pub(super) fn listened(&self) -> Option<&broadcast::Sender<Event>> {
        self.0.get().filter(|sender| sender.receiver_count() > 0)
    }
}
