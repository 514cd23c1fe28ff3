//! What is asked of a [`Store`](crate::Store) about sessions, what it answers, and the sessions of one that is in memory.

mod shelf;

use std::time::Duration;

use crate::{BoxFuture, Result};

pub use shelf::SessionShelf;

/// Where a session is kept.
///
/// An example is at [`SessionTier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionAt<'a> {
    /// The application's name for sessions of this kind.
    pub name: &'a str,
    /// The part of the tier that the session is in, below [`SHARDS`](Self::SHARDS): all sessions of a user are in one, so
    /// that each step is made in one place.
    pub shard: u16,
    /// What names the session: a digest of its id, which the tier never gets to know. Text without `:`, not empty.
    pub digest: &'a str,
}

impl SessionAt<'_> {
    /// How many shards there are.
    ///
    /// ```
    /// assert_eq!(cache_store::SessionAt::SHARDS, 4096);
    /// ```
    pub const SHARDS: u16 = 4096;
}

/// A user, who may have sessions.
///
/// An example is at [`SessionTier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionUser<'a> {
    /// The application's name for sessions of this kind.
    pub name: &'a str,
    /// The shard of all sessions of this user.
    pub shard: u16,
    /// What names the user: text without `:`, not empty.
    pub user: &'a str,
}

/// A session that is to be made.
///
/// An example is at [`SessionTier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionStart<'a> {
    /// Where.
    pub at: SessionAt<'a>,
    /// Whose it is, as in [`SessionUser::user`]; the shard is that of `at`.
    pub user: Option<&'a str>,
    /// Bytes that stay as they are.
    pub who: &'a [u8],
    /// Bytes that may be written anew.
    pub data: &'a [u8],
    /// Names this state of the data.
    pub stamp: u64,
    /// How long it lives without being touched.
    pub idle: Duration,
    /// How long it lives at all.
    pub absolute: Duration,
    /// How many sessions the user has room for, this one included, at least 1: the ones that were not touched for longest end.
    pub most: u32,
}

/// New data for a session.
///
/// An example is at [`SessionTier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionWrite<'a> {
    /// Which one.
    pub at: SessionAt<'a>,
    /// The new data.
    pub data: &'a [u8],
    /// Names the new state; one that was never used for this session.
    pub stamp: u64,
    /// Only if this is the state; `None` for any.
    pub expected: Option<u64>,
    /// How long it lives at all from now on; `None` for as long as it was made for.
    pub life: Option<Duration>,
}

/// Another name for a session, which takes its life and its place in the user's list along.
///
/// An example is at [`SessionTier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionMove<'a> {
    /// Where it is. Nothing is there afterwards.
    pub from: SessionAt<'a>,
    /// Its next digest, in the same shard; one that was never used.
    pub to: &'a str,
    /// In the place of [`SessionStart::who`].
    pub who: &'a [u8],
    /// The data.
    pub data: &'a [u8],
    /// Names the new state.
    pub stamp: u64,
    /// Only if this is the state.
    pub expected: u64,
}

/// What became of a [`SessionWrite`] or a [`SessionMove`].
///
/// An example is at [`SessionTier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionWritten {
    /// It is done. Also where the way asked twice.
    Written,
    /// The session is in another state than was expected; nothing was done.
    Overtaken,
    /// There is no such session; nothing was done.
    Gone,
}

/// The times of a session, by the tier's clock, to the millisecond.
///
/// An example is at [`SessionTier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// How long ago it was made.
    pub age: Duration,
    /// How long ago it was touched, before this step.
    pub inactive: Duration,
    /// How long it lives still, if nothing touches it after this step.
    pub left: Duration,
}

/// A session.
///
/// An example is at [`SessionTier`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFound {
    /// See [`SessionStart::who`].
    pub who: Vec<u8>,
    /// The data.
    pub data: Vec<u8>,
    /// The state of the data.
    pub stamp: u64,
    /// Its times.
    pub times: SessionTimes,
}

/// One of the sessions of a user.
///
/// An example is at [`SessionTier`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionListed {
    /// See [`SessionAt::digest`].
    pub digest: String,
    /// Its times; to be listed touches nothing.
    pub times: SessionTimes,
}

/// The sessions of a shared tier: what [`Store::sessions`](crate::Store::sessions) gives. Each step is whole or not made at
/// all, and one round trip.
///
/// A session ends when it was not touched for [`idle`](SessionStart::idle), when it is as old as
/// [`absolute`](SessionStart::absolute), and when it is ended; nothing brings it back. Sessions are no entries: nothing that is
/// invalidated or cleared touches them.
///
/// # Errors
///
/// As for every step of a [`Store`](crate::Store). After an error the step may have been made or not. What is not known is
/// never answered as "there is none".
///
/// # Cancel safety
///
/// A step that is dropped may have been made or not.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use cache_store::{*, testing::MemoryStore};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let sessions = store.sessions().expect("this store has sessions");
/// let at = SessionAt { name: "web", shard: 7, digest: "ab12" };
/// sessions.start_session(SessionStart {
///     at, user: Some("u1"), who: b"Ada", data: b"{}", stamp: 1, most: 10,
///     idle: Duration::from_secs(1800), absolute: Duration::from_secs(43_200),
/// }).await?;
/// let found = sessions.read_session(at, true).await?.expect("it was made");
/// assert_eq!((&*found.who, &*found.data, found.stamp), (&b"Ada"[..], &b"{}"[..], 1));
///
/// let write = SessionWrite { at, data: b"{1}", stamp: 2, expected: Some(found.stamp), life: None };
/// assert_eq!(sessions.write_session(write).await?, SessionWritten::Written);
/// let change = SessionMove { from: at, to: "cd34", who: b"Ada", data: b"{1}", stamp: 3, expected: 2 };
/// assert_eq!(sessions.move_session(change).await?, SessionWritten::Written);
/// assert!(sessions.read_session(at, true).await?.is_none());
///
/// let ada = SessionUser { name: "web", shard: 7, user: "u1" };
/// assert_eq!(sessions.list_sessions(ada).await?[0].digest, "cd34");
/// assert_eq!(sessions.end_sessions(ada).await?, 1);
/// assert!(!sessions.end_session(SessionAt { digest: "cd34", ..at }).await?);
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
pub trait SessionTier: Send + Sync {
    /// Makes a session. Made before under the same digest, it stays as it is.
    fn start_session<'a>(&'a self, start: SessionStart<'a>) -> BoxFuture<'a, Result<()>>;

    /// The session, if there is one; `touch` begins its idle time anew.
    fn read_session<'a>(
        &'a self,
        at: SessionAt<'a>,
        touch: bool,
    ) -> BoxFuture<'a, Result<Option<SessionFound>>>;

    /// Writes new data, and touches.
    fn write_session<'a>(
        &'a self,
        write: SessionWrite<'a>,
    ) -> BoxFuture<'a, Result<SessionWritten>>;

    /// Gives a session another digest, and touches it.
    fn move_session<'a>(&'a self, change: SessionMove<'a>)
    -> BoxFuture<'a, Result<SessionWritten>>;

    /// Ends a session; whether there was one.
    fn end_session<'a>(&'a self, at: SessionAt<'a>) -> BoxFuture<'a, Result<bool>>;

    /// Ends all sessions of a user, also those that a list has lost; how many there were.
    fn end_sessions<'a>(&'a self, user: SessionUser<'a>) -> BoxFuture<'a, Result<u64>>;

    /// The sessions of a user, the oldest first.
    fn list_sessions<'a>(
        &'a self,
        user: SessionUser<'a>,
    ) -> BoxFuture<'a, Result<Vec<SessionListed>>>;
}
