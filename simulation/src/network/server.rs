//! The server behind all lines.

use std::sync::Mutex;

use cache_store::testing::{MemoryStore, Snapshot};

use crate::{lock, oracle::Stamp};

pub(crate) struct Server {
    pub(crate) tier: MemoryStore,
    state: Mutex<State>,
}

struct State {
    up: bool,
    /// How often it was started.
    starts: u64,
    /// How often it lost data.
    losses: u64,
    /// How often it lost what was announced of a tag.
    changes_lost: u64,
    snapshot: Option<(Snapshot, Stamp)>,
}

impl Server {
    pub(crate) fn new((patterns, tags): (usize, usize)) -> Self {
        let state = State { up: true, starts: 1, losses: 0, changes_lost: 0, snapshot: None };
        Self { tier: MemoryStore::with_logs(patterns, tags), state: Mutex::new(state) }
    }

    pub(crate) fn is_up(&self) -> bool {
        lock(&self.state).up
    }

    pub(crate) fn starts(&self) -> u64 {
        lock(&self.state).starts
    }

    pub(crate) fn losses(&self) -> u64 {
        lock(&self.state).losses
    }

    pub(crate) fn changes_lost(&self) -> u64 {
        lock(&self.state).changes_lost
    }

    pub(crate) fn evict_changes(&self, tag: &str) {
        lock(&self.state).changes_lost += 1;
        self.tier.evict_changes(tag);
    }

    /// Loses everything.
    pub(crate) fn flush(&self) {
        lock(&self.state).losses += 1;
        self.tier.flush();
    }

    pub(crate) fn stop(&self) {
        lock(&self.state).up = false;
    }

    pub(crate) fn start(&self) {
        let state = &mut *lock(&self.state);
        if !state.up {
            state.up = true;
            state.starts += 1;
        }
    }

    /// Writes down what it holds.
    pub(crate) fn save(&self, now: Stamp) {
        lock(&self.state).snapshot = Some((self.tier.snapshot(), now));
    }

    /// Goes back to what was written down last; says when that was.
    pub(crate) fn load(&self) -> Option<Stamp> {
        let snapshot = {
            let state = &mut *lock(&self.state);
            state.losses += 1;
            state.snapshot.clone()
        };
        snapshot.map(|(snapshot, when)| {
            self.tier.restore(&snapshot);
            when
        })
    }
}
