//! Side-by-side measurements: what the benches of this package are made of, and how their results are written down.

mod allocations;
mod effort;
mod record;
mod rounds;
mod sample;
mod table;
mod target;

pub use allocations::{Held, held};
pub use effort::Effort;
pub use record::{Quantity, RESULTS, Record, Row, Verdict, thousands};
pub use rounds::{Candidate, Comparison, block_on};
pub use sample::Sample;
pub use table::Table;
pub use target::Target;
