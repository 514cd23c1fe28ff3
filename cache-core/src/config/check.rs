//! What can be wrong with settings that could be read.

use std::time::Duration;

use super::{Backend, CacheConfig, FOREVER, Field, Problems};

/// The longest duration a setting may have: a hundred years. Beyond it clocks overflow.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The largest value that a shared tier takes: what Redis allows a string.
const LARGEST_VALUE: usize = 512 << 20;

/// The longest prefix, which every name in the shared tier carries, in bytes.
const LONGEST_PREFIX: usize = 256;

impl CacheConfig {
    /// Everything that is wrong.
    pub(crate) fn problems(&self) -> Problems {
        let mut problems = self.problems_of_each();
        self.check_shared(&mut problems);
        problems
    }

    /// What is wrong with settings by themselves, whatever is laid on top of the others.
    pub(super) fn problems_of_each(&self) -> Problems {
        let mut problems = Problems::default();
        self.check_durations(&mut problems);
        self.check_sizes(&mut problems);
        self.check_prefix(&mut problems);
        problems
    }

    fn check_durations(&self, problems: &mut Problems) {
        for (field, duration) in [
            (Field::DefaultTtl, self.default_ttl),
            (Field::CoherenceBound, self.coherence_bound),
            (Field::FlightWait, self.flight_wait),
            (Field::SharedDeadline, self.shared_deadline),
        ] {
            let endless = field == Field::DefaultTtl && duration == FOREVER.0;
            if duration.is_zero() {
                problems.add(field, "must be longer than zero");
            } else if duration > LONGEST && !endless {
                problems.add(field, "must be at most 100 years");
            }
        }
    }

    fn check_sizes(&self, problems: &mut Problems) {
        const NONE: &str = "must be at least 1 (to cache nothing, disable the cache)";
        if self.max_memory_entries == 0 {
            problems.add(Field::MaxMemoryEntries, NONE);
        }
        if self.max_memory_bytes == Some(0) {
            problems.add(Field::MaxMemoryBytes, NONE);
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
        } else if let Err(error) = check_url(url) {
            problems.add(Field::RedisUrl, format!("cannot be used: {error}"));
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

#[cfg(feature = "redis")]
fn check_url(url: &str) -> cache_store::Result<()> {
    cache_redis::RedisConfig::new(url).validate()
}

#[cfg(not(feature = "redis"))]
fn check_url(_: &str) -> cache_store::Result<()> {
    Ok(())
}

/// Whether the shared tier may know the URL; the rest of it is for the shared tier to judge.
fn has_known_scheme(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, rest)| {
        ["redis", "valkey", "unix"].iter().any(|known| scheme.starts_with(known))
            && !rest.is_empty()
    })
}
