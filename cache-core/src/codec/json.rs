//! JSON.

use cache_store::Result;
use serde::{Serialize, de::DeserializeOwned};

use super::Codec;

/// Appends the encoded value.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(out, value).map_err(|cause| Codec::Json.cannot_encode(cause))
}

/// Reads a value that takes up exactly these bytes; `serde_json` refuses what is left over and counts the depth.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|cause| Codec::Json.cannot_decode(cause))
}
