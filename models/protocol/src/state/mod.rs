//! What there is.

pub(crate) mod node;
pub(crate) mod server;
pub(crate) mod words;
pub(crate) mod world;
