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
//! | `w:{cache}t` | sorted set | the tags that are being changed, each by when that ends at the latest in milliseconds |
//! | `w:{cache}t:vip` | sorted set | who changes the tag `vip`, by when that ends |
//! | `d:{cache}` | list | the pattern log: deleting it invalidates everything |
//! | `d:{cache}t:vip` | string | the dependency of the tag `vip` |
//! | `g:{cache}` | list | the tag log |
//! | `x:{cache:k:import}` | string | the application's lock `import`: 16 random bytes that name the acquisition, then its fencing token |
//! | `f:{cache:k:import}` | string | the newest fencing token of that name; lives a week longer than it is used |
//! | `r:{cache:k:login}f300000000` | string | the calls counted under `login` in a fixed window of so many microseconds: when it began, how many |
//! | `r:{cache:k:login}s300000000` | sorted set | the same in a sliding window: `total:cost` of each call, by the microsecond from which on it counts; at most about a thousand |
//! | `r:{cache:k:login}b300000000` | string | the same in a token bucket: when, the nanoseconds that had still to flow out, those of one call |
//! | `t:{cache:k:orders}` | channel | the application's topic `orders`: nothing is kept of it |
//! | `s:{cache:t:vip}` | sorted set | an index: the keys that were stored with the tag `vip`, each with 16 random bytes after it, by their end in milliseconds |
//!
//! So an invalidation by hand, from any language, is `UNLINK d:{cache:k:user:42}`,
//! `RPUSH d:{cache} <16 random characters>users:*`, `UNLINK d:{cache}t:vip g:{cache}`, or for what bears two tags at once
//! `RPUSH d:{cache} <16 random characters>[all]4:user8:tenant:7`, each tag behind its length in bytes.
//!
//! # Hearing of changes
//!
//! [`Store::listen`](cache_store::Store::listen) opens one more connection, to each master, on which the server pushes the
//! name of every dependency that changes, whoever changes it
//! ([`CLIENT TRACKING … BCAST`](https://redis.io/docs/latest/develop/reference/client-side-caching/); Valkey has the same,
//! and nothing here tells the two apart). A heartbeat is two short round trips to each master. It fails as soon as one
//! master does not answer, is no master any more, or sees another cluster than before. The connections come back by
//! themselves, and each beginning and end of one is told as a gap.
//!
//! A user needs the rights to `CLIENT TRACKING`, `INFO` and `TOUCH`, in a cluster to `CLUSTER INFO`, `NODES` and `SLOTS` as well;
//! without `TOUCH` an `allkeys-*` eviction policy may take the logs, which costs misses. Without one of the others, and
//! over RESP2, no heartbeat ever succeeds, a warning says why, and everything else goes on.
//!
//! What another process does costs a listening one so many messages: a miss of a key that has no dependency yet 1, and 1
//! more for each new tag; any other miss and all hits 0; the invalidation of keys, tags or a pattern 1; a write 2.
//!
//! In a cluster all masters have to be well for any heartbeat to succeed. While slots move or a master is replaced there
//! is none for a moment, and none for 5 s after an election that nobody won.
//!
//! # Limits
//!
//! A restart from an old snapshot, or the promotion of a replica that lags, brings old values and old dependencies
//! back together. Reads go to masters only. Writes of the keys above by anything but this protocol and the commands of
//! the last paragraph are outside of it.

mod backoff;
mod batch;
mod breaker;
mod bulkhead;
mod changes;
mod config;
mod dial;
mod error;
mod index;
mod info;
mod lanes;
mod limit;
mod line;
mod link;
mod lock;
mod many;
mod names;
mod pieces;
mod reply;
mod script;
mod session;
mod sessions;
mod steps;
mod store;
mod sweep;
mod target;
#[cfg(feature = "tls")]
mod tls;
mod topics;
mod wait;
mod withdraw;
mod write;

pub use config::RedisConfig;
pub use store::RedisStore;
