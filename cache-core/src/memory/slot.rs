//! What moka stores entries under, and a look at them that it does not record.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use equivalent::Equivalent;

use super::MemoryEntry;
use crate::key::{Key, KeyRef};

/// A key, and the entry that was inserted with it.
///
/// Weak, because moka goes on holding the first key of an entry that is replaced; its table has the new one. It also holds the
/// key of an entry that is gone until it uses the place again.
pub(super) struct Kept {
    hash: u64,
    text: Arc<str>,
    entry: Weak<MemoryEntry>,
}

impl Kept {
    pub(super) fn new(key: Key, entry: &Arc<MemoryEntry>) -> Self {
        Self { hash: key.hash(), text: key.into_text(), entry: Arc::downgrade(entry) }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.text == other.text
    }
}

impl Eq for Kept {}

impl Hash for Kept {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Kept> for KeyRef<'_> {
    #[inline]
    fn equivalent(&self, kept: &Kept) -> bool {
        self.is(kept.hash, &kept.text)
    }
}

/// A key that takes along the entry of the key that it was found equal to.
///
/// Moka's `contains_key` is its only look that is not recorded, and says only that the entry is there.
pub(super) struct Probe<'a> {
    key: KeyRef<'a>,
    ends: bool,
    found: Cell<Option<Arc<MemoryEntry>>>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(key: KeyRef<'a>) -> Self {
        Self { key, ends: false, found: Cell::new(None) }
    }

    /// One that gives up what it finds: it is taken out or replaced.
    pub(super) fn ending(key: KeyRef<'a>) -> Self {
        Self { ends: true, ..Self::new(key) }
    }

    pub(super) fn found(self) -> Option<Arc<MemoryEntry>> {
        self.found.into_inner()
    }
}

impl Equivalent<Kept> for Probe<'_> {
    #[inline]
    fn equivalent(&self, kept: &Kept) -> bool {
        let same = self.key.equivalent(kept);
        if same {
            let entry = kept.entry.upgrade();
            if let Some(entry) = entry.as_ref().filter(|_| self.ends) {
                entry.give_up();
            }
            self.found.set(entry);
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
