use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Fault, fault::Effect, gate::Barrier};
use crate::{ErrorKind, testing::Operation};

type Alteration = Arc<dyn Fn(&str, Vec<u8>) -> Option<Vec<u8>> + Send + Sync>;
type Keys = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Everything that is to go wrong.
#[derive(Default)]
pub(super) struct Plan(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    faults: Vec<Fault>,
    /// The keys that are out of reach.
    lost: Option<(Fault, Keys)>,
    barriers: Vec<Arc<Barrier>>,
    random: Option<Random>,
    alteration: Option<Alteration>,
}

struct Random {
    generator: fastrand::Rng,
    share: f64,
}

impl Plan {
    /// The fault that strikes this operation, if one does. One is enough: the first that was injected comes first.
    pub(super) fn strike(&self, operation: Operation) -> Option<Effect> {
        let mut inner = self.inner();
        let due = inner.faults.iter_mut().find(|fault| fault.is_due(operation));
        let struck = due.map(Fault::use_up);
        inner.faults.retain(|fault| !fault.is_over());
        struck.or_else(|| inner.random.as_mut().and_then(Random::strike))
    }

    /// What the operation has to wait for before, or after, it takes effect.
    pub(super) fn barriers(&self, operation: Operation, after_effect: bool) -> Vec<Arc<Barrier>> {
        let mut inner = self.inner();
        inner.barriers.retain(|barrier| !barrier.is_open());
        let met = inner.barriers.iter().filter(|barrier| barrier.stops(operation, after_effect));
        met.cloned().collect()
    }

    /// What the caller sees in place of the stored bytes.
    pub(super) fn alter(&self, key: &str, value: Vec<u8>) -> Option<Vec<u8>> {
        // The closure runs outside the lock: it may use the store's own controls.
        let alteration = self.inner().alteration.clone();
        match alteration {
            Some(alter) => alter(key, value),
            None => Some(value),
        }
    }

    pub(super) fn add_fault(&self, fault: Fault) {
        self.inner().faults.push(fault);
    }

    pub(super) fn clear_faults(&self) {
        let mut inner = self.inner();
        inner.faults.clear();
        inner.lost = None;
    }

    pub(super) fn set_lost(&self, kind: ErrorKind, keys: Keys) {
        self.inner().lost = Some((Fault::fail(kind), keys));
    }

    /// Why nothing can be done for this key, if so.
    pub(super) fn lost(&self, key: &str) -> Option<Fault> {
        // The closure runs outside the lock, as that of `alter` does.
        let (fault, keys) = self.inner().lost.clone()?;
        keys(key).then_some(fault)
    }

    pub(super) fn add_barrier(&self, barrier: Arc<Barrier>) {
        self.inner().barriers.push(barrier);
    }

    pub(super) fn set_alteration(&self, alteration: Option<Alteration>) {
        self.inner().alteration = alteration;
    }

    pub(super) fn set_random(&self, seed: u64, share: f64) {
        self.inner().random = Some(Random { generator: fastrand::Rng::with_seed(seed), share });
    }

    /// Nothing goes wrong any more, and whatever was held goes on.
    pub(super) fn clear(&self) {
        let old = std::mem::take(&mut *self.inner());
        old.barriers.iter().for_each(|barrier| barrier.open());
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing that can panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Random {
    fn strike(&mut self) -> Option<Effect> {
        if self.generator.f64() >= self.share {
            return None;
        }
        let kinds = [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Refused];
        let kind = kinds[self.generator.usize(..kinds.len())];
        let fault = if self.generator.bool() { Fault::fail(kind) } else { Fault::lose_reply(kind) };
        Some(fault.effect())
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner();
        f.debug_struct("Plan")
            .field("faults", &inner.faults)
            .field("lost", &inner.lost.as_ref().map(|(fault, _)| fault))
            .field("barriers", &inner.barriers)
            .field("random", &inner.random.as_ref().map(|random| random.share))
            .field("alters", &inner.alteration.is_some())
            .finish()
    }
}
