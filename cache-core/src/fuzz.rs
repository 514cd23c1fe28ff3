//! Doors for the fuzz targets, which live in a package of their own (`fuzz/`). Feature `fuzz`, for this repository alone.
#![allow(missing_docs, reason = "read by the targets alone")]

use std::ffi::OsString;

use cache_store::{Nonce, Result};

use crate::{
    CacheConfig, Codec, Compression, EncryptionKeys,
    envelope::{self, EnvelopeWriter, Header, Limits, Marks, Packing},
};

/// What an entry is made of, as far as a target says it.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    pub key: &'a str,
    pub prefix: &'a str,
    pub tags: &'a [&'a str],
    pub payload: &'a [u8],
    pub negative: bool,
    pub compression: Compression,
    pub keys: Option<&'a EncryptionKeys>,
    pub max_value_bytes: usize,
}

/// What came back of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub tags: Vec<String>,
    pub payload: Vec<u8>,
    pub negative: bool,
}

impl Parts<'_> {
    fn limits(&self) -> Limits {
        Limits { max_value_bytes: self.max_value_bytes, ..Limits::default() }
    }

    fn packing(&self) -> Packing {
        Packing {
            compression: self.compression,
            compress_from: 0,
            encryption: self.keys.cloned(),
            prefix: self.prefix.into(),
        }
    }
}

/// The bytes of an entry.
pub fn seal(parts: &Parts<'_>) -> Result<Vec<u8>> {
    let nonce = Nonce::random()?;
    let header = Header {
        key_nonce: nonce,
        pattern_nonce: nonce,
        fill_id: envelope::new_fill_id(),
        codec: Codec::Postcard,
        negative: parts.negative,
        by_hand: false,
        type_fingerprint: 1,
        rules_fingerprint: 2,
        // Entries of both kinds.
        marks: (parts.tags.len() > 1).then_some(Marks { grace: 1_000, load: 10 }),
    };
    let mut writer = EnvelopeWriter::begin(0, parts.limits(), &header);
    for tag in parts.tags {
        writer.tag(tag, nonce)?;
    }
    writer.finish(parts.key, &parts.packing(), |out| {
        out.extend_from_slice(parts.payload);
        Ok(())
    })
}

/// What these bytes are under the key, prefix, keys and limit of `parts`.
pub fn open(parts: &Parts<'_>, bytes: &[u8]) -> Option<Opened> {
    let envelope = envelope::parse(parts.key, bytes, parts.limits()).ok()?;
    let payload = parts.packing().unpack(parts.key, &envelope, parts.limits()).ok()?.into_owned();
    let tags = envelope.tags.map(|(name, _)| name.to_owned()).collect();
    Some(Opened { tags, payload, negative: envelope.header.negative })
}

/// Puts the right checksum in the place of the last bytes, as anybody can.
pub fn mend_checksum(key: &str, bytes: &mut [u8]) {
    envelope::mend_checksum(key, bytes);
}

/// Decompresses what stands behind a length.
pub fn decompress(compression: Compression, packed: &[u8], limit: usize) -> Result<Vec<u8>> {
    compression.unpack(packed, limit)
}

/// The settings that these variables give.
pub fn config_from(lookup: impl Fn(&str) -> Option<OsString>) -> Result<CacheConfig> {
    CacheConfig::default().with_lookup(lookup)
}
