//! What the memory tier holds for a key.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{Aging, Home, drops};
use crate::clock::{Clock, Moment};
use crate::fence::Fence;
use crate::key::Types;
use crate::value::Stored;

/// A value, how long it may be served, and what rules it out before.
pub(crate) struct MemoryEntry {
    /// `None` is a cached absence.
    pub(crate) value: Stored,
    /// From this moment on its age is to be asked; where nothing is said of that, it is a miss. `None` for never.
    pub(crate) due: Option<Moment>,
    /// What becomes of it then, for functions that have a policy about it.
    pub(crate) aging: Option<Box<Aging>>,
    /// In bytes; counts only where the tier is bounded by bytes.
    pub(crate) weight: u32,
    /// The version of the function that stored it.
    pub(crate) version: u32,
    /// Names the list of tags under which it was stored.
    pub(crate) rules: u64,
    /// Whether a function keeps it that does not use the shared tier, though there is one: no other process's
    /// invalidation reaches it.
    pub(crate) alone: bool,
    /// The types that its key names.
    pub(crate) types: Types,
    /// What this process's own invalidations are compared with.
    pub(crate) fence: Fence,
    /// What vouches for it where other processes may invalidate it; `None` where none can.
    pub(crate) proof: Option<Proof>,
    pub(crate) home: Home,
    pub(crate) stay: Stay,
}

/// Whether the tier has an entry. Some time passes until it is known that it was evicted, so correctness does not rest on it.
#[derive(Default)]
pub(crate) struct Stay(AtomicU8);

/// Not there yet.
const COMING: u8 = 0;
const THERE: u8 = 1;
/// Taken out, replaced, expired or evicted.
const GONE: u8 = 2;

/// How far an entry can be relied on that other processes may invalidate.
#[derive(Debug)]
pub(crate) struct Proof {
    /// The coherence bound after the shared tier was asked: until then it needs no further proof.
    pub(crate) until: Moment,
    /// What is heard from the shared tier is compared with this. `None` when nothing is heard: then `until` is the end.
    pub(crate) heard: Option<Heard>,
}

/// What is compared with what is heard from the shared tier.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) fence: Fence,
    /// Whether everything that happened since would have been heard: beyond `until` an entry is served while hearing is
    /// reliable. Otherwise `until` is the end, and what is heard by name rules the entry out as what stands in.
    pub(crate) follows: bool,
}

impl Proof {
    /// Whether more than `until` can vouch for an entry.
    #[inline]
    pub(crate) fn follows(&self) -> bool {
        self.heard.as_ref().is_some_and(|heard| heard.follows)
    }
}

impl MemoryEntry {
    /// The same entry of this process alone, ruled out by other things. What is not fresh any more does not live on in it.
    pub(crate) fn with_fence(&self, fence: Fence) -> Self {
        let Self { weight, version, rules, alone, .. } = *self;
        let (value, types, due) = (self.value.clone(), self.types.clone(), self.fresh_until());
        let home = self.home.clone();
        Self {
            value,
            due,
            aging: None,
            weight,
            version,
            rules,
            alone,
            types,
            fence,
            proof: None,
            home,
            stay: Stay::default(),
        }
    }

    /// Whether the tier gave it up.
    #[inline]
    pub(crate) fn is_gone(&self) -> bool {
        self.stay.0.load(Ordering::Relaxed) == GONE
    }

    /// The tier has it, unless it was taken out again already.
    pub(super) fn begin(&self) {
        self.pass(COMING, THERE);
    }

    /// It is taken out or replaced: of its end nobody need be told.
    pub(super) fn give_up(&self) {
        self.stay.0.store(GONE, Ordering::Relaxed);
    }

    /// The tier has given it up; whether nobody had taken it out.
    pub(super) fn end(&self) -> bool {
        self.pass(THERE, GONE)
    }

    fn pass(&self, from: u8, to: u8) -> bool {
        self.stay.0.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether its age has to be asked.
    #[inline]
    pub(crate) fn is_due(&self, clock: &Clock) -> bool {
        // The clock is not read for an entry that lives for ever.
        self.due.is_some_and(|due| due <= clock.now())
    }

    /// Until when it is fresh; `None` for ever.
    pub(crate) fn fresh_until(&self) -> Option<Moment> {
        self.aging.as_ref().map_or(self.due, |aging| Some(aging.fresh.min(aging.expires)))
    }

    /// Until when it is kept; `None` for ever.
    pub(crate) fn expires(&self) -> Option<Moment> {
        self.aging.as_ref().map_or(self.due, |aging| Some(aging.expires))
    }

    /// Whether it is kept though nobody vouches for it.
    pub(crate) fn is_for_errors(&self) -> bool {
        self.aging.as_ref().is_some_and(|aging| aging.for_errors)
    }
}

impl Drop for MemoryEntry {
    fn drop(&mut self) {
        drops::one(self.value.take());
    }
}

impl fmt::Debug for MemoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryEntry")
            .field("due", &self.due)
            .field("aging", &self.aging)
            .field("weight", &self.weight)
            .field("fence", &self.fence)
            .finish_non_exhaustive()
    }
}
