//! Marks of tags, interned by name.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock};

use super::stamp::{Sequence, Stamp};

/// The last invalidation of one tag; every fence with that tag holds the same mark.
#[derive(Debug)]
pub(crate) struct TagMark {
    last: AtomicU64,
}

impl TagMark {
    #[inline]
    pub(super) fn invalidated_after(&self, born: Stamp) -> bool {
        self.last.load(Ordering::Acquire) > born.number()
    }
}

/// All tags that a fence holds or that were invalidated lately.
#[derive(Debug)]
pub(super) struct TagMarks {
    shards: Box<[Mutex<Shard>]>,
    least: usize,
}

#[derive(Debug)]
struct Shard {
    /// Ordered and not hashed: a name may be a user's input.
    marks: BTreeMap<Box<str>, Arc<TagMark>>,
    /// The greatest number of a purged mark.
    floor: u64,
    purge_at: usize,
}

impl TagMarks {
    pub(super) fn new(shards: usize, least: usize) -> Self {
        let least = least.max(1);
        let shard = || Shard { marks: BTreeMap::new(), floor: 0, purge_at: least };
        Self { shards: (0..shards.max(1)).map(|_| Mutex::new(shard())).collect(), least }
    }

    /// The tag's mark. One that was purged, or never was, starts at the floor: it may have been invalidated then.
    pub(super) fn intern(&self, name: &str) -> Arc<TagMark> {
        let mut shard = lock(self.shard(name));
        shard.intern(name, self.least)
    }

    pub(super) fn invalidate(&self, name: &str, sequence: &Sequence) {
        let mut shard = lock(self.shard(name));
        // A mark is left even for a tag that nobody holds: a load may be under way that will learn it from its value.
        let mark = shard.intern(name, self.least);
        // Numbered and stored under the lock: numbers of one mark only grow, and no purge sees the mark without it.
        mark.last.store(sequence.next(), Ordering::Release);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).marks.len()).sum()
    }

    fn shard(&self, name: &str) -> &Mutex<Shard> {
        let hash = BuildHasherDefault::<DefaultHasher>::new().hash_one(name);
        &self.shards[hash as usize % self.shards.len()]
    }
}

impl Shard {
    fn intern(&mut self, name: &str, least: usize) -> Arc<TagMark> {
        if let Some(mark) = self.marks.get(name) {
            return Arc::clone(mark);
        }
        if self.marks.len() >= self.purge_at {
            self.purge(least);
        }
        let mark = Arc::new(TagMark { last: AtomicU64::new(self.floor) });
        self.marks.insert(name.into(), Arc::clone(&mark));
        mark
    }

    /// Drops the marks that only this table holds. Nobody can come to hold one meanwhile: that needs this shard's lock.
    fn purge(&mut self, least: usize) {
        let mut floor = self.floor;
        self.marks.retain(|_, mark| {
            let held = Arc::strong_count(mark) > 1;
            if !held {
                floor = floor.max(mark.last.load(Ordering::Acquire));
            }
            held
        });
        self.floor = floor;
        self.purge_at = least.max(self.marks.len() * 2);
    }
}
