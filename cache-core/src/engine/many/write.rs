//! Many values set by hand: all are announced in one round trip and stored in another.

use std::{sync::Arc, time::Duration};

use cache_store::{Begin, Error, ErrorKind, Finish, Result, Store};

use super::note;
use crate::{
    engine::{
        Call, Writing, Written,
        explicit::{self, ATTEMPTS},
        write::{Ended, Sealed},
    },
    value::Stored,
};

/// One value to set. No two of a list are under one key.
pub(crate) struct Setting {
    pub(crate) call: Call,
    pub(crate) value: Stored,
}

impl Setting {
    fn written(&self, life: Option<Duration>) -> Written {
        Written { value: self.value.clone(), life, learned: Vec::new() }
    }
}

/// Stores the values, each as a single one is stored. What became of each, in their order.
pub(crate) async fn set_many(settings: Vec<Setting>, life: Option<Duration>) -> Vec<Result<()>> {
    let mut results: Vec<Option<Result<()>>> = settings.iter().map(|_| None).collect();
    for _ in 0..ATTEMPTS {
        let open: Vec<usize> = (0..settings.len()).filter(|&at| results[at].is_none()).collect();
        let some: Vec<&Setting> = open.iter().map(|&at| &settings[at]).collect();
        if some.is_empty() {
            break;
        }
        for (at, ended) in open.into_iter().zip(attempt(&some, life).await) {
            results[at] = outcome(ended);
        }
        tokio::task::yield_now().await;
    }
    finished(results)
}

/// The same in this process only.
pub(crate) fn set_many_in_memory(
    settings: Vec<Setting>,
    life: Option<Duration>,
) -> Vec<Result<()>> {
    let set = |Setting { call, value }| call.set_in_memory(value, life, Vec::new());
    settings.into_iter().map(set).collect()
}

/// `None` for a write that another one overtook.
fn outcome(ended: Ended) -> Option<Result<()>> {
    match ended {
        Ended::Stored => Some(Ok(())),
        Ended::Fenced => None,
        Ended::Failed(error) => Some(Err(explicit::not_stored(&error))),
    }
}

fn finished(results: Vec<Option<Result<()>>>) -> Vec<Result<()>> {
    results.into_iter().map(|one| one.unwrap_or_else(|| Err(explicit::overtaken()))).collect()
}

async fn attempt(settings: &[&Setting], life: Option<Duration>) -> Vec<Ended> {
    let Some(store) = settings.first().and_then(|first| shared(&first.call)) else {
        return Vec::new();
    };
    let writings = announce(settings, &store).await;
    let written: Vec<Written> = settings.iter().map(|setting| setting.written(life)).collect();
    let sealed: Vec<Option<Sealed>> =
        writings.iter().zip(&written).map(|(writing, written)| writing.seal(written)).collect();
    let ended = finish(&writings, &sealed, &store).await;
    let all = writings.into_iter().zip(written).zip(sealed).zip(ended);
    all.map(|(((writing, written), sealed), ended)| {
        writing.finish_after(written, ended.zip(sealed))
    })
    .collect()
}

async fn announce(settings: &[&Setting], store: &Arc<dyn Store>) -> Vec<Writing> {
    let Some(first) = settings.first() else { return Vec::new() };
    let asked = first.call.engine.now();
    let begins: Vec<Begin<'_>> =
        settings.iter().map(|setting| Writing::announcement(&setting.call)).collect();
    let answers = store.begin_many(&begins).await;
    note(&first.call.engine, &answers);
    let mut answers = answers.into_iter();
    let announced = |setting: &&Setting| {
        let begun = answers.next().and_then(Result::ok);
        Writing::announced(setting.call.clone(), asked, begun)
    };
    settings.iter().map(announced).collect()
}

/// The answers of the shared tier, `None` for a write that it was not told of.
async fn finish(
    writings: &[Writing],
    sealed: &[Option<Sealed>],
    store: &Arc<dyn Store>,
) -> Vec<Option<Result<bool>>> {
    let mut asked: Vec<usize> = Vec::new();
    let mut finishes: Vec<Finish<'_>> = Vec::new();
    for (at, (writing, sealed)) in writings.iter().zip(sealed).enumerate() {
        if let Some(finish) = sealed.as_ref().and_then(|sealed| writing.end(sealed)) {
            asked.push(at);
            finishes.push(finish);
        }
    }
    let mut ended: Vec<Option<Result<bool>>> = writings.iter().map(|_| None).collect();
    let Some(&first) = asked.first() else { return ended };
    let answers = store.finish_many(&finishes).await;
    note(&writings[first].call().engine, &answers);
    let mut answers = answers.into_iter();
    for at in asked {
        ended[at] = Some(answers.next().unwrap_or_else(|| Err(unanswered())));
    }
    ended
}

fn shared(call: &Call) -> Option<Arc<dyn Store>> {
    call.engine.shared_for(call.site).cloned()
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Protocol, "the shared tier did not answer for this key").during("finish")
}
