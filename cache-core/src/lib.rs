//! The engine of Larder: the memory tier, single flight, fences, codecs, and the handles that users hold.
//!
//! Users depend on the `larder` crate, which re-exports what is public here.

#[allow(dead_code)] // used by the engine
pub mod clock;
#[allow(dead_code)] // used by the engine
mod fence;
#[allow(dead_code, unused_imports)] // used by the engine
mod flight;
pub mod key;
#[allow(dead_code, unused_imports)] // used by the engine
mod memory;
#[allow(dead_code)] // used by the engine
mod sync;
