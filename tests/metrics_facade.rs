//! The feature `metrics`: a recorder of the `metrics` facade hears of every cache, without a line of code.
#![cfg(feature = "metrics")]
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use larder::{Cache, memoize, metrics::METRICS};
use metrics_util::{
    CompositeKey, MetricKind,
    debugging::{DebugValue, DebuggingRecorder, Snapshotter},
};

#[memoize(key = "square:{n}", skip(cache), cache = cache)]
fn square(cache: &Cache, n: u64) -> u64 {
    n * n
}

type Told = BTreeMap<String, (MetricKind, DebugValue)>;

fn told(snapshotter: &Snapshotter) -> Told {
    let name = |key: &CompositeKey| {
        let labels = key.key().labels().map(|label| format!("{}={}", label.key(), label.value()));
        format!("{}{{{}}}", key.key().name(), labels.collect::<Vec<_>>().join(","))
    };
    let all = snapshotter.snapshot().into_vec();
    all.into_iter().map(|(key, _, _, value)| (name(&key), (key.kind(), value))).collect()
}

/// In one test: a process has one recorder.
#[test]
fn a_recorder_hears_of_a_cache_that_nobody_told_of_it() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().unwrap();
    let cache = Cache::memory();
    for n in [1, 1, 2] {
        square(&cache, n);
    }
    cache.publish_metrics();
    let told = told(&snapshotter);
    let get = |series: &str| told.get(series).map(|(kind, value)| (*kind, value));
    let function = format!("cache=default,function={}::square", module_path!());
    let hits = get(&format!("cache_hits_total{{{function},tier=memory}}"));
    assert_eq!(hits, Some((MetricKind::Counter, &DebugValue::Counter(1))));
    let misses = get(&format!("cache_misses_total{{{function}}}"));
    assert_eq!(misses, Some((MetricKind::Counter, &DebugValue::Counter(2))));
    let entries = get("cache_entries{cache=default}");
    assert_eq!(entries, Some((MetricKind::Gauge, &DebugValue::Gauge(2.0.into()))));
    let latency = get("cache_latency_seconds{cache=default,operation=load}");
    assert!(
        matches!(latency, Some((MetricKind::Histogram, DebugValue::Histogram(took))) if took.len() == 2)
    );
    // Every one has a description.
    let described = snapshotter.snapshot().into_vec();
    for metric in METRICS {
        let mut of =
            described.iter().filter(|(key, ..)| key.key().name() == metric.name).peekable();
        assert!(of.all(|(_, _, help, _)| help.as_deref() == Some(metric.help)), "{}", metric.name);
    }
}
