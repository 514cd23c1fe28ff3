//! The memory tier: bounded, in this process, over [`moka`]. Nothing outside this folder knows of moka.
//!
//! Moka decides what stays (TinyLFU, by number of entries or by bytes) and gives memory back when entries are old.
//! Whether an entry may be served is decided here and by the [fences](crate::fence): moka has a clock of its own, which a
//! test cannot move, so it expires entries a little later than [`MemoryTier::get`] refuses them.
//! In front of it each thread has copies of what it was given last (`front.rs`).

mod aging;
pub(crate) mod drops;
mod ending;
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

use crate::clock::Clock;
use crate::fence::Stripes;
use crate::key::{Key, KeyHasher, KeyRef};

pub(crate) use aging::{Age, Aging, Freshness};
pub(crate) use ending::Home;
use ending::{Held, Teller};
pub(crate) use entry::{Heard, MemoryEntry, Proof, Stay};
pub(crate) use front::{Copied, FrontOf, Glance, Place, Seen};
use slot::{Kept, Probe};

/// How large the tier may grow, and what it tells.
pub(crate) struct MemoryConfig {
    /// The number of entries it holds, unless `max_bytes` is set. 0 turns the tier off.
    pub(crate) max_entries: u64,
    /// The sum of the entries' weights in bytes.
    pub(crate) max_bytes: Option<u64>,
    pub(crate) clock: Clock,
    /// Told of entries that went without being asked to, when their memory is given back. It must neither panic nor use the
    /// cache.
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
    /// Before the entries, so that it goes first: of a tier that is dropped nothing is told.
    teller: Option<Arc<Teller>>,
    entries: moka::sync::Cache<Kept, Held, S>,
    clock: Clock,
    front: Option<FrontOf>,
    /// Tells those who have copies that they may be old.
    stripes: Stripes,
    /// Held by inserts and conditional removals of a key, so that neither comes between the other's look and its step.
    changing: Box<[Mutex<()>]>,
}

/// That there was nothing under a key. It holds for as long as the [changes](MemoryTier::changes) of its stripe are this many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Absence(u64);

impl Absence {
    /// What a look that found nothing tells; the changes were counted before it.
    pub(crate) fn after(changes: u64) -> Self {
        Self(changes)
    }
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

/// How often moka's memory has to be flushed until what is in it is given back: twice for the epochs of those who might be
/// reading, and once to put it there.
const ROUNDS: usize = 4;

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
        let mut builder = moka::sync::Cache::builder()
            .max_capacity(max_bytes.unwrap_or(max_entries))
            .expire_after(GiveBack(clock.clone()));
        if max_bytes.is_some() {
            builder = builder
                .weigher(|_: &Kept, held: &Held| held.entry().map_or(0, |entry| entry.weight));
        }
        let front = front.then(|| FrontOf::new(max_entries, max_bytes));
        // A stripe is as good as one key where there are about as many as keys; 32 KB are enough for any cache.
        let stripes = max_bytes.map_or(max_entries, |_| 4096).clamp(64, 4096);
        Self {
            teller: on_evict.map(|tell| Arc::new(Teller::new(tell, clock.clone()))),
            entries: builder.build_with_hasher(hasher),
            clock,
            stripes: Stripes::new(stripes as usize),
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
    pub(crate) fn peek(&self, key: KeyRef<'_>) -> Option<Arc<MemoryEntry>> {
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
        drops::after(|| self.entries.get(&key))?.into_entry()
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

    /// The home of an entry that is to be put in under this key.
    pub(crate) fn home(&self, key: &Key) -> Home {
        Home::new(key.shared_text(), self.teller.as_ref())
    }

    /// Whether there still is nothing under a key with this hash, for sure.
    #[inline]
    pub(crate) fn is_absent(&self, hash: u64, absence: Absence) -> bool {
        self.changes(hash) == absence.0
    }

    /// Puts the entry in place of whatever is there. `absence` is what is known of that.
    pub(crate) fn insert(&self, key: Key, entry: Arc<MemoryEntry>, absence: Option<Absence>) {
        let hash = key.hash();
        // Who inserts changes the count under this lock, and removals leave nothing.
        let _changing = self.changing(hash);
        if !absence.is_some_and(|absence| self.is_absent(hash, absence)) {
            self.entries.contains_key(&Probe::ending(key.as_ref()));
        }
        let kept = Kept::new(key, &entry);
        let held = if self.teller.is_some() { Held::told(entry) } else { Held::untold(entry) };
        self.stripes.change(hash, || self.entries.insert(kept, held));
    }

    /// Takes the entry out.
    pub(crate) fn remove(&self, key: KeyRef<'_>) -> Option<Arc<MemoryEntry>> {
        // Told also where nothing was found: copies of what was evicted may still be about.
        let removed = self.stripes.change(key.hash(), || self.entries.remove(&Probe::ending(key)));
        removed?.into_entry()
    }

    /// Takes the entry out if it is still this one, and says whether it was.
    pub(crate) fn remove_if(&self, key: KeyRef<'_>, expected: &Arc<MemoryEntry>) -> bool {
        let _changing = self.changing(key.hash());
        let there = self.entries.get(&key).and_then(Held::into_entry);
        let same = there.is_some_and(|there| Arc::ptr_eq(&there, expected));
        if same {
            self.stripes.change(key.hash(), || self.entries.invalidate(&Probe::ending(key)));
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
        for (kept, held) in &self.entries {
            let Some(entry) = held.into_entry() else { continue };
            if entry.fresh_until().is_none_or(|end| self.clock.now() < end) {
                visit(kept.text(), &entry);
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
        if let Some(teller) = &self.teller {
            teller.clear();
        }
        self.entries.invalidate_all();
        if self.front.is_some() {
            FrontOf::sweep();
        }
    }

    /// Does the housekeeping that is due: evictions, expirations, counts.
    pub(crate) fn run_pending(&self) {
        // What the first round gives up is given back, and told, in the later ones, unless other threads are reading.
        for _ in 0..ROUNDS {
            self.entries.run_pending_tasks();
        }
    }

    #[cold]
    fn expire(&self, key: KeyRef<'_>, expired: &Arc<MemoryEntry>) {
        if self.remove_if(key, expired)
            && let Some(teller) = &self.teller
        {
            teller.tell(key.text(), Cause::Expired);
        }
    }

    fn changing(&self, hash: u64) -> MutexGuard<'_, ()> {
        let shard = (hash >> 32) as usize % self.changing.len();
        // There is nothing under the lock that a panic could leave half done.
        self.changing[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells moka when it may give an entry's memory back, which it asks when it has put the entry in.
struct GiveBack(Clock);

impl GiveBack {
    fn after(&self, now: Instant, held: &Held) -> Option<Duration> {
        let entry = held.entry()?;
        entry.begin();
        // Moka would expire by real time what a clock that stands still keeps.
        let now = self.0.moment_of(now)?;
        Some(now.until(entry.expires()?).saturating_add(GRACE))
    }
}

impl Expiry<Kept, Held> for GiveBack {
    fn expire_after_create(&self, _: &Kept, held: &Held, now: Instant) -> Option<Duration> {
        self.after(now, held)
    }

    fn expire_after_update(
        &self,
        _: &Kept,
        held: &Held,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.after(now, held)
    }
}

impl<S> fmt::Debug for MemoryTier<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTier").finish_non_exhaustive()
    }
}
