//! Single flight: many callers of one key wait for one load.
//!
//! The first caller of a key [leads](Leader): it runs the load and lands it. Callers that come while the flight is up
//! [wait](Waiter), asynchronously or on a blocked thread, on the same flight. This module knows no stores, no runtime and
//! no clock: `K` is the key, `M` what the leader notes about the load, `T` what it lands.
//!
//! - *A flight that began before an invalidation is never joined afterwards*: each caller says whether what it finds is
//!   [joinable](Flights::join). If not, it replaces the flight, which from then on serves only those who joined it before.
//! - *A leader always lands, fails or is abandoned*: its `Drop` sees to it when its future is cancelled or its body
//!   panics. After a failure the waiters run their own bodies, all at once; after a cancellation they join again, and one
//!   of them leads.
//! - *A leader that is alive but not polled holds nobody for ever*: a waiter that has waited long enough
//!   [takes over](Flights::take_over). One of many does; the others wait for it.
//!
//! A value may depend on more than its leader knew when it began: on tags that are learned from it. A flight then looks
//! joinable to one who comes after such a tag's invalidation. So the leader lands its final fence with the value, and a
//! waiter checks it and joins again if it is not current.
//!
//! # Why no wake-up is lost
//!
//! A flight's state is one lock. A waiter that looks either finds the flight finished, or leaves its waker there in the
//! same step; the leader that finishes takes all wakers in the step that sets the result. What each waiter leaves is its
//! own slot, so one that is cancelled removes nobody else's.
//!
//! A finished flight is taken out of the table *before* its result is set. So whoever finds a flight without result, and
//! joins again, does not find it twice. Flights are found under the table's lock, which the leader takes to take its own
//! out: if it alone has it then, nobody waits and nobody will, and there is no result to be set.
//!
//! No lock is held while a waker is called, cloned or dropped, or while a value is cloned: that is other people's code.

mod leader;
mod mixed;
mod state;
#[cfg(test)]
mod tests;
mod waiter;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, BuildHasherDefault, Hash};

use crate::sync::{Arc, Mutex, lock};

pub(crate) use leader::Leader;
use mixed::Mixed;
use state::Flight;
pub(crate) use waiter::{Landing, Waiter};

/// The flights of one cache.
pub(crate) struct Flights<K, M, T> {
    table: Arc<Table<K, M, T>>,
}

/// What became of a caller.
pub(crate) enum Join<K: Clone + Eq + Hash, M, T> {
    /// It leads: it must run the load.
    Lead(Leader<K, M, T>),
    /// Somebody else does: it waits.
    Wait(Waiter<M, T>),
}

impl<K: Clone + Eq + Hash, M, T> Flights<K, M, T> {
    /// No flight is up.
    pub(crate) fn new() -> Self {
        Self::with_shards(64)
    }

    /// Spreads the flights over so many locks.
    pub(crate) fn with_shards(shards: usize) -> Self {
        Self { table: Arc::new(Table::new(shards.max(1))) }
    }

    /// Waits for the key's flight if there is one and it is `joinable`; leads a new one otherwise.
    ///
    /// `meta` is called before the new flight can be joined: a stamp captured in it is one from before the load.
    /// No lock is held while `joinable` and `meta` run.
    pub(crate) fn join(
        &self,
        key: K,
        joinable: impl Fn(&M) -> bool,
        meta: impl FnOnce() -> M,
    ) -> Join<K, M, T> {
        self.enter(key, |flight| joinable(&flight.meta), meta)
    }

    /// What a waiter does that [timed out](Landing::TimedOut): replaces the flight it waited for and leads, or waits for
    /// whoever did so first.
    ///
    /// A flight that has finished in the meantime is waited for once more, which ends at once.
    pub(crate) fn take_over(
        &self,
        key: K,
        late: &Waiter<M, T>,
        joinable: impl Fn(&M) -> bool,
        meta: impl FnOnce() -> M,
    ) -> Join<K, M, T> {
        if late.flight.is_finished() {
            return Join::Wait(Waiter::new(Arc::clone(&late.flight)));
        }
        let others = |flight: &Arc<Flight<M, T>>| {
            !Arc::ptr_eq(flight, &late.flight) && joinable(&flight.meta)
        };
        self.enter(key, others, meta)
    }

    fn enter(
        &self,
        key: K,
        joinable: impl Fn(&Arc<Flight<M, T>>) -> bool,
        meta: impl FnOnce() -> M,
    ) -> Join<K, M, T> {
        let mut there = self.table.find(&key);
        if let Some(flight) = there.take_if(|flight| joinable(flight)) {
            return Join::Wait(Waiter::new(flight));
        }
        let mut new = Flight::new(meta());
        // Each further round means that somebody else has put another flight there.
        loop {
            match self.table.replace(&key, there.as_ref(), new) {
                Ok(new) => return Join::Lead(Leader::new(&self.table, key, new)),
                Err((other, unused)) => (there, new) = (other, unused),
            }
            if let Some(flight) = there.take_if(|flight| joinable(flight)) {
                return Join::Wait(Waiter::new(flight));
            }
        }
    }

    /// Whether whoever comes now waits for somebody's load. Nothing is begun or joined.
    pub(crate) fn is_up(&self, key: &K, joinable: impl Fn(&M) -> bool) -> bool {
        let flight = self.table.find(key);
        flight.is_some_and(|flight| !flight.is_finished() && joinable(&flight.meta))
    }

    #[cfg(test)]
    fn up(&self) -> usize {
        self.table.shards.iter().map(|shard| lock(shard).len()).sum()
    }
}

/// The flights that can be joined, by key.
struct Table<K, M, T> {
    shards: Box<[Shard<K, M, T>]>,
    hasher: Mixing,
}

/// The flight that is there by now, and the one that did not replace it.
type Changed<M, T> = (Option<Arc<Flight<M, T>>>, Flight<M, T>);

type Shard<K, M, T> = Mutex<HashMap<K, Arc<Flight<M, T>>, Mixing>>;

type Mixing = BuildHasherDefault<Mixed>;

impl<K: Clone + Eq + Hash, M, T> Table<K, M, T> {
    fn new(shards: usize) -> Self {
        let shards = (0..shards).map(|_| Mutex::new(HashMap::default())).collect();
        Self { shards, hasher: Mixing::default() }
    }

    fn find(&self, key: &K) -> Option<Arc<Flight<M, T>>> {
        lock(self.shard(key)).get(key).cloned()
    }

    /// Puts `new` in place of `seen`; if something else is there by now, hands that and `new` back.
    fn replace(
        &self,
        key: &K,
        seen: Option<&Arc<Flight<M, T>>>,
        mut new: Flight<M, T>,
    ) -> Result<Arc<Flight<M, T>>, Changed<M, T>> {
        let mut shard = lock(self.shard(key));
        let entry = shard.entry(key.clone());
        let there = match &entry {
            Entry::Occupied(there) => Some(there.get()),
            Entry::Vacant(_) => None,
        };
        let unchanged = match (there, seen) {
            (None, None) => true,
            (Some(there), Some(seen)) => Arc::ptr_eq(there, seen),
            _ => false,
        };
        if !unchanged {
            return Err((there.cloned(), new));
        }
        if let Some(old) = there {
            new.follow(old);
        }
        let new = Arc::new(new);
        entry.insert_entry(Arc::clone(&new));
        Ok(new)
    }

    /// Takes the flight out, unless another has replaced it.
    fn remove(&self, key: &K, flight: &Arc<Flight<M, T>>) {
        let mut shard = lock(self.shard(key));
        let mut removed = shard.remove_entry(key);
        if let Some((key, other)) = removed.take_if(|(_, there)| !Arc::ptr_eq(there, flight)) {
            shard.insert(key, other);
        }
        drop(shard);
        drop(removed);
    }

    fn shard(&self, key: &K) -> &Shard<K, M, T> {
        // The middle picks the shard: hash tables use the lowest and the highest bits of the same number.
        &self.shards[(self.hasher.hash_one(key) >> 32) as usize % self.shards.len()]
    }
}
