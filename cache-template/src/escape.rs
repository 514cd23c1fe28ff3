//! Percent-escaping of values: the rule that keeps a value from being taken for the text around it.

use std::fmt;

const UPPER_HEX: &[u8; 16] = b"0123456789ABCDEF";

/// How a byte of UTF-8 takes part in escaping.
#[derive(Clone, Copy)]
enum Class {
    Plain = 0,
    Reserved,
    /// Part of a character outside ASCII: only the whole character tells.
    Wide,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Wide; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = if is_reserved_ascii(byte as u8) { Class::Reserved } else { Class::Plain };
        byte += 1;
    }
    classes
};

const fn is_reserved_ascii(byte: u8) -> bool {
    byte <= b' '
        || byte == 0x7f
        || matches!(byte, b'%' | b':' | b'*' | b'?' | b'[' | b']' | b'{' | b'}' | b'\\')
}

/// Whether a value that contains this character is escaped: `%`, `:`, `*`, `?`, `[`, `]`, `{`, `}`, `\`, white space of
/// any script, and control characters (C0, U+007F, C1).
///
/// ```
/// assert!(cache_template::is_reserved(':'));
/// assert!(!cache_template::is_reserved('é'));
/// ```
#[must_use]
pub fn is_reserved(c: char) -> bool {
    if c.is_ascii() { is_reserved_ascii(c as u8) } else { c.is_whitespace() || c.is_control() }
}

/// Writes `text` with every [reserved](is_reserved) character as its UTF-8 bytes in the form `%XX` (RFC 3986, section
/// 2.1, with a set of its own). Letters of any script stay readable, and text without reserved characters is written
/// in one piece.
///
/// The result decodes to `text` and to nothing else, so two texts never look the same.
///
/// ```
/// let mut out = String::new();
/// cache_template::escape_into("1:2 né", &mut out)?;
/// assert_eq!(out, "1%3A2%20né");
/// # Ok::<(), std::fmt::Error>(())
/// ```
///
/// # Errors
///
/// Only those of `out`; a `String` has none.
#[inline]
pub fn escape_into(text: &str, out: &mut impl fmt::Write) -> fmt::Result {
    if is_plain(text.as_bytes()) { out.write_str(text) } else { escape_slowly(text, out) }
}

/// Eight at a time without a branch: this runs on every hit of a cache.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let (eights, rest) = bytes.as_chunks::<8>();
    let class = |seen, &byte: &u8| seen | CLASSES[usize::from(byte)] as u8;
    eights.iter().all(|eight| eight.iter().fold(0, class) == 0) && rest.iter().fold(0, class) == 0
}

fn escape_slowly(text: &str, out: &mut impl fmt::Write) -> fmt::Result {
    let mut written = 0;
    for (at, c) in text.char_indices().filter(|&(_, c)| is_reserved(c)) {
        out.write_str(&text[written..at])?;
        written = at + c.len_utf8();
        for byte in text.as_bytes()[at..written].iter().copied() {
            out.write_char('%')?;
            out.write_char(char::from(UPPER_HEX[usize::from(byte >> 4)]))?;
            out.write_char(char::from(UPPER_HEX[usize::from(byte & 15)]))?;
        }
    }
    out.write_str(&text[written..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        escape_into(text, &mut out).unwrap();
        out
    }

    fn decoded(text: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&first, tail)) = rest.split_first() {
            if first == b'%' {
                let hex = std::str::from_utf8(&tail[..2]).unwrap();
                bytes.push(u8::from_str_radix(hex, 16).unwrap());
                rest = &tail[2..];
            } else {
                bytes.push(first);
                rest = tail;
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn reserved_characters_become_their_utf8_bytes_in_hex() {
        assert_eq!(escaped("%:*?[]{}\\ "), "%25%3A%2A%3F%5B%5D%7B%7D%5C%20");
        assert_eq!(escaped("a\nb\u{7f}\u{85}"), "a%0Ab%7F%C2%85");
        assert_eq!(escaped("\u{2028}\u{3000}\u{a0}"), "%E2%80%A8%E3%80%80%C2%A0");
    }

    #[test]
    fn letters_of_any_script_stay_readable() {
        assert_eq!(escaped("Zoë-東京_1.0/~#,()"), "Zoë-東京_1.0/~#,()");
    }

    proptest! {
        #[test]
        fn an_escaped_text_decodes_to_itself_and_holds_no_reserved_character(text in any::<String>()) {
            let out = escaped(&text);
            prop_assert!(out.chars().all(|c| c == '%' || !is_reserved(c)));
            prop_assert_eq!(decoded(&out), text);
        }
    }
}
