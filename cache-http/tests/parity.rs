//! What the compared services do with HTTP responses: beside the other features of theirs, in `tests/parity`.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

mod common;

#[path = "../../tests/parity/responses.rs"]
mod responses;
