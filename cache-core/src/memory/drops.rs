//! When values are dropped: not under a lock.
//!
//! A value's `Drop` is the user's code and may use the cache it was in. Entries go wherever the memory tier does its
//! housekeeping, which is often under a lock of the [fences](crate::fence) or of the tier.

use std::cell::{Cell, RefCell};

use crate::value::Stored;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static LATER: RefCell<Vec<Stored>> = const { RefCell::new(Vec::new()) };
}

/// Runs `step`, which takes locks, and drops the values that went meanwhile after it.
pub(crate) fn after<R>(step: impl FnOnce() -> R) -> R {
    let _inside = Inside::enter();
    step()
}

/// Runs `step`, which takes locks, and hands over the values that went meanwhile, to be dropped elsewhere.
pub(crate) fn hand_over<R>(step: impl FnOnce() -> R) -> (R, Vec<Stored>) {
    let _inside = Inside::enter();
    let done = step();
    (done, later())
}

/// Drops the value now, or when the calling thread is out of [`after`].
pub(super) fn one(value: Stored) {
    // A thread that ends has left its locks.
    if DEPTH.try_with(Cell::get).is_ok_and(|depth| depth > 0) {
        let mut value = Some(value);
        // An error hands the closure back unused; the value is then dropped here.
        let _ = LATER.try_with(|later| later.borrow_mut().extend(value.take()));
    }
}

/// What is to be dropped. A thread that ends, and has values that use the cache, may have none of this any more.
fn later() -> Vec<Stored> {
    LATER.try_with(RefCell::take).unwrap_or_default()
}

struct Inside;

impl Inside {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        if DEPTH.get() == 0 {
            drop(later());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    };

    use super::*;

    struct Tells(Arc<AtomicBool>);

    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }

    fn value() -> (Stored, Arc<AtomicBool>) {
        let gone = Arc::new(AtomicBool::new(false));
        (Some(Arc::new(Tells(Arc::clone(&gone)))), gone)
    }

    #[test]
    fn values_that_go_inside_are_dropped_after_the_outermost_step() {
        let (value, gone) = value();
        after(|| {
            after(|| one(value));
            assert!(!gone.load(SeqCst));
        });
        assert!(gone.load(SeqCst));
    }

    #[test]
    fn a_value_that_goes_outside_is_dropped_at_once() {
        let (value, gone) = value();
        one(value);
        assert!(gone.load(SeqCst));
    }
}
