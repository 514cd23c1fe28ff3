//! The bytes of a session: two envelopes, one says whose it is and one holds the data. Each is bound to the session's digest and
//! to its part, so that none is believed in the place of another.

use std::fmt::Display;

use cache_store::{Error, ErrorKind, Nonce, Result};
use serde::{Serialize, de::DeserializeOwned};

use super::kind::Kind;
use crate::{
    envelope::{self, EnvelopeWriter, Header, Limits},
    value::caught,
};

/// What a session's data may take, encoded.
const MOST: usize = 1 << 20;

/// In the place of a function's rules, where entries have others: an entry is no session and a session no entry.
const RULES: u64 = u64::from_be_bytes(*b"session\0");

#[derive(Clone, Copy)]
pub(super) enum Part {
    User,
    Data,
}

impl Kind {
    pub(super) fn seal<T: Serialize + ?Sized>(
        &self,
        digest: &str,
        part: Part,
        value: &T,
    ) -> Result<Vec<u8>> {
        let settings = &self.engine.settings;
        let codec = settings.codec;
        let writer = EnvelopeWriter::begin(0, self.limits(), &self.header(part)?);
        writer.finish(&self.place(digest, part), &settings.packing, |out| {
            caught(|| codec.encode(value, out))
        })
    }

    pub(super) fn open<T: DeserializeOwned>(
        &self,
        digest: &str,
        part: Part,
        bytes: &[u8],
    ) -> Result<T> {
        let (place, limits) = (self.place(digest, part), self.limits());
        let envelope = envelope::parse(&place, bytes, limits).map_err(unreadable)?;
        let (header, expected) = (envelope.header, self.header(part)?);
        if header.rules_fingerprint != expected.rules_fingerprint {
            return Err(unreadable("it is no session"));
        }
        if header.type_fingerprint != expected.type_fingerprint {
            return Err(unreadable(
                "its data are of another `version` than this `SessionStore` has",
            ));
        }
        let packing = &self.engine.settings.packing;
        let payload = packing.unpack(&place, &envelope, limits).map_err(unreadable)?;
        caught(|| header.codec.decode(&payload))
    }

    fn header(&self, part: Part) -> Result<Header> {
        let version = match part {
            // Whose it is is told in one way, whatever the data are.
            Part::User => 0,
            Part::Data => self.version,
        };
        let unused = Nonce::from_bytes(&[0; Nonce::LEN]);
        let unused = unused.ok_or_else(|| Error::new(ErrorKind::Codec, "no nonce"))?;
        Ok(Header {
            key_nonce: unused,
            pattern_nonce: unused,
            fill_id: envelope::new_fill_id(),
            codec: self.engine.settings.codec,
            negative: false,
            by_hand: true,
            type_fingerprint: u64::from(version),
            rules_fingerprint: RULES,
            marks: None,
        })
    }

    fn limits(&self) -> Limits {
        let limits = self.engine.settings.limits;
        Limits { max_value_bytes: limits.max_value_bytes.min(MOST), ..limits }
    }

    /// A digest has no `:`, so no two sessions have the same.
    fn place(&self, digest: &str, part: Part) -> String {
        let part = match part {
            Part::User => "user",
            Part::Data => "data",
        };
        [&*self.name, ":", digest, ":", part].concat()
    }
}

fn unreadable(why: impl Display) -> Error {
    let message = format!(
        "the session is there and cannot be read: {why}. `delete` ends it; the user signs in anew"
    );
    Error::new(ErrorKind::Codec, message)
}
