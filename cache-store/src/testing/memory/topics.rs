//! Messages, which are no entries.

use std::sync::{Arc, Weak};

use super::{MemoryStore, lock};
use crate::{Delivery, Feed, Subscriber, Topics};

impl MemoryStore {
    /// Has every subscriber of every handle hear of a [`Gap`](Delivery::Gap), as when a connection was lost for a moment.
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
    /// use cache_store::{Delivery, Store, Subscriber, Topics, testing::MemoryStore};
    ///
    /// #[derive(Default)]
    /// struct Gaps(AtomicU64);
    ///
    /// impl Subscriber for Gaps {
    ///     fn receive(&self, delivery: Delivery<'_>) {
    ///         if delivery == Delivery::Gap {
    ///             self.0.fetch_add(1, Ordering::Relaxed);
    ///         }
    ///     }
    /// }
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// let gaps = Arc::new(Gaps::default());
    /// let subscriber: Arc<dyn Subscriber> = gaps.clone();
    /// let _feed = store.subscribe(Topics::Matching("*"), Arc::downgrade(&subscriber)).await?;
    /// store.interrupt_topics();
    /// assert_eq!(gaps.0.load(Ordering::Relaxed), 1);
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn interrupt_topics(&self) {
        let all = lock(&self.shared.topics).all();
        all.iter().for_each(|one| one.receive(Delivery::Gap));
    }

    pub(super) fn hand_over(&self, topic: &str, message: &[u8]) -> u64 {
        let reached = lock(&self.shared.topics).reached(topic);
        let bytes = Arc::from(message);
        reached.iter().for_each(|one| one.receive(Delivery::Message { topic, bytes: &bytes }));
        reached.len() as u64
    }

    pub(super) fn enlist(&self, topics: Topics<'_>, subscriber: Weak<dyn Subscriber>) -> Feed {
        let id = lock(&self.shared.topics).add(topics, subscriber);
        let (name, matching) = match topics {
            Topics::One(name) => (name.to_owned(), false),
            Topics::Matching(glob) => (glob.to_owned(), true),
        };
        let shared = Arc::downgrade(&self.shared);
        Feed::new(move || {
            let topics = if matching { Topics::Matching(&name) } else { Topics::One(&name) };
            if let Some(shared) = shared.upgrade() {
                lock(&shared.topics).remove(topics, id);
            }
        })
    }
}
