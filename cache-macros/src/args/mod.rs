//! What the user wrote, before anybody asks whether it makes sense.

mod function;
mod options;
mod parse;
mod reader_ref;
mod table;

pub(crate) use self::{
    function::Function,
    options::{Given, Options},
    reader_ref::ReaderRef,
    table::Attribute,
};
