//! Durations in configuration files and variables: whole seconds, or a text with units.

use std::{fmt, time::Duration};

use serde::{Deserializer, Serializer, de};

/// Reads `300` as seconds and `5m` as what it says.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        let seconds = text.parse().map_err(|_| format!("`{text}` is too many seconds"))?;
        return Ok(Duration::from_secs(seconds));
    }
    cache_template::parse_duration(text).map_err(|error| error.to_string())
}

/// Whole seconds, or a text in milliseconds when that is not exact.
pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    if duration.subsec_nanos() == 0 {
        return to.serialize_u64(duration.as_secs());
    }
    to.collect_str(&format_args!("{}ms", duration.as_nanos().div_ceil(1_000_000)))
}

/// See [`parse`].
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_any(Visitor)
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whole seconds, or a text such as \"5m\"")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Duration, E> {
        Ok(Duration::from_secs(seconds))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Duration, E> {
        let unexpected = || E::invalid_value(de::Unexpected::Signed(seconds), &self);
        u64::try_from(seconds).map(Duration::from_secs).map_err(|_| unexpected())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).map_err(E::custom)
    }
}
