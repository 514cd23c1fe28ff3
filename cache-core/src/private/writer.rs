//! Writers: run the body, then store and invalidate.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use cache_store::Invalidation;
use cache_template::Glob;

use super::{Given, Outcome, Shape, Subject, timeout::within};
use crate::{
    blocking,
    engine::{Engine, Invalidating, Order, Writing, Written, invalidate_all},
    entry::{Entry, FnCache},
    events::Origin,
    key::{KeyBuffer, KeyPart, render_key},
    runtime,
    transaction::{self, Intents},
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
pub struct Target(Option<Order>);

impl Target {
    pub(crate) fn into_order(self) -> Option<Order> {
        self.0
    }
}

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
    /// Dropping the future drops the body. The entry and all that this writer invalidates are invalidated then, for the
    /// body may have written.
    pub async fn run<S, R, F>(mut self, body: F) -> R
    where
        S: Shape<R, Value = V>,
        F: Future<Output = R>,
    {
        let subject = self.entry.take().and_then(Entry::into_subject);
        let writing = begin(self.done.owed.renews(subject.as_ref())).await;
        self.done.owed.stand();
        let result = body.await;
        self.finish::<S, R>(subject, writing, &result).await;
        result
    }

    /// Stores and invalidates what the body's result says.
    async fn finish<S, R>(self, subject: Option<Subject<V>>, writing: Option<Writing>, result: &R)
    where
        S: Shape<R, Value = V>,
    {
        let (written, done) = {
            let outcome = S::open(result);
            (written(subject.as_ref(), &outcome), self.done_after(&outcome))
        };
        let waited = match writing {
            Some(writing) => Box::pin(writing.finish(written)).await,
            None => false,
        };
        if let Some(done) = done {
            Box::pin(done.apply(waited)).await;
        }
    }

    /// The same for a body that is given up after `millis`. What was to change then counts as changed: the body may have
    /// written.
    ///
    /// # Cancel safety
    ///
    /// As for [`run`](Self::run).
    pub async fn run_within<S, R, F>(mut self, millis: u64, late: fn(Duration) -> R, body: F) -> R
    where
        S: Shape<R, Value = V>,
        F: Future<Output = R>,
    {
        let limit = Duration::from_millis(millis);
        let mut gave_up = false;
        let timed = async {
            let done = within(limit, body).await;
            gave_up = done.is_none();
            done.unwrap_or_else(|| late(limit))
        };
        let subject = self.entry.take().and_then(Entry::into_subject);
        let writing = begin(self.done.owed.renews(subject.as_ref())).await;
        self.done.owed.stand();
        let result = timed.await;
        if gave_up {
            let waited = match writing {
                Some(writing) => Box::pin(writing.finish(None)).await,
                None => false,
            };
            let owed = std::mem::take(&mut self.done.owed);
            Box::pin(Done { owed, renewed: None }.apply(waited)).await;
            return result;
        }
        self.finish::<S, R>(subject, writing, &result).await;
        result
    }

    /// The same for a sync function.
    pub fn run_sync<S, R>(mut self, body: impl FnOnce() -> R) -> R
    where
        S: Shape<R, Value = V>,
    {
        let subject = self.entry.take().and_then(Entry::into_subject);
        let writing = self.done.owed.renews(subject.as_ref()).map(|subject| begin_sync(subject));
        self.done.owed.stand();
        let result = body();
        let outcome = S::open(&result);
        let written = written(subject.as_ref(), &outcome);
        let waited = writing.is_some_and(|writing| finish_sync(writing, written));
        if let Some(done) = self.done_after(&outcome) {
            done.apply_sync(waited);
        }
        result
    }

    /// What to do now that the body is done; `None` when it failed.
    fn done_after<E>(self, outcome: &Outcome<'_, V, E>) -> Option<Done> {
        let mut done = self.done;
        match outcome {
            Outcome::Error(_) => {
                done.owed.call_off();
                return None;
            }
            Outcome::Nothing => {}
            Outcome::Value(value) => {
                for later in self.after {
                    later(value, &mut done);
                }
                if let Some(entry) = done.entry.take()
                    && let Some(entry) = done.owed.renews_after(entry)
                {
                    done.renewed = entry.into_subject().map(|subject| {
                        let written = written::<V, E>(Some(&subject), outcome);
                        let or_else = Invalidating::new(of_a_writer(subject.invalidation()));
                        Renewal { call: subject.call(false), written, or_else }
                    });
                }
            }
        }
        Some(Done { owed: done.owed, renewed: done.renewed })
    }
}

/// What a writer's entry is given; `None` invalidates it. Where caching is switched off nothing is stored, but other
/// processes' entries must go.
fn written<V, E>(subject: Option<&Subject<V>>, outcome: &Outcome<'_, V, E>) -> Option<Written> {
    let subject = subject.filter(|subject| subject.engine.enabled())?;
    match outcome {
        Outcome::Value(value) if subject.keeps(value) => {
            let life = subject.life(value);
            let stored = || Written {
                value: Some(subject.spec.value.keep(value)),
                life,
                learned: subject.learned(value),
            };
            (life != Some(Duration::ZERO)).then(stored)
        }
        Outcome::Nothing => subject.spec.site.negative_ttl.map(|ttl| Written {
            value: None,
            life: Some(ttl),
            learned: Vec::new(),
        }),
        _ => None,
    }
}

async fn begin<V>(subject: Option<&Subject<V>>) -> Option<Writing> {
    let call = subject?.call(false);
    Some(Box::pin(Writing::begin(call, Origin::Writer)).await)
}

fn begin_sync<V>(subject: &Subject<V>) -> Writing {
    let call = subject.call(false);
    if call.engine.shared_for(call.site).is_none() {
        return Writing::begin_in_memory(call, Origin::Writer);
    }
    let alone = call.clone();
    runtime::wait_for(async move { Writing::begin(call, Origin::Writer).await })
        .unwrap_or_else(|| Writing::begin_in_memory(alone, Origin::Writer))
}

/// Whether the caller has waited in vain for the shared tier.
fn finish_sync(writing: Writing, written: Option<Written>) -> bool {
    if writing.is_shared() {
        // Dropped half-way, the write invalidates its entry.
        runtime::wait_for(writing.finish(written)).unwrap_or(false)
    } else {
        writing.finish_in_memory(written);
        false
    }
}

/// What happens after the body succeeded.
pub struct After<V: 'static> {
    engine: Option<Arc<Engine>>,
    owed: Owed,
    entry: Option<Entry<V>>,
    renewed: Option<Renewal>,
}

impl<V> fmt::Debug for After<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("After").field("owed", &self.owed).finish_non_exhaustive()
    }
}

impl<V> After<V> {
    fn new(engine: Option<Arc<Engine>>) -> Self {
        Self { engine, owed: Owed::here(), entry: None, renewed: None }
    }

    /// Invalidates a reader's entry, or all of a reader.
    pub fn target(&mut self, target: impl IntoTarget) {
        self.owed.orders.extend(target.into_target().into_order().map(of_a_writer));
    }

    /// Invalidates a key.
    pub fn key(&mut self, literals: &[&str], parts: &[&dyn KeyPart]) {
        let mut buffer = KeyBuffer::new();
        let key = render_key(literals, parts, &mut buffer).text().to_owned();
        // A reader whose key cannot be rendered either has cached nothing under it.
        if buffer.failure().is_none() {
            self.invalidate(Invalidation::Keys(vec![key]));
        }
    }

    /// Invalidates every key that matches a pattern; the parts are matched literally.
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
            let engine = Arc::clone(engine);
            self.owed.orders.push(Order { engine, what, shared: true, origin: Origin::Writer });
        }
    }
}

fn of_a_writer(order: Order) -> Order {
    Order { origin: Origin::Writer, ..order }
}

/// The invalidations that a writer owes. From the beginning of its body on they happen in any case, also when it is
/// dropped or panics: the body may have written. Only a body that says that it failed calls them off.
#[derive(Debug, Default)]
struct Owed {
    orders: Vec<Order>,
    stands: bool,
    /// Where they wait for a commit.
    intents: Option<Arc<Intents>>,
}

impl Owed {
    fn here() -> Self {
        Self { orders: Vec::new(), stands: false, intents: transaction::current() }
    }

    /// The entry to be renewed. None in a transaction: what the body returns may yet change or be rolled back, so the entry is
    /// invalidated with the commit, whatever the body says.
    fn renews<'s, V>(&self, subject: Option<&'s Subject<V>>) -> Option<&'s Subject<V>> {
        let Some(intents) = &self.intents else { return subject };
        intents.record(subject.map(|subject| of_a_writer(subject.invalidation())));
        None
    }

    /// The same of one that the value told.
    fn renews_after<V>(&self, entry: Entry<V>) -> Option<Entry<V>> {
        let Some(intents) = &self.intents else { return Some(entry) };
        intents.record(entry.target().map(of_a_writer));
        None
    }

    fn stand(&mut self) {
        self.stands = true;
    }

    fn call_off(&mut self) {
        self.orders.clear();
    }

    /// Failures are counted and repeated by the engine: they are not the caller's problem.
    async fn pay(mut self) {
        if self.intents.is_some() {
            return;
        }
        invalidate_all(Order::merge(self.orders.drain(..))).await;
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.stands {
            let orders = Order::merge(self.orders.drain(..));
            if let Some(intents) = &self.intents {
                return intents.record(orders);
            }
            orders.into_iter().for_each(|order| drop(Invalidating::new(order)));
        }
    }
}

/// A value for an entry that only the value told.
struct Renewal {
    call: crate::engine::Call,
    written: Option<Written>,
    /// What happens if the write is dropped before it is announced.
    or_else: Invalidating,
}

/// What is left to do when the body is done.
struct Done {
    owed: Owed,
    renewed: Option<Renewal>,
}

impl Done {
    /// A caller who has waited in vain for the shared tier does not do so again: what is owed is queued then.
    async fn apply(self, mut waited: bool) {
        if let Some(Renewal { call, written, or_else }) = self.renewed {
            let writing = Writing::begin(call, Origin::Writer).await;
            or_else.call_off();
            waited |= writing.finish(written).await;
        }
        if waited {
            drop(self.owed);
        } else {
            self.owed.pay().await;
        }
    }

    fn apply_sync(self, waited: bool) {
        let renews_shared = self
            .renewed
            .as_ref()
            .is_some_and(|renewal| renewal.call.engine.shared_for(renewal.call.site).is_some());
        let tells_shared =
            self.owed.intents.is_none() && !self.owed.orders.iter().all(Order::is_local);
        if renews_shared || tells_shared {
            // Where waiting is not possible, it is dropped and so happens later.
            runtime::wait_for(self.apply(waited));
            return;
        }
        if let Some(Renewal { call, written, or_else }) = self.renewed {
            let writing = Writing::begin_in_memory(call, Origin::Writer);
            or_else.call_off();
            writing.finish_in_memory(written);
        }
        drop(self.owed);
    }
}
