//! What is asked of a [`Store`](crate::Store) and what it answers: one pair of types for each step of the protocol.

use std::time::Duration;

use crate::Nonce;

/// How long something lives: a time, or until it is invalidated or evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// This long; stores round up to a whole millisecond, never down to none.
    For(Duration),
    /// Until it is invalidated or evicted.
    Forever,
}

/// A read in one round trip: the value and everything that says whether it is still valid.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The rendered key, without the store's prefix.
    pub key: &'a str,
    /// The tags known before the value is seen.
    pub tags: &'a [String],
    /// Whether the remaining life is wanted (needed to keep the value in memory, not to return it).
    pub life: bool,
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The stored bytes, beginning with the key nonce they were stored under.
    pub value: Option<Vec<u8>>,
    /// The key's nonce now; without one nothing stored under the key is valid.
    pub key_nonce: Option<Nonce>,
    /// The nonce of the newest record in the pattern log.
    pub pattern_nonce: Option<Nonce>,
    /// The nonces of [`Query::tags`] now, in their order.
    pub tag_nonces: Vec<Option<Nonce>>,
    /// The value's remaining life, when [`Query::life`] asked for it and there is a value.
    pub life: Option<Life>,
}

/// One record of the pattern log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What an entry names to say "I know the log up to here".
    pub nonce: Nonce,
    /// The glob that was invalidated; empty for the record that opens a log.
    pub pattern: String,
}

/// The right to load a key for all processes, for a time.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// Names this one acquisition, not the process: a later acquisition by the same process has another.
    pub token: Nonce,
    /// How long it holds without being renewed.
    pub life: Duration,
}

/// A miss announces its load: captures every nonce that the entry will carry, and asks for the lease if there is one.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The rendered key.
    pub key: &'a str,
    /// The tags known before the load.
    pub tags: &'a [String],
    /// The lease to acquire, or `None` when any process may load at the same time.
    pub lease: Option<Lease>,
    /// The head of the stored bytes that the caller just refused, so that they are not offered again.
    pub refused: &'a [u8],
    /// Whether tags will be learned from the value, so that the tag log's position is needed.
    pub tag_log: bool,
    /// How long dependencies made by this claim live: at least twice the entry's life.
    pub dependency_life: Life,
}

/// The answer to a [`Claim`].
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Whether to load, wait, or take a value that appeared meanwhile.
    pub outcome: ClaimOutcome,
    /// The nonces of [`Claim::tags`], made where there were none.
    pub tag_nonces: Vec<Nonce>,
    /// The whole pattern log, oldest first; never empty.
    pub patterns: Vec<Record>,
    /// The newest nonce of the tag log, when [`Claim::tag_log`] asked for it.
    pub tag_log: Option<Nonce>,
}

/// What a [`Claim`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// Load, and fill with this key nonce. The lease, if one was asked for, is the caller's.
    Load(Nonce),
    /// Another process stored a value under the current key nonce since the caller looked.
    Found {
        /// The stored bytes, beginning with the key nonce.
        value: Vec<u8>,
        /// Their remaining life.
        life: Life,
    },
    /// Another process holds the lease; it ends after this time if it is not renewed.
    Held(Duration),
    /// A writer is between its `begin` and its `finish`: load, but store nothing.
    Writing,
}

/// Stores what was loaded, if the key's nonce is still the captured one.
#[derive(Clone, Copy, Debug)]
pub struct Fill<'a> {
    /// The rendered key.
    pub key: &'a str,
    /// The key nonce that the claim captured; also the first sixteen bytes of `value`.
    pub nonce: Nonce,
    /// The bytes to store.
    pub value: &'a [u8],
    /// How long the value lives.
    pub life: Life,
    /// The token of the lease the load ran under. A lease that was lost stores nothing.
    pub token: Option<Nonce>,
    /// How long the key's dependency lives at least.
    pub dependency_life: Life,
}

/// Announces a write: until it is finished or its time is over, nothing else is stored under the key.
#[derive(Clone, Copy, Debug)]
pub struct Begin<'a> {
    /// The rendered key.
    pub key: &'a str,
    /// The tags known before the write.
    pub tags: &'a [String],
    /// Whether tags will be learned from the value.
    pub tag_log: bool,
    /// How long the write may take before readers stop waiting for its end.
    pub at_most: Duration,
    /// How long dependencies made here live.
    pub dependency_life: Life,
}

/// The answer to a [`Begin`]; handed back in [`Finish`].
#[derive(Clone, Debug)]
pub struct Begun {
    /// Names this write.
    pub token: Nonce,
    /// The nonce that the write put in place of the key's.
    pub nonce: Nonce,
    /// Whether no other write was under way; only then may the value be stored.
    pub alone: bool,
    /// The nonces of [`Begin::tags`].
    pub tag_nonces: Vec<Nonce>,
    /// The newest nonce of the pattern log.
    pub pattern_nonce: Nonce,
    /// The newest nonce of the tag log, when it was asked for.
    pub tag_log: Option<Nonce>,
}

/// Ends a write: stores the value if nothing came between, and invalidates the key otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// The rendered key.
    pub key: &'a str,
    /// What `begin` answered.
    pub begun: &'a Begun,
    /// The bytes to store after the fresh key nonce, or `None` to store nothing (the body failed, a tag was refused).
    pub value: Option<&'a [u8]>,
    /// How long the value lives.
    pub life: Life,
    /// How long the key's dependency lives.
    pub dependency_life: Life,
}

/// Something to invalidate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Invalidation {
    /// These keys.
    Keys(Vec<String>),
    /// Every entry that bears one of these tags.
    Tags(Vec<String>),
    /// Every entry whose key matches this glob.
    Pattern(String),
    /// Everything under the store's prefix.
    All,
}

/// How the shared tier is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// Whether it answered.
    pub reachable: bool,
    /// How long the answer took.
    pub latency: Option<Duration>,
    /// What the last failure said, if it is not reachable.
    pub error: Option<crate::Error>,
}

impl Health {
    /// It answered after this long.
    #[must_use]
    pub fn up(latency: Duration) -> Self {
        Self { reachable: true, latency: Some(latency), error: None }
    }

    /// It did not answer.
    #[must_use]
    pub fn down(error: crate::Error) -> Self {
        Self { reachable: false, latency: None, error: Some(error) }
    }
}
