//! A model of the coherence protocol: keys, both kinds of tags, patterns, writes, leases, the invalidating process itself
//! and the coherence session, all together.
//!
//! [`search`] goes through every order of the steps that fit in a [`Case`](case::Case) and asks of every state what Larder
//! promises its readers. [`cases`] are those in which every promise holds; [`mutants`] are the protocol with one rule
//! broken, each with a case that shows what the rule is for. The readme beside this crate (`models/README.md`) says which
//! step is which code, and what is left out.
//!
//! ```
//! use larder_protocol::{Limits, Verdict, case::Case, mutant::Mutant, search};
//!
//! let case = Case { changes: 1, ..Case::PLAIN };
//! let limits = Limits { states: 100_000, threads: 1 };
//! assert!(matches!(search(&case, limits).verdict, Verdict::Holds));
//!
//! let broken = search(&case.with(Mutant::NoTagLog), limits);
//! let Verdict::Broken(promise, trace) = broken.verdict else { panic!("it was not noticed") };
//! println!("{promise}\n{trace}");
//! ```
//!
//! `state` is what there is, `steps` what may happen, `promise` what must hold, `canon` which states are alike, and
//! `search` goes through them.

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
        Lag, Limits, Report, Sight, Trace, Verdict, every_waiter_can_go_on, search,
        search_without_traces,
    },
    state::words::{Home, Kind},
};
