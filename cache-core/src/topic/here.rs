//! Topics in a cache that has no shared tier.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cache_store::{Feed, Subscribers, Topics};

use super::mailbox::{Mailbox, Payload, Put};
use crate::{engine::Engine, value::Erased};

#[derive(Default)]
pub(super) struct Here {
    subscribers: Mutex<Subscribers<Mailbox>>,
    /// Held while a message is handed out, so that all subscribers have all messages in one order.
    order: Mutex<()>,
}

impl Here {
    /// How many subscriptions it was handed to.
    pub(super) fn publish(&self, topic: &Arc<str>, fingerprint: u64, value: &Erased) -> u64 {
        let mut puts: Vec<Put> = Vec::new();
        let reached: Vec<Arc<Mailbox>>;
        {
            let _order = lock(&self.order);
            reached = lock(&self.subscribers).reached(topic);
            for mailbox in reached.iter().filter(|mailbox| mailbox.wants(topic)) {
                let payload = Payload::Value { fingerprint, value: Arc::clone(value) };
                puts.push(mailbox.put(Arc::clone(topic), payload));
            }
        }
        // Woken tasks and the values that made room are the user's code, which may use topics.
        let count = puts.len() as u64;
        puts.into_iter().for_each(Put::settle);
        count
    }

    pub(super) fn subscribe(
        &self,
        engine: &Arc<Engine>,
        topics: Topics<'_>,
        mailbox: &Arc<Mailbox>,
    ) -> Feed {
        let id = lock(&self.subscribers).add(topics, Arc::downgrade(mailbox));
        let (name, matching) = match topics {
            Topics::One(name) => (name.to_owned(), false),
            Topics::Matching(glob) => (glob.to_owned(), true),
        };
        let engine = Arc::downgrade(engine);
        Feed::new(move || {
            let topics = if matching { Topics::Matching(&name) } else { Topics::One(&name) };
            if let Some(engine) = engine.upgrade() {
                lock(&engine.topics.here.subscribers).remove(topics, id);
            }
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while one of them is locked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
