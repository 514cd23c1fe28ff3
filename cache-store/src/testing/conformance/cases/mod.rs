//! The cases, each named after what it proves.

mod changes;
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
mod sessions;
mod successors;
mod tags;
mod topics;
mod values;
mod writes;

use std::sync::Arc;

pub use self::{
    changes::*, index::*, invalidations::*, leases::*, limits::*, lives::*, loads::*, locks::*,
    many::*, news::*, patterns::*, sessions::*, successors::*, tags::*, topics::*, values::*,
    writes::*,
};

type AnyStore = Arc<dyn crate::Store>;
