//! The settings one by one: what each is called, how it is read, and what is shown of it.

use cache_template::closest;

use super::{CacheConfig, FOREVER, Given, given, redact::Redacted, show::Shown};

/// The fields of [`CacheConfig`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Enabled,
    Backend,
    RedisEnabled,
    RedisUrl,
    DefaultTtl,
    MaxMemoryEntries,
    MaxMemoryBytes,
    Front,
    KeyPrefix,
    CoherenceBound,
    FlightWait,
    SharedDeadline,
    BackgroundLimit,
    MaxValueBytes,
    Codec,
    Compression,
    CompressFromBytes,
    /// No field: keys are given to the builder.
    Encryption,
}

/// In the order of the struct.
pub(super) const FIELDS: [(Field, &str); 17] = [
    (Field::Enabled, "enabled"),
    (Field::Backend, "backend"),
    (Field::RedisEnabled, "redis_enabled"),
    (Field::RedisUrl, "redis_url"),
    (Field::DefaultTtl, "default_ttl"),
    (Field::MaxMemoryEntries, "max_memory_entries"),
    (Field::MaxMemoryBytes, "max_memory_bytes"),
    (Field::Front, "front"),
    (Field::KeyPrefix, "key_prefix"),
    (Field::CoherenceBound, "coherence_bound"),
    (Field::FlightWait, "flight_wait"),
    (Field::SharedDeadline, "shared_deadline"),
    (Field::BackgroundLimit, "background_limit"),
    (Field::MaxValueBytes, "max_value_bytes"),
    (Field::Codec, "codec"),
    (Field::Compression, "compression"),
    (Field::CompressFromBytes, "compress_from_bytes"),
];

/// What the builder and the environment call some of them; nobody who writes that means anything else.
const ELSEWHERE: [(Field, &str); 9] = [
    (Field::MaxMemoryEntries, "max_entries"),
    (Field::MaxMemoryEntries, "maxsize"),
    (Field::MaxMemoryBytes, "max_bytes"),
    (Field::KeyPrefix, "prefix"),
    (Field::RedisUrl, "redis"),
    (Field::RedisUrl, "url"),
    (Field::DefaultTtl, "ttl"),
    (Field::DefaultTtl, "ttl_seconds"),
    (Field::CompressFromBytes, "compression_threshold"),
];

impl Field {
    /// The name of the field of [`CacheConfig`].
    pub(crate) fn name(self) -> &'static str {
        let known = FIELDS.into_iter().find(|(field, _)| *field == self);
        known.map_or("encryption", |(_, name)| name)
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        FIELDS.into_iter().find(|(_, known)| *known == name).map(|(field, _)| field)
    }

    /// The one that was meant by a name that is none.
    pub(super) fn meant_by(name: &str) -> Option<Self> {
        let known = || FIELDS.into_iter().chain(ELSEWHERE);
        let name = closest(name, known().map(|(_, name)| name))?;
        known().find(|(_, known)| *known == name).map(|(field, _)| field)
    }
}

impl CacheConfig {
    /// Takes over what a file says of a setting; as it was when that cannot be read, which the error explains.
    pub(super) fn take(&mut self, field: Field, given: Given) -> Result<(), String> {
        // As good as not said.
        if given == Given::Nothing {
            return Ok(());
        }
        match field {
            Field::Enabled => self.enabled = given.boolean()?,
            Field::Backend => self.backend = given.name()?,
            Field::RedisEnabled => self.redis_enabled = given.boolean()?,
            Field::RedisUrl => self.redis_url = Some(given.url()?),
            Field::DefaultTtl if given.is(FOREVER.1) => self.default_ttl = FOREVER.0,
            Field::DefaultTtl => self.default_ttl = given.duration()?,
            Field::MaxMemoryEntries => self.max_memory_entries = given.number()?,
            Field::MaxMemoryBytes => self.max_memory_bytes = Some(given.number()?),
            Field::Front => self.front = given.boolean()?,
            Field::KeyPrefix => self.key_prefix = given.text()?,
            Field::CoherenceBound => self.coherence_bound = given.duration()?,
            Field::FlightWait => self.flight_wait = given.duration()?,
            Field::SharedDeadline => self.shared_deadline = given.duration()?,
            Field::BackgroundLimit => {
                self.background_limit = given.number().and_then(given::size)?
            }
            Field::MaxValueBytes => self.max_value_bytes = given.number().and_then(given::size)?,
            Field::Codec => self.codec = given.name()?,
            Field::Compression => self.compression = given.name()?,
            Field::CompressFromBytes => {
                self.compress_from_bytes = given.number().and_then(given::size)?;
            }
            Field::Encryption => {}
        }
        Ok(())
    }

    /// What may be shown of a setting.
    pub(super) fn shown(&self, field: Field) -> Shown {
        match field {
            Field::Enabled => Shown::Boolean(self.enabled),
            Field::Backend => Shown::text(self.backend.name()),
            Field::RedisEnabled => Shown::Boolean(self.redis_enabled),
            Field::RedisUrl => match &self.redis_url {
                Some(url) => Shown::text(Redacted(url)),
                None => Shown::Nothing,
            },
            Field::DefaultTtl if self.default_ttl == FOREVER.0 => Shown::text(FOREVER.1),
            Field::DefaultTtl => Shown::duration(self.default_ttl),
            Field::MaxMemoryEntries => Shown::Number(self.max_memory_entries),
            Field::MaxMemoryBytes => self.max_memory_bytes.map_or(Shown::Nothing, Shown::Number),
            Field::Front => Shown::Boolean(self.front),
            Field::KeyPrefix => Shown::text(&self.key_prefix),
            Field::CoherenceBound => Shown::duration(self.coherence_bound),
            Field::FlightWait => Shown::duration(self.flight_wait),
            Field::SharedDeadline => Shown::duration(self.shared_deadline),
            Field::BackgroundLimit => Shown::size(self.background_limit),
            Field::MaxValueBytes => Shown::size(self.max_value_bytes),
            Field::Codec => Shown::text(self.codec),
            Field::Compression => Shown::text(self.compression),
            Field::CompressFromBytes => Shown::size(self.compress_from_bytes),
            Field::Encryption => Shown::Nothing,
        }
    }
}
