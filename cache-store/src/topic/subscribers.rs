use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
};

use super::{Subscriber, Topics};

/// Who has subscribed to what within a process: what a store in memory hands its messages to, and a cache without a shared
/// tier.
///
/// Of patterns it knows that there are some: those who subscribed to one are handed every message.
///
/// ```
/// use std::sync::Arc;
/// use cache_store::{Subscribers, Topics};
///
/// let mut all = Subscribers::<str>::default();
/// let (one, any): (Arc<str>, Arc<str>) = ("one".into(), "any".into());
/// let id = all.add(Topics::One("orders"), Arc::downgrade(&one));
/// all.add(Topics::Matching("*"), Arc::downgrade(&any));
/// assert_eq!(all.reached("orders"), [one.clone(), any.clone()]);
/// all.remove(Topics::One("orders"), id);
/// assert_eq!(all.reached("orders"), [any]);
/// ```
pub struct Subscribers<S: ?Sized = dyn Subscriber> {
    by_topic: HashMap<Box<str>, Vec<(u64, Weak<S>)>>,
    of_patterns: Vec<(u64, Weak<S>)>,
    next: u64,
}

impl<S: ?Sized> Subscribers<S> {
    /// One more; the number by which it is removed.
    ///
    /// See [`Subscribers`] for an example.
    pub fn add(&mut self, topics: Topics<'_>, who: Weak<S>) -> u64 {
        let id = self.next;
        self.next += 1;
        match topics {
            Topics::One(name) => self.by_topic.entry(name.into()).or_default().push((id, who)),
            Topics::Matching(_) => self.of_patterns.push((id, who)),
        }
        id
    }

    /// One less.
    ///
    /// See [`Subscribers`] for an example.
    pub fn remove(&mut self, topics: Topics<'_>, id: u64) {
        match topics {
            Topics::One(name) => {
                if let Some(all) = self.by_topic.get_mut(name) {
                    all.retain(|(of, _)| *of != id);
                    if all.is_empty() {
                        self.by_topic.remove(name);
                    }
                }
            }
            Topics::Matching(_) => self.of_patterns.retain(|(of, _)| *of != id),
        }
    }

    /// Whom a message of this topic is for; each subscription once, in the order in which they were made, patterns last.
    ///
    /// See [`Subscribers`] for an example.
    #[must_use]
    pub fn reached(&self, topic: &str) -> Vec<Arc<S>> {
        let by_topic = self.by_topic.get(topic).into_iter().flatten();
        by_topic.chain(&self.of_patterns).filter_map(|(_, who)| who.upgrade()).collect()
    }

    /// All of them.
    ///
    /// ```
    /// use cache_store::Subscribers;
    ///
    /// assert!(Subscribers::<str>::default().all().is_empty());
    /// ```
    #[must_use]
    pub fn all(&self) -> Vec<Arc<S>> {
        let by_topic = self.by_topic.values().flatten();
        by_topic.chain(&self.of_patterns).filter_map(|(_, who)| who.upgrade()).collect()
    }
}

impl<S: ?Sized> Default for Subscribers<S> {
    fn default() -> Self {
        Self { by_topic: HashMap::new(), of_patterns: Vec::new(), next: 0 }
    }
}

impl<S: ?Sized> fmt::Debug for Subscribers<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribers")
            .field("topics", &self.by_topic.keys())
            .field("patterns", &self.of_patterns.len())
            .finish()
    }
}
