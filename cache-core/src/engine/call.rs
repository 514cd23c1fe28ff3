//! One call that missed the memory tier: joins a flight or leads one.

use std::{
    fmt,
    ops::{ControlFlow, Deref},
    sync::Arc,
    time::Duration,
};

use cache_store::BoxFuture;
use tokio::time::Instant;

use super::{Engine, Flight, Landed, Loaded, Run, fill::Remote, landed::FlightKey, weight};
use crate::{
    clock::Moment,
    fence::{Fence, Stamp},
    flight::{Join, Landing, Waiter},
    key::Key,
    memory::{Absence, Aging, Freshness, Heard, MemoryEntry, Proof, Sight, Stay},
    private::{Layer, LifeOf, Site},
    runtime,
    stats::Counter,
    timer::sleep_until,
    value::{Erased, ErasedType, Stored},
};

/// A call of an annotated function, without its types.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) engine: Arc<Engine>,
    pub(crate) key: Key,
    pub(crate) site: &'static Site,
    pub(crate) value: &'static ErasedType,
    /// What the look into memory found out, if it was one that found nothing.
    pub(crate) absence: Option<Absence>,
    /// The tags known before the load.
    pub(crate) tags: KnownTags,
    /// How long its value will live, as far as that is known before the load.
    pub(crate) life: Option<Duration>,
    /// How long a value was to live altogether, where that matters and the value says it.
    pub(crate) life_of: Option<&'static dyn LifeOf>,
    /// When the call began, in the sequence of invalidations.
    pub(crate) arrival: Stamp,
    /// When the call began, by the clock; not told where there is no other process that could have invalidated anything.
    pub(crate) arrived: Moment,
    /// Whether waiters can be given the leader's error.
    pub(crate) shares_errors: bool,
    /// Whether it is made on behalf of nobody, because what is there is growing old.
    pub(crate) renewing: bool,
}

/// The tags that are known before a load. Most calls have none, and share nothing on behalf of that.
#[derive(Clone, Default)]
pub(crate) struct KnownTags(Option<Arc<[String]>>);

impl KnownTags {
    pub(crate) fn new(tags: &[String]) -> Self {
        Self((!tags.is_empty()).then(|| tags.into()))
    }
}

impl Deref for KnownTags {
    type Target = [String];

    fn deref(&self) -> &[String] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// What is done already, or what it waits for.
pub(crate) enum Step<T> {
    Done(T),
    /// Boxed, so that its code and its size are not in every function that awaits it.
    Wait(BoxFuture<'static, T>),
}

impl<T> fmt::Debug for Step<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Done",
            Self::Wait(_) => "Wait",
        })
    }
}

/// What a call that missed turns into.
pub(crate) enum Entered {
    /// Somebody else's value, or the shared tier's.
    Value(Stored),
    /// The shared tier's, and it is to be renewed.
    Behind(Stored),
    /// The leader's error.
    Error(Erased),
    /// Run the body, then settle.
    Run(Box<Run>),
}

type Passenger = Waiter<Fence, Landed>;
type Boarding = Join<FlightKey, Fence, Landed>;

/// How long one call waits for others: once for the load that it finds, and once more for whoever takes over from it.
///
/// Leaders that are cancelled in between do not prolong it.
#[derive(Default)]
struct Patience {
    until: Option<Instant>,
    has_ended_once: bool,
}

impl Patience {
    fn until(&mut self, now: Instant, wait: Duration) -> Instant {
        *self.until.get_or_insert_with(|| after(now, wait))
    }

    /// Ends; whether it did so before.
    fn end(&mut self) -> bool {
        self.until = None;
        std::mem::replace(&mut self.has_ended_once, true)
    }
}

impl Call {
    /// Counts something of this function.
    #[inline]
    pub(super) fn count(&self, counter: Counter) {
        self.engine.count(self.site, counter);
    }

    pub(super) fn count_hit(&self, tier: Counter, value: &Stored) {
        self.engine.count_hit(self.site, tier, value);
    }

    /// Joins, leads or takes over until there is a value, an error or a reason to run the body. Who leads and has no shared
    /// tier to ask has nothing to wait for.
    pub(crate) fn enter(self) -> Step<Entered> {
        match self.join() {
            Join::Lead(leader) if self.engine.shared_for(self.site).is_none() => {
                Step::Done(self.lead_in_memory(leader))
            }
            Join::Lead(leader) => Step::Wait(Box::pin(self.lead(leader))),
            boarding => Step::Wait(Box::pin(self.board(boarding))),
        }
    }

    async fn board(self, mut boarding: Boarding) -> Entered {
        let mut patience = Patience::default();
        loop {
            let mut waiter = match boarding {
                Join::Lead(leader) => return Box::pin(self.lead(leader)).await,
                Join::Wait(waiter) => waiter,
            };
            self.count(Counter::Coalesced);
            let until = patience.until(Instant::now(), self.longest_wait());
            if let Some(late) = self.late(&mut waiter, until).await {
                return late;
            }
            let landing = waiter.wait(sleep_until(until)).await;
            match self.landed(landing, &waiter, &mut patience) {
                ControlFlow::Break(entered) => return entered,
                ControlFlow::Continue(next) => boarding = next,
            }
        }
    }

    /// The same for a sync function: waits on the calling thread.
    pub(crate) fn enter_sync(self) -> Entered {
        let (mut boarding, mut patience) = (self.join(), Patience::default());
        loop {
            let mut waiter = match boarding {
                Join::Lead(leader) => return self.lead_sync(leader),
                // The load that it would wait for may itself need this thread.
                Join::Wait(_) if runtime::is_own_thread() => return self.run_alone(),
                Join::Wait(waiter) => waiter,
            };
            self.count(Counter::Coalesced);
            let now = Instant::from_std(std::time::Instant::now());
            let until = patience.until(now, self.longest_wait());
            let landing = waiter.wait_sync(until.into_std());
            match self.landed(landing, &waiter, &mut patience) {
                ControlFlow::Break(entered) => return entered,
                ControlFlow::Continue(next) => boarding = next,
            }
        }
    }

    /// Waits as long as the function has patience; then gives what stands in, if there is anything.
    async fn late(&self, waiter: &mut Passenger, until: Instant) -> Option<Entered> {
        let soft = self.site.serving.soft_timeout?;
        let soft = after(Instant::now(), soft).min(until);
        match waiter.wait(sleep_until(soft)).await {
            Landing::TimedOut => self.stand_in_for_lateness().map(Entered::Value),
            // It is waited for once more, which ends at once.
            _ => None,
        }
    }

    fn stand_in_for_lateness(&self) -> Option<Stored> {
        let stale = self.stand_in(self.site.serving.for_lateness(), None)?;
        self.tell_stale();
        Some(stale)
    }

    /// Leads a renewal in the background; `None` while somebody loads already.
    pub(crate) fn lead_anew(&self) -> Option<Flight> {
        match self.join() {
            Join::Lead(leader) => Some(leader),
            Join::Wait(_) => None,
        }
    }

    /// Leads on behalf of nobody: `None` when there is nothing left to do.
    pub(crate) fn renew_sync(self, leader: Flight) -> Option<Box<Run>> {
        if self.engine.shared_for(self.site).is_none() {
            return Some(self.run_anew(leader, Remote::Unasked, None));
        }
        runtime::wait_for(async move { self.renew(leader).await })?
    }

    fn lead_sync(self, leader: Flight) -> Entered {
        if self.engine.shared_for(self.site).is_none() {
            return self.lead_in_memory(leader);
        }
        let alone = self.clone();
        let fence = leader.meta().clone();
        runtime::wait_for(async move { self.lead(leader).await })
            .unwrap_or_else(|| Entered::Run(Run::new(alone, None, fence, Remote::Away)))
    }

    /// What a waiter makes of the way its wait ended.
    fn landed(
        &self,
        landing: Landing<Landed>,
        waiter: &Passenger,
        patience: &mut Patience,
    ) -> ControlFlow<Entered, Boarding> {
        match landing {
            Landing::Landed(Landed::Value(loaded)) if self.may_use(&loaded) => {
                ControlFlow::Break(Entered::Value(loaded.value))
            }
            Landing::Landed(Landed::Error(error)) if self.shares_errors => {
                ControlFlow::Break(Entered::Error(error))
            }
            Landing::Landed(Landed::Value(_)) | Landing::Abandoned => {
                ControlFlow::Continue(self.join())
            }
            Landing::Landed(Landed::Error(_)) | Landing::Failed => {
                ControlFlow::Break(self.run_alone())
            }
            // Two loads in a row took too long: nobody says that a third one would not.
            Landing::TimedOut if patience.end() => ControlFlow::Break(self.run_alone()),
            Landing::TimedOut => ControlFlow::Continue(self.take_over(waiter)),
        }
    }

    /// A value may be used if its load began after this call did, or if nothing it depends on was invalidated between.
    ///
    /// Its key, known tags and patterns were compared when this call joined; what is left are the tags that were
    /// learned from the value, and what other processes have invalidated.
    fn may_use(&self, loaded: &Loaded) -> bool {
        let untouched_here = loaded.fence.born() >= self.arrival
            || self.engine.fences.is_live(self.key.text(), &loaded.fence);
        untouched_here && loaded.for_arrivals_until.is_none_or(|until| self.arrived <= until)
    }

    /// What is compared with what is heard, of what this call is about to ask for; `None` when nothing is heard, or when
    /// memory keeps nothing of it and it stands in for nothing.
    pub(super) fn hearing(&self) -> Option<Heard> {
        let stands_in = !self.site.serving.grace().is_zero();
        let compared = self.site.layer.memory() || stands_in;
        if compared { self.engine.hearing(&self.tags, stands_in) } else { None }
    }

    /// The same of a body that is about to run, in case that the shared tier does not confirm its value.
    pub(super) fn hearing_alone(&self) -> Option<Heard> {
        let stands_in = self.site.layer.memory() && !self.site.serving.grace().is_zero();
        self.engine.shared_for(self.site).filter(|_| stands_in)?;
        let heard = self.engine.hearing(&self.tags, true)?;
        Some(Heard { follows: false, ..heard })
    }

    /// What vouches for an entry in memory that the shared tier was asked about at `asked`.
    pub(super) fn proof(&self, asked: Moment, heard: Option<Heard>) -> Proof {
        Proof { until: asked.plus(self.engine.settings.coherence_bound), heard }
    }

    /// Until when callers may arrive and be given what the shared tier was asked about at `asked`.
    pub(super) fn for_arrivals_until(&self, asked: Moment) -> Moment {
        match self.site.layer {
            // Such a function promises to ask for every hit.
            Layer::Shared => asked,
            Layer::Memory | Layer::Both => asked.plus(self.engine.settings.coherence_bound),
        }
    }

    fn join(&self) -> Boarding {
        let joinable = |fence: &Fence| self.is_joinable(fence);
        self.engine.flights.join(self.flight_key(), joinable, || self.fence())
    }

    fn take_over(&self, late: &Passenger) -> Boarding {
        let joinable = |fence: &Fence| self.is_joinable(fence);
        self.engine.flights.take_over(self.flight_key(), late, joinable, || self.fence())
    }

    /// A flight that began before an invalidation of anything this call depends on is not joined, and stores nothing.
    pub(super) fn is_joinable(&self, fence: &Fence) -> bool {
        self.engine.fences.is_current(self.key.hash(), self.key.text(), fence)
    }

    /// What memory holds for this call, if it is valid and of its type.
    pub(super) fn in_memory(&self, sight: Sight) -> Option<Arc<MemoryEntry>> {
        if !self.site.layer.memory() {
            return None;
        }
        let entry = self.engine.memory_hit(self.key.as_ref(), self.site, sight)?;
        let ours =
            entry.value.as_ref().is_none_or(|value| (**value).type_id() == (self.value.id)());
        ours.then_some(entry)
    }

    /// What memory would keep for this call; `encoded` is the size of the value's bytes, where it has any.
    pub(super) fn memory_entry(
        &self,
        value: &Stored,
        fence: &Fence,
        fresh: Freshness,
        proof: Option<Proof>,
        encoded: Option<usize>,
    ) -> Arc<MemoryEntry> {
        let serving = &self.site.serving;
        // Nothing is kept beyond the time after which nobody vouches for it, but for bodies that fail.
        let end = proof.as_ref().filter(|proof| !proof.follows()).map(|proof| proof.until);
        let end = end.filter(|_| serving.on_error.is_zero());
        let or_end = |until: Moment| end.map_or(until, |end| end.min(until));
        let ages = value.is_some() && serving.ages();
        let aging = fresh.until.filter(|_| ages).map(|until| {
            let expires = or_end(until.plus(serving.grace()));
            Box::new(Aging::new(fresh, until, expires, serving))
        });
        let due = aging.as_ref().map(|aging| aging.due(serving)).or(fresh.until);
        Arc::new(MemoryEntry {
            value: value.clone(),
            due: due.map(or_end).or(end),
            aging,
            weight: weight(&self.key, encoded),
            version: self.site.version,
            rules: self.site.rules,
            alone: self.engine.shared.is_some() && !self.site.layer.shared(),
            types: self.key.types().clone(),
            fence: fence.clone(),
            proof,
            home: self.engine.memory.home(&self.key),
            stay: Stay::default(),
        })
    }

    pub(super) fn fence(&self) -> Fence {
        self.engine.fences.fence(self.engine.fences.now(), &self.tags)
    }

    /// The body fails, or its errors cannot be shared: everybody who waited runs it once, at the same time.
    fn run_alone(&self) -> Entered {
        Entered::Run(Run::new(self.clone(), None, self.fence(), Remote::Unasked))
    }

    pub(super) fn flight_key(&self) -> FlightKey {
        FlightKey { key: self.key.clone(), value: (self.value.id)(), site: self.site }
    }

    /// How long to wait for another caller's load: the lease's patience where there is one, for that load is
    /// guarded against a holder that died.
    fn longest_wait(&self) -> Duration {
        let flight_wait = self.engine.settings.flight_wait;
        // After its timeout the body that is waited for has ended one way or the other: it began a moment later.
        let limit = self.site.serving.timeout.map(|timeout| timeout.saturating_add(A_MOMENT));
        let flight_wait = limit.map_or(flight_wait, |limit| limit.min(flight_wait));
        self.site.lease.map_or(flight_wait, |lease| lease.wait.max(flight_wait))
    }
}

/// What a leader may need before its body begins, and to tell how it ended.
const A_MOMENT: Duration = Duration::from_millis(100);

/// `wait` after `now`; a year stands for what no clock can tell.
pub(crate) fn after(now: Instant, wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    now.checked_add(wait).unwrap_or_else(|| now + YEAR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Cache,
        explicit::by_hand,
        key::{KeyBuffer, raw_key},
        private::Subject,
    };

    fn subject(cache: &Cache) -> Subject<u64> {
        let mut buffer = KeyBuffer::new();
        Subject::new(by_hand::<u64>(), cache.engine(), raw_key("k", &mut buffer).unwrap())
    }

    #[tokio::test]
    async fn a_flight_that_found_its_value_in_memory_ends_with_all_its_tags() {
        let cache = Cache::memory();
        cache.set("k", &1u64).tags(["t"]).await.unwrap();
        let loaded = subject(&cache).call(false).filled_meanwhile().unwrap();
        cache.invalidate_tags(["t"]).await.unwrap();
        assert!(!subject(&cache).call(false).may_use(&loaded));
    }

    #[test]
    fn a_sync_call_on_larders_own_thread_waits_for_nobody() {
        let hour = Duration::from_secs(3600);
        let cache = runtime::wait_for(Cache::builder().flight_wait(hour).build()).unwrap().unwrap();
        let Join::Lead(_leader) = subject(&cache).call(false).join() else { unreachable!() };
        let waiter = subject(&cache).call(false);
        let entered = runtime::wait_for(async move { waiter.enter_sync() }).unwrap();
        assert!(matches!(entered, Entered::Run(_)));
    }
}
