//! The headers that tell of a limit.
//!
//! `RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers as of its version 10; their values are
//! lists of strings with parameters (RFC 9651), which may have several lines: each layer adds one.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};
use larder::Verdict;

use super::RateLimitLayer;

/// What is counted for one caller, and must not be kept for others.
pub(crate) const OF_LIMITS: [HeaderName; 8] = [
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
];

/// A form of the headers that tell clients of a limit. Each is for [`RateLimitLayer::headers`].
///
/// Where nobody could be asked, because Redis is away, nothing is said of what is left.
///
/// ```
/// use cache_http::{RateLimitHeaders, RateLimitLayer};
///
/// # let cache = larder::Cache::memory();
/// let layer = RateLimitLayer::new(cache).limit(5).per("5m").headers([RateLimitHeaders::Prefixed]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RateLimitHeaders {
    /// `RateLimit-Policy: "default";q=100;w=60` and `RateLimit: "default";r=50;t=30`, as the
    /// [draft](https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/) of the IETF has them.
    Fields,
    /// `RateLimit-Limit: 100`, `RateLimit-Remaining: 50`, `RateLimit-Reset: 30`, as its versions up to 6 had them. With several
    /// layers, those of the one that has least left.
    Separate,
    /// The same as `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`, of which there are many dialects; the
    /// last one is in seconds from now.
    Prefixed,
}

impl RateLimitLayer {
    /// Adds what clients are told.
    pub(super) fn tell(&self, headers: &mut HeaderMap, verdict: &Verdict) {
        let [policy, field, separate @ .., x_limit, x_remaining, x_reset] = &OF_LIMITS;
        for form in &self.headers {
            match form {
                RateLimitHeaders::Fields => {
                    add(headers, policy, &self.policy_told(verdict));
                    if verdict.asked {
                        add(headers, field, &self.field_told(verdict));
                    }
                }
                RateLimitHeaders::Separate => tell_three(headers, separate.each_ref(), verdict),
                RateLimitHeaders::Prefixed => {
                    tell_three(headers, [x_limit, x_remaining, x_reset], verdict);
                }
            }
        }
        // That of an inner layer, or of whoever made the response, says more.
        if let Some(wait) = verdict.retry_after
            && !headers.contains_key(RETRY_AFTER)
        {
            headers.insert(RETRY_AFTER, seconds(wait).into());
        }
    }

    fn policy_told(&self, verdict: &Verdict) -> String {
        format!("{};q={};w={}", string(&self.policy), verdict.limit, self.window())
    }

    fn field_told(&self, verdict: &Verdict) -> String {
        format!("{};r={};t={}", string(&self.policy), verdict.remaining, reset(verdict))
    }
}

/// The limit, what is left of it, and the seconds until it is whole again, in a line each.
fn tell_three(headers: &mut HeaderMap, names: [&HeaderName; 3], verdict: &Verdict) {
    if !verdict.asked {
        return;
    }
    // Of several limits the tightest.
    let told = headers.get(names[1]).and_then(|told| told.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|told| told <= verdict.remaining) {
        return;
    }
    let values = [verdict.limit, verdict.remaining, reset(verdict)];
    for (name, value) in names.into_iter().zip(values) {
        headers.insert(name, value.into());
    }
}

/// For a caller that is refused, when the same request would be allowed, which is what `Retry-After` says as well; otherwise when
/// all that is counted is forgotten. The latter is later than the first request's end and so no invitation to a burst.
fn reset(verdict: &Verdict) -> u64 {
    seconds(verdict.retry_after.unwrap_or(verdict.resets_after))
}

/// In whole seconds, rounded up: who waits so long is not too early.
pub(super) fn seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

/// A string of RFC 9651, section 4.1.6, and of JSON, of printable ASCII.
pub(super) fn string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn add(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    // A name that no header can have is a mistake that `checked` tells.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.append(name, value);
    }
}
