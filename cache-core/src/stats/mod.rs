//! What a cache did: counters, and the snapshot of them that users see.

mod counters;
mod functions;
mod stripe;
mod usage;

use std::{fmt, time::Duration};

pub use functions::FunctionStats;
pub use usage::MemoryUsage;

pub(crate) use counters::{Counter, Counters};
pub(crate) use functions::Functions;

/// What a cache did in this process since it was built. Counters only grow; `entries` and `weighted_size` are of the
/// moment. Displays as a small table.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let cache = larder::Cache::memory();
/// cache.set("user:42", &1_u8).await?;
/// cache.get::<u8>("user:42").await?;
/// assert_eq!(cache.stats().hits_memory, 1);
/// println!("{}", cache.stats());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Reads answered by the memory tier.
    pub hits_memory: u64,
    /// Reads answered by the shared tier.
    pub hits_shared: u64,
    /// Reads that neither tier answered.
    pub misses: u64,
    /// Runs of a function's body on behalf of the cache.
    pub loads: u64,
    /// Those of them that failed: the body returned an error, or in a batch nothing that could be kept.
    pub load_errors: u64,
    /// The time of those runs, summed up.
    pub load_time: Duration,
    /// The longest of them.
    pub load_time_max: Duration,
    /// Misses that waited for a load under way instead of running their own.
    pub coalesced: u64,
    /// Values stored after a load.
    pub fills: u64,
    /// Values not stored because an invalidation overtook their load.
    pub fills_fenced: u64,
    /// Hits, counted above as well, on a stored `None`.
    pub negative_hits: u64,
    /// Entries that made room for others in memory, counted when their memory was given back.
    pub evictions: u64,
    /// Entries whose time in memory was over, counted when they were asked for or their memory was given back.
    pub expirations: u64,
    /// Invalidations asked for in this process.
    pub invalidations: u64,
    /// Entries of the shared tier that failed a check: cut off, changed, of another format.
    pub corrupt: u64,
    /// Entries of the shared tier that hold another type or another version of it.
    pub foreign_type: u64,
    /// Values not stored because they are larger than the limit.
    pub too_large: u64,
    /// Values that could not be encoded or decoded.
    pub codec_errors: u64,
    /// Entries of the shared tier that could not be decompressed: damaged, larger than the limit or than they announce,
    /// or of an algorithm whose feature is not compiled in.
    pub compression_errors: u64,
    /// Entries of the shared tier that are in the clear, refused because this cache [encrypts](crate::CacheBuilder::encryption).
    pub plaintext_refused: u64,
    /// Entries of the shared tier that are encrypted, refused because this cache has no keys.
    pub encrypted_refused: u64,
    /// Entries of the shared tier that are encrypted with a key that this cache does not have.
    pub unknown_key: u64,
    /// Entries of the shared tier that were not sealed with the key they name, or were changed, or moved, since.
    pub forged: u64,
    /// Requests that the shared tier failed or refused.
    pub shared_errors: u64,
    /// Requests that the shared tier did not answer in time.
    pub shared_timeouts: u64,
    /// Requests that were not sent to the shared tier because too much was under way to it.
    pub shared_overloads: u64,
    /// Calls that ran their body without the cache: it is off, they are in a [`bypass`](crate::bypass), or an argument cannot
    /// be in a key.
    pub bypassed: u64,
    /// Invalidations queued because the shared tier could not be told.
    pub replay_queued: u64,
    /// Queued invalidations that went through later.
    pub replay_done: u64,
    /// Queued invalidations that were given up.
    pub replay_dropped: u64,
    /// How often news of other processes may have been missed, so that everything in memory that depends on it was given
    /// up: at the start of the session, and at each loss of it.
    pub epoch_bumps: u64,
    /// Bodies that failed or were late and had a value that was not fresh stand in for theirs. Callers who waited for such
    /// a body were given that value too.
    pub stale_served: u64,
    /// Renewals that were begun in the background, while callers were given what was there.
    pub refreshes: u64,
    /// Bodies that did not go into the background because there was no room
    /// ([`background_limit`](crate::CacheBuilder::background_limit)).
    pub refreshes_limited: u64,
    /// Calls that a [rate limit](crate::Cache::check) refused.
    pub limits_refused: u64,
    /// Rate limits that the shared tier could not be asked about, so that [`when_away`](crate::Check::when_away) decided.
    pub limits_unasked: u64,
    /// Messages of [topics](crate::Cache::topic) that were dropped because their subscriber was too slow.
    pub messages_lost: u64,
    /// Messages of topics that could not be read: of another type, damaged, or of somebody else.
    pub messages_undecodable: u64,
    /// How often a subscriber was told that messages may have been lost with the connection.
    pub topic_gaps: u64,
    /// How late news of other processes' invalidations comes at most, as measured by the last heartbeat: what was invalidated
    /// before it was sent had been heard of when it was answered.
    pub lag: Duration,
    /// The greatest of those measurements.
    pub lag_max: Duration,
    /// The time, after the first session began, in which news was not reliable, so that memory served entries only for
    /// the coherence bound; as far as it is over.
    pub without_session: Duration,
    /// Whether the cache is off now ([`Cache::set_enabled`](crate::Cache::set_enabled)).
    pub disabled: bool,
    /// Entries in the memory tier now.
    pub entries: u64,
    /// The weight of those entries: bytes with [`max_bytes`](crate::CacheBuilder::max_bytes), otherwise their number.
    pub weighted_size: u64,
}

impl Stats {
    /// Reads that were answered, by either tier.
    ///
    /// ```
    /// assert_eq!(larder::Cache::memory().stats().hits(), 0);
    /// ```
    #[must_use]
    pub const fn hits(&self) -> u64 {
        self.hits_memory + self.hits_shared
    }

    /// The share of reads that were answered, between 0 and 1; 0 when nothing was read.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// cache.set("a", &1_u8).await?;
    /// cache.get::<u8>("a").await?; // a hit
    /// cache.get::<u8>("b").await?; // a miss
    /// assert_eq!(cache.stats().hit_rate(), 0.5);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        share(self.hits(), self.misses)
    }

    /// The mean time of a load; zero when there was none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// assert!(cache.stats().mean_load_time().is_zero());
    /// cache.get_or_set("answer", || async { Ok::<_, larder::Error>(42_u8) }).await?;
    /// println!("{:?}", cache.stats().mean_load_time());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn mean_load_time(&self) -> Duration {
        mean(self.load_time, self.loads)
    }

    fn rows(&self) -> [(&'static str, u64); 37] {
        [
            ("hits, memory", self.hits_memory),
            ("hits, shared", self.hits_shared),
            ("hits, negative", self.negative_hits),
            ("misses", self.misses),
            ("loads, failed", self.load_errors),
            ("coalesced", self.coalesced),
            ("bypassed", self.bypassed),
            ("fills", self.fills),
            ("fills, fenced", self.fills_fenced),
            ("evictions", self.evictions),
            ("expirations", self.expirations),
            ("invalidations", self.invalidations),
            ("corrupt", self.corrupt),
            ("foreign type", self.foreign_type),
            ("too large", self.too_large),
            ("codec errors", self.codec_errors),
            ("bad compression", self.compression_errors),
            ("plaintext", self.plaintext_refused),
            ("encrypted", self.encrypted_refused),
            ("unknown key", self.unknown_key),
            ("forged", self.forged),
            ("shared errors", self.shared_errors),
            ("shared timeouts", self.shared_timeouts),
            ("shared overloads", self.shared_overloads),
            ("replay, queued", self.replay_queued),
            ("replay, done", self.replay_done),
            ("replay, dropped", self.replay_dropped),
            ("epoch bumps", self.epoch_bumps),
            ("stale served", self.stale_served),
            ("refreshes", self.refreshes),
            ("refreshes, limited", self.refreshes_limited),
            ("limits, refused", self.limits_refused),
            ("limits, unasked", self.limits_unasked),
            ("messages, lost", self.messages_lost),
            ("messages, undecodable", self.messages_undecodable),
            ("topics, gaps", self.topic_gaps),
            ("weighted size", self.weighted_size),
        ]
    }
}

/// The share of reads that were hits; 0 when there was none.
fn share(hits: u64, misses: u64) -> f64 {
    let reads = hits + misses;
    if reads == 0 { 0.0 } else { hits as f64 / reads as f64 }
}

fn mean(all: Duration, number: u64) -> Duration {
    let nanos = all.as_nanos().checked_div(number.into()).unwrap_or(0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// A small table: the hit rate, the loads and the entries always, every other line only when there is something to say.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.disabled {
            writeln!(f, "{:<16}{:>14}", "the cache is", "off")?;
        }
        writeln!(f, "{:<16}{:>14.1} %", "hit rate", self.hit_rate() * 100.0)?;
        writeln!(f, "{:<16}{:>14}  {:?} each", "loads", self.loads, self.mean_load_time())?;
        for (name, number) in self.rows().into_iter().filter(|(_, number)| *number > 0) {
            writeln!(f, "{name:<16}{number:>14}")?;
        }
        if self.lag_max > Duration::ZERO {
            writeln!(f, "{:<16}{:>14?}  {:?} at most", "lag", self.lag, self.lag_max)?;
            writeln!(f, "{:<16}{:>14?}", "without session", self.without_session)?;
        }
        write!(f, "{:<16}{:>14}", "entries", self.entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_shares_of_the_reads() {
        let stats = Stats { hits_memory: 2, hits_shared: 1, misses: 1, ..Stats::default() };
        assert_eq!((stats.hits(), stats.hit_rate()), (3, 0.75));
        assert_eq!(Stats::default().hit_rate(), 0.0);
        let counters = Counters::default();
        counters.loaded(Duration::from_millis(1));
        counters.loaded(Duration::from_millis(3));
        assert_eq!(
            Counters::snapshot(|counter| counters.get(counter), 0, 0).mean_load_time(),
            Duration::from_millis(2)
        );
    }

    #[test]
    fn the_table_shows_what_happened_and_nothing_else() {
        let stats = Stats { hits_memory: 3, misses: 1, entries: 7, ..Stats::default() };
        assert_eq!(
            stats.to_string(),
            "hit rate                  75.0 %\n\
             loads                        0  0ns each\n\
             hits, memory                 3\n\
             misses                       1\n\
             entries                      7"
        );
    }
}
