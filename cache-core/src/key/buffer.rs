use std::{any::TypeId, fmt};

use smallvec::SmallVec;

use super::{KeyPart, KeyWriter, bytes::Bytes};

/// A key while it is rendered; on the stack unless it is unusually long.
pub(crate) struct KeyBuffer {
    /// UTF-8; bytes, because a lookup compares them and has no need to check them.
    pub(super) text: Bytes<256>,
    pub(super) types: SmallVec<[TypeId; 2]>,
    pub(super) failure: Option<Box<str>>,
}

impl KeyBuffer {
    /// An empty buffer.
    #[inline]
    pub(crate) fn new() -> Self {
        Self { text: Bytes::new(), types: SmallVec::new(), failure: None }
    }

    /// Empties it for the next key.
    #[allow(dead_code)]
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.types.clear();
        self.failure = None;
    }

    /// Adds literal text of a template, as it is.
    #[inline]
    pub(crate) fn literal(&mut self, text: &str) {
        self.push(text);
    }

    /// Adds the value of a placeholder.
    #[inline]
    pub(crate) fn part(&mut self, part: &(impl KeyPart + ?Sized)) {
        KeyWriter::fill(self, |out| part.render(out));
    }

    /// Why a value could not be rendered; the key then matches nothing.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    #[inline]
    pub(super) fn push(&mut self, text: &str) {
        self.text.extend(text.as_bytes());
    }

    pub(super) fn as_str(&self) -> &str {
        // Only whole `&str`s are pushed, and marks are inserted between them.
        std::str::from_utf8(self.text.as_slice()).expect("a key is UTF-8")
    }
}

impl fmt::Write for KeyBuffer {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}
