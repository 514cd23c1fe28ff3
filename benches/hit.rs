//! A hit in memory, on one thread.
//!
//! `cargo bench -p larder-benches --bench hit`; with `--features allocations`, what it allocates.

#[path = "fixtures/products.rs"]
mod products;

use larder_benches::{Comparison, Target};
use products::{CACHED, MOKA, Shelf};

fn main() -> larder::Result<()> {
    let shelf = Shelf::filled()?;
    Comparison::new("hit", "A hit in memory", 50_000)
        .counted()
        .with_all(shelf.candidates(1, &[Target::at_most(0.30, MOKA), Target::below(CACHED)]))
        .run();
    Ok(())
}
