//! After the body: stores what it returned for each key, if nothing that the key's value depends on was invalidated.

use std::{sync::Arc, time::Duration};

use cache_store::{Error, ErrorKind, Fill, Nonce, Result, Stamp, Store};

use super::note;
use crate::{
    engine::{
        Keep, Loaded, Run,
        fill::{Filled, now},
    },
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
    bytes: Vec<u8>,
    filled: Result<Filled>,
}

/// Stores what one run of the body returned for each key. One round trip, two when tags were learned from the values.
pub(crate) async fn settle_many(runs: Vec<(Box<Run>, Keep)>) {
    if let Some((run, _)) = runs.first() {
        run.count_load();
    }
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

/// `None` for what is not kept, or not in the shared tier: memory has it by now.
fn begin((run, keep): (Box<Run>, Keep)) -> Option<Filling> {
    let Keep::Value { value, life, learned } = keep else { return None };
    let loaded = run.loaded(value, &learned);
    if !run.is_to_be_filled(&loaded, life) {
        return None;
    }
    Some(Filling {
        run: *run,
        loaded,
        life,
        learned,
        nonces: Vec::new(),
        bytes: Vec::new(),
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
        false => store.stamp_many(&stamps).await,
    };
    if let Some(filling) = fillings.first() {
        note(&filling.run.call().engine, &answers);
    }
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
    let mut ready = Vec::new();
    for (at, filling) in fillings.iter_mut().enumerate() {
        if filling.learned.len() != filling.nonces.len() {
            continue;
        }
        let Filling { run, loaded, learned, nonces, .. } = &*filling;
        match run.sealed(&loaded.value, learned, nonces) {
            Some(bytes) => {
                filling.bytes = bytes;
                ready.push(at);
            }
            None => filling.filled = Ok(Filled::Unfit),
        }
    }
    let request = |at: usize| {
        let Filling { run, life, bytes, .. } = &fillings[at];
        Some((at, run.request(bytes, *life)?))
    };
    let (asked, fills): (Vec<usize>, Vec<Fill<'_>>) = ready.into_iter().filter_map(request).unzip();
    let Some(&first) = asked.first() else { return };
    let answers = store.fill_many(&fills).await;
    note(&fillings[first].run.call().engine, &answers);
    for (at, answer) in asked.into_iter().zip(answers) {
        let filling = &mut fillings[at];
        filling.filled = answer.map(|stored| Filled::after(stored, &filling.bytes));
    }
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Protocol, "the shared tier did not answer for this key").during("fill")
}
