//! Tells a sink what was counted since it was told last.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError, Weak},
    time::Duration,
};

use super::{
    Metric, MetricsSink,
    list::{
        BYPASSED, COALESCED, ENABLED, ENTRIES, EPOCH_BUMPS, ERRORS, EVICTIONS, EXPIRATIONS, FILLS,
        FILLS_FENCED, HITS, INVALIDATIONS, LAG, LATENCY, LIMITS_REFUSED, LIMITS_UNASKED,
        LOAD_ERRORS, LOADS, MISSES, REFRESHES, REFRESHES_LIMITED, REFUSED, REPLAYS, SHARED_UP,
        STALE_SERVED, WEIGHT,
    },
};
use crate::{
    engine::Engine,
    stats::{FunctionStats, Stats},
    timer,
};

/// How often.
const EVERY: Duration = Duration::from_secs(10);

/// The sink of one cache, and what it was told.
pub(crate) struct Publisher {
    sink: Box<dyn MetricsSink>,
    cache: Box<str>,
    /// What each counter was when it was told.
    told: Mutex<HashMap<Series, u64>>,
}

/// A counter, of a function, with the value of its last label.
type Series = (&'static str, String, &'static str);

struct Count<'a> {
    metric: &'static Metric,
    function: Option<&'a FunctionStats>,
    label: Option<&'static str>,
    total: u64,
}

impl Publisher {
    pub(crate) fn new(sink: Box<dyn MetricsSink>, cache: &str) -> Self {
        sink.describe();
        Self { sink, cache: cache.into(), told: Mutex::default() }
    }

    /// How long a load, or a request to the shared tier, took.
    pub(crate) fn took(&self, operation: &'static str, time: Duration) {
        let labels = [("cache", &*self.cache), ("operation", operation)];
        self.sink.observe(&LATENCY, &labels, time.as_secs_f64());
    }

    /// Tells what was counted since it was told last, and how things are.
    pub(crate) fn publish(&self, engine: &Engine) {
        let (stats, by_hand) = (engine.stats(), engine.functions.by_hand());
        let functions = engine.functions.stats();
        let of_functions = functions.iter().chain([&by_hand]).flat_map(of_function);
        let counts: Vec<Count<'_>> = of_functions.chain(of_cache(&stats)).collect();
        // A sink is another's code: nothing is locked while it runs.
        let grown: Vec<u64> = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            counts.iter().map(|count| grown(&mut told, count)).collect()
        };
        for (count, by) in counts.iter().zip(grown) {
            self.tell(count, by);
        }
        self.gauges(engine, &stats);
    }

    fn tell(&self, count: &Count<'_>, by: u64) {
        let name = count.function.map(FunctionStats::name);
        let values = [Some(&*self.cache), name, count.label];
        let labels: Vec<(&'static str, &str)> =
            count.metric.labels.iter().copied().zip(values.into_iter().flatten()).collect();
        self.sink.increase(count.metric, &labels, by);
    }

    fn gauges(&self, engine: &Engine, stats: &Stats) {
        let set = |metric, value| self.sink.set(metric, &[("cache", &*self.cache)], value);
        set(&ENTRIES, stats.entries as f64);
        set(&WEIGHT, stats.weighted_size as f64);
        set(&ENABLED, f64::from(u8::from(engine.enabled())));
        if engine.shared.is_some() {
            set(&SHARED_UP, f64::from(u8::from(!engine.is_down())));
            set(&LAG, stats.lag.as_secs_f64());
        }
    }

    /// Publishes from now on, until the cache is gone.
    pub(crate) async fn run(engine: Weak<Engine>) {
        loop {
            timer::sleep(EVERY).await;
            let Some(engine) = engine.upgrade() else { return };
            engine.publish_metrics();
        }
    }
}

/// By how much it grew since it was told.
fn grown(told: &mut HashMap<Series, u64>, count: &Count<'_>) -> u64 {
    // Methods of one name are one series: their sum is what a sink adds up.
    let series = match count.function {
        Some(function) => format!("{} {}", function.name(), function.key()),
        None => String::new(),
    };
    let series = (count.metric.name, series, count.label.unwrap_or_default());
    let before = told.entry(series).or_default();
    // Counters are read one after the other, and by several tellers: what was told stays told.
    let by = count.total.saturating_sub(*before);
    *before = count.total.max(*before);
    by
}

fn of_function(stats: &FunctionStats) -> [Count<'_>; 11] {
    let count = |metric, label, total| Count { metric, function: Some(stats), label, total };
    [
        count(&HITS, Some("memory"), stats.hits_memory),
        count(&HITS, Some("shared"), stats.hits_shared),
        count(&MISSES, None, stats.misses),
        count(&LOADS, None, stats.loads),
        count(&LOAD_ERRORS, None, stats.load_errors),
        count(&COALESCED, None, stats.coalesced),
        count(&STALE_SERVED, None, stats.stale_served),
        count(&REFRESHES, None, stats.refreshes),
        count(&FILLS, None, stats.fills),
        count(&FILLS_FENCED, None, stats.fills_fenced),
        count(&REFUSED, None, stats.refused),
    ]
}

fn of_cache<'a>(stats: &Stats) -> [Count<'a>; 14] {
    let count = |metric, label, total| Count { metric, function: None, label, total };
    [
        count(&BYPASSED, None, stats.bypassed),
        count(&EVICTIONS, None, stats.evictions),
        count(&EXPIRATIONS, None, stats.expirations),
        count(&INVALIDATIONS, None, stats.invalidations),
        count(&ERRORS, Some("error"), stats.shared_errors),
        count(&ERRORS, Some("timeout"), stats.shared_timeouts),
        count(&ERRORS, Some("overload"), stats.shared_overloads),
        count(&REPLAYS, Some("queued"), stats.replay_queued),
        count(&REPLAYS, Some("done"), stats.replay_done),
        count(&REPLAYS, Some("dropped"), stats.replay_dropped),
        count(&EPOCH_BUMPS, None, stats.epoch_bumps),
        count(&REFRESHES_LIMITED, None, stats.refreshes_limited),
        count(&LIMITS_REFUSED, None, stats.limits_refused),
        count(&LIMITS_UNASKED, None, stats.limits_unasked),
    ]
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("cache", &self.cache).finish_non_exhaustive()
    }
}
