//! What is asked of a [`Store`](crate::Store) and what it answers: one pair of types for each step of the protocol. Those of
//! writes are beside this.

use std::time::Duration;

use crate::{Nonce, Record};

/// How long something lives: a time, or until it is invalidated or evicted.
///
/// ```
/// use std::time::Duration;
/// use cache_store::Life;
///
/// fn millis(life: Life) -> Option<u128> {
///     match life {
///         Life::For(time) => Some(time.as_nanos().div_ceil(1_000_000).max(1)),
///         Life::Forever => None,
///     }
/// }
/// assert_eq!(millis(Life::For(Duration::from_nanos(5))), Some(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// This long; stores round up to a whole millisecond, never down to none.
    For(Duration),
    /// Until it is invalidated or evicted.
    Forever,
}

/// A read in one round trip: the value and everything that says whether it is still valid.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use cache_store::{Query, Store, testing::MemoryStore};
///
/// let store = MemoryStore::new();
/// let tags = ["user".to_owned()];
/// let reading = store.read(Query { key: "user:42", tags: &tags, pattern: true, life: true }).await?;
/// assert!(reading.value.is_none() && reading.key_nonce.is_none());
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The rendered key, without the store's prefix.
    pub key: &'a str,
    /// The tags known before the value is seen.
    pub tags: &'a [String],
    /// Whether the pattern log's newest nonce is wanted (not by a caller that hears of changes and has a copy).
    pub pattern: bool,
    /// Whether the remaining life is wanted (needed to keep the value in memory, not to return it).
    pub life: bool,
}

/// The answer to a [`Query`].
///
/// Whether the value is valid is for the caller to judge: its first sixteen bytes must be `key_nonce`, and the nonces that
/// it names inside must be those of the tags and be known to the pattern log. See [`Query`] for an example.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The stored bytes, beginning with the key nonce they were stored under.
    pub value: Option<Vec<u8>>,
    /// The key's nonce now; without one nothing stored under the key is valid.
    pub key_nonce: Option<Nonce>,
    /// The nonce of the newest record in the pattern log, when [`Query::pattern`] asked for it and there is one.
    pub pattern_nonce: Option<Nonce>,
    /// The nonces of [`Query::tags`] now, in their order.
    pub tag_nonces: Vec<Option<Nonce>>,
    /// The value's remaining life, when [`Query::life`] asked for it and there is a value.
    pub life: Option<Life>,
}

/// The right to load a key for all processes, for a time.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use std::time::Duration;
/// use cache_store::{Claim, ClaimOutcome, Lease, Life, Nonce, Store, testing::MemoryStore};
///
/// let store = MemoryStore::new();
/// let lease = || Ok::<_, cache_store::Error>(Lease { token: Nonce::random()?, life: Duration::from_secs(30) });
/// let claim = |lease| Claim {
///     key: "stats", tags: &[], lease: Some(lease), refused: &[], known: None, tag_log: false,
///     dependency_life: Life::For(Duration::from_secs(120)),
/// };
/// assert!(matches!(store.claim(claim(lease()?)).await?.outcome, ClaimOutcome::Load(_)));
/// assert!(matches!(store.claim(claim(lease()?)).await?.outcome, ClaimOutcome::Held(_)));
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// Names this one acquisition, not the process: a later acquisition by the same process has another.
    pub token: Nonce,
    /// How long it holds without being renewed.
    pub life: Duration,
}

/// A miss announces its load: captures every nonce that the entry will carry, and asks for the lease if there is one.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use std::time::Duration;
/// use cache_store::{Claim, ClaimOutcome, Life, Store, testing::MemoryStore};
///
/// let store = MemoryStore::new();
/// let claimed = store.claim(Claim {
///     key: "user:42", tags: &["user".to_owned()], lease: None, refused: &[], known: None, tag_log: false,
///     dependency_life: Life::For(Duration::from_secs(600)),
/// }).await?;
/// assert!(matches!(claimed.outcome, ClaimOutcome::Load(_)));
/// assert_eq!(claimed.tag_nonces.len(), 1);
/// assert!(!claimed.patterns.is_empty());
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
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
    /// The newest pattern record that the caller knows: the ones before it need not be sent again.
    pub known: Option<Nonce>,
    /// Whether tags will be learned from the value, so that the tag log's position is needed.
    pub tag_log: bool,
    /// How long dependencies made by this claim live: at least twice the entry's life.
    pub dependency_life: Life,
}

/// The answer to a [`Claim`].
///
/// See [`Claim`] for an example.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Whether to load, wait, or take a value that appeared meanwhile.
    pub outcome: ClaimOutcome,
    /// The nonces of [`Claim::tags`], made where there were none; without meaning when nothing is to be stored.
    pub tag_nonces: Vec<Nonce>,
    /// The pattern log, oldest first; never empty. It may begin with the record that [`Claim::known`] names.
    pub patterns: Vec<Record>,
    /// The newest nonce of the tag log, when [`Claim::tag_log`] asked for it. `None` also where nothing that learns a tag may
    /// be stored: more tags are being changed than [`changing`](Self::changing) has room for.
    pub tag_log: Option<Nonce>,
    /// The tags whose change is [announced](crate::Store::begin_tags), when [`Claim::tag_log`] asked: a value that turns out to
    /// bear one of them must not be stored.
    pub changing: Vec<String>,
}

/// What a [`Claim`] found.
///
/// See [`Claim`] and [`Lease`] for examples.
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
    /// A writer is between its `begin` and its `finish`, or somebody who changes one of the tags between
    /// [`begin_tags`](crate::Store::begin_tags) and [`finish_tags`](crate::Store::finish_tags): load, but store nothing.
    Writing,
}

/// Stores what was loaded, if the key's nonce is still the captured one.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use std::time::Duration;
/// use cache_store::{Claim, ClaimOutcome, Fill, Life, Query, Store, testing::MemoryStore};
///
/// let store = MemoryStore::new();
/// let (life, dependency_life) = (Life::For(Duration::from_secs(60)), Life::For(Duration::from_secs(120)));
/// let claim = Claim {
///     key: "user:42", tags: &[], lease: None, refused: &[], known: None, tag_log: false, dependency_life,
/// };
/// let ClaimOutcome::Load(nonce) = store.claim(claim).await?.outcome else { panic!("it is empty") };
///
/// let value = [nonce.as_bytes().as_slice(), b"Ada"].concat();
/// let fill = Fill { key: "user:42", nonce, value: &value, tags: &[], life, token: None, dependency_life, announced: false };
/// assert!(store.fill(fill).await?);
/// let reading = store.read(Query { key: "user:42", tags: &[], pattern: true, life: false }).await?;
/// assert_eq!(reading.value, Some(value));
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Fill<'a> {
    /// The rendered key.
    pub key: &'a str,
    /// The key nonce that the claim captured; also the first sixteen bytes of `value`.
    pub nonce: Nonce,
    /// The bytes to store.
    ///
    /// What looks like the [`Head`](crate::Head) of an entry is believed to be one.
    pub value: &'a [u8],
    /// The tags that the value names inside, each with the nonce that it names: they live as long as the value does, and
    /// where the store keeps an index the key is found by them.
    pub tags: &'a [(&'a str, Nonce)],
    /// How long the value lives.
    pub life: Life,
    /// The token of the lease the load ran under. A lease that was lost stores nothing.
    pub token: Option<Nonce>,
    /// How long the key's dependency lives at least, and a tag that would end before the value.
    pub dependency_life: Life,
    /// Whether those who listen are told of the key, although its nonce stays: the value bears other tags than the one
    /// that they may have in memory, so the end of such a tag would not end theirs.
    pub announced: bool,
}

/// Tags that were learned from one value, to be stamped beside those of others.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use std::time::Duration;
/// use cache_store::{Claim, Invalidation, Life, Stamp, Store, testing::MemoryStore};
///
/// let store = MemoryStore::new();
/// let dependency_life = Life::For(Duration::from_secs(600));
/// let claimed = store.claim(Claim {
///     key: "user:42", tags: &[], lease: None, refused: &[], known: None, tag_log: true, dependency_life,
/// }).await?;
/// let captured = claimed.tag_log.expect("it was asked for");
///
/// store.invalidate(&Invalidation::Tags(vec!["tenant:7".into()])).await?;
/// let [seven, eight] = [["tenant:7".to_owned()], ["tenant:8".to_owned()]];
/// let stamp = |tags| Stamp { captured, tags, dependency_life };
/// let stamped = store.stamp_many(&[stamp(&seven), stamp(&eight)]).await;
/// assert!(matches!(stamped[..], [Ok(None), Ok(Some(_))]));
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// Where the tag log stood before the load: [`Claimed::tag_log`].
    pub captured: Nonce,
    /// The tags that the value tells.
    pub tags: &'a [String],
    /// How long dependencies made here live.
    pub dependency_life: Life,
}

/// Something to invalidate.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use cache_store::{Invalidation, Store, testing::MemoryStore};
///
/// let store = MemoryStore::new();
/// store.invalidate(&Invalidation::Keys(vec!["user:42".into()])).await?;
/// store.invalidate(&Invalidation::Tags(vec!["user".into()])).await?;
/// store.invalidate(&Invalidation::AllOf(vec!["user".into(), "tenant:7".into()])).await?;
/// store.invalidate(&Invalidation::Pattern("users:list:*".into())).await?;
/// store.invalidate(&Invalidation::All).await?;
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Invalidation {
    /// These keys.
    Keys(Vec<String>),
    /// Every entry that bears one of these tags.
    Tags(Vec<String>),
    /// Every entry that bears all of these tags; every entry, when there is none to bear.
    AllOf(Vec<String>),
    /// Every entry whose key matches this glob.
    Pattern(String),
    /// Everything under the store's prefix.
    All,
}

/// A part of the keys that bear a tag; what [`Store::tagged`](crate::Store::tagged) answers, with an example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagPage {
    /// The keys, in no order. One key may be on two pages.
    pub keys: Vec<String>,
    /// What to ask for the next page with; `None` on the last one.
    pub next: Option<u64>,
}

/// How the shared tier is.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use cache_store::{Store, testing::MemoryStore};
///
/// assert!(MemoryStore::new().health().await.reachable);
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
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
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::Health;
    ///
    /// let health = Health::up(Duration::from_micros(80));
    /// assert!(health.reachable && health.error.is_none());
    /// ```
    #[must_use]
    pub fn up(latency: Duration) -> Self {
        Self { reachable: true, latency: Some(latency), error: None }
    }

    /// It did not answer.
    ///
    /// ```
    /// use cache_store::{Error, ErrorKind, Health};
    ///
    /// assert!(!Health::down(Error::new(ErrorKind::Unavailable, "connection refused")).reachable);
    /// ```
    #[must_use]
    pub fn down(error: crate::Error) -> Self {
        Self { reachable: false, latency: None, error: Some(error) }
    }
}
