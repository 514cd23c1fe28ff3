//! Batches: readers that take many elements and have an entry for each. The typed shell around `engine/many`.

mod collection;
mod look;
mod plain;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
};

use tracing::{Instrument, instrument::Instrumented};

use self::look::Looked;
pub use self::{
    collection::{BatchValue, Collection, Values, Whole},
    look::{Look, batch},
    plain::{EachOk, EachPlainly, NothingInside, Wrapping},
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
    clone: fn(&T) -> T,
    looked: Looked<V>,
    /// Whether anything is cached at all.
    cached: bool,
}

impl<T, V> fmt::Debug for Batch<'_, T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("elements", &self.elements.len()).finish_non_exhaustive()
    }
}

impl<T, V> Batch<'_, T, V> {
    /// The elements that the body has to load, each once, in the order in which they came first; `None` when it has nothing
    /// to do.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn missing(&mut self) -> Option<Vec<T>> {
        if !self.cached {
            return self.all();
        }
        let calls = self.looked.calls();
        if !calls.is_empty() {
            self.looked.enter(Box::pin(enter_many(calls)).await);
        }
        self.looked.asked(self.elements, self.clone)
    }

    /// The same for a sync function.
    pub fn missing_sync(&mut self) -> Option<Vec<T>> {
        if !self.cached {
            return self.all();
        }
        let calls = self.looked.calls();
        if !calls.is_empty() {
            self.looked.enter(enter_many_sync(calls));
        }
        self.looked.asked(self.elements, self.clone)
    }

    /// The body, in a span where it runs for the cache.
    pub fn watch<F: Future>(&mut self, body: F) -> Instrumented<F> {
        body.instrument(self.looked.span())
    }

    /// The same for a sync function: runs it.
    pub fn watch_sync<R>(&mut self, body: impl FnOnce() -> R) -> R {
        self.looked.span().in_scope(body)
    }

    /// Stores what the body returned, if it was run, and puts the caller's answer together.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, values may or may not have been stored; each that was is valid.
    pub async fn finish<R>(self, returns: Returns<T, V, R>, body: Option<R>) -> R {
        let (answer, kept) = (returns.answer)(self, body);
        if !kept.is_empty() {
            Box::pin(settle_many(kept)).await;
        }
        answer
    }

    /// The same for a sync function.
    pub fn finish_sync<R>(self, returns: Returns<T, V, R>, body: Option<R>) -> R {
        let (answer, kept) = (returns.answer)(self, body);
        if !kept.is_empty() {
            settle_many_sync(kept);
        }
        answer
    }

    fn all(&self) -> Option<Vec<T>> {
        Some(self.elements.iter().map(self.clone).collect())
    }
}

/// How the answers of a batch are taken apart and put together.
pub struct Returns<T, V: 'static, R> {
    answer: Answering<T, V, R>,
}

/// What is kept of one element that was loaded.
type Kept = (Box<Run>, Keep);
type Answering<T, V, R> = fn(Batch<'_, T, V>, Option<R>) -> (R, Vec<Kept>);

impl<T, V, R> fmt::Debug for Returns<T, V, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Returns")
    }
}

/// The witness that a type can be the result of a batch of `T`.
#[must_use]
pub const fn returns<S, R, T, V>() -> Returns<T, V, R>
where
    S: Shape<R>,
    S::Value: Collection<T, Value = V>,
    V: 'static,
{
    Returns { answer: answer::<S, R, T, V> }
}

/// What the caller gets, and what is kept of each element that was loaded.
fn answer<S, R, T, V>(batch: Batch<'_, T, V>, body: Option<R>) -> (R, Vec<Kept>)
where
    S: Shape<R>,
    S::Value: Collection<T, Value = V>,
{
    let Batch { elements, clone, mut looked, cached } = batch;
    let collection = match body {
        // Without a cache what the body returned is the answer.
        Some(answer) if !cached => return (answer, Vec::new()),
        Some(answer) => match S::take(answer) {
            Ok(collection) => Some(collection),
            Err(failed) => return (failed, looked.nothing()),
        },
        None => None,
    };
    let kept = match &collection {
        Some(collection) => looked.keep(looked.asked(elements, clone), collection),
        None => Vec::new(),
    };
    let whole = looked.whole(elements, clone);
    (S::value(Collection::complete(collection, &whole)), kept)
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
