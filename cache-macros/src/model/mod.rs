//! What an attribute means: valid by construction, or its mistakes are noted.

mod batch;
mod callee;
mod checks;
mod collection;
mod duration;
mod generics;
mod identity;
mod kept;
mod names;
mod policy;
mod reader;
mod returned;
mod serving;
mod template;
mod writer;

pub(crate) use self::{
    batch::Batch,
    callee::{Argument, Callee},
    checks::function as check_function,
    collection::Collection,
    generics::{Generics, turbofish},
    kept::{tag_parts, ttl_expr},
    names::Mentions,
    policy::{Policy, Ttl},
    reader::{Companions, Reader},
    returned::{Returned, owned, ungrouped},
    serving::Serving,
    template::{Part, Place, Template, alphabet_of},
    writer::{Change, Destination, Own, Writer},
};
