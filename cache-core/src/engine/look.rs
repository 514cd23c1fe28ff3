//! A call's look at what this process holds: the front of its thread, then the memory tier.

use std::sync::Arc;

use super::{Engine, Vouched};
use crate::{
    key::{Fingerprint, Key, KeyBuffer, KeyPart, KeyRef, render_key},
    memory::{Absence, Age, Copied, Glance, MemoryEntry, Place, Seen, Sight},
    private::{BY_HAND, Site},
    stats::Counter,
    value::Stored,
};

/// What was looked for and is to be loaded.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) key: Key,
    /// Where there was nothing at all under the key.
    pub(crate) absence: Option<Absence>,
}

/// What a look comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    Served,
    /// Served, and to be renewed by this caller.
    Due,
    Missing,
    /// An argument cannot be in a key: nothing is cached for this call.
    Nameless,
}

impl Engine {
    /// Lets `serve` have what is held for a call, if that may be served to it; `serve` says whether it did. The key is made
    /// only where it is needed: when the entry is missing, or due.
    #[inline]
    pub(crate) fn look_up(
        &self,
        site: &'static Site,
        parts: &[&dyn KeyPart],
        print: &Fingerprint,
        missing: &mut Option<Missing>,
        serve: &mut dyn FnMut(&Stored) -> bool,
    ) -> Looked {
        let mut place = None;
        let copied = site.layer.memory() && !print.failed();
        if let Some(front) = self.memory.front().filter(|_| copied) {
            // Sites at one address have the same text in their keys, so equal arguments are equal keys.
            let at = place.insert(front.place(std::ptr::from_ref(site).addr(), print));
            if self.glance(at, serve) == Glance::Served {
                return Looked::Served;
            }
        }
        self.look_in_memory(site, parts, place.as_ref(), missing, serve)
    }

    #[inline]
    fn glance(&self, place: &Place<'_>, serve: &mut dyn FnMut(&Stored) -> bool) -> Glance {
        place.glance(|copied, sight| {
            let served = self.still_holds(copied) && serve(&copied.entry.value);
            if served {
                copied.counters.count(Counter::HitsMemory);
                if sight == Sight::Recorded {
                    self.memory.record(&copied.key);
                }
            }
            served
        })
    }

    /// Whether what was found out about an entry when it was looked up still holds, and it is not old.
    #[inline]
    fn still_holds(&self, copied: &Copied) -> bool {
        let Copied { entry, seen, until, followed, key, counters: _ } = copied;
        *seen == self.seen(key.hash())
            && !entry.is_gone()
            && self.settings.clock.is_before(*until)
            && (!followed || self.session_vouches_for(entry))
    }

    /// The counts to be read before an entry is looked up.
    #[inline]
    fn seen(&self, key_hash: u64) -> Seen {
        Seen {
            own: self.fences.unlisted(),
            heard: self.session.unlisted(),
            key: self.memory.changes(key_hash),
        }
    }

    /// Whether the session vouches for the entry, for sure: the clock that is asked is fast by some milliseconds.
    fn session_vouches_for(&self, entry: &MemoryEntry) -> bool {
        self.settings.clock.now_at_the_latest() < self.session.vouches_until(entry)
    }

    /// A copy for the calls to come.
    fn copy(
        &self,
        site: &'static Site,
        entry: Arc<MemoryEntry>,
        seen: Seen,
        key: KeyRef<'_>,
    ) -> Copied {
        let (followed, bound) = match &entry.proof {
            Some(proof) if proof.follows() => (true, None),
            Some(proof) => (false, Some(proof.until)),
            None => (false, None),
        };
        let until = entry.due.into_iter().chain(bound).min();
        Copied {
            until: self.settings.clock.deadline(until),
            followed,
            key: key.to_key(),
            counters: self.functions.with(site, Arc::clone),
            entry,
            seen,
        }
    }

    #[inline(never)]
    fn look_in_memory(
        &self,
        site: &'static Site,
        parts: &[&dyn KeyPart],
        place: Option<&Place<'_>>,
        missing: &mut Option<Missing>,
        serve: &mut dyn FnMut(&Stored) -> bool,
    ) -> Looked {
        let mut buffer = KeyBuffer::new();
        render_key(site.key, parts, &mut buffer);
        if buffer.failure().is_some() {
            self.counters.count(Counter::Bypassed);
            return Looked::Nameless;
        }
        let key = buffer.finish();
        let seen = self.seen(key.hash());
        let memory = site.layer.memory();
        let there = if memory { self.memory.find(key, Sight::Recorded) } else { None };
        let nothing = memory && there.is_none();
        let found = there.and_then(|(entry, due)| self.valid(entry, due, key, site));
        let served = |(entry, age): &(Arc<MemoryEntry>, Age)| {
            self.is_served(*age, site) && serve(&entry.value)
        };
        let Some((entry, age)) = found.filter(served) else {
            let absence = nothing.then(|| Absence::after(seen.key));
            *missing = Some(Missing { key: key.to_key(), absence });
            return Looked::Missing;
        };
        self.count_hit(site, Counter::HitsMemory, &entry.value);
        if age != Age::Fresh && entry.aging.as_ref().is_some_and(|aging| aging.claim(self.now())) {
            *missing = Some(Missing { key: key.to_key(), absence: None });
            return Looked::Due;
        }
        if let Some(place) = place.filter(|_| self.is_worth_a_copy(&entry, age)) {
            place.keep(self.copy(site, entry, seen, key));
        }
        Looked::Served
    }

    /// Whether calls to come could be served a copy. What stands for a `None` is counted apart, by who finds it.
    fn is_worth_a_copy(&self, entry: &MemoryEntry, age: Age) -> bool {
        age == Age::Fresh && entry.value.is_some() && self.memory.takes_copies(entry.weight)
    }

    fn is_served(&self, age: Age, site: &Site) -> bool {
        match age {
            Age::Fresh | Age::Due => true,
            Age::Stale(since) => self.now() < since.plus(site.serving.while_revalidate),
        }
    }

    /// What memory holds under the key for this function, if that is still valid and fresh. Not recorded: the call's first
    /// look was.
    #[inline]
    pub(crate) fn memory_hit(
        &self,
        key: KeyRef<'_>,
        site: &Site,
        sight: Sight,
    ) -> Option<Arc<MemoryEntry>> {
        match self.memory_look(key, site, sight)? {
            (_, Age::Stale(_)) => None,
            (entry, Age::Fresh | Age::Due) => Some(entry),
        }
    }

    /// What memory holds under the key for this function, if that is still valid, and how old it is.
    fn memory_look(
        &self,
        key: KeyRef<'_>,
        site: &Site,
        sight: Sight,
    ) -> Option<(Arc<MemoryEntry>, Age)> {
        let (entry, due) = self.memory.find(key, sight)?;
        self.valid(entry, due, key, site)
    }

    /// What was found under the key, if this function may use it, and how old it is.
    fn valid(
        &self,
        entry: Arc<MemoryEntry>,
        due: bool,
        key: KeyRef<'_>,
        site: &Site,
    ) -> Option<(Arc<MemoryEntry>, Age)> {
        let live = self.fences.is_live_by(|| key.text(), &entry.fence);
        let vouched = match live {
            true => self.session.vouches_for(&entry, key, || self.now()),
            false => Vouched::Never,
        };
        if vouched == Vouched::Never {
            let for_errors = || entry.is_for_errors() && self.session.spares(&entry, key);
            if !live || !for_errors() {
                self.memory.remove_if(key, &entry);
            }
            return None;
        }
        let wanted = entry.value.is_some() || site.negative_ttl.is_some();
        if !wanted || vouched == Vouched::NotNow || !self.is_for(&entry, key, site) {
            return None;
        }
        let age = match (&entry.aging, due) {
            (Some(aging), true) => aging.age(self.now(), &site.serving),
            _ => Age::Fresh,
        };
        Some((entry, age))
    }

    /// Whether the function would have stored such an entry itself.
    pub(super) fn is_for(&self, entry: &MemoryEntry, key: KeyRef<'_>, site: &Site) -> bool {
        entry.version == site.version
            && same_rules(entry.rules, site.rules)
            && entry.types.as_deref().unwrap_or_default() == key.types()
            && !(entry.alone && site.layer.shared())
    }
}

/// Whether an entry made under one list of tags may be served under another.
pub(crate) fn same_rules(entry: u64, reader: u64) -> bool {
    entry == reader || entry == BY_HAND || reader == BY_HAND
}
