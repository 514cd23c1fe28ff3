//! Fences: what this process knows about invalidations, and which loads and entries they rule out.
//!
//! Every invalidation takes the next number of one sequence. A load notes the number that is current before it begins:
//! it is *born* then, and so is the entry it fills. The entry, or the load, is **fenced off** if its key, one of its
//! tags, a pattern that matches its key, or everything was invalidated with a greater number. Whoever forgets an
//! invalidation raises a floor instead, which refuses more than needed and never less: coarser, never wrong.
//!
//! # Why every interleaving is right
//!
//! *A load against an invalidation.* The caller of an invalidation has changed the source before. If the load read a
//! number at least as great as the invalidation's, then reading it (acquire) saw the step that made it (release), so
//! the load began after the change and reads the new value. If it read a smaller one, it may have read the old value,
//! and it is refused as soon as the mark is seen. Reading an outdated number is safe for the same reason.
//!
//! *Keys.* [`Fences::invalidate_key`] takes its number, leaves the mark and removes the entry under the lock of the
//! key's shard; [`Fences::admit`] checks and inserts under the same lock. So either the insert comes first, and the
//! removal finds the entry, or the mark comes first, and the check finds the mark. An entry in the memory tier needs no
//! further check of its key.
//!
//! *Tags, patterns, everything* cover entries that nobody lists, so nothing is removed: every hit checks. An
//! invalidation between `admit`'s check and its insert, or between the insert and the hit, is found by the hit. Whoever
//! starts a read after `invalidate_…` returned sees the mark, as that return happened before the read.
//!
//! *Tags learned from the value* are not known while the load runs, and their marks may have been purged meanwhile. A
//! purge happens under the shard's lock, takes only marks that no fence holds, and folds the greatest number it drops
//! into the shard's floor; a mark made later starts at that floor. So a learned tag that was invalidated during the load
//! has a number greater than the load's birth, by its mark or by the floor.
//!
//! *Patterns* are numbered and logged under one lock. An entry's `checked` starts at its birth and not at the insert:
//! records between the two are matched at the first hit. It moves only to a record up to which all were matched,
//! and only forward, so two hits that check at once both tell the truth. A trimmed record raises the log's floor, and
//! an entry whose `checked` is below it is refused.
//!
//! *Tags that an entry must bear together* are a record of the same log, so all that is said of patterns holds for them.
//! The record holds the marks of its tags and is compared with the fence's by pointer. One name has one mark for as long
//! as anybody holds it, since only marks that nobody holds are purged: a fence that bears the tag holds the record's mark,
//! whether it interned the name before the record was made or after; and once the record is trimmed the floor speaks for
//! it. What is different is that a fence may learn tags after it was compared: those of its value (the flight was joined,
//! or the key looked up, meanwhile) and those of `Cache::tag`. Then `checked` speaks for the old list of
//! tags only. So [`Fence::with_tags`] compares the passed records again, with all tags. If one covers the entry, or one
//! about tags was trimmed since the birth, `checked` goes back to the birth, from where every comparison refuses, by the
//! record or by the floor. A record that is made meanwhile has a number above `checked`, and is compared by the next hit.
//! An entry that is tagged by hand counts as if it had borne the tag since its load: coarser, never wrong.
//!
//! *Copies outside the memory tier* (its [front](crate::memory)) are compared with two counts instead: the
//! [stripe](Stripes) of their key, which counts after each change of the tier, and [`Fences::unlisted`], which counts after
//! each mark. Both are read before the entry is looked up and asked about. A change that the look did not see is counted
//! after it was made, hence after the reading: the counts differ. So equal counts mean that the look's answer still holds.
//! An invalidation that returned has counted, and a read that starts then finds the counts changed.

mod keys;
mod patterns;
mod stamp;
mod stripes;
mod tags;
#[cfg(test)]
mod tests;

use cache_template::Glob;

use crate::sync::{Arc, AtomicU64, Ordering};

use keys::KeyMarks;
use patterns::{Covered, PatternLog};
use stamp::Sequence;
pub(crate) use stamp::Stamp;
pub(crate) use stripes::Stripes;
use tags::{TagMark, TagMarks};

/// What one cache has invalidated in this process.
pub(crate) struct Fences {
    sequence: Sequence,
    keys: KeyMarks,
    tags: TagMarks,
    patterns: PatternLog,
    /// The number of the last invalidation of everything, or of the last doubt about everything.
    cleared: AtomicU64,
    /// The number of the last invalidation of everything that is no mere doubt.
    surely_cleared: AtomicU64,
    /// How many invalidations of tags, by patterns and of everything there were.
    unlisted: AtomicU64,
}

/// How much is remembered before it is folded into a floor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Shards of the key marks and of the tag marks.
    pub(crate) shards: usize,
    /// Recent key marks per shard.
    pub(crate) keys: usize,
    /// Tag marks per shard below which nothing is purged.
    pub(crate) tags: usize,
    /// Records in the pattern log.
    pub(crate) patterns: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { shards: 64, keys: 256, tags: 256, patterns: 256 }
    }
}

/// What one load, and the entry it fills, must be checked against.
#[derive(Debug)]
pub(crate) struct Fence {
    born: Stamp,
    /// From when on invalidations of the key count: `born`, or later where somebody else vouched for the key meanwhile.
    key_born: Stamp,
    /// The number of the last record of the pattern log that is known not to cover it.
    checked: AtomicU64,
    tags: Box<[Arc<TagMark>]>,
}

impl Fence {
    /// When the load began.
    pub(crate) fn born(&self) -> Stamp {
        self.born
    }

    /// The same fence with the tags that were learned from the value added.
    pub(crate) fn with_tags(self, fences: &Fences, more: &[impl AsRef<str>]) -> Self {
        if more.is_empty() {
            return self;
        }
        let learned = more.iter().map(|name| fences.tags.intern(name.as_ref()));
        let tags: Box<[_]> = self.tags.iter().cloned().chain(learned).collect();
        let checked = self.checked.load(Ordering::Acquire);
        let checked = fences.patterns.compared(self.born, checked, &tags);
        Self { tags, checked: AtomicU64::new(checked), ..self }
    }

    /// The same fence for a load whose key was confirmed, by an authority outside this process, after `confirmed`.
    pub(crate) fn with_key_since(self, confirmed: Stamp) -> Self {
        Self { key_born: confirmed.max(self.key_born), ..self }
    }

    fn tags_untouched(&self) -> bool {
        self.tags.iter().all(|tag| !tag.invalidated_after(self.born))
    }
}

impl Clone for Fence {
    fn clone(&self) -> Self {
        Self {
            born: self.born,
            key_born: self.key_born,
            checked: AtomicU64::new(self.checked.load(Ordering::Acquire)),
            // Most have none, and copying those is a call.
            tags: if self.tags.is_empty() { Box::default() } else { self.tags.clone() },
        }
    }
}

impl Fences {
    /// Knows of no invalidation yet.
    pub(crate) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// Remembers as much as `limits` allow.
    pub(crate) fn with_limits(limits: Limits) -> Self {
        Self {
            sequence: Sequence::new(),
            keys: KeyMarks::new(limits.shards, limits.keys),
            tags: TagMarks::new(limits.shards, limits.tags),
            patterns: PatternLog::new(limits.patterns),
            cleared: AtomicU64::new(0),
            surely_cleared: AtomicU64::new(0),
            unlisted: AtomicU64::new(0),
        }
    }

    /// The stamp of a load that begins now; capture it before the load reads anything.
    pub(crate) fn now(&self) -> Stamp {
        self.sequence.now()
    }

    /// The fence of a load that began at `born` and has these tags.
    pub(crate) fn fence(&self, born: Stamp, tags: &[impl AsRef<str>]) -> Fence {
        Fence {
            born,
            key_born: born,
            checked: AtomicU64::new(born.number()),
            tags: match tags {
                [] => Box::default(),
                tags => tags.iter().map(|name| self.tags.intern(name.as_ref())).collect(),
            },
        }
    }

    /// Rules out every load and entry of the key born before, and calls `remove` in the same step.
    ///
    /// What `remove` took out is handed back, so that it is dropped after the lock.
    pub(crate) fn invalidate_key<R>(&self, hash: u64, remove: impl FnOnce() -> R) -> R {
        self.keys.invalidate(hash, &self.sequence, remove)
    }

    /// Rules out every load and entry with this tag born before.
    pub(crate) fn invalidate_tag(&self, name: &str) {
        self.tags.invalidate(name, &self.sequence);
        self.count_unlisted();
    }

    /// Rules out every load and entry born before whose key matches.
    pub(crate) fn invalidate_pattern(&self, glob: Glob) {
        self.patterns.invalidate(Covered::Matching(glob), &self.sequence);
        self.count_unlisted();
    }

    /// Rules out every load and entry born before that bears all of these tags; every one, when there is none to bear.
    pub(crate) fn invalidate_all_of(&self, names: &[impl AsRef<str>]) {
        let marks = names.iter().map(|name| self.tags.intern(name.as_ref())).collect();
        self.patterns.invalidate(Covered::Bearing(marks), &self.sequence);
        self.count_unlisted();
    }

    /// Whether an entry with this fence bears the tag.
    pub(crate) fn bearing(&self, name: &str) -> impl Fn(&Fence) -> bool {
        let mark = self.tags.intern(name);
        move |fence| fence.tags.iter().any(|tag| Arc::ptr_eq(tag, &mark))
    }

    /// Rules out every load and entry born before.
    pub(crate) fn invalidate_all(&self) {
        let number = self.sequence.next();
        self.surely_cleared.fetch_max(number, Ordering::AcqRel);
        self.cleared.fetch_max(number, Ordering::AcqRel);
        self.count_unlisted();
    }

    /// Rules out every load and entry born before, because any of them may have been invalidated unseen.
    pub(crate) fn doubt_all(&self) {
        self.cleared.fetch_max(self.sequence.next(), Ordering::AcqRel);
        self.count_unlisted();
    }

    /// How many invalidations of entries that nobody lists there were. An entry that [was live](Self::is_live) after this
    /// was read is live for as long as it stays the same, unless its key is invalidated.
    #[inline]
    pub(crate) fn unlisted(&self) -> u64 {
        self.unlisted.load(Ordering::Acquire)
    }

    /// After the mark: whoever reads the new number and then asks, sees it.
    fn count_unlisted(&self) {
        self.unlisted.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether an entry [is live](Self::is_live) or only doubted: nothing is known to have invalidated it.
    pub(crate) fn is_merely_doubted(&self, text: &str, fence: &Fence) -> bool {
        self.surely_cleared.load(Ordering::Acquire) <= fence.born.number()
            && fence.tags_untouched()
            && self.patterns.spares(|| text, &fence.tags, &fence.checked)
    }

    /// Inserts the entry unless it is fenced off; no invalidation of its key comes between the check and the insert.
    ///
    /// `insert` runs under a lock: it must not call back into the fences.
    pub(crate) fn admit(
        &self,
        hash: u64,
        text: &str,
        fence: &Fence,
        insert: impl FnOnce(),
    ) -> bool {
        self.keys.unless_invalidated(hash, fence.key_born, || {
            let live = self.is_live(text, fence);
            if live {
                insert();
            }
            live
        })
    }

    /// Whether nothing is known to have invalidated a value that is not in the memory tier: at most it is doubted.
    pub(crate) fn spares(&self, hash: u64, text: &str, fence: &Fence) -> bool {
        let spared = || self.is_merely_doubted(text, fence);
        self.keys.unless_invalidated(hash, fence.key_born, spared)
    }

    /// [`Fences::admit`] for an entry that is kept though it is [merely doubted](Self::is_merely_doubted): what is known to
    /// be invalidated is refused still.
    pub(crate) fn admit_doubted(
        &self,
        hash: u64,
        text: &str,
        fence: &Fence,
        insert: impl FnOnce(),
    ) -> bool {
        self.keys.unless_invalidated(hash, fence.key_born, || {
            let spared = self.is_merely_doubted(text, fence);
            if spared {
                insert();
            }
            spared
        })
    }

    /// What ends a write: rules out every load of the key born before and inserts the written entry, unless the write
    /// itself is fenced off by another write or an invalidation that came between.
    ///
    /// The entry keeps the birth of the write: its tags and patterns are compared from there. `insert` runs under a lock:
    /// it must not call back into the fences.
    pub(crate) fn replace(
        &self,
        hash: u64,
        text: &str,
        fence: &Fence,
        insert: impl FnOnce(),
    ) -> bool {
        self.keys.mark_unless_invalidated(hash, fence.key_born, &self.sequence, || {
            let live = self.is_live(text, fence);
            if live {
                insert();
            }
            live
        })
    }

    /// Runs `change`, which no invalidation of the key, no insert and no replacement comes in between.
    pub(crate) fn with_key<R>(&self, hash: u64, change: impl FnOnce() -> R) -> R {
        self.keys.with(hash, change)
    }

    /// Whether an entry that is in the memory tier may be served.
    ///
    /// Its key is not looked up: an invalidation of the key would have removed the entry. Takes no lock, and allocates
    /// nothing, unless a pattern was invalidated since the entry was last served.
    #[inline]
    pub(crate) fn is_live(&self, text: &str, fence: &Fence) -> bool {
        self.is_live_by(|| text, fence)
    }

    /// [`Fences::is_live`] for a text that is not at hand: it is asked for only if there are patterns to match.
    #[inline]
    pub(crate) fn is_live_by<'t>(&self, text: impl FnOnce() -> &'t str, fence: &Fence) -> bool {
        self.cleared.load(Ordering::Acquire) <= fence.born.number()
            && fence.tags_untouched()
            && self.patterns.spares(text, &fence.tags, &fence.checked)
    }

    /// Whether a load is still worth joining, or its value worth storing: nothing it depends on was invalidated.
    pub(crate) fn is_current(&self, hash: u64, text: &str, fence: &Fence) -> bool {
        self.keys.unless_invalidated(hash, fence.key_born, || true) && self.is_live(text, fence)
    }
}
