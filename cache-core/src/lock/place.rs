//! Where a lock is.

use std::{sync::Arc, time::Duration};

use cache_store::Store;

use crate::engine::Engine;

#[derive(Clone)]
pub(super) enum Place {
    Shared(Arc<dyn Store>),
    /// The locks of the engine itself.
    Here(Arc<Engine>),
}

impl Place {
    pub(super) fn of(engine: &Arc<Engine>) -> Self {
        match &engine.shared {
            Some(store) => Self::Shared(Arc::clone(store)),
            None => Self::Here(Arc::clone(engine)),
        }
    }

    /// Returns when the lock may be free, at the latest after `at_most`.
    pub(super) async fn ended(&self, name: &str, at_most: Duration) {
        match self {
            Self::Shared(store) => store.lock_ended(name, at_most).await,
            Self::Here(engine) => engine.locks.ended(name, at_most).await,
        }
    }
}
