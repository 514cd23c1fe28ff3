//! MessagePack. Structs are maps with named fields, so that other languages can read them and that a field with a
//! serde default may be added.

use cache_store::Result;
use rmp_serde::decode::Error;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{Codec, MAX_DEPTH, guard::Budget};

/// Appends the encoded value.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<()> {
    rmp_serde::encode::write_named(out, value).map_err(|cause| Codec::MsgPack.cannot_encode(cause))
}

/// Reads a value that takes up exactly these bytes.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
    decoder.set_max_depth(MAX_DEPTH);
    let budget = Budget::of(bytes.len());
    let value = T::deserialize(budget.guard(&mut decoder))
        .map_err(|cause| Codec::MsgPack.cannot_decode(cause))?;
    // The decoder does not tell its position: only at the end is there no marker of a further value.
    match IgnoredAny::deserialize(&mut decoder) {
        Err(Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err(Codec::MsgPack.trailing_bytes()),
    }
}
