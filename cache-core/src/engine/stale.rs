//! What stands in for a body that fails or is late: a value that is not fresh any more, or that nobody vouches for.
//!
//! Nothing that this process knows to be invalidated, by itself or as it has heard, unless the function says
//! `even_invalidated`. What it does not know, because the shared tier is away, does not keep a value from standing in: to
//! be there when all else fails is what it was kept for.

use std::{sync::Arc, time::Duration};

use super::{Call, Loaded, Run};
use crate::{
    clock::Moment,
    events::Event,
    fence::Fence,
    memory::{Heard, MemoryEntry},
    stats::Counter,
    value::Stored,
};

/// A value of the shared tier that was valid when it was read, but not fresh.
#[derive(Clone)]
pub(super) struct Fallback {
    pub(super) loaded: Loaded,
    pub(super) fresh: Moment,
    /// What was heard since it was asked for is compared with this.
    pub(super) heard: Option<Heard>,
}

impl Call {
    /// What stands in, if it was fresh no longer than `grace` ago.
    pub(super) fn stand_in(&self, grace: Duration, read: Option<&Fallback>) -> Option<Stored> {
        if grace.is_zero() {
            return None;
        }
        let now = self.engine.now();
        let in_time = |fresh: Option<Moment>| fresh.is_none_or(|fresh| now < fresh.plus(grace));
        let kept = || self.kept_for_errors(in_time);
        let read = || {
            let current = |it: &&Fallback| in_time(Some(it.fresh)) && self.may_stand_in(it);
            read.filter(current).map(|it| it.loaded.value.clone())
        };
        let last = || self.last_in_memory(in_time);
        kept().or_else(read).or_else(last)
    }

    /// Counts and tells that a value stood in.
    pub(super) fn tell_stale(&self) {
        self.count(Counter::StaleServed);
        self.engine.events.tell(|| Event::StaleServed { key: self.key.text().into() });
    }

    fn kept_for_errors(&self, in_time: impl Fn(Option<Moment>) -> bool) -> Option<Stored> {
        if !self.site.layer.memory() {
            return None;
        }
        let engine = &self.engine;
        let entry = engine.memory.get(self.key.as_ref())?;
        let spared = engine.fences.is_live(self.key.text(), &entry.fence)
            && engine.session.spares(&entry, self.key.as_ref());
        (spared && in_time(entry.fresh_until())).then(|| self.value_of(&entry))?
    }

    fn may_stand_in(&self, read: &Fallback) -> bool {
        let spares = |heard| self.engine.session.spares_read(self.key.as_ref(), heard);
        self.is_joinable(&read.loaded.fence) && read.heard.as_ref().is_none_or(spares)
    }

    /// What was kept last, whatever has been invalidated since.
    fn last_in_memory(&self, in_time: impl Fn(Option<Moment>) -> bool) -> Option<Stored> {
        let last = self.engine.last.get().filter(|_| self.site.serving.even_invalidated)?;
        let entry = last.get(self.key.as_ref())?;
        in_time(entry.fresh_until()).then(|| self.value_of(&entry))?
    }

    /// The value of an entry that this function may serve.
    fn value_of(&self, entry: &Arc<MemoryEntry>) -> Option<Stored> {
        let of_type =
            entry.value.as_ref().is_some_and(|value| (**value).type_id() == (self.value.id)());
        let ours = self.engine.is_for(entry, self.key.as_ref(), self.site);
        (of_type && ours).then(|| entry.value.clone())
    }

    /// As what those who wait for a flight are given what stands in: it depends on nothing that the flight does not.
    pub(super) fn landed_stale(fence: &Fence, value: Stored) -> Loaded {
        Loaded { value, fence: fence.clone(), for_arrivals_until: None }
    }
}

impl Run {
    /// What stands in for a body that failed.
    pub(crate) fn instead_of_error(&self) -> Option<Stored> {
        self.call().stand_in(self.call().site.serving.on_error, self.fallback.as_deref())
    }

    /// What stands in for a body that is late.
    pub(crate) fn instead_of_late(&self) -> Option<Stored> {
        self.call().stand_in(self.call().site.serving.for_lateness(), self.fallback.as_deref())
    }

    /// Notes that something stood in.
    pub(crate) fn tell_stale(&self) {
        self.call().tell_stale();
    }
}
