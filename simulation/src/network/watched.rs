//! A value that can be waited for.

use std::sync::Mutex;

use tokio::sync::Notify;

use crate::lock;

/// Like `tokio::sync::watch`, which wakes those who wait in an order that differs from run to run.
pub(super) struct Watched<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T: Copy> Watched<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Notify::new() }
    }

    pub(super) fn get(&self) -> T {
        *lock(&self.value)
    }

    /// Changes the value; those who wait look at it in the order in which they came.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let done = change(&mut lock(&self.value));
        self.changed.notify_waiters();
        done
    }

    /// Returns when the value is one of these.
    pub(super) async fn until(&self, one: impl Fn(T) -> bool) {
        loop {
            // Made before the look, so that a change in between is heard.
            let changed = self.changed.notified();
            if one(self.get()) {
                return;
            }
            changed.await;
        }
    }
}
