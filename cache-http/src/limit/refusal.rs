//! The answer to a request that is refused.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use larder::Verdict;

use super::fields::string;

/// Why a request was refused: what a [`RateLimitLayer`](crate::RateLimitLayer) gives its
/// [`refused`](crate::RateLimitLayer::refused).
///
/// ```
/// use cache_http::{RateLimitLayer, Refusal};
/// use http::Response;
///
/// fn plain(refusal: &Refusal<'_>) -> Response<String> {
///     let text = match refusal.verdict.retry_after {
///         Some(wait) => format!("{} s more, please", wait.as_secs() + 1),
///         None => "later, please".to_owned(), // nobody knows: Redis is away
///     };
///     let mut response = Response::new(text);
///     *response.status_mut() = refusal.status();
///     response
/// }
/// # let cache = larder::Cache::memory();
/// let layer = RateLimitLayer::new(cache).limit(5).per("5m").refused(|_, refusal| plain(refusal));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Refusal<'a> {
    /// The [name](crate::RateLimitLayer::policy) of the limit.
    pub policy: &'a str,
    /// What the limiter answered; [`asked`](Verdict::asked) is `false` when it could not be.
    pub verdict: Verdict,
}

impl Refusal<'_> {
    /// 429 Too Many Requests (RFC 6585, section 4), or 503 Service Unavailable when the limiter could not be asked.
    ///
    /// See [`Refusal`] for an example.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        if self.verdict.asked {
            StatusCode::TOO_MANY_REQUESTS
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }

    /// The response that is given where nothing else was said: a problem (RFC 9457) of the type `quota-exceeded`, or
    /// `temporary-reduced-capacity` with 503, which the draft of the `RateLimit` headers defines.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::RateLimitLayer::new(cache).limit(5).per("5m").refused(|_, refusal| {
    ///     let mut problem = refusal.problem();
    ///     problem.headers_mut().insert("x-support", http::HeaderValue::from_static("limits@example.org"));
    ///     problem
    /// });
    /// ```
    #[must_use]
    pub fn problem(&self) -> Response<Bytes> {
        let (kind, title) = if self.verdict.asked {
            ("quota-exceeded", "Request cannot be satisfied as assigned quota has been exceeded")
        } else {
            (
                "temporary-reduced-capacity",
                "Request cannot be satisfied due to temporary server capacity constraints",
            )
        };
        let body = format!(
            "{{\"type\":\"https://iana.org/assignments/http-problem-types#{kind}\",\"title\":\"{title}\",\
             \"status\":{},\"violated-policies\":[{}]}}",
            self.status().as_u16(),
            string(self.policy),
        );
        problem(self.status(), body)
    }
}

/// To a layer that was told what makes no sense.
pub(super) fn mistaken() -> Response<Bytes> {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    problem(status, "{\"title\":\"Internal Server Error\",\"status\":500}".to_owned())
}

fn problem(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    // RFC 6585 says so for 429; not every cache knows that.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
