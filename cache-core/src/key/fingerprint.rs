use std::any::TypeId;

use smallvec::SmallVec;

use super::{KeyPart, buffer::KeyBuffer, bytes::Bytes, lookup};

/// Arguments in a binary form that is made faster than text; a front of the memory tier compares it.
///
/// It is exact, not a digest: at one call site, equal bytes and types mean that the rendered keys are equal. Every
/// value begins with its kind and shows its own end, so generic call sites are covered too.
#[doc(hidden)]
pub struct Fingerprint {
    bytes: Bytes<96>,
    types: SmallVec<[TypeId; 2]>,
    failed: bool,
}

#[repr(u8)]
enum Kind {
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
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Bytes::new(), types: SmallVec::new(), failed: false }
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    #[must_use]
    pub fn types(&self) -> &[TypeId] {
        &self.types
    }

    /// Whether a value could not be rendered; the fingerprint then means nothing.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// A hash of the bytes with this process's seed.
    #[must_use]
    pub fn hash(&self) -> u64 {
        lookup::hash(self.bytes.as_slice())
    }

    #[inline]
    pub fn part(&mut self, part: &(impl KeyPart + ?Sized)) {
        part.fingerprint(self);
    }

    #[inline]
    pub fn variant(&mut self, name: &str) {
        self.str(name);
    }

    #[inline]
    pub(super) fn str(&mut self, text: &str) {
        self.lengthy(Kind::Text, text.as_bytes());
    }

    /// A type; its name is not needed, because the types are compared.
    #[inline]
    pub(super) fn type_id(&mut self, id: TypeId) {
        self.fixed(Kind::Type, []);
        self.types.push(id);
    }

    /// The sixteen bytes of an identifier.
    #[cfg(feature = "uuid")]
    #[inline]
    pub(super) fn bytes(&mut self, bytes: &[u8; 16]) {
        self.fixed(Kind::Identifier, *bytes);
    }

    /// What a value renders, for types that have no form of their own.
    pub(super) fn rendered(&mut self, part: &(impl KeyPart + ?Sized)) {
        let mut buffer = KeyBuffer::new();
        buffer.part(part);
        self.lengthy(Kind::Rendered, buffer.text.as_slice());
        self.types.extend_from_slice(&buffer.types);
        self.failed |= buffer.failure().is_some();
    }

    #[inline]
    pub(super) fn u64(&mut self, value: u64) {
        self.fixed(Kind::Unsigned, value.to_le_bytes());
    }

    #[inline]
    pub(super) fn i64(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.u64(value),
            Err(_) => self.fixed(Kind::Negative, value.to_le_bytes()),
        }
    }

    /// A number that 64 bits do not hold.
    pub(super) fn wide(&mut self, negative: bool, magnitude: u128) {
        self.fixed(Kind::Wide, [u8::from(negative)]);
        self.bytes.extend(&magnitude.to_le_bytes());
    }

    #[inline]
    pub(super) fn bool(&mut self, value: bool) {
        self.fixed(Kind::Bool, [u8::from(value)]);
    }

    #[inline]
    pub(super) fn char(&mut self, value: char) {
        self.fixed(Kind::Char, u32::from(value).to_le_bytes());
    }

    #[inline]
    pub(super) fn f32(&mut self, bits: u32) {
        self.fixed(Kind::Float, bits.to_le_bytes());
    }

    #[inline]
    pub(super) fn f64(&mut self, bits: u64) {
        self.fixed(Kind::Double, bits.to_le_bytes());
    }

    #[inline]
    pub(super) fn items(&mut self, count: usize) {
        self.fixed(Kind::Items, (count as u64).to_le_bytes());
    }

    #[inline]
    pub(super) fn none(&mut self) {
        self.fixed(Kind::None, []);
    }

    #[inline]
    pub(super) fn some(&mut self, part: &(impl KeyPart + ?Sized)) {
        self.fixed(Kind::Some, []);
        part.fingerprint(self);
    }

    #[inline]
    fn fixed<const N: usize>(&mut self, kind: Kind, bytes: [u8; N]) {
        self.bytes.extend(&[kind as u8]);
        self.bytes.extend(&bytes);
    }

    #[inline]
    fn lengthy(&mut self, kind: Kind, bytes: &[u8]) {
        self.fixed(kind, (bytes.len() as u64).to_le_bytes());
        self.bytes.extend(bytes);
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self::new()
    }
}
