//! Locks in a cache that has no shared tier. They end when they are let go of, and with the process.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::Notify;

use crate::timer::timeout;

#[derive(Default)]
pub(crate) struct Here {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Default)]
struct State {
    held: HashSet<String>,
    /// The newest fencing token of all names.
    fencing: u64,
}

impl Here {
    /// The fencing token, or `None` when somebody else has the lock.
    pub(super) fn acquire(&self, name: &str) -> Option<u64> {
        let mut state = self.lock();
        if !state.held.insert(name.to_owned()) {
            return None;
        }
        // Not below the clock, so that tokens grow from one process to the next one.
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        state.fencing = (state.fencing + 1).max(u64::try_from(clock).unwrap_or_default());
        Some(state.fencing)
    }

    /// Called by the guard alone, once: nothing else ends a lock that is here.
    pub(super) fn release(&self, name: &str) {
        self.lock().held.remove(name);
        self.ended.notify_waiters();
    }

    /// Returns when somebody let go of a lock, this one or another; at once when nobody has this one.
    pub(super) async fn ended(&self, name: &str, at_most: Duration) {
        let mut heard = std::pin::pin!(self.ended.notified());
        // Listens before it looks, so that an end in between is heard.
        heard.as_mut().enable();
        if self.lock().held.contains(name) {
            // Past this time the caller tries for itself.
            let _ = timeout(at_most, heard).await;
        }
    }

    /// Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
