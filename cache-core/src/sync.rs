//! The primitives that `fence` and `flight` stand on, named in one place: the models in `models/` compile the very same
//! files over loom's.

use std::sync::PoisonError;
use std::task::{Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub(crate) use std::thread::panicking;

/// Locks; a panic under the lock leaves it usable, because every update under these locks is complete before any code
/// that could panic runs.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for reading, poisoned or not, as [`lock`] does.
pub(crate) fn read<T: ?Sized>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for writing, poisoned or not, as [`lock`] does.
pub(crate) fn write<T: ?Sized>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Blocks the calling thread until its waker is used or the time is up.
pub(crate) struct Parker(Waker);

impl Parker {
    /// A parker of the calling thread.
    pub(crate) fn new() -> Self {
        Self(Waker::from(std::sync::Arc::new(Unpark(std::thread::current()))))
    }

    /// The waker that ends [`Parker::park`].
    pub(crate) fn waker(&self) -> &Waker {
        &self.0
    }

    /// Sleeps until woken, at most until `deadline`; may also return early. False once the deadline has passed.
    pub(crate) fn park(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::park_timeout(left);
        true
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}
