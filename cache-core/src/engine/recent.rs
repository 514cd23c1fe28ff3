//! What this process has changed in the shared tier itself: what was confirmed lately is repeated when the tier went back
//! to an earlier state, and news of any of it is no news.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cache_store::Invalidation;

use super::Engine;
use crate::{
    clock::Moment,
    events::{Announcement, Origin},
};

/// How far back a snapshot or a replica may be for this to mend it.
const MEMORY: Duration = Duration::from_secs(60);
/// More than this many in that time, and everything is invalidated instead.
const MOST: usize = 1024;

/// What was confirmed, oldest first.
#[derive(Default)]
pub(super) struct Recent {
    confirmed: Mutex<VecDeque<(Moment, Arc<Invalidation>)>>,
    /// How often the shared tier went back.
    rewound: AtomicU64,
    /// For how many of these times they have been queued to be repeated.
    repeated: AtomicU64,
    /// What the shared tier is being told.
    under_way: Mutex<Vec<Arc<Invalidation>>>,
}

impl Recent {
    /// Remembers what was confirmed now.
    pub(super) fn remember(&self, what: Invalidation, now: Moment) {
        let mut confirmed = self.lock();
        while confirmed.front().is_some_and(|(when, _)| when.plus(MEMORY) < now) {
            confirmed.pop_front();
        }
        if confirmed.len() >= MOST {
            // One that covers all of them.
            confirmed.clear();
            confirmed.push_back((now, Arc::new(Invalidation::All)));
        }
        confirmed.push_back((now, Arc::new(what)));
    }

    /// Whether this is being told to the shared tier, or was confirmed since then.
    fn has(&self, heard: &Invalidation, since: Moment) -> bool {
        if self.under_way().iter().any(|mine| says(mine, heard)) {
            return true;
        }
        let confirmed = self.lock();
        let mut young = confirmed.iter().rev().take_while(|(when, _)| *when >= since);
        young.any(|(_, mine)| says(mine, heard))
    }

    /// The shared tier went back: what it confirmed may be undone.
    pub(super) fn rewind(&self) {
        self.rewound.fetch_add(1, Ordering::Release);
    }

    /// How often the shared tier went back.
    pub(super) fn rewound(&self) -> u64 {
        self.rewound.load(Ordering::Acquire)
    }

    /// Whether it did, and what it may have forgotten is not queued yet.
    pub(super) fn is_owed(&self) -> bool {
        self.repeated.load(Ordering::Acquire) != self.rewound()
    }

    /// What the shared tier may have forgotten. What is under way may have been told to it before it went back.
    pub(super) fn owed(&self, now: Moment) -> Vec<Arc<Invalidation>> {
        // In this order: what ends in between is in both.
        let under_way = self.under_way().clone();
        let confirmed = self.lock();
        let young = confirmed.iter().filter(|(when, _)| when.plus(MEMORY) >= now);
        young.map(|(_, what)| Arc::clone(what)).chain(under_way).collect()
    }

    fn under_way(&self) -> MutexGuard<'_, Vec<Arc<Invalidation>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Moment, Arc<Invalidation>)>> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether what was heard is part of what this process has changed.
fn says(mine: &Invalidation, heard: &Invalidation) -> bool {
    match (mine, heard) {
        (Invalidation::Keys(mine), Invalidation::Keys(heard)) => {
            heard.iter().all(|key| mine.contains(key))
        }
        (mine, heard) => mine == heard,
    }
}

/// The shared tier is being told something, which it may tell back before it answers.
pub(super) struct Telling {
    engine: Arc<Engine>,
    what: Arc<Invalidation>,
}

impl Drop for Telling {
    fn drop(&mut self) {
        let mut under_way = self.engine.session.recent.under_way();
        if let Some(at) = under_way.iter().position(|one| Arc::ptr_eq(one, &self.what)) {
            under_way.swap_remove(at);
        }
    }
}

impl Engine {
    /// The shared tier is about to be told this: should it go back to before, that has to be heard.
    pub(super) fn telling(self: &Arc<Self>, what: Invalidation) -> Telling {
        self.listens();
        let what = Arc::new(what);
        self.session.recent.under_way().push(Arc::clone(&what));
        Telling { engine: Arc::clone(self), what }
    }

    /// Whether news of this is an echo of what this process has done.
    pub(super) fn is_echo(&self, heard: &Invalidation) -> bool {
        let lately = Moment::before(self.now(), self.settings.coherence_bound);
        self.session.recent.has(heard, lately) || self.unconfirmed().any(|mine| says(mine, heard))
    }

    /// Queues what the shared tier may have forgotten. Called by one task alone.
    pub(super) fn repeat_recent(self: &Arc<Self>) {
        let recent = &self.session.recent;
        if !recent.is_owed() {
            return;
        }
        let rewound = recent.rewound();
        for what in recent.owed(self.now()) {
            self.replay(Invalidation::clone(&what), Announcement::new(Origin::Replay));
        }
        // Not before they wait in the queue: until then reads ask here.
        recent.repeated.store(rewound, Ordering::Release);
    }
}
