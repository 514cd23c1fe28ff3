//! After the body: stores what it returned for each key, if nothing that the key's value depends on was invalidated.

use std::{sync::Arc, time::Duration};

use cache_store::{Error, ErrorKind, Fill, Nonce, Result, Stamp, Store};

use super::note;
use crate::{
    clock::Moment,
    engine::{Keep, Loaded, Run, fill::Filled},
    memory::Heard,
    runtime,
};

/// One value on its way into the shared tier.
struct Filling {
    run: Run,
    loaded: Loaded,
    life: Option<Duration>,
    learned: Vec<String>,
    /// Those of the learned tags, once they are known.
    nonces: Vec<Nonce>,
    filled: Result<Filled>,
}

/// Stores what one run of the body returned for each key. One round trip, two when tags were learned from the values.
pub(crate) async fn settle_many(mut runs: Vec<(Box<Run>, Keep)>) {
    let outcome = outcome(&runs);
    runs.iter_mut().for_each(|(run, _)| run.end_span(outcome));
    let Some((first, keep)) = runs.first() else { return };
    let ended = first.count_load(keep);
    let begin = |(run, keep)| begin(run, keep, ended);
    let mut fillings: Vec<Filling> = runs.into_iter().filter_map(begin).collect();
    if let Some(store) = store_of(&fillings) {
        stamp(&mut fillings, &store).await;
        fill(&mut fillings, &store).await;
    }
    for Filling { mut run, loaded, life, filled, .. } in fillings {
        run.filled(filled, &loaded, life);
    }
}

/// The same for a sync function; waits on the calling thread only when there is a shared tier to wait for.
pub(crate) fn settle_many_sync(runs: Vec<(Box<Run>, Keep)>) {
    if runs.iter().any(|(run, _)| run.captured().is_some()) {
        runtime::wait_for(settle_many(runs));
    } else {
        now(settle_many(runs));
    }
}

/// What the body came to, in a word: the best of what it did for any of its elements.
fn outcome(runs: &[(Box<Run>, Keep)]) -> &'static str {
    let came_to = |word: &&str| runs.iter().any(|(_, keep)| keep.outcome() == *word);
    ["value", "not kept", "nothing"].into_iter().find(came_to).unwrap_or("failed")
}

/// `None` for what is not kept, or not in the shared tier: memory has it by now.
fn begin(mut run: Box<Run>, keep: Keep, ended: Moment) -> Option<Filling> {
    let Keep::Value { value, life, learned } = keep else { return None };
    let loaded = run.loaded(value, &learned);
    if !run.is_to_be_filled(&loaded, life, ended) {
        return None;
    }
    Some(Filling {
        run: *run,
        loaded,
        life,
        learned,
        nonces: Vec::new(),
        // Until the shared tier says otherwise.
        filled: Err(unanswered()),
    })
}

fn store_of(fillings: &[Filling]) -> Option<Arc<dyn Store>> {
    let call = fillings.first()?.run.call();
    call.engine.shared_for(call.site).cloned()
}

/// Confirms the tags that were learned from the values; a value whose tags cannot be confirmed is not stored.
async fn stamp(fillings: &mut [Filling], store: &Arc<dyn Store>) {
    let Some(engine) = fillings.first().map(|one| Arc::clone(&one.run.call().engine)) else {
        return;
    };
    let mut asked = Vec::new();
    let mut stamps: Vec<Stamp<'_>> = Vec::new();
    let mut fenced = Vec::new();
    for (at, filling) in fillings.iter().enumerate().filter(|(_, one)| !one.learned.is_empty()) {
        match filling.run.stamp(filling.life, &filling.learned) {
            Some(stamp) => {
                asked.push(at);
                stamps.push(stamp);
            }
            None => fenced.push(at),
        }
    }
    let answers = match stamps.is_empty() {
        true => Vec::new(),
        false => engine.watched("stamp", store.stamp_many(&stamps)).await,
    };
    note(&engine, &answers);
    // A store that answers for fewer than it was asked leaves the others fenced.
    fenced.extend(asked.iter().copied().skip(answers.len()));
    for (at, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(Some(nonces)) => fillings[at].nonces = nonces,
            Ok(None) => fenced.push(at),
            Err(error) => fillings[at].filled = Err(error),
        }
    }
    fenced.into_iter().for_each(|at| fillings[at].filled = Ok(Filled::Fenced));
}

async fn fill(fillings: &mut [Filling], store: &Arc<dyn Store>) {
    let Some(engine) = fillings.first().map(|one| Arc::clone(&one.run.call().engine)) else {
        return;
    };
    let (sealed, unfit) = seal(fillings);
    let fills: Vec<Fill<'_>> = sealed.iter().filter_map(|one| one.request(fillings)).collect();
    let heard: Vec<Option<Heard>> = sealed.iter().map(|one| one.confirming(fillings)).collect();
    let answers = match fills.is_empty() {
        true => Vec::new(),
        false => engine.watched("fill", store.fill_many(&fills)).await,
    };
    note(&engine, &answers);
    let outcomes: Vec<(usize, Result<Filled>)> = (sealed.iter().zip(answers).zip(heard))
        .map(|((one, answer), heard)| {
            (one.at, answer.map(|stored| Filled::after(stored, &one.bytes, heard)))
        })
        .collect();
    for (at, filled) in
        outcomes.into_iter().chain(unfit.into_iter().map(|at| (at, Ok(Filled::Unfit))))
    {
        fillings[at].filled = filled;
    }
}

/// The bytes of one value, and the tags that they name.
struct Sealed<'a> {
    at: usize,
    bytes: Vec<u8>,
    tags: Vec<(&'a str, Nonce)>,
}

impl Sealed<'_> {
    fn request<'a>(&'a self, fillings: &'a [Filling]) -> Option<Fill<'a>> {
        let Filling { run, life, .. } = &fillings[self.at];
        run.request(&self.bytes, &self.tags, *life)
    }

    fn confirming(&self, fillings: &[Filling]) -> Option<Heard> {
        let Filling { run, learned, .. } = &fillings[self.at];
        run.confirming(learned)
    }
}

/// The values whose tags are known, and the numbers of those that do not encode.
fn seal(fillings: &[Filling]) -> (Vec<Sealed<'_>>, Vec<usize>) {
    let (mut sealed, mut unfit) = (Vec::new(), Vec::new());
    for (at, filling) in fillings.iter().enumerate() {
        let Filling { run, loaded, learned, nonces, .. } = filling;
        if learned.len() != nonces.len() {
            continue;
        }
        let tags = run.named(learned, nonces).unwrap_or_default();
        match run.sealed(&loaded.value, &tags) {
            Some(bytes) => sealed.push(Sealed { at, bytes, tags }),
            None => unfit.push(at),
        }
    }
    (sealed, unfit)
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Protocol, "the shared tier did not answer for this key").during("fill")
}

/// Finishes a future that has nothing to wait for.
fn now(future: impl Future<Output = ()>) {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let done = future.as_mut().poll(&mut context).is_ready();
    debug_assert!(done, "nothing outside this process was to be waited for");
}
