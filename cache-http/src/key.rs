//! Under which key a response is cached: readable, and different for any two requests that may be answered differently.

use std::fmt::{self, Write};

use cache_template::escape_into;
use http::{HeaderMap, HeaderName, HeaderValue, header::VARY};

use crate::stored::Stored;

/// The key of a cached response: what `cache.invalidate(..)` takes.
///
/// | part | is there |
/// |---|---|
/// | `http:GET:/users` | always: the path as the client wrote it. A `HEAD` is answered from the `GET` |
/// | `?page=1&sort=name` | when there are query parameters that count, sorted by name |
/// | `:user=7` | with [`user_aware`](crate::CacheLayer::user_aware) |
/// | `:h.accept-language=de` | for each chosen header, `:h.accept-language` when the request has none |
/// | `http:by:text` | instead of path, query and headers, with [`key_by`](crate::CacheLayer::key_by) |
///
/// Everything that comes from the request is percent-escaped as in all keys of Larder, `%` included, so that two different
/// requests never have the same key.
///
/// ```
/// use cache_http::ResponseKey;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # let cache = larder::Cache::memory();
/// assert_eq!(ResponseKey::get("/users").query("sort=name&page=1").as_str(), "http:GET:/users?page=1&sort=name");
/// cache.invalidate(ResponseKey::get("/me").user("7").as_str()).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ResponseKey(String);

impl ResponseKey {
    /// The key of a path, as it is in the request's URI.
    ///
    /// ```
    /// assert_eq!(cache_http::ResponseKey::get("/a:b").as_str(), "http:GET:/a%3Ab");
    /// ```
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self("http:GET:".to_owned()).and(path)
    }

    /// The key that [`key_by`](crate::CacheLayer::key_by) gave a request.
    ///
    /// ```
    /// assert_eq!(cache_http::ResponseKey::by("front page").as_str(), "http:by:front%20page");
    /// ```
    #[must_use]
    pub fn by(text: &str) -> Self {
        Self("http:by:".to_owned()).and(text)
    }

    /// With query parameters, before [`user`](Self::user) and [`header`](Self::header). They are sorted by name; the order
    /// of several with one name is kept, for it may mean something.
    ///
    /// ```
    /// use cache_http::ResponseKey;
    ///
    /// assert_eq!(ResponseKey::get("/x").query("b=2&a=1"), ResponseKey::get("/x").query("a=1&b=2"));
    /// assert_eq!(ResponseKey::get("/x").query(""), ResponseKey::get("/x"));
    /// ```
    #[must_use]
    pub fn query(self, query: &str) -> Self {
        self.chosen(query, |_| true)
    }

    /// With those query parameters whose decoded names are chosen.
    pub(crate) fn chosen(self, query: &str, is_chosen: impl Fn(&str) -> bool) -> Self {
        let name = |pair: &str| {
            form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.into_owned())
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        // By what the handler will take for the name: `p%61ge=2` is a `page` to it.
        let mut pairs: Vec<(String, &str)> = pairs
            .map(|pair| (name(pair).unwrap_or_default(), pair))
            .filter(|(name, _)| is_chosen(name))
            .collect();
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        if pairs.is_empty() {
            return self;
        }
        let text: Vec<&str> = pairs.into_iter().map(|(_, pair)| pair).collect();
        Self(self.0 + "?").and(&text.join("&"))
    }

    /// Of one user.
    ///
    /// ```
    /// assert_eq!(cache_http::ResponseKey::get("/me").user("7").as_str(), "http:GET:/me:user=7");
    /// ```
    #[must_use]
    pub fn user(self, id: &str) -> Self {
        Self(self.0 + ":user=").and(id)
    }

    /// For the value of one of the [chosen headers](crate::CacheLayer::headers), in their order; `None` for requests without
    /// it. Several lines of one header are joined with `, `.
    ///
    /// ```
    /// let key = cache_http::ResponseKey::get("/").header("accept-language", Some("de"));
    /// assert_eq!(key.as_str(), "http:GET:/:h.accept-language=de");
    /// ```
    #[must_use]
    pub fn header(self, name: &str, value: Option<&str>) -> Self {
        self.field("h", &name.to_ascii_lowercase(), value.map(str::as_bytes))
    }

    pub(crate) fn header_of(self, headers: &HeaderMap, name: &HeaderName) -> Self {
        let value = joined(headers, name);
        self.field("h", name.as_str(), value.as_ref().map(HeaderValue::as_bytes))
    }

    /// The key of the variant that answers a request with these headers, where `first` is the variant that was cached first.
    ///
    /// It names that one entry, so that nothing is found any more once that was invalidated.
    pub(crate) fn variant(&self, first: &Stored, headers: &HeaderMap) -> Self {
        let key = Self(format!("{}:of={}", self.0, first.id));
        varies_by(&first.headers).unwrap_or_default().iter().fold(key, |key, name| {
            let value = joined(headers, name);
            key.field("v", name.as_str(), value.as_ref().map(HeaderValue::as_bytes))
        })
    }

    /// The key itself.
    ///
    /// ```
    /// assert_eq!(cache_http::ResponseKey::get("/users").as_str(), "http:GET:/users");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows `http:`.
    pub(crate) fn within(&self) -> &str {
        self.0.strip_prefix("http:").unwrap_or(&self.0)
    }

    fn and(mut self, text: &str) -> Self {
        // Writing to memory does not fail.
        let _ = escape_into(text, &mut self.0);
        self
    }

    /// `:kind.name=value`, and `=%x` with digits for what is no text: no escape looks like that. Names have no `=`.
    fn field(mut self, kind: &str, name: &str, value: Option<&[u8]>) -> Self {
        let _ = write!(self.0, ":{kind}.");
        let key = self.and(name);
        let Some(value) = value else { return key };
        match std::str::from_utf8(value) {
            Ok(text) => Self(key.0 + "=").and(text),
            Err(_) => {
                let mut key = Self(key.0 + "=%x");
                for byte in value {
                    let _ = write!(key.0, "{byte:02x}");
                }
                key
            }
        }
    }
}

/// The tag that all cached responses of a path bear.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # let cache = larder::Cache::memory();
/// assert_eq!(cache_http::path_tag("/users"), "http:/users");
/// cache.invalidate_tags([cache_http::path_tag("/users")]).await?; // whatever the query, the user and the headers
/// # Ok(()) }
/// ```
#[must_use]
pub fn path_tag(path: &str) -> String {
    ResponseKey("http:".to_owned()).and(path).0
}

/// The tag that all cached responses of a user bear, where the layer is [`user_aware`](crate::CacheLayer::user_aware).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # let cache = larder::Cache::memory();
/// cache.invalidate_tags([cache_http::user_tag("7")]).await?;
/// # Ok(()) }
/// ```
#[must_use]
pub fn user_tag(id: &str) -> String {
    ResponseKey("http:user:".to_owned()).and(id).0
}

/// The request headers that a response depends on, sorted; `None` when it depends on more than can be told.
pub(crate) fn varies_by(response: &HeaderMap) -> Option<Vec<HeaderName>> {
    let lines = response.get_all(VARY).iter();
    // What is no name of a header, and `*` is none here, is no text that could be compared.
    let named = lines.map(|line| {
        let names = line.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(|name| name.parse::<HeaderName>().ok().filter(|_| name != "*")).collect()
    });
    let mut names: Vec<HeaderName> = named.collect::<Option<Vec<Vec<_>>>>()?.concat();
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    Some(names)
}

/// All lines of one header as one: the same to HTTP.
pub(crate) fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?.clone();
    let Some(second) = lines.next() else { return Some(first) };
    let mut all = first.as_bytes().to_vec();
    for line in std::iter::once(second).chain(lines) {
        all.extend_from_slice(b", ");
        all.extend_from_slice(line.as_bytes());
    }
    // Nothing was added that a line may not have.
    HeaderValue::from_bytes(&all).ok()
}

impl fmt::Display for ResponseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ResponseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseKey").field(&self.0).finish()
    }
}
