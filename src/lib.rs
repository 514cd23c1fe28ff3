//! Caching for Rust services: attributes on ordinary functions, a memory tier in each process, and where there is one a
//! shared tier behind it (Redis or Valkey).
//!
//! ```
//! #[larder::cache_aside(key = "square:{n}", ttl = "5m")]
//! async fn square(n: u64) -> u64 {
//!     n * n // runs once per `n` in five minutes, however many callers there are
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> larder::Result<()> {
//! # larder::init(larder::Cache::memory())?;
//! assert_eq!(square(7).await, 49);
//! square_entry(7).invalidate().await?; // a companion: one entry
//! # Ok(()) }
//! ```
//!
//! Keys, and which writer renews which reader's entry, are checked by the compiler. An invalidation is final: no load that
//! was under way can undo it, in any process. A cache that is down, slow or full never makes a call of an annotated
//! function fail.
//!
//! # Where to go
//!
//! | to | see |
//! |---|---|
//! | cache a function | [`macro@cache_aside`], [`macro@memoize`] (memory only), [`macro@stampede_protect`] (one process computes) |
//! | keep entries right when data change | [`macro@write_through`], [`macro@cache_invalidate`], [`invalidate`], [`invalidate_tags`], [`invalidate_all_of`], [`invalidate_pattern`]; [`publish`], which applies [`InvalidationRules`] |
//! | reach an entry | the companions: `<name>_entry(..)` gives an [`Entry`], `<name>_cache()` an [`FnCache`], `<name>_uncached(..)` runs the body; those of sync functions are in [`blocking`] |
//! | cache without an attribute | [`Cache::get_or_set`], [`Cache::set`], [`Cache::get`], and for many keys at once [`Cache::set_many`], [`Cache::get_many`] |
//! | configure | [`init`], [`Cache::builder`], [`CacheConfig`], the [environment](CacheConfig::from_env): the [guide](docs::configuration) |
//! | switch off, look past | [`Cache::set_enabled`] for incidents, [`bypass()`] for one request |
//! | let one process at a time do something | [`Cache::lock`], which gives a [`LockGuard`] with a fencing token, [`Cache::with_lock`] |
//! | tell other processes what happened | [`Cache::topic`], which [publishes](Topic::publish) and gives a [`Subscription`] |
//! | allow so many calls in a time | [`Cache::check`], which gives a [`Verdict`] |
//! | keep sessions of users | [`SessionStore`] |
//! | look inside | [`explain()`]: why the next call hits or misses; [`Cache::stats`], [`FnCache::stats`], [`FnCache::memory_usage`], [`Cache::shared_info`], [`metrics`], [`Cache::events`], [`Cache::health`], [`Cache::tagged`] |
//! | test | [`scoped`], [`ManualClock`], [`registry()`], the feature `test-util` |
//! | write a shared tier | [`store`] |
//! | put a type of your own in keys | [`derive@KeyPart`], [`trait@KeyPart`] |
//!
//! The guides: [attributes](docs::attributes), [configuration](docs::configuration), [serving](docs::serving), [keys](docs::keys), [tags](docs::tags),
//! [guarantees](docs::guarantees), [values in the shared tier](docs::values), [events](docs::events), [locks](docs::locks),
//! [limits](docs::limits), [queries and transactions](docs::queries), [sessions](docs::sessions), [topics](docs::pubsub), [Redis](docs::redis),
//! [outages](docs::outages), [observability](docs::observability), [explain](docs::explain), [testing](docs::testing). Cached responses
//! and limits of HTTP are in a crate of their own, `larder-http`, whose front page is their guide.
//!
//! # Which cache
//!
//! Annotated functions use the cache of the [scope](scoped) they run in, else the one that [`init`] set, else one that their
//! first use builds from the environment: memory alone when no variable is set. `cache = expr` on the attribute names
//! another one. [`Cache`] is a cheap handle.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `macros` | yes | the attributes, and the derive of [`trait@KeyPart`] |
//! | `bincode` | yes | [`Codec::Bincode`], the default codec |
//! | `postcard`, `msgpack`, `json` | | further [codecs](Codec), used where they are asked for |
//! | `lz4`, `zstd` | | [compression](Compression), used where it is asked for; `zstd` builds the reference library, which is C |
//! | `encryption` | | the cipher behind [`CacheBuilder::encryption`] |
//! | `redis` | | the shared tier: `CacheBuilder::redis`, `REDIS_URL` |
//! | `redis-cluster` | | `redis-cluster://` |
//! | `redis-sentinel` | | `redis-sentinel://` |
//! | `redis-tls` | | `rediss://`, with rustls |
//! | `uuid` | | `Uuid` in keys |
//! | `metrics` | | every cache tells the facade of the crate `metrics` what it counts: [observability](docs::observability#metrics) |
//! | `test-util` | | the module `testing`: a shared tier in the process, one that fails on demand, the behaviour suite for one's own. See the [guide](docs::testing) |
//!
//! A feature adds types, and `metrics` somebody who is told; none changes what others do or what is stored.
//!
//! # Runtimes and cancellation
//!
//! Async functions need [tokio](https://docs.rs/tokio), any flavour, with its timer (`enable_time`). Sync functions work
//! anywhere, inside and outside a runtime: in memory they wait for at most the caller that runs their body; for the shared
//! tier they wait for a thread named `larder`, which also owns the connections. Every future here may be dropped at any await. A load that is dropped stores nothing, and one of those who
//! wait for it takes over; a write or an invalidation that is dropped ends as an invalidation. Each async method says so
//! under *Cancel safety*.
//!
//! # Limits
//!
//! - Another process's memory may be [`coherence_bound`](Cache::coherence_bound), 2 seconds by default, behind an
//!   invalidation; `layer = "shared"` asks on every read, [`Invalidate::everywhere`] waits.
//! - A Redis that comes back with old data brings old entries back: clear it then. [The whole list](docs::guarantees).
//! - Patterns know `*` and `?`. Keys of more than 200 bytes end in a digest.
//! - Not inside `#[async_trait]`; no `impl Trait` as a return type.

// The front page names the attributes.
#![cfg_attr(not(feature = "macros"), allow(rustdoc::broken_intra_doc_links))]

pub use cache_core::{
    Backend, Bypass, Cache, CacheBuilder, CacheConfig, CacheHealth, Check, Clock, Codec, Committed,
    Compression, EncryptionKeys, Entry, Error, ErrorKind, Event, Events, Explanation, FnCache,
    FunctionStats, GetOrSet, Health, InMemory, InShared, IntoTtl, Invalidate, Invalidation,
    InvalidationRules, Invalidations, KeyPart, KeyTemplate, KeyWriter, Lock, LockGuard,
    ManualClock, MemoryUsage, MemoryValue, Message, Next, NotStored, Origin, Query, Received,
    Result, Session, SessionId, SessionInfo, SessionStore, Set, SetMany, SharedInfo, SharedValue,
    Stats, Status, Store, Subscription, Tagged, Topic, TopicPattern, Transaction, Undecodable,
    Verdict, WhenAway, blocking, bypass, bypass_sync, clear, current, explain, init, invalidate,
    invalidate_all_of, invalidate_keys, invalidate_pattern, invalidate_tags, key, metrics, publish,
    registry, rules, scoped, scoped_sync, spawn, spawn_blocking,
};

#[cfg(feature = "macros")]
pub use cache_macros::{
    KeyPart, cache_aside, cache_invalidate, memoize, stampede_protect, write_through,
};

/// The contract of a shared tier, for those who write one: [`Store`], its requests and replies. A cache is given one by
/// [`CacheBuilder::shared`].
///
/// All of it is the crate `larder-store`, which a store may depend on instead of `larder`; its examples name it by its
/// library's name, `cache_store`. Whether a store keeps the contract is judged by `larder::testing::conformance_tests!`
/// (feature `test-util`).
///
/// ```
/// use std::time::Duration;
/// use larder::store::{BoxFuture, Store};
///
/// /// How long the tier takes to answer.
/// fn latency(store: &dyn Store) -> BoxFuture<'_, Option<Duration>> {
///     Box::pin(async { store.health().await.latency })
/// }
/// # drop(latency);
/// ```
pub mod store {
    pub use cache_store::{
        Begin, Begun, BoxFuture, Claim, ClaimOutcome, Claimed, Delivery, Error, ErrorKind, Feed,
        Fill, Finish, Head, Health, Invalidation, Lease, Life, LimitAnswer, LimitCheck,
        LimitCounts, LimitStrategy, Listener, Locked, News, Nonce, Query, Reading, Record,
        Recorded, Result, SessionAt, SessionFound, SessionListed, SessionMove, SessionShelf,
        SessionStart, SessionTier, SessionTimes, SessionUser, SessionWrite, SessionWritten,
        SharedInfo, Stamp, Status, Store, Subscriber, Subscribers, TagPage, Topics,
    };
}

/// Tools to test services that use Larder, and [stores](store) of one's own (feature `test-util`).
///
/// [`MemoryStore`](testing::MemoryStore) is a shared tier in the process: two caches on one are two processes.
/// [`ChaosStore`](testing::ChaosStore) makes any store misbehave. The [guide](docs::testing) shows how.
///
/// ```
/// use std::sync::Arc;
/// use larder::{Cache, testing::MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let store = MemoryStore::new();
/// let web = Cache::builder().shared(Arc::new(store.connect())).build().await?;
/// let worker = Cache::builder().shared(Arc::new(store.connect())).build().await?;
/// web.set("user:42", &"Ada".to_owned()).await?;
/// assert_eq!(worker.get::<String>("user:42").await?.as_deref(), Some("Ada"));
/// # Ok(()) }
/// ```
#[cfg(feature = "test-util")]
pub mod testing {
    pub use cache_store::{
        conformance_tests,
        testing::{Calls, ChaosStore, Fault, Gate, MemoryStore, Operation, conformance},
    };
}

/// Guides.
pub mod docs {
    #[doc = include_str!("docs/attributes.md")]
    pub mod attributes {}
    #[doc = include_str!("docs/configuration.md")]
    pub mod configuration {}
    #[doc = include_str!("docs/events.md")]
    pub mod events {}
    #[doc = include_str!("docs/explain.md")]
    pub mod explain {}
    #[doc = include_str!("docs/guarantees.md")]
    pub mod guarantees {}
    #[doc = include_str!("docs/keys.md")]
    pub mod keys {}
    #[doc = include_str!("docs/limits.md")]
    pub mod limits {}
    #[doc = include_str!("docs/locks.md")]
    pub mod locks {}
    #[doc = include_str!("docs/observability.md")]
    pub mod observability {}
    #[doc = include_str!("docs/outages.md")]
    pub mod outages {}
    #[doc = include_str!("docs/pubsub.md")]
    pub mod pubsub {}
    #[doc = include_str!("docs/queries.md")]
    pub mod queries {}
    #[doc = include_str!("docs/redis.md")]
    pub mod redis {}
    #[doc = include_str!("docs/serving.md")]
    pub mod serving {}
    #[doc = include_str!("docs/sessions.md")]
    pub mod sessions {}
    #[doc = include_str!("docs/tags.md")]
    pub mod tags {}
    #[doc = include_str!("docs/testing.md")]
    pub mod testing {}
    #[doc = include_str!("docs/values.md")]
    pub mod values {}
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[doc(hidden)]
pub use cache_core::__private;
