//! Caching for Rust services: attributes on ordinary functions, a memory tier in each process, a shared tier behind it.

pub use cache_core::{
    Backend, Cache, CacheBuilder, CacheConfig, CacheHealth, Clock, Codec, Entry, Error, ErrorKind,
    Event, Events, FnCache, GetOrSet, Health, IntoTtl, Invalidate, Invalidation, KeyPart,
    KeyTemplate, KeyWriter, ManualClock, MemoryValue, Result, Set, SharedValue, Stats, Status,
    Store, blocking, clear, current, init, invalidate, invalidate_keys, invalidate_pattern,
    invalidate_tags, key, scoped, scoped_sync, spawn, spawn_blocking,
};

#[cfg(feature = "macros")]
pub use cache_macros::{
    KeyPart, cache_aside, cache_invalidate, memoize, stampede_protect, write_through,
};

/// Guides.
pub mod docs {
    #[doc = include_str!("docs/attributes.md")]
    pub mod attributes {}
    #[doc = include_str!("docs/guarantees.md")]
    pub mod guarantees {}
    #[doc = include_str!("docs/keys.md")]
    pub mod keys {}
    #[doc = include_str!("docs/redis.md")]
    pub mod redis {}
    #[doc = include_str!("docs/testing.md")]
    pub mod testing {}
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[doc(hidden)]
pub use cache_core::__private;
