//! A layer in use: which requests it serves, under which keys, and what it stores.

use std::{sync::Arc, time::SystemTime};

use http::{
    Method, Uri,
    header::{
        AUTHORIZATION, CONTENT_TYPE, COOKIE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
        IF_UNMODIFIED_SINCE, RANGE, UPGRADE,
    },
    request, response,
};
use http_body::Body;

use crate::{
    key::ResponseKey,
    layer::CacheLayer,
    load::{Kind, Stale, kind_of},
    rules::{Answer, forbids_storing},
    status::Forward,
    stored::{Judged, Stored},
};

pub(crate) struct Plan {
    pub(crate) layer: CacheLayer,
    pub(crate) kind: &'static Kind,
}

/// A request that may be answered from the cache.
pub(crate) struct Asked {
    pub(crate) key: ResponseKey,
    pub(crate) path: String,
    pub(crate) user: Option<String>,
}

impl Plan {
    pub(crate) fn new(layer: CacheLayer) -> Arc<Self> {
        let kind = kind_of(layer.user.is_some(), layer.stale);
        Arc::new(Self { layer, kind })
    }

    /// Whether the cache is for this request, and what it is called there.
    pub(crate) fn asked(&self, request: &request::Parts) -> Result<Asked, Forward> {
        if request.method != Method::GET && request.method != Method::HEAD {
            return Err(Forward::Method);
        }
        if forbids_storing(&request.headers) {
            return Err(Forward::Request);
        }
        for (name, why) in BYPASSING {
            if request.headers.contains_key(&name) && !self.allows(&name) {
                return Err(Forward::Bypass(why));
            }
        }
        let user = match &self.layer.user {
            Some(user) => Some(user(request).ok_or(Forward::Bypass("anonymous"))?),
            None => None,
        };
        let uri = whole_uri(request);
        let key = self.key(request, uri);
        let key = match &user {
            Some(user) => key.user(user),
            None => key,
        };
        Ok(Asked { key, path: uri.path().to_owned(), user })
    }

    fn allows(&self, name: &http::HeaderName) -> bool {
        let Self { layer, .. } = self;
        match *name {
            AUTHORIZATION => layer.allow_authorization,
            COOKIE => {
                layer.allow_cookies || layer.user.is_some() || layer.headers.contains(&COOKIE)
            }
            _ => false,
        }
    }

    fn key(&self, request: &request::Parts, uri: &Uri) -> ResponseKey {
        let Self { layer, .. } = self;
        if let Some(key_by) = &layer.key_by {
            return ResponseKey::by(&key_by(request));
        }
        let key = ResponseKey::get(uri.path());
        let query = uri.query().unwrap_or_default();
        let key = match &layer.query {
            Some(names) => key.chosen(query, |name| names.iter().any(|chosen| chosen == name)),
            None => key.query(query),
        };
        layer.headers.iter().fold(key, |key, name| key.header_of(&request.headers, name))
    }

    /// Whether what is stored answers the request.
    pub(crate) fn answers(
        &self,
        stored: &Stored,
        request: &request::Parts,
    ) -> Result<Answer, Forward> {
        let may_be_stale = self.layer.stale != Stale::default();
        self.layer.rules.answers(stored, request, self.now(), may_be_stale)
    }

    /// How a response may be stored, or why not. Its body has not been looked at.
    pub(crate) fn judge<B: Body>(
        &self,
        request: &request::Parts,
        response: &response::Parts,
        body: &B,
    ) -> Result<Judged, &'static str> {
        let now = self.now();
        let verdict = self.layer.rules.may_store(request, response, now)?;
        let media = response.headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        if media.is_some_and(|media| media.to_ascii_lowercase().starts_with(b"text/event-stream")) {
            return Err("stream");
        }
        match body.size_hint().exact() {
            Some(size) if size > self.layer.limit => return Err("too-large"),
            None if !self.layer.buffer_streams => return Err("stream"),
            _ => {}
        }
        let tags = self.layer.tags.as_ref().map_or_else(Vec::new, |tags| tags(request, response));
        Ok(Judged::new(verdict, now, tags))
    }

    fn now(&self) -> SystemTime {
        (self.layer.now)()
    }
}

/// What asks for something else than the whole of a response, or for somebody.
const BYPASSING: [(http::HeaderName, &str); 7] = [
    (AUTHORIZATION, "authorization"),
    (COOKIE, "cookie"),
    (RANGE, "range"),
    (IF_RANGE, "range"),
    (IF_MATCH, "precondition"),
    (IF_UNMODIFIED_SINCE, "precondition"),
    (UPGRADE, "upgrade"),
];

/// The request that the service is given where its response may be stored: for the whole of it, whatever the client has.
pub(crate) fn unconditional(request: &request::Parts) -> request::Parts {
    let mut request = request.clone();
    request.headers.remove(IF_NONE_MATCH);
    request.headers.remove(IF_MODIFIED_SINCE);
    request
}

/// The URI as the client sent it: a nested router of axum sees the rest of it only, as its neighbour may.
pub(crate) fn whole_uri(request: &request::Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(uri) = request.extensions.get::<axum::extract::OriginalUri>() {
        return &uri.0;
    }
    &request.uri
}
