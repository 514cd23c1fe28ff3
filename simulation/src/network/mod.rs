//! The lines between processes and server: everything that a network does to requests, to their answers and to news.

mod carry;
mod gate;
mod line;
mod news;
mod requests;
mod server;
mod watched;
mod wire;

pub(crate) use self::{
    line::{Behind, Line},
    server::Server,
};
