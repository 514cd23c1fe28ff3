//! The run of a body: what is known when it begins, and what becomes of what it returned.

use std::{mem, time::Duration};

use tokio::task::AbortHandle;
use tracing::Span;

use super::{
    Call, Flight, Landed, Loaded, Step,
    fill::{Captured, Remote},
    stale::Fallback,
};
use crate::{
    clock::Moment,
    fence::Fence,
    flight::Leader,
    memory::{Freshness, Heard, Proof},
    runtime,
    stats::Counter,
    value::{Erased, Stored},
};

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
    pub(super) call: Call,
    leader: Option<Flight>,
    /// What those who wait are given, as soon as it is known.
    landed: Option<Landed>,
    fence: Fence,
    pub(super) remote: Remote,
    began: Moment,
    /// Other processes' invalidations from this moment on may not be noticed by the load.
    pub(super) asked: Moment,
    /// What is compared with what is heard since the body began, for a value that the shared tier does not confirm and that
    /// stands in for others.
    pub(super) heard: Option<Heard>,
    renewal: Option<AbortHandle>,
    /// What the shared tier had that is not fresh.
    pub(super) fallback: Option<Box<Fallback>>,
    /// The body's, while it runs.
    span: Span,
}

impl Run {
    pub(super) fn new(
        call: Call,
        leader: Option<Flight>,
        fence: Fence,
        remote: Remote,
    ) -> Box<Self> {
        let began = call.engine.now();
        let asked = match &remote {
            Remote::Captured(captured) => captured.asked,
            Remote::Unasked | Remote::Away | Remote::Writing => began,
        };
        let heard = call.hearing_alone();
        let mut run = Box::new(Self {
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
            span: Span::none(),
        });
        run.renewal = run.keep_lease();
        run
    }

    /// With what may stand in for the body's value.
    pub(super) fn or_else(mut self: Box<Self>, fallback: Option<Box<Fallback>>) -> Box<Self> {
        self.fallback = fallback;
        self
    }

    /// The span to run the body in.
    pub(crate) fn span(&mut self) -> Span {
        self.span = self.call.load_span();
        self.span.clone()
    }

    /// The span to run the body of a batch in, which loads so many elements.
    pub(crate) fn span_of_batch(&mut self, elements: usize) -> Span {
        self.span = self.call.batch_span(elements);
        self.span.clone()
    }

    /// The body is done: what comes now is not in its span.
    pub(super) fn end_span(&mut self, outcome: &'static str) {
        mem::replace(&mut self.span, Span::none()).record("outcome", outcome);
    }

    /// How long the body has been running.
    pub(super) fn load_time(&self) -> Duration {
        self.began.until(self.call.engine.now())
    }

    /// Stores what the body returned and wakes those who wait. There is something to wait for only where the shared tier is
    /// to have the value.
    pub(crate) fn settle(mut self: Box<Self>, keep: Keep) -> Step<()> {
        let ended = self.count_load(&keep);
        self.end_span(keep.outcome());
        match keep {
            Keep::Value { value, life, learned } => {
                let loaded = self.loaded(value, &learned);
                // Known from here on: should the caller go while it is stored, those who wait get it all the same.
                self.landed = Some(Landed::Value(loaded));
                if let Some(Landed::Value(loaded)) = &self.landed
                    && self.is_to_be_filled(loaded, life, ended)
                {
                    let loaded = loaded.clone();
                    return Step::Wait(Box::pin(self.store(loaded, life, learned)));
                }
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
        Step::Done(())
    }

    /// [`settle`](Self::settle) for a sync function: waits on the calling thread.
    pub(crate) fn settle_sync(self: Box<Self>, keep: Keep) {
        if let Step::Wait(settling) = self.settle(keep) {
            runtime::wait_for(settling);
        }
    }

    /// Counts the run of a body, which ends now.
    pub(super) fn count_load(&self, keep: &Keep) -> Moment {
        let ended = self.call.engine.now();
        if matches!(keep, Keep::Stale(_) | Keep::Error(_) | Keep::Nothing) {
            self.call.count(Counter::LoadErrors);
        }
        let Call { engine, site, .. } = &self.call;
        let took = self.began.until(ended);
        engine.functions.with(site, |counters| counters.loaded(took));
        engine.tell_load(took);
        ended
    }

    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    fn land(&mut self) {
        if let (Some(leader), Some(landed)) = (self.leader.take(), self.landed.take()) {
            leader.land(landed);
        }
    }

    async fn store(
        mut self: Box<Self>,
        loaded: Loaded,
        life: Option<Duration>,
        learned: Vec<String>,
    ) {
        let filled = self.fill(&loaded.value, life, &learned).await;
        if let Err(error) = &filled {
            self.call.engine.count_error(error);
        }
        self.filled(filled, &loaded, life);
        self.land();
    }

    /// Whether the shared tier is to have the value of a body that ended then. Where nobody is asked, memory gets it here.
    pub(super) fn is_to_be_filled(
        &self,
        loaded: &Loaded,
        life: Option<Duration>,
        ended: Moment,
    ) -> bool {
        let engine = &self.call.engine;
        let superseded = self.leader.as_ref().is_some_and(Leader::is_superseded);
        let alone = engine.shared_for(self.call.site).is_none();
        // Memory asks the same where it keeps the value.
        if superseded || !(alone || self.call.is_joinable(&loaded.fence)) {
            self.call.count(Counter::FillsFenced);
            return false;
        }
        match &self.remote {
            Remote::Unasked if alone => {
                self.remember(loaded, life, ended, None, None);
            }
            Remote::Unasked | Remote::Away => {
                self.remember(loaded, life, ended, self.unconfirmed(), None);
            }
            Remote::Writing => {}
            Remote::Captured(_) => return true,
        }
        false
    }

    /// What vouches for a value that the shared tier has not confirmed.
    pub(super) fn unconfirmed(&self) -> Option<Proof> {
        Some(self.call.proof(self.asked, self.heard.clone()))
    }

    /// Keeps the value in memory from now on until it expires.
    pub(super) fn remember(
        &self,
        loaded: &Loaded,
        life: Option<Duration>,
        now: Moment,
        proof: Option<Proof>,
        encoded: Option<usize>,
    ) {
        let Call { engine, key, site, .. } = &self.call;
        if !site.layer.memory() {
            return;
        }
        let fresh = Freshness::from(now, life, self.began.until(now));
        let entry = self.call.memory_entry(&loaded.value, &loaded.fence, fresh, proof, encoded);
        if entry.expires().is_some_and(|end| end <= now) {
            return;
        }
        let kept = engine.keep_in_memory(key, &entry, self.call.absence);
        if kept {
            engine.keep_last(key, &entry, site);
        }
        // What the shared tier stored, or refused to, is counted already.
        if encoded.is_none() {
            self.call.count(if kept { Counter::Fills } else { Counter::FillsFenced });
        }
    }

    /// A value and what it depends on.
    pub(super) fn loaded(&mut self, value: Stored, learned: &[String]) -> Loaded {
        let Call { engine, site, .. } = &self.call;
        self.heard = self.heard.take().map(|heard| engine.session.with_tags(heard, learned));
        let fence = match learned {
            [] => self.fence.clone(),
            learned => self.fence.clone().with_tags(&engine.fences, learned),
        };
        // Also where the shared tier did not answer: it may answer others, who have invalidated since.
        let for_arrivals_until =
            engine.shared_for(site).map(|_| self.call.for_arrivals_until(self.asked));
        Loaded { value, fence, for_arrivals_until }
    }

    /// Renews the lease while the body runs.
    fn keep_lease(&self) -> Option<AbortHandle> {
        let Captured { nonce, lease, .. } = *self.captured()?;
        let lease = lease?;
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
    fn give_back(&self, captured: &Captured) {
        let nonce = captured.nonce;
        let (Some(lease), Some(store)) = (captured.lease, self.call.engine.shared.clone()) else {
            return;
        };
        let key = self.call.key.clone();
        if let Ok(runtime) = self.call.engine.runtime() {
            runtime.spawn(async move {
                // Should this fail, the lease ends by itself.
                let _ = store.release(key.text(), nonce, lease.token).await;
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
            self.give_back(&captured);
        }
    }
}
