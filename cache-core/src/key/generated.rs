//! What generated code calls, and the text that tags and patterns are made of.

use serde::Serialize;

use super::{Hashed, KeyBuffer, KeyPart, KeyWriter, TypePart};

/// An argument as a part of a key.
#[doc(hidden)]
#[inline]
#[must_use]
pub fn part<T: KeyPart>(value: &T) -> &dyn KeyPart {
    value
}

/// `{arg:hash}`.
#[doc(hidden)]
#[must_use]
pub fn hashed<T: Serialize + ?Sized>(value: &T) -> Hashed<'_, T> {
    Hashed::new(value)
}

/// `{T}` and `{Self}`.
#[doc(hidden)]
#[must_use]
pub fn type_part<T: ?Sized + 'static>() -> TypePart<T> {
    TypePart::new()
}

/// A part that was rendered before.
#[doc(hidden)]
#[must_use]
pub fn rendered(text: &str) -> Rendered<'_> {
    Rendered(text)
}

/// Text that is escaped already.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Rendered<'a>(&'a str);

impl KeyPart for Rendered<'_> {
    fn render(&self, out: &mut KeyWriter<'_>) {
        out.plain(self.0);
    }
}

/// Literals with a part between each two, of any length: the text of tags and patterns.
pub(crate) fn render(literals: &[&str], parts: &[&dyn KeyPart]) -> String {
    let mut buffer = KeyBuffer::new();
    for (at, literal) in literals.iter().enumerate() {
        buffer.literal(literal);
        if let Some(part) = parts.get(at) {
            buffer.part(*part);
        }
    }
    buffer.as_str().to_owned()
}
