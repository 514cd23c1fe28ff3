//! What moka stores entries under, and a look at them that it does not record.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use equivalent::Equivalent;

use super::MemoryEntry;
use crate::key::{Key, KeyRef};

/// A key, and the entry that was inserted with it.
///
/// Weak, because moka goes on holding the first key of an entry that is replaced; its table has the new one.
pub(super) struct Kept {
    key: Key,
    entry: Weak<MemoryEntry>,
}

impl Kept {
    pub(super) fn new(key: Key, entry: &Arc<MemoryEntry>) -> Self {
        Self { key, entry: Arc::downgrade(entry) }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Kept {}

impl Hash for Kept {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash(&self.key, state);
    }
}

impl Equivalent<Kept> for KeyRef<'_> {
    #[inline]
    fn equivalent(&self, kept: &Kept) -> bool {
        self.equivalent(&kept.key)
    }
}

/// A key that takes along the entry of the key that it was found equal to.
///
/// Moka's `contains_key` is its only look that is not recorded, and says only that the entry is there.
pub(super) struct Probe<'a> {
    key: KeyRef<'a>,
    found: Cell<Option<Arc<MemoryEntry>>>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(key: KeyRef<'a>) -> Self {
        Self { key, found: Cell::new(None) }
    }

    pub(super) fn found(self) -> Option<Arc<MemoryEntry>> {
        self.found.into_inner()
    }
}

impl Equivalent<Kept> for Probe<'_> {
    #[inline]
    fn equivalent(&self, kept: &Kept) -> bool {
        let same = self.key.equivalent(&kept.key);
        if same {
            self.found.set(kept.entry.upgrade());
        }
        same
    }
}

impl Hash for Probe<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash(&self.key, state);
    }
}
