//! The leader of a flight: asks the shared tier, and announces its load there.

use std::{sync::Arc, time::Duration};

use cache_store::{Claim, ClaimOutcome, Lease, Life, Nonce, Query, Result, Store};
use tokio::time::Instant;

use super::{
    Call, Entered, Landed, Loaded, Run,
    call::{FlightKey, after},
    fill::{Captured, Remote},
    replay::Unconfirmed,
    validity::{Candidate, Verdict},
};
use crate::{clock::Moment, fence::Fence, flight::Leader, stats::Counter, value::Stored};

type Flight = Leader<FlightKey, Arc<Fence>, Landed>;

/// A reading that was changed under our hands this often is loaded without being stored.
pub(super) const ATTEMPTS: usize = 4;

impl Call {
    /// Leads when there is no shared tier to ask.
    pub(super) fn lead_in_memory(self, leader: Flight) -> Entered {
        if let Some(loaded) = self.filled_meanwhile() {
            return self.land(leader, loaded);
        }
        self.engine.counters.count(Counter::Misses);
        let fence = Arc::clone(leader.meta());
        Entered::Run(Box::new(Run::new(self, Some(leader), fence, Remote::Unasked)))
    }

    /// Leads: memory once more, then the shared tier, then the body.
    pub(super) async fn lead(self, leader: Flight) -> Entered {
        let Some(store) = self.engine.shared_for(self.site).cloned() else {
            return self.lead_in_memory(leader);
        };
        if let Some(loaded) = self.filled_meanwhile() {
            return self.land(leader, loaded);
        }
        match self.ask(&store, leader.meta()).await {
            Answer::Hit(loaded) => {
                self.engine.count_hit(Counter::HitsShared, &loaded.value);
                self.land(leader, loaded)
            }
            Answer::Load(remote) => {
                self.engine.counters.count(Counter::Misses);
                let fence = Arc::clone(leader.meta());
                Entered::Run(Box::new(Run::new(self, Some(leader), fence, remote)))
            }
        }
    }

    /// Another leader may have landed between this call's look into memory and its join.
    pub(super) fn filled_meanwhile(&self) -> Option<Loaded> {
        let entry = self.in_memory()?;
        self.engine.count_hit(Counter::HitsMemory, &entry.value);
        let live_until = self.engine.session.live_until();
        // The entry's fence and not the flight's: it knows the tags that were learned from the value.
        Some(Loaded {
            value: entry.value.clone(),
            fence: Arc::new(entry.fence.clone()),
            for_arrivals_until: entry.proof.as_ref().map(|proof| match proof.heard {
                Some(_) => proof.until.max(live_until),
                None => proof.until,
            }),
        })
    }

    fn land(&self, leader: Flight, loaded: Loaded) -> Entered {
        let value = loaded.value.clone();
        leader.land(Landed::Value(loaded));
        Entered::Value(value)
    }

    async fn ask(&self, store: &Arc<dyn Store>, fence: &Arc<Fence>) -> Answer {
        let patience = self.site.lease.map(|lease| after(Instant::now(), lease.wait));
        match self.ask_until(store, fence, patience).await {
            Ok(answer) => answer,
            Err(error) => {
                self.engine.count_error(&error);
                Answer::Load(Remote::Away)
            }
        }
    }

    async fn ask_until(
        &self,
        store: &Arc<dyn Store>,
        fence: &Arc<Fence>,
        patience: Option<Instant>,
    ) -> Result<Answer> {
        let mut refused = match self.read(store, fence).await? {
            Found::Valid(loaded) => return Ok(Answer::Hit(loaded)),
            Found::Refused(head) => head,
        };
        let mut attempts = ATTEMPTS;
        while attempts > 0 {
            match self.claim(store, fence, &refused, patience).await? {
                Claimed::Load(captured) => return Ok(Answer::Load(Remote::Captured(captured))),
                Claimed::Writing => return Ok(Answer::Load(Remote::Writing)),
                Claimed::Found(Found::Valid(loaded)) => return Ok(Answer::Hit(loaded)),
                Claimed::Found(Found::Refused(head)) => {
                    refused = head;
                    attempts -= 1;
                }
                Claimed::LeaseEnded => match self.read(store, fence).await? {
                    Found::Valid(loaded) => return Ok(Answer::Hit(loaded)),
                    Found::Refused(head) => refused = head,
                },
            }
        }
        Ok(Answer::Load(Remote::Writing))
    }

    /// The first round trip: the value and what says whether it is valid.
    pub(super) async fn read(&self, store: &Arc<dyn Store>, fence: &Arc<Fence>) -> Result<Found> {
        self.read_asking(store, fence, self.site.layer.memory()).await.map(|(found, _)| found)
    }

    /// The same with the remaining life.
    pub(super) async fn read_with_life(
        &self,
        store: &Arc<dyn Store>,
        fence: &Arc<Fence>,
    ) -> Result<(Found, Option<Life>)> {
        self.read_asking(store, fence, true).await
    }

    async fn read_asking(
        &self,
        store: &Arc<dyn Store>,
        fence: &Arc<Fence>,
        life: bool,
    ) -> Result<(Found, Option<Life>)> {
        let asked = self.asked();
        let reading = store.read(self.query(life)).await?;
        self.engine.answered();
        let Some(candidate) = self.candidate(&reading, &asked.unconfirmed) else {
            return Ok((Found::Refused(Vec::new()), None));
        };
        let found = self.judge(store, fence, candidate, reading.life, &asked).await?;
        Ok((found, reading.life))
    }

    pub(super) fn query(&self, life: bool) -> Query<'_> {
        Query { key: self.key.text(), tags: &self.tags, pattern: true, life }
    }

    async fn judge(
        &self,
        store: &Arc<dyn Store>,
        fence: &Arc<Fence>,
        candidate: Candidate<'_>,
        life: Option<Life>,
        asked: &Asked,
    ) -> Result<Found> {
        let verdict = self.validate(store, candidate).await?;
        Ok(self.found(verdict, fence, life, asked))
    }

    /// What a verdict means for this call; a valid value is kept in memory.
    pub(super) fn found(
        &self,
        verdict: Verdict,
        fence: &Arc<Fence>,
        life: Option<Life>,
        asked: &Asked,
    ) -> Found {
        match verdict {
            Verdict::Refused(head) => Found::Refused(head),
            Verdict::Valid { value, tags, encoded } => {
                let fence = self.promote(fence, &value, &tags, encoded, life, asked);
                let for_arrivals_until = Some(self.for_arrivals_until(asked.at));
                Found::Valid(Loaded { value, fence, for_arrivals_until })
            }
        }
    }

    /// Keeps a value of the shared tier in memory, for as long as it lives there.
    fn promote(
        &self,
        fence: &Arc<Fence>,
        value: &Stored,
        tags: &[String],
        encoded: usize,
        life: Option<Life>,
        asked: &Asked,
    ) -> Arc<Fence> {
        let fence = Arc::new(Fence::clone(fence).with_tags(&self.engine.fences, tags));
        let expires = match life {
            Some(Life::For(left)) => Some(asked.at.plus(left)),
            Some(Life::Forever) => None,
            None => return fence,
        };
        if self.site.layer.memory() {
            let heard = asked.heard.clone();
            let heard = heard.map(|heard| self.engine.session.with_tags(heard, tags));
            let proof = Some(self.proof(asked.at, heard));
            let entry = self.memory_entry(value, &fence, expires, proof, Some(encoded));
            self.engine.keep_in_memory(&self.key, entry);
        }
        fence
    }

    /// What has to be noted before the shared tier is asked anything.
    pub(super) fn asked(&self) -> Asked {
        Asked {
            at: self.engine.now(),
            heard: self.hearing(),
            unconfirmed: self.engine.unconfirmed(),
        }
    }

    /// The second round trip: captures the nonces that the entry will carry, and the lease.
    async fn claim(
        &self,
        store: &Arc<dyn Store>,
        fence: &Arc<Fence>,
        refused: &[u8],
        patience: Option<Instant>,
    ) -> Result<Claimed> {
        let asked = self.asked();
        let lease = self.lease(patience)?;
        let claimed = store.claim(self.announcement(refused, lease)).await?;
        let Some(newest) = claimed.patterns.last().map(|record| record.nonce) else {
            return Ok(Claimed::Writing);
        };
        match claimed.outcome {
            ClaimOutcome::Load(nonce) => Ok(Claimed::Load(Captured {
                asked: asked.at,
                heard: asked.heard,
                nonce,
                pattern_nonce: newest,
                tag_nonces: claimed.tag_nonces,
                tag_log: claimed.tag_log,
                lease,
            })),
            ClaimOutcome::Writing => Ok(Claimed::Writing),
            ClaimOutcome::Held(left) => {
                let left = patience
                    .map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now()))
                    .min(left);
                store.lease_ended(self.key.text(), left).await;
                Ok(Claimed::LeaseEnded)
            }
            ClaimOutcome::Found { value, life } => {
                let nonces: Vec<Option<Nonce>> = claimed.tag_nonces.into_iter().map(Some).collect();
                let candidate = Candidate {
                    bytes: &value,
                    newest_pattern: Some(newest),
                    patterns: Some(&claimed.patterns),
                    tags: &self.tags,
                    tag_nonces: &nonces,
                    unconfirmed: &asked.unconfirmed,
                };
                self.judge(store, fence, candidate, Some(life), &asked).await.map(Claimed::Found)
            }
        }
    }

    pub(super) fn announcement<'a>(&'a self, refused: &'a [u8], lease: Option<Lease>) -> Claim<'a> {
        Claim {
            key: self.key.text(),
            tags: &self.tags,
            lease,
            refused,
            known: self.engine.session.newest_pattern(),
            tag_log: self.site.learns,
            dependency_life: self.dependency_life(),
        }
    }

    /// A lease for this acquisition, while there is patience to wait for one.
    fn lease(&self, patience: Option<Instant>) -> Result<Option<Lease>> {
        match (self.site.lease, patience) {
            (Some(plan), Some(end)) if Instant::now() < end => {
                Ok(Some(Lease { token: Nonce::random()?, life: plan.ttl }))
            }
            _ => Ok(None),
        }
    }
}

/// What was known before the shared tier was asked.
pub(super) struct Asked {
    pub(super) at: Moment,
    /// What is heard from then on is compared with this.
    pub(super) heard: Option<Fence>,
    pub(super) unconfirmed: Unconfirmed,
}

pub(super) enum Answer {
    Hit(Loaded),
    Load(Remote),
}

pub(super) enum Found {
    Valid(Loaded),
    /// Nothing valid; the head of what was refused.
    Refused(Vec<u8>),
}

enum Claimed {
    Load(Captured),
    Found(Found),
    LeaseEnded,
    Writing,
}
