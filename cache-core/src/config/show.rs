//! What is shown of settings: never what may be secret.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{CacheConfig, field::FIELDS};

/// One setting.
pub(super) enum Shown {
    Nothing,
    Boolean(bool),
    Number(u64),
    Text(String),
}

impl Shown {
    pub(super) fn text(text: impl fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    pub(super) fn size(size: usize) -> Self {
        Self::Number(size as u64)
    }

    /// Whole seconds, or a text in milliseconds when that is not exact.
    pub(super) fn duration(duration: Duration) -> Self {
        match duration.subsec_nanos() {
            0 => Self::Number(duration.as_secs()),
            _ => Self::Text(format!("{}ms", duration.as_nanos().div_ceil(1_000_000))),
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => to.serialize_none(),
            Self::Boolean(value) => to.serialize_bool(*value),
            Self::Number(number) => to.serialize_u64(*number),
            Self::Text(text) => to.serialize_str(text),
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("None"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// Without what may be secret: a URL that has a password, a user or a query is written without them.
impl Serialize for CacheConfig {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut all = to.serialize_struct("CacheConfig", FIELDS.len())?;
        for (field, name) in FIELDS {
            all.serialize_field(name, &self.shown(field))?;
        }
        all.end()
    }
}

impl fmt::Debug for CacheConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("CacheConfig");
        for (field, name) in FIELDS {
            all.field(name, &self.shown(field));
        }
        all.finish()
    }
}

/// A line for each setting, as in a file; without what may be secret.
impl fmt::Display for CacheConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = FIELDS.into_iter().map(|(field, name)| (name, self.shown(field)));
        let said = shown.filter(|(_, shown)| !matches!(shown, Shown::Nothing));
        for (number, (name, shown)) in said.enumerate() {
            let end = if number > 0 { "\n" } else { "" };
            write!(f, "{end}{name} = {shown:?}")?;
        }
        Ok(())
    }
}
