//! The leader of a flight: asks the shared tier, and announces its load there.

use std::{sync::Arc, time::Duration};

use cache_store::{Claim, ClaimOutcome, Lease, Life, Nonce, Query, Result, Store};
use tokio::time::Instant;

use super::{
    Call, Entered, Flight, Landed, Loaded, Run,
    call::after,
    fill::{Captured, Remote},
    replay::Unconfirmed,
    stale::Fallback,
    validity::{Candidate, Verdict},
};
use crate::{
    clock::Moment,
    envelope::Marks,
    fence::Fence,
    memory::{Age, Aging, Freshness, Heard, Sight},
    private::BY_HAND,
    stats::Counter,
    value::Stored,
};

/// A reading that was changed under our hands this often is loaded without being stored.
pub(super) const ATTEMPTS: usize = 4;

impl Call {
    /// Leads when there is no shared tier to ask.
    pub(super) fn lead_in_memory(self, leader: Flight) -> Entered {
        if let Some(loaded) = self.filled_meanwhile() {
            return self.land(leader, loaded);
        }
        self.count(Counter::Misses);
        let fence = leader.meta().clone();
        Entered::Run(Run::new(self, Some(leader), fence, Remote::Unasked))
    }

    /// Leads: memory once more, then the shared tier, then the body.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async function has room for its arguments twice"
    )]
    pub(super) fn lead(self, leader: Flight) -> impl Future<Output = Entered> + Send {
        async move {
            let Some(store) = self.engine.shared_for(self.site).cloned() else {
                return self.lead_in_memory(leader);
            };
            if let Some(loaded) = self.filled_meanwhile() {
                return self.land(leader, loaded);
            }
            match self.ask(&store, leader.meta()).await {
                Answer::Hit(loaded) => {
                    self.count_hit(Counter::HitsShared, &loaded.value);
                    self.land(leader, loaded)
                }
                Answer::Behind(loaded) => {
                    self.count_hit(Counter::HitsShared, &loaded.value);
                    let value = loaded.value.clone();
                    leader.land(Landed::Value(loaded));
                    Entered::Behind(value)
                }
                Answer::Load(remote, fallback) => {
                    self.count(Counter::Misses);
                    Entered::Run(self.run_anew(leader, remote, fallback))
                }
                // Only a renewal leaves the load to others.
                Answer::Elsewhere => Entered::Run(self.run_anew(leader, Remote::Writing, None)),
            }
        }
    }

    /// Leads on behalf of nobody: `None` when somebody else has renewed the entry, or is about to.
    pub(crate) async fn renew(mut self, leader: Flight) -> Option<Box<Run>> {
        self.renewing = true;
        let Some(store) = self.engine.shared_for(self.site).cloned() else {
            return Some(self.run_anew(leader, Remote::Unasked, None));
        };
        match self.ask(&store, leader.meta()).await {
            Answer::Hit(loaded) | Answer::Behind(loaded) => {
                leader.land(Landed::Value(loaded));
                None
            }
            Answer::Load(remote, fallback) => Some(self.run_anew(leader, remote, fallback)),
            Answer::Elsewhere => None,
        }
    }

    /// The right to run the body, on behalf of a flight.
    pub(super) fn run_anew(
        self,
        leader: Flight,
        remote: Remote,
        fallback: Option<Box<Fallback>>,
    ) -> Box<Run> {
        let fence = leader.meta().clone();
        Run::new(self, Some(leader), fence, remote).or_else(fallback)
    }

    /// Another leader may have landed between this call's look into memory and its join. Its insert was counted before.
    pub(super) fn filled_meanwhile(&self) -> Option<Loaded> {
        if self.absence.is_some_and(|it| self.engine.memory.is_absent(self.key.hash(), it)) {
            return None;
        }
        // Of a key that a person gave, this is the first look.
        let by_hand = self.site.rules == BY_HAND;
        let entry = self.in_memory(if by_hand { Sight::Recorded } else { Sight::Unrecorded })?;
        self.count_hit(Counter::HitsMemory, &entry.value);
        let live_until = self.engine.session.live_until();
        // The entry's fence and not the flight's: it knows the tags that were learned from the value.
        Some(Loaded {
            value: entry.value.clone(),
            fence: entry.fence.clone(),
            for_arrivals_until: entry.proof.as_ref().map(|proof| match proof.follows() {
                true => proof.until.max(live_until),
                false => proof.until,
            }),
        })
    }

    fn land(&self, leader: Flight, loaded: Loaded) -> Entered {
        let value = loaded.value.clone();
        leader.land(Landed::Value(loaded));
        Entered::Value(value)
    }

    async fn ask(&self, store: &Arc<dyn Store>, fence: &Fence) -> Answer {
        let patience = self.site.lease.map(|lease| after(Instant::now(), lease.wait));
        let mut old = None;
        match self.ask_until(store, fence, patience, &mut old).await {
            Ok(answer) => answer,
            Err(error) => {
                self.engine.count_error(&error);
                Answer::Load(Remote::Away, old)
            }
        }
    }

    /// `old` is left what was found and is not fresh. What a hit does not come to is apart: each one would carry the room for it.
    async fn ask_until(
        &self,
        store: &Arc<dyn Store>,
        fence: &Fence,
        patience: Option<Instant>,
        old: &mut Option<Box<Fallback>>,
    ) -> Result<Answer> {
        let mut refused = match self.sort(self.read(store, fence).await?, old) {
            Ok(answer) => return Ok(answer),
            Err(head) => head,
        };
        let mut attempts = ATTEMPTS;
        while attempts > 0 {
            match Box::pin(self.claim(store, fence, &refused, patience)).await? {
                Claimed::Load(captured) => {
                    return Ok(Answer::Load(Remote::Captured(captured), old.take()));
                }
                Claimed::Writing => return Ok(Answer::Load(Remote::Writing, old.take())),
                Claimed::Elsewhere => return Ok(Answer::Elsewhere),
                Claimed::Found(found) => match self.sort(found, old) {
                    Ok(answer) => return Ok(answer),
                    Err(head) => {
                        refused = head;
                        attempts -= 1;
                    }
                },
                Claimed::LeaseEnded => {
                    match self.sort(Box::pin(self.read(store, fence)).await?, old) {
                        Ok(answer) => return Ok(answer),
                        Err(head) => refused = head,
                    }
                }
            }
        }
        Ok(Answer::Load(Remote::Writing, old.take()))
    }

    /// What is made of what was found; otherwise the head of what is not to be offered again.
    fn sort(
        &self,
        found: Found,
        old: &mut Option<Box<Fallback>>,
    ) -> std::result::Result<Answer, Vec<u8>> {
        let (loaded, age, head, heard) = match found {
            Found::Valid(loaded) => return Ok(Answer::Hit(loaded)),
            Found::Refused(head) => return Err(head),
            Found::Aged { loaded, age, head, heard } => (loaded, age, head, heard),
        };
        let now = self.engine.now();
        let at_once = match age {
            Age::Fresh | Age::Due => true,
            Age::Stale(since) => now < since.plus(self.site.serving.while_revalidate),
        };
        if at_once && !self.renewing {
            return Ok(Answer::Behind(loaded));
        }
        let fresh = match age {
            Age::Stale(since) => since,
            Age::Fresh | Age::Due => now,
        };
        *old = Some(Box::new(Fallback { loaded, fresh, heard }));
        Err(head)
    }

    /// The first round trip: the value and what says whether it is valid.
    pub(super) async fn read(&self, store: &Arc<dyn Store>, fence: &Fence) -> Result<Found> {
        self.read_asking(store, fence, self.asks_for_life()).await.map(|(found, _)| found)
    }

    /// Whether it matters how long the shared tier keeps the entry still.
    pub(super) fn asks_for_life(&self) -> bool {
        self.site.layer.memory() || self.site.serving.ages()
    }

    /// The same with the remaining life.
    pub(super) async fn read_with_life(
        &self,
        store: &Arc<dyn Store>,
        fence: &Fence,
    ) -> Result<(Found, Option<Life>)> {
        self.read_asking(store, fence, true).await
    }

    async fn read_asking(
        &self,
        store: &Arc<dyn Store>,
        fence: &Fence,
        life: bool,
    ) -> Result<(Found, Option<Life>)> {
        let asked = self.asked();
        let reading = self.engine.watched("read", store.read(self.query(life))).await?;
        self.engine.answered();
        let Some(candidate) = self.candidate(&reading, &asked.unconfirmed) else {
            return Ok((Found::Refused(Vec::new()), None));
        };
        let found = match self.verdict_at_once(&candidate) {
            Some(verdict) => self.found(verdict, fence, reading.life, &asked),
            None => Box::pin(self.judge(store, fence, candidate, reading.life, &asked)).await?,
        };
        Ok((found, reading.life))
    }

    pub(super) fn query(&self, life: bool) -> Query<'_> {
        Query { key: self.key.text(), tags: &self.tags, pattern: true, life }
    }

    async fn judge(
        &self,
        store: &Arc<dyn Store>,
        fence: &Fence,
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
        fence: &Fence,
        life: Option<Life>,
        asked: &Asked,
    ) -> Found {
        match verdict {
            Verdict::Refused(head) => Found::Refused(head),
            Verdict::Valid { value, tags, encoded, marks } => {
                let marked = marks.as_ref().map(|(marks, _)| *marks).unwrap_or_default();
                let fresh = self.freshness(life, marked, asked.at, &value);
                let age = fresh.map_or(Age::Fresh, |fresh| self.age(fresh));
                // Where it was not asked how long the entry lives, nobody can tell whether it is fresh.
                let known = fresh.is_some() || marked.grace == 0;
                let serves = known && (age == Age::Fresh || self.site.serving.ages());
                let head = marks.map(|(_, head)| head);
                if !serves || (matches!(age, Age::Stale(_)) && self.site.serving.grace().is_zero())
                {
                    return Found::Refused(head.unwrap_or_default());
                }
                let aged = Promoted { fresh, is_renewed: age != Age::Fresh };
                let fence = self.promote(fence, &value, &tags, encoded, aged, asked);
                let for_arrivals_until = Some(self.for_arrivals_until(asked.at));
                let loaded = Loaded { value, fence, for_arrivals_until };
                match head {
                    Some(head) if age != Age::Fresh => {
                        let heard = asked.heard.clone();
                        let heard = heard.map(|it| self.engine.session.with_tags(it, &tags));
                        Found::Aged { loaded, age, head, heard }
                    }
                    _ => Found::Valid(loaded),
                }
            }
        }
    }

    /// Until when what lives so long in the shared tier is fresh; `None` where its life was not asked for.
    fn freshness(
        &self,
        life: Option<Life>,
        marks: Marks,
        asked: Moment,
        value: &Stored,
    ) -> Option<Freshness> {
        let until = match life? {
            // The difference first: it may be over already.
            Life::For(left) if left >= marks.grace() => Some(asked.plus(left - marks.grace())),
            Life::For(left) => Some(Moment::before(asked, marks.grace() - left)),
            Life::Forever => None,
        };
        let life = match self.life_of {
            Some(of) => of.life_of(value),
            None => self.life.filter(|_| !self.site.life_varies),
        };
        Some(Freshness { until, life, load: marks.load() })
    }

    /// How old a value is for this function.
    fn age(&self, fresh: Freshness) -> Age {
        let serving = &self.site.serving;
        let Some(until) = fresh.until else { return Age::Fresh };
        let (now, aging) = (self.engine.now(), Aging::new(fresh, until, until, serving));
        match aging.age(now, serving) {
            // A renewal was drawn once: what might be drawn again is the same entry still.
            Age::Fresh if self.renewing && aging.due(serving) <= now => Age::Due,
            age => age,
        }
    }

    /// Keeps a value of the shared tier in memory, for as long as it lives there.
    fn promote(
        &self,
        fence: &Fence,
        value: &Stored,
        tags: &[String],
        encoded: usize,
        Promoted { fresh, is_renewed }: Promoted,
        asked: &Asked,
    ) -> Fence {
        let fence = match tags.iter().all(|tag| self.tags.contains(tag)) {
            true => fence.clone(),
            false => fence.clone().with_tags(&self.engine.fences, tags),
        };
        let Some(fresh) = fresh.filter(|_| self.site.layer.memory()) else { return fence };
        if self.renewing && is_renewed {
            // Memory has it already.
            return fence;
        }
        let heard = asked.heard.clone();
        let heard = heard.map(|heard| self.engine.session.with_tags(heard, tags));
        let proof = Some(self.proof(asked.at, heard));
        let entry = self.memory_entry(value, &fence, fresh, proof, Some(encoded));
        if let Some(aging) = entry.aging.as_ref().filter(|_| is_renewed) {
            aging.claim(self.engine.now());
        }
        if self.engine.keep_in_memory(&self.key, &entry, self.absence) {
            self.engine.keep_last(&self.key, &entry, self.site);
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
        fence: &Fence,
        refused: &[u8],
        patience: Option<Instant>,
    ) -> Result<Claimed> {
        let asked = self.asked();
        let lease = self.lease(patience)?;
        let claim = store.claim(self.announcement(refused, lease));
        let claimed = self.engine.watched("claim", claim).await?;
        let Some(newest) = claimed.patterns.last().map(|record| record.nonce) else {
            return Ok(Claimed::Writing);
        };
        match claimed.outcome {
            ClaimOutcome::Load(nonce) => Ok(Claimed::Load(Box::new(Captured {
                asked: asked.at,
                heard: asked.heard,
                nonce,
                pattern_nonce: newest,
                tag_nonces: claimed.tag_nonces,
                tag_log: claimed.tag_log,
                changing: claimed.changing,
                lease,
            }))),
            ClaimOutcome::Writing => Ok(Claimed::Writing),
            // Somebody renews it: that is all a renewal is for.
            ClaimOutcome::Held(_) if self.renewing => Ok(Claimed::Elsewhere),
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
    pub(super) heard: Option<Heard>,
    pub(super) unconfirmed: Unconfirmed,
}

/// What is known of the age of an entry that is kept in memory.
struct Promoted {
    /// `None` where its life was not asked for: then it is not kept.
    fresh: Option<Freshness>,
    /// Whether whoever has found it renews it.
    is_renewed: bool,
}

pub(super) enum Answer {
    Hit(Loaded),
    /// A hit that is to be renewed.
    Behind(Loaded),
    /// What was found instead stands in should the body fail.
    Load(Remote, Option<Box<Fallback>>),
    /// Somebody else loads it.
    Elsewhere,
}

pub(super) enum Found {
    Valid(Loaded),
    /// Valid, and not fresh or to be renewed. The head is of its bytes.
    Aged {
        loaded: Loaded,
        age: Age,
        head: Vec<u8>,
        /// What is heard since it was asked for is compared with this.
        heard: Option<Heard>,
    },
    /// Nothing valid; the head of what was refused.
    Refused(Vec<u8>),
}

enum Claimed {
    Load(Box<Captured>),
    Found(Found),
    LeaseEnded,
    Writing,
    Elsewhere,
}
