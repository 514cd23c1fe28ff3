mod fingerprints;
mod hashes;
mod injectivity;
mod lookups;
mod renderings;
mod templates;

use super::{KeyBuffer, KeyPart};

/// What a value looks like in a key.
fn rendered(part: &dyn KeyPart) -> String {
    let mut buffer = KeyBuffer::new();
    buffer.part(part);
    buffer.as_str().to_owned()
}
