use std::fmt;

use crate::{Error, ErrorKind};

/// 128 random bits that name one state of a dependency; never used twice.
///
/// ```
/// use cache_store::Nonce;
///
/// let nonce = Nonce::random()?;
/// assert_eq!(Nonce::from_bytes(nonce.as_bytes()), Some(nonce));
/// # Ok::<(), cache_store::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce([u8; Self::LEN]);

impl Nonce {
    /// The length of a nonce in bytes.
    ///
    /// ```
    /// assert_eq!(cache_store::Nonce::LEN, 16);
    /// ```
    pub const LEN: usize = 16;

    /// A fresh nonce from the operating system's generator.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Entropy`] when the system gives no random bytes; nothing can be stored safely then.
    ///
    /// ```
    /// use cache_store::Nonce;
    ///
    /// assert_ne!(Nonce::random()?, Nonce::random()?);
    /// # Ok::<(), cache_store::Error>(())
    /// ```
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; Self::LEN];
        getrandom::fill(&mut bytes).map_err(|cause| {
            Error::new(ErrorKind::Entropy, "the system gave no random bytes").with_source(cause)
        })?;
        Ok(Self(bytes))
    }

    /// The nonce in the first sixteen bytes of `bytes`, or `None` when there are fewer.
    ///
    /// ```
    /// use cache_store::Nonce;
    ///
    /// assert!(Nonce::from_bytes(&[7; 20]).is_some());
    /// assert!(Nonce::from_bytes(&[7; 15]).is_none());
    /// ```
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().map(|chunk| Self(*chunk))
    }

    /// The bytes, as they are stored.
    ///
    /// ```
    /// use cache_store::Nonce;
    ///
    /// assert_eq!(Nonce::from_bytes(&[7; 16]).unwrap().as_bytes(), &[7; 16]);
    /// ```
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(")?;
        for byte in &self.0[..4] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_does_not_return() {
        assert_ne!(Nonce::random().unwrap(), Nonce::random().unwrap());
    }

    #[test]
    fn fifteen_bytes_are_no_nonce() {
        assert_eq!(Nonce::from_bytes(&[7; 15]), None);
        assert_eq!(Nonce::from_bytes(&[7; 17]), Nonce::from_bytes(&[7; 16]));
    }
}
