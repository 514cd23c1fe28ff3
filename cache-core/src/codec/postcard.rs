//! postcard 1.

use ::postcard::{ser_flavors::Flavor, serialize_with_flavor, take_from_bytes};
use cache_store::Result;
use serde::{Serialize, de::DeserializeOwned};

use super::Codec;

/// Appends the encoded value.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<()> {
    serialize_with_flavor(value, Append(out)).map_err(|cause| Codec::Postcard.cannot_encode(cause))
}

/// Reads a value that takes up exactly these bytes.
///
/// Strings and byte strings are taken out of the input and so cannot be longer than it; collections grow as serde's
/// cautious size hint lets them.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let (value, rest) =
        take_from_bytes(bytes).map_err(|cause| Codec::Postcard.cannot_decode(cause))?;
    if !rest.is_empty() {
        return Err(Codec::Postcard.trailing_bytes());
    }
    Ok(value)
}

/// Appends to a borrowed buffer; postcard's own flavours take a `Vec` by value and lose it on an error.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> ::postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> ::postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> ::postcard::Result<()> {
        Ok(())
    }
}
