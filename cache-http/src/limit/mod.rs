//! A layer that limits how many requests a caller may make.
//!
//! `mod` is what it is told, `ask` what it asks about a request, `service` the way of one, `fields` the headers, `refusal` the
//! answer to what is refused.

mod ask;
mod fields;
mod refusal;
mod service;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Response, request};
use larder::{Cache, IntoTtl, Result, WhenAway};
use tower_layer::Layer;

pub(crate) use self::fields::OF_LIMITS;
pub use self::{
    ask::address_key, fields::RateLimitHeaders, refusal::Refusal, service::RateLimitService,
};

type By = dyn Fn(&request::Parts) -> Option<String> + Send + Sync;
type LimitOf = dyn Fn(&request::Parts) -> u64 + Send + Sync;
type Refuse = dyn Fn(&request::Parts, &Refusal<'_>) -> Response<Bytes> + Send + Sync;

/// Limits the requests to the services it is laid around, and tells clients in the `RateLimit` headers what they have left.
///
/// It asks [`Cache::check`] about each request: with Redis all processes have one count, in one round trip; without, each has
/// its own. A request that is refused is answered with 429 and `Retry-After`, and does not reach the service. The
/// [crate's documentation](crate#so-many-requests-in-a-time) has the rest.
///
/// ```
/// use axum::{Router, routing::get};
/// use cache_http::RateLimitLayer;
///
/// # fn main() -> larder::Result<()> {
/// # let cache = larder::Cache::memory();
/// let limit = RateLimitLayer::new(cache).limit(100).per("1m").by_header("x-api-key").checked()?;
/// let app: Router = Router::new().route("/search", get(|| async { "found" })).layer(limit);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing before it is added to a service"]
pub struct RateLimitLayer {
    cache: Cache,
    policy: Arc<str>,
    limit: Option<Limit>,
    per: Option<Result<Duration>>,
    strategy: Strategy,
    cost: u64,
    by: Option<Arc<By>>,
    without_key: WithoutKey,
    when_away: WhenAway,
    headers: Vec<RateLimitHeaders>,
    refuse: Arc<Refuse>,
}

#[derive(Clone)]
enum Limit {
    OfAll(u64),
    Of(Arc<LimitOf>),
}

#[derive(Clone, Copy, Debug)]
enum Strategy {
    Fixed,
    Sliding,
    Bucket(u64),
}

/// What becomes of a request that has no key.
#[derive(Clone, Copy, Debug)]
enum WithoutKey {
    Shared,
    Unlimited,
}

impl RateLimitLayer {
    /// Counts in `cache`. [`limit`](Self::limit) (or [`limit_by`](Self::limit_by)) and [`per`](Self::per) have to be said.
    ///
    /// ```
    /// use cache_http::RateLimitLayer;
    ///
    /// let layer = RateLimitLayer::new(larder::Cache::memory()).limit(5).per("5m");
    /// ```
    pub fn new(cache: Cache) -> Self {
        Self {
            cache,
            policy: "default".into(),
            limit: None,
            per: None,
            strategy: Strategy::Sliding,
            cost: 1,
            by: None,
            without_key: WithoutKey::Shared,
            when_away: WhenAway::Open,
            headers: vec![RateLimitHeaders::Fields],
            refuse: Arc::new(|_, refusal| refusal.problem()),
        }
    }

    /// What the limit is called, in the headers and in the name of its counts: `"default"` where this is not called. Layers with
    /// one name on one cache share their counts, so two different limits have two names. Printable ASCII.
    ///
    /// ```
    /// # use cache_http::RateLimitLayer;
    /// # let cache = larder::Cache::memory();
    /// let burst = RateLimitLayer::new(cache.clone()).policy("burst").limit(10).per("1s");
    /// let daily = RateLimitLayer::new(cache).policy("daily").limit(5000).per("1d");
    /// ```
    pub fn policy(mut self, name: &str) -> Self {
        self.policy = name.into();
        self
    }

    /// How many requests of one key a window has room for, from 1 to a billion.
    ///
    /// ```
    /// # use cache_http::RateLimitLayer;
    /// # let cache = larder::Cache::memory();
    /// let layer = RateLimitLayer::new(cache).limit(100).per("1m");
    /// ```
    pub fn limit(mut self, requests: u64) -> Self {
        self.limit = Some(Limit::OfAll(requests));
        self
    }

    /// A limit that depends on who asks: on the plan that the authentication found, for instance. From 1 (or the
    /// [`cost`](Self::cost)) to a billion; a request for which it is another number is answered with 500.
    ///
    /// ```
    /// # use cache_http::RateLimitLayer;
    /// # let cache = larder::Cache::memory();
    /// #[derive(Clone)]
    /// struct Plan { requests: u64 } // put there by the authentication
    ///
    /// let layer = RateLimitLayer::new(cache)
    ///     .limit_by(|request| request.extensions.get::<Plan>().map_or(10, |plan| plan.requests))
    ///     .per("1h");
    /// ```
    pub fn limit_by(
        mut self,
        limit: impl Fn(&request::Parts) -> u64 + Send + Sync + 'static,
    ) -> Self {
        self.limit = Some(Limit::Of(Arc::new(limit)));
        self
    }

    /// How long a window is, from a millisecond to 100 days: `"1m"`, a [`Duration`], or seconds. Headers have whole seconds,
    /// rounded up.
    ///
    /// ```
    /// # use cache_http::RateLimitLayer;
    /// # let cache = larder::Cache::memory();
    /// let layer = RateLimitLayer::new(cache).limit(100).per("1m");
    /// ```
    pub fn per(mut self, window: impl IntoTtl) -> Self {
        // For ever is longer than any window, and so told by whoever is asked.
        self.per = Some(window.into_ttl().map(|window| window.unwrap_or(Duration::MAX)));
        self
    }

    /// Counts in windows that begin with a first request, see [`larder::Check::fixed_window`].
    ///
    /// ```
    /// # use cache_http::RateLimitLayer;
    /// # let cache = larder::Cache::memory();
    /// let layer = RateLimitLayer::new(cache).limit(5000).per("1d").fixed_window();
    /// ```
    pub fn fixed_window(mut self) -> Self {
        self.strategy = Strategy::Fixed;
        self
    }

    /// Never more than the limit in any window, see [`larder::Check::sliding_window`]; what is done where nothing is said.
    ///
    /// ```
    /// # use cache_http::RateLimitLayer;
    /// # let cache = larder::Cache::memory();
    /// let layer = RateLimitLayer::new(cache).limit(5).per("5m").sliding_window();
    /// ```
    pub fn sliding_window(mut self) -> Self {
        self.strategy = Strategy::Sliding;
        self
    }

    /// Spreads requests evenly, with no more than `burst` at once, see [`larder::Check::token_bucket`].
    ///
    /// ```
    /// # use cache_http::RateLimitLayer;
    /// # let cache = larder::Cache::memory();
    /// let layer = RateLimitLayer::new(cache).limit(60).per("1m").token_bucket(5);
    /// ```
    pub fn token_bucket(mut self, burst: u64) -> Self {
        self.strategy = Strategy::Bucket(burst);
        self
    }

    /// For how many a request counts; 1 where nothing is said. Two layers of one [`policy`](Self::policy) with two costs make
    /// one route dearer than another.
    ///
    /// ```
    /// # use cache_http::RateLimitLayer;
    /// # let cache = larder::Cache::memory();
    /// let export = RateLimitLayer::new(cache).limit(1000).per("1h").cost(100);
    /// ```
    pub fn cost(mut self, requests: u64) -> Self {
        self.cost = requests;
        self
    }

    /// Whom a request is counted for. Without it, and for requests of which it returns `None`, there is one count for all:
    /// nobody is rid of a limit by leaving a header out. [`unlimited_without_key`](Self::unlimited_without_key) is the other way.
    ///
    /// What it returns is escaped, so that no two keys are one count. **Take it from what a client cannot choose**: the peer's
    /// address, or who the authentication in front found. [`address_key`] makes a key of an address.
    ///
    /// ```
    /// use std::net::SocketAddr;
    ///
    /// use axum::extract::ConnectInfo;
    /// use cache_http::{RateLimitLayer, address_key};
    ///
    /// # let cache = larder::Cache::memory();
    /// let by_peer = RateLimitLayer::new(cache).limit(100).per("1m").by(|request| {
    ///     // There with `into_make_service_with_connect_info::<SocketAddr>()`.
    ///     let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    ///     peer.map(|ConnectInfo(peer)| address_key(peer.ip()))
    /// });
    /// ```
    pub fn by(
        mut self,
        key: impl Fn(&request::Parts) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.by = Some(Arc::new(key));
        self
    }

    /// A count for each value of a header: of one that a gateway in front sets, or whose value was checked. Whoever may send any
    /// value has as many counts as there are values.
    ///
    /// ```
    /// # use cache_http::RateLimitLayer;
    /// # let cache = larder::Cache::memory();
    /// let layer = RateLimitLayer::new(cache).limit(100).per("1m").by_header("x-api-key");
    /// ```
    pub fn by_header(self, name: &'static str) -> Self {
        self.by(move |request| {
            let value = request.headers.get(name)?;
            // What is no text is one key with its bytes replaced: fewer counts, never more room.
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
    }

    /// Requests of which [`by`](Self::by) returns `None` are not counted, and told nothing.
    ///
    /// ```
    /// # use cache_http::RateLimitLayer;
    /// # let cache = larder::Cache::memory();
    /// #[derive(Clone)]
    /// struct User(u64); // put there by the authentication
    ///
    /// // Who is not signed in has another limit, by address.
    /// let layer = RateLimitLayer::new(cache).limit(100).per("1m").unlimited_without_key()
    ///     .by(|request| request.extensions.get::<User>().map(|User(id)| id.to_string()));
    /// ```
    pub fn unlimited_without_key(mut self) -> Self {
        self.without_key = WithoutKey::Unlimited;
        self
    }

    /// What becomes of requests while Redis cannot be asked: [`WhenAway::Open`], they go on, where nothing is said. With
    /// [`WhenAway::Closed`] they are answered with 503, for it is not the client that did too much.
    ///
    /// ```
    /// use cache_http::RateLimitLayer;
    /// use larder::WhenAway;
    ///
    /// # let cache = larder::Cache::memory();
    /// let pins = RateLimitLayer::new(cache).policy("pin").limit(3).per("1h").when_away(WhenAway::Closed);
    /// ```
    pub fn when_away(mut self, when_away: WhenAway) -> Self {
        self.when_away = when_away;
        self
    }

    /// In which headers clients are told; [`RateLimitHeaders::Fields`] where nothing is said. An empty list leaves `Retry-After`
    /// alone.
    ///
    /// ```
    /// use cache_http::{RateLimitHeaders, RateLimitLayer};
    ///
    /// # let cache = larder::Cache::memory();
    /// let layer = RateLimitLayer::new(cache)
    ///     .limit(100)
    ///     .per("1m")
    ///     .headers([RateLimitHeaders::Fields, RateLimitHeaders::Prefixed]); // old clients too
    /// ```
    pub fn headers(mut self, headers: impl IntoIterator<Item = RateLimitHeaders>) -> Self {
        self.headers = headers.into_iter().collect();
        self
    }

    /// The response to what is refused, instead of a problem in JSON ([`Refusal::problem`]). Afterwards it is given the
    /// headers, and `Retry-After` where it has none.
    ///
    /// ```
    /// # use cache_http::RateLimitLayer;
    /// use http::Response;
    ///
    /// # let cache = larder::Cache::memory();
    /// let layer = RateLimitLayer::new(cache).limit(5).per("5m").refused(|request, refusal| {
    ///     let text = format!("Not so fast with {}", request.uri.path());
    ///     let mut response = Response::new(text);
    ///     *response.status_mut() = refusal.status();
    ///     response
    /// });
    /// ```
    pub fn refused<T: Into<Bytes>>(
        mut self,
        response: impl Fn(&request::Parts, &Refusal<'_>) -> Response<T> + Send + Sync + 'static,
    ) -> Self {
        self.refuse = Arc::new(move |request, refusal| response(request, refusal).map(Into::into));
        self
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimitService<S>;

    fn layer(&self, inner: S) -> RateLimitService<S> {
        let checked = self.clone().checked().inspect_err(|error| {
            tracing::error!(target: "larder", %error, "RateLimitLayer: all requests are answered with 500");
        });
        RateLimitService::new(inner, checked.ok())
    }
}

impl fmt::Debug for RateLimitLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayer")
            .field("cache", &self.cache)
            .field("policy", &self.policy)
            .field("per", &self.per)
            .field("strategy", &self.strategy)
            .field("cost", &self.cost)
            .field("by", &self.by.is_some())
            .field("without_key", &self.without_key)
            .field("when_away", &self.when_away)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
