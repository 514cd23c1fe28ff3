//! Tools to test a [`Store`](crate::Store) and whatever is built on one (feature `testing`).
//!
//! - [`MemoryStore`] is a shared tier inside the process: the whole protocol, a clock that
//!   `tokio::time::pause` stops, and a count of round trips.
//! - [`ChaosStore`] wraps any store and makes it fail, hang, answer late, lose requests and replies, or hand out
//!   damaged bytes, by name or at random from a seed.
//! - [`conformance`] is the behaviour suite that every store must pass, one named test for each case:
//!   [`conformance_tests!`](crate::conformance_tests).

mod chaos;
pub mod conformance;
mod memory;
mod operation;

pub use chaos::{ChaosStore, Fault, Gate};
pub use memory::{MemoryStore, Snapshot};
pub use operation::{Calls, Operation};
