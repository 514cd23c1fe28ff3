//! The memory tier: bounded, in this process, over [`moka`]. Nothing outside this folder knows of moka.
//!
//! Moka decides what stays (TinyLFU, by number of entries or by bytes) and gives memory back when entries are old.
//! Whether an entry may be served is decided here and by the [fences](crate::fence): moka has a clock of its own, which a
//! test cannot move, so it expires entries a little later than [`MemoryTier::get`] refuses them.
//! In front of it each thread has copies of what it was given last (`front.rs`).

mod aging;
pub(crate) mod drops;
mod entry;
mod front;
mod slot;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::notification::RemovalCause;

use crate::clock::Clock;
use crate::fence::Stripes;
use crate::key::{Key, KeyHasher, KeyRef};

pub(crate) use aging::{Age, Aging, Freshness};
pub(crate) use entry::{Heard, MemoryEntry, Proof};
pub(crate) use front::{Copied, FrontOf, Glance, Place, Seen};
use slot::{Kept, Probe};

/// How large the tier may grow, and what it tells.
pub(crate) struct MemoryConfig {
    /// The number of entries it holds, unless `max_bytes` is set. 0 turns the tier off.
    pub(crate) max_entries: u64,
    /// The sum of the entries' weights in bytes.
    pub(crate) max_bytes: Option<u64>,
    pub(crate) clock: Clock,
    /// Told of entries that went without being asked to. It must neither panic nor use the cache.
    pub(crate) on_evict: Option<OnEvict>,
    /// Whether threads keep copies of what they were given.
    pub(crate) front: bool,
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
    entries: moka::sync::Cache<Kept, Arc<MemoryEntry>, S>,
    clock: Clock,
    on_evict: Option<Arc<OnEvict>>,
    front: Option<FrontOf>,
    /// Tells those who have copies that they may be old.
    stripes: Stripes,
    /// Held by inserts and conditional removals of a key, so that neither comes between the other's look and its step.
    changing: Box<[Mutex<()>]>,
}

/// Whether being asked for counts for whether a key stays in the tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    Recorded,
    Unrecorded,
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
        let MemoryConfig { max_entries, max_bytes, clock, on_evict, front } = config;
        let on_evict = on_evict.map(Arc::new);
        let mut builder = moka::sync::Cache::builder()
            .max_capacity(max_bytes.unwrap_or(max_entries))
            .expire_after(GiveBack(clock.clone()));
        if max_bytes.is_some() {
            builder = builder.weigher(|_: &Kept, entry: &Arc<MemoryEntry>| entry.weight);
        }
        let tell = on_evict.clone();
        builder = builder.eviction_listener(move |kept: Arc<Kept>, entry, cause| {
            entry.give_up();
            let tell = |cause| tell.iter().for_each(|tell| tell(kept.key().text(), cause));
            match cause {
                RemovalCause::Size => tell(Cause::Size),
                RemovalCause::Expired => tell(Cause::Expired),
                RemovalCause::Explicit | RemovalCause::Replaced => {}
            }
        });
        let front = front.then(|| FrontOf::new(max_entries, max_bytes));
        // A stripe is as good as one key where there are about as many as keys; 32 KB are enough for any cache.
        let stripes = max_bytes.map_or(max_entries, |_| 4096).clamp(64, 4096);
        Self {
            entries: builder.build_with_hasher(hasher),
            clock,
            on_evict,
            stripes: Stripes::new(if front.is_some() { stripes as usize } else { 1 }),
            front,
            changing: (0..64).map(|_| Mutex::default()).collect(),
        }
    }

    /// The entry, fresh or not, unless its time is over: then it is removed.
    #[inline]
    pub(crate) fn get(&self, key: KeyRef<'_>) -> Option<Arc<MemoryEntry>> {
        self.find(key, Sight::Recorded).map(|(entry, _)| entry)
    }

    /// The same, and whether its age is to be asked.
    #[inline]
    pub(crate) fn find(&self, key: KeyRef<'_>, sight: Sight) -> Option<(Arc<MemoryEntry>, bool)> {
        let entry = match sight {
            Sight::Recorded => self.get_recorded(key)?,
            Sight::Unrecorded => self.peek(key)?,
        };
        let due = entry.is_due(&self.clock);
        if due && entry.expires().is_some_and(|end| end <= self.clock.now()) {
            self.expire(key, &entry);
            return None;
        }
        Some((entry, due))
    }

    /// The entry, without a record of the look.
    fn peek(&self, key: KeyRef<'_>) -> Option<Arc<MemoryEntry>> {
        let probe = Probe::new(key);
        // Moka's answer says whether the entry is there, the probe which one it is.
        if self.entries.contains_key(&probe) { probe.found() } else { None }
    }

    /// Records that the key was asked for.
    pub(crate) fn record(&self, key: &Key) {
        drop(self.get_recorded(key.as_ref()));
    }

    /// Moka may evict others on the way, under a lock: their values are dropped after that.
    fn get_recorded(&self, key: KeyRef<'_>) -> Option<Arc<MemoryEntry>> {
        drops::after(|| self.entries.get(&key))
    }

    /// How this tier uses the fronts of threads, if it does.
    #[inline]
    pub(crate) fn front(&self) -> Option<&FrontOf> {
        self.front.as_ref()
    }

    /// Whether copies of an entry of this weight are kept.
    pub(crate) fn takes_copies(&self, weight: u32) -> bool {
        self.front.as_ref().is_some_and(|front| front.takes(weight))
    }

    /// How often entries under keys with this hash, or few others, have been replaced or removed.
    #[inline]
    pub(crate) fn changes(&self, hash: u64) -> u64 {
        self.stripes.count(hash)
    }

    /// Puts the entry in place of whatever is there.
    pub(crate) fn insert(&self, key: Key, entry: Arc<MemoryEntry>) {
        let hash = key.hash();
        let _changing = self.changing(hash);
        self.stripes.change(hash, || self.entries.insert(Kept::new(key, &entry), entry));
    }

    /// Takes the entry out.
    pub(crate) fn remove(&self, key: KeyRef<'_>) -> Option<Arc<MemoryEntry>> {
        // Told also where nothing was found: copies of what was evicted may still be about.
        self.stripes.change(key.hash(), || self.entries.remove(&key))
    }

    /// Takes the entry out if it is still this one, and says whether it was.
    pub(crate) fn remove_if(&self, key: KeyRef<'_>, expected: &Arc<MemoryEntry>) -> bool {
        let _changing = self.changing(key.hash());
        let same = self.entries.get(&key).is_some_and(|there| Arc::ptr_eq(&there, expected));
        if same {
            self.stripes.change(key.hash(), || self.entries.invalidate(&key));
        }
        same
    }

    /// Takes the entry out if other processes may invalidate it, and says whether it did. Copies are as old then, also those
    /// of an entry that was evicted.
    pub(crate) fn remove_shared(&self, key: KeyRef<'_>) -> bool {
        self.stripes.change(key.hash(), || {
            let entry = self.peek(key).filter(|entry| entry.proof.is_some());
            entry.is_some_and(|entry| self.remove_if(key, &entry))
        })
    }

    /// Visits every entry that is fresh. Others may come and go meanwhile.
    pub(crate) fn each(&self, mut visit: impl FnMut(&str, &MemoryEntry)) {
        for (kept, entry) in &self.entries {
            if entry.fresh_until().is_none_or(|end| self.clock.now() < end) {
                visit(kept.key().text(), &entry);
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

    /// Forgets everything, at once for readers but for copies, which only the [fences](crate::fence) rule out; the memory
    /// is given back bit by bit.
    pub(crate) fn clear(&self) {
        self.entries.invalidate_all();
        if self.front.is_some() {
            FrontOf::sweep();
        }
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
    fn after(&self, now: Instant, entry: &MemoryEntry) -> Option<Duration> {
        // Moka would expire by real time what a clock that stands still keeps.
        let now = self.0.moment_of(now)?;
        Some(now.until(entry.expires()?).saturating_add(GRACE))
    }
}

impl Expiry<Kept, Arc<MemoryEntry>> for GiveBack {
    fn expire_after_create(
        &self,
        _: &Kept,
        entry: &Arc<MemoryEntry>,
        now: Instant,
    ) -> Option<Duration> {
        self.after(now, entry)
    }

    fn expire_after_update(
        &self,
        _: &Kept,
        entry: &Arc<MemoryEntry>,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.after(now, entry)
    }
}

impl<S> fmt::Debug for MemoryTier<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTier").finish_non_exhaustive()
    }
}
