//! How the end of an entry is noticed that nobody took out.
//!
//! Moka tells a listener at once, and for that makes and drops a lock of each key that is inserted or evicted, which is a
//! quarter of what a miss costs. So there is no listener: moka holds a [`Held`], and drops it when nobody can be reading it any
//! more, which is some hundred operations later, on whatever thread. Nothing but counts, events and the memory of
//! [fronts](super::front) waits for that.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use super::{Cause, MemoryEntry, OnEvict};
use crate::clock::Clock;

/// Who is told of entries that moka gave up.
pub(super) struct Teller {
    tell: OnEvict,
    clock: Clock,
    /// How often everything was cleared.
    clearings: AtomicU32,
}

impl Teller {
    pub(super) fn new(tell: OnEvict, clock: Clock) -> Self {
        Self { tell, clock, clearings: AtomicU32::new(0) }
    }

    pub(super) fn tell(&self, text: &str, cause: Cause) {
        (self.tell)(text, cause);
    }

    /// Nothing is told of what was made up to now.
    pub(super) fn clear(&self) {
        self.clearings.fetch_add(1, Ordering::Relaxed);
    }
}

/// Where an entry is at home: who is told of its end, and of which key that was.
#[derive(Clone)]
pub(crate) struct Home {
    text: Arc<str>,
    /// Weak, so that nothing is told of a tier that is dropped.
    teller: Weak<Teller>,
    clearings: u32,
}

impl Home {
    pub(super) fn new(text: Arc<str>, teller: Option<&Arc<Teller>>) -> Self {
        Self {
            text,
            teller: teller.map_or_else(Weak::new, Arc::downgrade),
            clearings: teller.map_or(0, |teller| teller.clearings.load(Ordering::Relaxed)),
        }
    }

    fn tell(&self, entry: &MemoryEntry) {
        let Some(teller) = self.teller.upgrade() else { return };
        if self.clearings == teller.clearings.load(Ordering::Relaxed) {
            let over = entry.expires().is_some_and(|end| end <= teller.clock.now_at_the_latest());
            teller.tell(&self.text, if over { Cause::Expired } else { Cause::Size });
        }
    }
}

/// What moka holds of an entry, and gives to those who ask.
pub(super) struct Held {
    /// `None` once it was taken.
    entry: Option<Arc<MemoryEntry>>,
    role: Role,
}

/// Moka clones what it is given and keeps the clone, and gives clones of that.
#[derive(Clone, Copy)]
enum Role {
    /// What moka is given.
    Seed,
    /// What it keeps, and drops when it has given the entry up.
    Owner,
    /// What it gives.
    Guest,
}

impl Held {
    /// What is put into a tier that tells of its end.
    pub(super) fn told(entry: Arc<MemoryEntry>) -> Self {
        Self { entry: Some(entry), role: Role::Seed }
    }

    /// The same for one that does not.
    pub(super) fn untold(entry: Arc<MemoryEntry>) -> Self {
        Self { entry: Some(entry), role: Role::Guest }
    }

    pub(super) fn entry(&self) -> Option<&MemoryEntry> {
        self.entry.as_deref()
    }

    #[inline]
    pub(super) fn into_entry(mut self) -> Option<Arc<MemoryEntry>> {
        self.entry.take()
    }
}

impl Clone for Held {
    #[inline]
    fn clone(&self) -> Self {
        let role = match self.role {
            Role::Seed => Role::Owner,
            Role::Owner | Role::Guest => Role::Guest,
        };
        Self { entry: self.entry.clone(), role }
    }
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        if let (Role::Owner, Some(entry)) = (self.role, &self.entry)
            && entry.end()
        {
            entry.home.tell(entry);
        }
    }
}
