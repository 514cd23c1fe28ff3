//! Batches: readers that take many elements and have an entry for each. The typed shell around `engine/many`.

mod collection;
mod look;
mod plain;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
};

use self::look::Looked;
pub use self::{
    collection::{BatchValue, Collection, Values, Whole},
    look::{Look, batch},
    plain::{EachOk, EachPlainly, NoOptionInside, NoResultInside},
};
use super::{Shape, Site};
use crate::engine::{Keep, Run, enter_many, enter_many_sync, settle_many, settle_many_sync};

/// What the elements of a batch must be able to do besides being in keys.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an element of a batch: it is not `Clone`",
    label = "must be `Clone`",
    note = "the elements that are missing are handed to the body in a list of their own: derive `Clone`"
)]
pub trait Element: Clone {}

#[diagnostic::do_not_recommend]
impl<T: Clone> Element for T {}

/// One call of a batch.
pub struct Batch<'a, T, V: 'static> {
    elements: &'a [T],
    /// `None` where nothing is cached at all.
    looked: Option<Looked<V>>,
}

impl<T, V> fmt::Debug for Batch<'_, T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("elements", &self.elements.len()).finish_non_exhaustive()
    }
}

impl<T: Element, V> Batch<'_, T, V> {
    /// The elements that the body has to load, each once, in the order in which they came first; `None` when it has nothing
    /// to do.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn missing(&mut self) -> Option<Vec<T>> {
        let Some(looked) = &mut self.looked else { return Some(self.elements.to_vec()) };
        let calls = looked.calls();
        if !calls.is_empty() {
            looked.enter(Box::pin(enter_many(calls)).await);
        }
        looked.asked(self.elements)
    }

    /// The same for a sync function.
    pub fn missing_sync(&mut self) -> Option<Vec<T>> {
        let Some(looked) = &mut self.looked else { return Some(self.elements.to_vec()) };
        let calls = looked.calls();
        if !calls.is_empty() {
            looked.enter(enter_many_sync(calls));
        }
        looked.asked(self.elements)
    }

    /// Stores what the body returned, if it was run, and puts the caller's answer together.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, values may or may not have been stored; each that was is valid.
    pub async fn finish<S, R>(self, body: Option<R>) -> R
    where
        S: Shape<R>,
        S::Value: Collection<T, Value = V>,
    {
        let (answer, kept) = self.answer::<S, R>(body);
        if !kept.is_empty() {
            Box::pin(settle_many(kept)).await;
        }
        answer
    }

    /// The same for a sync function.
    pub fn finish_sync<S, R>(self, body: Option<R>) -> R
    where
        S: Shape<R>,
        S::Value: Collection<T, Value = V>,
    {
        let (answer, kept) = self.answer::<S, R>(body);
        if !kept.is_empty() {
            settle_many_sync(kept);
        }
        answer
    }

    /// What the caller gets, and what is kept of each element that was loaded.
    fn answer<S, R>(self, body: Option<R>) -> (R, Vec<(Box<Run>, Keep)>)
    where
        S: Shape<R>,
        S::Value: Collection<T, Value = V>,
    {
        let Self { elements, looked } = self;
        let Some(mut looked) = looked else {
            // Without a cache the body always runs.
            let nothing = || S::value(Collection::complete(None, &Whole::nothing()));
            return (body.unwrap_or_else(nothing), Vec::new());
        };
        match body.map(S::take) {
            Some(Err(failed)) => (failed, looked.nothing()),
            Some(Ok(collection)) => {
                let kept = looked.keep(elements, &collection);
                (S::value(Collection::complete(Some(collection), &looked.whole(elements))), kept)
            }
            None => (S::value(Collection::complete(None, &looked.whole(elements))), Vec::new()),
        }
    }
}

/// Says once for each function that its body answers other than it was asked.
fn told<V>(site: &Site, values: &Option<Values<'_, V>>) {
    static TOLD: Mutex<BTreeSet<(&str, &str)>> = Mutex::new(BTreeSet::new());
    let what = match values {
        None => {
            "returned a list of another length than that of the elements it was given: nothing of it is stored"
        }
        Some(values) if values.more => {
            "returned elements that it was not given: those are not stored"
        }
        Some(_) => return,
    };
    let (module, function) = (site.module, site.function);
    // Nothing panics under this lock.
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.insert((module, function)) {
        tracing::error!(target: "larder", module, function, "the body of a batch {what}");
    }
}
