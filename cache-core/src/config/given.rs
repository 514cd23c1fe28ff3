//! What a file or a variable gives, before it is known to be a setting.

use std::{fmt, str::FromStr, time::Duration};

use cache_store::Error;
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny},
};

use super::redact::may_be_secret;

/// One value of a file, of whatever type: so that one that is of a wrong type does not hide what else is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Nothing,
    Boolean(bool),
    Number(u64),
    Text(String),
    /// What no setting is.
    Other(&'static str),
}

impl Given {
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self, Self::Text(given) if given == text)
    }

    pub(super) fn boolean(self) -> Result<bool, String> {
        match self {
            Self::Boolean(value) => Ok(value),
            Self::Number(number @ 0..=1) => Ok(number == 1),
            Self::Text(text) => read(&text, boolean),
            other => Err(format!("{other} is neither true nor false")),
        }
    }

    pub(super) fn number(self) -> Result<u64, String> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => read(&text, number),
            other => Err(format!("{other} is no whole number")),
        }
    }

    pub(super) fn duration(self) -> Result<Duration, String> {
        match self {
            Self::Number(seconds) => Ok(Duration::from_secs(seconds)),
            Self::Text(text) => read(&text, duration),
            other => {
                Err(format!("{other} is no duration: write for instance `5m`, or whole seconds"))
            }
        }
    }

    pub(super) fn name<T: FromStr<Err = Error>>(self) -> Result<T, String> {
        let text = self.text()?;
        read(&text, |text| text.parse().map_err(|error: Error| error.to_string()))
    }

    pub(super) fn text(self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(format!("{other} is no text")),
        }
    }

    /// Never says what it was given.
    pub(super) fn url(self) -> Result<String, String> {
        match self {
            Self::Text(text) if text.contains('…') => {
                Err("it is a URL whose secrets were left out when it was written".to_owned())
            }
            Self::Text(text) => Ok(text),
            _ => Err("it is no text".to_owned()),
        }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Boolean(value) => write!(f, "`{value}`"),
            Self::Number(number) => write!(f, "`{number}`"),
            Self::Text(_) => f.write_str("a text"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// Reads a text. Why it cannot be read is not said of one that may be a secret in the wrong place.
pub(crate) fn read<T>(
    text: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, String> {
    read(text).map_err(|why| match may_be_secret(text) {
        true => "it looks like a URL".to_owned(),
        false => why,
    })
}

pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

pub(crate) fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no whole number"))
}

/// `300` as seconds, and `5m` as what it says.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        let seconds = text.parse().map_err(|_| format!("`{text}` is too many seconds"))?;
        return Ok(Duration::from_secs(seconds));
    }
    cache_template::parse_duration(text).map_err(|error| error.to_string())
}

pub(super) fn size(number: u64) -> Result<usize, String> {
    usize::try_from(number).map_err(|_| format!("`{number}` is too large for this machine"))
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a setting")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Given, E> {
        Ok(Given::Boolean(value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Given, E> {
        Ok(Given::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Given, E> {
        Ok(u64::try_from(number).map_or(Given::Other("a negative number"), Given::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Given, E> {
        Ok(Given::Other("a number with a fraction"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Given, E> {
        Ok(Given::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Given, E> {
        Ok(Given::Nothing)
    }

    fn visit_none<E>(self) -> Result<Given, E> {
        Ok(Given::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Given, D::Error> {
        Given::deserialize(from)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Given, D::Error> {
        Given::deserialize(from)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Given, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Given::Other("a list"))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut table: A) -> Result<Given, A::Error> {
        while table.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Given::Other("a table"))
    }
}
