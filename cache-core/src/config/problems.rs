use cache_store::{Error, ErrorKind, Result};

/// The fields of [`CacheConfig`](super::CacheConfig) that can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Enabled,
    Backend,
    RedisEnabled,
    RedisUrl,
    DefaultTtl,
    MaxMemoryEntries,
    KeyPrefix,
    CoherenceBound,
    FlightWait,
    SharedDeadline,
    MaxValueBytes,
    Codec,
    Compression,
}

impl Field {
    /// The name of the field of [`CacheConfig`].
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Backend => "backend",
            Self::RedisEnabled => "redis_enabled",
            Self::RedisUrl => "redis_url",
            Self::DefaultTtl => "default_ttl",
            Self::MaxMemoryEntries => "max_memory_entries",
            Self::KeyPrefix => "key_prefix",
            Self::CoherenceBound => "coherence_bound",
            Self::FlightWait => "flight_wait",
            Self::SharedDeadline => "shared_deadline",
            Self::MaxValueBytes => "max_value_bytes",
            Self::Codec => "codec",
            Self::Compression => "compression",
        }
    }
}

/// Everything that is wrong, reported at once.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

#[derive(Debug)]
struct Problem {
    field: Field,
    /// What the user calls the setting, when it is not the field's name.
    name: Option<&'static str>,
    text: String,
}

impl Problems {
    /// `text` goes on where the name of the field ends, and holds no password.
    pub(crate) fn add(&mut self, field: Field, text: impl Into<String>) {
        self.0.push(Problem { field, name: None, text: text.into() });
    }

    /// The same with another name for the field.
    pub(crate) fn add_named(&mut self, field: Field, name: &'static str, text: impl Into<String>) {
        self.0.push(Problem { field, name: Some(name), text: text.into() });
    }

    /// Takes over further problems.
    pub(crate) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    /// The problems as one error, if there are any, with fields called by their names.
    pub(crate) fn into_result(self) -> Result<()> {
        self.into_result_with(Field::name)
    }

    /// The same with other names.
    pub(crate) fn into_result_with(self, name: impl Fn(Field) -> &'static str) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let say = |problem: &Problem| {
            format!("`{}` {}", problem.name.unwrap_or_else(|| name(problem.field)), problem.text)
        };
        let said: Vec<_> = self.0.iter().map(say).collect();
        Err(Error::new(ErrorKind::Config, said.join("; ")))
    }
}
