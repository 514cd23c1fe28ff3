//! For handlers of axum.

use std::{
    convert::Infallible,
    future::Future,
    ops::Deref,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    body::Body,
    extract::{FromRef, FromRequestParts},
    response::{IntoResponse, Response},
};
use http::{Request, request, response};
use larder::{Cache, IntoTtl};

use crate::{
    body::{Read, read},
    layer::LIMIT,
    rules::Rules,
    status::{self, Forward, marked},
    stored::{Judged, Stored},
};

/// The cache that a router's state holds, as an extractor: for any state from which a [`Cache`] can be had.
///
/// ```
/// use axum::{Router, routing::post};
/// use cache_http::CacheHandle;
///
/// async fn import(cache: CacheHandle) -> &'static str {
///     match cache.invalidate_tags(["cities"]).await {
///         Ok(()) => "imported",
///         Err(_) => "imported; what is cached follows as soon as Redis answers",
///     }
/// }
///
/// let app: Router = Router::new().route("/import", post(import)).with_state(larder::Cache::memory());
/// ```
#[derive(Clone, Debug)]
pub struct CacheHandle(pub Cache);

impl<S> FromRequestParts<S> for CacheHandle
where
    Cache: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut request::Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Cache::from_ref(state)))
    }
}

impl Deref for CacheHandle {
    type Target = Cache;

    fn deref(&self) -> &Cache {
        &self.0
    }
}

/// The response of a handler that caches by hand: made once for all who ask at the same time, and cached under `key` for `ttl`.
///
/// Everybody is given it, so the key has to say whatever it depends on: `"report:{user}"`. A 4xx or 5xx is not cached, nor what
/// has `Set-Cookie` or says itself that it must not be (`no-store`, `private`, `no-cache`, `Vary: *`), nor a body of more than 1 MiB.
///
/// # Errors
///
/// None of the cache's: without it the response is made. Text that is no duration is logged, and nothing is cached.
///
/// # Cancel safety
///
/// Dropping the future drops `make`'s; others that waited for it run their own.
///
/// ```
/// use axum::{Router, response::Response, routing::get};
/// use cache_http::{CacheHandle, cached_response};
///
/// async fn report(cache: CacheHandle) -> Response {
///     cached_response(&cache, "report", "5m", || async { "made with much effort" }).await
/// }
///
/// let app: Router = Router::new().route("/report", get(report)).with_state(larder::Cache::memory());
/// ```
pub async fn cached_response<F, L, R>(
    cache: &Cache,
    key: &str,
    ttl: impl IntoTtl,
    make: F,
) -> Response
where
    F: FnOnce() -> L + Send,
    L: Future<Output = R> + Send,
    R: IntoResponse,
{
    let ttl = match ttl.into_ttl() {
        Ok(ttl) => ttl.unwrap_or(Duration::MAX),
        Err(error) => {
            tracing::error!(target: "larder", %error, "cached_response: made without the cache");
            return make().await.into_response();
        }
    };
    let mut made = false;
    let load = || async {
        made = true;
        keep(make().await.into_response(), ttl).await
    };
    let stored: Arc<Stored> = match cache.get_or_set(key, load).ttl(ttl).await {
        Ok(stored) => stored,
        Err(response) => return response,
    };
    let now = SystemTime::now();
    let (age, status) = if made {
        (None, status::stored(Forward::UriMiss, stored.life))
    } else {
        let age = now.duration_since(stored.made()).unwrap_or_default();
        (Some(age), status::hit(stored.left(now)))
    };
    stored.answer::<Body>(&nobody(), age, status).map(Body::new)
}

/// What of the response is kept for so long, or itself.
async fn keep(response: Response, ttl: Duration) -> Result<Arc<Stored>, Response> {
    let (head, body) = response.into_parts();
    let (now, request) = (SystemTime::now(), nobody());
    let rules = Rules { ttl: Some(ttl), allow_set_cookie: false, heed_requests: false };
    let verdict = match rules.may_store(&request, &head, now) {
        Ok(verdict) if !head.status.is_client_error() => verdict,
        other => return Err(unfit(head, body, other.err().unwrap_or("error"))),
    };
    match read(body, LIMIT).await {
        Read::Whole(body) => {
            let judged = Judged { life: ttl, ..Judged::new(verdict, now, Vec::new()) };
            Ok(Arc::new(Stored::new(&head, body, judged)))
        }
        Read::Through(body) => Err(unfit(head, Body::new(body), "too-large")),
    }
}

fn unfit(head: response::Parts, body: Body, why: &'static str) -> Response {
    let status = status::forwarded(Forward::UriMiss, Some(why));
    marked(Response::from_parts(head, body), status)
}

/// A request that asks for a response and nothing more.
fn nobody() -> request::Parts {
    Request::new(()).into_parts().0
}
