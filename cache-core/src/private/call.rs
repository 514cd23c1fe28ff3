//! Readers: the typed shell around the engine.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use tracing::{Instrument, Span};

use super::{
    ACache, Outcome, Shape, Spec, Tags,
    sharing::Share,
    subject::{Untyped, keep_value},
};
use crate::{
    cache::Cache,
    engine::{Call, Engine, Entered, Keep, Missing, Run, Step},
    key::{Fingerprint, KeyPart, KeyRef},
    scope,
    value::Stored,
};

/// The cache that an annotated function uses.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// The default, or the one of the scope.
    Current,
    /// That of `cache = expr`.
    This(&'a Cache),
}

/// The default cache, or the one of the scope.
#[must_use]
pub const fn current() -> Given<'static> {
    Given::Current
}

/// The cache of `cache = expr`.
#[must_use]
pub fn given<C: ACache + ?Sized>(cache: &C) -> Given<'_> {
    Given::This(cache.cache())
}

impl Given<'_> {
    /// The engine, or `None` when the default cannot be built (its error was logged).
    pub(crate) fn with<R>(self, f: impl FnOnce(Option<&Arc<Engine>>) -> R) -> R {
        match self {
            Self::Current => scope::with_current(|cache| f(cache.ok().map(Cache::engine))),
            Self::This(cache) => f(Some(cache.engine())),
        }
    }

    /// The engine to read from; `None` also where it is not to be read: it is off, or the caller bypasses it.
    #[inline]
    pub(crate) fn read<R>(self, f: impl FnOnce(Option<&Arc<Engine>>) -> R) -> R {
        match self {
            Self::Current => scope::with_scope(|cache, bypassed| {
                let engine = cache.ok().map(Cache::engine);
                f(engine.filter(|engine| engine.is_read(bypassed)))
            }),
            Self::This(cache) => {
                let engine = Some(cache.engine());
                f(engine.filter(|engine| engine.is_read(scope::reads_past())))
            }
        }
    }
}

/// One entry, with the type of its value.
pub(crate) struct Subject<V: 'static> {
    pub(crate) spec: &'static Spec<V>,
    untyped: Untyped,
}

/// Most of what is done with an entry does not ask for its type.
impl<V> Deref for Subject<V> {
    type Target = Untyped;

    fn deref(&self) -> &Untyped {
        &self.untyped
    }
}

impl<V> DerefMut for Subject<V> {
    fn deref_mut(&mut self) -> &mut Untyped {
        &mut self.untyped
    }
}

impl<V> Subject<V> {
    pub(crate) fn new(spec: &'static Spec<V>, engine: &Arc<Engine>, key: KeyRef<'_>) -> Self {
        Self { spec, untyped: Untyped::new(&spec.site, engine, key.to_key()) }
    }

    pub(super) fn of(spec: &'static Spec<V>, engine: &Arc<Engine>, missing: Missing) -> Self {
        let mut untyped = Untyped::new(&spec.site, engine, missing.key);
        untyped.absence = missing.absence;
        Self { spec, untyped }
    }

    pub(crate) fn call(&self, shares_errors: bool) -> Call {
        let call = self.call_of(&self.spec.value.erased, shares_errors);
        Call { life_of: self.spec.life_of(), ..call }
    }

    /// How long this value lives: what the value says, then the call, then the function, then the cache.
    pub(crate) fn life(&self, value: &V) -> Option<Duration> {
        self.untyped.life(self.spec.ttl_fn.map(|ttl| ttl(value)))
    }

    /// The tags that the value tells.
    pub(crate) fn learned(&self, value: &V) -> Vec<String> {
        let Some(learn) = self.spec.learn else { return Vec::new() };
        let mut tags = Tags::default();
        learn(value, &self.learn_from, &mut tags);
        self.new_of(tags)
    }

    /// Whether the function wants this value kept.
    pub(crate) fn keeps(&self, value: &V) -> bool {
        match self.spec.cache_if {
            Some(keep) => keep(value),
            None => true,
        }
    }

    /// What of a loaded value is kept, and for how long.
    pub(crate) fn kept(&self, value: &V) -> Keep {
        let kept = self.spec.value.keep(value);
        keep_value(kept, self.life(value), self.keeps(value), self.learned(value))
    }

    /// A caller's copy of what is kept.
    pub(crate) fn copy(&self, kept: &Stored) -> Option<V> {
        kept.as_ref().and_then(|kept| self.spec.value.copy(kept))
    }
}

/// Looks into memory.
///
/// # Errors
///
/// The miss, which says what to load.
// So that the fingerprint is made where the types of the arguments are known, without a virtual call for each.
#[inline(always)]
pub fn lookup<S, R>(
    spec: &'static Spec<S::Value>,
    cache: Given<'_>,
    key: &[&dyn KeyPart],
) -> Result<R, Miss<S::Value>>
where
    S: Shape<R>,
    S::Value: 'static,
{
    let mut print = Fingerprint::new();
    print.parts(key);
    cache.read(|engine| {
        let Some(engine) = engine else { return Err(Miss::of(None)) };
        let mut hit = None;
        let mut serve = |kept: &Stored| {
            hit = restore::<S, R>(spec, kept);
            hit.is_some()
        };
        let mut missing = None;
        // A function that renews nothing has no entries that are due.
        engine.look_up(&spec.site, key, &print, &mut missing, &mut serve);
        match hit {
            Some(hit) => Ok(hit),
            None => Err(Miss::of(missing.map(|missing| Subject::of(spec, engine, missing)))),
        }
    })
}

/// The result for what is kept; `None` when that is of another type.
pub(super) fn restore<S: Shape<R>, R>(spec: &Spec<S::Value>, kept: &Stored) -> Option<R>
where
    S::Value: 'static,
{
    match kept {
        Some(kept) => Some(S::value(spec.value.copy(kept)?)),
        None => S::nothing(),
    }
}

/// The same for what only this caller may still have.
fn taken<S: Shape<R>, R>(spec: &Spec<S::Value>, kept: Stored) -> Option<R>
where
    S::Value: 'static,
{
    match kept {
        Some(kept) => spec.value.take(kept).map(S::value),
        None => S::nothing(),
    }
}

/// A call that has to load.
pub struct Miss<V: 'static>(pub(super) Option<Box<Subject<V>>>);

impl<V> fmt::Debug for Miss<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Miss").field(&self.0.as_ref().map(|subject| subject.key.text())).finish()
    }
}

impl<V> Miss<V> {
    /// All placeholders of the known tags in order, then the arguments that learned tags use.
    #[must_use]
    pub fn tagged(mut self, parts: &[&dyn KeyPart]) -> Self {
        if let Some(subject) = &mut self.0 {
            subject.tag_with(parts);
        }
        self
    }

    /// A time to live that is known only now.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        if let Some(subject) = &mut self.0 {
            subject.ttl = Some(ttl);
        }
        self
    }

    /// What is not cached at all has no subject.
    pub(crate) fn of(subject: Option<Subject<V>>) -> Self {
        Self(subject.map(Box::new))
    }

    /// The value from a flight, from the shared tier, or from the body.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the body; callers that wait for it elect another leader.
    pub async fn load<S, R, F>(self, share: Share<S::Error>, body: F) -> R
    where
        S: Shape<R, Value = V>,
        F: Future<Output = R>,
    {
        let mut run = None;
        if let Some(subject) = &self.0 {
            let entered = match subject.call(share.0.is_some()).enter() {
                Step::Done(entered) => entered,
                Step::Wait(entering) => entering.await,
            };
            match settled::<S, R>(entered, subject, &share) {
                Ok(result) => return result,
                Err(left) => run = left,
            }
        }
        // In one place: each `.await` of the body has a copy of its code.
        let result = body.instrument(span_of(&mut run)).await;
        let (Some(run), Some(subject)) = (run, &self.0) else { return result };
        let (keep, result) = ended::<S, R>(&run, result, subject, &share);
        if let Step::Wait(settling) = run.settle(keep) {
            settling.await;
        }
        result
    }

    /// The same for a sync function.
    pub fn load_sync<S, R>(self, share: Share<S::Error>, body: impl FnOnce() -> R) -> R
    where
        S: Shape<R, Value = V>,
    {
        let Some(subject) = self.0 else { return body() };
        let entered = subject.call(share.0.is_some()).enter_sync();
        let mut run = match settled::<S, R>(entered, &subject, &share) {
            Ok(result) => return result,
            Err(run) => run,
        };
        let result = span_of(&mut run).in_scope(body);
        finish_sync::<S, R>(run, result, &subject, &share)
    }
}

/// The span of a body that is run for the cache.
pub(super) fn span_of(run: &mut Option<Box<Run>>) -> Span {
    run.as_mut().map_or_else(Span::none, |run| run.span())
}

/// Settles, and gives what the body returned or what stands in for it.
pub(super) async fn finish<S: Shape<R>, R>(
    run: Option<Box<Run>>,
    result: R,
    subject: &Subject<S::Value>,
    share: &Share<S::Error>,
) -> R {
    let Some(run) = run else { return result };
    let (keep, result) = ended::<S, R>(&run, result, subject, share);
    if let Step::Wait(settling) = run.settle(keep) {
        settling.await;
    }
    result
}

/// The same for a sync function.
pub(super) fn finish_sync<S: Shape<R>, R>(
    run: Option<Box<Run>>,
    result: R,
    subject: &Subject<S::Value>,
    share: &Share<S::Error>,
) -> R {
    let Some(run) = run else { return result };
    let (keep, result) = ended::<S, R>(&run, result, subject, share);
    run.settle_sync(keep);
    result
}

/// What is kept of what the body returned where nobody gets it.
pub(super) fn keep_instead<S: Shape<R>, R>(
    run: &Run,
    result: &R,
    subject: &Subject<S::Value>,
    share: &Share<S::Error>,
) -> Keep {
    match S::open(result) {
        Outcome::Value(value) => subject.kept(value),
        Outcome::Nothing => subject.nothing(),
        Outcome::Error(error) => match run.instead_of_error() {
            Some(stale) => {
                run.tell_stale();
                Keep::Stale(stale)
            }
            None => share.kept(error),
        },
    }
}

/// What is kept of what the body returned, and what the caller gets.
fn ended<S: Shape<R>, R>(
    run: &Run,
    result: R,
    subject: &Subject<S::Value>,
    share: &Share<S::Error>,
) -> (Keep, R) {
    let keep = match S::open(&result) {
        Outcome::Value(value) => subject.kept(value),
        Outcome::Nothing => subject.nothing(),
        Outcome::Error(error) => {
            if let Some(stale) = run.instead_of_error()
                && let Some(instead) = restore::<S, R>(subject.spec, &stale)
            {
                run.tell_stale();
                return (Keep::Stale(stale), instead);
            }
            share.kept(error)
        }
    };
    (keep, result)
}

/// What the engine already has for the caller, or the run that is left to do.
pub(super) fn settled<S: Shape<R>, R>(
    entered: Entered,
    subject: &Subject<S::Value>,
    share: &Share<S::Error>,
) -> Result<R, Option<Box<Run>>> {
    match entered {
        Entered::Run(run) => Err(Some(run)),
        // Flights and entries are apart by type, so the copies succeed; if not, the body is right whatever was kept.
        Entered::Value(kept) | Entered::Behind(kept) => match taken::<S, R>(subject.spec, kept) {
            Some(result) => Ok(result),
            None => Err(None),
        },
        Entered::Error(kept) => match share.copied(&kept) {
            Some(error) => Ok(S::error(error)),
            None => Err(None),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{private::PlainShape, value::MemoryValue};

    static SPEC: Spec<u64> = Spec::new(<u64 as MemoryValue>::TYPE, "tests", "number", &["number"]);

    #[test]
    fn who_looked_before_another_call_loaded_and_leads_after_it_finds_its_value() {
        let cache = Cache::memory();
        let missed = || match lookup::<PlainShape, u64>(&SPEC, given(&cache), &[]) {
            Err(miss) => miss,
            Ok(hit) => panic!("{hit} is there"),
        };
        let (late, first) = (missed(), missed());
        assert_eq!(first.load_sync::<PlainShape, _>(Share::never(), || 1), 1);
        let body = || panic!("it was loaded already");
        assert_eq!(late.load_sync::<PlainShape, u64>(Share::never(), body), 1);
    }
}
