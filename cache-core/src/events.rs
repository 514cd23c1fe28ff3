//! What a cache tells those who listen.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use cache_store::{Error, Invalidation};
use tokio::sync::broadcast::{self, error::RecvError};

/// Events that wait for a slow listener before it misses the oldest.
const CAPACITY: usize = 256;

/// Something that happened in a cache.
///
/// ```
/// use larder::Event;
///
/// fn is_worth_an_alarm(event: &Event) -> bool {
///     matches!(event, Event::SharedDown { .. } | Event::ReplayDropped { .. })
/// }
/// assert!(!is_worth_an_alarm(&Event::SharedUp));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Something was invalidated, in this process or, where it was told, in another one.
    Invalidated {
        /// What it was.
        what: Arc<Invalidation>,
    },
    /// An entry made room for others in the memory tier.
    Evicted {
        /// The entry's key.
        key: Arc<str>,
    },
    /// An entry's time in the memory tier was over.
    Expired {
        /// The entry's key.
        key: Arc<str>,
    },
    /// The shared tier stopped answering; calls go on without it.
    SharedDown {
        /// What it said last.
        error: Error,
    },
    /// The shared tier answers again.
    SharedUp,
    /// An invalidation that could not be told to the shared tier at once went through.
    Replayed {
        /// What it was.
        what: Arc<Invalidation>,
        /// How long it waited.
        waited: Duration,
    },
    /// An invalidation that could not be told to the shared tier was given up.
    ReplayDropped {
        /// What it was.
        what: Arc<Invalidation>,
    },
    /// The listener was too slow; this many events were dropped before the next one.
    Missed(u64),
}

/// The events of one cache from the moment of the subscription on: what [`Cache::events`](crate::Cache::events) gives.
///
/// Memory is bounded: who does not call [`next`](Self::next) loses the oldest of more than 256 events, and is told how
/// many.
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
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    /// The next event, or `None` when the cache is gone and everything it told was read.
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
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(Event::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

/// Where a cache tells its events. Costs one load while nobody ever listened.
#[derive(Debug, Default)]
pub(crate) struct EventSink(OnceLock<broadcast::Sender<Event>>);

impl EventSink {
    /// A new listener; it hears what is told from now on.
    pub(crate) fn subscribe(&self) -> Events {
        Events(self.0.get_or_init(|| broadcast::Sender::new(CAPACITY)).subscribe())
    }

    /// Tells an event, which is made only if somebody listens.
    #[inline]
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(sender) = self.listened() {
            // An error means that the last listener left just now.
            let _ = sender.send(event());
        }
    }

    fn listened(&self) -> Option<&broadcast::Sender<Event>> {
        self.0.get().filter(|sender| sender.receiver_count() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evicted(key: &str) -> Event {
        Event::Evicted { key: key.into() }
    }

    #[test]
    fn an_event_is_not_even_made_while_nobody_listens() {
        let sink = EventSink::default();
        sink.tell(|| unreachable!("nobody listens yet"));
        let events = sink.subscribe();
        assert!(sink.listened().is_some());
        drop(events);
        assert!(sink.listened().is_none());
        sink.tell(|| unreachable!("nobody listens any more"));
    }

    #[tokio::test]
    async fn every_listener_hears_everything_in_order_until_the_cache_is_gone() {
        let sink = EventSink::default();
        let mut all = [sink.subscribe(), sink.subscribe()];
        sink.tell(|| evicted("a"));
        sink.tell(|| Event::SharedUp);
        let mut late = sink.subscribe();
        drop(sink);
        for events in &mut all {
            assert!(matches!(events.next().await, Some(Event::Evicted { key }) if &*key == "a"));
            assert!(matches!(events.next().await, Some(Event::SharedUp)));
            assert!(events.next().await.is_none());
        }
        assert!(late.next().await.is_none());
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_how_much_it_missed() {
        let sink = EventSink::default();
        let mut events = sink.subscribe();
        for number in 0..CAPACITY + 3 {
            sink.tell(|| evicted(&number.to_string()));
        }
        assert!(matches!(events.next().await, Some(Event::Missed(3))));
        assert!(matches!(events.next().await, Some(Event::Evicted { key }) if &*key == "3"));
    }
}
