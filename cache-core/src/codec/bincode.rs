//! bincode 2.0.1, the default codec. The one file that names the crate.
//!
//! Its maintenance has ended (RUSTSEC-2025-0141) and its version 3.0.0 is an empty shell; it is pinned to 2.0.1, whose
//! format is frozen, and given a byte limit here. Leaving it means another default in [`Codec`] and nothing else.

use ::bincode::{
    config::{self, Configuration, Limit, LittleEndian, Varint},
    de::{
        BorrowDecode, Decoder, DecoderImpl,
        read::{Reader, SliceReader},
    },
    enc::write::Writer,
    error::{DecodeError, EncodeError},
    serde::{BorrowCompat, encode_into_writer},
};
use cache_store::Result;
use serde::{Serialize, de::DeserializeOwned};

use super::Codec;

type Limited = Configuration<LittleEndian, Varint, Limit<{ usize::MAX }>>;

/// The most memory that one encoded byte may announce: a `u128` of one byte in the variable-length encoding.
const MAX_EXPANSION: usize = size_of::<u128>();

/// Appends the encoded value.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<()> {
    encode_into_writer(value, Append(out), config::standard())
        .map_err(|cause| Codec::Bincode.cannot_encode(cause))
}

/// Reads a value that takes up exactly these bytes.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut decoder = limited_decoder(bytes)?;
    let value = BorrowCompat::<T>::borrow_decode(&mut decoder).map_err(cannot_decode)?.0;
    if decoder.reader().peek_read(1).is_some() {
        return Err(Codec::Bincode.trailing_bytes());
    }
    Ok(value)
}

/// A decoder that may claim no more memory than these bytes can stand for.
///
/// bincode reserves a string's whole announced length before it looks whether the bytes are there, and its limit is a
/// constant. Claiming all but the wanted budget beforehand ties the limit to the input.
fn limited_decoder(bytes: &[u8]) -> Result<DecoderImpl<SliceReader<'_>, Limited, ()>> {
    let budget = bytes.len().saturating_mul(MAX_EXPANSION);
    let limited = config::standard().with_limit::<{ usize::MAX }>();
    let mut decoder = DecoderImpl::new(SliceReader::new(bytes), limited, ());
    decoder.claim_bytes_read(usize::MAX - budget).map_err(cannot_decode)?;
    Ok(decoder)
}

fn cannot_decode(cause: DecodeError) -> cache_store::Error {
    Codec::Bincode.cannot_decode(cause)
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
