//! Models of what is concurrent in Larder: fences and single flight.
//!
//! [`real`] holds the very files of `larder-core`, compiled over [loom]'s atomics and locks, and the scenes that loom
//! plays in every order of their steps. [`mutants`] holds copies in each of which one guard is broken (see `build.rs`):
//! the tests demand that a scene fails on every one of them, so that no scene proves less than it says.

// The tests are in `tests/`. Compiled for tests of its own, this library would take in those of `larder-core`.
#![cfg(not(test))]
// The same file is a module of `real` and of each mutant: that is the point.
#![allow(clippy::duplicate_mod)]
// A scene is a test.
#![allow(clippy::unwrap_used)]

pub mod cases;
mod sync;

/// The code that is shipped.
#[path = "."]
#[allow(unused, unreachable_pub)]
pub mod real {
    #[path = "../../cache-core/src/fence/mod.rs"]
    mod fence;
    pub mod fence_scenes;
    #[path = "../../cache-core/src/flight/mod.rs"]
    mod flight;
    pub mod flight_scenes;
    pub mod front_scenes;
    pub mod heard_scenes;
}

/// Code with one guard broken.
#[allow(unused, unreachable_pub, missing_docs, clippy::all)]
pub mod mutants {
    include!(concat!(env!("OUT_DIR"), "/mutants.rs"));
}

/// The names of all mutants.
pub const MUTANTS: &[&str] = include!(concat!(env!("OUT_DIR"), "/names.rs"));

/// Plays the scene in every order that switches threads at most `preemptions` times where it need not.
fn explore(preemptions: usize, scene: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(scene);
}
