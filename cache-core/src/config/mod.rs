//! The settings of a cache, and what is wrong with them.

mod check;
mod field;
mod given;
mod problems;
mod reading;
mod redact;
mod show;
#[cfg(test)]
mod tests;

use std::{str::FromStr, time::Duration};

use cache_store::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    field::Field,
    given::{Given, boolean, duration, number, read},
    problems::Problems,
};
use crate::{Codec, Compression, envelope::Limits};

/// A time to live that nothing ends, and what a file calls it.
pub(crate) const FOREVER: (Duration, &str) = (Duration::MAX, "forever");

/// The settings of a cache: from a file through serde, from the environment, or by hand. The guide `larder::docs::configuration`
/// has them all in one example.
///
/// Durations in a file are texts such as `"5m"` and `"250ms"`, or whole seconds. What a file does not say has its default. A
/// name that is no setting is an error that says which one was meant, and all that is wrong in a file is said at once, each by
/// its name. Numbers and truth values may be texts, as loaders of variables give them. [`with_env`](Self::with_env) lays the
/// environment on top.
///
/// Nothing shows what may be secret in `redis_url`: neither `Debug` nor `Display` nor an error, and `Serialize` does not either,
/// so that a URL with a password does not survive being written (reading it again is an error that says so).
///
/// [`Cache::from_config`](crate::Cache::from_config) builds a cache from it, [`CacheBuilder::from_config`] a builder.
///
/// [`CacheBuilder::from_config`]: crate::CacheBuilder::from_config
///
/// ```
/// use std::time::Duration;
/// use larder::CacheConfig;
///
/// let config: CacheConfig = toml::from_str("default_ttl = '10m'")?;
/// assert_eq!(config.default_ttl, Duration::from_secs(600));
///
/// let wrong = toml::from_str::<CacheConfig>("default_tll = '10m'\nmax_memory_entries = 0").unwrap_err();
/// assert!(wrong.message().contains("did you mean `default_ttl`?"));
/// assert!(wrong.message().contains("`max_memory_entries` must be at least 1"));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheConfig {
    /// Whether anything is cached at all; `false`: every call runs its body, until [`Cache::set_enabled`] says otherwise.
    /// Default `true`.
    ///
    /// [`Cache::set_enabled`]: crate::Cache::set_enabled
    pub enabled: bool,
    /// Which tiers there are. Default [`Backend::Auto`].
    pub backend: Backend,
    /// Whether Redis may be used; `false`: as if there were no URL. Default `true`.
    pub redis_enabled: bool,
    /// Where the shared tier is. Default none.
    pub redis_url: Option<String>,
    /// How long a value lives that says nothing else; [`Duration::MAX`], `"forever"` in a file, for as long as nothing
    /// invalidates or evicts it. Default 5 minutes.
    pub default_ttl: Duration,
    /// The most entries in the memory tier. Default 10,000.
    pub max_memory_entries: u64,
    /// The most bytes in the memory tier, instead of a number of entries; see
    /// [`max_bytes`](crate::CacheBuilder::max_bytes). Default none.
    pub max_memory_bytes: Option<u64>,
    /// Whether each thread keeps copies of the entries that it was given last; see [`front`](crate::CacheBuilder::front).
    /// Default `true`.
    pub front: bool,
    /// What the names of all keys in the shared tier begin with: the namespace. Default `cache:`.
    pub key_prefix: String,
    /// The longest time by which a memory hit may be behind an invalidation by another process. Default 2 seconds.
    pub coherence_bound: Duration,
    /// How long a caller waits for a load by another caller before it runs the body itself. Default 5 seconds.
    pub flight_wait: Duration,
    /// How long a call waits for one answer of the shared tier before it goes on without. Default 250 milliseconds.
    pub shared_deadline: Duration,
    /// The most bodies that run in the background at a time; see [`background_limit`](crate::CacheBuilder::background_limit).
    /// Default 256.
    pub background_limit: usize,
    /// The largest encoded value that is stored in or read from the shared tier, in bytes. Default 64 MiB.
    pub max_value_bytes: usize,
    /// How values are encoded for the shared tier. Default [`Codec::Bincode`].
    pub codec: Codec,
    /// How large values are compressed in the shared tier. Default [`Compression::None`].
    pub compression: Compression,
    /// Encoded values below this many bytes are not compressed. Default 1,024.
    pub compress_from_bytes: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            backend: Backend::Auto,
            redis_enabled: true,
            redis_url: None,
            default_ttl: Duration::from_secs(300),
            max_memory_entries: 10_000,
            max_memory_bytes: None,
            front: true,
            key_prefix: "cache:".to_owned(),
            coherence_bound: Duration::from_secs(2),
            flight_wait: Duration::from_secs(5),
            shared_deadline: Duration::from_millis(250),
            background_limit: 256,
            max_value_bytes: Limits::default().max_value_bytes,
            codec: Codec::default(),
            compression: Compression::default(),
            compress_from_bytes: 1024,
        }
    }
}

/// Which tiers a cache has.
///
/// ```
/// use larder::Backend;
///
/// assert_eq!("Redis".parse::<Backend>()?, Backend::Redis);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Backend {
    /// Redis behind the memory tier when there is a URL, otherwise memory alone.
    #[default]
    Auto,
    /// Memory alone.
    Memory,
    /// Redis behind the memory tier; no URL is an error.
    Redis,
}

impl Backend {
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Memory => "memory",
            Self::Redis => "redis",
        }
    }
}

impl FromStr for Backend {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = [Self::Auto, Self::Memory, Self::Redis];
        known.into_iter().find(|known| known.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let message = format!("`{text}` is no backend: use auto, memory or redis");
            Error::new(ErrorKind::Config, message)
        })
    }
}

impl CacheConfig {
    /// Checks every setting, each by itself and all together.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] with everything that is wrong, each by the name of its field.
    ///
    /// ```
    /// use std::time::Duration;
    /// use larder::CacheConfig;
    ///
    /// let mut config = CacheConfig::default();
    /// config.max_memory_entries = 0;
    /// config.default_ttl = Duration::ZERO;
    /// let all = config.validate().unwrap_err().to_string();
    /// assert!(all.contains("max_memory_entries") && all.contains("default_ttl"));
    /// ```
    pub fn validate(&self) -> Result<()> {
        self.problems().into_result()
    }

    /// How long a value lives that says nothing else; `None` for ever.
    pub(crate) fn default_life(&self) -> Option<Duration> {
        Some(self.default_ttl).filter(|ttl| *ttl != FOREVER.0)
    }

    /// Where the shared tier is, or `None` when there is none; of a valid configuration.
    pub(crate) fn shared_url(&self) -> Option<&str> {
        let url = self.redis_url.as_deref().filter(|_| self.redis_enabled);
        url.filter(|_| self.backend != Backend::Memory)
    }

    /// The largest envelope that is written or read.
    pub(crate) fn limits(&self) -> Limits {
        Limits { max_value_bytes: self.max_value_bytes, ..Limits::default() }
    }
}
