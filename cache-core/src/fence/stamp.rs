//! The sequence that numbers invalidations.

use crate::sync::{AtomicU64, Ordering};

/// The number of the last invalidation that had begun when a load began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(u64);

impl Stamp {
    pub(super) fn number(self) -> u64 {
        self.0
    }
}

/// One per cache; the first invalidation has number 1.
#[derive(Debug)]
pub(super) struct Sequence(AtomicU64);

impl Sequence {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(super) fn now(&self) -> Stamp {
        Stamp(self.0.load(Ordering::Acquire))
    }

    /// The number of a new invalidation. Release, so that a load that reads it also sees what the caller changed before.
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::AcqRel) + 1
    }
}
