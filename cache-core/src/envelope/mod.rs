//! The bytes of an entry in the shared tier.
//!
//! Little endian, in this order:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 16 | key nonce; scripts replace it, so it is not part of the checksum |
//! | 16 | 16 | pattern nonce: the last record of the pattern log known before the load |
//! | 32 | 8 | fill id: random, so that no two fills have the same head of 40 bytes |
//! | 40 | 4 | magic |
//! | 44 | 1 | format version |
//! | 45 | 1 | codec id |
//! | 46 | 1 | flags: 1 a cached `None`, 2 set by hand, 16 and 32 the [compression](crate::Compression)'s id, 64 encrypted |
//! | 47 | 8 | type fingerprint |
//! | 55 | 8 | rules fingerprint |
//! | 63 | 2 | number of tags, then for each: length (2), name, nonce (16) |
//! | … | 0 or 8 | where the flag says so: milliseconds (4) for which the entry is kept after its freshness, milliseconds (4) that its load took |
//! | … | 4 | length of the payload, then the payload |
//! | end − 8 | 8 | checksum |
//!
//! The first 44 bytes are the [`Head`] that stores may read.
//!
//! The checksum is [XXH3] over everything between the key nonce and itself, seeded with the hash of the key's text: bytes
//! that were copied under another key are refused. It finds accidents; it proves nothing about who wrote the bytes, so
//! everything else is bounded as if they were hostile.
//!
//! A compressed payload is the length of what was compressed (4) and the algorithm's stream. An encrypted one is the id of
//! the encryption key (4), a nonce (24), the ciphertext of what it would be otherwise, and a tag (16), which also proves
//! the prefix, the key, and everything between the key nonce and the payload.
//!
//! [XXH3]: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md

pub(crate) mod hint;
mod packing;
mod parse;
#[cfg(test)]
mod tests;
mod write;

use std::{cell::Cell, ptr, time::Duration};

use cache_store::{Head, Nonce};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

pub(crate) use self::{
    packing::{Packed, Packing, Refusal},
    parse::{Envelope, parse},
    write::EnvelopeWriter,
};
use crate::Codec;

/// The key nonce, the pattern nonce and the fill id: what names one fill in a `refused` comparison.
pub(crate) const HEAD_LEN: usize = 2 * Nonce::LEN + FILL_ID_LEN;

/// The length of a fill id.
pub(crate) const FILL_ID_LEN: usize = Head::FILL_ID_LEN;

const MAGIC: [u8; 4] = Head::MAGIC;
const FORMAT: u8 = 2;
const NEGATIVE: u8 = 1;
const BY_HAND: u8 = 1 << 1;
/// Two bits of the flags.
const COMPRESSION_SHIFT: u8 = 4;
const COMPRESSION: u8 = 0b11 << COMPRESSION_SHIFT;
const ENCRYPTED: u8 = 1 << 6;
const MARKED: u8 = 1 << 7;
const CHECKSUM_LEN: usize = 8;
const PAYLOAD_LENGTH_LEN: usize = 4;
/// Where the flags are.
const FLAGS_AT: usize = HEAD_LEN + MAGIC.len() + 2;
/// Where the tags begin.
const TAGS_AT: usize = HEAD_LEN + MAGIC.len() + 3 + 8 + 8 + 2;
/// An envelope without tags and payload.
const MIN_LEN: usize = TAGS_AT + PAYLOAD_LENGTH_LEN + CHECKSUM_LEN;

/// What an envelope says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The key's nonce before the load; any will do where a script puts a fresh one in front.
    pub(crate) key_nonce: Nonce,
    /// The nonce of the last record of the pattern log before the load.
    pub(crate) pattern_nonce: Nonce,
    /// Tells this fill from every other, see [`new_fill_id`].
    pub(crate) fill_id: [u8; FILL_ID_LEN],
    /// How the payload is encoded.
    pub(crate) codec: Codec,
    /// The value is a cached `None`; the payload is empty.
    pub(crate) negative: bool,
    /// The value was set by hand, not loaded by a function.
    pub(crate) by_hand: bool,
    /// See [`type_fingerprint`].
    pub(crate) type_fingerprint: u64,
    /// Names the function's list of tags; 0 when set by hand.
    pub(crate) rules_fingerprint: u64,
    /// What is known of its age, where the function that stored it has a policy about that.
    pub(crate) marks: Option<Marks>,
}

/// What an entry tells of its age. No clocks are compared: the shared tier knows how long it keeps the entry still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// So many milliseconds before the shared tier drops the entry its freshness ends.
    pub(crate) grace: u32,
    /// So many milliseconds its load took.
    pub(crate) load: u32,
}

impl Marks {
    pub(crate) fn new(grace: Duration, load: Duration) -> Self {
        // No function has a grace that does not fit.
        let millis = |it: Duration| u32::try_from(it.as_millis()).unwrap_or(u32::MAX);
        Self { grace: millis(grace), load: millis(load) }
    }

    pub(crate) fn grace(self) -> Duration {
        Duration::from_millis(self.grace.into())
    }

    pub(crate) fn load(self) -> Duration {
        Duration::from_millis(self.load.into())
    }
}

/// The largest envelope that is written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of the encoded value.
    pub(crate) max_value_bytes: usize,
    /// Tags of one entry.
    pub(crate) max_tags: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_value_bytes: 64 << 20, max_tags: 1024 }
    }
}

/// A fresh fill id. It only has to differ from the fills of one key, so it need not be unpredictable.
pub(crate) fn new_fill_id() -> [u8; FILL_ID_LEN] {
    fastrand::u64(..).to_le_bytes()
}

/// Names a value type in one version of its meaning. `type_name` is neither unique nor stable across compilers: what
/// differs is a miss, and what is equal by accident is still decoded under every check.
///
/// Every hit of the shared tier asks, so each thread remembers some.
pub(crate) fn type_fingerprint(type_name: &'static str, version: u32) -> u64 {
    let slot = (type_name.as_ptr() as usize >> 4) ^ type_name.len() ^ version as usize;
    KNOWN.with(|known| {
        let slot = &known[slot % known.len()];
        match slot.get() {
            // What is at one place for ever is one text.
            Some((name, of, known)) if ptr::eq(name, type_name) && of == version => known,
            _ => {
                let made = made_fingerprint(type_name, version);
                slot.set(Some((type_name, version, made)));
                made
            }
        }
    })
}

/// A type's name, the version of its meaning, and the fingerprint of both.
type Known = Cell<Option<(&'static str, u32, u64)>>;

thread_local! {
    static KNOWN: [Known; 64] =
        const { [const { Cell::new(None) }; 64] };
}

fn made_fingerprint(type_name: &str, version: u32) -> u64 {
    fingerprint([b"type".as_slice(), type_name.as_bytes(), &version.to_le_bytes()])
}

/// The first 64 bits of BLAKE3 over length-prefixed parts, so that no two lists of parts are the same bytes.
fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_le_bytes(first)
}

/// The checksum over everything between the key nonce and the checksum itself.
fn checksum(key: &str, checked: &[u8]) -> [u8; CHECKSUM_LEN] {
    xxh3_64_with_seed(checked, xxh3_64(key.as_bytes())).to_le_bytes()
}

/// Puts the right checksum in the place of the last bytes.
#[cfg(feature = "fuzz")]
pub(crate) fn mend_checksum(key: &str, bytes: &mut [u8]) {
    if let Some((rest, sum)) = bytes.split_last_chunk_mut::<CHECKSUM_LEN>()
        && let Some(checked) = rest.get(Nonce::LEN..)
    {
        *sum = checksum(key, checked);
    }
}
