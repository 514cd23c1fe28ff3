//! Why the next call would hit or miss.

use std::{fmt, time::Duration};

use cache_store::{Error, Result};

use crate::private::Holds;

/// What [`explain`] found: whether the next call would hit, and why. Displays as a few lines.
///
/// It is true of the moment of the look, in this process and in the caller's scope. What moka evicted a moment ago may still be
/// served by a thread that has a copy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The rendered key, without the cache's prefix.
    pub key: String,
    /// The function's path; `None` where a key was asked about.
    pub function: Option<String>,
    /// As in the attribute: `memory`, `shared` or `both`.
    pub layer: &'static str,
    /// Why calls from here do not ask the cache; `None` where they do.
    pub bypassed: Option<Bypass>,
    /// What the memory tier holds.
    pub memory: InMemory,
    /// What the shared tier holds.
    pub shared: InShared,
    /// Whether a load of the entry is under way in this process.
    pub loading: bool,
    /// What the next call does.
    pub next: Next,
}

/// What the next call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// It is answered from memory.
    HitMemory,
    /// It is answered from the shared tier.
    HitShared,
    /// It waits for the load that is under way.
    Waits,
    /// It is a miss and runs the body. Where the function has a lease and another process holds it, it waits for that one first.
    Loads,
    /// It does not ask the cache: a function runs its body and stores nothing, a [`get`](crate::Cache::get) finds nothing.
    Bypasses,
}

/// Why a call does not ask the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bypass {
    /// The cache is [switched off](crate::Cache::set_enabled).
    Off,
    /// The caller is in [`bypass`](crate::bypass()).
    Scope,
    /// The caller is in a [transaction](crate::Cache::in_transaction), where it may see what is never committed.
    Transaction,
}

/// What the memory tier holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InMemory {
    /// It is not asked: the layer is `shared`.
    Unused,
    /// Nothing: never stored here, evicted, expired and gone, or its key was invalidated.
    Absent,
    /// A value, fresh for so long; `None` for ever.
    Fresh(Option<Duration>),
    /// A value that is fresh and will be renewed by the next call.
    Due,
    /// A value that has not been fresh for so long.
    Stale {
        /// Since when it has not been.
        since: Duration,
        /// Whether it is served while it is renewed; otherwise it stands in only for a body that fails or is late.
        served: bool,
    },
    /// A value whose time is over.
    Expired,
    /// A value that this process's own invalidation of a tag, of a pattern or of everything has ruled out.
    Invalidated,
    /// A value that another process's invalidation has ruled out.
    InvalidatedElsewhere,
    /// A value that nobody vouches for: it is older than the coherence bound, and news of other processes is not reliable now.
    Doubted,
    /// An entry that is not this function's: of another version, other tags or another type, or a `None` that it does not keep.
    Foreign,
}

/// What the shared tier holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum InShared {
    /// It is not asked: there is none, or the layer is `memory`.
    Unused,
    /// It does not answer, or is not asked because it did not lately.
    Away(Error),
    /// Nothing: never stored, expired or evicted.
    Absent,
    /// A value, valid and fresh for so long; `None` for ever.
    Valid(Option<Duration>),
    /// A value, valid and not fresh any more.
    Stale {
        /// Since when it has not been.
        since: Duration,
        /// Whether it is served while it is renewed; otherwise it stands in only for a body that fails or is late, if at all.
        served: bool,
    },
    /// A value whose key was invalidated.
    KeyInvalidated,
    /// A value that has this tag, which was invalidated.
    TagInvalidated(String),
    /// A value that an invalidated pattern matches, or whose tags were invalidated together, or everything was cleared; in the
    /// words of the log, where they are known.
    PatternInvalidated(Option<String>),
    /// A value that an invalidation of this process rules out, which the shared tier has still to be told.
    Unconfirmed,
    /// Bytes that are not used: damaged, of another type or version, of another key of encryption. Says what is wrong.
    Refused(String),
}

impl Explanation {
    /// Whether the next call is answered without its body.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// assert!(!cache.explain("user:42").await?.is_hit());
    /// cache.set("user:42", &1_u8).await?;
    /// assert!(cache.explain("user:42").await?.is_hit());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_hit(&self) -> bool {
        matches!(self.next, Next::HitMemory | Next::HitShared)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.next)?;
        if let Some(function) = &self.function {
            write!(f, "\n  function  {function}, layer \"{}\"", self.layer)?;
        }
        if let Some(bypassed) = &self.bypassed {
            write!(f, "\n  bypassed  {bypassed}")?;
        }
        write!(f, "\n  memory    {}\n  shared    {}", self.memory, self.shared)?;
        match self.loading {
            true => write!(f, "\n  flight    a load is under way"),
            false => Ok(()),
        }
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HitMemory => "the next call is a hit in memory",
            Self::HitShared => "the next call is a hit in the shared tier",
            Self::Waits => "the next call waits for the load that is under way",
            Self::Loads => "the next call is a miss",
            Self::Bypasses => "the next call does not ask the cache",
        })
    }
}

impl fmt::Display for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "the cache is switched off",
            Self::Scope => "the caller is in `larder::bypass`",
            Self::Transaction => "the caller is in a transaction",
        })
    }
}

impl fmt::Display for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unused => f.write_str("not used"),
            Self::Absent => f.write_str("nothing: never stored here, evicted, expired, or its key was invalidated"),
            Self::Fresh(left) => left_of(f, *left),
            Self::Due => f.write_str("fresh; the next call renews it in the background"),
            Self::Stale { since, served: true } => {
                write!(f, "stale for {since:.1?}; served while it is renewed")
            }
            Self::Stale { since, served: false } => {
                write!(f, "stale for {since:.1?}; kept only for a body that fails or is late")
            }
            Self::Expired => f.write_str("expired"),
            Self::Invalidated => {
                f.write_str("invalidated in this process: by a tag, a pattern, or a clear")
            }
            Self::InvalidatedElsewhere => f.write_str("invalidated by another process"),
            Self::Doubted => f.write_str(
                "not vouched for: older than the coherence bound, and news of other processes is not reliable now",
            ),
            Self::Foreign => {
                f.write_str("not this function's: another version, other tags, another type, or a `None`")
            }
        }
    }
}

impl fmt::Display for InShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unused => f.write_str("not used"),
            Self::Away(error) => write!(f, "away: {error}"),
            Self::Absent => f.write_str("nothing: never stored, expired or evicted"),
            Self::Valid(left) => left_of(f, *left),
            Self::Stale { since, served: true } => {
                write!(f, "stale for {since:.1?}; served while it is renewed")
            }
            Self::Stale { since, served: false } => write!(f, "stale for {since:.1?}"),
            Self::KeyInvalidated => f.write_str("invalidated by its key"),
            Self::TagInvalidated(tag) => write!(f, "invalidated by its tag `{tag}`"),
            Self::PatternInvalidated(Some(pattern)) => write!(f, "invalidated by `{pattern}`"),
            Self::PatternInvalidated(None) => {
                f.write_str("invalidated by a pattern or a clear that is too long ago to be named")
            }
            Self::Unconfirmed => {
                f.write_str("invalidated in this process; the shared tier has still to be told")
            }
            Self::Refused(why) => write!(f, "not usable: {why}"),
        }
    }
}

fn left_of(f: &mut fmt::Formatter<'_>, left: Option<Duration>) -> fmt::Result {
    match left {
        Some(left) => write!(f, "fresh for {left:.1?} more"),
        None => f.write_str("fresh until it is invalidated or evicted"),
    }
}

/// Why the next call of a function would hit or miss: [`Entry::explain`](crate::Entry::explain) of what the function's companion
/// `<name>_entry(..)` gives, also of a sync function.
///
/// # Errors
///
/// When there is no cache to have an entry in.
///
/// # Cancel safety
///
/// Safe: nothing is changed.
///
/// ```
/// #[larder::cache_aside(key = "square:{n}", ttl = "5m", tags = ["square"])]
/// async fn square(n: u64) -> u64 { n * n }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// assert!(!larder::explain(square_entry(7)).await?.is_hit());
/// square(7).await;
/// println!("{}", larder::explain(square_entry(7)).await?); // a hit in memory, fresh for 300 s more
/// # Ok(()) }
/// ```
pub async fn explain<T: 'static, E: Holds<T>>(entry: E) -> Result<Explanation> {
    entry.into_entry().explain().await
}
