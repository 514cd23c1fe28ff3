//! The one caller that runs the load.

use std::hash::Hash;

use crate::sync::{Arc, panicking};

use super::Table;
use super::state::{Ending, Flight};

/// Runs the load of a key for everybody who waits.
///
/// Dropped without a landing, it leaves the flight abandoned (its future was cancelled) or failed (its body panicked).
pub(crate) struct Leader<K: Clone + Eq + Hash, M, T> {
    table: Arc<Table<K, M, T>>,
    key: K,
    pub(super) flight: Arc<Flight<M, T>>,
    finished: bool,
}

impl<K: Clone + Eq + Hash, M, T> Leader<K, M, T> {
    pub(super) fn new(table: &Arc<Table<K, M, T>>, key: K, flight: Arc<Flight<M, T>>) -> Self {
        Self { table: Arc::clone(table), key, flight, finished: false }
    }

    /// What was noted when the flight began.
    pub(crate) fn meta(&self) -> &M {
        &self.flight.meta
    }

    /// Whether a flight that replaced this one has ended, so that this one's value must not be stored over the newer one.
    ///
    /// Not before: a load that always takes longer than its waiters have patience would never be stored.
    pub(crate) fn is_superseded(&self) -> bool {
        self.flight.is_superseded()
    }

    /// Hands the result to everybody who waits.
    pub(crate) fn land(mut self, result: T) {
        self.finish(|| Ending::Landed(Arc::new(result)));
    }

    /// Tells everybody who waits that the body failed in a way that cannot be shared.
    pub(crate) fn fail(mut self) {
        self.finish(|| Ending::Failed);
    }

    fn finish(&mut self, ending: impl FnOnce() -> Ending<T>) {
        self.finished = true;
        self.flight.tell_ended();
        self.table.remove(&self.key, &self.flight);
        // It is not in the table any more: whoever is to have it has it by now. Mostly that is nobody.
        if Arc::strong_count(&self.flight) > 1 {
            self.flight.finish(ending());
        }
    }
}

impl<K: Clone + Eq + Hash, M, T> Drop for Leader<K, M, T> {
    fn drop(&mut self) {
        if !self.finished {
            self.finish(|| if panicking() { Ending::Failed } else { Ending::Abandoned });
        }
    }
}
