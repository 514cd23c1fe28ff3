//! The environment. The one file that reads it.
//!
//! | variable | setting |
//! |---|---|
//! | `CACHE_REDIS_URL`, else `REDIS_PRIVATE_URL`, else `REDIS_URL` | where Redis is |
//! | `CACHE_BACKEND` | `auto`, `memory` or `redis` |
//! | `CACHE_ENABLED`, `REDIS_ENABLED` | `true` or `false` |
//! | `CACHE_DEFAULT_TTL` or `CACHE_TTL_SECONDS` | seconds, `5m`, or `forever` |
//! | `CACHE_MAX_MEMORY_ENTRIES` or `CACHE_MAXSIZE` | a number |
//! | `CACHE_KEY_PREFIX` | a text |

use std::{ffi::OsString, str::FromStr, time::Duration};

use cache_store::{Error, Result};

use crate::config::{CacheConfig, FOREVER, Field, Problems, boolean, duration, number, read};

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
    /// | `CACHE_DEFAULT_TTL` or `CACHE_TTL_SECONDS` (seconds, `5m`, or `forever`) | `default_ttl` |
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
        Self::default().with_env()
    }

    /// These settings with the environment on top: what a variable says wins, what none says stays as it is. The variables are
    /// those of [`from_env`](Self::from_env).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) with everything that is wrong at once, in the variables and in what is
    /// left of the settings: each by the name of its variable, or of its field where no variable gave it.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use larder::{Cache, CacheConfig};
    ///
    /// let file: CacheConfig = toml::from_str(&std::fs::read_to_string("cache.toml")?)?;
    /// larder::init(Cache::from_config(file.with_env()?).await?)?;
    /// # Ok(()) }
    /// ```
    pub fn with_env(self) -> Result<Self> {
        self.with_lookup(|name| std::env::var_os(name))
    }

    /// The same from any place that knows variables, so that tests need not change the process's own.
    pub(crate) fn with_lookup(self, lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let mut variables = Variables { lookup, problems: Problems::default(), used: Vec::new() };
        let config = variables.read(self);
        let Variables { mut problems, used, .. } = variables;
        // For what could not be read, what was there before stands in.
        problems.append(config.problems());
        problems.into_result_with(|field| variable_of(field, &used))?;
        Ok(config)
    }
}

/// What a problem with the field is reported under: the variable that gave it, or else the field itself.
fn variable_of(field: Field, used: &[(Field, &'static str)]) -> &'static str {
    let given = used.iter().find(|(of, _)| *of == field).map(|(_, name)| *name);
    given.unwrap_or_else(|| field.name())
}

struct Variables<F> {
    lookup: F,
    problems: Problems,
    /// Which variable gave a field.
    used: Vec<(Field, &'static str)>,
}

impl<F: Fn(&str) -> Option<OsString>> Variables<F> {
    fn read(&mut self, below: CacheConfig) -> CacheConfig {
        CacheConfig {
            enabled: self.one(Field::Enabled, ENABLED, boolean).unwrap_or(below.enabled),
            backend: self.one(Field::Backend, BACKEND, parsed).unwrap_or(below.backend),
            redis_enabled: self
                .one(Field::RedisEnabled, REDIS_ENABLED, boolean)
                .unwrap_or(below.redis_enabled),
            redis_url: self.first(Field::RedisUrl, URL).or(below.redis_url),
            default_ttl: self.one(Field::DefaultTtl, TTL, life).unwrap_or(below.default_ttl),
            max_memory_entries: self
                .one(Field::MaxMemoryEntries, MAX_ENTRIES, number)
                .unwrap_or(below.max_memory_entries),
            key_prefix: self.one(Field::KeyPrefix, PREFIX, text).unwrap_or(below.key_prefix),
            ..below
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
            let Some(value) = self.value(name) else { continue };
            match (read(&value, &parse), &agreed) {
                (Err(why), _) => self.problems.add_named(name, format!("is malformed: {why}")),
                (Ok(value), Some((other, same))) if value != *same => {
                    let why =
                        format!("and `{other}` name one setting and differ: unset one of them");
                    self.problems.add_named(name, why);
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
        let (name, value) = names.iter().find_map(|name| Some((*name, self.value(name)?)))?;
        self.used.push((field, name));
        Some(value)
    }

    /// A variable's text without the white space around it, if there is any.
    fn value(&mut self, name: &'static str) -> Option<String> {
        match (self.lookup)(name)?.into_string() {
            Ok(value) => Some(value.trim().to_owned()).filter(|value| !value.is_empty()),
            Err(_) => {
                self.problems.add_named(name, "is not UTF-8");
                None
            }
        }
    }
}

/// How long a value lives that says nothing else.
fn life(text: &str) -> Result<Duration, String> {
    if text == FOREVER.1 { Ok(FOREVER.0) } else { duration(text) }
}

fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn parsed<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: Error| error.to_string())
}
