//! Reads by functions with serving policies.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
};

use super::{
    Client,
    reads::{Answer, Failed, body},
};
use crate::{
    oracle::{Read, Stamp},
    plan::How,
    process::Process,
    source::{Family, Item},
};
use cache_core::{
    __private::{
        ResultOptionShape, ResultShape, Served, Shape, Spec, given, look,
        sharing::{Probe, Shareable as _},
    },
    Cache,
};

/// How far the caller's own body came.
const NOT_RUN: u8 = 0;
const RUNS: u8 = 1;
const RETURNED: u8 = 2;
const FAILED: u8 = 3;

impl Client {
    /// What a function with policies returned, and what may be expected of that.
    pub(super) async fn read_served(
        &self,
        spec: &'static Spec<u64>,
        item: Item,
        how: How,
        began: Stamp,
    ) -> Option<(Answer, Read)> {
        let process = &self.process;
        let stood_in = || process.cache.stats().stale_served;
        let (own, before) = (Arc::new(AtomicU8::new(NOT_RUN)), stood_in());
        let load = |behind| load(Arc::clone(process), (item, how), behind, Arc::clone(&own));
        let call = serve(spec, &process.cache, item, load);
        let answer = self.does(&Arc::default(), call).await?;
        let (asked, instead) = (how.promise(), how.promise_instead());
        let (promise, instead) = match own.load(Relaxed) {
            RUNS | FAILED => (instead, None),
            NOT_RUN if stood_in() > before => (asked, Some(instead)),
            _ => (asked, None),
        };
        let read = Read { process: process.id, item, by: how.name(), promise, instead, began };
        Some((answer, read))
    }
}

/// The body; it tells how far it came, unless it runs in the background.
fn load(
    process: Arc<Process>,
    (item, how): (Item, How),
    behind: bool,
    own: Arc<AtomicU8>,
) -> impl Future<Output = Answer> + Send + 'static {
    let begun = process.begins();
    async move {
        if behind {
            let _renews = process.renews(item, how, begun);
            return body(&process, item).await;
        }
        own.store(RUNS, Relaxed);
        let answer = body(&process, item).await;
        own.store(if answer.is_ok() { RETURNED } else { FAILED }, Relaxed);
        answer
    }
}

/// Calls an annotated function with policies; `load` is told whether it runs in the background.
pub(crate) async fn serve<F>(
    spec: &'static Spec<u64>,
    cache: &Cache,
    item: Item,
    load: impl Fn(bool) -> F,
) -> Answer
where
    F: Future<Output = Answer> + Send + 'static,
{
    if item.family == Family::Maybe {
        return serve_as::<ResultOptionShape, _, _>(spec, cache, item.number, load).await;
    }
    // These keys have no absences, so the body's value is there.
    let load = |behind| {
        let body = load(behind);
        async move { body.await.map(Option::unwrap_or_default) }
    };
    serve_as::<ResultShape, _, _>(spec, cache, item.number, load).await.map(Some)
}

async fn serve_as<S, R, F>(
    spec: &'static Spec<u64>,
    cache: &Cache,
    number: u64,
    load: impl Fn(bool) -> F,
) -> R
where
    S: Shape<R, Value = u64, Error = Failed>,
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let share = Probe::<Failed>::new().share();
    let looked = look::<S, R>(spec, given(cache), &[&number]);
    let served = match looked {
        Ok(served) => served,
        Err(miss) => {
            let miss = miss.tagged(&[&number]);
            miss.enter::<S, R>(share).await
        }
    };
    match served {
        Served::Hit(hit) => hit,
        Served::Due(hit, renewal) => {
            if let Some(begun) = renewal.tagged(&[&number]).begin(share) {
                begun.run::<S, R, _>(share, load(true));
            }
            hit
        }
        Served::Miss(loading) => loading.run_softly::<S, R, _>(share, load(false)).await,
    }
}
