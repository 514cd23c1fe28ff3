//! One call that missed the memory tier: joins a flight or leads one.

use std::{
    any::TypeId,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Engine, Run, fill::Remote};
use crate::{
    fence::{Fence, Stamp},
    flight::{Join, Landing, Leader, Waiter},
    key::{Key, Types},
    private::{LeasePlan, Site},
    runtime,
    stats::Counter,
    value::{Erased, ErasedType, Stored},
};

/// Flights are apart for values of different types, though their keys are the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct FlightKey {
    key: Key,
    value: TypeId,
    types: Types,
}

/// How a flight ended for those who waited.
#[derive(Clone)]
pub(crate) enum Landed {
    Value(Loaded),
    Error(Erased),
}

/// A value and what it depends on.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) value: Stored,
    pub(crate) fence: Arc<Fence>,
}

/// A call of an annotated function, without its types.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) engine: Arc<Engine>,
    pub(crate) key: Key,
    pub(crate) site: &'static Site,
    pub(crate) value: ErasedType,
    /// The tags known before the load.
    pub(crate) tags: Arc<[String]>,
    /// When the call began, in the sequence of invalidations.
    pub(crate) arrival: Stamp,
    /// Whether waiters can be given the leader's error.
    pub(crate) shares_errors: bool,
}

/// What a call that missed turns into.
pub(crate) enum Entered {
    /// Somebody else's value, or the shared tier's.
    Value(Stored),
    /// The leader's error.
    Error(Erased),
    /// Run the body, then settle.
    Run(Box<Run>),
}

type Flight = Leader<FlightKey, Arc<Fence>, Landed>;
type Passenger = Waiter<Arc<Fence>, Landed>;
type Boarding = Join<FlightKey, Arc<Fence>, Landed>;

enum Next {
    Done(Entered),
    Again,
    TakeOver(Passenger),
}

impl Call {
    /// Joins, leads or takes over until there is a value, an error or a reason to run the body.
    pub(crate) async fn enter(self) -> Entered {
        let mut boarding = self.join();
        loop {
            match boarding {
                Join::Lead(leader) => return self.lead(leader).await,
                Join::Wait(mut waiter) => {
                    self.engine.counters.count(Counter::Coalesced);
                    let landing = waiter.wait(tokio::time::sleep(self.patience())).await;
                    boarding = match self.landed(landing, waiter) {
                        Next::Done(entered) => return entered,
                        Next::Again => self.join(),
                        Next::TakeOver(waiter) => self.take_over(&waiter),
                    };
                }
            }
        }
    }

    /// The same for a sync function: waits on the calling thread.
    pub(crate) fn enter_sync(self) -> Entered {
        let mut boarding = self.join();
        loop {
            match boarding {
                Join::Lead(leader) => return self.lead_sync(leader),
                Join::Wait(mut waiter) => {
                    self.engine.counters.count(Counter::Coalesced);
                    let landing = waiter.wait_sync(Instant::now() + self.patience());
                    boarding = match self.landed(landing, waiter) {
                        Next::Done(entered) => return entered,
                        Next::Again => self.join(),
                        Next::TakeOver(waiter) => self.take_over(&waiter),
                    };
                }
            }
        }
    }

    fn lead_sync(self, leader: Flight) -> Entered {
        if self.engine.shared_for(self.site).is_none() {
            return self.lead_in_memory(leader);
        }
        let alone = self.clone();
        let fence = Arc::clone(leader.meta());
        runtime::wait_for(async move { self.lead(leader).await })
            .unwrap_or_else(|| Entered::Run(Box::new(Run::new(alone, None, fence, Remote::Away))))
    }

    /// What a waiter makes of the way its flight ended.
    fn landed(&self, landing: Landing<Landed>, waiter: Passenger) -> Next {
        match landing {
            Landing::Landed(Landed::Value(loaded)) if self.may_use(&loaded) => {
                Next::Done(Entered::Value(loaded.value))
            }
            Landing::Landed(Landed::Error(error)) if self.shares_errors => {
                Next::Done(Entered::Error(error))
            }
            // Tags that only the value told were invalidated since the flight began.
            Landing::Landed(Landed::Value(_)) | Landing::Abandoned => Next::Again,
            Landing::Landed(Landed::Error(_)) | Landing::Failed => Next::Done(self.run_alone()),
            Landing::TimedOut => Next::TakeOver(waiter),
        }
    }

    /// A value may be used if its load began after this call did, or if nothing it depends on was invalidated between.
    ///
    /// Its key, known tags and patterns were compared when this call joined; what is left are the tags that were
    /// learned from the value.
    fn may_use(&self, loaded: &Loaded) -> bool {
        loaded.fence.born() >= self.arrival
            || self.engine.fences.is_live(self.key.text(), &loaded.fence)
    }

    fn join(&self) -> Boarding {
        let joinable = |fence: &Arc<Fence>| self.is_joinable(fence);
        self.engine.flights.join(&self.flight_key(), joinable, || self.fence())
    }

    fn take_over(&self, late: &Passenger) -> Boarding {
        let joinable = |fence: &Arc<Fence>| self.is_joinable(fence);
        self.engine.flights.take_over(&self.flight_key(), late, joinable, || self.fence())
    }

    /// A flight that began before an invalidation of anything this call depends on is not joined.
    fn is_joinable(&self, fence: &Fence) -> bool {
        self.engine.fences.is_current(self.key.hash(), self.key.text(), fence)
    }

    pub(super) fn fence(&self) -> Arc<Fence> {
        Arc::new(self.engine.fences.fence(self.engine.fences.now(), &self.tags))
    }

    /// The body fails, or its errors cannot be shared: everybody who waited runs it once, at the same time.
    fn run_alone(&self) -> Entered {
        Entered::Run(Box::new(Run::new(self.clone(), None, self.fence(), Remote::Unasked)))
    }

    fn flight_key(&self) -> FlightKey {
        FlightKey {
            key: self.key.clone(),
            value: (self.value.id)(),
            types: self.key.types().clone(),
        }
    }

    /// How long to wait for another caller's load: the lease's patience where there is one, for that load is
    /// guarded against a holder that died.
    fn patience(&self) -> Duration {
        let flight_wait = self.engine.settings.flight_wait;
        self.site.lease.map_or(flight_wait, |lease: LeasePlan| lease.wait.max(flight_wait))
    }
}
