//! Marks of invalidated keys.

use std::collections::HashMap;

use crate::sync::{Mutex, lock};

use super::stamp::{Sequence, Stamp};

/// The recent invalidations of keys, by hash: two keys with one hash are invalidated together.
#[derive(Debug)]
pub(super) struct KeyMarks {
    shards: Box<[Mutex<Shard>]>,
    keep: usize,
}

#[derive(Debug, Default)]
struct Shard {
    recent: HashMap<u64, u64>,
    /// The greatest number that was forgotten.
    floor: u64,
}

impl KeyMarks {
    pub(super) fn new(shards: usize, keep: usize) -> Self {
        Self { shards: (0..shards.max(1)).map(|_| Mutex::default()).collect(), keep: keep.max(1) }
    }

    /// Marks the key and runs `remove`, in one step for everybody who looks through [`KeyMarks::unless_invalidated`].
    pub(super) fn invalidate<R>(
        &self,
        hash: u64,
        sequence: &Sequence,
        remove: impl FnOnce() -> R,
    ) -> R {
        let mut shard = lock(self.shard(hash));
        // Numbered under the lock: no load can be born after this number and still find the entry that goes.
        shard.mark(hash, sequence.next(), self.keep);
        remove()
    }

    /// What `then` answers, run under the shard's lock, if the key was not invalidated after `born`; else false.
    pub(super) fn unless_invalidated(
        &self,
        hash: u64,
        born: Stamp,
        then: impl FnOnce() -> bool,
    ) -> bool {
        let shard = lock(self.shard(hash));
        shard.last(hash) <= born.number() && then()
    }

    /// As [`unless_invalidated`](Self::unless_invalidated), and marks the key as invalidated when `then` answers true.
    pub(super) fn mark_unless_invalidated(
        &self,
        hash: u64,
        born: Stamp,
        sequence: &Sequence,
        then: impl FnOnce() -> bool,
    ) -> bool {
        let mut shard = lock(self.shard(hash));
        let current = shard.last(hash) <= born.number();
        let done = current && then();
        if done {
            shard.mark(hash, sequence.next(), self.keep);
        }
        done
    }

    /// Runs `change` under the key's lock.
    pub(super) fn with<R>(&self, hash: u64, change: impl FnOnce() -> R) -> R {
        let _shard = lock(self.shard(hash));
        change()
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The upper half picks the shard: hash tables use the lowest and the highest bits of the same number.
        &self.shards[(hash >> 32) as usize % self.shards.len()]
    }
}

impl Shard {
    fn mark(&mut self, hash: u64, number: u64, keep: usize) {
        if self.recent.len() >= keep && !self.recent.contains_key(&hash) {
            self.forget_older_half();
        }
        self.recent.insert(hash, number);
    }

    /// The last invalidation of the key, or a later one.
    fn last(&self, hash: u64) -> u64 {
        self.recent.get(&hash).copied().unwrap_or(0).max(self.floor)
    }

    fn forget_older_half(&mut self) {
        let mut numbers: Vec<u64> = self.recent.values().copied().collect();
        let middle = (numbers.len() - 1) / 2;
        let (_, &mut newest_forgotten, _) = numbers.select_nth_unstable(middle);
        self.recent.retain(|_, number| *number > newest_forgotten);
        self.floor = self.floor.max(newest_forgotten);
    }
}
