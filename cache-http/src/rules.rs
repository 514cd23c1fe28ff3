//! The rules of RFC 9111: whether a response may be stored, for how long, and whether it answers a request.
//!
//! `http-cache-semantics` knows them. It is asked about no more than what decides, in the form that it understands:
//! directives in lower case, several lines of one header as one, ages that can be added to. `Vary`, of whose headers it
//! compares the first lines only, and what a layer was allowed are looked at here.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{AGE, CACHE_CONTROL, DATE, EXPIRES, PRAGMA, SET_COOKIE},
    request, response,
};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy, RequestLike, ResponseLike};

use crate::{
    key::{joined, varies_by},
    status::Forward,
    stored::Stored,
};

/// Nothing is kept longer, whatever its `max-age`: what that means in Redis and in additions has an end.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// What RFC 9111 makes of an age that does not fit.
const OLDEST: u64 = 1 << 31;

/// What a layer was told about storing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// How long responses live that do not say; `None` when that could not be understood.
    pub(crate) ttl: Option<Duration>,
    pub(crate) allow_set_cookie: bool,
    /// Whether a request may ask for something newer than what is cached.
    pub(crate) heed_requests: bool,
}

/// How a response may be stored.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// What the request had in the headers that `Vary` names.
    pub(crate) selecting: HeaderMap,
    /// The `max-age` of a response that says nothing itself.
    pub(crate) implied: Option<u64>,
    pub(crate) life: Duration,
}

/// How old what answers is, and how many seconds of freshness it has left.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) age: Duration,
    pub(crate) left: i64,
}

impl Rules {
    /// Whether and how the response to a GET may be stored, or why not.
    pub(crate) fn may_store(
        &self,
        request: &request::Parts,
        response: &response::Parts,
        now: SystemTime,
    ) -> Result<Verdict, &'static str> {
        // More can be wrong with a server than a cache should remember.
        if response.status.is_server_error() {
            return Err("error");
        }
        if response.headers.contains_key(SET_COOKIE) && !self.allow_set_cookie {
            return Err("set-cookie");
        }
        let Some(names) = varies_by(&response.headers) else { return Err("vary") };
        let asking = Asking { uri: &request.uri, headers: HeaderMap::new() };
        let implied = self.implied(response);
        let of =
            |implied| policy(&asking, &Told::of(response.status, &response.headers, implied), now);
        // Asked without what is implied: that makes nothing storable.
        if !of(None).is_storable() {
            return Err("not-storable");
        }
        let says = of(implied).time_to_live(now).min(LONGEST);
        let life = match (implied, self.ttl) {
            (Some(_), Some(ttl)) => says.min(ttl),
            _ => says,
        };
        if life.is_zero() {
            return Err("no-lifetime");
        }
        Ok(Verdict { selecting: selecting(&request.headers, &names), implied, life })
    }

    /// Whether what is stored answers this request, or why the service has to.
    pub(crate) fn answers(
        &self,
        stored: &Stored,
        request: &request::Parts,
        now: SystemTime,
        may_be_stale: bool,
    ) -> Result<Answer, Forward> {
        let names = varies_by(&stored.headers).ok_or(Forward::VaryMiss)?;
        if selecting(&request.headers, &names) != stored.selecting {
            return Err(Forward::VaryMiss);
        }
        let mut asking = Asking { uri: &request.uri, headers: HeaderMap::new() };
        let told = Told::of(stored.status, &stored.headers, stored.implied);
        let policy = policy(&asking, &told, stored.made());
        if self.heed_requests {
            asking.headers = directives(&request.headers);
        }
        let answer = Answer { age: policy.age(now), left: stored.left(now) };
        match policy.before_request(&asking, now) {
            BeforeRequest::Fresh(_) => Ok(answer),
            BeforeRequest::Stale { .. } if !policy.is_stale(now) => Err(Forward::Request),
            BeforeRequest::Stale { .. } => {
                let allowed = may_be_stale && !forbids_stale(&told.headers);
                if allowed && asking.headers.is_empty() { Ok(answer) } else { Err(Forward::Stale) }
            }
        }
    }

    /// The `max-age` of a response that says nothing itself. What a client did wrong it does again when that was put
    /// right, so such answers live only as long as they say.
    fn implied(&self, response: &response::Parts) -> Option<u64> {
        let said = lines(&response.headers, &CACHE_CONTROL);
        let says = |name| names_of(&said).any(|said| said == name);
        let silent =
            !says("max-age") && !says("s-maxage") && !response.headers.contains_key(EXPIRES);
        let is_fine = response.status.is_success() || response.status.is_redirection();
        let ttl = self.ttl.filter(|_| silent && is_fine)?;
        Some(ttl.min(LONGEST).as_secs() + u64::from(ttl.subsec_nanos() > 0))
    }
}

fn policy(request: &Asking<'_>, response: &Told, made: SystemTime) -> CachePolicy {
    let options = CacheOptions { shared: true, cache_heuristic: 0.0, ..CacheOptions::default() };
    CachePolicy::new_options(request, response, made, options)
}

/// Whether a response must not be used past its freshness, whatever the layer says. `s-maxage` means that too.
fn forbids_stale(told: &HeaderMap) -> bool {
    let said = lines(told, &CACHE_CONTROL);
    names_of(&said).any(|name| {
        matches!(name, "must-revalidate" | "proxy-revalidate" | "no-cache" | "s-maxage")
    })
}

/// Whether a request says that the response to it must not be stored.
pub(crate) fn forbids_storing(request: &HeaderMap) -> bool {
    names_of(&lines(request, &CACHE_CONTROL)).any(|name| name == "no-store")
}

/// A request's directives, for the policy.
fn directives(request: &HeaderMap) -> HeaderMap {
    let said = [CACHE_CONTROL, PRAGMA].into_iter().filter(|name| request.contains_key(name));
    said.filter_map(|name| {
        let value = HeaderValue::try_from(lines(request, &name)).ok()?;
        Some((name, value))
    })
    .collect()
}

/// The names of directives.
fn names_of(directives: &str) -> impl Iterator<Item = &str> {
    directives.split(',').filter_map(|part| part.split('=').next()).map(str::trim)
}

/// All lines of a header in lower case. What is no text counts as what forbids most.
fn lines(headers: &HeaderMap, name: &HeaderName) -> String {
    let Some(all) = joined(headers, name) else { return String::new() };
    all.to_str().map_or_else(|_| "no-store".to_owned(), str::to_ascii_lowercase)
}

/// The headers of a request that `Vary` names, one line each.
fn selecting(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    names.iter().filter_map(|name| Some((name.clone(), joined(headers, name)?))).collect()
}

/// A request as the policy sees it: that it asks for what the key names was decided by the key.
struct Asking<'a> {
    uri: &'a Uri,
    headers: HeaderMap,
}

impl RequestLike for Asking<'_> {
    fn uri(&self) -> Uri {
        self.uri.clone()
    }

    fn is_same_uri(&self, _: &Uri) -> bool {
        true
    }

    /// A HEAD is answered from the GET.
    fn method(&self) -> &Method {
        &Method::GET
    }

    fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

/// A response as the policy sees it.
struct Told {
    status: StatusCode,
    headers: HeaderMap,
}

impl Told {
    fn of(status: StatusCode, from: &HeaderMap, implied: Option<u64>) -> Self {
        let once = [EXPIRES, DATE].into_iter();
        let mut headers: HeaderMap =
            once.filter_map(|name| Some((name.clone(), from.get(&name)?.clone()))).collect();
        let mut said = lines(from, &CACHE_CONTROL);
        if said.is_empty() && lines(from, &PRAGMA).contains("no-cache") {
            "no-cache".clone_into(&mut said);
        }
        if let Some(seconds) = implied {
            said = format!("{said}, max-age={seconds}");
        }
        if let Ok(said) = HeaderValue::try_from(said) {
            headers.insert(CACHE_CONTROL, said);
        }
        if let Some(age) = from.get(AGE) {
            let age = age.to_str().ok().and_then(|age| age.trim().parse::<u64>().ok());
            headers.insert(AGE, age.unwrap_or(OLDEST).min(OLDEST).into());
        }
        Self { status, headers }
    }
}

impl ResponseLike for Told {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}
