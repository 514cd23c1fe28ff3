//! Which stripe of a striped counter a thread writes to.

use std::{
    cell::Cell,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// Threads that have a stripe of their own, at one time.
const OWNED: usize = 48;
/// What further threads share.
const SHARED: usize = 16;

/// How many stripes there are.
pub(super) const STRIPES: usize = OWNED + SHARED;

/// The stripe of the calling thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mine {
    /// No other thread writes to it.
    Alone(usize),
    /// Others may write to it at the same time.
    Together(usize),
}

/// The stripe of the calling thread, which keeps it until it ends.
#[inline]
pub(super) fn mine() -> Mine {
    let stripe = STRIPE.get();
    if stripe < OWNED { Mine::Alone(stripe) } else { mine_or_new(stripe) }
}

#[cold]
fn mine_or_new(stripe: usize) -> Mine {
    let stripe = if stripe == UNASSIGNED { assign() } else { stripe };
    if stripe < OWNED { Mine::Alone(stripe) } else { Mine::Together(stripe) }
}

const UNASSIGNED: usize = usize::MAX;

thread_local! {
    /// Where this thread counts. Apart from its owner below, so that reading it never asks whether it was dropped.
    static STRIPE: Cell<usize> = const { Cell::new(UNASSIGNED) };
    static OWNER: Owner = const { Owner };
}

/// Gives the thread's stripe to another thread when this one ends.
struct Owner;

impl Drop for Owner {
    fn drop(&mut self) {
        // What still counts while the thread ends shares a stripe.
        let stripe = STRIPE.replace(OWNED);
        if stripe < OWNED {
            free().push(stripe);
        }
    }
}

/// The stripes that no thread owns. The mutex also makes a stripe's counts visible to its next owner.
static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());
/// How many stripes were ever given out.
static GIVEN: AtomicUsize = AtomicUsize::new(0);

fn free() -> MutexGuard<'static, Vec<usize>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the calling thread its stripe.
fn assign() -> usize {
    let stripe = match OWNER.try_with(|_| ()) {
        Ok(()) => next(),
        Err(_) => OWNED,
    };
    STRIPE.set(stripe);
    stripe
}

fn next() -> usize {
    let freed = free().pop();
    freed.unwrap_or_else(|| {
        let given = GIVEN.fetch_add(1, Relaxed);
        if given < OWNED { given } else { OWNED + given % SHARED }
    })
}

#[cfg(test)]
mod tests {
    use std::{
        thread,
        time::{Duration, Instant},
    };

    use super::*;

    /// Other tests may hold every stripe for a moment, hence the loop.
    #[test]
    fn a_stripe_is_used_again_after_its_thread_ended() {
        let of_new_thread = || thread::spawn(mine).join().unwrap();
        for _ in 0..STRIPES {
            of_new_thread();
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(of_new_thread(), Mine::Together(_)) {
            assert!(Instant::now() < deadline, "stripes are not given back");
        }
    }

    #[test]
    fn no_two_living_threads_are_alone_in_one_stripe() {
        let threads = STRIPES * 2;
        let all_have_one = std::sync::Barrier::new(threads);
        let mut stripes: Vec<_> = thread::scope(|scope| {
            let assign = || {
                let stripe = mine();
                all_have_one.wait();
                assert_eq!(mine(), stripe);
                stripe
            };
            let all: Vec<_> = (0..threads).map(|_| scope.spawn(assign)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        stripes.retain(|stripe| matches!(stripe, Mine::Alone(_)));
        stripes.sort_by_key(|stripe| match stripe {
            Mine::Alone(stripe) | Mine::Together(stripe) => *stripe,
        });
        let before = stripes.len();
        stripes.dedup();
        assert_eq!(stripes.len(), before);
    }
}
