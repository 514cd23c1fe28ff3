//! Writers: run the body, then store and invalidate.

use std::{fmt, future::Future, sync::Arc};

use cache_store::Invalidation;
use cache_template::Glob;

use super::{Given, Outcome, Shape, Subject};
use crate::{
    blocking,
    engine::{Engine, Writing, Written},
    entry::{Entry, FnCache},
    key::KeyPart,
    runtime,
};

/// An entry that holds values of type `T`.
#[diagnostic::on_unimplemented(
    message = "the writer returns `{T}`, but its `entry` holds another type",
    label = "this entry does not hold `{T}`",
    note = "the reader and the writer of one entry must return the same value type"
)]
pub trait Holds<T: 'static> {
    #[doc(hidden)]
    fn into_entry(self) -> Entry<T>;
}

#[diagnostic::do_not_recommend]
impl<T: 'static> Holds<T> for Entry<T> {
    fn into_entry(self) -> Self {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<T: 'static> Holds<T> for blocking::Entry<T> {
    fn into_entry(self) -> Entry<T> {
        self.into_inner()
    }
}

/// Something that a writer invalidates: a reader's entry, or all of a reader.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a reader's entry",
    label = "expected a reader's entry",
    note = "`invalidates` takes `reader(args)` for one entry and `reader(*)` for all of a reader"
)]
pub trait IntoTarget {
    #[doc(hidden)]
    fn into_target(self) -> Target;
}

/// What to invalidate, and where.
#[derive(Debug)]
pub struct Target(Option<(Arc<Engine>, Invalidation, bool)>);

impl<T> IntoTarget for Entry<T> {
    fn into_target(self) -> Target {
        Target(self.target())
    }
}

impl<T> IntoTarget for blocking::Entry<T> {
    fn into_target(self) -> Target {
        Target(self.into_inner().target())
    }
}

impl IntoTarget for FnCache {
    fn into_target(self) -> Target {
        Target(self.target())
    }
}

impl IntoTarget for blocking::FnCache {
    fn into_target(self) -> Target {
        Target(self.into_inner().target())
    }
}

/// A write to be: its entry, if it renews one, and what it invalidates once its body has succeeded.
pub struct Write<'a, V: 'static> {
    entry: Option<Entry<V>>,
    done: After<V>,
    after: Vec<Later<'a, V>>,
}

type Later<'a, V> = Box<dyn FnOnce(&V, &mut After<V>) + Send + 'a>;

impl<V> fmt::Debug for Write<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write").field("entry", &self.entry).finish_non_exhaustive()
    }
}

/// A writer that renews no entry, or learns which one from its value.
#[must_use]
pub fn writer<'a, V>(cache: Given<'_>) -> Write<'a, V> {
    Write { entry: None, done: After::new(cache.with(|engine| engine.cloned())), after: Vec::new() }
}

/// A writer that renews this entry.
#[must_use]
pub fn write_through<'a, V, E: Holds<V>>(entry: E) -> Write<'a, V> {
    let entry = entry.into_entry();
    let engine = entry.engine().cloned();
    Write { entry: Some(entry), done: After::new(engine), after: Vec::new() }
}

impl<'a, V> Write<'a, V> {
    /// Invalidates a reader's entry, or all of a reader.
    #[must_use]
    pub fn target(mut self, target: impl IntoTarget) -> Self {
        self.done.target(target);
        self
    }

    /// Invalidates a key.
    #[must_use]
    pub fn key(mut self, literals: &[&str], parts: &[&dyn KeyPart]) -> Self {
        self.done.key(literals, parts);
        self
    }

    /// Invalidates every key that matches a pattern; the parts are matched literally.
    #[must_use]
    pub fn pattern(mut self, literals: &[&str], parts: &[&dyn KeyPart]) -> Self {
        self.done.pattern(literals, parts);
        self
    }

    /// Invalidates a tag.
    #[must_use]
    pub fn tag(mut self, literals: &[&str], parts: &[&dyn KeyPart]) -> Self {
        self.done.tag(literals, parts);
        self
    }

    /// Does what only the value tells how to do.
    #[must_use]
    pub fn after(mut self, f: impl FnOnce(&V, &mut After<V>) + Send + 'a) -> Self {
        self.after.push(Box::new(f));
        self
    }

    /// Announces the write, runs the body, stores its value and invalidates.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the body; the entry is invalidated then, for the body may have written.
    pub async fn run<S, R, F>(mut self, body: F) -> R
    where
        S: Shape<R, Value = V>,
        F: Future<Output = R>,
    {
        let subject = self.entry.take().and_then(Entry::into_subject);
        let mut writing = match &subject {
            Some(subject) => Some(Box::pin(Writing::begin(subject.call(false))).await),
            None => None,
        };
        let result = body.await;
        let outcome = S::open(&result);
        let written = written(subject.as_ref(), &outcome);
        if let Some(writing) = writing.take() {
            Box::pin(writing.finish(written)).await;
        }
        if let Some(done) = self.done_after(&outcome) {
            Box::pin(done.apply()).await;
        }
        result
    }

    /// The same for a sync function.
    pub fn run_sync<S, R>(mut self, body: impl FnOnce() -> R) -> R
    where
        S: Shape<R, Value = V>,
    {
        let subject = self.entry.take().and_then(Entry::into_subject);
        let writing = subject.as_ref().map(|subject| begin_sync(subject));
        let result = body();
        let outcome = S::open(&result);
        let written = written(subject.as_ref(), &outcome);
        if let Some(writing) = writing {
            finish_sync(writing, written);
        }
        if let Some(done) = self.done_after(&outcome) {
            done.apply_sync();
        }
        result
    }

    /// What to do now that the body is done; `None` when it failed.
    fn done_after<E>(self, outcome: &Outcome<'_, V, E>) -> Option<Done> {
        let mut done = self.done;
        match outcome {
            Outcome::Error(_) => return None,
            Outcome::Nothing => {}
            Outcome::Value(value) => {
                for later in self.after {
                    later(value, &mut done);
                }
                if let Some(entry) = done.entry.take() {
                    done.renewed = entry.into_subject().map(|subject| {
                        let written = written::<V, E>(Some(&subject), outcome);
                        Renewal { call: subject.call(false), written }
                    });
                }
            }
        }
        Some(Done { targets: done.targets, renewed: done.renewed })
    }
}

/// What a writer's entry is given; `None` invalidates it.
fn written<V, E>(subject: Option<&Subject<V>>, outcome: &Outcome<'_, V, E>) -> Option<Written> {
    let subject = subject?;
    match outcome {
        Outcome::Value(value) if subject.keeps(value) => Some(Written {
            value: Some(subject.spec.value.keep(value)),
            life: subject.life(value),
            learned: subject.learned(value),
        }),
        Outcome::Nothing => subject.spec.site.negative_ttl.map(|ttl| Written {
            value: None,
            life: Some(ttl),
            learned: Vec::new(),
        }),
        _ => None,
    }
}

fn begin_sync<V>(subject: &Subject<V>) -> Writing {
    let call = subject.call(false);
    if call.engine.shared_for(call.site).is_none() {
        return Writing::begin_in_memory(call);
    }
    let alone = call.clone();
    runtime::wait_for(async move { Writing::begin(call).await })
        .unwrap_or_else(|| Writing::begin_in_memory(alone))
}

fn finish_sync(writing: Writing, written: Option<Written>) {
    if writing.is_shared() {
        // Dropped half-way, the write invalidates its entry.
        runtime::wait_for(async move { drop(writing.finish(written).await) });
    } else {
        writing.finish_in_memory(written);
    }
}

/// What happens after the body succeeded.
pub struct After<V: 'static> {
    engine: Option<Arc<Engine>>,
    targets: Vec<(Arc<Engine>, Invalidation, bool)>,
    entry: Option<Entry<V>>,
    renewed: Option<Renewal>,
}

impl<V> fmt::Debug for After<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("After").field("targets", &self.targets).finish_non_exhaustive()
    }
}

impl<V> After<V> {
    fn new(engine: Option<Arc<Engine>>) -> Self {
        Self { engine, targets: Vec::new(), entry: None, renewed: None }
    }

    /// Invalidates a reader's entry, or all of a reader.
    pub fn target(&mut self, target: impl IntoTarget) {
        self.targets.extend(target.into_target().0);
    }

    /// Invalidates a key.
    pub fn key(&mut self, literals: &[&str], parts: &[&dyn KeyPart]) {
        self.invalidate(Invalidation::Keys(vec![crate::key::render(literals, parts)]));
    }

    /// Invalidates every key that matches a pattern.
    pub fn pattern(&mut self, literals: &[&str], parts: &[&dyn KeyPart]) {
        let mut glob = String::new();
        for (at, literal) in literals.iter().enumerate() {
            glob.push_str(literal);
            if let Some(part) = parts.get(at) {
                glob.push_str(Glob::literal(&crate::key::render(&["", ""], &[*part])).as_str());
            }
        }
        self.invalidate(Invalidation::Pattern(glob));
    }

    /// Invalidates a tag.
    pub fn tag(&mut self, literals: &[&str], parts: &[&dyn KeyPart]) {
        self.invalidate(Invalidation::Tags(vec![crate::key::render(literals, parts)]));
    }

    /// Stores the value in this entry. Without the write guard: the entry was not known before the body ran.
    pub fn entry(&mut self, entry: impl Holds<V>) {
        self.entry = Some(entry.into_entry());
    }

    fn invalidate(&mut self, what: Invalidation) {
        if let Some(engine) = &self.engine {
            self.targets.push((Arc::clone(engine), what, true));
        }
    }
}

struct Renewal {
    call: crate::engine::Call,
    written: Option<Written>,
}

/// What is left to do when the body is done.
struct Done {
    targets: Vec<(Arc<Engine>, Invalidation, bool)>,
    renewed: Option<Renewal>,
}

impl Done {
    /// Failures are counted and repeated by the engine: they are not the caller's problem.
    async fn apply(self) {
        if let Some(Renewal { call, written }) = self.renewed {
            Writing::begin(call).await.finish(written).await;
        }
        for (engine, what, shared) in merged(self.targets) {
            if shared {
                let _ = engine.invalidate(what).await;
            } else {
                engine.invalidate_here(&what);
            }
        }
    }

    fn apply_sync(self) {
        let here = self
            .renewed
            .as_ref()
            .is_none_or(|it| it.call.engine.shared_for(it.call.site).is_none())
            && self.targets.iter().all(|(engine, _, shared)| !shared || engine.shared.is_none());
        if !here {
            runtime::wait_for(self.apply());
            return;
        }
        if let Some(Renewal { call, written }) = self.renewed {
            Writing::begin_in_memory(call).finish_in_memory(written);
        }
        for (engine, what, _) in self.targets {
            engine.invalidate_here(&what);
        }
    }
}

/// Keys and tags of one cache go in one round trip each.
fn merged(
    targets: Vec<(Arc<Engine>, Invalidation, bool)>,
) -> Vec<(Arc<Engine>, Invalidation, bool)> {
    let mut out: Vec<(Arc<Engine>, Invalidation, bool)> = Vec::new();
    for (engine, what, shared) in targets {
        let same = |(other, _, also): &&mut (Arc<Engine>, Invalidation, bool)| {
            Arc::ptr_eq(other, &engine) && *also == shared
        };
        let joined = out.iter_mut().filter(same).find_map(|(_, into, _)| match (into, &what) {
            (Invalidation::Keys(into), Invalidation::Keys(more))
            | (Invalidation::Tags(into), Invalidation::Tags(more)) => Some((into, more)),
            _ => None,
        });
        match joined {
            Some((into, more)) => into.extend(more.iter().cloned()),
            None => out.push((engine, what, shared)),
        }
    }
    out
}
