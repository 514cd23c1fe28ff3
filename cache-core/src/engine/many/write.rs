//! Many values set by hand: all are announced in one round trip and stored in another.

use std::{sync::Arc, time::Duration};

use cache_store::{Begin, Error, ErrorKind, Finish, Invalidation, Nonce, Result, Store};

use super::note;
use crate::{
    engine::{
        Call, Engine, Invalidating, Order, Writing, Written,
        explicit::{self, ATTEMPTS},
        told::Told,
        write::{Answer, Asking, Ended, Sealed},
    },
    events::Origin,
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
    let left = settings.iter().filter(|setting| setting.call.is_left_to_a_transaction()).count();
    if left == settings.len() {
        return settings.iter().map(|_| Ok(())).collect();
    }
    if let Some(engine) = settings.first().map(|first| &first.call.engine)
        && !engine.enabled()
    {
        return only_invalidate(engine, &settings).await;
    }
    let mut results: Vec<Option<Result<()>>> = settings.iter().map(|_| None).collect();
    for _ in 0..ATTEMPTS {
        let open: Vec<usize> = (0..settings.len()).filter(|&at| results[at].is_none()).collect();
        let some: Vec<&Setting> = open.iter().map(|&at| &settings[at]).collect();
        if some.is_empty() {
            break;
        }
        for (at, ended) in open.into_iter().zip(attempt(&some, life).await) {
            if !matches!(ended, Ended::Fenced) {
                settings[at].call.tell_ended(&ended, Origin::Here);
            }
            results[at] = outcome(ended);
        }
        tokio::task::yield_now().await;
    }
    let given_up = settings.iter().zip(&results).filter(|(_, result)| result.is_none());
    given_up.for_each(|(setting, _)| setting.call.tell_ended(&Ended::Fenced, Origin::Here));
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

/// What is done while the cache is off, as for a single one.
async fn only_invalidate(engine: &Arc<Engine>, settings: &[Setting]) -> Vec<Result<()>> {
    let keys = settings.iter().map(|setting| setting.call.key.text().to_owned()).collect();
    let order = Order {
        engine: Arc::clone(engine),
        what: Invalidation::Keys(keys),
        shared: true,
        origin: Origin::Here,
    };
    let confirmed = Invalidating::new(order).confirm().await;
    let confirmed = confirmed.map_err(|error| explicit::not_stored(&error));
    settings.iter().map(|_| confirmed.clone()).collect()
}

/// `None` for a write that another one overtook.
fn outcome(ended: Ended) -> Option<Result<()>> {
    match ended {
        Ended::Stored => Some(Ok(())),
        Ended::Fenced => None,
        Ended::Failed(error, _) => Some(Err(explicit::not_stored(&error))),
    }
}

fn finished(results: Vec<Option<Result<()>>>) -> Vec<Result<()>> {
    results.into_iter().map(|one| one.unwrap_or_else(|| Err(explicit::overtaken()))).collect()
}

async fn attempt(settings: &[&Setting], life: Option<Duration>) -> Vec<Ended> {
    let Some(store) = settings.first().and_then(|first| shared(&first.call)) else {
        return Vec::new();
    };
    // The source has changed already: dropped before they are announced, the writes invalidate all the same.
    let keys = settings.iter().map(|setting| setting.call.key.text().to_owned()).collect();
    let or_else = settings.first().map(|first| {
        Invalidating::new(Order {
            engine: Arc::clone(&first.call.engine),
            what: Invalidation::Keys(keys),
            shared: true,
            origin: Origin::Here,
        })
    });
    let calls: Vec<&Call> = settings.iter().map(|setting| &setting.call).collect();
    let writings = announce_all(&calls, &store, Origin::Here).await;
    or_else.into_iter().for_each(Invalidating::call_off);
    let written: Vec<Written> = settings.iter().map(|setting| setting.written(life)).collect();
    let answers = finish(&writings, &written, &store).await;
    let all = writings.into_iter().zip(written).zip(answers);
    all.map(|((writing, written), answer)| writing.attempt_after(written, answer)).collect()
}

/// Announces a write of each key, all of one cache, in one round trip.
pub(in crate::engine) async fn announce_all(
    calls: &[&Call],
    store: &Arc<dyn Store>,
    origin: Origin,
) -> Vec<Writing> {
    let Some(first) = calls.first() else { return Vec::new() };
    let asking: Vec<Asking> = calls.iter().map(|call| Asking::new(call)).collect();
    let tokens: Result<Vec<Nonce>> = calls.iter().map(|_| Nonce::random()).collect();
    // Without tokens none is announced.
    let tokens = tokens.inspect_err(|error| first.engine.count_error(error)).unwrap_or_default();
    let both = calls.iter().zip(&tokens);
    let begins: Vec<Begin<'_>> =
        both.map(|(call, token)| Writing::announcement(call, *token)).collect();
    let answers = first.engine.watched("begin", store.begin_many(&begins)).await;
    note(&first.engine, &answers);
    let mut answers = answers.into_iter().zip(tokens);
    let announced = |(call, asking): (&&Call, Asking)| {
        let told = answers.next().map_or(Told::Nothing, |(answer, token)| Told::by(answer, token));
        Writing::announced(Call::clone(call), asking, told, origin)
    };
    calls.iter().zip(asking).map(announced).collect()
}

/// The answers of the shared tier, `None` for a write that it was not told of.
async fn finish(
    writings: &[Writing],
    written: &[Written],
    store: &Arc<dyn Store>,
) -> Vec<Option<Answer>> {
    let mut ended: Vec<Option<Answer>> = writings.iter().map(|_| None).collect();
    let all = writings.iter().zip(written).enumerate();
    let sealed: Vec<(usize, Sealed<'_>)> =
        all.filter_map(|(at, (writing, written))| Some((at, writing.seal(written)?))).collect();
    let Some(&(first, _)) = sealed.first() else { return ended };
    let finishes: Vec<Finish<'_>> =
        sealed.iter().filter_map(|(at, sealed)| writings[*at].end(sealed)).collect();
    let heard: Vec<_> =
        sealed.iter().map(|(at, _)| writings[*at].confirming(Some(&written[*at]))).collect();
    let engine = &writings[first].call().engine;
    let answers = engine.watched("finish", store.finish_many(&finishes)).await;
    drop(finishes);
    note(engine, &answers);
    let mut answers = answers.into_iter();
    for ((at, sealed), heard) in sealed.into_iter().zip(heard) {
        let answer = answers.next().unwrap_or_else(|| Err(unanswered()));
        ended[at] = Some(sealed.answered(answer, heard));
    }
    ended
}

fn shared(call: &Call) -> Option<Arc<dyn Store>> {
    call.engine.shared_for(call.site).cloned()
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Protocol, "the shared tier did not answer for this key").during("finish")
}
