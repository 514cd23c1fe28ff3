//! The way of a request.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response, request};
use http_body::Body;
use larder::__private::{entry, given, rendered};
use tower_service::Service;

use crate::{
    body::{Read, ResponseBody, read},
    exchange::Exchange,
    key::{ResponseKey, path_tag},
    load::{Failure, Loaded},
    plan::{Asked, Plan, unconditional, whole_uri},
    status::{self, Forward, marked},
    stored::Stored,
};

/// A service whose responses are cached. What [`CacheLayer`](crate::CacheLayer) makes.
///
/// # Errors
///
/// Those of the service: a problem with the cache is not the caller's problem.
///
/// # Cancel safety
///
/// Dropping the future of a request drops the service's; others that waited for the same response run the service then.
///
/// ```
/// use cache_http::{CacheLayer, CacheService};
/// use tower_layer::Layer;
///
/// fn cached<S>(service: S, cache: larder::Cache) -> CacheService<S> {
///     CacheLayer::new(cache).layer(service)
/// }
/// # let _ = cached::<()>;
/// ```
#[derive(Clone)]
pub struct CacheService<S> {
    inner: S,
    plan: Arc<Plan>,
}

impl<S> CacheService<S> {
    pub(crate) fn new(inner: S, plan: Arc<Plan>) -> Self {
        Self { inner, plan }
    }
}

pub(crate) type Answer<B> = Response<ResponseBody<B>>;

impl<S, Q, B> Service<Request<Q>> for CacheService<S>
where
    S: Service<Request<Q>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    Q: Body + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Send + 'static,
{
    type Response = Answer<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Answer<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        // The one that is ready; a clone of it may not be.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let plan = Arc::clone(&self.plan);
        let (request, body) = request.into_parts();
        Box::pin(async move {
            let call = Call { inner, body };
            match plan.asked(&request) {
                Err(Forward::Method) => changing(&plan, request, call).await,
                Err(why) => call.forward(request, why).await,
                // A handler may look at it, and no key tells what is in it.
                Ok(_) if !call.body.is_end_stream() && call.body.size_hint().exact() != Some(0) => {
                    call.forward(request, Forward::Bypass("body")).await
                }
                Ok(asked) if request.method == Method::HEAD => {
                    headed(&plan, request, asked, call).await
                }
                Ok(asked) => Exchange::new(plan, request, asked, call).run().await,
            }
        })
    }
}

/// A call of the service that has not been made yet.
pub(crate) struct Call<S, Q> {
    inner: S,
    body: Q,
}

impl<S, Q, B> Call<S, Q>
where
    S: Service<Request<Q>, Response = Response<B>>,
    B: Body<Data = Bytes>,
{
    /// Makes it, past the cache.
    pub(crate) async fn forward(
        mut self,
        request: request::Parts,
        why: Forward,
    ) -> Result<Answer<B>, S::Error> {
        let response = self.inner.call(Request::from_parts(request, self.body)).await?;
        Ok(marked(response.map(ResponseBody::through), status::forwarded(why, None)))
    }

    /// Makes it, for the cache.
    pub(crate) async fn load(
        mut self,
        plan: &Plan,
        request: &request::Parts,
    ) -> Loaded<B, S::Error> {
        let asking = Request::from_parts(unconditional(request), self.body);
        let (head, body) = match self.inner.call(asking).await {
            Ok(response) => response.into_parts(),
            Err(error) => return Loaded::Failed(Some(Failure::Error(error))),
        };
        let passed = |head, body| Response::from_parts(head, body);
        if head.status.is_server_error() {
            let response = passed(head, ResponseBody::through(body));
            return Loaded::Failed(Some(Failure::Response(response)));
        }
        let judged = match plan.judge(request, &head, &body) {
            Ok(judged) => judged,
            Err(why) => return Loaded::Passed(passed(head, ResponseBody::through(body)), why),
        };
        match read(body, plan.layer.limit).await {
            Read::Whole(body) => Loaded::Stored(Arc::new(Stored::new(&head, body, judged))),
            Read::Through(body) => Loaded::Passed(passed(head, body), "too-large"),
        }
    }
}

/// What is not safe changes what is cached: RFC 9111, section 4.4.
async fn changing<S, Q, B>(
    plan: &Plan,
    request: request::Parts,
    call: Call<S, Q>,
) -> Result<Answer<B>, S::Error>
where
    S: Service<Request<Q>, Response = Response<B>>,
    B: Body<Data = Bytes>,
{
    let changes = !request.method.is_safe();
    let tag = path_tag(whole_uri(&request).path());
    let response = call.forward(request, Forward::Method).await?;
    if changes && (response.status().is_success() || response.status().is_redirection()) {
        // Not confirmed, it is repeated by the cache.
        if let Err(error) = plan.layer.cache.invalidate_tags([tag]).await {
            tracing::debug!(target: "larder", %error, "cached responses of a path that changed");
        }
    }
    Ok(response)
}

/// A HEAD is answered from what a GET has left, and leaves nothing itself.
async fn headed<S, Q, B>(
    plan: &Plan,
    request: request::Parts,
    asked: Asked,
    call: Call<S, Q>,
) -> Result<Answer<B>, S::Error>
where
    S: Service<Request<Q>, Response = Response<B>>,
    B: Body<Data = Bytes>,
{
    let mut key = asked.key;
    let mut why = Forward::UriMiss;
    for _ in 0..2 {
        let Some(stored) = found(plan, &key).await else { break };
        match plan.answers(&stored, &request) {
            Ok(answer) => return Ok(stored.hit(&request, &answer)),
            Err(forward) => why = forward,
        }
        if why != Forward::VaryMiss {
            break;
        }
        key = key.variant(&stored, &request.headers);
    }
    call.forward(request, why).await
}

async fn found(plan: &Plan, key: &ResponseKey) -> Option<Arc<Stored>> {
    let entry = entry(plan.kind, given(&plan.layer.cache), &[&rendered(key.within())]);
    entry.get().await.ok().flatten()
}

impl<S> fmt::Debug for CacheService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheService").field("layer", &self.plan.layer).finish_non_exhaustive()
    }
}
