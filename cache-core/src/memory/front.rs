//! The front of the memory tier: what a thread was given last, at hand without a lock, a key or a clock of moka's.
//!
//! Each thread has one, for all caches: [`SETS`] sets of [`WAYS`] copies of entries (shared, by `Arc`). A copy is found by the
//! call site and the [fingerprint](Fingerprint) of the arguments, so that no key is rendered. Whether it may still be served is
//! judged by [`Seen`], see `engine/look.rs`; nothing is ever taken out of another thread's front.
//!
//! # What it holds at most
//!
//! 512 copies a thread, a quarter of the tier's entries where these are fewer than 2,048, and none that weighs more than one
//! 2,048th of a tier that is bounded in bytes. What the tier evicted is not served any more once the tier gives its memory back
//! (`ending.rs`); the front does so only when the thread comes by: when its place is needed, at each 1,024th copy, or when any
//! cache was dropped or cleared.
//!
//! # What the tier learns of hits
//!
//! Admission and eviction are moka's, which counts how often a key was asked for, to 15 and with halving, and in which order.
//! Every miss is told to it, so hits have to be, or the rare look frequent: the first 16 hits on a copy are, and of the
//! later ones each 128th, when the key has long been frequent.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use super::{MemoryEntry, Sight, drops};
use crate::clock::Deadline;
use crate::key::{Fingerprint, Key, Types};
use crate::stats::Counters;

const WAYS: usize = 8;
const SETS: usize = 64;
/// So many copies are kept between two searches for those that are gone.
const ROUND: u32 = 1024;
/// So many hits on a copy are recorded, and then one in [`LATER`].
const FIRST: u32 = 16;
const LATER: u32 = 128;

thread_local! {
    static FRONT: RefCell<Front> = const { RefCell::new(Front::new()) };
}

/// Counts what makes copies useless everywhere at once: caches that were dropped or cleared.
static SWEEPS: AtomicU64 = AtomicU64::new(0);

/// How one memory tier uses the fronts.
#[derive(Debug)]
pub(crate) struct FrontOf {
    /// Never given to another tier, unlike an address.
    id: u64,
    /// Which bits of a tag choose the set.
    mask: u64,
    heaviest: u32,
}

impl FrontOf {
    pub(super) fn new(max_entries: u64, max_bytes: Option<u64>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let copies = (SETS * WAYS) as u64;
        let sets = match max_bytes {
            Some(_) => SETS as u64,
            None => (max_entries / 4).min(copies) / WAYS as u64,
        };
        // Rounded down, so that the bound holds.
        let sets = 1 << sets.max(1).ilog2();
        let heaviest = max_bytes.map_or(u64::MAX, |bytes| bytes / (4 * copies));
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            mask: sets - 1,
            heaviest: u32::try_from(heaviest).unwrap_or(u32::MAX),
        }
    }

    /// Where the entry of a call is, if it is there.
    #[inline]
    pub(crate) fn place<'a>(&self, site: usize, print: &'a Fingerprint) -> Place<'a> {
        // An odd constant spreads what differs in a few bits only.
        let of_site = (site as u64 ^ self.id << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let tag = print.tag() ^ of_site.rotate_left(29);
        Place { tier: self.id, site, print, tag, set: (tag & self.mask) as usize }
    }

    /// Whether an entry of this weight is kept.
    pub(super) fn takes(&self, weight: u32) -> bool {
        weight <= self.heaviest
    }

    /// Lets every thread give back its copies when it comes by.
    pub(super) fn sweep() {
        SWEEPS.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for FrontOf {
    fn drop(&mut self) {
        Self::sweep();
    }
}

/// Names the copy for a call: by the tier, the call site and the arguments.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    tier: u64,
    site: usize,
    print: &'a Fingerprint,
    tag: u64,
    set: usize,
}

/// What was counted before an entry was looked up. The answer of that look holds as long as the counts stay the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Invalidations of tags and the like in this process.
    pub(crate) own: u64,
    /// The same that were heard from the shared tier.
    pub(crate) heard: u64,
    /// Changes of the key in the memory tier.
    pub(crate) key: u64,
}

/// What a thread has at a place.
pub(crate) struct Copied {
    pub(crate) entry: Arc<MemoryEntry>,
    pub(crate) seen: Seen,
    /// Until when it is fresh, and vouched for where the session does not do that.
    pub(crate) until: Deadline,
    /// Whether the session vouches for it, which may end at any time.
    pub(crate) followed: bool,
    pub(crate) key: Key,
    /// Where a hit on it is counted.
    pub(crate) counters: Arc<Counters>,
}

/// What a look into the front comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glance {
    Served,
    /// There is nothing that may be served: ask the tier.
    Nothing,
}

impl Place<'_> {
    /// Lets `serve` have the copy, and whether this hit is to be recorded; it says whether it served it. Runs user code, which
    /// may come here again.
    #[inline]
    pub(crate) fn glance(&self, serve: impl FnOnce(&Copied, Sight) -> bool) -> Glance {
        let glance = |front: &RefCell<Front>| {
            // Taken where a copy is being kept, in whose course no user code runs; so this does not fail.
            let Ok(front) = front.try_borrow() else { return Glance::Nothing };
            match front.find(self) {
                Some(slot) if serve(&slot.copied, slot.use_it()) => Glance::Served,
                _ => Glance::Nothing,
            }
        };
        // A thread that ends has no front any more.
        FRONT.try_with(glance).unwrap_or(Glance::Nothing)
    }

    /// Where in its set the search begins: most copies are found there.
    #[inline]
    fn first_way(&self) -> usize {
        (self.tag >> 60) as usize % WAYS
    }

    /// Keeps a copy in place of whatever is there. Where the front is in use, by a value that is being copied, nothing is kept.
    pub(crate) fn keep(&self, copied: Copied) {
        // What goes is dropped after the front is free again: that is the user's code.
        drops::after(|| {
            let _ = FRONT.try_with(|front| {
                if let Ok(mut front) = front.try_borrow_mut() {
                    front.keep(self, copied);
                }
            });
        });
    }
}

/// The copies of one thread.
struct Front {
    /// Empty until the first copy is kept.
    sets: Vec<Set>,
    /// [`SWEEPS`] when this thread last looked.
    swept: u64,
    /// How many copies are still kept until the next search for those that are gone.
    left: u32,
}

#[derive(Default)]
struct Set {
    tags: [u64; WAYS],
    slots: [Option<Slot>; WAYS],
    /// Where the search for a slot that was not used goes on.
    hand: usize,
}

struct Slot {
    tier: u64,
    site: usize,
    print: SmallVec<[u64; 8]>,
    types: Types,
    copied: Copied,
    uses: Cell<u32>,
    /// [`uses`](Self::uses) when the hand came by.
    passed: Cell<u32>,
}

impl Front {
    const fn new() -> Self {
        Self { sets: Vec::new(), swept: 0, left: ROUND }
    }

    #[inline]
    fn find(&self, place: &Place<'_>) -> Option<&Slot> {
        let set = self.sets.get(place.set)?;
        let first = place.first_way();
        for step in 0..WAYS {
            let way = (first + step) % WAYS;
            if set.tags[way] == place.tag
                && let Some(slot) = &set.slots[way]
                && slot.is_at(place)
            {
                return Some(slot);
            }
        }
        None
    }

    fn keep(&mut self, place: &Place<'_>, copied: Copied) {
        self.give_back();
        if self.sets.is_empty() {
            self.sets.resize_with(SETS, Set::default);
        }
        let Some(set) = self.sets.get_mut(place.set) else { return };
        let way = set.way_for(place);
        set.tags[way] = place.tag;
        set.slots[way] = Some(Slot::new(place, copied));
    }

    fn give_back(&mut self) {
        let sweeps = SWEEPS.load(Ordering::Relaxed);
        if self.swept != sweeps {
            self.swept = sweeps;
            self.sets.clear();
        }
        self.left -= 1;
        if self.left == 0 {
            self.left = ROUND;
            let slots = self.sets.iter_mut().flat_map(|set| &mut set.slots);
            slots
                .filter(|slot| slot.as_ref().is_some_and(Slot::is_gone))
                .for_each(|slot| *slot = None);
        }
    }
}

impl Set {
    /// The way of this place, of one that is vacant, or of one that was not used lately.
    fn way_for(&mut self, place: &Place<'_>) -> usize {
        let same = |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| slot.is_at(place));
        let vacant = |slot: &Option<Slot>| slot.as_ref().is_none_or(Slot::is_gone);
        let first = place.first_way();
        let ways = || (first..first + WAYS).map(|way| way % WAYS);
        let found = ways().find(|way| same(&self.slots[*way]));
        found
            .or_else(|| ways().find(|way| vacant(&self.slots[*way])))
            .unwrap_or_else(|| self.unused())
    }

    fn unused(&mut self) -> usize {
        loop {
            let way = self.hand;
            self.hand = (way + 1) % WAYS;
            // On the second pass nothing was used since the first.
            if self.slots[way]
                .as_ref()
                .is_none_or(|slot| slot.passed.replace(slot.uses.get()) == slot.uses.get())
            {
                return way;
            }
        }
    }
}

impl Slot {
    fn new(place: &Place<'_>, copied: Copied) -> Self {
        let types = place.print.types();
        Self {
            tier: place.tier,
            site: place.site,
            print: SmallVec::from_slice(place.print.words()),
            types: (!types.is_empty()).then(|| types.into()),
            copied,
            uses: Cell::new(0),
            passed: Cell::new(0),
        }
    }

    #[inline]
    fn is_at(&self, place: &Place<'_>) -> bool {
        self.tier == place.tier
            && self.site == place.site
            && same(&self.print, place.print.words())
            && same(self.types.as_deref().unwrap_or_default(), place.print.types())
    }

    fn is_gone(&self) -> bool {
        self.copied.entry.is_gone()
    }

    #[inline]
    fn use_it(&self) -> Sight {
        let uses = self.uses.get().wrapping_add(1);
        self.uses.set(uses);
        if uses <= FIRST || uses.is_multiple_of(LATER) {
            Sight::Recorded
        } else {
            Sight::Unrecorded
        }
    }
}

/// Compares a few words in place, which is faster than a call of `memcmp`.
#[inline(always)]
fn same<T: Copy + PartialEq>(one: &[T], two: &[T]) -> bool {
    one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one == two)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_takes_less_than_120_kilobytes_beside_its_entries() {
        assert!(size_of::<Set>() * SETS < 120 << 10, "{}", size_of::<Set>() * SETS);
    }

    #[test]
    fn a_small_tier_uses_few_sets() {
        let sets = |entries, bytes| FrontOf::new(entries, bytes).mask + 1;
        assert_eq!(sets(10_000, None), 64);
        assert_eq!(sets(1_000, None), 16, "250 copies at the most");
        assert_eq!(sets(10, None), 1);
        assert_eq!(sets(10, Some(1 << 20)), 64);
        assert!(FrontOf::new(10, Some(1 << 20)).takes(512));
        assert!(!FrontOf::new(10, Some(1 << 20)).takes(513));
    }
}
