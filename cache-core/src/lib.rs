//! The engine of Larder: the memory tier, single flight, fences, codecs, and the handles that users hold.
//!
//! Users depend on the `larder` crate, which re-exports what is public here; the examples are written for them.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
//! let cache = larder::Cache::memory();
//! cache.set("user:42", &"Ada".to_owned()).ttl("5m").await?;
//! assert_eq!(cache.get::<String>("user:42").await?.as_deref(), Some("Ada"));
//! # Ok(()) }
//! ```

#[cfg(feature = "fuzz")]
#[doc(hidden)]
#[path = "fuzz.rs"]
pub mod __fuzz;
#[doc(hidden)]
#[path = "private/mod.rs"]
pub mod __private;
pub mod blocking;
mod builder;
mod cache;
mod clock;
mod codec;
mod compression;
mod config;
mod encryption;
mod engine;
mod entry;
mod env;
mod envelope;
mod events;
mod explain;
mod explicit;
mod fence;
mod flight;
pub mod key;
mod limit;
mod lock;
mod memory;
pub mod metrics;
mod query;
pub mod registry;
pub mod rules;
mod runtime;
mod scope;
mod sessions;
mod stats;
mod sync;
mod tags;
mod timer;
mod topic;
mod transaction;
mod value;

pub use cache_store::{Error, ErrorKind, Health, Invalidation, Result, SharedInfo, Status, Store};

use __private as private;

pub use crate::{
    builder::CacheBuilder,
    cache::{Cache, CacheHealth},
    clock::{Clock, ManualClock},
    codec::Codec,
    compression::Compression,
    config::{Backend, CacheConfig},
    encryption::EncryptionKeys,
    entry::{Entry, FnCache},
    events::{Event, Events, Origin},
    explain::{Bypass, Explanation, InMemory, InShared, Next, explain},
    explicit::{GetOrSet, IntoTtl, Invalidate, NotStored, Set, SetMany},
    key::{KeyPart, KeyTemplate, KeyWriter},
    limit::{Check, Verdict, WhenAway},
    lock::{Lock, LockGuard},
    query::Query,
    registry::registry,
    rules::{InvalidationRules, Invalidations},
    scope::{
        bypass, bypass_sync, clear, current, init, invalidate, invalidate_all_of, invalidate_keys,
        invalidate_pattern, invalidate_tags, publish, scoped, scoped_sync, spawn, spawn_blocking,
    },
    sessions::{Session, SessionId, SessionInfo, SessionStore},
    stats::{FunctionStats, MemoryUsage, Stats},
    tags::Tagged,
    topic::{Message, Received, Subscription, Topic, TopicPattern, Undecodable},
    transaction::{Committed, Transaction},
    value::{MemoryValue, SharedValue},
};
