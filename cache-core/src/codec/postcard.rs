//! postcard 1.

use ::postcard::{Deserializer, ser_flavors::Flavor, serialize_with_flavor};
use cache_store::Result;
use serde::{
    Serialize,
    de::{DeserializeOwned, Error},
};

use super::{Codec, guard::Budget};

/// Appends the encoded value.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<()> {
    serialize_with_flavor(value, Append(out)).map_err(|cause| Codec::Postcard.cannot_encode(cause))
}

/// Reads a value that takes up exactly these bytes.
///
/// Collections grow as serde's cautious size hint lets them; depth and number of elements are bounded by the guard.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut decoder = Deserializer::from_bytes(bytes);
    let budget = Budget::of(bytes.len());
    let value = T::deserialize(budget.guard(&mut decoder));
    let read = value.and_then(|value| Ok((value, decoder.finalize()?)));
    let (value, rest) = read.map_err(|cause| match budget.exceeded() {
        Some(what) => {
            Codec::Postcard.cannot_decode(<serde::de::value::Error as Error>::custom(what))
        }
        None => Codec::Postcard.cannot_decode(cause),
    })?;
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
