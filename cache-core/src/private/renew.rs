//! Readers that renew their values in the background.

use std::{fmt, future::Future, time::Duration};

use tracing::Instrument;

use super::{
    Given, Miss, Shape, Spec, Subject,
    call::{finish, finish_sync, restore, settled, span_of},
    sharing::Share,
    timeout::within,
};
use crate::{
    engine::{Entered, Flight, Looked, Permit, Run, Step},
    key::{Fingerprint, KeyPart},
    scope,
    stats::Counter,
    value::Stored,
};

/// What a call comes to without its body.
pub enum Served<R, V: 'static> {
    /// A value.
    Hit(R),
    /// A value that is to be renewed.
    Due(R, Renewal<V>),
    /// Nothing: run the body.
    Miss(Loading<V>),
}

impl<R, V> fmt::Debug for Served<R, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hit(_) => "Hit",
            Self::Due(..) => "Due",
            Self::Miss(_) => "Miss",
        })
    }
}

/// [`lookup`](super::lookup) for a function that renews its values.
///
/// # Errors
///
/// The miss, which says what to ask for.
#[inline(always)]
pub fn look<S, R>(
    spec: &'static Spec<S::Value>,
    cache: Given<'_>,
    key: &[&dyn KeyPart],
) -> Result<Served<R, S::Value>, Miss<S::Value>>
where
    S: Shape<R>,
    S::Value: 'static,
{
    let mut print = Fingerprint::new();
    print.parts(key);
    cache.read(|engine| {
        let Some(engine) = engine else { return Err(Miss(None)) };
        let mut hit = None;
        let mut serve = |kept: &Stored| {
            hit = restore::<S, R>(spec, kept);
            hit.is_some()
        };
        let mut missing = None;
        let looked = engine.look_up(&spec.site, key, &print, &mut missing, &mut serve);
        let subject = missing.map(|missing| Subject::of(spec, engine, missing));
        match (looked, hit, subject) {
            (Looked::Due, Some(hit), Some(subject)) => Ok(Served::Due(hit, Renewal(subject))),
            (_, Some(hit), _) => Ok(Served::Hit(hit)),
            (_, None, subject) => Err(Miss::of(subject)),
        }
    })
}

impl<V> Miss<V> {
    /// Asks flights and the shared tier.
    ///
    /// # Cancel safety
    ///
    /// Safe: callers that wait for this one elect another leader.
    pub async fn enter<S, R>(self, share: Share<S::Error>) -> Served<R, V>
    where
        S: Shape<R, Value = V>,
    {
        let Some(subject) = self.0 else { return Served::Miss(Loading::bypassing()) };
        let entered = match subject.call(share.0.is_some()).enter() {
            Step::Done(entered) => entered,
            Step::Wait(entering) => entering.await,
        };
        served::<S, R>(entered, *subject, &share)
    }

    /// The same for a sync function.
    pub fn enter_sync<S, R>(self, share: Share<S::Error>) -> Served<R, V>
    where
        S: Shape<R, Value = V>,
    {
        let Some(subject) = self.0 else { return Served::Miss(Loading::bypassing()) };
        let entered = subject.call(share.0.is_some()).enter_sync();
        served::<S, R>(entered, *subject, &share)
    }
}

fn served<S: Shape<R>, R>(
    entered: Entered,
    subject: Subject<S::Value>,
    share: &Share<S::Error>,
) -> Served<R, S::Value> {
    let behind = matches!(entered, Entered::Behind(_));
    match settled::<S, R>(entered, &subject, share) {
        Ok(hit) if behind => Served::Due(hit, Renewal(subject)),
        Ok(hit) => Served::Hit(hit),
        Err(run) => Served::Miss(Loading { subject: Some(subject), run }),
    }
}

/// A call whose body is to be run.
pub struct Loading<V: 'static> {
    subject: Option<Subject<V>>,
    run: Option<Box<Run>>,
}

impl<V> fmt::Debug for Loading<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").field("stores", &self.run.is_some()).finish()
    }
}

impl<V> Loading<V> {
    fn bypassing() -> Self {
        Self { subject: None, run: None }
    }

    /// Runs the body and stores what it returned.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the body; callers that wait for it elect another leader.
    pub async fn run<S, R, F>(mut self, share: Share<S::Error>, body: F) -> R
    where
        S: Shape<R, Value = V>,
        F: Future<Output = R>,
    {
        let Some(subject) = self.subject.take() else { return body.await };
        let result = body.instrument(span_of(&mut self.run)).await;
        finish::<S, R>(self.run, result, &subject, &share).await
    }

    /// The same for a body that goes on in the background when it is late and something stands in for it.
    ///
    /// # Cancel safety
    ///
    /// Until then dropping the future drops the body, afterwards it does not.
    pub async fn run_softly<S, R, F>(mut self, share: Share<S::Error>, body: F) -> R
    where
        S: Shape<R, Value = V>,
        S::Error: 'static,
        R: 'static,
        F: Future<Output = R> + Send + 'static,
    {
        let Some(subject) = self.subject.take() else { return body.await };
        let mut body = Box::pin(body.instrument(span_of(&mut self.run)));
        let Some(soft) = subject.spec.site.serving.soft_timeout else {
            return finish::<S, R>(self.run, body.await, &subject, &share).await;
        };
        if let Some(result) = within(soft, body.as_mut()).await {
            return finish::<S, R>(self.run, result, &subject, &share).await;
        }
        if let Some(run) = self.run.take() {
            match stands_in::<S, R>(&run, &subject) {
                Some((instead, permit)) => {
                    let Ok(place) = subject.engine.place_for_bodies() else {
                        return finish::<S, R>(Some(run), body.await, &subject, &share).await;
                    };
                    run.tell_stale();
                    scope::spawn_on(&place, async move {
                        settle::<S, R>(run, body, &subject, share).await;
                        drop(permit);
                    });
                    return instead;
                }
                None => self.run = Some(run),
            }
        }
        finish::<S, R>(self.run, body.await, &subject, &share).await
    }

    /// [`run`](Self::run) for a sync function.
    pub fn run_sync<S, R>(mut self, share: Share<S::Error>, body: impl FnOnce() -> R) -> R
    where
        S: Shape<R, Value = V>,
    {
        let Some(subject) = self.subject.take() else { return body() };
        let result = span_of(&mut self.run).in_scope(body);
        finish_sync::<S, R>(self.run, result, &subject, &share)
    }
}

/// What stands in for a body that is late, and the room for it in the background.
fn stands_in<S: Shape<R>, R>(run: &Run, subject: &Subject<S::Value>) -> Option<(R, Permit)>
where
    S::Value: 'static,
{
    let stale = run.instead_of_late()?;
    let instead = restore::<S, R>(subject.spec, &stale)?;
    Some((instead, subject.engine.permit()?))
}

/// Runs a body for nobody. Its result is not held while it is stored: it need not be `Send`.
async fn settle<S: Shape<R>, R>(
    run: Box<Run>,
    body: impl Future<Output = R>,
    subject: &Subject<S::Value>,
    share: Share<S::Error>,
) {
    let keep = {
        let result = body.await;
        super::call::keep_instead::<S, R>(&run, &result, subject, &share)
    };
    if let Step::Wait(settling) = run.settle(keep) {
        settling.await;
    }
}

/// A value that is to be renewed.
pub struct Renewal<V: 'static>(Subject<V>);

impl<V> fmt::Debug for Renewal<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Renewal").field(&self.0.key.text()).finish()
    }
}

impl<V> Renewal<V> {
    /// All placeholders of the known tags in order, then the arguments that learned tags use.
    #[must_use]
    pub fn tagged(mut self, parts: &[&dyn KeyPart]) -> Self {
        self.0.tag_with(parts);
        self
    }

    /// A time to live that is known only now.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.0.ttl = Some(ttl);
        self
    }

    /// Begins, unless the value is being loaded, or there is no room.
    #[must_use]
    pub fn begin<E>(self, share: Share<E>) -> Option<Begun<V>> {
        let permit = self.0.engine.permit()?;
        let flight = self.0.call(share.0.is_some()).lead_anew()?;
        self.0.engine.count(&self.0.spec.site, Counter::Refreshes);
        Some(Begun { subject: self.0, flight, permit })
    }
}

/// A renewal that has begun: whoever comes from now on and misses waits for it.
pub struct Begun<V: 'static> {
    subject: Subject<V>,
    flight: Flight,
    permit: Permit,
}

impl<V> fmt::Debug for Begun<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Begun").field(&self.subject.key.text()).finish()
    }
}

impl<V> Begun<V> {
    /// Runs the body in the background, with the caller's scope.
    pub fn run<S, R, F>(self, share: Share<S::Error>, body: F)
    where
        S: Shape<R, Value = V>,
        S::Error: 'static,
        R: 'static,
        F: Future<Output = R> + Send + 'static,
    {
        let Self { subject, flight, permit } = self;
        let Ok(place) = subject.engine.place_for_bodies() else { return };
        scope::spawn_on(&place, async move {
            let call = subject.call(share.0.is_some());
            if let Some(mut run) = Box::pin(call.renew(flight)).await {
                let body = body.instrument(run.span());
                settle::<S, R>(run, body, &subject, share).await;
            }
            drop(permit);
        });
    }

    /// The same for a sync function, on a thread that may be blocked.
    pub fn run_sync<S, R>(self, share: Share<S::Error>, body: impl FnOnce() -> R + Send + 'static)
    where
        S: Shape<R, Value = V>,
        S::Error: 'static,
        R: 'static,
    {
        let Self { subject, flight, permit } = self;
        let Ok(place) = subject.engine.runtime().cloned() else { return };
        scope::spawn_blocking_on(&place, move || {
            if let Some(mut run) = subject.call(share.0.is_some()).renew_sync(flight) {
                let result = run.span().in_scope(body);
                drop(finish_sync::<S, R>(Some(run), result, &subject, &share));
            }
            drop(permit);
        });
    }
}
