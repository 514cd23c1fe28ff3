//! A file, or whatever else serde reads from.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, Error as _, IgnoredAny},
};

use super::{CacheConfig, Field, Given, Problems, field::FIELDS};

/// The names alone, as serde wants them.
const NAMES: [&str; FIELDS.len()] = {
    let mut names = [""; FIELDS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = FIELDS[at].1;
        at += 1;
    }
    names
};

/// By hand, so that all that is wrong is said at once. What settings are together is judged later: the environment may be laid
/// on top.
impl<'de> Deserialize<'de> for CacheConfig {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_struct("CacheConfig", &NAMES, Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = CacheConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of settings")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut table: A) -> Result<CacheConfig, A::Error> {
        let (mut config, mut problems) = (CacheConfig::default(), Problems::default());
        let mut seen = Vec::new();
        while let Some(name) = table.next_key::<String>()? {
            let Some(field) = Field::named(&name) else {
                table.next_value::<IgnoredAny>()?;
                problems.add_unknown(&name);
                continue;
            };
            let given = table.next_value::<Given>()?;
            if seen.contains(&field) {
                problems.add(field, "is there twice");
            } else if let Err(why) = config.take(field, given) {
                problems.add(field, format!("is malformed: {why}"));
            }
            seen.push(field);
        }
        problems.append(config.problems_of_each());
        problems.into_result().map_err(A::Error::custom)?;
        Ok(config)
    }
}
