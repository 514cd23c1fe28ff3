//! A model of the coherence protocol, as a whole.

mod canon;
pub mod case;
pub mod cases;
pub mod mutant;
pub mod mutants;
mod promise;
mod search;
mod state;
mod steps;
mod turn;

pub use crate::{
    promise::Broken,
    search::{
        Limits, Report, Trace, Verdict, every_waiter_can_go_on, search, search_without_traces,
    },
    state::words::{Home, Kind, News},
    steps::Step,
};
#[doc(hidden)]
pub fn sizes() -> (usize, usize, usize, usize) {
    (
        size_of::<state::world::World>(),
        size_of::<state::node::Node>(),
        size_of::<state::node::Flight>(),
        size_of::<steps::Next>(),
    )
}
