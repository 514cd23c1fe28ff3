//! The invalidations that the shared tier confirmed lately: repeated when it went back to an earlier state.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
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
    /// Whether they are to be repeated.
    rewound: AtomicBool,
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

    /// Whether this very invalidation was confirmed lately: news of it is an echo.
    pub(super) fn has(&self, what: &Invalidation, since: Moment) -> bool {
        let confirmed = self.lock();
        let young = confirmed.iter().rev().take_while(|(when, _)| *when >= since);
        young.into_iter().any(|(_, one)| **one == *what)
    }

    /// The shared tier went back: what it confirmed may be undone.
    pub(super) fn rewind(&self) {
        self.rewound.store(true, Ordering::Release);
    }

    fn take_rewound(&self, now: Moment) -> Vec<Arc<Invalidation>> {
        if !self.rewound.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        let confirmed = self.lock();
        let young = confirmed.iter().filter(|(when, _)| when.plus(MEMORY) >= now);
        young.map(|(_, what)| Arc::clone(what)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Moment, Arc<Invalidation>)>> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Queues what the shared tier may have forgotten.
    pub(super) fn repeat_recent(self: &Arc<Self>) {
        for what in self.session.recent.take_rewound(self.now()) {
            self.replay(Invalidation::clone(&what), Announcement::new(Origin::Replay));
        }
    }
}
