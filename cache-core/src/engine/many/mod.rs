//! Many keys of one function at once: one round trip for all reads, one for all claims, one for all fills.
//!
//! Each key takes the way that a single one takes, by the same rules, and is refused or kept alone. Nobody is waited for,
//! and nobody waits: there are neither flights nor leases here. Two callers that miss the same key at the same time both
//! load it, and both fills are fenced as ever.

mod judge;
mod settle;
mod write;

use std::sync::Arc;

use cache_store::{
    Claim, ClaimOutcome, Claimed, Error, Life, Nonce, Query, Reading, Result, Store,
};

pub(super) use self::write::announce_all;
pub(crate) use self::{
    settle::{settle_many, settle_many_sync},
    write::{Setting, set_many, set_many_in_memory},
};
use super::{
    Call, Engine, Entered, Run,
    fill::{Captured, Remote},
    lead::{ATTEMPTS, Answer, Asked, Found},
    validity::Candidate,
};
use crate::{fence::Fence, memory::Age, runtime, stats::Counter, value::Stored};

/// One key on its way to a value or to the body.
struct Item {
    call: Call,
    /// From before anything was asked.
    fence: Fence,
    stage: Stage,
}

enum Stage {
    /// Nothing valid yet; the head of what was refused.
    Open(Vec<u8>),
    Known(Answer),
    /// The shared tier did not answer for this key.
    Failed(Error),
}

/// What the calls turn into, in their order: values, or the right to run the body.
///
/// All calls are of one function and one cache, and missed the memory tier.
pub(crate) async fn enter_many(calls: Vec<Call>) -> Vec<Entered> {
    let mut items = items(calls);
    if let Some(store) = shared(&items) {
        ask(&mut items, &store).await;
    }
    items.into_iter().map(Item::entered).collect()
}

/// The same for a sync function: waits on the calling thread where there is a shared tier to ask.
pub(crate) fn enter_many_sync(calls: Vec<Call>) -> Vec<Entered> {
    let items = items(calls);
    if shared(&items).is_none() {
        return items.into_iter().map(Item::entered).collect();
    }
    let alone: Vec<_> = items.iter().map(|item| (item.call.clone(), item.fence.clone())).collect();
    let calls = items.into_iter().map(|item| item.call).collect();
    let away = |(call, fence)| Entered::Run(Run::new(call, None, fence, Remote::Away));
    runtime::wait_for(enter_many(calls)).unwrap_or_else(|| alone.into_iter().map(away).collect())
}

/// What is cached for each of the calls now; never loads. A key whose part of the shared tier is away is a miss; an error
/// only where nothing is known of any of them.
pub(crate) async fn get_many(calls: Vec<Call>) -> Result<Vec<Option<Stored>>> {
    let mut found: Vec<Option<Stored>> = calls.iter().map(Call::hit).collect();
    let missing: Vec<usize> = (0..calls.len()).filter(|&at| found[at].is_none()).collect();
    let mut items = items(missing.iter().map(|&at| calls[at].clone()).collect());
    if let Some(store) = shared(&items) {
        read(&mut items, &store).await;
    }
    let mut known = items.len() < calls.len();
    let mut failure = None;
    for (at, Item { call, stage, .. }) in missing.into_iter().zip(items) {
        known |= !matches!(stage, Stage::Failed(_));
        match stage {
            Stage::Known(Answer::Hit(loaded) | Answer::Behind(loaded)) => {
                call.count_hit(Counter::HitsShared, &loaded.value);
                found[at] = Some(loaded.value);
            }
            Stage::Known(Answer::Load(..) | Answer::Elsewhere) | Stage::Open(_) => {
                call.count(Counter::Misses);
            }
            Stage::Failed(error) => {
                call.count(Counter::Misses);
                failure = Some(error);
            }
        }
    }
    match failure {
        Some(error) if !known => Err(error),
        _ => Ok(found),
    }
}

fn items(calls: Vec<Call>) -> Vec<Item> {
    let item = |call: Call| Item { fence: call.fence(), call, stage: Stage::Open(Vec::new()) };
    calls.into_iter().map(item).collect()
}

fn shared(items: &[Item]) -> Option<Arc<dyn Store>> {
    let Call { engine, site, .. } = &items.first()?.call;
    engine.shared_for(site).cloned()
}

impl Item {
    fn entered(self) -> Entered {
        let Self { call, fence, stage } = self;
        let remote = match stage {
            Stage::Known(Answer::Hit(loaded) | Answer::Behind(loaded)) => {
                call.count_hit(Counter::HitsShared, &loaded.value);
                return Entered::Value(loaded.value);
            }
            Stage::Known(Answer::Load(remote, _)) => remote,
            Stage::Known(Answer::Elsewhere) => Remote::Writing,
            Stage::Failed(_) => Remote::Away,
            // Where there is a shared tier, an item that is open still was changed too often to be stored.
            Stage::Open(_) if call.engine.shared_for(call.site).is_some() => Remote::Writing,
            Stage::Open(_) => Remote::Unasked,
        };
        call.count(Counter::Misses);
        Entered::Run(Run::new(call, None, fence, remote))
    }

    fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }
}

/// One round trip when all is there, two when something has to be loaded.
async fn ask(items: &mut [Item], store: &Arc<dyn Store>) {
    read(items, store).await;
    for _ in 0..ATTEMPTS {
        if !items.iter().any(Item::is_open) {
            return;
        }
        claim(items, store).await;
    }
}

/// The first round trip: the values and what says whether they are valid.
async fn read(items: &mut [Item], store: &Arc<dyn Store>) {
    let Some(engine) = items.first().map(|item| Arc::clone(&item.call.engine)) else { return };
    let asked: Vec<Asked> = items.iter().map(|item| item.call.asked()).collect();
    let queries: Vec<Query<'_>> =
        items.iter().map(|item| item.call.query(item.call.asks_for_life())).collect();
    let readings = engine.watched("read", store.read_many(&queries)).await;
    note(&engine, &readings);
    let candidates: Vec<(usize, &Call, Candidate<'_>)> = (items.iter().zip(&readings).enumerate())
        .filter_map(|(at, (item, reading))| {
            let unconfirmed = &asked[at].unconfirmed;
            let candidate = item.call.candidate(reading.as_ref().ok()?, unconfirmed)?;
            Some((at, &item.call, candidate))
        })
        .collect();
    let verdicts = judge::all(store, candidates).await;
    let lives: Vec<Option<Life>> =
        readings.iter().map(|reading| reading.as_ref().ok().and_then(|it| it.life)).collect();
    fail(items.iter_mut().zip(readings));
    for (at, verdict) in verdicts {
        items[at].judged(verdict, lives[at], &asked[at]);
    }
}

/// The second round trip: the nonces that the entries will carry.
async fn claim(items: &mut [Item], store: &Arc<dyn Store>) {
    let Some(engine) = items.first().map(|item| Arc::clone(&item.call.engine)) else { return };
    let mut open: Vec<&mut Item> = items.iter_mut().filter(|item| item.is_open()).collect();
    let asked: Vec<Asked> = open.iter().map(|item| item.call.asked()).collect();
    let claims: Vec<Claim<'_>> = open.iter().map(|item| item.announcement()).collect();
    let answers = engine.watched("claim", store.claim_many(&claims)).await;
    note(&engine, &answers);
    let mut found: Vec<(usize, Offer)> = Vec::new();
    for (at, (item, answer)) in open.iter_mut().zip(answers).enumerate() {
        match answer {
            Err(error) => item.stage = Stage::Failed(error),
            Ok(claimed) => match sort(claimed, &asked[at]) {
                Sorted::Load(remote) => item.stage = Stage::Known(Answer::Load(remote, None)),
                Sorted::Offer(offer) => found.push((at, offer)),
            },
        }
    }
    let candidates = found.iter().map(|(at, offer)| {
        let call = &open[*at].call;
        (*at, call, offer.candidate(call, &asked[*at].unconfirmed))
    });
    let verdicts = judge::all(store, candidates.collect()).await;
    for ((at, verdict), (_, offer)) in verdicts.into_iter().zip(&found) {
        open[at].judged(verdict, Some(offer.life), &asked[at]);
    }
}

/// What a claim comes to.
enum Sorted {
    Load(Remote),
    Offer(Offer),
}

/// A value that appeared since the read.
struct Offer {
    bytes: Vec<u8>,
    life: Life,
    claimed: Claimed,
    nonces: Vec<Option<Nonce>>,
}

impl Offer {
    fn candidate<'a>(
        &'a self,
        call: &'a Call,
        unconfirmed: &'a super::replay::Unconfirmed,
    ) -> Candidate<'a> {
        Candidate {
            bytes: &self.bytes,
            newest_pattern: self.claimed.patterns.last().map(|record| record.nonce),
            patterns: Some(&self.claimed.patterns),
            tags: &call.tags,
            tag_nonces: &self.nonces,
            unconfirmed,
        }
    }
}

fn sort(mut claimed: Claimed, asked: &Asked) -> Sorted {
    let Some(pattern_nonce) = claimed.patterns.last().map(|record| record.nonce) else {
        return Sorted::Load(Remote::Writing);
    };
    match std::mem::replace(&mut claimed.outcome, ClaimOutcome::Writing) {
        ClaimOutcome::Load(nonce) => Sorted::Load(Remote::Captured(Box::new(Captured {
            asked: asked.at,
            heard: asked.heard.clone(),
            nonce,
            pattern_nonce,
            tag_nonces: claimed.tag_nonces,
            tag_log: claimed.tag_log,
            changing: claimed.changing,
            lease: None,
        }))),
        ClaimOutcome::Found { value, life } => {
            let nonces = claimed.tag_nonces.iter().copied().map(Some).collect();
            Sorted::Offer(Offer { bytes: value, life, claimed, nonces })
        }
        // Whoever asks for no lease is not held up by one.
        ClaimOutcome::Writing | ClaimOutcome::Held(_) => Sorted::Load(Remote::Writing),
    }
}

impl Item {
    fn announcement(&self) -> Claim<'_> {
        let refused = match &self.stage {
            Stage::Open(head) => head.as_slice(),
            Stage::Known(_) | Stage::Failed(_) => &[],
        };
        self.call.announcement(refused, None)
    }

    fn judged(
        &mut self,
        verdict: Result<super::validity::Verdict>,
        life: Option<Life>,
        asked: &Asked,
    ) {
        self.stage = match verdict {
            Ok(verdict) => match self.call.found(verdict, &self.fence, life, asked) {
                Found::Valid(loaded) | Found::Aged { loaded, age: Age::Fresh | Age::Due, .. } => {
                    Stage::Known(Answer::Hit(loaded))
                }
                Found::Aged { head, .. } | Found::Refused(head) => Stage::Open(head),
            },
            Err(error) => Stage::Failed(error),
        };
    }
}

fn fail<'a>(readings: impl Iterator<Item = (&'a mut Item, Result<Reading>)>) {
    for (item, reading) in readings {
        if let Err(error) = reading {
            item.stage = Stage::Failed(error);
        }
    }
}

/// Counts a round trip: as one error when one of its keys failed, however many did. The shared tier is away when none of
/// them was answered.
fn note<T>(engine: &Engine, answers: &[Result<T>]) {
    let answered = answers.iter().any(Result::is_ok);
    if answered {
        engine.answered();
    }
    match answers.iter().find_map(|answer| answer.as_ref().err()) {
        Some(error) if answered => engine.tally_error(error),
        Some(error) => engine.count_error(error),
        None => {}
    }
}
