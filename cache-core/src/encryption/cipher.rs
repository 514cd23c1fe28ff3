//! XChaCha20-Poly1305. The one file that names the cipher.
//!
//! A sealed payload is: the key's id (4 bytes, little endian), the nonce (24), the ciphertext, the tag (16). The nonce is
//! random; with 24 bytes, two of one key do not meet.

use cache_store::{Error, ErrorKind, Result};
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce, aead::AeadInOut};

use super::{Closed, EncryptionKeys, KEY_ID_LEN, NONCE_LEN, Secret, TAG_LEN};

impl EncryptionKeys {
    /// Seals what `out` holds from `from` on, with the key that writes, bound to `bound`.
    pub(crate) fn seal(&self, bound: &[u8], out: &mut Vec<u8>, from: usize) -> Result<()> {
        let secret = &self.keys[0];
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|cause| {
            Error::new(ErrorKind::Codec, format!("the system gives no random bytes: {cause}"))
        })?;
        let front = [secret.id.to_le_bytes().as_slice(), &nonce].concat();
        out.splice(from..from, front);
        let text = &mut out[from + KEY_ID_LEN + NONCE_LEN..];
        let tag = secret
            .cipher()
            .encrypt_inout_detached(&XNonce::from(nonce), bound, text.into())
            .map_err(|_| Error::new(ErrorKind::Codec, "the value is too large to be encrypted"))?;
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// What was sealed, if it was sealed with one of these keys and bound to the same.
    pub(crate) fn open(&self, bound: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Closed> {
        let (id, rest) = sealed.split_first_chunk::<KEY_ID_LEN>().ok_or(Closed::Truncated)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Closed::Truncated)?;
        let (text, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(Closed::Truncated)?;
        let id = u32::from_le_bytes(*id);
        let secret = self.keys.iter().find(|key| key.id == id).ok_or(Closed::UnknownKey(id))?;
        let mut text = text.to_vec();
        secret
            .cipher()
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                bound,
                text.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| Closed::Forged)?;
        Ok(text)
    }
}

impl Secret {
    /// The cipher, which wipes its copy of the key.
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.bytes).into())
    }
}
