//! The form of keys that were too long to be kept whole.

/// A rendered key of more bytes than this is shortened.
///
/// ```
/// assert_eq!(cache_template::MAX_KEY_BYTES, 200);
/// ```
pub const MAX_KEY_BYTES: usize = 200;

/// What stands between the head of a shortened key and its digest. No escape produces it and no template may contain
/// it, so a shortened key is never taken for another one.
///
/// ```
/// assert_eq!(cache_template::MARKER, "%#");
/// ```
pub const MARKER: &str = "%#";

/// Hexadecimal digits of the 128-bit digest that ends a shortened key.
///
/// ```
/// assert_eq!(cache_template::DIGEST_CHARS * 4, 128); // bits
/// ```
pub const DIGEST_CHARS: usize = 32;

const TAIL: usize = MARKER.len() + DIGEST_CHARS;

/// The beginning of a long key that stays readable when the key is shortened: up to its last `:` that fits, so that
/// prefix patterns go on matching, or as many characters as fit.
///
/// ```
/// let key = format!("user:42:{}", "x".repeat(300));
/// assert_eq!(cache_template::head_of(&key), "user:42:");
/// ```
#[must_use]
pub fn head_of(key: &str) -> &str {
    let room = &key[..key.floor_char_boundary(MAX_KEY_BYTES - TAIL)];
    match room.rfind(':') {
        Some(colon) => &room[..=colon],
        None => room,
    }
}

/// The head of a key that was shortened; `None` for a key that is whole.
///
/// ```
/// let key = "user:%#00000000000000000000000000000000";
/// assert_eq!(cache_template::shortened_head(key), Some("user:"));
/// assert_eq!(cache_template::shortened_head("user:42"), None);
/// ```
#[must_use]
pub fn shortened_head(key: &str) -> Option<&str> {
    let (head, tail) = key.split_at_checked(key.len().checked_sub(TAIL)?)?;
    let digest = tail.strip_prefix(MARKER)?;
    digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_without_a_colon_is_as_long_as_fits() {
        let key = "é".repeat(150);
        assert_eq!(head_of(&key).len() + TAIL, MAX_KEY_BYTES);
        assert_eq!(head_of(&format!("a{key}")).len() + TAIL, MAX_KEY_BYTES - 1);
    }

    #[test]
    fn only_a_marker_with_a_whole_digest_makes_a_shortened_key() {
        let digest = "0123456789abcdef0123456789abcdef";
        assert_eq!(shortened_head(&format!("a:%#{digest}")), Some("a:"));
        assert_eq!(shortened_head(&format!("%#{digest}")), Some(""));
        assert_eq!(shortened_head(&format!("a:%#{}", &digest[1..])), None);
        assert_eq!(shortened_head(&format!("a:%#{}", digest.to_uppercase())), None);
        assert_eq!(shortened_head(&format!("a:{digest}")), None);
        assert_eq!(shortened_head(&"é".repeat(18)), None);
    }
}
