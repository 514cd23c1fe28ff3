//! The counters of one cache.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::{
    Stats,
    stripe::{self, Mine, STRIPES},
};

/// What is counted. The first [`HOT`] are counted on every call, so that they have a stripe per thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Counter {
    HitsMemory,
    HitsShared,
    NegativeHits,
    Misses,
    Loads,
    Coalesced,
    Fills,
    Bypassed,
    // From here on: rare enough to share.
    LoadNanos,
    LoadNanosMax,
    LoadErrors,
    FillsFenced,
    Evictions,
    Expirations,
    Invalidations,
    Corrupt,
    ForeignType,
    TooLarge,
    CodecErrors,
    CompressionErrors,
    PlaintextRefused,
    EncryptedRefused,
    UnknownKey,
    Forged,
    SharedErrors,
    SharedTimeouts,
    SharedOverloads,
    ReplayQueued,
    ReplayDone,
    ReplayDropped,
    EpochBumps,
    StaleServed,
    Refreshes,
    RefreshesLimited,
    LimitsRefused,
    LimitsUnasked,
    MessagesLost,
    MessagesUndecodable,
    TopicGaps,
}

impl Counter {
    /// Why an entry of the shared tier was not used, and a value not stored there.
    pub(super) const REFUSALS: [Self; 9] = [
        Self::Corrupt,
        Self::ForeignType,
        Self::TooLarge,
        Self::CodecErrors,
        Self::CompressionErrors,
        Self::PlaintextRefused,
        Self::EncryptedRefused,
        Self::UnknownKey,
        Self::Forged,
    ];

    /// Whether it is the greatest of what was seen, and not their sum.
    pub(super) fn is_greatest(self) -> bool {
        self == Self::LoadNanosMax
    }
}

const HOT: usize = Counter::Bypassed as usize + 1;
const COLD: usize = Counter::TopicGaps as usize + 1 - HOT;

/// Two cache lines, because processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe([AtomicU64; HOT]);

/// The counters of one cache. Exact, and without a line of memory that threads contend for on a hit.
#[derive(Debug)]
pub(crate) struct Counters {
    stripes: Box<[Stripe]>,
    cold: [AtomicU64; COLD],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Stripe::default()).collect(),
            cold: Default::default(),
        }
    }
}

impl Counters {
    /// Counts one.
    #[inline]
    pub(crate) fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Counts `number`.
    #[inline]
    pub(crate) fn add(&self, counter: Counter, number: u64) {
        let index = counter as usize;
        if index >= HOT {
            self.cold[index - HOT].fetch_add(number, Relaxed);
            return;
        }
        match stripe::mine() {
            // No other thread writes here, so that the load and the store need not be one locked instruction.
            Mine::Alone(stripe) => {
                let cell = &self.stripes[stripe].0[index];
                cell.store(cell.load(Relaxed).wrapping_add(number), Relaxed);
            }
            Mine::Together(stripe) => {
                self.stripes[stripe].0[index].fetch_add(number, Relaxed);
            }
        }
    }

    /// Counts a finished run of a body.
    pub(crate) fn loaded(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.count(Counter::Loads);
        self.add(Counter::LoadNanos, nanos);
        self.cold[Counter::LoadNanosMax as usize - HOT].fetch_max(nanos, Relaxed);
    }

    /// The sum over all threads.
    pub(crate) fn get(&self, counter: Counter) -> u64 {
        let index = counter as usize;
        if index >= HOT {
            return self.cold[index - HOT].load(Relaxed);
        }
        self.stripes.iter().fold(0, |sum, stripe| sum.wrapping_add(stripe.0[index].load(Relaxed)))
    }

    /// Everything as it is now. Counters that move meanwhile may be ahead of each other.
    pub(crate) fn snapshot(
        get: impl Fn(Counter) -> u64,
        entries: u64,
        weighted_size: u64,
    ) -> Stats {
        Stats {
            hits_memory: get(Counter::HitsMemory),
            hits_shared: get(Counter::HitsShared),
            misses: get(Counter::Misses),
            loads: get(Counter::Loads),
            load_errors: get(Counter::LoadErrors),
            load_time: Duration::from_nanos(get(Counter::LoadNanos)),
            load_time_max: Duration::from_nanos(get(Counter::LoadNanosMax)),
            coalesced: get(Counter::Coalesced),
            fills: get(Counter::Fills),
            fills_fenced: get(Counter::FillsFenced),
            negative_hits: get(Counter::NegativeHits),
            evictions: get(Counter::Evictions),
            expirations: get(Counter::Expirations),
            invalidations: get(Counter::Invalidations),
            corrupt: get(Counter::Corrupt),
            foreign_type: get(Counter::ForeignType),
            too_large: get(Counter::TooLarge),
            codec_errors: get(Counter::CodecErrors),
            compression_errors: get(Counter::CompressionErrors),
            plaintext_refused: get(Counter::PlaintextRefused),
            encrypted_refused: get(Counter::EncryptedRefused),
            unknown_key: get(Counter::UnknownKey),
            forged: get(Counter::Forged),
            shared_errors: get(Counter::SharedErrors),
            shared_timeouts: get(Counter::SharedTimeouts),
            shared_overloads: get(Counter::SharedOverloads),
            bypassed: get(Counter::Bypassed),
            replay_queued: get(Counter::ReplayQueued),
            replay_done: get(Counter::ReplayDone),
            replay_dropped: get(Counter::ReplayDropped),
            epoch_bumps: get(Counter::EpochBumps),
            stale_served: get(Counter::StaleServed),
            refreshes: get(Counter::Refreshes),
            refreshes_limited: get(Counter::RefreshesLimited),
            limits_refused: get(Counter::LimitsRefused),
            limits_unasked: get(Counter::LimitsUnasked),
            messages_lost: get(Counter::MessagesLost),
            messages_undecodable: get(Counter::MessagesUndecodable),
            topic_gaps: get(Counter::TopicGaps),
            entries,
            weighted_size,
            ..Stats::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_stripe_fills_no_more_than_two_cache_lines() {
        assert_eq!((size_of::<Stripe>(), align_of::<Stripe>()), (128, 128));
    }

    #[test]
    fn more_threads_than_stripes_lose_no_count() {
        let counters = Counters::default();
        let threads = STRIPES * 2;
        let started = std::sync::Barrier::new(threads);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    counters.count(Counter::Misses);
                    started.wait();
                    for _ in 0..1000 {
                        counters.count(Counter::HitsMemory);
                        counters.count(Counter::Evictions);
                    }
                });
            }
        });
        let stats = Counters::snapshot(|counter| counters.get(counter), 0, 0);
        assert_eq!(stats.hits_memory, threads as u64 * 1000);
        assert_eq!(stats.evictions, threads as u64 * 1000);
        assert_eq!(stats.misses, threads as u64);
    }

    #[test]
    fn every_counter_appears_in_its_own_field() {
        let counters = Counters::default();
        for index in 0..HOT + COLD {
            // `add` takes a `Counter`; its numbers are what the arrays are indexed by.
            if index < HOT {
                counters.stripes[0].0[index].store(index as u64 + 1, Relaxed);
            } else {
                counters.cold[index - HOT].store(index as u64 + 1, Relaxed);
            }
        }
        let stats = Counters::snapshot(|counter| counters.get(counter), 100, 200);
        let mut numbers = stats.rows().map(|(_, number)| number).to_vec();
        let times = [stats.load_time, stats.load_time_max].map(|time| time.as_nanos() as u64);
        numbers.extend(times.into_iter().chain([stats.loads, stats.entries]));
        numbers.sort_unstable();
        let expected: Vec<u64> = (1..=(HOT + COLD) as u64).chain([100, 200]).collect();
        assert_eq!(numbers, expected);
    }
}
