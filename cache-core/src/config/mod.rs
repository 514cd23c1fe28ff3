//! The settings of a cache, and what is wrong with them.

mod duration;
mod problems;
mod redact;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr, time::Duration};

use cache_store::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use self::redact::Redacted;
pub(crate) use self::{
    duration::parse as parse_duration,
    problems::{Field, Problems},
};
use crate::{Codec, Compression, envelope::Limits};

/// The longest duration a setting may have: a hundred years. Beyond it clocks overflow.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The largest value that a shared tier takes: what Redis allows a string.
const LARGEST_VALUE: usize = 512 << 20;

/// The longest prefix, which every name in the shared tier carries, in bytes.
const LONGEST_PREFIX: usize = 256;

/// The settings of a cache: from the environment ([`from_env`](Self::from_env)), from a file through serde, or by hand.
///
/// Durations in a file are whole seconds or texts such as `"5m"` and `"250ms"`; what a file does not say has its default,
/// and an unknown field is an error. `Debug` shows no password; `Serialize` writes the URL whole, so that what it wrote can
/// be read back.
///
/// [`Cache::from_config`](crate::Cache::from_config) builds a cache from it.
///
/// ```
/// use std::time::Duration;
/// use larder::{Backend, CacheConfig};
///
/// let mut config = CacheConfig::default();
/// config.backend = Backend::Memory;
/// config.default_ttl = Duration::from_secs(60);
/// config.validate()?;
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CacheConfig {
    /// Whether anything is cached at all; `false`: every call runs its body. Default `true`.
    pub enabled: bool,
    /// Which tiers there are. Default [`Backend::Auto`].
    pub backend: Backend,
    /// Whether Redis may be used; `false`: as if there were no URL. Default `true`.
    pub redis_enabled: bool,
    /// Where the shared tier is. Default none.
    pub redis_url: Option<String>,
    /// How long a value lives that says nothing else. Default 5 minutes.
    #[serde(with = "duration")]
    pub default_ttl: Duration,
    /// The most entries in the memory tier. Default 10,000.
    pub max_memory_entries: u64,
    /// What the names of all keys in the shared tier begin with: the namespace. Default `cache:`.
    pub key_prefix: String,
    /// The longest time by which a memory hit may be behind an invalidation by another process. Default 2 seconds.
    #[serde(with = "duration")]
    pub coherence_bound: Duration,
    /// How long a caller waits for a load by another caller before it runs the body itself. Default 5 seconds.
    #[serde(with = "duration")]
    pub flight_wait: Duration,
    /// How long a call waits for one answer of the shared tier before it goes on without. Default 250 milliseconds.
    #[serde(with = "duration")]
    pub shared_deadline: Duration,
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
            key_prefix: "cache:".to_owned(),
            coherence_bound: Duration::from_secs(2),
            flight_wait: Duration::from_secs(5),
            shared_deadline: Duration::from_millis(250),
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

impl FromStr for Backend {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = [("auto", Self::Auto), ("memory", Self::Memory), ("redis", Self::Redis)];
        let found = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, backend)| backend).ok_or_else(|| {
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

    /// Where the shared tier is, or `None` when there is none; of a valid configuration.
    pub(crate) fn shared_url(&self) -> Option<&str> {
        let url = self.redis_url.as_deref().filter(|_| self.redis_enabled);
        url.filter(|_| self.backend != Backend::Memory)
    }

    /// The largest envelope that is written or read.
    pub(crate) fn limits(&self) -> Limits {
        Limits { max_value_bytes: self.max_value_bytes, ..Limits::default() }
    }

    pub(crate) fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        self.check_durations(&mut problems);
        self.check_sizes(&mut problems);
        self.check_prefix(&mut problems);
        self.check_shared(&mut problems);
        problems
    }

    fn check_durations(&self, problems: &mut Problems) {
        for (field, duration) in [
            (Field::DefaultTtl, self.default_ttl),
            (Field::CoherenceBound, self.coherence_bound),
            (Field::FlightWait, self.flight_wait),
            (Field::SharedDeadline, self.shared_deadline),
        ] {
            if duration.is_zero() {
                problems.add(field, "must be longer than zero");
            } else if duration > LONGEST {
                problems.add(field, "must be at most 100 years");
            }
        }
    }

    fn check_sizes(&self, problems: &mut Problems) {
        if self.max_memory_entries == 0 {
            problems.add(
                Field::MaxMemoryEntries,
                "must be at least 1; to cache nothing, disable the cache",
            );
        }
        if !(1..=LARGEST_VALUE).contains(&self.max_value_bytes) {
            problems.add(Field::MaxValueBytes, "must be between 1 byte and 512 MiB");
        }
    }

    /// Braces would move the keys of one entry to different slots of a cluster; the rest cannot be typed in `redis-cli`.
    fn check_prefix(&self, problems: &mut Problems) {
        let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '{' | '}');
        if self.key_prefix.contains(bad) {
            problems
                .add(Field::KeyPrefix, "must have no white space, control characters or braces");
        }
        if self.key_prefix.len() > LONGEST_PREFIX {
            problems.add(Field::KeyPrefix, "must have at most 256 bytes");
        }
    }

    fn check_shared(&self, problems: &mut Problems) {
        if self.backend == Backend::Redis && !self.redis_enabled {
            problems.add(Field::RedisEnabled, "is false, but the backend is redis");
        } else if self.backend == Backend::Redis && self.redis_url.is_none() {
            problems.add(
                Field::Backend,
                "is redis, but there is no URL: set `redis_url` (`REDIS_URL` in the environment)",
            );
        }
        let Some(url) = self.shared_url() else { return };
        if !has_known_scheme(url) {
            problems.add(
                Field::RedisUrl,
                "must begin with redis://, rediss:// or another scheme of Redis",
            );
        }
        if !cfg!(feature = "redis") {
            problems.add(
                Field::RedisUrl,
                "is set, but the feature `redis` of `larder` is not compiled in",
            );
        }
        if !self.codec.is_compiled_in() {
            problems.add(Field::Codec, self.codec.not_compiled_in().to_string());
        }
        if !self.compression.is_compiled_in() {
            problems.add(Field::Compression, self.compression.not_compiled_in().to_string());
        }
    }
}

/// Whether the shared tier may know the URL; the rest of it is for the shared tier to judge.
fn has_known_scheme(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, rest)| {
        ["redis", "valkey", "unix"].iter().any(|known| scheme.starts_with(known))
            && !rest.is_empty()
    })
}

impl fmt::Debug for CacheConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheConfig")
            .field("enabled", &self.enabled)
            .field("backend", &self.backend)
            .field("redis_enabled", &self.redis_enabled)
            .field("redis_url", &self.redis_url.as_deref().map(Redacted))
            .field("default_ttl", &self.default_ttl)
            .field("max_memory_entries", &self.max_memory_entries)
            .field("key_prefix", &self.key_prefix)
            .field("coherence_bound", &self.coherence_bound)
            .field("flight_wait", &self.flight_wait)
            .field("shared_deadline", &self.shared_deadline)
            .field("max_value_bytes", &self.max_value_bytes)
            .field("codec", &self.codec)
            .field("compression", &self.compression)
            .field("compress_from_bytes", &self.compress_from_bytes)
            .finish()
    }
}
