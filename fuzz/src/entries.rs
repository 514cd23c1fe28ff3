//! The bytes of an entry, and what is done to its payload.

use std::sync::LazyLock;

use cache_core::{
    __fuzz::{Opened, Parts, decompress, mend_checksum, open, seal},
    Compression, EncryptionKeys,
};
use cache_store::{Head, Recorded};

use crate::first;

const KEY: &str = "user:42";
const LIMIT: usize = 1 << 20;
const ALGORITHMS: [Compression; 3] = [Compression::None, Compression::Lz4, Compression::Zstd];

/// Keys of the process; what was sealed with them cannot be known beforehand.
static KEYS: LazyLock<EncryptionKeys> = LazyLock::new(|| {
    let keys = EncryptionKeys::new(1, &[7; 32]).and_then(|keys| keys.and_reads(2, &[9; 32]));
    keys.unwrap_or_else(|error| panic!("{error}"))
});

fn parts<'a>(payload: &'a [u8], tags: &'a [&'a str]) -> Parts<'a> {
    Parts {
        key: KEY,
        prefix: "cache:",
        tags,
        payload,
        negative: false,
        compression: Compression::None,
        keys: None,
        max_value_bytes: LIMIT,
    }
}

/// Any bytes, as they are and behind a right checksum.
pub(crate) fn envelope(bytes: &[u8]) {
    let reader = parts(&[], &[]);
    let encrypted = Parts { keys: Some(&KEYS), ..reader.clone() };
    let mut bytes = bytes.to_vec();
    let _ = Head::parse(&bytes);
    let _ = open(&reader, &bytes);
    mend_checksum(KEY, &mut bytes);
    if let Some(opened) = open(&reader, &bytes) {
        assert!(opened.payload.len() <= LIMIT);
        assert!(opened.tags.iter().map(String::len).sum::<usize>() <= bytes.len());
    }
    // Nobody knows the keys.
    assert_eq!(open(&encrypted, &bytes), None);
    if let Ok(text) = str::from_utf8(&bytes) {
        let _ = Recorded::from_text(text);
    }
}

/// Whatever is written comes back, under its own key alone.
pub(crate) fn round_trip(mut bytes: &[u8]) {
    let options = first(&mut bytes);
    let copies = usize::from(first(&mut bytes) % 16) + 1;
    let (text, payload) = bytes.split_at(bytes.len().min(usize::from(options >> 5) * 8));
    let text = String::from_utf8_lossy(text);
    let tags: Vec<&str> = text.split(',').collect();
    let negative = options & 1 != 0;
    let payload = if negative { Vec::new() } else { payload.repeat(copies) };
    let keys = (options & 2 != 0).then_some(&*KEYS);
    let compression = ALGORITHMS[usize::from(options >> 2) % 3];
    let parts = Parts { negative, compression, keys, ..parts(&payload, &tags) };
    let Ok(stored) = seal(&parts) else {
        assert!(payload.len() > LIMIT || tags.len() > 1024);
        return;
    };
    let tags = tags.iter().map(ToString::to_string).collect();
    let expected = Opened { tags, payload: payload.clone(), negative };
    assert_eq!(open(&parts, &stored), Some(expected));
    assert_eq!(open(&Parts { key: "user:43", ..parts.clone() }, &stored), None);
    let other = if keys.is_some() { None } else { Some(&*KEYS) };
    assert_eq!(open(&Parts { keys: other, ..parts.clone() }, &stored), None, "no downgrade");
    if keys.is_some() {
        assert_eq!(open(&Parts { prefix: "other:", ..parts.clone() }, &stored), None);
    }
}

/// A sealed entry that is changed anywhere but in the key's nonce, with a right checksum, is never opened.
pub(crate) fn encryption(bytes: &[u8]) {
    let payload =
        b"a payload that is long enough to be compressed, compressed, compressed, compressed";
    let options = bytes.first().copied().unwrap_or_default();
    let compression = ALGORITHMS[usize::from(options) % 3];
    let sealed = Parts { compression, keys: Some(&KEYS), ..parts(payload, &["user", "tenant:1"]) };
    let Ok(stored) = seal(&sealed) else { panic!("it is small") };
    let mut changed = stored.clone();
    for edit in bytes[bytes.len().min(1)..].chunks(3) {
        match edit {
            [at, high, mask] => {
                let at = (usize::from(*at) | usize::from(*high) << 8) % changed.len();
                changed[at] ^= mask;
            }
            // The rest is put in the place of the end.
            rest => {
                let keep = changed.len() - usize::from(rest[0]).min(changed.len() - 24);
                changed.truncate(keep);
                changed.extend_from_slice(rest);
            }
        }
    }
    mend_checksum(KEY, &mut changed);
    let same = changed[16..] == stored[16..];
    assert_eq!(open(&sealed, &changed).is_some(), same);
    let plain = Parts { keys: None, ..sealed.clone() };
    if let Some(opened) = open(&plain, &changed) {
        assert_ne!(opened.payload, payload, "sealed, and read without keys");
    }
}

/// A stream of bytes for each algorithm, never beyond its limit.
pub(crate) fn compression(mut bytes: &[u8]) {
    let compression = ALGORITHMS[usize::from(first(&mut bytes)) % 3];
    let limit = 1 << (first(&mut bytes) % 21);
    if let Ok(raw) = decompress(compression, bytes, limit) {
        assert!(raw.len() <= limit);
        assert!(raw.len() <= bytes.len() * 1024);
    }
    // With a length that fits, so that the stream itself is looked at.
    let behind = |length: u32| [&length.to_le_bytes()[..], bytes].concat();
    for length in [bytes.len() as u32, 64, 4096] {
        if let Ok(raw) = decompress(compression, &behind(length), LIMIT) {
            assert_eq!(raw.len(), length as usize);
        }
    }
}
