//! Which keys have changed in the memory tier, coarsely, for those who hold copies of its entries.

use crate::sync::{AtomicU64, Ordering};

/// Counts changes of the memory tier by stripes of keys.
///
/// A change is told *after* it was made: whoever reads the count first and looks the entry up then has, as long as the
/// count stays the same, what the tier has. Two keys of one stripe change together: coarser, never wrong.
#[derive(Debug)]
pub(crate) struct Stripes(Box<[AtomicU64]>);

impl Stripes {
    /// At least so many stripes.
    pub(crate) fn new(count: usize) -> Self {
        Self((0..count.next_power_of_two()).map(|_| AtomicU64::new(0)).collect())
    }

    /// The count of the stripe of a key with this hash; read before the entry is looked up.
    #[inline]
    pub(crate) fn count(&self, hash: u64) -> u64 {
        self.of(hash).load(Ordering::Acquire)
    }

    /// Runs what replaces or removes the entry of a key with this hash, and tells it afterwards.
    pub(crate) fn change<R>(&self, hash: u64, change: impl FnOnce() -> R) -> R {
        let changed = change();
        self.of(hash).fetch_add(1, Ordering::AcqRel);
        changed
    }

    #[inline]
    fn of(&self, hash: u64) -> &AtomicU64 {
        // The upper half, as for the shards of marks: the lowest bits pick buckets of hash tables.
        &self.0[(hash >> 32) as usize & (self.0.len() - 1)]
    }
}
