//! The contract between Larder and a shared tier.
//!
//! A shared tier is anything that many processes see at once: a Redis or Valkey server, a cluster of them, or the
//! in-process stand-in that tests use. This crate holds the [`Store`] trait, the requests and replies of the coherence
//! protocol, and the one [`Error`] type of the toolkit. It knows neither Redis nor the memory tier.
//!
//! # The protocol in one paragraph
//!
//! Every entry depends on its own key and on its tags. A dependency is a small record in the shared tier that holds a
//! random 128-bit [`Nonce`]. An entry carries the nonces that were current **before its load began** and is valid only
//! while they still are. To invalidate is to delete the dependency: no clocks are compared, nothing is counted, a nonce
//! never returns, so every kind of loss (eviction, a flush, a restart without data) fails towards a miss.
//!
//! # Writing a store
//!
//! Depend on `larder-store`, whose library is called `cache_store`, or on `larder`, which has all of this in `larder::store`
//! and `larder::testing`. Implement [`Store`], then let the behaviour suite judge it (feature `testing`, or `test-util` of
//! `larder`, as a dev-dependency):
//!
//! ```
//! use std::sync::Arc;
//! use cache_store::testing::MemoryStore;
//!
//! cache_store::conformance_tests!(async || Arc::new(MemoryStore::new()));
//! ```
//!
//! Users hand it to `larder::Cache::builder().shared(store)`.

mod error;
mod head;
mod info;
mod limit;
mod lock;
mod news;
mod nonce;
mod record;
mod request;
mod sessions;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod topic;
mod write;

pub use error::{Error, ErrorKind, Result, Status};
pub use head::Head;
pub use info::SharedInfo;
pub use limit::{LimitAnswer, LimitCheck, LimitCounts, LimitStrategy};
pub use lock::Locked;
pub use news::{Listener, News};
pub use nonce::Nonce;
pub use record::{Record, Recorded};
pub use request::{
    Claim, ClaimOutcome, Claimed, Fill, Health, Invalidation, Lease, Life, Query, Reading, Stamp,
    TagPage,
};
pub use sessions::{
    SessionAt, SessionFound, SessionListed, SessionMove, SessionShelf, SessionStart, SessionTier,
    SessionTimes, SessionUser, SessionWrite, SessionWritten,
};
pub use store::{BoxFuture, Store};
pub use topic::{Delivery, Feed, Subscriber, Subscribers, Topics};
pub use write::{Begin, Begun, Finish};
