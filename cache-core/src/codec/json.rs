//! JSON.

use cache_store::Result;
use serde::{Serialize, de::DeserializeOwned};

use super::{Codec, guard::Budget};

/// Appends the encoded value.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(out, value).map_err(|cause| Codec::Json.cannot_encode(cause))
}

/// Reads a value that takes up exactly these bytes.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut decoder = serde_json::Deserializer::from_slice(bytes);
    let budget = Budget::of(bytes.len());
    let value = T::deserialize(budget.guard(&mut decoder));
    let read = value.and_then(|value| decoder.end().map(|()| value));
    read.map_err(|cause| Codec::Json.cannot_decode(cause))
}
