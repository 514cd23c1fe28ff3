//! What the user wrote, before anybody asks whether it makes sense.

mod batch;
mod function;
mod options;
mod parse;
mod reader_ref;
mod stale;
mod table;

pub(crate) use self::{
    batch::BatchOf,
    function::Function,
    options::{Given, Options},
    reader_ref::{ReaderRef, with_suffix},
    stale::Stale,
    table::Attribute,
};
