//! How the bytes of an entry begin.

use crate::Nonce;

/// What a store may read of the bytes of an entry: enough to tell, without knowing their format, that they are invalid
/// for good and that they are still the same.
///
/// Only what such a store gives back the memory of early depends on it, so a [`Store`](crate::Store) need not look.
///
/// ```
/// use cache_store::{Head, Nonce};
///
/// let (key, pattern) = (Nonce::random()?, Nonce::random()?);
/// let bytes = [&key.as_bytes()[..], pattern.as_bytes(), b"8 random", b"LRDR", b"the rest"].concat();
/// let head = Head::parse(&bytes).expect("it is whole");
/// assert_eq!((head.key_nonce, head.pattern_nonce), (key, pattern));
/// assert_eq!(Head::parse(b"somebody else's bytes, as long as an entry's are"), None);
/// # Ok::<(), cache_store::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The key's nonce from before the load.
    pub key_nonce: Nonce,
    /// The nonce of the newest record of the pattern log from before the load. Once the log has lost it, or has a later
    /// record that covers the entry, the entry is invalid and stays so.
    pub pattern_nonce: Nonce,
    /// Random: two entries of one key have different heads.
    pub fill_id: [u8; Self::FILL_ID_LEN],
}

impl Head {
    /// The length of the head in bytes: two nonces, the fill id and [`MAGIC`](Self::MAGIC).
    ///
    /// ```
    /// assert_eq!(cache_store::Head::LEN, 44);
    /// ```
    pub const LEN: usize = 2 * Nonce::LEN + Self::FILL_ID_LEN + Self::MAGIC.len();

    /// The length of a fill id in bytes.
    ///
    /// ```
    /// assert_eq!(cache_store::Head::FILL_ID_LEN, 8);
    /// ```
    pub const FILL_ID_LEN: usize = 8;

    /// What a head ends with.
    ///
    /// ```
    /// assert_eq!(&cache_store::Head::MAGIC, b"LRDR");
    /// ```
    pub const MAGIC: [u8; 4] = *b"LRDR";

    /// The head of these bytes; `None` when they are not an entry's.
    ///
    /// See [`Head`] for an example.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let key_nonce = Nonce::from_bytes(bytes)?;
        let pattern_nonce = Nonce::from_bytes(&bytes[Nonce::LEN..])?;
        let (fill_id, rest) = bytes[2 * Nonce::LEN..].split_first_chunk()?;
        rest.starts_with(&Self::MAGIC).then_some(Self {
            key_nonce,
            pattern_nonce,
            fill_id: *fill_id,
        })
    }
}
