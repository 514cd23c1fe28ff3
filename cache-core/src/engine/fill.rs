//! After the body: stores what it returned, if nothing it depends on was invalidated meanwhile.

use std::{sync::Arc, time::Duration};

use cache_store::{BoxFuture, Error, ErrorKind, Fill, Lease, Life, Nonce, Result, Stamp};
use tokio::task::AbortHandle;

use super::{Call, Landed, Loaded, Settings, call::FlightKey, stale::Fallback};
use crate::{
    clock::Moment,
    envelope::{self, EnvelopeWriter, Header, Marks, hint},
    fence::Fence,
    flight::Leader,
    memory::{Freshness, Heard, Proof},
    private::BY_HAND,
    runtime,
    stats::Counter,
    value::{Erased, Stored},
};

/// What the shared tier said before the load.
pub(crate) enum Remote {
    /// This call has no shared tier.
    Unasked,
    /// It did not answer.
    Away,
    /// A writer is at work: nothing may be stored before it has finished.
    Writing,
    /// The nonces that the entry will carry.
    Captured(Captured),
}

/// Everything an entry depends on, as it was before its load.
pub(crate) struct Captured {
    /// When the shared tier was asked for all this.
    pub(crate) asked: Moment,
    /// What was heard from the shared tier since then is compared with this.
    pub(crate) heard: Option<Heard>,
    pub(crate) nonce: Nonce,
    pub(crate) pattern_nonce: Nonce,
    pub(crate) tag_nonces: Vec<Nonce>,
    pub(crate) tag_log: Option<Nonce>,
    pub(crate) lease: Option<Lease>,
}

/// What a body returned, and whether and how long it is kept.
pub(crate) enum Keep {
    /// Store it.
    Value { value: Stored, life: Option<Duration>, learned: Vec<String> },
    /// Hand it to those who wait, but store nothing.
    Pass { value: Stored, learned: Vec<String> },
    /// It failed, and this stands in.
    Stale(Stored),
    /// It failed, with an error that those who wait can be given.
    Error(Erased),
    /// There is nothing that anybody else could use.
    Nothing,
}

/// The right and duty to run the body; dropping it without settling lets the next waiter lead.
pub(crate) struct Run {
    call: Call,
    leader: Option<Leader<FlightKey, Arc<Fence>, Landed>>,
    /// What those who wait are given, as soon as it is known.
    landed: Option<Landed>,
    fence: Arc<Fence>,
    remote: Remote,
    began: Moment,
    /// Other processes' invalidations from this moment on may not be noticed by the load.
    asked: Moment,
    /// What is compared with what is heard since the body began, for a value that the shared tier does not confirm and that
    /// stands in for others.
    heard: Option<Heard>,
    renewal: Option<AbortHandle>,
    /// What the shared tier had that is not fresh.
    pub(super) fallback: Option<Box<Fallback>>,
}

impl Run {
    pub(super) fn new(
        call: Call,
        leader: Option<Leader<FlightKey, Arc<Fence>, Landed>>,
        fence: Arc<Fence>,
        remote: Remote,
    ) -> Self {
        let began = call.engine.now();
        let asked = match &remote {
            Remote::Captured(captured) => captured.asked,
            Remote::Unasked | Remote::Away | Remote::Writing => began,
        };
        let heard = call.hearing_alone();
        let mut run = Self {
            call,
            leader,
            landed: None,
            fence,
            remote,
            began,
            asked,
            heard,
            renewal: None,
            fallback: None,
        };
        run.renewal = run.keep_lease();
        run
    }

    /// With what may stand in for the body's value.
    pub(super) fn or_else(mut self, fallback: Option<Box<Fallback>>) -> Self {
        self.fallback = fallback;
        self
    }

    /// How long the body has been running.
    pub(super) fn load_time(&self) -> Duration {
        self.began.until(self.call.engine.now())
    }

    /// Stores what the body returned and wakes those who wait.
    pub(crate) async fn settle(mut self, keep: Keep) {
        self.count_load();
        match keep {
            Keep::Value { value, life, learned } => {
                let loaded = self.loaded(value, &learned);
                // Known from here on: should the caller go while it is stored, those who wait get it all the same.
                self.landed = Some(Landed::Value(loaded.clone()));
                self.store(&loaded, life, &learned).await;
            }
            Keep::Pass { value, learned } => {
                self.landed = Some(Landed::Value(self.loaded(value, &learned)));
            }
            Keep::Stale(value) => {
                let loaded = Call::landed_stale(&self.fence, value);
                self.landed = Some(Landed::Value(loaded));
            }
            Keep::Error(error) => self.landed = Some(Landed::Error(error)),
            Keep::Nothing => {
                if let Some(leader) = self.leader.take() {
                    leader.fail();
                }
            }
        }
        self.land();
    }

    /// Counts the run of a body, which ends now.
    pub(super) fn count_load(&self) {
        let engine = &self.call.engine;
        engine.counters.loaded(self.load_time());
    }

    /// [`settle`](Self::settle), whose code so is not in every function that awaits it.
    pub(crate) fn settle_boxed(self: Box<Self>, keep: Keep) -> BoxFuture<'static, ()> {
        Box::pin(self.settle(keep))
    }

    /// [`settle`](Self::settle) for a sync function; waits on the calling thread only when there is a shared tier to wait for.
    pub(crate) fn settle_sync(self, keep: Keep) {
        if self.captured().is_some() {
            runtime::wait_for(self.settle(keep));
        } else {
            now(self.settle(keep));
        }
    }

    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    fn land(&mut self) {
        if let (Some(leader), Some(landed)) = (self.leader.take(), self.landed.take()) {
            leader.land(landed);
        }
    }

    /// A value and what it depends on.
    pub(super) fn loaded(&mut self, value: Stored, learned: &[String]) -> Loaded {
        let Call { engine, site, .. } = &self.call;
        self.heard = self.heard.take().map(|heard| engine.session.with_tags(heard, learned));
        let fence = Fence::clone(&self.fence).with_tags(&engine.fences, learned);
        // Also where the shared tier did not answer: it may answer others, who have invalidated since.
        let for_arrivals_until =
            engine.shared_for(site).map(|_| self.call.for_arrivals_until(self.asked));
        Loaded { value, fence: Arc::new(fence), for_arrivals_until }
    }

    async fn store(&mut self, loaded: &Loaded, life: Option<Duration>, learned: &[String]) {
        if self.is_to_be_filled(loaded, life) {
            let filled = self.fill(&loaded.value, life, learned).await;
            if let Err(error) = &filled {
                self.call.engine.count_error(error);
            }
            self.filled(filled, loaded, life);
        }
    }

    /// Whether the shared tier is to have the value. Where nobody is asked, memory gets it here.
    pub(super) fn is_to_be_filled(&self, loaded: &Loaded, life: Option<Duration>) -> bool {
        let engine = &self.call.engine;
        let superseded = self.leader.as_ref().is_some_and(Leader::is_superseded);
        if superseded || !self.call.is_joinable(&loaded.fence) {
            engine.counters.count(Counter::FillsFenced);
            return false;
        }
        let fresh = self.call.freshness_of(life, self.load_time());
        match &self.remote {
            Remote::Unasked if engine.shared_for(self.call.site).is_none() => {
                self.remember(loaded, fresh, None, None);
            }
            Remote::Unasked | Remote::Away => {
                self.remember(loaded, fresh, self.unconfirmed(), None);
            }
            Remote::Writing => {}
            Remote::Captured(_) => return true,
        }
        false
    }

    /// Keeps the value in memory according to what became of it in the shared tier.
    pub(super) fn filled(
        &mut self,
        filled: Result<Filled>,
        loaded: &Loaded,
        life: Option<Duration>,
    ) {
        let fresh = self.call.freshness_of(life, self.load_time());
        match filled {
            Ok(Filled::Stored { bytes, heard }) => {
                self.call.engine.counters.count(Counter::Fills);
                let proof = Some(self.call.proof(self.asked, heard));
                self.remember(loaded, fresh, proof, Some(bytes));
                // Storing has ended the lease.
                self.remote = Remote::Unasked;
            }
            Ok(Filled::Fenced) => self.call.engine.counters.count(Counter::FillsFenced),
            Ok(Filled::Unfit) | Err(_) => {
                self.remember(loaded, fresh, self.unconfirmed(), None);
            }
        }
    }

    /// What vouches for a value that the shared tier has not confirmed.
    fn unconfirmed(&self) -> Option<Proof> {
        Some(self.call.proof(self.asked, self.heard.clone()))
    }

    /// One round trip, two when tags were learned from the value.
    async fn fill(
        &self,
        value: &Stored,
        life: Option<Duration>,
        learned: &[String],
    ) -> Result<Filled> {
        let Some(store) = &self.call.engine.shared else { return Ok(Filled::Unfit) };
        let life = self.call.kept_for(value, life);
        let mut nonces = Vec::new();
        if !learned.is_empty() {
            let Some(stamp) = self.stamp(life, learned) else { return Ok(Filled::Fenced) };
            match store.stamp_tags(stamp.captured, stamp.tags, stamp.dependency_life).await? {
                Some(stamped) => nonces = stamped,
                None => return Ok(Filled::Fenced),
            }
        }
        let Some(tags) = self.named(learned, &nonces) else { return Ok(Filled::Unfit) };
        let Some(bytes) = self.sealed(value, &tags) else { return Ok(Filled::Unfit) };
        let Some(fill) = self.request(&bytes, &tags, life) else { return Ok(Filled::Unfit) };
        let heard = self.confirming(learned);
        let stored = store.fill(fill).await?;
        self.call.engine.answered();
        Ok(Filled::after(stored, &bytes, heard))
    }

    /// The fence against what is heard, for a fill that is about to be sent.
    ///
    /// FILL compares the key's nonce: what was heard of the key before it is sent, and may be the making of that very
    /// nonce, no longer counts. Tags it does not compare: what was heard of them since the capture counts.
    pub(super) fn confirming(&self, learned: &[String]) -> Option<Heard> {
        let session = &self.call.engine.session;
        let heard = self.captured()?.heard.clone().filter(|heard| heard.follows);
        let heard = heard.map(|heard| session.with_tags(heard, learned));
        // Whoever does not rely on news need not count what the capture itself made.
        heard.or_else(|| self.heard.clone()).map(|heard| session.confirming(heard))
    }

    /// What confirms the tags that were learned from the value; `None` when nobody can.
    pub(super) fn stamp<'a>(
        &self,
        life: Option<Duration>,
        learned: &'a [String],
    ) -> Option<Stamp<'a>> {
        let captured = self.captured()?.tag_log?;
        Some(Stamp { captured, tags: learned, dependency_life: dependency_life(life) })
    }

    /// The tags that the entry names, `nonces` being those of the learned ones.
    pub(super) fn named<'a>(
        &'a self,
        learned: &'a [String],
        nonces: &[Nonce],
    ) -> Option<Vec<(&'a str, Nonce)>> {
        let known = self.call.tags.iter().zip(&self.captured()?.tag_nonces);
        let all = known.chain(learned.iter().zip(nonces));
        Some(all.map(|(tag, nonce)| (tag.as_str(), *nonce)).collect())
    }

    /// The bytes to store.
    pub(super) fn sealed(&self, value: &Stored, tags: &[(&str, Nonce)]) -> Option<Vec<u8>> {
        let captured = self.captured()?;
        let load = self.load_time();
        self.call.encode(captured.nonce, captured.pattern_nonce, tags, value, load).ok()
    }

    /// What stores these bytes.
    pub(super) fn request<'a>(
        &'a self,
        bytes: &'a [u8],
        tags: &'a [(&'a str, Nonce)],
        life: Option<Duration>,
    ) -> Option<Fill<'a>> {
        let captured = self.captured()?;
        Some(Fill {
            key: self.call.key.text(),
            nonce: captured.nonce,
            value: bytes,
            tags,
            life: life.map_or(Life::Forever, Life::For),
            token: captured.lease.map(|lease| lease.token),
            dependency_life: dependency_life(life),
            announced: false,
        })
    }

    pub(super) fn captured(&self) -> Option<&Captured> {
        match &self.remote {
            Remote::Captured(captured) => Some(captured),
            Remote::Unasked | Remote::Away | Remote::Writing => None,
        }
    }

    /// Keeps the value in memory until it expires.
    fn remember(
        &self,
        loaded: &Loaded,
        fresh: Freshness,
        proof: Option<Proof>,
        encoded: Option<usize>,
    ) {
        let Call { engine, key, site, .. } = &self.call;
        let entry = self.call.memory_entry(&loaded.value, &loaded.fence, fresh, proof, encoded);
        if !site.layer.memory() || entry.expires().is_some_and(|end| end <= engine.now()) {
            return;
        }
        let kept = engine.keep_in_memory(key, &entry);
        if kept {
            engine.keep_last(key, &entry, site);
        }
        // What the shared tier stored, or refused to, is counted already.
        if encoded.is_none() {
            engine.counters.count(if kept { Counter::Fills } else { Counter::FillsFenced });
        }
    }

    /// Renews the lease while the body runs.
    fn keep_lease(&self) -> Option<AbortHandle> {
        let Remote::Captured(Captured { nonce, lease: Some(lease), .. }) = self.remote else {
            return None;
        };
        let store = self.call.engine.shared.clone()?;
        let key = self.call.key.clone();
        let task = self.call.engine.runtime().ok()?.spawn(async move {
            loop {
                tokio::time::sleep(lease.life / 3).await;
                if let Ok(false) = store.renew(key.text(), nonce, lease).await {
                    return;
                }
            }
        });
        Some(task.abort_handle())
    }

    /// Frees the lease of a load that stores nothing, so that the next process need not wait for its end.
    fn give_back(&self, captured: Captured) {
        let (Some(lease), Some(store)) = (captured.lease, self.call.engine.shared.clone()) else {
            return;
        };
        let key = self.call.key.clone();
        if let Ok(runtime) = self.call.engine.runtime() {
            runtime.spawn(async move {
                // Should this fail, the lease ends by itself.
                let _ = store.release(key.text(), captured.nonce, lease.token).await;
            });
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(renewal) = self.renewal.take() {
            renewal.abort();
        }
        self.land();
        if let Remote::Captured(captured) = std::mem::replace(&mut self.remote, Remote::Unasked) {
            self.give_back(captured);
        }
    }
}

/// What became of a value in the shared tier.
pub(super) enum Filled {
    Stored {
        bytes: usize,
        /// What is heard since is compared with this.
        heard: Option<Heard>,
    },
    /// Something was invalidated meanwhile, or the lease was lost.
    Fenced,
    /// Too large, or it does not encode.
    Unfit,
}

impl Filled {
    /// What the shared tier's answer means for these bytes.
    pub(super) fn after(stored: bool, bytes: &[u8], heard: Option<Heard>) -> Self {
        if stored { Self::Stored { bytes: bytes.len(), heard } } else { Self::Fenced }
    }
}

impl Call {
    /// The entry in one buffer; why a value cannot be stored is counted.
    pub(super) fn encode(
        &self,
        key_nonce: Nonce,
        pattern_nonce: Nonce,
        tags: &[(&str, Nonce)],
        value: &Stored,
        load: Duration,
    ) -> Result<Vec<u8>> {
        let serving = &self.site.serving;
        let marked = value.is_some() && serving.marks();
        let header = Header {
            key_nonce,
            pattern_nonce,
            fill_id: envelope::new_fill_id(),
            codec: self.engine.settings.codec,
            negative: value.is_none(),
            by_hand: self.site.rules == BY_HAND,
            type_fingerprint: envelope::type_fingerprint((self.value.name)(), self.site.version),
            rules_fingerprint: self.site.rules,
            marks: marked.then(|| Marks::new(serving.grace(), load)),
        };
        self.write(&header, tags, value).inspect_err(|error| self.count_unfit(error))
    }

    fn write(&self, header: &Header, tags: &[(&str, Nonce)], value: &Stored) -> Result<Vec<u8>> {
        let (name, Settings { limits, packing, .. }) = ((self.value.name)(), &self.engine.settings);
        let mut writer = EnvelopeWriter::begin(hint::capacity(name), *limits, header);
        for (name, nonce) in tags {
            writer.tag(name, *nonce)?;
        }
        let bytes = writer.finish(self.key.text(), packing, |out| match value {
            Some(value) => self.value.encode(value, header.codec, out),
            None => Ok(()),
        })?;
        hint::remember(name, bytes.len());
        Ok(bytes)
    }

    fn count_unfit(&self, error: &Error) {
        self.engine.counters.count(match error.kind() {
            ErrorKind::TooLarge => Counter::TooLarge,
            _ => Counter::CodecErrors,
        });
        tracing::debug!(target: "larder", %error, key = self.key.text(), "a value was not stored");
    }

    /// How long the shared tier keeps a value that is fresh for `life`: also while it may stand in for another.
    pub(super) fn kept_for(&self, value: &Stored, life: Option<Duration>) -> Option<Duration> {
        let grace = value.as_ref().map_or(Duration::ZERO, |_| self.site.serving.grace());
        life.map(|life| life.saturating_add(grace))
    }

    /// Until when a value is fresh that is stored now.
    pub(super) fn freshness_of(&self, life: Option<Duration>, load: Duration) -> Freshness {
        Freshness { until: life.map(|life| self.engine.now().plus(life)), life, load }
    }

    /// Dependencies live at least twice as long as what depends on them, fresh or not.
    pub(super) fn dependency_life(&self) -> Life {
        let grace = self.site.serving.grace();
        dependency_life(self.life.map(|life| life.saturating_add(grace)))
    }
}

/// Twice the entry's life and never below an hour: a dependency that outlives its entries costs a hundred bytes, one
/// that does not costs the entries.
pub(super) fn dependency_life(life: Option<Duration>) -> Life {
    const LEAST: Duration = Duration::from_secs(3600);
    life.map_or(Life::Forever, |life| Life::For(life.saturating_mul(2).max(LEAST)))
}

/// Finishes a future that has nothing to wait for.
pub(super) fn now(future: impl Future<Output = ()>) {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let done = future.as_mut().poll(&mut context).is_ready();
    debug_assert!(done, "nothing outside this process was to be waited for");
}
