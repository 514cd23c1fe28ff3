//! The keys under which entries are encrypted in the shared tier.
//!
//! [`EncryptionKeys`] exists in every build, so that code which names it compiles in every build; the feature
//! `encryption` adds the cipher. Without it no key material is kept, and building a cache with keys is an error.

#[cfg(feature = "encryption")]
mod cipher;
#[cfg(test)]
#[cfg(feature = "encryption")]
mod tests;

use std::{fmt, sync::Arc};

use cache_store::{Error, ErrorKind, Result};

/// What encryption adds to a payload: the key's id, the nonce, the authentication tag.
pub(crate) const OVERHEAD: usize = KEY_ID_LEN + NONCE_LEN + TAG_LEN;

const KEY_LEN: usize = 32;
const KEY_ID_LEN: usize = 4;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// The keys of [`CacheBuilder::encryption`](crate::CacheBuilder::encryption): one that writes and reads, and older ones
/// that only read.
///
/// A key is 32 random bytes under an id of your choice; the id is stored with every entry, in the clear. To rotate,
/// without an entry lost: give every process the new key as [a further one](Self::and_reads), then make it the one that
/// writes and the old one a further one, and leave the old one out when everything written with it has expired.
///
/// `Debug` shows ids alone. The bytes are wiped from memory when the last cache that uses them is dropped; the slice that
/// they were given in is yours to wipe.
///
/// ```
/// use larder::EncryptionKeys;
///
/// # let (secret_of_2026, secret_of_2025) = ([7; 32], [5; 32]);
/// let keys = EncryptionKeys::new(2026, &secret_of_2026)?.and_reads(2025, &secret_of_2025)?;
/// assert_eq!(format!("{keys:?}"), "EncryptionKeys { writes: 2026, reads: [2026, 2025] }");
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone)]
pub struct EncryptionKeys {
    /// The first one writes.
    keys: Arc<[Secret]>,
}

/// One key.
#[derive(Clone)]
struct Secret {
    id: u32,
    #[cfg(feature = "encryption")]
    bytes: zeroize::Zeroizing<[u8; KEY_LEN]>,
}

impl EncryptionKeys {
    /// The key that entries are written with, and read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] unless there are exactly 32 bytes, not all of them zero.
    ///
    /// ```
    /// use larder::EncryptionKeys;
    ///
    /// assert!(EncryptionKeys::new(1, b"too short").is_err());
    /// ```
    pub fn new(id: u32, key: &[u8]) -> Result<Self> {
        Ok(Self { keys: Arc::new([Secret::new(id, key)?]) })
    }

    /// A further key, which entries are only read with.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and when there is a key with this id already.
    ///
    /// ```
    /// use larder::EncryptionKeys;
    ///
    /// let keys = EncryptionKeys::new(1, &[b"a".as_slice(), &[9; 31]].concat())?;
    /// assert!(keys.and_reads(1, &[b"b".as_slice(), &[9; 31]].concat()).is_err());
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn and_reads(self, id: u32, key: &[u8]) -> Result<Self> {
        if self.keys.iter().any(|known| known.id == id) {
            return Err(wrong(id, "is there twice: give every key an id of its own"));
        }
        let keys = self.keys.iter().cloned().chain([Secret::new(id, key)?]).collect();
        Ok(Self { keys })
    }

    /// An error where the feature is not compiled in.
    pub(crate) fn check_compiled_in(&self) -> Result<()> {
        if cfg!(feature = "encryption") {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            "encryption is not compiled in: enable the feature `encryption` of `larder`",
        ))
    }
}

impl Secret {
    fn new(id: u32, key: &[u8]) -> Result<Self> {
        let Ok(bytes) = <&[u8; KEY_LEN]>::try_from(key) else {
            let message = format!("has {} bytes: a key has 32 random ones", key.len());
            return Err(wrong(id, message));
        };
        // Of doc examples, and of variables that were never filled in.
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(wrong(id, "is all zeros: a key has 32 random bytes"));
        }
        Ok(Self {
            id,
            #[cfg(feature = "encryption")]
            bytes: zeroize::Zeroizing::new(*bytes),
        })
    }
}

fn wrong(id: u32, what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Config, format!("the encryption key {id} {what}"))
}

impl fmt::Debug for EncryptionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u32> = self.keys.iter().map(|key| key.id).collect();
        f.debug_struct("EncryptionKeys").field("writes", &ids[0]).field("reads", &ids).finish()
    }
}

/// Why an encrypted payload was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// It is shorter than what encryption adds.
    Truncated,
    /// There is no key with this id.
    UnknownKey(u32),
    /// It, or what it is bound to, was changed by somebody who does not have the key.
    #[cfg_attr(not(feature = "encryption"), allow(dead_code, reason = "nothing is opened then"))]
    Forged,
}

#[cfg(not(feature = "encryption"))]
impl EncryptionKeys {
    /// Never reached: no cache is built with keys then.
    pub(crate) fn seal(&self, _: &[u8], _: &mut Vec<u8>, _: usize) -> Result<()> {
        self.check_compiled_in()
    }

    /// Nothing is opened then.
    pub(crate) fn open(&self, _: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Closed> {
        match sealed.first_chunk() {
            Some(id) => Err(Closed::UnknownKey(u32::from_le_bytes(*id))),
            None => Err(Closed::Truncated),
        }
    }
}
