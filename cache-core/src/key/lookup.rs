//! Rendered keys: shortened where they are long, hashed once, compared by their text.

use std::{
    any::TypeId,
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Arc, LazyLock},
};

use cache_store::{Error, ErrorKind, Result};
use cache_template::{DIGEST_CHARS, MARKER, MAX_KEY_BYTES, head_of};
use equivalent::Equivalent;
use foldhash::{SharedSeed, quality::FoldHasher};

use super::{KeyPart, buffer::KeyBuffer};

/// The types that are part of a key by their name only; names are not unique, so whoever serves an entry compares these.
pub(crate) type Types = Option<Arc<[TypeId]>>;

/// A key that is kept: what the memory tier stores entries under. Cheap to clone.
///
/// Equal by its text alone, so that whoever knows the text can take the entry out.
#[derive(Clone)]
pub(crate) struct Key {
    hash: u64,
    text: Arc<str>,
    types: Types,
}

/// A key that is looked up, in the buffer where it was rendered.
#[derive(Clone, Copy)]
pub(crate) struct KeyRef<'a> {
    hash: u64,
    text: &'a [u8],
    types: &'a [TypeId],
}

/// Renders a key: `literals` are the text before, between and after the values of `parts`. Ask
/// [`KeyBuffer::failure`] before it is used.
pub(crate) fn render_key<'a>(
    literals: &[&str],
    parts: &[&dyn KeyPart],
    buffer: &'a mut KeyBuffer,
) -> KeyRef<'a> {
    debug_assert_eq!(literals.len(), parts.len() + 1, "one literal around each value");
    for (i, literal) in literals.iter().enumerate() {
        buffer.literal(literal);
        if let Some(part) = parts.get(i) {
            buffer.part(*part);
        }
    }
    buffer.finish()
}

/// A key that a user wrote by hand.
pub(crate) fn raw_key<'a>(text: &'a str, buffer: &'a mut KeyBuffer) -> Result<KeyRef<'a>> {
    if text.is_empty() {
        return Err(Error::new(
            ErrorKind::Template,
            "the key is empty: write for instance `user:42`",
        ));
    }
    if text.len() <= MAX_KEY_BYTES {
        return Ok(KeyRef { hash: hash(text.as_bytes()), text: text.as_bytes(), types: &[] });
    }
    buffer.literal(text);
    Ok(buffer.finish())
}

impl KeyBuffer {
    /// The key that was rendered into it.
    #[inline]
    pub(crate) fn finish(&mut self) -> KeyRef<'_> {
        if self.text.len() > MAX_KEY_BYTES {
            self.shorten();
        }
        KeyRef { hash: hash(self.text.as_slice()), text: self.text.as_slice(), types: &self.types }
    }

    #[cold]
    fn shorten(&mut self) {
        let digest = blake3::hash(self.text.as_slice()).to_hex();
        self.text.truncate(head_of(self.as_str()).len());
        self.push(MARKER);
        self.push(&digest[..DIGEST_CHARS]);
    }
}

impl<'a> KeyRef<'a> {
    /// The text, as it stands in the shared tier.
    pub(crate) fn text(&self) -> &'a str {
        // Made from a `&str`, or in a `KeyBuffer`, which holds nothing else.
        std::str::from_utf8(self.text).expect("a key is UTF-8")
    }

    /// A hash of the text with this process's seed.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The types in the key.
    pub(crate) fn types(&self) -> &'a [TypeId] {
        self.types
    }

    /// Whether it is the key with this text, and so with this hash.
    #[inline]
    pub(crate) fn is(&self, hash: u64, text: &str) -> bool {
        self.hash == hash && self.text == text.as_bytes()
    }

    /// The key to keep.
    pub(crate) fn to_key(self) -> Key {
        let types = (!self.types.is_empty()).then(|| self.types.into());
        Key { hash: self.hash, text: self.text().into(), types }
    }
}

impl Key {
    /// The text, as it stands in the shared tier.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// A hash of the text with this process's seed.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The types in the key.
    pub(crate) fn types(&self) -> &Types {
        &self.types
    }

    /// The text, to be kept without the types.
    pub(crate) fn into_text(self) -> Arc<str> {
        self.text
    }

    /// The same of a key that is needed still.
    pub(crate) fn shared_text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// The key to look up.
    pub(crate) fn as_ref(&self) -> KeyRef<'_> {
        KeyRef {
            hash: self.hash,
            text: self.text.as_bytes(),
            types: self.types.as_deref().unwrap_or_default(),
        }
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    #[inline]
    fn equivalent(&self, key: &Key) -> bool {
        self.is(key.hash, &key.text)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.text == other.text
    }
}

impl Eq for Key {}

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for KeyRef<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl fmt::Debug for KeyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.text()).finish()
    }
}

/// Hands the hash that a key carries to a map.
#[derive(Clone, Copy, Default)]
pub(crate) struct KeyHasher(u64);

impl BuildHasher for KeyHasher {
    type Hasher = Self;

    #[inline]
    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for KeyHasher {
    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    /// Never called for keys, which write one `u64`.
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= hash(bytes);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// Seeded from the operating system, because foldhash's own seed comes from the clock and addresses alone.
static SEED: LazyLock<(u64, SharedSeed)> = LazyLock::new(|| {
    let random = RandomState::new();
    (random.hash_one(0), SharedSeed::from_u64(random.hash_one(1)))
});

/// A hash of these bytes that differs from process to process.
#[inline]
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let (seed, shared) = &*SEED;
    let mut hasher = FoldHasher::with_seed(*seed, shared);
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
impl Key {
    /// A key with a hash of the test's choice.
    pub(super) fn with_hash(text: &str, hash: u64) -> Self {
        Self { hash, text: text.into(), types: None }
    }
}
