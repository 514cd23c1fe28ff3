//! The metrics: their names, what they mean, and their labels.

/// What a metric is.
///
/// ```
/// use larder::metrics::{METRICS, MetricKind};
///
/// assert!(METRICS.iter().all(|metric| (metric.kind == MetricKind::Counter) == metric.name.ends_with("_total")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It is as it is now.
    Gauge,
    /// It says how long each of something took, in seconds.
    Histogram,
}

/// One metric.
///
/// ```
/// for metric in larder::metrics::METRICS {
///     println!("{} ({:?}): {}", metric.name, metric.labels, metric.help);
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// As in Prometheus, by its [conventions](https://prometheus.io/docs/practices/naming/).
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it counts or measures.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($id:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) static $id: Metric = Metric {
            name: $name, kind: MetricKind::$kind, labels: &[$($label),*], help: $help,
        };)*

        /// All of them. `cache` is the [name of the cache](crate::CacheBuilder::name), `function` the path of an annotated function,
        /// empty for keys that were given by hand.
        ///
        /// See [`Metric`] for an example.
        pub static METRICS: &[&Metric] = &[$(&$id),*];
    };
}

metrics! {
    HITS: Counter "cache_hits_total" ["cache", "function", "tier"] "Reads that the tier (memory, shared) answered.";
    MISSES: Counter "cache_misses_total" ["cache", "function"] "Reads that no tier answered.";
    LOADS: Counter "cache_loads_total" ["cache", "function"] "Runs of the function's body on behalf of the cache.";
    LOAD_ERRORS: Counter "cache_load_errors_total" ["cache", "function"] "Runs of the body that failed.";
    COALESCED: Counter "cache_coalesced_total" ["cache", "function"] "Misses that waited for another caller's load.";
    STALE_SERVED: Counter "cache_stale_served_total" ["cache", "function"] "Values past their freshness that stood in for a body that failed or was late.";
    REFRESHES: Counter "cache_refreshes_total" ["cache", "function"] "Renewals that were begun in the background.";
    FILLS: Counter "cache_fills_total" ["cache", "function"] "Values stored.";
    FILLS_FENCED: Counter "cache_fills_fenced_total" ["cache", "function"] "Values not stored because an invalidation overtook their load.";
    REFUSED: Counter "cache_refused_total" ["cache", "function"] "Entries of the shared tier that were refused, and values that could not be stored there.";
    BYPASSED: Counter "cache_bypassed_total" ["cache"] "Calls that ran their body without the cache.";
    EVICTIONS: Counter "cache_evictions_total" ["cache"] "Entries that made room for others in memory.";
    EXPIRATIONS: Counter "cache_expirations_total" ["cache"] "Entries whose time in memory was over.";
    INVALIDATIONS: Counter "cache_invalidations_total" ["cache"] "Invalidations asked for in this process.";
    ERRORS: Counter "cache_errors_total" ["cache", "kind"] "Requests that the shared tier failed (error), did not answer in time (timeout), or was spared (overload).";
    REPLAYS: Counter "cache_replays_total" ["cache", "state"] "Invalidations that the shared tier could not be told at once: queued, done since, dropped.";
    EPOCH_BUMPS: Counter "cache_epoch_bumps_total" ["cache"] "Times that news of other processes may have been missed.";
    REFRESHES_LIMITED: Counter "cache_refreshes_limited_total" ["cache"] "Bodies that did not go into the background because there was no room.";
    LIMITS_REFUSED: Counter "cache_limits_refused_total" ["cache"] "Calls that a rate limit refused.";
    LIMITS_UNASKED: Counter "cache_limits_unasked_total" ["cache"] "Rate limits that the shared tier could not be asked about.";
    ENTRIES: Gauge "cache_entries" ["cache"] "Entries in the memory tier.";
    WEIGHT: Gauge "cache_weight" ["cache"] "The weight of those entries: bytes where the tier is bounded in bytes, else their number.";
    ENABLED: Gauge "cache_enabled" ["cache"] "1, or 0 while the cache is off.";
    SHARED_UP: Gauge "cache_shared_up" ["cache"] "1 while the shared tier answers, else 0; absent where there is none.";
    LAG: Gauge "cache_coherence_lag_seconds" ["cache"] "How late news of other processes' invalidations comes at most, as measured by the last heartbeat.";
    LATENCY: Histogram "cache_latency_seconds" ["cache", "operation"] "How long a load, or a request to the shared tier (read, claim, stamp, fill, invalidate, begin, finish), took.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_and_are_told_apart() {
        for metric in METRICS {
            let counts = metric.kind == MetricKind::Counter;
            assert!(metric.name.starts_with("cache_"), "{metric:?}");
            assert_eq!(metric.name.ends_with("_total"), counts, "{metric:?}");
            assert_eq!(metric.labels.first(), Some(&"cache"), "{metric:?}");
            assert!(metric.help.ends_with('.'), "{metric:?}");
            assert_eq!(METRICS.iter().filter(|other| other.name == metric.name).count(), 1);
        }
    }
}
