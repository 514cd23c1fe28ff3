use std::any::TypeId;

use arrayvec::ArrayVec;

use super::{KeyPart, buffer::KeyBuffer};

/// Arguments in a binary form that is made faster than text; the front of the memory tier compares it.
///
/// It is exact, not a digest: at one call site, equal words and types mean that the rendered keys are equal. Every
/// value begins with a word that tells its kind and where it ends, so generic call sites are covered too. It has room for
/// 24 words on the stack; what is longer [fails](Self::failed).
#[doc(hidden)]
pub struct Fingerprint {
    words: ArrayVec<u64, 24>,
    types: ArrayVec<TypeId, 4>,
    failed: bool,
}

#[repr(u8)]
enum Kind {
    Small,
    Unsigned,
    Negative,
    Wide,
    Text,
    Bool,
    Char,
    Float,
    Double,
    Items,
    None,
    Some,
    Rendered,
    Type,
    #[cfg(feature = "uuid")]
    Identifier,
}

impl Fingerprint {
    #[inline(always)]
    #[must_use]
    pub const fn new() -> Self {
        Self { words: ArrayVec::new_const(), types: ArrayVec::new_const(), failed: false }
    }

    /// In place, for what is returned is copied whole.
    #[inline(always)]
    pub(crate) fn parts(&mut self, parts: &[&dyn KeyPart]) {
        parts.iter().for_each(|part| part.fingerprint(self));
    }

    #[inline]
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    #[inline]
    #[must_use]
    pub fn types(&self) -> &[TypeId] {
        &self.types
    }

    /// Whether the arguments are too long, or cannot be in a key; the fingerprint then means nothing.
    #[inline]
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// A number that is likely to differ where the words do. It is not seeded: whoever chooses arguments can make it the same,
    /// so that they take each other's places, and no more.
    #[inline]
    #[must_use]
    pub fn tag(&self) -> u64 {
        let (pairs, last) = self.words().as_chunks();
        let of_pairs = pairs.iter().fold(0, |tag: u64, [one, two]| {
            tag.rotate_left(23) ^ folded(one ^ 0x2d35_8dcc_aa6c_78a5, two ^ 0x8bb8_4b93_962e_acc9)
        });
        last.iter().fold(of_pairs, |tag, word| {
            tag.rotate_left(23) ^ folded(word ^ 0x2d35_8dcc_aa6c_78a5, 0x9e37_79b9_7f4a_7c15)
        })
    }

    #[inline]
    pub fn part(&mut self, part: &(impl KeyPart + ?Sized)) {
        part.fingerprint(self);
    }

    #[inline]
    pub fn variant(&mut self, name: &str) {
        self.str(name);
    }

    #[inline(always)]
    pub(super) fn str(&mut self, text: &str) {
        self.lengthy(Kind::Text, text.as_bytes());
    }

    /// A type; its name is not needed, because the types are compared.
    #[inline]
    pub(super) fn type_id(&mut self, id: TypeId) {
        self.head(Kind::Type, 0);
        self.failed |= self.types.try_push(id).is_err();
    }

    /// The sixteen bytes of an identifier.
    #[cfg(feature = "uuid")]
    #[inline]
    pub(super) fn bytes(&mut self, bytes: &[u8; 16]) {
        self.lengthy(Kind::Identifier, bytes);
    }

    /// What a value renders, for types that have no form of their own.
    pub(super) fn rendered(&mut self, part: &(impl KeyPart + ?Sized)) {
        let mut buffer = KeyBuffer::new();
        buffer.part(part);
        self.lengthy(Kind::Rendered, buffer.text.as_slice());
        self.failed |= self.types.try_extend_from_slice(&buffer.types).is_err();
        self.failed |= buffer.failure().is_some();
    }

    #[inline(always)]
    pub(super) fn u64(&mut self, value: u64) {
        if value >> 56 == 0 {
            self.head(Kind::Small, value);
        } else {
            self.pair(Kind::Unsigned, value);
        }
    }

    #[inline]
    pub(super) fn i64(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.u64(value),
            Err(_) => self.pair(Kind::Negative, value.cast_unsigned()),
        }
    }

    /// A number that 64 bits do not hold.
    pub(super) fn wide(&mut self, negative: bool, magnitude: u128) {
        self.head(Kind::Wide, u64::from(negative));
        self.word(magnitude as u64);
        self.word((magnitude >> 64) as u64);
    }

    #[inline]
    pub(super) fn bool(&mut self, value: bool) {
        self.head(Kind::Bool, u64::from(value));
    }

    #[inline]
    pub(super) fn char(&mut self, value: char) {
        self.head(Kind::Char, u64::from(u32::from(value)));
    }

    #[inline]
    pub(super) fn f32(&mut self, bits: u32) {
        self.head(Kind::Float, u64::from(bits));
    }

    #[inline]
    pub(super) fn f64(&mut self, bits: u64) {
        self.pair(Kind::Double, bits);
    }

    #[inline]
    pub(super) fn items(&mut self, count: usize) {
        self.head(Kind::Items, count as u64);
    }

    #[inline]
    pub(super) fn none(&mut self) {
        self.head(Kind::None, 0);
    }

    #[inline]
    pub(super) fn some(&mut self, part: &(impl KeyPart + ?Sized)) {
        self.head(Kind::Some, 0);
        part.fingerprint(self);
    }

    #[inline(always)]
    fn pair(&mut self, kind: Kind, value: u64) {
        self.head(kind, 0);
        self.word(value);
    }

    /// `low` is a length or a value below 2⁵⁶; no text is longer than that.
    #[inline(always)]
    fn head(&mut self, kind: Kind, low: u64) {
        self.word((kind as u64) << 56 | low);
    }

    /// The bytes as words. The last word overlaps the one before where the length is no multiple of eight, which is exact
    /// because the length is known, and needs no copy of a varying number of bytes.
    #[inline(always)]
    fn lengthy(&mut self, kind: Kind, bytes: &[u8]) {
        self.head(kind, bytes.len() as u64);
        if let Some(last) = bytes.last_chunk() {
            let (words, rest) = bytes.as_chunks();
            words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
            if !rest.is_empty() {
                self.word(u64::from_le_bytes(*last));
            }
        } else if !bytes.is_empty() {
            self.word(short(bytes));
        }
    }

    #[inline(always)]
    fn word(&mut self, word: u64) {
        self.failed |= self.words.try_push(word).is_err();
    }
}

/// The halves of a product depend on all bits of both factors (wyhash).
#[inline(always)]
fn folded(one: u64, two: u64) -> u64 {
    let product = u128::from(one) * u128::from(two);
    (product as u64) ^ ((product >> 64) as u64)
}

/// One to seven bytes in a word.
#[inline(always)]
fn short(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
        }
        _ => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self::new()
    }
}
