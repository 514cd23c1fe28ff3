//! What `cache-core/src/sync.rs` offers, over loom.

use std::cell::Cell;
use std::sync::PoisonError;
use std::task::{Wake, Waker};
use std::time::Instant;

pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
pub(crate) use loom::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

loom::thread_local! {
    static PANICKING: Cell<bool> = Cell::new(false);
}

/// All of loom's threads share one real thread, so a scene says which of them unwinds.
pub(crate) fn panicking() -> bool {
    PANICKING.with(Cell::get)
}

/// Runs `unwind` as if the thread were panicking.
pub(crate) fn while_panicking(unwind: impl FnOnce()) {
    PANICKING.with(|panicking| panicking.set(true));
    unwind();
    PANICKING.with(|panicking| panicking.set(false));
}

/// Blocks until woken; loom may also end the wait without cause. No deadline ever passes.
pub(crate) struct Parker {
    bell: std::sync::Arc<Bell>,
    waker: Waker,
}

struct Bell(loom::sync::Notify);

impl Parker {
    pub(crate) fn new() -> Self {
        let bell = std::sync::Arc::new(Bell(loom::sync::Notify::new()));
        Self { waker: Waker::from(std::sync::Arc::clone(&bell)), bell }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn park(&self, _deadline: Instant) -> bool {
        self.bell.0.wait();
        true
    }
}

impl Wake for Bell {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.notify();
    }
}
