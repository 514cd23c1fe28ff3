//! Keys: what an argument looks like in one, and how a rendered key is looked up.
//!
//! A key is literal text with a rendered value in each placeholder. What a value may look like:
//!
//! | value | in the key |
//! |---|---|
//! | numbers, `bool`, `char`, text | as written, reserved characters percent-escaped |
//! | empty text | `%~` |
//! | `None` | `%-`; `Some(x)` is `x`, and `Some(None)` is `%-%-` |
//! | tuples, arrays, slices, collections with an order | `%(a%,b%)` |
//! | what a [`KeyPart::render`] of your own wrote in several steps | `%<a%,b%>` |
//!
//! No escape of a character looks like one of these, so for every type two different values render differently,
//! however they are nested. A key of more than 200 bytes keeps its beginning and ends in `%#` and a digest of the
//! whole.
//!
//! ```
//! use larder::key::KeyTemplate;
//!
//! let template = KeyTemplate::parse("search:{text}:{page}")?;
//! let of = |text: &str, page: Option<u32>| template.render(&[("text", &text), ("page", &page)]);
//! assert_eq!(of("a:b", Some(2))?, "search:a%3Ab:2");
//! assert_eq!(of("", None)?, "search:%~:%-");
//! # Ok::<(), larder::Error>(())
//! ```

mod buffer;
mod bytes;
mod canonical;
mod collections;
mod digits;
mod fingerprint;
mod generated;
mod hashed;
mod here;
mod lookup;
mod part;
mod std_types;
mod template;
mod type_part;
mod writer;

#[doc(hidden)]
pub use fingerprint::Fingerprint;
#[doc(hidden)]
pub use generated::{hashed, part, rendered, type_part};
pub use hashed::Hashed;
#[doc(hidden)]
pub use here::{Here, Marker, marker};
pub use part::KeyPart;
pub use template::KeyTemplate;
pub use type_part::TypePart;
pub use writer::KeyWriter;

pub(crate) use {
    buffer::KeyBuffer,
    generated::render,
    lookup::{Key, KeyHasher, KeyRef, Types, raw_key, render_key},
};

#[cfg(test)]
mod tests;
