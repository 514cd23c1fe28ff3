//! A GET, from the cache or through it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, request};
use http_body::Body;
use larder::__private::{
    Miss, Renewal, Served, given, look, rendered,
    sharing::{Probe, Share},
};
use tower_service::Service;

use crate::{
    body::ResponseBody,
    key::ResponseKey,
    load::{Failure, Loaded, Responses},
    plan::{Asked, Plan},
    service::{Answer, Call},
    status::{self, Forward, marked},
    stored::Stored,
};

pub(crate) struct Exchange<S, Q, B: Body, E> {
    plan: Arc<Plan>,
    request: request::Parts,
    asked: Asked,
    /// Until it is made.
    call: Option<Call<S, Q>>,
    /// How it failed.
    failed: Option<Failure<B, E>>,
}

/// What the cache has, or was given.
enum Found<B: Body, E> {
    Loaded(Loaded<B, E>),
    Due(Loaded<B, E>, Renewal<Arc<Stored>>),
}

type Looked<B, E> = Served<Loaded<B, E>, Arc<Stored>>;

/// What is to be done next.
enum Next<S, Q, B: Body, E> {
    Answer(Result<Answer<B>, E>),
    /// Another key has what answers the request.
    Look(ResponseKey),
    Forward(Call<S, Q>, Forward),
}

/// Everybody who waited is given a response, or makes a call of its own.
const fn unshared() -> Share<()> {
    Probe::none()
}

impl<S, Q, B> Exchange<S, Q, B, S::Error>
where
    S: Service<Request<Q>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    Q: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Send + 'static,
{
    pub(crate) fn new(
        plan: Arc<Plan>,
        request: request::Parts,
        asked: Asked,
        call: Call<S, Q>,
    ) -> Self {
        Self { plan, request, asked, call: Some(call), failed: None }
    }

    pub(crate) async fn run(mut self) -> Result<Answer<B>, S::Error> {
        let mut why = Forward::UriMiss;
        loop {
            let found = self.find().await;
            match self.next(found, why) {
                Next::Answer(answer) => return answer,
                Next::Look(key) => (self.asked.key, why) = (key, Forward::VaryMiss),
                Next::Forward(call, why) => return call.forward(self.request, why).await,
            }
        }
    }

    /// What is cached, or what the service answers.
    async fn find(&mut self) -> Found<B, S::Error> {
        let served = match self.look() {
            Ok(served) => served,
            Err(miss) => {
                let miss = self.tagged(miss);
                miss.enter::<Responses, Loaded<B, S::Error>>(unshared()).await
            }
        };
        let loading = match served {
            Served::Hit(loaded) => return Found::Loaded(loaded),
            Served::Due(loaded, renewal) => return Found::Due(loaded, renewal),
            Served::Miss(loading) => loading,
        };
        let Self { plan, request, call, failed, .. } = self;
        let body = async {
            // Without a call there is nothing to be found out any more.
            let Some(call) = call.take() else { return Loaded::Failed(None) };
            let mut loaded = call.load(plan, request).await;
            if let Loaded::Failed(failure) = &mut loaded {
                *failed = failure.take();
            }
            loaded
        };
        Found::Loaded(loading.run::<Responses, _, _>(unshared(), body).await)
    }

    fn look(&self) -> Result<Looked<B, S::Error>, Miss<Arc<Stored>>> {
        let key = rendered(self.asked.key.within());
        look::<Responses, _>(self.plan.kind, given(&self.plan.layer.cache), &[&key])
    }

    fn tagged(&self, miss: Miss<Arc<Stored>>) -> Miss<Arc<Stored>> {
        match &self.asked.user {
            Some(user) => miss.tagged(&[&self.asked.path, user]),
            None => miss.tagged(&[&self.asked.path]),
        }
    }

    fn next(&mut self, found: Found<B, S::Error>, why: Forward) -> Next<S, Q, B, S::Error> {
        let (loaded, renewal) = match found {
            Found::Loaded(loaded) => (loaded, None),
            Found::Due(loaded, renewal) => (loaded, Some(renewal)),
        };
        let stored = match loaded {
            Loaded::Stored(stored) => stored,
            Loaded::Passed(response, unfit) => {
                let status = status::forwarded(why, Some(unfit));
                return Next::Answer(Ok(marked(response, status)));
            }
            Loaded::Failed(_) => return Next::Answer(failed(self.failed.take(), why)),
        };
        let answers = self.plan.answers(&stored, &self.request);
        match (self.call.take(), self.failed.take(), answers) {
            (Some(call), _, Ok(answer)) => {
                if let Some(renewal) = renewal {
                    self.renew(renewal, call);
                }
                Next::Answer(Ok(stored.hit(&self.request, &answer)))
            }
            (Some(call), _, Err(Forward::VaryMiss)) if why != Forward::VaryMiss => {
                self.call = Some(call);
                Next::Look(self.asked.key.variant(&stored, &self.request.headers))
            }
            (Some(call), _, Err(why)) => Next::Forward(call, why),
            (None, Some(failure), Ok(answer)) => {
                let status = status::stood_in(failure.status());
                Next::Answer(Ok(stored.answer(&self.request, Some(answer.age), status)))
            }
            (None, Some(failure), Err(_)) => Next::Answer(failed(Some(failure), why)),
            (None, None, _) => {
                let status = status::stored(why, stored.life);
                Next::Answer(Ok(stored.answer(&self.request, None, status)))
            }
        }
    }

    /// Makes the call in the background, unless somebody does already.
    fn renew(&self, renewal: Renewal<Arc<Stored>>, call: Call<S, Q>) {
        let renewal = match &self.asked.user {
            Some(user) => renewal.tagged(&[&self.asked.path, user]),
            None => renewal.tagged(&[&self.asked.path]),
        };
        let Some(begun) = renewal.begin(unshared()) else { return };
        let (plan, request) = (Arc::clone(&self.plan), self.request.clone());
        begun.run::<Responses, Loaded<B, S::Error>, _>(unshared(), async move {
            call.load(&plan, &request).await
        });
    }
}

impl<B: Body, E> Failure<B, E> {
    fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Response(response) => Some(response.status()),
            Self::Error(_) => None,
        }
    }
}

/// The failure, to whoever made the request.
fn failed<B: Body, E>(failure: Option<Failure<B, E>>, why: Forward) -> Result<Answer<B>, E> {
    match failure {
        Some(Failure::Response(response)) => {
            Ok(marked(response, status::forwarded(why, Some("error"))))
        }
        Some(Failure::Error(error)) => Err(error),
        // Whoever made the call has its failure, and nobody else is told that it failed.
        None => {
            let mut response = Response::new(ResponseBody::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            Ok(response)
        }
    }
}
