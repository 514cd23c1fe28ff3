//! Whether many entries may be served: what is unknown of them is asked once for all.

use std::{collections::HashMap, sync::Arc};

use cache_store::{Nonce, Record, Result, Store};

use super::{Candidate, note};
use crate::{
    engine::{
        Call,
        validity::{Doubts, Verdict},
    },
    envelope::Envelope,
};

/// An entry that nothing known rules out.
struct Open<'a> {
    at: usize,
    call: &'a Call,
    bytes: &'a [u8],
    envelope: Envelope<'a>,
    doubts: Doubts,
}

/// One verdict for each candidate, in their order, beside the number that it came with.
///
/// No round trip where everything came with the bytes; one, for the tags that only the entries name and for the pattern
/// log, where not.
pub(super) async fn all(
    store: &Arc<dyn Store>,
    candidates: Vec<(usize, &Call, Candidate<'_>)>,
) -> Vec<(usize, Result<Verdict>)> {
    let looked: Vec<Result<Open<'_>, (usize, Verdict)>> = candidates.iter().map(look).collect();
    let open = || looked.iter().filter_map(|one| one.as_ref().ok());
    let answers = Answers::ask(store, open().map(|open| &open.doubts)).await;
    if let Some(first) = open().next() {
        answers.note(&first.call.engine);
    }
    let judge = |one: Result<Open<'_>, (usize, Verdict)>| match one {
        Ok(open) => (open.at, answers.judge(&open)),
        Err((at, refused)) => (at, Ok(refused)),
    };
    looked.into_iter().map(judge).collect()
}

/// What can be said without asking.
fn look<'a>(
    (at, call, candidate): &'a (usize, &Call, Candidate<'_>),
) -> Result<Open<'a>, (usize, Verdict)> {
    let refused = || (*at, Verdict::refused(candidate.bytes));
    let envelope = call.open(candidate.bytes).ok_or_else(refused)?;
    let doubts = call.doubts(&envelope, candidate).ok_or_else(refused)?;
    Ok(Open { at: *at, call, bytes: candidate.bytes, envelope, doubts })
}

/// What the shared tier says of all doubts.
struct Answers {
    log: Option<Result<Vec<Record>>>,
    nonces: Option<Result<HashMap<String, Option<Nonce>>>>,
}

impl Answers {
    async fn ask<'a>(store: &Arc<dyn Store>, doubts: impl Iterator<Item = &'a Doubts>) -> Self {
        let (mut log, mut tags) = (false, Vec::new());
        for one in doubts {
            log |= one.log;
            tags.extend(one.tags.iter().cloned());
        }
        tags.sort_unstable();
        tags.dedup();
        let patterns = async { if log { Some(store.patterns().await) } else { None } };
        let nonces =
            async { if tags.is_empty() { None } else { Some(store.tag_nonces(&tags).await) } };
        let (log, nonces) = tokio::join!(patterns, nonces);
        let named = |nonces: Vec<Option<Nonce>>| tags.into_iter().zip(nonces).collect();
        Self { log, nonces: nonces.map(|nonces| nonces.map(named)) }
    }

    fn note(&self, engine: &crate::engine::Engine) {
        self.log.as_ref().inspect(|log| note(engine, std::slice::from_ref(log)));
        self.nonces.as_ref().inspect(|nonces| note(engine, std::slice::from_ref(nonces)));
    }

    fn judge(&self, open: &Open<'_>) -> Result<Verdict> {
        let Open { call, bytes, envelope, doubts, .. } = open;
        let refused = || Ok(Verdict::refused(bytes));
        if doubts.log {
            match &self.log {
                Some(Ok(log)) if call.is_spared(log, envelope) => {}
                Some(Err(error)) => return Err(error.clone()),
                Some(Ok(_)) | None => return refused(),
            }
        }
        if !doubts.tags.is_empty() {
            match &self.nonces {
                Some(Ok(nonces)) if are_current(doubts, nonces) => {}
                Some(Err(error)) => return Err(error.clone()),
                Some(Ok(_)) | None => return refused(),
            }
        }
        Ok(call.verdict(envelope, bytes))
    }
}

fn are_current(doubts: &Doubts, nonces: &HashMap<String, Option<Nonce>>) -> bool {
    let mut expected = doubts.tags.iter().zip(&doubts.expected);
    expected.all(|(tag, nonce)| nonces.get(tag) == Some(nonce))
}
