//! What is kept of a response, and the answers that are made from it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        AGE, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_LOCATION, DATE, ETAG, EXPIRES,
        IF_NONE_MATCH, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
        UPGRADE, VARY,
    },
    request, response,
};
use http_body::Body;
use serde::{Deserialize, Serialize};

use crate::{
    body::ResponseBody,
    etag,
    limit::OF_LIMITS,
    rules::{Answer, Verdict},
    status::{self, CACHE_STATUS},
};

/// A response as the cache has it, in memory and in the shared tier.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// Tells this response from the one that was cached under the same key before.
    pub(crate) id: String,
    #[serde(with = "crate::wire::status")]
    pub(crate) status: StatusCode,
    #[serde(with = "crate::wire::headers")]
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Those of the request's headers that `Vary` names.
    #[serde(with = "crate::wire::headers")]
    pub(crate) selecting: HeaderMap,
    /// When it was made, in milliseconds since 1970.
    pub(crate) made: u64,
    /// The `max-age`, in seconds, of a response that has none of its own.
    pub(crate) implied: Option<u64>,
    pub(crate) life: Duration,
    pub(crate) tags: Vec<String>,
}

/// What is said of one connection and not of the response.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What a 304 repeats (RFC 9110, section 15.4.5).
const OF_NOT_MODIFIED: [HeaderName; 8] =
    [AGE, CACHE_CONTROL, CACHE_STATUS, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY];

impl Stored {
    /// Of a response that has been read to its end.
    pub(crate) fn new(head: &response::Parts, body: Bytes, judged: Judged) -> Self {
        let mut headers = head.headers.clone();
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(',').filter_map(|name| name.trim().parse().ok()))
            .collect();
        for name in HOP_BY_HOP.iter().chain(&OF_LIMITS).chain(&named) {
            headers.remove(name);
        }
        if !headers.contains_key(ETAG)
            && let Ok(etag) = etag::of(&body)
        {
            headers.insert(ETAG, etag);
        }
        let Judged { selecting, made, implied, life, tags } = judged;
        Self {
            id: format!("{:032x}", fastrand::u128(..)),
            status: head.status,
            headers,
            body,
            selecting,
            made: made.duration_since(UNIX_EPOCH).map_or(0, millis),
            implied,
            life,
            tags,
        }
    }

    pub(crate) fn made(&self) -> SystemTime {
        let made = UNIX_EPOCH.checked_add(Duration::from_millis(self.made));
        // Bytes of the shared tier may say anything.
        made.unwrap_or(UNIX_EPOCH)
    }

    /// How many seconds of its freshness are left; fewer than none, where it is over.
    pub(crate) fn left(&self, now: SystemTime) -> i64 {
        let resident = now.duration_since(self.made()).unwrap_or_default();
        seconds(self.life).saturating_sub(seconds(resident))
    }

    /// The answer from the cache.
    pub(crate) fn hit<B: Body>(
        &self,
        request: &request::Parts,
        answer: &Answer,
    ) -> Response<ResponseBody<B>> {
        self.answer(request, Some(answer.age), status::hit(answer.left))
    }

    /// The answer to a request with this method and these headers: with the body, without it, or 304.
    pub(crate) fn answer<B: Body>(
        &self,
        request: &request::Parts,
        age: Option<Duration>,
        status: HeaderValue,
    ) -> Response<ResponseBody<B>> {
        let mut headers = self.headers.clone();
        if let Some(age) = age {
            headers.insert(AGE, age.as_secs().into());
        }
        headers.append(CACHE_STATUS, status);
        let has_it = self.status.is_success()
            && headers
                .get(ETAG)
                .is_some_and(|etag| etag::is_among(etag, request.headers.get_all(IF_NONE_MATCH)));
        let mut response = if has_it {
            let kept = headers.iter().filter(|(name, _)| OF_NOT_MODIFIED.contains(name));
            let kept = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
            headers = kept;
            let mut response = Response::new(ResponseBody::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else if request.method == Method::HEAD {
            headers.insert(CONTENT_LENGTH, self.body.len().into());
            self.with(ResponseBody::empty())
        } else {
            self.with(ResponseBody::whole(self.body.clone()))
        };
        *response.headers_mut() = headers;
        response
    }

    fn with<B: Body>(&self, body: ResponseBody<B>) -> Response<ResponseBody<B>> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        response
    }
}

/// What was found out about a response before its body was read.
pub(crate) struct Judged {
    pub(crate) selecting: HeaderMap,
    pub(crate) made: SystemTime,
    pub(crate) implied: Option<u64>,
    pub(crate) life: Duration,
    pub(crate) tags: Vec<String>,
}

impl Judged {
    pub(crate) fn new(verdict: Verdict, made: SystemTime, tags: Vec<String>) -> Self {
        let Verdict { selecting, implied, life } = verdict;
        Self { selecting, made, implied, life, tags }
    }
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
