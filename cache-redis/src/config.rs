//! The settings of a [`RedisStore`](crate::RedisStore).

use std::{fmt, time::Duration};

use cache_store::{Error, ErrorKind, Result};
use tokio::runtime::Handle;

use crate::{names::Names, target::Target};

/// Where the server is and how long to wait for it.
///
/// # Addresses
///
/// | URL | what it means |
/// |---|---|
/// | `redis://[user:password@]host[:port][/db]` | one server; `valkey://` is the same |
/// | `rediss://…` | the same over TLS (feature `tls`); `valkeys://` is the same |
/// | `unix:///path/to/socket[?db=1&user=…&pass=…]` | one server over a Unix socket |
/// | `redis-sentinel://[user:password@]host[:port],host[:port]/service[/db]` | the master that Sentinel names (feature `sentinel`) |
/// | `redis-cluster://[user:password@]host[:port],host[:port]` | a cluster (feature `cluster`) |
/// | `redis://host,host`, `redis://host?cluster=true` | a cluster, too |
///
/// `rediss-sentinel://` and `rediss-cluster://` are the TLS forms. Sentinels that want credentials of their own get
/// them from `?sentinel_username=…&sentinel_password=…`. `?protocol=resp2` is for proxies that know no RESP3; over it the
/// server cannot tell of changes. Special characters in user names and passwords are percent-encoded.
///
/// Needs Redis 6 or later, or Valkey.
///
/// ```
/// use std::time::Duration;
/// use cache_redis::RedisConfig;
///
/// let config = RedisConfig::new("redis://app:secret@cache.internal:6379/0")
///     .prefix("shop:")
///     .deadline(Duration::from_millis(200));
/// assert!(!format!("{config:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct RedisConfig {
    pub(crate) url: String,
    pub(crate) prefix: String,
    pub(crate) deadline: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) log_records: usize,
    pub(crate) sweep: bool,
    pub(crate) tag_index: usize,
    pub(crate) max_requests: usize,
    pub(crate) max_request_bytes: usize,
    pub(crate) runtime: Option<Handle>,
    #[cfg(feature = "tls")]
    pub(crate) root_certificate: Option<Vec<u8>>,
    #[cfg(feature = "tls")]
    pub(crate) client_certificate: Option<(Vec<u8>, Vec<u8>)>,
}

impl RedisConfig {
    /// The server at `url`, with the prefix `cache:`, 500 ms for an operation and 1 s for a connection.
    ///
    /// ```
    /// use cache_redis::RedisConfig;
    ///
    /// let config = RedisConfig::new("redis://localhost:6379/0");
    /// assert!(config.validate().is_ok());
    /// ```
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "cache:".to_owned(),
            deadline: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(1),
            log_records: 512,
            sweep: true,
            tag_index: 100_000,
            max_requests: 8_192,
            max_request_bytes: 64 << 20,
            runtime: None,
            #[cfg(feature = "tls")]
            root_certificate: None,
            #[cfg(feature = "tls")]
            client_certificate: None,
        }
    }

    /// What separates this cache from others on the same server. A trailing `:` does not count; an empty prefix means
    /// the namespace `larder`. `{`, `}` and a segment `k` after the first are errors of the constructor.
    ///
    /// ```
    /// # use cache_redis::RedisConfig;
    /// let config = RedisConfig::new("redis://localhost").prefix("shop:");
    /// assert!(config.validate().is_ok());
    /// assert!(config.prefix("shop{1}:").validate().is_err());
    /// ```
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The longest that one operation may take, the wait for a first connection included. Default 500 ms.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_redis::RedisConfig;
    ///
    /// let config = RedisConfig::new("redis://localhost").deadline(Duration::from_millis(100));
    /// ```
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The longest that making a connection may take. Default 1 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_redis::RedisConfig;
    ///
    /// let config = RedisConfig::new("redis://far.away").connect_timeout(Duration::from_secs(3));
    /// ```
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How many invalidations the pattern log and the tag log remember: 512 unless told, at least 1. More of them mean
    /// that old entries survive more invalidations of other keys; every miss transfers the pattern log.
    ///
    /// ```
    /// use cache_redis::RedisConfig;
    ///
    /// let config = RedisConfig::new("redis://localhost").log_records(2048);
    /// ```
    #[must_use]
    pub const fn log_records(mut self, records: usize) -> Self {
        self.log_records = if records == 0 { 1 } else { records };
        self
    }

    /// Whether to look in the background for the values that an invalidation of a pattern, of a tag or of everything has
    /// covered, and give their memory back (default true): a bounded
    /// [`SCAN`](https://redis.io/docs/latest/commands/scan/) of each master, one at a time, or a walk through a tag's
    /// [index](Self::tag_index). Without it they stay until they expire, unused.
    ///
    /// ```
    /// use cache_redis::RedisConfig;
    ///
    /// let config = RedisConfig::new("redis://localhost").sweep(false);
    /// ```
    #[must_use]
    pub const fn sweep(mut self, sweep: bool) -> Self {
        self.sweep = sweep;
        self
    }

    /// How many keys the index of one tag lists, about: 100,000 unless told; those that end first make room. 0 keeps no
    /// index.
    ///
    /// The index is what a cache's `tagged` answers from, and how the memory of a tag's values is given back when it is
    /// invalidated. It is a sorted set for each tag, about 100 bytes for each key, written in the same round trip as the
    /// value. No invalidation rests on it.
    ///
    /// ```
    /// use cache_redis::RedisConfig;
    ///
    /// let config = RedisConfig::new("redis://localhost").tag_index(10_000);
    /// ```
    #[must_use]
    pub const fn tag_index(mut self, keys: usize) -> Self {
        self.tag_index = keys;
        self
    }

    /// How many requests may wait for the server's answer at once, in this process: 8,192 unless told, at least 1. One more
    /// fails at once with [`ErrorKind::Overloaded`], and an annotated function runs its body, as if the server were away.
    ///
    /// A request is a round trip, of however many keys; to a cluster it is one for each key. Callers of one key share a
    /// flight and so a request.
    ///
    /// ```
    /// use cache_redis::RedisConfig;
    ///
    /// let config = RedisConfig::new("redis://localhost").max_requests(1_000);
    /// ```
    #[must_use]
    pub const fn max_requests(mut self, requests: usize) -> Self {
        self.max_requests = if requests == 0 { 1 } else { requests };
        self
    }

    /// How many bytes those requests may hold together, keys and values: 64 MiB unless told. One more request fails like one
    /// [too many](Self::max_requests); a single one that is larger than this goes when it is alone.
    ///
    /// ```
    /// use cache_redis::RedisConfig;
    ///
    /// let config = RedisConfig::new("redis://localhost").max_request_bytes(16 << 20);
    /// ```
    #[must_use]
    pub const fn max_request_bytes(mut self, bytes: usize) -> Self {
        self.max_request_bytes = bytes;
        self
    }

    /// The runtime that owns the connections: it must outlive the store's use. Default: the one that the constructor
    /// is called on.
    ///
    /// ```
    /// use cache_redis::{RedisConfig, RedisStore};
    ///
    /// let runtime = tokio::runtime::Runtime::new()?;
    /// let config = RedisConfig::new("redis://localhost").runtime(runtime.handle().clone());
    /// assert!(RedisStore::lazy(config).is_ok()); // outside the runtime
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Trusts this certificate (PEM) instead of the system's. Feature `tls`.
    ///
    /// ```no_run
    /// use cache_redis::RedisConfig;
    ///
    /// let pem = std::fs::read("ca.pem")?;
    /// let config = RedisConfig::new("rediss://localhost").root_certificate(pem);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificate = Some(pem.into());
        self
    }

    /// Shows this certificate to the server and proves it with this key (both PEM). Feature `tls`.
    ///
    /// ```no_run
    /// use cache_redis::RedisConfig;
    ///
    /// let (certificate, key) = (std::fs::read("client.pem")?, std::fs::read("client.key")?);
    /// let config = RedisConfig::new("rediss://localhost").client_certificate(certificate, key);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn client_certificate(mut self, pem: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.client_certificate = Some((pem.into(), key.into()));
        self
    }

    /// Checks the settings without connecting.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when the URL or the prefix is malformed or asks for a feature that is not compiled in.
    ///
    /// ```
    /// # use cache_redis::RedisConfig;
    /// assert!(RedisConfig::new("redis://localhost").validate().is_ok());
    /// assert!(RedisConfig::new("http://localhost").validate().is_err());
    /// ```
    pub fn validate(&self) -> Result<()> {
        Names::new(&self.prefix)?;
        Target::parse(self).map(|_| ())
    }

    /// The runtime that was set, or the current one.
    pub(crate) fn handle(&self) -> Result<Handle> {
        self.runtime.clone().map_or_else(
            || {
                Handle::try_current().map_err(|_| {
                    let message = "no tokio runtime here: pass one to RedisConfig::runtime";
                    Error::new(ErrorKind::Config, message)
                })
            },
            Ok,
        )
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Target::parse(self).map(|target| target.to_string());
        f.debug_struct("RedisConfig")
            .field("address", &address.as_deref().unwrap_or("malformed"))
            .field("prefix", &self.prefix)
            .field("deadline", &self.deadline)
            .field("connect_timeout", &self.connect_timeout)
            .field("log_records", &self.log_records)
            .field("sweep", &self.sweep)
            .field("tag_index", &self.tag_index)
            .field("max_requests", &self.max_requests)
            .field("max_request_bytes", &self.max_request_bytes)
            .finish_non_exhaustive()
    }
}
