//! One flight: what is known of the load, who waits for it, how it ended.

use std::task::{Poll, Waker};

use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock};

pub(super) struct Flight<M, T> {
    pub(super) meta: M,
    /// Its place among the flights that replaced one another.
    number: u64,
    /// The first of these; `None` for that one itself.
    first: Option<Arc<Self>>,
    /// In the first one: the greatest number of those that have ended.
    ended: AtomicU64,
    state: Mutex<State<T>>,
}

enum State<T> {
    Up(Wakers),
    Finished(Ending<T>),
}

/// How a flight ended.
pub(super) enum Ending<T> {
    /// Shared, so that it can be taken under the lock and its value cloned after it.
    Landed(Arc<T>),
    Failed,
    Abandoned,
}

impl<T> Clone for Ending<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Landed(value) => Self::Landed(Arc::clone(value)),
            Self::Failed => Self::Failed,
            Self::Abandoned => Self::Abandoned,
        }
    }
}

impl<M, T> Flight<M, T> {
    pub(super) fn new(meta: M) -> Self {
        Self {
            meta,
            number: 1,
            first: None,
            ended: AtomicU64::new(0),
            state: Mutex::new(State::Up(Wakers::default())),
        }
    }

    /// Takes its place after the flight that it replaces.
    pub(super) fn follow(&mut self, old: &Arc<Self>) {
        self.number = old.number + 1;
        self.first = Some(Arc::clone(old.first.as_ref().unwrap_or(old)));
    }

    /// Tells the flights that this one replaced, directly or not.
    pub(super) fn tell_ended(&self) {
        self.ended().fetch_max(self.number, Ordering::AcqRel);
    }

    pub(super) fn is_superseded(&self) -> bool {
        self.ended().load(Ordering::Acquire) > self.number
    }

    fn ended(&self) -> &AtomicU64 {
        self.first.as_ref().map_or(&self.ended, |first| &first.ended)
    }

    pub(super) fn is_finished(&self) -> bool {
        matches!(*lock(&self.state), State::Finished(_))
    }

    /// Sets the result and wakes everybody.
    pub(super) fn finish(&self, ending: Ending<T>) {
        let before = std::mem::replace(&mut *lock(&self.state), State::Finished(ending));
        if let State::Up(wakers) = before {
            wakers.slots.into_iter().flatten().for_each(Waker::wake);
        }
    }

    /// The result, or else `waker` is left in `slot`, to be called when there is one.
    pub(super) fn poll(&self, slot: &mut Option<usize>, waker: &Waker) -> Poll<Ending<T>> {
        let mine = waker.clone();
        let mut state = lock(&self.state);
        let (outcome, unused) = match &mut *state {
            State::Finished(ending) => (Poll::Ready(ending.clone()), Some(mine)),
            State::Up(wakers) => (Poll::Pending, wakers.leave(slot, mine)),
        };
        drop(state);
        drop(unused);
        outcome
    }

    /// Takes back the waker in `slot`.
    pub(super) fn leave(&self, slot: usize) {
        let mut state = lock(&self.state);
        let waker = match &mut *state {
            State::Up(wakers) => wakers.take(slot),
            State::Finished(_) => None,
        };
        drop(state);
        drop(waker);
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        match &*lock(&self.state) {
            State::Up(wakers) => wakers.slots.iter().flatten().count(),
            State::Finished(_) => 0,
        }
    }
}

/// A slot for each waiter; slots of those who left are used again.
#[derive(Default)]
struct Wakers {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Wakers {
    /// Leaves the waker, and hands back the one that it replaces.
    fn leave(&mut self, slot: &mut Option<usize>, waker: Waker) -> Option<Waker> {
        let index = *slot.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.slots.push(None);
                self.slots.len() - 1
            })
        });
        self.slots[index].replace(waker)
    }

    fn take(&mut self, slot: usize) -> Option<Waker> {
        self.free.push(slot);
        self.slots[slot].take()
    }
}
