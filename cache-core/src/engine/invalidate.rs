//! Explicit invalidations: the shared tier first, then this process, then the answer.

use std::sync::Arc;

use cache_store::{Error, Invalidation, Result};
use cache_template::Glob;

use super::Engine;
use crate::{
    events::{Announcement, Event, Origin},
    key::{KeyBuffer, KeyRef, raw_key},
    memory::drops,
    stats::Counter,
};

/// What to invalidate, and where.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) engine: Arc<Engine>,
    pub(crate) what: Invalidation,
    /// Whether there may be something to invalidate in the shared tier.
    pub(crate) shared: bool,
    pub(crate) origin: Origin,
}

impl Order {
    /// Whether nothing outside this process has to be told.
    pub(crate) fn is_local(&self) -> bool {
        !self.shared || self.engine.shared.is_none()
    }
}

/// One invalidation under way. Dropped before it is done, it still happens: here at once, in the shared tier by replay.
pub(crate) struct Invalidating(Option<Order>);

impl Engine {
    /// Invalidates in this process, and tells it.
    ///
    /// After the shared tier has, never before: a value that is read there in between would be kept as current.
    pub(crate) fn invalidate_here(&self, what: &Invalidation, origin: Origin) {
        self.mark(what);
        self.counters.count(Counter::Invalidations);
        self.events.tell(|| Event::Invalidated { what: Arc::new(what.clone()), origin });
    }

    /// Invalidates in this process, untold and uncounted.
    pub(super) fn mark(&self, what: &Invalidation) {
        match what {
            Invalidation::Keys(keys) => keys.iter().for_each(|key| self.forget_text(key)),
            Invalidation::Tags(tags) => tags.iter().for_each(|tag| self.fences.invalidate_tag(tag)),
            Invalidation::AllOf(tags) => self.fences.invalidate_all_of(tags),
            Invalidation::Pattern(pattern) => match Glob::parse(pattern) {
                Ok(glob) => self.fences.invalidate_pattern(glob),
                // Callers parse first; a pattern that cannot be read might match anything.
                Err(_) => self.forget_all(),
            },
            Invalidation::All => self.forget_all(),
        }
    }

    /// Invalidates a key in this process, untold and uncounted.
    pub(crate) fn forget(&self, key: KeyRef<'_>) {
        drops::after(|| self.fences.invalidate_key(key.hash(), || self.memory.remove(key)));
    }

    fn forget_text(&self, key: &str) {
        let mut buffer = KeyBuffer::new();
        // There is no entry under a key that is none.
        if let Ok(key) = raw_key(key, &mut buffer) {
            self.forget(key);
        }
    }

    /// Invalidates here, and in the shared tier as soon as that is possible.
    fn invalidate_later(self: &Arc<Self>, what: Invalidation, origin: Origin) {
        // Queued first: from then on reads refuse what the shared tier still has.
        let announcement = Announcement::new(origin);
        self.replay(what.clone(), Arc::clone(&announcement));
        self.mark(&what);
        self.counters.count(Counter::Invalidations);
        self.events.announce(&announcement, &what);
    }

    fn forget_all(&self) {
        self.fences.invalidate_all();
        self.memory.clear();
    }
}

impl Invalidating {
    pub(crate) fn new(order: Order) -> Self {
        Self(Some(order))
    }

    /// Invalidates everywhere. `Ok` only when the shared tier has confirmed; the error says what holds nevertheless.
    pub(crate) async fn run(self) -> Result<()> {
        self.confirm().await.map_err(|error| unconfirmed(&error))
    }

    /// The same with the error of the shared tier.
    pub(super) async fn confirm(mut self) -> Result<()> {
        let Some(order) = &self.0 else { return Ok(()) };
        let mut telling = None;
        let answer = match order.engine.shared.as_ref().filter(|_| order.shared) {
            Some(store) => {
                telling = Some(order.engine.telling(order.what.clone()));
                // In a cluster, keys may be well while the part that every read needs is away.
                let tells = !matches!(order.what, Invalidation::Keys(_));
                let engine = &order.engine;
                let told = engine.watched("invalidate", store.invalidate(&order.what)).await;
                told.inspect(|()| {
                    if tells {
                        engine.answered()
                    }
                })
            }
            None => Ok(()),
        };
        let Some(Order { engine, what, origin, .. }) = self.0.take() else { return Ok(()) };
        match answer {
            Ok(()) => {
                engine.invalidate_here(&what, origin);
                if telling.is_some() {
                    engine.session.recent.remember(what, engine.now());
                }
                Ok(())
            }
            Err(error) => {
                engine.count_error(&error);
                engine.invalidate_later(what, origin);
                Err(error)
            }
        }
    }

    /// There is no reason for it any more.
    pub(crate) fn call_off(mut self) {
        self.0 = None;
    }
}

impl Drop for Invalidating {
    fn drop(&mut self) {
        let Some(order) = self.0.take() else { return };
        if order.is_local() {
            order.engine.invalidate_here(&order.what, order.origin);
        } else {
            order.engine.invalidate_later(order.what, order.origin);
        }
    }
}

fn unconfirmed(error: &Error) -> Error {
    Error::new(
        error.kind(),
        format!(
            "{error}; it holds in this process, and is queued and repeated until the shared tier confirms it"
        ),
    )
    .with_source(error.clone())
}
