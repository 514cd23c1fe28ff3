use std::fmt;

use cache_store::Nonce;

use super::{
    BY_HAND, CHECKSUM_LEN, COMPRESSION, COMPRESSION_SHIFT, ENCRYPTED, FORMAT, Header, Limits,
    MAGIC, NEGATIVE, Packed, checksum,
};
use crate::{Codec, Compression};

/// A stored entry that passed every check. Whether its nonces are still current is decided elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'a> {
    /// What it says of its value.
    pub(crate) header: Header,
    /// Its tags.
    pub(crate) tags: Tags<'a>,
    /// What was done to the payload.
    pub(crate) packed: Packed,
    /// Everything between the key nonce and the payload, which a sealed payload is bound to.
    pub(super) front: &'a [u8],
    /// The encoded value, packed; see [`Packing::unpack`](super::Packing::unpack).
    pub(super) payload: &'a [u8],
}

/// The first check that stored bytes did not pass. All of them are misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Corrupt {
    /// There are fewer bytes than their own lengths announce.
    Truncated,
    /// Somebody else's bytes.
    Foreign,
    /// A format of another version of this library.
    Format(u8),
    /// A codec that this version does not know.
    Codec(u8),
    /// Flags that this version does not know, or that contradict the rest.
    Flags(u8),
    /// A tag's name is not UTF-8, or there are more tags than the limit.
    Tags,
    /// More bytes than the limit.
    TooLarge,
    /// Bytes after the checksum.
    LeftOver,
    /// The bytes changed, or were stored under another key.
    Checksum,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the entry is cut off"),
            Self::Foreign => f.write_str("the entry was not written by this library"),
            Self::Format(version) => write!(f, "the entry has format {version}, not {FORMAT}"),
            Self::Codec(id) => write!(f, "the entry has the unknown codec {id}"),
            Self::Flags(flags) => write!(f, "the entry has the wrong flags {flags:#010b}"),
            Self::Tags => f.write_str("the entry has malformed or too many tags"),
            Self::TooLarge => f.write_str("the entry is larger than the limit"),
            Self::LeftOver => f.write_str("the entry has bytes after its end"),
            Self::Checksum => f.write_str("the entry's checksum is wrong"),
        }
    }
}

/// Checks the bytes that were stored under `key`. Allocates nothing; what is cheap and bounded is checked first.
pub(crate) fn parse<'a>(
    key: &str,
    bytes: &'a [u8],
    limits: Limits,
) -> Result<Envelope<'a>, Corrupt> {
    let mut reader = Reader(bytes);
    let (header, packed) = read_header(&mut reader)?;
    let tags = read_tags(&mut reader, limits)?;
    let payload = read_payload(&mut reader, packed, limits)?;
    let empty = payload.len() == packed.overhead() && packed.compression == Compression::None;
    if header.negative && !empty {
        return Err(Corrupt::Flags(NEGATIVE));
    }
    let stored = reader.array::<CHECKSUM_LEN>()?;
    if !reader.0.is_empty() {
        return Err(Corrupt::LeftOver);
    }
    // The key nonce and the checksum have been read, so both ends of the range exist.
    let checked = &bytes[Nonce::LEN..bytes.len() - CHECKSUM_LEN];
    if checksum(key, checked) != stored {
        return Err(Corrupt::Checksum);
    }
    let front = &checked[..checked.len() - payload.len()];
    Ok(Envelope { header, tags, packed, front, payload })
}

fn read_header(reader: &mut Reader<'_>) -> Result<(Header, Packed), Corrupt> {
    let key_nonce = reader.nonce()?;
    let pattern_nonce = reader.nonce()?;
    let fill_id = reader.array()?;
    if reader.array::<4>()? != MAGIC {
        return Err(Corrupt::Foreign);
    }
    let [format, codec, flags] = reader.array()?;
    if format != FORMAT {
        return Err(Corrupt::Format(format));
    }
    if flags & !(NEGATIVE | BY_HAND | COMPRESSION | ENCRYPTED) != 0 {
        return Err(Corrupt::Flags(flags));
    }
    let compression = Compression::from_id((flags & COMPRESSION) >> COMPRESSION_SHIFT);
    let packed = Packed {
        compression: compression.ok_or(Corrupt::Flags(flags))?,
        encrypted: flags & ENCRYPTED != 0,
    };
    let header = Header {
        key_nonce,
        pattern_nonce,
        fill_id,
        codec: Codec::from_id(codec).ok_or(Corrupt::Codec(codec))?,
        negative: flags & NEGATIVE != 0,
        by_hand: flags & BY_HAND != 0,
        type_fingerprint: u64::from_le_bytes(reader.array()?),
        rules_fingerprint: u64::from_le_bytes(reader.array()?),
    };
    Ok((header, packed))
}

fn read_tags<'a>(reader: &mut Reader<'a>, limits: Limits) -> Result<Tags<'a>, Corrupt> {
    let count = u16::from_le_bytes(reader.array()?);
    if count > limits.max_tags {
        return Err(Corrupt::Tags);
    }
    let tags = Tags { left: count, reader: *reader };
    for _ in 0..count {
        reader.tag()?;
    }
    Ok(tags)
}

fn read_payload<'a>(
    reader: &mut Reader<'a>,
    packed: Packed,
    limits: Limits,
) -> Result<&'a [u8], Corrupt> {
    let length = u32::from_le_bytes(reader.array()?) as usize;
    if length > limits.max_value_bytes.saturating_add(packed.overhead()) {
        return Err(Corrupt::TooLarge);
    }
    reader.take(length)
}

/// The tags of an entry and their nonces, in the order in which they were written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tags<'a> {
    left: u16,
    reader: Reader<'a>,
}

impl<'a> Iterator for Tags<'a> {
    type Item = (&'a str, Nonce);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // Every tag was read once by `parse`, so this does not fail.
        self.reader.tag().ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.into(), Some(self.left.into()))
    }
}

impl ExactSizeIterator for Tags<'_> {}

/// Takes bytes off the front, never more than there are.
#[derive(Clone, Copy, Debug)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Corrupt::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Corrupt::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn nonce(&mut self) -> Result<Nonce, Corrupt> {
        Nonce::from_bytes(self.take(Nonce::LEN)?).ok_or(Corrupt::Truncated)
    }

    fn tag(&mut self) -> Result<(&'a str, Nonce), Corrupt> {
        let length = u16::from_le_bytes(self.array()?);
        let name = self.take(length.into())?;
        Ok((str::from_utf8(name).map_err(|_| Corrupt::Tags)?, self.nonce()?))
    }
}
