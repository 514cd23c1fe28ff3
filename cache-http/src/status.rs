//! `Cache-Status` (RFC 9211): what the cache did with a request.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Response, StatusCode};

pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a request went to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forward {
    /// The cache is not for it; why.
    Bypass(&'static str),
    /// Its method.
    Method,
    /// Nothing is cached under its key.
    UriMiss,
    /// What is cached answers other requests.
    VaryMiss,
    /// What is cached is not fresh.
    Stale,
    /// It asks for something newer.
    Request,
}

impl Forward {
    fn parameters(self) -> (&'static str, &'static str) {
        match self {
            Self::Bypass(why) => ("bypass", why),
            Self::Method => ("method", ""),
            Self::UriMiss => ("uri-miss", ""),
            Self::VaryMiss => ("vary-miss", ""),
            Self::Stale => ("stale", ""),
            Self::Request => ("request", ""),
        }
    }
}

/// Answered from the cache, with so many seconds left; fewer than none, if it was past its freshness.
pub(crate) fn hit(left: i64) -> HeaderValue {
    value(format!("larder; hit; ttl={left}"))
}

/// Answered by the service, and not cached; why.
pub(crate) fn forwarded(why: Forward, unfit: Option<&'static str>) -> HeaderValue {
    let (forward, detail) = why.parameters();
    let detail = unfit.unwrap_or(detail);
    match detail {
        "" => value(format!("larder; fwd={forward}")),
        detail => value(format!("larder; fwd={forward}; detail={detail}")),
    }
}

/// Answered by the service, and handed to the cache for that long.
pub(crate) fn stored(why: Forward, life: Duration) -> HeaderValue {
    let (forward, _) = why.parameters();
    value(format!("larder; fwd={forward}; stored; ttl={}", life.as_secs()))
}

/// The service failed, and something stale stands in.
pub(crate) fn stood_in(failed: Option<StatusCode>) -> HeaderValue {
    match failed {
        Some(status) => value(format!("larder; fwd=stale; fwd-status={}", status.as_u16())),
        None => value("larder; fwd=stale; detail=error".to_owned()),
    }
}

/// The response, with a line more.
pub(crate) fn marked<B>(mut response: Response<B>, status: HeaderValue) -> Response<B> {
    response.headers_mut().append(CACHE_STATUS, status);
    response
}

fn value(text: String) -> HeaderValue {
    // It is made of letters, digits and the like.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("larder"))
}
