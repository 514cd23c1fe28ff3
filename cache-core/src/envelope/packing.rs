//! What is done to a payload between the codec and the shared tier: compressed first, then encrypted.

use std::{borrow::Cow, fmt, sync::Arc};

use cache_store::{Error, Result};

use super::{Envelope, Limits};
use crate::{
    Compression,
    encryption::{Closed, EncryptionKeys, OVERHEAD},
};

/// Names the use of the keys, so that what they sealed elsewhere is never an entry.
const DOMAIN: &[u8] = b"larder entry 1";

/// How a cache packs its payloads, and what it expects of those it reads.
#[derive(Clone, Debug)]
pub(crate) struct Packing {
    pub(crate) compression: Compression,
    /// Payloads shorter than this are not compressed.
    pub(crate) compress_from: usize,
    pub(crate) encryption: Option<EncryptionKeys>,
    /// The prefix of the keys: one key under two prefixes is two keys.
    pub(crate) prefix: Arc<str>,
}

impl Default for Packing {
    fn default() -> Self {
        Self {
            compression: Compression::None,
            compress_from: 0,
            encryption: None,
            prefix: Arc::from(""),
        }
    }
}

/// What was done to a payload, as its envelope says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) compression: Compression,
    pub(crate) encrypted: bool,
}

impl Packed {
    /// What it may add to the largest value.
    pub(super) fn overhead(self) -> usize {
        if self.encrypted { OVERHEAD } else { 0 }
    }
}

/// Why a payload is not believed, or cannot be read. All of them are misses.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is in the clear, and this cache has keys: whoever can write to the shared tier could have written it.
    Plaintext,
    /// It is encrypted, and this cache has no keys.
    Encrypted,
    /// It is encrypted with a key that this cache does not have.
    UnknownKey(u32),
    /// It was not sealed with the key it names, or not for this place.
    Forged,
    /// It cannot be decompressed: damaged, a bomb, or of an algorithm that is not compiled in.
    Compression(Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plaintext => f.write_str("the entry is not encrypted"),
            Self::Encrypted => f.write_str("the entry is encrypted, and there are no keys"),
            Self::UnknownKey(id) => write!(f, "the entry is encrypted with the unknown key {id}"),
            Self::Forged => f.write_str("the entry was not sealed under this key, or not for here"),
            Self::Compression(error) => write!(f, "the entry cannot be decompressed: {error}"),
        }
    }
}

impl Packing {
    /// What is to be done to a payload of this length, before it is known whether compression helps.
    pub(super) fn compression_for(&self, length: usize) -> Compression {
        if length < self.compress_from { Compression::None } else { self.compression }
    }

    /// Seals what `out` holds from `from` on, and binds it to everything in front of it except the key nonce, which
    /// scripts replace, and to the key's full name.
    pub(super) fn encrypt(&self, key: &str, out: &mut Vec<u8>, from: usize) -> Result<()> {
        let Some(keys) = &self.encryption else { return Ok(()) };
        let bound = self.bound(key, &out[cache_store::Nonce::LEN..from]);
        keys.seal(&bound, out, from)
    }

    /// The associated data. Texts have their lengths in front, so that no two places have the same.
    fn bound(&self, key: &str, front: &[u8]) -> Vec<u8> {
        let mut bound =
            Vec::with_capacity(DOMAIN.len() + 16 + self.prefix.len() + key.len() + front.len());
        bound.extend_from_slice(DOMAIN);
        for text in [&*self.prefix, key] {
            bound.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bound.extend_from_slice(text.as_bytes());
        }
        bound.extend_from_slice(front);
        bound
    }

    /// Whether the entry is encrypted where it has to be, and not where it cannot be read.
    pub(crate) fn admits(&self, envelope: &Envelope<'_>) -> Result<(), Refusal> {
        match (&self.encryption, envelope.packed.encrypted) {
            (Some(_), false) => Err(Refusal::Plaintext),
            (None, true) => Err(Refusal::Encrypted),
            _ => Ok(()),
        }
    }

    /// The payload as the codec wrote it. The only way to it: nothing is read that was not admitted and, where there are
    /// keys, proven.
    pub(crate) fn unpack<'a>(
        &self,
        key: &str,
        envelope: &Envelope<'a>,
        limits: Limits,
    ) -> Result<Cow<'a, [u8]>, Refusal> {
        self.admits(envelope)?;
        let opened = match &self.encryption {
            None => Cow::Borrowed(envelope.payload),
            Some(keys) => {
                let opened = keys.open(&self.bound(key, envelope.front), envelope.payload);
                Cow::Owned(opened.map_err(|closed| match closed {
                    Closed::UnknownKey(id) => Refusal::UnknownKey(id),
                    Closed::Truncated | Closed::Forged => Refusal::Forged,
                })?)
            }
        };
        match envelope.packed.compression {
            Compression::None => Ok(opened),
            compression => {
                let raw = compression.unpack(&opened, limits.max_value_bytes);
                raw.map(Cow::Owned).map_err(Refusal::Compression)
            }
        }
    }
}
