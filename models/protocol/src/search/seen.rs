//! The states that were met.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, PoisonError},
};

use super::print::{ByItself, Print};

const SHARDS: usize = 64;

/// Prints of states, each with what is kept of the way to it: the print of the state before, or nothing.
pub(crate) struct Seen<W> {
    shards: Vec<Mutex<HashMap<Print, W, ByItself>>>,
}

/// What is kept of the way to a state.
pub(crate) trait Way: Copy + Send {
    fn from(before: Print) -> Self;
    fn before(self) -> Option<Print>;
}

impl Way for () {
    fn from(_: Print) {}

    fn before(self) -> Option<Print> {
        None
    }
}

impl Way for Print {
    fn from(before: Print) -> Self {
        before
    }

    fn before(self) -> Option<Print> {
        Some(self)
    }
}

impl<W: Way> Seen<W> {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// Remembers the state; whether it is new.
    pub(crate) fn add(&self, state: Print, before: Print) -> bool {
        // A map is whole after every step, whoever panics.
        let mut shard =
            self.shards[state.shard(SHARDS)].lock().unwrap_or_else(PoisonError::into_inner);
        match shard.entry(state) {
            Entry::Occupied(_) => false,
            Entry::Vacant(there) => {
                there.insert(W::from(before));
                true
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        let count = |shard: &Mutex<HashMap<_, _, _>>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).len()
        };
        self.shards.iter().map(count).sum()
    }

    /// The states on the way to this one, which is the last of them.
    pub(crate) fn way_to(&self, state: Print) -> Vec<Print> {
        let mut way = vec![state];
        let mut last = state;
        while let Some(before) = self.before(last).filter(|before| *before != last) {
            way.push(before);
            last = before;
        }
        way.reverse();
        way
    }

    fn before(&self, state: Print) -> Option<Print> {
        let shard = self.shards[state.shard(SHARDS)].lock().unwrap_or_else(PoisonError::into_inner);
        shard.get(&state).and_then(|way| way.before())
    }
}
