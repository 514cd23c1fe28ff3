//! The cases, each named after what it proves.

mod invalidations;
mod leases;
mod lives;
mod loads;
mod many;
mod patterns;
mod successors;
mod tags;
mod values;
mod writes;

use std::sync::Arc;

pub use self::{
    invalidations::*, leases::*, lives::*, loads::*, many::*, patterns::*, successors::*, tags::*,
    values::*, writes::*,
};

type AnyStore = Arc<dyn crate::Store>;
