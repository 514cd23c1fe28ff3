use std::{fmt, future::Future, pin::Pin, time::Duration};

use crate::{
    Begin, Begun, Claim, Claimed, Fill, Finish, Health, Invalidation, Lease, Nonce, Query, Reading,
    Record, Result,
};

/// A boxed future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A shared tier: the steps of the coherence protocol over one namespace of keys.
///
/// Every method bounds its own time and fails rather than hang: callers have no deadline of their own. A store that
/// knows that its server is away answers at once with [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable).
///
/// # Cancel safety
///
/// Every future may be dropped at any await. A request that was already sent may still take effect; each step is safe
/// to take effect late, because what it stores is valid only under nonces that are still current.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Looks up a value and its dependencies. One round trip; no script.
    fn read<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Result<Reading>>;

    /// Announces a load. One round trip.
    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Claimed>>;

    /// The pattern log, oldest record first; opened when there is none, so never empty.
    fn patterns(&self) -> BoxFuture<'_, Result<Vec<Record>>>;

    /// The nonces of tags now, in their order.
    fn tag_nonces<'a>(&'a self, tags: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Nonce>>>>;

    /// The nonces of tags that were learned from a value, or `None` when one of them was invalidated since `captured`.
    fn stamp_tags<'a>(
        &'a self,
        captured: Nonce,
        tags: &'a [String],
        dependency_life: crate::Life,
    ) -> BoxFuture<'a, Result<Option<Vec<Nonce>>>>;

    /// Stores a loaded value; `false` when it was fenced off.
    fn fill<'a>(&'a self, fill: Fill<'a>) -> BoxFuture<'a, Result<bool>>;

    /// Prolongs a lease; `false` when it is lost.
    fn renew<'a>(&'a self, key: &'a str, nonce: Nonce, lease: Lease)
    -> BoxFuture<'a, Result<bool>>;

    /// Gives a lease back without storing anything.
    fn release<'a>(&'a self, key: &'a str, nonce: Nonce, token: Nonce)
    -> BoxFuture<'a, Result<()>>;

    /// Returns when the key's lease has ended (its holder stored, gave up or died), at the latest after `at_most`.
    fn lease_ended<'a>(&'a self, key: &'a str, at_most: Duration) -> BoxFuture<'a, ()>;

    /// Announces a write.
    fn begin<'a>(&'a self, begin: Begin<'a>) -> BoxFuture<'a, Result<Begun>>;

    /// Ends a write; `true` when its value was stored, `false` when the key was invalidated instead.
    fn finish<'a>(&'a self, finish: Finish<'a>) -> BoxFuture<'a, Result<bool>>;

    /// Invalidates. Safe to repeat.
    fn invalidate<'a>(&'a self, what: &'a Invalidation) -> BoxFuture<'a, Result<()>>;

    /// Asks the shared tier how it is. One round trip.
    fn health(&self) -> BoxFuture<'_, Health>;
}
