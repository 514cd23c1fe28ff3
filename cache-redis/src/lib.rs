//! The Redis and Valkey tier of the Larder caching toolkit.
//!
//! [`RedisStore`] implements [`cache_store::Store`] over one server, Sentinel or a cluster.
//!
//! | feature | what it adds |
//! |---|---|
//! | `tls` | `rediss://`, certificates |
//! | `sentinel` | `redis-sentinel://` |
//! | `cluster` | `redis-cluster://` and several hosts |
//!
//! # Keys
//!
//! With the prefix `cache:` the namespace is `cache`, and the key `user:42` owns
//!
//! | name | type | what it is |
//! |---|---|---|
//! | `v:{cache:k:user:42}` | string | the value |
//! | `d:{cache:k:user:42}` | string | its dependency: deleting it invalidates the value |
//! | `l:{cache:k:user:42}` | string | the lease of who is loading it |
//! | `w:{cache:k:user:42}` | sorted set | the writers at work |
//! | `d:{cache}` | list | the pattern log: deleting it invalidates everything |
//! | `d:{cache}t:vip` | string | the dependency of the tag `vip` |
//! | `g:{cache}` | list | the tag log |
//!
//! So an invalidation by hand, from any language, is `UNLINK d:{cache:k:user:42}`,
//! `RPUSH d:{cache} <16 random characters>users:*`, or `UNLINK d:{cache}t:vip g:{cache}`.
//!
//! # Limits
//!
//! A restart from an old snapshot, or the promotion of a replica that lags, brings old values and old dependencies
//! back together. Reads go to masters only. Writes of the keys above by anything but this protocol and the commands of
//! the last paragraph are outside of it.

mod backoff;
mod batch;
mod breaker;
mod config;
mod dial;
mod error;
mod link;
mod many;
mod names;
mod pieces;
mod reply;
mod script;
mod steps;
mod store;
mod sweep;
mod target;
#[cfg(feature = "tls")]
mod tls;
mod wait;
mod write;

pub use config::RedisConfig;
pub use store::RedisStore;
