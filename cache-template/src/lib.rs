//! Key templates and glob patterns.
//!
//! A *template* such as `user:{user_id}` says how a cache key is made from a function's arguments; a *glob* such as
//! `users:list:*` says which keys an invalidation means. This crate parses both, says what is wrong with them in the
//! words of whoever wrote them, and owns the one rule that keeps keys apart: which characters of a value are escaped.
//!
//! It depends on nothing, because the attribute macros need it while they compile and the engine needs it at run time.
//!
//! ```
//! use cache_template::{Glob, Template};
//!
//! let template = Template::parse("user:{user_id}")?;
//! assert_eq!(template.literals(), ["user:", ""]);
//!
//! let everything = Glob::from_template(&["user:", ""]);
//! assert!(everything.matches("user:42"));
//! assert!(!everything.matches("user:42:friends"));
//! # Ok::<(), Vec<cache_template::TemplateError>>(())
//! ```

mod duration;
mod error;
mod escape;
mod glob;
mod machine;
mod overlap;
mod parse;
mod separators;
mod shorten;
mod suggest;
mod template;

pub use duration::{DurationError, DurationErrorKind, parse_duration, parse_ttl};
pub use error::{TemplateError, TemplateErrorKind};
pub use escape::{escape_into, is_reserved};
pub use glob::{Glob, GlobError, GlobErrorKind};
pub use overlap::{Texts, Values};
pub use separators::Alphabet;
pub use shorten::{DIGEST_CHARS, MARKER, MAX_KEY_BYTES, head_of, shortened_head};
pub use suggest::{caret, closest};
pub use template::{Field, Format, Piece, Placeholder, Root, Template};
