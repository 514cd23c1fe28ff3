//! The coherence session: what this process hears of changes in the shared tier, and how long it may rely on that.
//!
//! The store tells every change (`News`), in order, and each is numbered like an invalidation of this process, in fences
//! of their own: what was heard rules out entries in memory, never a load. For a load makes the dependencies it finds
//! missing, which is heard as well, and a load must not be ruled out by its own steps.
//!
//! # Why a hit is never further behind than the bound
//!
//! *Hearing is reliable until `live_until`*: that is the bound after the last heartbeat was **sent** which the store has
//! answered. The answer says that every change made before then has been heard; so what a hit may not know yet was changed
//! later, less than the bound ago. Heard patterns are known by name only after their log was fetched, so a heartbeat
//! counts only once that is done.
//!
//! *An entry depends on nothing that changed unheard.* Its fence is made before the shared tier is asked for the nonces it
//! carries. A change after that is heard after that, and has a greater number. Only the key may be counted from later on,
//! from before the request that stored the value: that one compares the key's nonce, and nobody else does it again for
//! tags and patterns.
//!
//! *Nothing is missed in silence.* Where news may be missing the store says `Gap`, which is an invalidation of everything. When
//! it says so at the beginning of a session, its listening has begun already.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cache_store::{Invalidation, Listener, News, Nonce, Record, Recorded, Store};
use cache_template::Glob;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{Engine, recent::Recent};
use crate::{
    clock::{AtomicMoment, Moment},
    events::{Event, Origin},
    fence::{Fence, Fences},
    key::{KeyBuffer, KeyRef, raw_key},
    memory::{Heard, MemoryEntry, drops},
    stats::Counter,
    value::Stored,
};

/// So many heartbeats in one coherence bound: three may fail before hits have to ask.
const BEATS: u32 = 4;
/// However small the bound, the shared tier is not asked all the time.
const LEAST_PAUSE: Duration = Duration::from_millis(1);

/// What one cache hears.
pub(crate) struct Session {
    /// Whether the store tells; known once it was asked to.
    told: OnceLock<bool>,
    heard: Fences,
    live_until: AtomicMoment,
    /// Whether listeners were told that hearing is reliable.
    told_live: AtomicBool,
    patterns: Patterns,
    wake: Arc<Notify>,
    /// Values that news took out of memory. Their `Drop` is the user's code and must not run where news is heard.
    removed: Mutex<Vec<Stored>>,
    pub(super) recent: Recent,
    coherence: Mutex<Coherence>,
    closed: AtomicBool,
}

/// What is known of the shared pattern log.
#[derive(Default)]
struct Patterns {
    /// Whether it has changed since it was fetched.
    changed: AtomicBool,
    /// The last record that the fences know.
    newest: Mutex<Option<Nonce>>,
}

/// How well this process kept up with the others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Coherence {
    /// How long the last heartbeat took: no change is heard later than that, when all is well.
    pub(crate) lag: Duration,
    pub(crate) lag_max: Duration,
    /// The time, since the first session, in which hearing was not reliable, as far as it is over.
    pub(crate) without_session: Duration,
}

impl Session {
    pub(super) fn new() -> Self {
        Self {
            told: OnceLock::new(),
            heard: Fences::new(),
            live_until: AtomicMoment::default(),
            told_live: AtomicBool::new(false),
            patterns: Patterns::default(),
            wake: Arc::default(),
            removed: Mutex::default(),
            recent: Recent::default(),
            coherence: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// Whether an entry may be served as far as other processes are concerned.
    #[inline]
    pub(super) fn vouches_for(
        &self,
        entry: &MemoryEntry,
        key: KeyRef<'_>,
        now: impl FnOnce() -> Moment,
    ) -> Vouched {
        let Some(proof) = &entry.proof else { return Vouched::Yes };
        let Some(Heard { fence, follows }) = &proof.heard else {
            return Vouched::from(now() < proof.until);
        };
        let spared = match follows {
            true => self.heard.is_live_by(|| key.text(), fence),
            false => self.heard.is_merely_doubted(key.text(), fence),
        };
        if !spared {
            return Vouched::Never;
        }
        let now = now();
        Vouched::from(now < proof.until || (*follows && now < self.live_until.get()))
    }

    /// Until when an entry is vouched for that nothing that was heard of has invalidated.
    #[inline]
    pub(super) fn vouches_until(&self, entry: &MemoryEntry) -> Moment {
        match &entry.proof {
            None => Moment::NEVER,
            Some(proof) if proof.follows() => self.live_until.get().max(proof.until),
            Some(proof) => proof.until,
        }
    }

    /// How many invalidations of tags and the like were heard of.
    #[inline]
    pub(super) fn unlisted(&self) -> u64 {
        self.heard.unlisted()
    }

    /// Whether nothing that was heard of has invalidated an entry. Much may have been missed.
    pub(super) fn spares(&self, entry: &MemoryEntry, key: KeyRef<'_>) -> bool {
        let Some(proof) = &entry.proof else { return true };
        match &proof.heard {
            Some(heard) => self.heard.is_merely_doubted(key.text(), &heard.fence),
            // Nobody compared it with what was heard: another function's, for which nothing ever stands in.
            None => !self.hears(),
        }
    }

    /// The same of a value that the shared tier had after `heard` was made.
    pub(super) fn spares_read(&self, key: KeyRef<'_>, heard: &Heard) -> bool {
        self.heard.spares(key.hash(), key.text(), &heard.fence)
    }

    fn hears(&self) -> bool {
        self.told.get().copied().unwrap_or_default()
    }

    /// Hears nothing any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Until when hearing is reliable.
    pub(super) fn live_until(&self) -> Moment {
        self.live_until.get()
    }

    /// The fence, against what is heard, of what the shared tier is about to be asked for.
    fn fence(&self, tags: &[String]) -> Fence {
        self.heard.fence(self.heard.now(), tags)
    }

    /// The same with the tags that were learned from the value added.
    pub(super) fn with_tags(&self, heard: Heard, more: &[String]) -> Heard {
        Heard { fence: heard.fence.with_tags(&self.heard, more), ..heard }
    }

    /// The same for a key that the shared tier is about to confirm.
    pub(super) fn confirming(&self, heard: Heard) -> Heard {
        Heard { fence: heard.fence.with_key_since(self.heard.now()), ..heard }
    }

    /// The newest record of the shared pattern log that is known here.
    pub(super) fn newest_pattern(&self) -> Option<Nonce> {
        *lock(&self.patterns.newest)
    }

    /// Inserts unless something that was heard rules it out; that news may have been missed does not, where the entry is
    /// kept for bodies that fail, or does not rely on news.
    pub(super) fn admit(
        &self,
        key: KeyRef<'_>,
        heard: &Heard,
        for_errors: bool,
        insert: impl FnOnce(),
    ) -> bool {
        if for_errors || !heard.follows {
            self.heard.admit_doubted(key.hash(), key.text(), &heard.fence, insert)
        } else {
            self.heard.admit(key.hash(), key.text(), &heard.fence, insert)
        }
    }

    pub(crate) fn coherence(&self) -> Coherence {
        *lock(&self.coherence)
    }

    /// Whether hearing is reliable now; `None` where nothing is heard.
    pub(crate) fn is_live(&self, now: Moment) -> Option<bool> {
        self.hears().then(|| now < self.live_until.get())
    }

    fn lost(&self) {
        self.heard.doubt_all();
        self.live_until.reset();
        // What the log was is unknown: its next reading begins anew.
        *lock(&self.patterns.newest) = None;
        self.patterns.changed.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Rules out what the records that came since the last reading match, and says which these are.
    fn learn<'a>(&self, log: &'a [Record]) -> Learnt<'a> {
        let mut newest = lock(&self.patterns.newest);
        let learnt = match *newest {
            None => Learnt::First,
            Some(known) => match log.iter().position(|record| record.nonce == known) {
                Some(at) => Learnt::New(&log[at + 1..]),
                None => Learnt::AnotherLog,
            },
        };
        match learnt {
            Learnt::New(records) => records.iter().for_each(|record| self.learn_one(record)),
            // Records may have come and gone unseen.
            Learnt::First => self.heard.doubt_all(),
            // The one way to clear everything is to delete the log.
            Learnt::AnotherLog => self.heard.invalidate_all(),
        }
        *newest = log.last().map(|record| record.nonce);
        learnt
    }

    fn learn_one(&self, record: &Record) {
        match &record.what {
            Recorded::Pattern(pattern) => match Glob::parse(pattern) {
                Ok(glob) => self.heard.invalidate_pattern(glob),
                // A record that cannot be read might be about anything.
                Err(_) => self.heard.invalidate_all(),
            },
            Recorded::AllOf(tags) => self.heard.invalidate_all_of(tags),
            // A log that begins anew in its middle is none of ours.
            Recorded::Opened => self.heard.invalidate_all(),
        }
    }
}

/// What a reading of the log of patterns has shown.
#[derive(Clone, Copy)]
enum Learnt<'a> {
    /// It is the first one of this session.
    First,
    /// The record that was the newest at the last one is gone: everything was invalidated, or much.
    AnotherLog,
    /// The records since the last one.
    New(&'a [Record]),
}

/// Whether an entry may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vouched {
    Yes,
    /// Not without asking the shared tier.
    NotNow,
    /// Something it depends on has changed.
    Never,
}

impl From<bool> for Vouched {
    fn from(now: bool) -> Self {
        if now { Self::Yes } else { Self::NotNow }
    }
}

impl Engine {
    /// What is compared with what is heard from now on, of what the shared tier is about to be asked for; `None` when
    /// nothing is heard. What `stands_in` for other values is compared also while not everything is heard.
    pub(super) fn hearing(self: &Arc<Self>, tags: &[String], stands_in: bool) -> Option<Heard> {
        // Before the pattern log was read the first time, or after a gap, its first reading rules out everything: what is
        // asked for until then is better off with the bound alone.
        let follows = self.listens() && self.session.newest_pattern().is_some();
        let compared = follows || (stands_in && self.session.hears());
        compared.then(|| Heard { fence: self.session.fence(tags), follows })
    }

    /// Listens from now on; whether there is anything to hear.
    pub(super) fn listens(self: &Arc<Self>) -> bool {
        *self.session.told.get_or_init(|| self.listen())
    }

    fn listen(self: &Arc<Self>) -> bool {
        let Some(store) = &self.shared else { return false };
        let myself = Arc::downgrade(self);
        let Ok(runtime) = self.runtime() else { return false };
        let told = store.listen(myself.clone());
        if told {
            runtime.spawn(attend(myself, Arc::clone(&self.session.wake)));
        }
        told
    }

    /// Proves that hearing is reliable, if it is.
    async fn beat(&self, store: &Arc<dyn Store>) {
        let sent = self.now();
        if let Err(error) = store.heartbeat().await {
            tracing::debug!(target: "larder", %error, "no heartbeat");
            return self.tell_lapsed();
        }
        if !self.follow_patterns(store).await {
            return self.tell_lapsed();
        }
        let (before, now) = (self.session.live_until.get(), self.now());
        self.session.live_until.set(sent.plus(self.settings.coherence_bound));
        self.session.kept_up(before, sent, now);
        if !self.session.told_live.swap(true, Ordering::AcqRel) {
            self.events.tell(|| Event::SessionLive);
        }
    }

    /// Tells that hearing is not reliable any more, if that is so.
    fn tell_lapsed(&self) {
        if self.session.live_until() <= self.now()
            && self.session.told_live.swap(false, Ordering::AcqRel)
        {
            self.events.tell(|| Event::SessionLost);
        }
    }

    /// Tells what another process invalidated. News of what this one did comes back as well, and was told.
    fn tell_heard(&self, what: Invalidation) {
        if self.events.is_heard() && !self.is_echo(&what) {
            self.events
                .tell(|| Event::Invalidated { what: Arc::new(what), origin: Origin::Elsewhere });
        }
    }

    /// Fetches the pattern log if it has changed; whether all its records are known.
    async fn follow_patterns(&self, store: &Arc<dyn Store>) -> bool {
        // Taken back before the request is sent: what changes meanwhile is for the next time.
        if !self.session.patterns.changed.swap(false, Ordering::AcqRel) {
            return true;
        }
        match store.patterns().await {
            Ok(log) => {
                match self.session.learn(&log) {
                    // Whoever listens is told of the new session.
                    Learnt::First => {}
                    Learnt::AnotherLog => self.tell_heard(Invalidation::All),
                    Learnt::New(records) => records.iter().for_each(|record| {
                        self.tell_heard(match &record.what {
                            Recorded::Pattern(pattern) => Invalidation::Pattern(pattern.clone()),
                            Recorded::AllOf(tags) => Invalidation::AllOf(tags.clone()),
                            Recorded::Opened => Invalidation::All,
                        });
                    }),
                }
                true
            }
            Err(error) => {
                self.session.patterns.changed.store(true, Ordering::Release);
                tracing::debug!(target: "larder", %error, "the pattern log was not read");
                false
            }
        }
    }

    fn hear_key(&self, text: &str) {
        let mut buffer = KeyBuffer::new();
        let Ok(key) = raw_key(text, &mut buffer) else { return };
        let (removed, values) = drops::hand_over(|| {
            self.session.heard.invalidate_key(key.hash(), || self.memory.remove_shared(key))
        });
        if !values.is_empty() {
            lock(&self.session.removed).extend(values);
        }
        // Not for values that the memory tier happened to give back at this moment: they can wait.
        if removed {
            self.tell_heard(Invalidation::Keys(vec![text.to_owned()]));
            self.session.wake.notify_one();
        }
    }

    fn hear_gap(&self) {
        self.counters.count(Counter::EpochBumps);
        self.session.lost();
        self.tell_lapsed();
    }
}

impl Session {
    fn kept_up(&self, before: Moment, sent: Moment, now: Moment) {
        let mut coherence = lock(&self.coherence);
        coherence.lag = sent.until(now);
        coherence.lag_max = coherence.lag_max.max(coherence.lag);
        if before > Moment::default() {
            coherence.without_session += before.until(now);
        }
    }
}

impl Listener for Engine {
    fn hear(&self, news: News<'_>) {
        match news {
            News::Key(key) => self.hear_key(key),
            News::Tag(tag) => self.session.heard.invalidate_tag(tag),
            News::Patterns => {
                self.session.patterns.changed.store(true, Ordering::Release);
                self.session.wake.notify_one();
            }
            News::Gap => self.hear_gap(),
            News::Rewound => {
                // First: who is told of the gap asks for what there is to repeat.
                self.session.recent.rewind();
                self.hear_gap();
            }
        }
    }
}

/// Keeps the session of one cache alive for as long as there is the cache.
async fn attend(engine: Weak<Engine>, wake: Arc<Notify>) {
    let mut next_beat = Instant::now();
    loop {
        {
            let Some(engine) = engine.upgrade() else { return };
            let Some(store) = engine.shared.clone() else { return };
            if engine.session.closed.load(Ordering::Acquire) {
                return;
            }
            drop(std::mem::take(&mut *lock(&engine.session.removed)));
            engine.repeat_recent();
            engine.follow_patterns(&store).await;
            if next_beat <= Instant::now() || engine.session.live_until() <= engine.now() {
                let pause = engine.settings.coherence_bound / BEATS;
                next_beat = Instant::now() + pause.max(LEAST_PAUSE);
                engine.beat(&store).await;
            }
        }
        // Woken or not: either way there is something to do.
        let _ = timeout_at(next_beat, wake.notified()).await;
    }
}

/// What panicked under one of these locks left whole things behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
