//! The engine of Larder: the memory tier, single flight, fences, codecs, and the handles that users hold.
//!
//! Users depend on the `larder` crate, which re-exports what is public here.

pub mod key;

mod codec;
#[allow(dead_code, reason = "written for the engine")]
mod config;
mod env;
#[allow(dead_code, reason = "written for the engine")]
mod envelope;
#[allow(dead_code, reason = "written for the engine")]
mod events;
#[allow(dead_code, reason = "written for the engine")]
mod runtime;
#[allow(dead_code, reason = "written for the engine")]
mod stats;

pub use codec::Codec;
pub use config::{Backend, CacheConfig};
pub use events::{Event, Events};
pub use stats::Stats;
