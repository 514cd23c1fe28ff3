//! The cases, each named after what it proves.

mod index;
mod invalidations;
mod leases;
mod limits;
mod lives;
mod loads;
mod locks;
mod many;
mod news;
mod patterns;
mod successors;
mod tags;
mod values;
mod writes;

use std::sync::Arc;

pub use self::{
    index::*, invalidations::*, leases::*, limits::*, lives::*, loads::*, locks::*, many::*,
    news::*, patterns::*, successors::*, tags::*, values::*, writes::*,
};

type AnyStore = Arc<dyn crate::Store>;
