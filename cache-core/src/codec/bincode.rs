//! bincode 2.0.1, the default codec. The one file that names the crate.
//!
//! Its maintenance has ended (RUSTSEC-2025-0141) and its version 3.0.0 is an empty shell; it is pinned to 2.0.1, whose
//! format is frozen, and given a byte limit here. Leaving it means another default in [`Codec`] and nothing else.

use std::marker::PhantomData;

use ::bincode::{
    config::{self, Configuration, Limit, LittleEndian, Varint},
    enc::write::Writer,
    error::EncodeError,
    serde::{encode_into_writer, seed_decode_from_slice},
};
use cache_store::Result;
use serde::{
    Deserializer, Serialize,
    de::{DeserializeOwned, DeserializeSeed},
};

use super::{Codec, guard::Budget};

/// The most memory that a value may announce: the largest value that is stored (512 MiB), each byte of which may stand
/// for a `u128`. Lengths of strings are bounded by what is there, see [`guard`](super::guard).
const LIMIT: usize = (512_usize << 20).saturating_mul(size_of::<u128>());

type Limited = Configuration<LittleEndian, Varint, Limit<LIMIT>>;

/// Appends the encoded value.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<()> {
    encode_into_writer(value, Append(out), config::standard())
        .map_err(|cause| Codec::Bincode.cannot_encode(cause))
}

/// Reads a value that takes up exactly these bytes.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let limited: Limited = config::standard().with_limit();
    let seed = Bounded(Budget::of(bytes.len()), PhantomData);
    let (value, read) = seed_decode_from_slice(seed, bytes, limited)
        .map_err(|cause| Codec::Bincode.cannot_decode(cause))?;
    if read < bytes.len() {
        return Err(Codec::Bincode.trailing_bytes());
    }
    Ok(value)
}

/// Reads a `T` within a budget; bincode gives its deserializer to nothing but a seed.
struct Bounded<T>(Budget, PhantomData<T>);

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Bounded<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        T::deserialize(self.0.guard(from))
    }
}

/// Appends to a buffer that already holds the header; bincode's own writers start a `Vec` of their own, without a
/// capacity, or go through `std::io::Write` and count what they wrote.
struct Append<'a>(&'a mut Vec<u8>);

impl Writer for Append<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
