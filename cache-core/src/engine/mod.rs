//! The order of things: memory tier, then shared tier, then the function itself.
//!
//! This room alone knows that order. It is written without type parameters: values are [`Erased`](crate::value::Erased),
//! and the generic shell around it is in [`crate::private`].

mod announced;
mod background;
mod call;
mod explain;
mod explicit;
mod fill;
mod invalidate;
mod landed;
mod lead;
mod look;
mod many;
mod orders;
mod recent;
mod replay;
mod run;
mod session;
mod stale;
mod switch;
mod tagged;
mod told;
mod usage;
mod validity;
mod watch;
mod write;

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cache_store::{Error, ErrorKind, Result, Status, Store};
use tokio::runtime::Handle;

pub(crate) use self::{
    announced::Announced,
    background::Permit,
    call::{Call, Entered, KnownTags, Step, after},
    explain::Asker,
    invalidate::{Invalidating, Order},
    landed::{Flight, Landed, Loaded},
    look::{Looked, Missing, same_rules},
    many::{
        Setting, enter_many, enter_many_sync, get_many, set_many, set_many_in_memory, settle_many,
        settle_many_sync,
    },
    orders::invalidate_all,
    run::{Keep, Run},
    write::{Writing, Written},
};
use self::{
    background::Background,
    landed::FlightKey,
    replay::Replay,
    session::{Session, Vouched},
    switch::Switch,
};
use crate::{
    clock::{Clock, Moment},
    codec::Codec,
    envelope::{Limits, Packing},
    events::{Event, EventSink},
    fence::{Fence, Fences},
    flight::Flights,
    key::Key,
    limit,
    lock::Here,
    memory::{Absence, Cause, MemoryConfig, MemoryEntry, MemoryTier, OnEvict, drops},
    metrics::Publisher,
    private::Site,
    rules::InvalidationRules,
    runtime, sessions,
    stats::{Counter, Counters, Functions, Stats},
    topic::Desk,
    value::Stored,
};

/// The settings an engine works with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) max_entries: u64,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) default_ttl: Option<Duration>,
    pub(crate) coherence_bound: Duration,
    pub(crate) flight_wait: Duration,
    pub(crate) limits: Limits,
    pub(crate) codec: Codec,
    pub(crate) packing: Packing,
    pub(crate) clock: Clock,
    /// Where background work runs; `None` for the thread `larder`.
    pub(crate) runtime: Option<Handle>,
    /// The most bodies that run in the background.
    pub(crate) background_limit: usize,
    /// Whether threads keep copies of what they were given from memory.
    pub(crate) front: bool,
    /// What an application's own events invalidate.
    pub(crate) rules: InvalidationRules,
}

/// One cache: its tiers, and what it knows about loads and invalidations.
pub(crate) struct Engine {
    pub(crate) settings: Settings,
    pub(crate) memory: MemoryTier,
    /// What functions with `even_invalidated` have kept last, whatever was invalidated since.
    last: OnceLock<MemoryTier>,
    pub(crate) fences: Fences,
    pub(crate) flights: Flights<FlightKey, Fence, Landed>,
    pub(crate) shared: Option<Arc<dyn Store>>,
    pub(crate) session: Session,
    /// What belongs to no function.
    pub(crate) counters: Arc<Counters>,
    pub(crate) functions: Functions,
    pub(crate) events: Arc<EventSink>,
    /// The locks of a cache without a shared tier.
    pub(crate) locks: Here,
    /// What is counted in a cache without a shared tier.
    pub(crate) limits: limit::Here,
    /// The sessions of a cache without a shared tier.
    pub(crate) sessions: sessions::Here,
    /// Messages within this process, and the subscriptions.
    pub(crate) topics: Desk,
    replay: Replay,
    background: Background,
    switch: Switch,
    /// Whether the shared tier failed when it was asked last.
    down: AtomicBool,
    metrics: Option<Publisher>,
}

impl Engine {
    pub(crate) fn new(
        settings: Settings,
        shared: Option<Arc<dyn Store>>,
        enabled: bool,
        metrics: Option<Publisher>,
    ) -> Arc<Self> {
        let counters = Arc::new(Counters::default());
        let events = Arc::new(EventSink::default());
        let config = MemoryConfig {
            max_entries: settings.max_entries,
            max_bytes: settings.max_bytes,
            clock: settings.clock.clone(),
            on_evict: Some(on_evict(&counters, &events)),
            front: settings.front,
        };
        let memory = MemoryTier::new(config);
        let sessions = sessions::Here::new(settings.clock.clone());
        Arc::new(Self {
            settings,
            memory,
            last: OnceLock::new(),
            fences: Fences::new(),
            flights: Flights::new(),
            shared,
            session: Session::new(),
            functions: Functions::new(Arc::clone(&counters)),
            counters,
            events,
            locks: Here::default(),
            limits: limit::Here::default(),
            sessions,
            topics: Desk::default(),
            replay: Replay::default(),
            background: Background::default(),
            switch: Switch::new(enabled),
            down: AtomicBool::new(false),
            metrics,
        })
    }

    /// Keeps a value in memory unless something it depends on was invalidated since its fences were made.
    pub(crate) fn keep_in_memory(
        &self,
        key: &Key,
        entry: &Arc<MemoryEntry>,
        absence: Option<Absence>,
    ) -> bool {
        drops::after(|| {
            let mut kept = false;
            self.fences.admit(key.hash(), key.text(), &entry.fence, || {
                kept = self.insert_unless_heard(key, entry, absence);
            });
            kept
        })
    }

    /// Keeps an entry for bodies that fail, where the function wants that whatever is invalidated.
    pub(super) fn keep_last(&self, key: &Key, entry: &Arc<MemoryEntry>, site: &Site) {
        if site.serving.even_invalidated && entry.value.is_some() {
            let last = self.last.get_or_init(|| {
                MemoryTier::new(MemoryConfig {
                    max_entries: self.settings.max_entries,
                    max_bytes: self.settings.max_bytes,
                    clock: self.settings.clock.clone(),
                    on_evict: None,
                    front: false,
                })
            });
            drops::after(|| last.insert(key.clone(), Arc::clone(entry), None));
        }
    }

    /// Inserts unless something that was heard from the shared tier rules the entry out; then nothing stays under the key,
    /// for what was there before is no longer what the shared tier has.
    pub(super) fn insert_unless_heard(
        &self,
        key: &Key,
        entry: &Arc<MemoryEntry>,
        absence: Option<Absence>,
    ) -> bool {
        let insert = || self.memory.insert(key.clone(), Arc::clone(entry), absence);
        let Some(heard) = entry.proof.as_ref().and_then(|proof| proof.heard.as_ref()) else {
            insert();
            return true;
        };
        let kept = self.session.admit(key.as_ref(), heard, entry.is_for_errors(), insert);
        if !kept {
            self.memory.remove(key.as_ref());
        }
        kept
    }

    /// Whether the shared tier failed when it was asked last.
    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Tells the sink of metrics what was counted, if there is one.
    pub(crate) fn publish_metrics(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.publish(self);
        }
    }

    /// Publishes from now on; without a runtime, whenever the application asks for it.
    pub(crate) fn keep_publishing(self: &Arc<Self>) {
        if self.metrics.is_some()
            && let Ok(runtime) = self.runtime()
        {
            runtime.spawn(Publisher::run(Arc::downgrade(self)));
        }
    }

    /// Tells how long a body took.
    pub(crate) fn tell_load(&self, took: Duration) {
        if let Some(metrics) = &self.metrics {
            metrics.took("load", took);
        }
    }

    /// Where background work runs.
    pub(crate) fn runtime(&self) -> Result<&Handle> {
        match &self.settings.runtime {
            Some(runtime) => Ok(runtime),
            None => runtime::handle(),
        }
    }

    /// The shared tier answered.
    pub(crate) fn answered(&self) {
        if self.down.load(Ordering::Relaxed) && self.down.swap(false, Ordering::Relaxed) {
            tracing::info!(target: "larder", "the shared tier answers again");
            self.events.tell(|| Event::SharedUp);
        }
    }

    pub(crate) fn now(&self) -> Moment {
        self.settings.clock.now()
    }

    /// The shared tier, if this function uses it.
    pub(crate) fn shared_for(&self, site: &Site) -> Option<&Arc<dyn Store>> {
        self.shared.as_ref().filter(|_| site.layer.shared())
    }

    /// Counts something that a function did.
    #[inline]
    pub(crate) fn count(&self, site: &'static Site, counter: Counter) {
        self.functions.with(site, |counters| counters.count(counter));
    }

    /// Counts a function's hit in a tier, and whether it was on a stored `None`.
    #[inline]
    pub(crate) fn count_hit(&self, site: &'static Site, tier: Counter, value: &Stored) {
        self.functions.with(site, |counters| {
            counters.count(tier);
            if value.is_none() {
                counters.count(Counter::NegativeHits);
            }
        });
    }

    /// Counts an error of the shared tier, and tells when it is the first one.
    pub(crate) fn count_error(&self, error: &Error) {
        let refused = error.kind() == ErrorKind::Unauthorized;
        let spared = error.kind() == ErrorKind::Overloaded || error.is_of_a_part();
        let away = refused || (error.status() == Status::Temporary && !spared);
        if away && !self.down.swap(true, Ordering::Relaxed) {
            if refused {
                tracing::error!(target: "larder", %error, "the shared tier lets nobody in; calls go on without it");
            } else {
                tracing::warn!(target: "larder", %error, "the shared tier is away; calls go on without it");
            }
            self.events.tell(|| Event::SharedDown { error: error.clone() });
        }
        self.tally_error(error);
    }

    /// Counts an error of a part of the shared tier, while the rest of it answers.
    pub(crate) fn tally_error(&self, error: &Error) {
        self.counters.count(match error.kind() {
            ErrorKind::Timeout => Counter::SharedTimeouts,
            ErrorKind::Overloaded => Counter::SharedOverloads,
            _ => Counter::SharedErrors,
        });
        tracing::debug!(target: "larder", %error, "the shared tier failed");
    }

    pub(crate) fn stats(&self) -> Stats {
        drops::after(|| self.memory.run_pending());
        let coherence = self.session.coherence();
        Stats {
            disabled: !self.enabled(),
            lag: coherence.lag,
            lag_max: coherence.lag_max,
            without_session: coherence.without_session,
            ..Counters::snapshot(
                self.functions.sum(),
                self.memory.len(),
                self.memory.weighted_size(),
            )
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("settings", &self.settings)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

/// What one value weighs when capacity is counted in bytes: its encoded size where it is known.
pub(crate) fn weight(key: &Key, encoded: Option<usize>) -> u32 {
    let bytes = key.text().len() + encoded.unwrap_or(64);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn on_evict(counters: &Arc<Counters>, events: &Arc<EventSink>) -> OnEvict {
    let (counters, events) = (Arc::clone(counters), Arc::clone(events));
    Box::new(move |key, cause| match cause {
        Cause::Size => {
            counters.count(Counter::Evictions);
            events.tell(|| Event::Evicted { key: key.into() });
        }
        Cause::Expired => {
            counters.count(Counter::Expirations);
            events.tell(|| Event::Expired { key: key.into() });
        }
    })
}
