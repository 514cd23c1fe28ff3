//! What a cache tells those who listen.

mod listen;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use cache_store::{Error, Invalidation};

pub use self::listen::Events;
pub(crate) use self::listen::{Announcement, EventSink};

/// Something that happened in a cache; [`Cache::events`](crate::Cache::events) tells it.
///
/// One thing that happens is one event, told once. An invalidation is told when it holds in this process, whether or not
/// the shared tier has confirmed it by then, and before whoever asked for it hears the result; when it was confirmed only
/// later, [`Replayed`](Self::Replayed) tells that too.
///
/// | what happens | events, in this order |
/// |---|---|
/// | `invalidate(..)`, `publish(..)` | [`Invalidated`](Self::Invalidated) for each round trip |
/// | the same while the shared tier is away | [`SharedDown`](Self::SharedDown) the first time, `Invalidated`, and once it went through [`Replayed`](Self::Replayed) |
/// | a writer that renews its entry | [`Written`](Self::Written), then `Invalidated` for what else it invalidates |
/// | a writer whose value is not stored: its body failed, it was dropped, something came between | `Invalidated` for its entry, then for what else it invalidates (nothing else when the body said that it failed) |
/// | `set(..)` | `Written`, or `Invalidated` when nothing could be stored |
/// | too many invalidations wait to be repeated | [`ReplayDropped`](Self::ReplayDropped), then `Invalidated` for everything |
///
/// ```
/// use larder::Event;
///
/// fn is_worth_an_alarm(event: &Event) -> bool {
///     matches!(event, Event::SharedDown { .. } | Event::ReplayDropped { .. })
/// }
/// assert!(!is_worth_an_alarm(&Event::SharedUp));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Something was invalidated. From now on this process serves nothing of it that was loaded before.
    Invalidated {
        /// What it was.
        what: Arc<Invalidation>,
        /// Who asked for it.
        origin: Origin,
    },
    /// A value was stored in place of whatever was there: by a writer, `set` or `Entry::set`. Values that were loaded,
    /// because nothing was there, are not told.
    Written {
        /// The entry's key.
        key: Arc<str>,
        /// Who stored it.
        origin: Origin,
    },
    /// An entry made room for others in the memory tier. Told when its memory is given back: soon where much is asked of the
    /// cache, and possibly after the key was stored anew.
    Evicted {
        /// The entry's key.
        key: Arc<str>,
    },
    /// An entry's time in the memory tier was over. Told when somebody asks for the entry or its memory is given back, so
    /// possibly long afterwards.
    Expired {
        /// The entry's key.
        key: Arc<str>,
    },
    /// A function's body failed or was late, and a value that is not fresh any more stood in for its own.
    StaleServed {
        /// The entry's key.
        key: Arc<str>,
    },
    /// The shared tier stopped answering; calls go on without it.
    SharedDown {
        /// What it said last.
        error: Error,
    },
    /// The shared tier answers again.
    SharedUp,
    /// News of what other processes change does not come any more. Until [`SessionLive`](Self::SessionLive) an entry is
    /// served from memory only as long as `coherence_bound` after it was proven valid.
    SessionLost,
    /// News of what other processes change comes from now on, the first time or again: entries are served from memory
    /// without asking the shared tier.
    SessionLive,
    /// [`Cache::set_enabled`](crate::Cache::set_enabled) switched the cache off: annotated functions run their bodies.
    Disabled,
    /// It switched the cache on again.
    Enabled,
    /// An invalidation that could not be told to the shared tier at once went through. What this process had taken from
    /// the shared tier meanwhile is gone as well.
    Replayed {
        /// What it was.
        what: Arc<Invalidation>,
        /// How long it waited.
        waited: Duration,
    },
    /// Too many invalidations wait for the shared tier. They are given up for one that covers them all, so that more is
    /// loaded again than had to be, and nothing that is out of date is served.
    ReplayDropped {
        /// Those that are not repeated any more, oldest first.
        what: Arc<[Arc<Invalidation>]>,
        /// The one that is repeated in their place.
        instead: Arc<Invalidation>,
    },
    /// The listener was too slow; this many events were dropped before the next one.
    Missed(u64),
}

/// Who asked for an invalidation, or stored a value.
///
/// ```
/// use larder::{Event, Origin};
///
/// /// What other processes do, for a dashboard.
/// fn is_foreign(event: &Event) -> bool {
///     matches!(event, Event::Invalidated { origin: Origin::Elsewhere, .. })
/// }
/// # assert!(!is_foreign(&Event::SharedUp));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// A call in this process that names what it does: `invalidate` and its like, `clear`, `publish`, `set`.
    Here,
    /// An annotated writer in this process: `#[write_through]`, `#[cache_invalidate]`.
    Writer,
    /// Another process, as the shared tier tells: keys that this process had in memory, patterns, several tags together,
    /// everything. Its news is coarse. It says what *may* have been invalidated (a load elsewhere can look like it), and
    /// a single tag cannot be told from its first use, so that it is not told at all.
    Elsewhere,
    /// Larder itself, for safety: an invalidation that this process had made, or one that covers several of them, again.
    Replay,
}
