//! Settings: from the environment, from a file, and the URL of Redis.

use cache_core::{__fuzz::config_from, CacheConfig};
use cache_redis::RedisConfig;

use crate::two_lines;

/// Stands for a password wherever the input says `PW`; no message may show it.
const SECRET: &str = "s3cr3t-of-the-fuzzer";

/// Lines of `NAME=value`; and the same text as a file.
pub(crate) fn settings(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let text = text.replace("PW", SECRET);
    let lookup = |name: &str| {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        lines.filter(|(key, _)| *key == name).map(|(_, value)| value.into()).next()
    };
    for read in [config_from(lookup), file(&text)] {
        let Ok(config) = read else { continue };
        assert!(config.validate().is_ok());
        assert!(!config.default_ttl.is_zero() && config.max_memory_entries > 0);
        let written = serde_json::to_string(&config).unwrap_or_default();
        // What was left out is missed; all else comes back.
        if !written.contains('…') {
            assert_eq!(serde_json::from_str::<CacheConfig>(&written).ok().as_ref(), Some(&config));
        }
        let _ = format!("{config:?} {config}");
    }
}

fn file(text: &str) -> cache_core::Result<CacheConfig> {
    let config: CacheConfig = serde_json::from_str(text).unwrap_or_default();
    config.validate().map(|()| config)
}

/// A URL and, on the second line, a prefix.
pub(crate) fn redis_url(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (url, prefix) = two_lines(text);
    check(RedisConfig::new(url).prefix(prefix), None);
    // A password in its place is shown nowhere.
    for scheme in ["redis", "redis-cluster", "redis-sentinel", "unix"] {
        let url = format!("{scheme}://user:{SECRET}@{url}");
        check(RedisConfig::new(url), Some(SECRET));
    }
}

fn check(config: RedisConfig, secret: Option<&str>) {
    let shown = match config.validate() {
        Ok(()) => format!("{config:?}"),
        Err(error) => format!("{error} {error:?} {config:?}"),
    };
    if let Some(secret) = secret {
        assert!(!shown.contains(secret), "{shown}");
    }
}
