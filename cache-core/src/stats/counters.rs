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
        self.count(Counter::Loads);
        self.add(Counter::LoadNanos, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
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
    pub(crate) fn snapshot(&self, entries: u64, weighted_size: u64) -> Stats {
        Stats {
            hits_memory: self.get(Counter::HitsMemory),
            hits_shared: self.get(Counter::HitsShared),
            misses: self.get(Counter::Misses),
            loads: self.get(Counter::Loads),
            load_time: Duration::from_nanos(self.get(Counter::LoadNanos)),
            coalesced: self.get(Counter::Coalesced),
            fills: self.get(Counter::Fills),
            fills_fenced: self.get(Counter::FillsFenced),
            negative_hits: self.get(Counter::NegativeHits),
            evictions: self.get(Counter::Evictions),
            expirations: self.get(Counter::Expirations),
            invalidations: self.get(Counter::Invalidations),
            corrupt: self.get(Counter::Corrupt),
            foreign_type: self.get(Counter::ForeignType),
            too_large: self.get(Counter::TooLarge),
            codec_errors: self.get(Counter::CodecErrors),
            compression_errors: self.get(Counter::CompressionErrors),
            plaintext_refused: self.get(Counter::PlaintextRefused),
            encrypted_refused: self.get(Counter::EncryptedRefused),
            unknown_key: self.get(Counter::UnknownKey),
            forged: self.get(Counter::Forged),
            shared_errors: self.get(Counter::SharedErrors),
            shared_timeouts: self.get(Counter::SharedTimeouts),
            shared_overloads: self.get(Counter::SharedOverloads),
            bypassed: self.get(Counter::Bypassed),
            replay_queued: self.get(Counter::ReplayQueued),
            replay_done: self.get(Counter::ReplayDone),
            replay_dropped: self.get(Counter::ReplayDropped),
            epoch_bumps: self.get(Counter::EpochBumps),
            stale_served: self.get(Counter::StaleServed),
            refreshes: self.get(Counter::Refreshes),
            refreshes_limited: self.get(Counter::RefreshesLimited),
            limits_refused: self.get(Counter::LimitsRefused),
            limits_unasked: self.get(Counter::LimitsUnasked),
            messages_lost: self.get(Counter::MessagesLost),
            messages_undecodable: self.get(Counter::MessagesUndecodable),
            topic_gaps: self.get(Counter::TopicGaps),
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
        let stats = counters.snapshot(0, 0);
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
        let stats = counters.snapshot(100, 200);
        let mut numbers = stats.rows().map(|(_, number)| number).to_vec();
        numbers.extend([stats.loads, stats.load_time.as_nanos() as u64, stats.entries]);
        numbers.sort_unstable();
        let expected: Vec<u64> = (1..=(HOT + COLD) as u64).chain([100, 200]).collect();
        assert_eq!(numbers, expected);
    }
}
