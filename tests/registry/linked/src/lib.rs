//! Annotated functions of a library, none of which is ever called.
#![allow(dead_code)]

pub mod prices;
mod private;
