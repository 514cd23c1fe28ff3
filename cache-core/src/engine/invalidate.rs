//! Explicit invalidations: the shared tier first, then this process, then the answer.

use std::sync::Arc;

use cache_store::{Error, Invalidation, Result};
use cache_template::Glob;

use super::Engine;
use crate::{
    events::Event,
    key::{KeyBuffer, raw_key},
    stats::Counter,
};

/// One invalidation under way. Dropped before it is done, it still happens: here at once, in the shared tier by replay.
pub(crate) struct Invalidating {
    engine: Arc<Engine>,
    what: Option<Invalidation>,
}

impl Engine {
    /// Invalidates everywhere. `Ok` only when the shared tier has confirmed.
    pub(crate) async fn invalidate(self: &Arc<Self>, what: Invalidation) -> Result<()> {
        Invalidating::new(self, what).run().await
    }

    /// Invalidates in this process.
    ///
    /// After the shared tier has, never before: a value that is read there in between would be kept as current.
    pub(crate) fn invalidate_here(&self, what: &Invalidation) {
        match what {
            Invalidation::Keys(keys) => keys.iter().for_each(|key| self.forget(key)),
            Invalidation::Tags(tags) => tags.iter().for_each(|tag| self.fences.invalidate_tag(tag)),
            Invalidation::Pattern(pattern) => match Glob::parse(pattern) {
                Ok(glob) => self.fences.invalidate_pattern(glob),
                // Callers parse first; a pattern that cannot be read might match anything.
                Err(_) => self.forget_all(),
            },
            Invalidation::All => self.forget_all(),
        }
        self.counters.count(Counter::Invalidations);
        self.events.tell(|| Event::Invalidated { what: Arc::new(what.clone()) });
    }

    fn forget(&self, key: &str) {
        let mut buffer = KeyBuffer::new();
        let Ok(key) = raw_key(key, &mut buffer) else { return };
        self.fences.invalidate_key(key.hash(), || self.memory.remove(key));
    }

    fn forget_all(&self) {
        self.fences.invalidate_all();
        self.memory.clear();
    }
}

impl Invalidating {
    pub(crate) fn new(engine: &Arc<Engine>, what: Invalidation) -> Self {
        Self { engine: Arc::clone(engine), what: Some(what) }
    }

    pub(crate) async fn run(mut self) -> Result<()> {
        let Some(what) = &self.what else { return Ok(()) };
        let answer = match &self.engine.shared {
            Some(store) => store.invalidate(what).await.inspect(|()| self.engine.answered()),
            None => Ok(()),
        };
        let Some(what) = self.what.take() else { return Ok(()) };
        self.engine.invalidate_here(&what);
        answer.map_err(|error| {
            self.engine.count_error(&error);
            self.engine.replay(what);
            unconfirmed(&error)
        })
    }
}

impl Drop for Invalidating {
    fn drop(&mut self) {
        let Some(what) = self.what.take() else { return };
        self.engine.invalidate_here(&what);
        if self.engine.shared.is_some() {
            self.engine.replay(what);
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
