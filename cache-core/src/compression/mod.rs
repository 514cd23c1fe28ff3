//! How large payloads are made smaller for the shared tier.
//!
//! As for codecs, every algorithm is always a variant of [`Compression`], so that a stored id means the same in every
//! build; a Cargo feature only adds the implementation.

#[cfg(feature = "lz4")]
mod lz4;
#[cfg(test)]
mod tests;
#[cfg(feature = "zstd")]
mod zstd;

use std::{fmt, str::FromStr};

use cache_store::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// The most bytes that one stored byte may stand for: what compresses better is stored as it is, and what says that it
/// did is refused. So bytes that somebody forged cost memory in proportion to what he sent.
const MAX_RATIO: usize = 1024;

/// The length of what stands in front of compressed bytes: how many there were before.
const LENGTH_LEN: usize = 4;

/// How values are compressed in the shared tier. The algorithm's id is stored with every entry, so that a change needs
/// no flush: what was stored before is still read, compressed or not, as long as the feature is compiled in.
///
/// | algorithm | feature | what it is | choose it for |
/// |---|---|---|---|
/// | [`None`](Self::None) | | | the default: small values, or a fast network |
/// | [`Lz4`](Self::Lz4) | `lz4` | [LZ4 blocks](https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md), in safe Rust | speed: hundreds of megabytes a second, text at about half its size |
/// | [`Zstd`](Self::Zstd) | `zstd` | [Zstandard](https://www.rfc-editor.org/rfc/rfc8878), level 3; the reference library, which is C and needs a C compiler | size: text at about a third |
///
/// ```
/// use larder::Compression;
///
/// assert_eq!(Compression::default(), Compression::None);
/// assert_eq!("zstd".parse::<Compression>()?, Compression::Zstd);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Compression {
    /// Nothing is compressed; what others compressed is read all the same.
    #[default]
    None,
    /// LZ4; feature `lz4`.
    Lz4,
    /// Zstandard at level 3; feature `zstd`.
    Zstd,
}

impl Compression {
    const ALL: [Self; 3] = [Self::None, Self::Lz4, Self::Zstd];

    /// The id that is stored with an entry; never reused for another format.
    ///
    /// ```
    /// assert_eq!(larder::Compression::Zstd.id(), 2);
    /// ```
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Lz4 => 1,
            Self::Zstd => 2,
        }
    }

    /// The algorithm with this id, or `None` when this version knows none.
    ///
    /// ```
    /// use larder::Compression;
    ///
    /// assert_eq!(Compression::from_id(1), Some(Compression::Lz4));
    /// assert_eq!(Compression::from_id(3), None);
    /// ```
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.id() == id)
    }

    /// The name of the algorithm, which is also the name of its Cargo feature.
    ///
    /// ```
    /// assert_eq!(larder::Compression::Lz4.name(), "lz4");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Whether the algorithm's feature is compiled in; nothing needs none.
    ///
    /// ```
    /// assert!(larder::Compression::None.is_compiled_in());
    /// ```
    #[must_use]
    pub const fn is_compiled_in(self) -> bool {
        match self {
            Self::None => true,
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// The error of an algorithm whose feature is missing.
    pub(crate) fn not_compiled_in(self) -> Error {
        let name = self.name();
        Error::new(
            ErrorKind::Config,
            format!(
                "the compression `{name}` is not compiled in: enable the feature `{name}` of `larder`"
            ),
        )
    }

    /// Compresses what `out` holds from `from` on, with its length in front; `false`, and `out` as it was, when that
    /// would make it no smaller or so much smaller that it would not be read.
    pub(crate) fn pack(self, out: &mut Vec<u8>, from: usize) -> Result<bool> {
        let raw = &out[from..];
        let Some(packed) = self.compress(raw)? else { return Ok(false) };
        let Ok(length) = u32::try_from(raw.len()) else { return Ok(false) };
        if packed.len() + LENGTH_LEN >= raw.len() || raw.len() / MAX_RATIO >= packed.len() {
            return Ok(false);
        }
        out.truncate(from);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&packed);
        Ok(true)
    }

    /// What was packed. Reserves nothing before it knows that no more than `limit` bytes, and no more than [`MAX_RATIO`]
    /// for each that is there, are announced; and stops at what was announced.
    pub(crate) fn unpack(self, packed: &[u8], limit: usize) -> Result<Vec<u8>> {
        let wrong = |what: &str| Error::new(ErrorKind::Codec, format!("{}: {what}", self.name()));
        let Some((length, stream)) = packed.split_first_chunk::<LENGTH_LEN>() else {
            return Err(wrong("the entry is cut off"));
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length > limit {
            return Err(wrong("the entry announces more bytes than the limit"));
        }
        if length / MAX_RATIO >= stream.len().max(1) {
            return Err(wrong("the entry announces more than 1,024 bytes for each of its own"));
        }
        let raw = self.decompress(stream, length)?;
        raw.filter(|raw| raw.len() == length)
            .ok_or_else(|| wrong("the entry is damaged, or longer or shorter than it announces"))
    }

    /// The algorithm's stream; `None` for no algorithm.
    fn compress(self, raw: &[u8]) -> Result<Option<Vec<u8>>> {
        let _ = raw;
        match self {
            Self::None => Ok(None),
            #[cfg(feature = "lz4")]
            Self::Lz4 => Ok(Some(lz4::compress(raw))),
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::compress(raw).map(Some),
            #[allow(unreachable_patterns, reason = "reached when a feature is missing")]
            missing => Err(missing.not_compiled_in()),
        }
    }

    /// What the stream holds; `None` when it is none, or longer than `length`.
    fn decompress(self, stream: &[u8], length: usize) -> Result<Option<Vec<u8>>> {
        let _ = (stream, length);
        match self {
            Self::None => Ok(None),
            #[cfg(feature = "lz4")]
            Self::Lz4 => Ok(lz4::decompress(stream, length)),
            #[cfg(feature = "zstd")]
            Self::Zstd => Ok(zstd::decompress(stream, length)),
            #[allow(unreachable_patterns, reason = "reached when a feature is missing")]
            missing => Err(missing.not_compiled_in()),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Compression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| {
            let message = format!("`{text}` is no compression: use none, lz4 or zstd");
            Error::new(ErrorKind::Config, message)
        })
    }
}
