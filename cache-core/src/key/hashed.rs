use cache_store::{Error, ErrorKind, Result};
use cache_template::DIGEST_CHARS;
use serde::Serialize;

use super::{KeyPart, KeyWriter, canonical};

/// A value as a digest: `{arg:hash}` in an attribute.
///
/// The digest is 128 bits of [BLAKE3](https://github.com/BLAKE3-team/BLAKE3-specs) in hex over what `Serialize` says of the value, in a form of its own in which
/// maps have no order, `-0.0` is `0.0`, and every NaN is the same. It sees what serde sees: a field that is skipped, or
/// the variants of an untagged enum that serialize alike, do not count. A `HashSet` serializes as a sequence in no
/// fixed order and misses where it should hit; use a `BTreeSet`.
///
/// ```
/// use std::collections::HashMap;
/// use larder::key::Hashed;
///
/// let one = HashMap::from([("a", 1), ("b", 2)]);
/// let two = HashMap::from([("b", 2), ("a", 1)]);
/// assert_eq!(Hashed::new(&one).checked()?, Hashed::new(&two).checked()?);
/// # Ok::<(), larder::Error>(())
/// ```
pub struct Hashed<'a, T: ?Sized>(&'a T);

impl<'a, T: Serialize + ?Sized> Hashed<'a, T> {
    /// The part for this value.
    ///
    /// ```
    /// use larder::key::{Hashed, KeyTemplate};
    ///
    /// let filter = vec!["red", "green"];
    /// let key = KeyTemplate::parse("search:{0}")?.render_positional(&[&Hashed::new(&filter)])?;
    /// assert_eq!(key.len(), "search:".len() + 32);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[must_use]
    pub const fn new(value: &'a T) -> Self {
        Self(value)
    }

    /// The digest: 32 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`] if the value's `Serialize` fails.
    ///
    /// ```
    /// let digest = larder::key::Hashed::new("Ada").checked()?;
    /// assert_eq!(digest.len(), 32);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn checked(&self) -> Result<String> {
        canonical::digest(self.0).map(|digest| digest.to_hex()[..DIGEST_CHARS].to_owned()).map_err(
            |why| Error::new(ErrorKind::Codec, format!("the value cannot be hashed: {why}")),
        )
    }
}

impl<T: Serialize + ?Sized> KeyPart for Hashed<'_, T> {
    /// A value whose `Serialize` fails makes the key one that matches nothing.
    fn render(&self, out: &mut KeyWriter<'_>) {
        match canonical::digest(self.0) {
            Ok(digest) => out.plain(&digest.to_hex()[..DIGEST_CHARS]),
            Err(why) => out.fail(why),
        }
    }
}
