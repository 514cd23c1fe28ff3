//! What a layer is told, and what it makes of it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderName, request, response};
use larder::{Cache, IntoTtl};
use tower_layer::Layer;

use crate::{
    load::{Stale, understood},
    plan::Plan,
    rules::Rules,
    service::CacheService,
};

/// One minute.
const TTL: Duration = Duration::from_secs(60);

/// One mebibyte.
pub(crate) const LIMIT: u64 = 1 << 20;

type KeyBy = dyn Fn(&request::Parts) -> String + Send + Sync;
type User = dyn Fn(&request::Parts) -> Option<String> + Send + Sync;
type TagsOf = dyn Fn(&request::Parts, &response::Parts) -> Vec<String> + Send + Sync;
type Now = dyn Fn() -> SystemTime + Send + Sync;

/// Caches the responses of the services it is laid around. See the [crate's documentation](crate).
///
/// ```
/// use axum::{Router, routing::get};
/// use cache_http::CacheLayer;
///
/// let cache = larder::Cache::memory();
/// let app: Router = Router::new()
///     .route("/report", get(|| async { "made with much effort" }))
///     .layer(CacheLayer::new(cache).ttl("5m"));
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing before it is added to a service"]
pub struct CacheLayer {
    pub(crate) cache: Cache,
    pub(crate) rules: Rules,
    pub(crate) query: Option<Arc<[String]>>,
    pub(crate) headers: Vec<HeaderName>,
    pub(crate) key_by: Option<Arc<KeyBy>>,
    pub(crate) user: Option<Arc<User>>,
    pub(crate) tags: Option<Arc<TagsOf>>,
    pub(crate) allow_authorization: bool,
    pub(crate) allow_cookies: bool,
    pub(crate) limit: u64,
    pub(crate) buffer_streams: bool,
    pub(crate) stale: Stale,
    pub(crate) now: Arc<Now>,
}

impl CacheLayer {
    /// Caches in `cache`, with the defaults that each method names.
    ///
    /// ```
    /// let layer = cache_http::CacheLayer::new(larder::Cache::memory());
    /// ```
    pub fn new(cache: Cache) -> Self {
        Self {
            cache,
            rules: Rules { ttl: Some(TTL), allow_set_cookie: false, heed_requests: true },
            query: None,
            headers: Vec::new(),
            key_by: None,
            user: None,
            tags: None,
            allow_authorization: false,
            allow_cookies: false,
            limit: LIMIT,
            buffer_streams: false,
            stale: Stale::default(),
            now: Arc::new(SystemTime::now),
        }
    }

    /// How long responses are cached that say nothing themselves (no `max-age`, `s-maxage` or `Expires`): one minute where
    /// this is not called. It is for the statuses 2xx and 3xx; a 404 or 410 is cached when it says for how long.
    ///
    /// Text that is no duration is logged; such responses are not cached then.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).ttl("5m");
    /// ```
    pub fn ttl(mut self, ttl: impl IntoTtl) -> Self {
        self.rules.ttl = understood("the ttl", ttl.into_ttl());
        self
    }

    /// The query parameters that count; all of them where this is not called. Those left out are no part of the key, so the
    /// service must not look at them.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).query(["page", "sort"]); // whatever `utm_source` is
    /// ```
    pub fn query<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.query = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Request headers whose values are a part of the key. For headers that the service names in `Vary` there is nothing to do.
    ///
    /// ```
    /// use http::header::{ACCEPT_LANGUAGE, HOST};
    ///
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).headers([ACCEPT_LANGUAGE, HOST]);
    /// ```
    pub fn headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.headers.extend(names);
        self
    }

    /// The key of a request, instead of its path, query and headers; the user of [`user_aware`](Self::user_aware) is added to it.
    /// Requests with one key are given one response.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).key_by(|request| request.uri.path().to_lowercase());
    /// ```
    pub fn key_by(
        mut self,
        key: impl Fn(&request::Parts) -> String + Send + Sync + 'static,
    ) -> Self {
        self.key_by = Some(Arc::new(key));
        self
    }

    /// Each user has responses of its own: the user's id is a part of the key. A request without one goes to the service, and
    /// the response to it is not cached.
    ///
    /// The id has to come from something that was checked: from an extension that the authentication in front of this layer
    /// adds, not from a header that any client can send.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// #[derive(Clone)]
    /// struct User { id: u64 } // put there by the authentication
    ///
    /// let layer = cache_http::CacheLayer::new(cache)
    ///     .user_aware(|request| request.extensions.get::<User>().map(|user| user.id.to_string()));
    /// ```
    pub fn user_aware(
        mut self,
        user: impl Fn(&request::Parts) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.user = Some(Arc::new(user));
        self
    }

    /// The tags that a response bears, besides [that of its path](crate::path_tag) and [of its user](crate::user_tag).
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).tags(|_request, response| {
    ///     let tags = response.headers.get("cache-tags").and_then(|tags| tags.to_str().ok());
    ///     tags.into_iter().flat_map(|tags| tags.split(',')).map(|tag| tag.trim().to_owned()).collect()
    /// });
    /// ```
    pub fn tags(
        mut self,
        tags: impl Fn(&request::Parts, &response::Parts) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        self.tags = Some(Arc::new(tags));
        self
    }

    /// Also serves requests with `Authorization`. Without [`user_aware`](Self::user_aware), or a key that tells who asks,
    /// everybody is then given what the first one was given.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).allow_authorization();
    /// ```
    pub fn allow_authorization(mut self) -> Self {
        self.allow_authorization = true;
        self
    }

    /// Also serves requests with `Cookie` to all alike. Where the layer is [`user_aware`](Self::user_aware), or `Cookie` is one of
    /// its [headers](Self::headers), they are served anyway.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).allow_cookies(); // nothing here looks at them
    /// ```
    pub fn allow_cookies(mut self) -> Self {
        self.allow_cookies = true;
        self
    }

    /// Also caches responses with `Set-Cookie`: all who ask are given the same cookie.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).allow_set_cookie();
    /// ```
    pub fn allow_set_cookie(mut self) -> Self {
        self.rules.allow_set_cookie = true;
        self
    }

    /// Pays no attention to `Cache-Control: no-cache`, `max-age` and the like in requests, by which any client can have the
    /// service run. `no-store` is still honoured.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).ignore_request_directives();
    /// ```
    pub fn ignore_request_directives(mut self) -> Self {
        self.rules.heed_requests = false;
        self
    }

    /// The largest body that is cached, in bytes: 1 MiB where this is not called. A larger one goes through as it comes.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).max_body_bytes(64 * 1024);
    /// ```
    pub fn max_body_bytes(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Also caches bodies that do not tell their size beforehand, as those of a compressing layer: they are held back until they
    /// have ended or are larger than [`max_body_bytes`](Self::max_body_bytes). Otherwise they go through as they come, as
    /// `text/event-stream` always does.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).buffer_streams();
    /// ```
    pub fn buffer_streams(mut self) -> Self {
        self.buffer_streams = true;
        self
    }

    /// So long after its freshness a response stands in for one that fails: an error of the service, or a status 5xx. Not where
    /// it says `must-revalidate`, `proxy-revalidate` or `s-maxage`.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).stale_if_error("1h");
    /// ```
    pub fn stale_if_error(mut self, time: impl IntoTtl) -> Self {
        self.stale.on_error = understood("stale_if_error", time.into_ttl()).unwrap_or_default();
        self
    }

    /// So long after its freshness a response is given while it is renewed in the background. The same exceptions.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).stale_while_revalidate("30s");
    /// ```
    pub fn stale_while_revalidate(mut self, time: impl IntoTtl) -> Self {
        let time = understood("stale_while_revalidate", time.into_ttl());
        self.stale.while_revalidate = time.unwrap_or_default();
        self
    }

    /// Where `Age` takes the time of day from, for tests; a cache with a [manual clock](larder::Clock::manual) decides by that
    /// when its entries end.
    ///
    /// ```
    /// # let cache = larder::Cache::memory();
    /// let layer = cache_http::CacheLayer::new(cache).time_of_day(std::time::SystemTime::now);
    /// ```
    pub fn time_of_day(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.now = Arc::new(now);
        self
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = CacheService<S>;

    fn layer(&self, inner: S) -> CacheService<S> {
        CacheService::new(inner, Plan::new(self.clone()))
    }
}

impl fmt::Debug for CacheLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLayer")
            .field("cache", &self.cache)
            .field("rules", &self.rules)
            .field("query", &self.query)
            .field("headers", &self.headers)
            .field("user_aware", &self.user.is_some())
            .field("stale", &self.stale)
            .finish_non_exhaustive()
    }
}
