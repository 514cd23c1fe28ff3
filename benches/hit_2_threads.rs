//! A hit in memory, on two threads at once: what each of them waits for the other.
//!
//! `cargo bench -p larder-benches --bench hit_2_threads`

#[path = "fixtures/products.rs"]
mod products;

use larder_benches::{Comparison, Target};
use products::{CACHED, MOKA, Shelf};

fn main() -> larder::Result<()> {
    let shelf = Shelf::filled()?;
    Comparison::new("hit_2_threads", "A hit in memory, on two threads at once", 100_000)
        .with_all(shelf.candidates(2, &[Target::at_most(0.40, MOKA), Target::below(CACHED)]))
        .run();
    Ok(())
}
