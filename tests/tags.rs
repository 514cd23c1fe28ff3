//! Tags: several at once, the index of what bears one, their lives, and all of it against a naive model.
#![allow(clippy::unwrap_used)]
// A task that was spawned in a scope is handed out of it.
#![allow(clippy::async_yields_async)]

#[path = "common/loads.rs"]
mod loads;
#[path = "../cache-redis/tests/common/server.rs"]
mod server;

#[path = "tags/all_of.rs"]
mod all_of;
#[path = "tags/index.rs"]
mod index;
#[path = "tags/lists.rs"]
mod lists;
#[path = "tags/oracle.rs"]
mod oracle;
#[path = "tags/patterns.rs"]
mod patterns;
