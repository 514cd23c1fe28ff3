//! The memory tier: bounded, in this process, over [`moka`]. Nothing outside this folder knows of moka.
//!
//! Moka decides what stays (TinyLFU, by number of entries or by bytes) and gives memory back when entries are old.
//! Whether an entry may be served is decided here and by the [fences](crate::fence): moka has a clock of its own, which a
//! test cannot move, so it expires entries a little later than [`MemoryTier::get`] refuses them.

mod aging;
pub(crate) mod drops;
mod entry;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::notification::RemovalCause;

use crate::clock::Clock;
use crate::key::{Key, KeyHasher, KeyRef};

pub(crate) use aging::{Age, Aging, Freshness};
pub(crate) use entry::{MemoryEntry, Proof};

/// How large the tier may grow, and what it tells.
pub(crate) struct MemoryConfig {
    /// The number of entries it holds, unless `max_bytes` is set. 0 turns the tier off.
    pub(crate) max_entries: u64,
    /// The sum of the entries' weights in bytes.
    pub(crate) max_bytes: Option<u64>,
    pub(crate) clock: Clock,
    /// Told of entries that went without being asked to. It must neither panic nor use the cache.
    pub(crate) on_evict: Option<OnEvict>,
}

/// Told the text of a key that went, and why.
pub(crate) type OnEvict = Box<dyn Fn(&str, Cause) + Send + Sync>;

/// Why an entry went without being asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// Others were worth more.
    Size,
    /// Its time to live was over.
    Expired,
}

/// The entries that this process holds.
pub(crate) struct MemoryTier<S = KeyHasher> {
    entries: moka::sync::Cache<Key, Arc<MemoryEntry>, S>,
    clock: Clock,
    on_evict: Option<Arc<OnEvict>>,
    /// Held by inserts and conditional removals of a key, so that neither comes between the other's look and its step.
    changing: Box<[Mutex<()>]>,
}

/// How much longer than its time to live moka keeps an entry: long enough for a reader to find it and count it as
/// expired, short enough not to matter.
const GRACE: Duration = Duration::from_secs(1);

impl MemoryTier {
    /// An empty tier.
    pub(crate) fn new(config: MemoryConfig) -> Self {
        Self::with_hasher(config, KeyHasher::default())
    }
}

impl<S: BuildHasher + Clone + Send + Sync + 'static> MemoryTier<S> {
    /// An empty tier that hashes keys with `hasher`.
    pub(crate) fn with_hasher(config: MemoryConfig, hasher: S) -> Self {
        let MemoryConfig { max_entries, max_bytes, clock, on_evict } = config;
        let on_evict = on_evict.map(Arc::new);
        let mut builder = moka::sync::Cache::builder()
            .max_capacity(max_bytes.unwrap_or(max_entries))
            .expire_after(GiveBack(clock.clone()));
        if max_bytes.is_some() {
            builder = builder.weigher(|_: &Key, entry: &Arc<MemoryEntry>| entry.weight);
        }
        if let Some(tell) = on_evict.clone() {
            builder = builder.eviction_listener(move |key: Arc<Key>, _, cause| match cause {
                RemovalCause::Size => tell(key.text(), Cause::Size),
                RemovalCause::Expired => tell(key.text(), Cause::Expired),
                RemovalCause::Explicit | RemovalCause::Replaced => {}
            });
        }
        Self {
            entries: builder.build_with_hasher(hasher),
            clock,
            on_evict,
            changing: (0..64).map(|_| Mutex::default()).collect(),
        }
    }

    /// The entry, fresh or not, unless its time is over: then it is removed.
    #[inline]
    pub(crate) fn get(&self, key: KeyRef<'_>) -> Option<Arc<MemoryEntry>> {
        self.find(key).map(|(entry, _)| entry)
    }

    /// The same, and whether its age is to be asked.
    #[inline]
    pub(crate) fn find(&self, key: KeyRef<'_>) -> Option<(Arc<MemoryEntry>, bool)> {
        let entry = self.entries.get(&key)?;
        let due = entry.is_due(&self.clock);
        if due && entry.expires().is_some_and(|end| end <= self.clock.now()) {
            self.expire(key, &entry);
            return None;
        }
        Some((entry, due))
    }

    /// Puts the entry in place of whatever is there.
    pub(crate) fn insert(&self, key: Key, entry: Arc<MemoryEntry>) {
        let _changing = self.changing(key.hash());
        self.entries.insert(key, entry);
    }

    /// Takes the entry out.
    pub(crate) fn remove(&self, key: KeyRef<'_>) -> Option<Arc<MemoryEntry>> {
        self.entries.remove(&key)
    }

    /// Takes the entry out if it is still this one, and says whether it was.
    pub(crate) fn remove_if(&self, key: KeyRef<'_>, expected: &Arc<MemoryEntry>) -> bool {
        let _changing = self.changing(key.hash());
        let same = self.entries.get(&key).is_some_and(|there| Arc::ptr_eq(&there, expected));
        if same {
            self.entries.invalidate(&key);
        }
        same
    }

    /// Visits every entry that is fresh. Others may come and go meanwhile.
    pub(crate) fn each(&self, mut visit: impl FnMut(&str, &MemoryEntry)) {
        for (key, entry) in &self.entries {
            if entry.fresh_until().is_none_or(|end| self.clock.now() < end) {
                visit(key.text(), &entry);
            }
        }
    }

    /// The number of entries, as of the last housekeeping; those that expired may still count.
    pub(crate) fn len(&self) -> u64 {
        self.entries.entry_count()
    }

    /// The sum of the weights, or the number of entries if the tier is bounded by that; as of the last housekeeping.
    pub(crate) fn weighted_size(&self) -> u64 {
        self.entries.weighted_size()
    }

    /// Forgets everything, at once for readers; the memory is given back bit by bit.
    pub(crate) fn clear(&self) {
        self.entries.invalidate_all();
    }

    /// Does the housekeeping that is due: evictions, expirations, counts.
    pub(crate) fn run_pending(&self) {
        self.entries.run_pending_tasks();
    }

    #[cold]
    fn expire(&self, key: KeyRef<'_>, expired: &Arc<MemoryEntry>) {
        if self.remove_if(key, expired)
            && let Some(tell) = &self.on_evict
        {
            tell(key.text(), Cause::Expired);
        }
    }

    fn changing(&self, hash: u64) -> MutexGuard<'_, ()> {
        let shard = (hash >> 32) as usize % self.changing.len();
        // There is nothing under the lock that a panic could leave half done.
        self.changing[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells moka when it may give an entry's memory back.
struct GiveBack(Clock);

impl GiveBack {
    fn after(&self, entry: &MemoryEntry) -> Option<Duration> {
        // Moka would expire by real time what a clock that stands still keeps.
        let expires = entry.expires().filter(|_| self.0.is_system())?;
        Some(self.0.now().until(expires).saturating_add(GRACE))
    }
}

impl Expiry<Key, Arc<MemoryEntry>> for GiveBack {
    fn expire_after_create(
        &self,
        _: &Key,
        entry: &Arc<MemoryEntry>,
        _: Instant,
    ) -> Option<Duration> {
        self.after(entry)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        entry: &Arc<MemoryEntry>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.after(entry)
    }
}

impl<S> fmt::Debug for MemoryTier<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTier").finish_non_exhaustive()
    }
}
