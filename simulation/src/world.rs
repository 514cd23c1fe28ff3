//! What all parts of one simulation share.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use cache_store::Invalidation;

use crate::{
    cover::reached,
    lock,
    network::Server,
    oracle::{Oracle, Stamp},
    plan::{Plan, Rates},
    random::Random,
    source::{Item, Source, Versions},
    trace::Trace,
};

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) random: Random,
    pub(crate) trace: Arc<Trace>,
    pub(crate) source: Arc<Source>,
    pub(crate) oracle: Oracle,
    pub(crate) server: Server,
    /// Whether clients and faults go on.
    active: AtomicBool,
    /// The invalidation that takes effect right now.
    effect: Mutex<Option<Effect>>,
    /// The processes whose next heartbeat is the last thing that comes by their line.
    last_beats: Mutex<BTreeSet<u32>>,
}

impl World {
    pub(crate) fn new(seed: u64, keep: usize) -> Arc<Self> {
        let random = Random::new(seed);
        let plan = Plan::draw(&random);
        let (trace, source) = (Arc::new(Trace::new(keep)), Arc::new(Source::new()));
        Arc::new(Self {
            oracle: Oracle::new(Arc::clone(&source), Arc::clone(&trace)),
            server: Server::new(plan.logs),
            plan,
            random,
            trace,
            source,
            active: AtomicBool::new(true),
            effect: Mutex::default(),
            last_beats: Mutex::default(),
        })
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Relaxed) && !self.trace.is_over()
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm(&self) {
        self.active.store(false, Relaxed);
        lock(&self.last_beats).clear();
    }

    /// How often things go wrong now.
    pub(crate) fn rates(&self) -> Rates {
        if self.is_active() { self.plan.rates } else { Rates::default() }
    }

    pub(crate) fn break_behind_beat(&self, process: u32) {
        lock(&self.last_beats).insert(process);
    }

    pub(crate) fn takes_fault_behind_beat(&self, process: u32) -> bool {
        lock(&self.last_beats).remove(&process)
    }

    /// The state of things before a request takes effect.
    pub(crate) fn before_effect(&self) -> Before {
        Before { versions: self.source.versions(), stamp: self.oracle.stamp() }
    }

    /// An invalidation that takes effect without a wait: what is told meanwhile is about it.
    pub(crate) async fn while_in_effect<T>(
        &self,
        what: &Invalidation,
        before: &Before,
        effect: impl Future<Output = T>,
    ) -> T {
        let Before { versions, stamp } = *before;
        *lock(&self.effect) = Some(Effect { what: what.clone(), versions, stamp });
        let done = effect.await;
        *lock(&self.effect) = None;
        done
    }

    pub(crate) fn effect(&self) -> Option<Effect> {
        lock(&self.effect).clone()
    }

    /// A process was told of an invalidation.
    pub(crate) fn is_heard(&self, process: u32, effect: &Effect) {
        self.oracle.heard(process, &reached(&effect.what), &effect.versions, effect.stamp);
    }

    /// The shared tier invalidated something.
    pub(crate) fn invalidated(&self, what: &Invalidation, before: &Before) {
        self.oracle.took_effect(&reached(what), &before.versions, before.stamp);
    }
}

/// An invalidation, and the source before it.
#[derive(Clone)]
pub(crate) struct Effect {
    pub(crate) what: Invalidation,
    versions: Versions,
    stamp: Stamp,
}

/// The source as it was, and when.
pub(crate) struct Before {
    pub(crate) versions: Versions,
    pub(crate) stamp: Stamp,
}

impl Before {
    pub(crate) fn set(&mut self, key: &str, version: u64) {
        if let Some(item) = Item::named(key) {
            self.versions[item.index()] = version;
        }
    }
}
