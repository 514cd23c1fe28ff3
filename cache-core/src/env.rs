//! The environment. The one file that reads it.
//!
//! | variable | setting |
//! |---|---|
//! | `CACHE_REDIS_URL`, else `REDIS_PRIVATE_URL`, else `REDIS_URL` | where Redis is |
//! | `CACHE_BACKEND` | `auto`, `memory` or `redis` |
//! | `CACHE_ENABLED`, `REDIS_ENABLED` | `true` or `false` |
//! | `CACHE_DEFAULT_TTL` or `CACHE_TTL_SECONDS` | seconds, or `5m` |
//! | `CACHE_MAX_MEMORY_ENTRIES` or `CACHE_MAXSIZE` | a number |
//! | `CACHE_KEY_PREFIX` | a text |

use std::{ffi::OsString, str::FromStr};

use cache_store::{Error, Result};

use crate::config::{CacheConfig, Field, Problems, parse_duration};

/// The names of one setting. For the URL the first that is set wins; all others must agree.
type Names = &'static [&'static str];

const URL: Names = &["CACHE_REDIS_URL", "REDIS_PRIVATE_URL", "REDIS_URL"];
const BACKEND: Names = &["CACHE_BACKEND"];
const ENABLED: Names = &["CACHE_ENABLED"];
const REDIS_ENABLED: Names = &["REDIS_ENABLED"];
const TTL: Names = &["CACHE_DEFAULT_TTL", "CACHE_TTL_SECONDS"];
const MAX_ENTRIES: Names = &["CACHE_MAX_MEMORY_ENTRIES", "CACHE_MAXSIZE"];
const PREFIX: Names = &["CACHE_KEY_PREFIX"];

impl CacheConfig {
    /// The settings that the environment gives; the defaults for everything it does not. A variable that is empty
    /// counts as unset.
    ///
    /// | variable | field |
    /// |---|---|
    /// | `CACHE_REDIS_URL`, else `REDIS_PRIVATE_URL`, else `REDIS_URL` | `redis_url` |
    /// | `CACHE_BACKEND` (`auto`, `memory`, `redis`) | `backend` |
    /// | `CACHE_ENABLED`, `REDIS_ENABLED` (`true`/`false`, `1`/`0`, `yes`/`no`, `on`/`off`) | `enabled`, `redis_enabled` |
    /// | `CACHE_DEFAULT_TTL` or `CACHE_TTL_SECONDS` (seconds, or `5m`) | `default_ttl` |
    /// | `CACHE_MAX_MEMORY_ENTRIES` or `CACHE_MAXSIZE` | `max_memory_entries` |
    /// | `CACHE_KEY_PREFIX` | `key_prefix` |
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) with everything that is wrong at once, each by the name of
    /// its variable: a malformed value, two names of one setting that differ, `redis` as the backend without a URL, a
    /// URL without the feature `redis`.
    ///
    /// ```
    /// let config = larder::CacheConfig::from_env()?;
    /// assert!(config.max_memory_entries > 0);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// The same from any place that knows variables, so that tests need not change the process's own.
    pub(crate) fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let mut variables = Variables { lookup, problems: Problems::default(), used: Vec::new() };
        let config = variables.read();
        let Variables { mut problems, used, .. } = variables;
        // For what could not be read its default stands in, which is valid.
        problems.append(config.problems());
        problems.into_result_with(|field| variable_of(field, &used))?;
        Ok(config)
    }
}

/// What a problem with the field is reported under: the variable that gave it, or else the first that could.
fn variable_of(field: Field, used: &[(Field, &'static str)]) -> &'static str {
    let given = used.iter().find(|(of, _)| *of == field).map(|(_, name)| *name);
    given.unwrap_or_else(|| match field {
        Field::RedisUrl => "CACHE_REDIS_URL",
        Field::RedisEnabled => REDIS_ENABLED[0],
        _ => field.name(),
    })
}

struct Variables<F> {
    lookup: F,
    problems: Problems,
    /// Which variable gave a field.
    used: Vec<(Field, &'static str)>,
}

impl<F: Fn(&str) -> Option<OsString>> Variables<F> {
    fn read(&mut self) -> CacheConfig {
        let default = CacheConfig::default();
        CacheConfig {
            enabled: self.one(Field::Enabled, ENABLED, boolean).unwrap_or(default.enabled),
            backend: self.one(Field::Backend, BACKEND, parsed).unwrap_or(default.backend),
            redis_enabled: self
                .one(Field::RedisEnabled, REDIS_ENABLED, boolean)
                .unwrap_or(default.redis_enabled),
            redis_url: self.first(Field::RedisUrl, URL),
            default_ttl: self
                .one(Field::DefaultTtl, TTL, parse_duration)
                .unwrap_or(default.default_ttl),
            max_memory_entries: self
                .one(Field::MaxMemoryEntries, MAX_ENTRIES, number)
                .unwrap_or(default.max_memory_entries),
            key_prefix: self.one(Field::KeyPrefix, PREFIX, text).unwrap_or(default.key_prefix),
            ..default
        }
    }

    /// The setting that all set names of it agree on.
    fn one<T: PartialEq>(
        &mut self,
        field: Field,
        names: Names,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let mut agreed: Option<(&'static str, T)> = None;
        for name in names {
            let Some(value) = self.value(field, name) else { continue };
            match (parse(&value), &agreed) {
                (Err(why), _) => {
                    self.problems.add_named(field, name, format!("is malformed: {why}"))
                }
                (Ok(value), Some((other, same))) if value != *same => {
                    let why =
                        format!("and `{other}` name one setting and differ: unset one of them");
                    self.problems.add_named(field, name, why);
                }
                (Ok(_), Some(_)) => {}
                (Ok(value), None) => agreed = Some((name, value)),
            }
        }
        let (name, value) = agreed?;
        self.used.push((field, name));
        Some(value)
    }

    /// The setting by the first name that is set.
    fn first(&mut self, field: Field, names: Names) -> Option<String> {
        let (name, value) =
            names.iter().find_map(|name| Some((*name, self.value(field, name)?)))?;
        self.used.push((field, name));
        Some(value)
    }

    /// A variable's text without the white space around it, if there is any.
    fn value(&mut self, field: Field, name: &'static str) -> Option<String> {
        match (self.lookup)(name)?.into_string() {
            Ok(value) => Some(value.trim().to_owned()).filter(|value| !value.is_empty()),
            Err(_) => {
                self.problems.add_named(field, name, "is not UTF-8");
                None
            }
        }
    }
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no whole number"))
}

fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn parsed<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: Error| error.to_string())
}
