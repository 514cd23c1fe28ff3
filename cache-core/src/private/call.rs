//! Readers: the typed shell around the engine.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use cache_store::Invalidation;

use super::{Outcome, Shape, Spec, Tags, sharing::Share};
use crate::{
    cache::Cache,
    engine::{Call, Engine, Entered, Keep, Order, Run},
    events::Origin,
    key::{Key, KeyBuffer, KeyPart, KeyRef, render_key},
    scope,
    stats::Counter,
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
pub fn given<C: AsRef<Cache> + ?Sized>(cache: &C) -> Given<'_> {
    Given::This(cache.as_ref())
}

impl Given<'_> {
    /// The engine, or `None` when the default cannot be built (its error was logged).
    pub(crate) fn with<R>(self, f: impl FnOnce(Option<&Arc<Engine>>) -> R) -> R {
        match self {
            Self::Current => scope::with_current(|cache| f(cache.ok().map(Cache::engine))),
            Self::This(cache) => f(Some(cache.engine())),
        }
    }
}

/// One entry: its cache, its key, and what its tags and life are made of.
pub(crate) struct Subject<V: 'static> {
    pub(crate) spec: &'static Spec<V>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) key: Key,
    pub(crate) tags: Vec<String>,
    /// Rendered arguments that tags learned from the value use.
    pub(crate) learn_from: Vec<String>,
    pub(crate) ttl: Option<Duration>,
}

impl<V> Subject<V> {
    pub(crate) fn new(spec: &'static Spec<V>, engine: &Arc<Engine>, key: KeyRef<'_>) -> Self {
        let literal = |tag: &&[&str]| (tag.len() == 1).then(|| tag[0].to_owned());
        Self {
            spec,
            engine: Arc::clone(engine),
            key: key.to_key(),
            tags: spec.site.tags.iter().copied().filter_map(|tag| literal(&tag)).collect(),
            learn_from: Vec::new(),
            ttl: None,
        }
    }

    /// All placeholders of the known tags in order, then the arguments that learned tags use.
    pub(crate) fn tag_with(&mut self, mut parts: &[&dyn KeyPart]) {
        self.tags.clear();
        for tag in self.spec.site.tags {
            let (own, rest) = parts.split_at(parts.len().min(tag.len() - 1));
            self.tags.push(crate::key::render(tag, own));
            parts = rest;
        }
        self.learn_from =
            parts.iter().map(|part| crate::key::render(&["", ""], &[*part])).collect();
    }

    /// What invalidates the entry.
    pub(crate) fn invalidation(&self) -> Order {
        Order {
            engine: Arc::clone(&self.engine),
            what: Invalidation::Keys(vec![self.key.text().to_owned()]),
            shared: self.spec.site.layer.shared(),
            origin: Origin::Here,
        }
    }

    pub(crate) fn call(&self, shares_errors: bool) -> Call {
        Call {
            engine: Arc::clone(&self.engine),
            key: self.key.clone(),
            site: &self.spec.site,
            value: self.spec.value.erased,
            tags: if self.tags.is_empty() { NO_TAGS.clone() } else { self.tags.as_slice().into() },
            life: self.fixed_life(),
            arrival: self.engine.fences.now(),
            arrived: self.engine.now(),
            shares_errors,
            renewing: false,
        }
    }

    /// How long this value lives: what the value says, then the call, then the function, then the cache.
    pub(crate) fn life(&self, value: &V) -> Option<Duration> {
        let life = match self.spec.ttl_fn {
            Some(ttl) => endless(ttl(value)),
            None => self.fixed_life(),
        };
        life.map(|life| jittered(life, self.spec.site.jitter))
    }

    /// The same without the value.
    fn fixed_life(&self) -> Option<Duration> {
        match (self.ttl, self.spec.site.ttl) {
            (Some(ttl), _) => endless(ttl),
            (None, Some(ttl)) => ttl.0,
            (None, None) => self.engine.settings.default_ttl,
        }
    }

    /// The tags that the value tells.
    pub(crate) fn learned(&self, value: &V) -> Vec<String> {
        let mut tags = Tags::default();
        if let Some(learn) = self.spec.learn {
            learn(value, &self.learn_from, &mut tags);
        }
        tags.0.retain(|tag| !self.tags.contains(tag));
        tags.0
    }

    /// Whether the function wants this value kept.
    pub(crate) fn keeps(&self, value: &V) -> bool {
        self.spec.cache_if.is_none_or(|keep| keep(value))
    }

    /// What of a loaded value is kept, and for how long.
    pub(crate) fn kept(&self, value: &V) -> Keep {
        let kept = self.spec.value.keep(value);
        let life = self.life(value);
        if !self.keeps(value) || life.is_some_and(|life| life.is_zero()) {
            return Keep::Pass { value: Some(kept), learned: self.learned(value) };
        }
        Keep::Value { value: Some(kept), life, learned: self.learned(value) }
    }

    /// What is kept where there is no value.
    pub(crate) fn nothing(&self) -> Keep {
        match self.spec.site.negative_ttl {
            Some(ttl) => Keep::Value { value: None, life: Some(ttl), learned: Vec::new() },
            None => Keep::Pass { value: None, learned: Vec::new() },
        }
    }

    /// A caller's copy of what is kept.
    pub(crate) fn copy(&self, kept: &Stored) -> Option<V> {
        kept.as_ref().and_then(|kept| self.spec.value.copy(kept))
    }
}

/// Most calls have none.
static NO_TAGS: LazyLock<Arc<[String]>> = LazyLock::new(|| Arc::new([]));

/// [`Duration::MAX`] means for ever.
fn endless(life: Duration) -> Option<Duration> {
    Some(life).filter(|life| *life != Duration::MAX)
}

/// Shortens a life by a random share of at most `share`, so that entries made together do not expire together.
fn jittered(life: Duration, share: f32) -> Duration {
    if share > 0.0 {
        let shorter = life.as_secs_f64() * f64::from(1.0 - share * fastrand::f32());
        // Rounding may take it past what a duration holds.
        Duration::try_from_secs_f64(shorter).map_or(life, |shorter| shorter.min(life))
    } else {
        life
    }
}

/// Looks into memory.
///
/// # Errors
///
/// The miss, which says what to load.
#[inline]
pub fn lookup<S, R>(
    spec: &'static Spec<S::Value>,
    cache: Given<'_>,
    key: &[&dyn KeyPart],
) -> Result<R, Miss<S::Value>>
where
    S: Shape<R>,
    S::Value: 'static,
{
    cache.with(|engine| {
        let Some(engine) = engine.filter(|engine| engine.enabled()) else { return Err(Miss(None)) };
        let mut buffer = KeyBuffer::new();
        render_key(spec.site.key, key, &mut buffer);
        if buffer.failure().is_some() {
            engine.counters.count(Counter::Bypassed);
            return Err(Miss(None));
        }
        let key = buffer.finish();
        if spec.site.layer.memory()
            && let Some(entry) = engine.memory_hit(key, &spec.site)
            && let Some(hit) = restore::<S, R>(spec, &entry.value)
        {
            engine.count_hit(Counter::HitsMemory, &entry.value);
            return Ok(hit);
        }
        Err(Miss(Some(Subject::new(spec, engine, key))))
    })
}

/// The result for what is kept; `None` when that is of another type.
pub(super) fn restore<S: Shape<R>, R>(spec: &Spec<S::Value>, kept: &Stored) -> Option<R>
where
    S::Value: 'static,
{
    match kept {
        Some(kept) => spec.value.copy(kept).map(S::value),
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
pub struct Miss<V: 'static>(pub(super) Option<Subject<V>>);

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

    pub(crate) fn of(subject: Subject<V>) -> Self {
        Self(Some(subject))
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
        let Some(subject) = self.0 else { return body.await };
        let entered = Box::pin(subject.call(share.0.is_some()).enter()).await;
        let run = match settled::<S, R>(entered, &subject, &share) {
            Ok(result) => return result,
            Err(run) => run,
        };
        finish::<S, R>(run, body.await, &subject, &share).await
    }

    /// The same for a sync function.
    pub fn load_sync<S, R>(self, share: Share<S::Error>, body: impl FnOnce() -> R) -> R
    where
        S: Shape<R, Value = V>,
    {
        let Some(subject) = self.0 else { return body() };
        let entered = subject.call(share.0.is_some()).enter_sync();
        let run = match settled::<S, R>(entered, &subject, &share) {
            Ok(result) => return result,
            Err(run) => run,
        };
        finish_sync::<S, R>(run, body(), &subject, &share)
    }
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
    Box::pin(run.settle(keep)).await;
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
        Outcome::Error(_) => run.instead_of_error().map_or_else(
            || keep::<S, R>(result, subject, share),
            |stale| {
                run.tell_stale();
                Keep::Stale(stale)
            },
        ),
        _ => keep::<S, R>(result, subject, share),
    }
}

/// What is kept of what the body returned, and what the caller gets.
fn ended<S: Shape<R>, R>(
    run: &Run,
    result: R,
    subject: &Subject<S::Value>,
    share: &Share<S::Error>,
) -> (Keep, R) {
    if let Outcome::Error(_) = S::open(&result)
        && let Some(stale) = run.instead_of_error()
        && let Some(instead) = restore::<S, R>(subject.spec, &stale)
    {
        run.tell_stale();
        return (Keep::Stale(stale), instead);
    }
    (keep::<S, R>(&result, subject, share), result)
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
        Entered::Value(kept) | Entered::Behind(kept) => {
            taken::<S, R>(subject.spec, kept).ok_or(None)
        }
        Entered::Error(kept) => {
            let copy = share.0.as_ref().and_then(|share| (share.copy)(&kept));
            copy.map(S::error).ok_or(None)
        }
    }
}

/// What of the result is kept, and for how long.
pub(super) fn keep<S: Shape<R>, R>(
    result: &R,
    subject: &Subject<S::Value>,
    share: &Share<S::Error>,
) -> Keep {
    match S::open(result) {
        Outcome::Value(value) => subject.kept(value),
        Outcome::Nothing => subject.nothing(),
        Outcome::Error(error) => {
            share.0.as_ref().map_or(Keep::Nothing, |share| Keep::Error((share.keep)(error)))
        }
    }
}
