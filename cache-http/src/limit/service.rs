//! The way of a request through a limit.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body::Body;
use larder::{Result, Verdict};
use tower_service::Service;

use super::{
    RateLimitLayer,
    refusal::{Refusal, mistaken},
};
use crate::body::ResponseBody;

/// A service whose requests are limited. What [`RateLimitLayer`](crate::RateLimitLayer) makes.
///
/// # Errors
///
/// Those of the service.
///
/// # Cancel safety
///
/// Dropping the future of a request drops the service's; the request may have been counted or not.
///
/// ```
/// use cache_http::{RateLimitLayer, RateLimitService};
/// use tower_layer::Layer;
///
/// fn limited<S>(service: S, cache: larder::Cache) -> RateLimitService<S> {
///     RateLimitLayer::new(cache).limit(100).per("1m").layer(service)
/// }
/// # let _ = limited::<()>;
/// ```
#[derive(Clone)]
pub struct RateLimitService<S> {
    inner: S,
    /// `None` of one that makes no sense.
    layer: Option<Arc<RateLimitLayer>>,
}

impl<S> RateLimitService<S> {
    pub(super) fn new(inner: S, layer: Option<RateLimitLayer>) -> Self {
        Self { inner, layer: layer.map(Arc::new) }
    }
}

type Answer<B> = Response<ResponseBody<B>>;

impl<S, Q, B> Service<Request<Q>> for RateLimitService<S>
where
    S: Service<Request<Q>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    Q: Send + 'static,
    B: Body<Data = Bytes>,
{
    type Response = Answer<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Answer<B>, S::Error>> + Send>>;

    fn poll_ready(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<std::result::Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        // The one that is ready; a clone of it may not be.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        let (request, body) = request.into_parts();
        Box::pin(async move {
            let Some(layer) = layer else { return Ok(mistaken().map(ResponseBody::whole)) };
            let told = match layer.verdict(&request).await {
                Ok(verdict) => verdict,
                Err(error) => {
                    tracing::error!(target: "larder", %error, "RateLimitLayer: answered with 500");
                    return Ok(mistaken().map(ResponseBody::whole));
                }
            };
            if let Some(verdict) = told.filter(|verdict| !verdict.allowed) {
                return Ok(layer.refusal(&request, verdict));
            }
            let response = inner.call(Request::from_parts(request, body)).await?;
            let mut response = response.map(ResponseBody::through);
            if let Some(verdict) = told {
                layer.tell(response.headers_mut(), &verdict);
            }
            Ok(response)
        })
    }
}

impl RateLimitLayer {
    /// `None` for a request that is not limited.
    async fn verdict(&self, request: &request::Parts) -> Result<Option<Verdict>> {
        let Some(name) = self.name_of(request) else { return Ok(None) };
        self.check_in(&self.cache, &name, self.limit_of(request)).await.map(Some)
    }

    fn refusal<B: Body>(&self, request: &request::Parts, verdict: Verdict) -> Answer<B> {
        let refusal = Refusal { policy: &self.policy, verdict };
        let mut response = (self.refuse)(request, &refusal).map(ResponseBody::whole);
        self.tell(response.headers_mut(), &verdict);
        response
    }
}

impl<S> fmt::Debug for RateLimitService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitService").field("layer", &self.layer).finish_non_exhaustive()
    }
}
