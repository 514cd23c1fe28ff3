//! The bytes of a message: an [envelope](crate::envelope) under the topic's name, with every check that an entry has.

use cache_store::{Error, ErrorKind, Nonce, Result};

use crate::{
    engine::Engine,
    envelope::{self, EnvelopeWriter, Header, hint, new_fill_id},
    value::SharedValue,
};

/// Stands where the rules of a function are named in an entry, so that no entry is ever taken for a message. The other way round
/// the nonces differ: those of a message are nobody's.
const MESSAGE: u64 = u64::from_le_bytes(*b"message\0");

/// The message as it travels.
pub(super) fn seal<T: SharedValue>(
    engine: &Engine,
    topic: &str,
    fingerprint: u64,
    message: &T,
) -> Result<Vec<u8>> {
    let (settings, erased) = (&engine.settings, T::TYPE.erased);
    let nonce = Nonce::random()?;
    let header = Header {
        key_nonce: nonce,
        pattern_nonce: nonce,
        fill_id: new_fill_id(),
        codec: settings.codec,
        negative: false,
        by_hand: false,
        type_fingerprint: fingerprint,
        rules_fingerprint: MESSAGE,
        marks: None,
    };
    let type_name = (erased.name)();
    let writer = EnvelopeWriter::begin(hint::capacity(type_name), settings.limits, &header);
    let value = T::TYPE.keep(message);
    let bytes = writer
        .finish(topic, &settings.packing, |out| erased.encode(&value, settings.codec, out))?;
    hint::remember(type_name, bytes.len());
    Ok(bytes)
}

/// The message in these bytes, which may be anybody's.
pub(super) fn open<T: SharedValue>(
    engine: &Engine,
    topic: &str,
    fingerprint: u64,
    bytes: &[u8],
) -> Result<T> {
    let (settings, erased) = (&engine.settings, T::TYPE.erased);
    let envelope = envelope::parse(topic, bytes, settings.limits).map_err(unreadable)?;
    if envelope.header.rules_fingerprint != MESSAGE || envelope.header.negative {
        return Err(unreadable("these are the bytes of an entry"));
    }
    settings.packing.admits(&envelope).map_err(unreadable)?;
    if envelope.header.type_fingerprint != fingerprint {
        return Err(of_another_type());
    }
    let payload = settings.packing.unpack(topic, &envelope, settings.limits).map_err(unreadable)?;
    let value = erased.decode(&payload, envelope.header.codec)?;
    T::TYPE.take(value).ok_or_else(of_another_type)
}

pub(super) fn of_another_type() -> Error {
    unreadable("it is of another type or another version of it")
}

fn unreadable(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Codec, why.to_string())
}
