//! Reads, and the bodies that load.

use std::{future::Future, sync::Arc};

use cache_core::{
    __private::{
        ResultOptionShape, ResultShape, Spec, given, lookup,
        sharing::{Probe, Shareable as _},
    },
    Cache,
};
use tokio::time::sleep;

use super::Client;
use crate::{
    functions::function,
    oracle::Read,
    plan::How,
    process::Process,
    source::{Family, Item},
};

/// A body failed, as bodies do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

/// What a call returns; `None` for an absence.
pub(crate) type Answer = Result<Option<u64>, Failed>;

impl Client {
    pub(super) async fn read(&self, item: Item, how: How) {
        let how = how.on(item.family);
        let Process { id, world, .. } = &*self.process;
        let began = world.oracle.stamp();
        if let Some(spec) = function(item.family, how).filter(|_| how.serves()) {
            if let Some((answer, read)) = self.read_served(spec, item, how, began).await {
                self.judge(&read, answer);
            }
            return;
        }
        let doing = Arc::default();
        let answer = match function(item.family, how) {
            Some(spec) => {
                let body = body(&self.process, item);
                self.does(&doing, call(spec, &self.process.cache, item, body)).await
            }
            None if how == How::Get => {
                let key = item.key();
                let get = self.does(&doing, self.process.cache.get::<u64>(&key)).await;
                // A `None` is nothing cached, or a cached absence.
                get.and_then(|got| got.ok().flatten()).map(|value| Ok(Some(value)))
            }
            None => self.does(&doing, self.get_or_set(item)).await,
        };
        let by = how.name();
        let Some(answer) = answer else { return };
        let promise = how.promise();
        self.judge(&Read { process: *id, item, by, promise, instead: None, began }, answer);
    }

    fn judge(&self, read: &Read, answer: Answer) {
        let Process { id, world, .. } = &*self.process;
        let (item, by) = (read.item, read.by);
        self.process.note(format_args!("read {item} by `{by}`: {}", shown(item, answer)));
        match answer {
            Ok(Some(value)) => world.oracle.check(read, value),
            Ok(None) => world.oracle.check_absent(read),
            Err(Failed) if world.plan.rates.failing > 0 => {}
            Err(Failed) => world.trace.object(format!("p{id} was given an error that no body had")),
        }
    }

    async fn get_or_set(&self, item: Item) -> Answer {
        let (key, body) = (item.key(), body(&self.process, item));
        // By hand there are no absences: the error stands for one.
        let load = async || match body.await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(None),
            Err(failed) => Err(Some(failed)),
        };
        let got = self.process.cache.get_or_set(&key, load).tags(item.tags()).await;
        match got {
            Ok(value) => Ok(Some(value)),
            Err(None) => Ok(None),
            Err(Some(failed)) => Err(failed),
        }
    }
}

/// Calls an annotated function.
pub(crate) async fn call(
    spec: &'static Spec<u64>,
    cache: &Cache,
    item: Item,
    body: impl Future<Output = Answer>,
) -> Answer {
    let (number, share) = (item.number, Probe::<Failed>::new().share());
    if item.family == Family::Maybe {
        let found = lookup::<ResultOptionShape, Answer>(spec, given(cache), &[&number]);
        return match found {
            Ok(hit) => hit,
            Err(miss) => {
                let miss = miss.tagged(&[&number]);
                miss.load::<ResultOptionShape, _, _>(share, body).await
            }
        };
    }
    // These keys have no absences, so the body's value is there.
    let body = async { body.await.map(Option::unwrap_or_default) };
    let found = lookup::<ResultShape, Result<u64, Failed>>(spec, given(cache), &[&number]);
    let answer = match found {
        Ok(hit) => hit,
        Err(miss) => {
            let miss = miss.tagged(&[&number]);
            miss.load::<ResultShape, _, _>(share, body).await
        }
    };
    answer.map(Some)
}

/// Reads the source, at some time while it runs.
pub(super) async fn body(process: &Arc<Process>, item: Item) -> Answer {
    let world = &process.world;
    let (random, rates) = (&world.random, world.rates());
    process.runs().await;
    let long = if random.chance(rates.slow) { 4_000 } else { 60 };
    sleep(random.millis(0..=long)).await;
    process.runs().await;
    let version = world.source.version(item);
    process.note(format_args!("loads {item}: version {version}"));
    sleep(random.millis(0..=long)).await;
    if random.chance(rates.failing) {
        return Err(Failed);
    }
    Ok((!item.is_absent(version)).then(|| item.value(version)))
}

fn shown(item: Item, answer: Answer) -> String {
    match answer {
        Ok(Some(value)) => match item.version(value) {
            Some(version) => format!("version {version}"),
            None => format!("{value}"),
        },
        Ok(None) => "none".to_owned(),
        Err(Failed) => "failed".to_owned(),
    }
}
