//! Caching for Rust services: attributes on ordinary functions, a memory tier in each process, a shared tier behind it.

pub use cache_core::{
    Backend, Cache, CacheBuilder, CacheConfig, CacheHealth, Clock, Codec, Entry, Error, ErrorKind,
    Event, Events, FnCache, GetOrSet, Health, IntoTtl, Invalidate, Invalidation, KeyPart,
    KeyWriter, ManualClock, MemoryValue, Result, Set, SharedValue, Stats, Status, Store, blocking,
    clear, current, init, invalidate, invalidate_keys, invalidate_pattern, invalidate_tags, key,
    scoped, scoped_sync, spawn, spawn_blocking,
};

#[cfg(feature = "macros")]
pub use cache_macros::*;

#[doc(hidden)]
pub use cache_core::__private;
