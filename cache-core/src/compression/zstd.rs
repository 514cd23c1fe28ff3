//! Zstandard. The one file that names `zstd`, which binds the reference library (C), without its legacy formats.

use ::zstd::bulk;
use cache_store::{Error, ErrorKind, Result};

/// The library's own default.
const LEVEL: i32 = 3;

/// The compressed bytes.
pub(super) fn compress(raw: &[u8]) -> Result<Vec<u8>> {
    bulk::compress(raw, LEVEL).map_err(|cause| {
        Error::new(ErrorKind::Codec, format!("zstd cannot compress the value: {cause}"))
            .with_source(cause)
    })
}

/// What was compressed, in at most `length` bytes; `None` when it does not fit, or is none. In one go, into the buffer
/// of the result: what the frame says of its window reserves nothing.
pub(super) fn decompress(stream: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut raw = Vec::with_capacity(length);
    bulk::Decompressor::new().ok()?.decompress_to_buffer(stream, &mut raw).ok()?;
    Some(raw)
}
