//! LZ4 blocks. The one file that names `lz4_flex`, whose safe encoder and decoder are compiled in.

use lz4_flex::block;

/// The compressed bytes.
pub(super) fn compress(raw: &[u8]) -> Vec<u8> {
    block::compress(raw)
}

/// What was compressed, into a buffer of exactly this length; `None` when it does not fit, or is none.
pub(super) fn decompress(stream: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut raw = vec![0; length];
    let written = block::decompress_into(stream, &mut raw).ok()?;
    raw.truncate(written);
    Some(raw)
}
