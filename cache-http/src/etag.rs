//! Entity tags, and whether a client has one already (RFC 9110, section 13.1.2).

use http::{HeaderValue, header::InvalidHeaderValue};

/// The tag of a body that came without one: its BLAKE3.
pub(crate) fn of(body: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
    let digest = blake3::hash(body).to_hex();
    HeaderValue::from_str(&format!("\"{}\"", &digest[..32]))
}

/// Whether `If-None-Match` lists the tag, by the weak comparison.
pub(crate) fn is_among<'a>(
    etag: &HeaderValue,
    listed: impl IntoIterator<Item = &'a HeaderValue>,
) -> bool {
    let etag = opaque(etag.as_bytes());
    listed.into_iter().any(|line| {
        let line = line.as_bytes();
        line.trim_ascii() == b"*" || tags(line).any(|tag| tag == etag)
    })
}

/// The tag without the sign of weakness.
fn opaque(etag: &[u8]) -> &[u8] {
    let etag = etag.trim_ascii();
    etag.strip_prefix(b"W/").unwrap_or(etag)
}

/// The tags of a list, without signs of weakness; there may be commas inside quotes.
fn tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let open = rest.iter().position(|byte| *byte == b'"')?;
        let length = rest[open + 1..].iter().position(|byte| *byte == b'"')?;
        let tag = &rest[open..open + length + 2];
        rest = &rest[open + length + 2..];
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(list: &'static str, etag: &'static str) -> bool {
        is_among(&HeaderValue::from_static(etag), [&HeaderValue::from_static(list)])
    }

    #[test]
    fn a_tag_is_found_in_a_list_whatever_its_weakness_and_its_commas() {
        assert!(lists("\"a\"", "\"a\""));
        assert!(lists("W/\"a\"", "\"a\"") && lists("\"a\"", "W/\"a\""));
        assert!(lists("\"x\", W/\"a,b\" , \"y\"", "\"a,b\""));
        assert!(lists(" * ", "\"a\""));
        assert!(!lists("\"a,b\"", "\"a\"") && !lists("\"ab\"", "\"a\""));
        assert!(!lists("a", "\"a\"") && !lists("\"a", "\"a\"") && !lists("", "\"a\""));
    }
}
