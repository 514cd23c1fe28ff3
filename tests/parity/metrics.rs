//! Metrics: what a collector is told, under which names.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use larder::{
    Cache, cache_aside,
    metrics::{Labels, METRICS, Metric, MetricKind, MetricsSink},
};
use serde_json::Value;

use crate::for_both_forms_of;

/// Keeps what it was told, by series.
#[derive(Clone, Default)]
pub(crate) struct Collector(Arc<Mutex<BTreeMap<String, f64>>>);

impl Collector {
    fn tell(
        &self,
        metric: &'static Metric,
        kind: MetricKind,
        labels: Labels<'_>,
        value: f64,
        adds: bool,
    ) {
        assert_eq!(metric.kind, kind);
        let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, metric.labels, "{}", metric.name);
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let series = format!("{}{{{}}}", metric.name, labels.join(","));
        let mut told = self.0.lock().unwrap();
        let at = told.entry(series).or_default();
        *at = if adds { *at + value } else { value };
    }

    pub(crate) fn get(&self, series: &str) -> Option<f64> {
        self.0.lock().unwrap().get(series).copied()
    }
}

impl MetricsSink for Collector {
    fn increase(&self, metric: &'static Metric, labels: Labels<'_>, by: u64) {
        self.tell(metric, MetricKind::Counter, labels, by as f64, true);
    }

    fn set(&self, metric: &'static Metric, labels: Labels<'_>, value: f64) {
        self.tell(metric, MetricKind::Gauge, labels, value, false);
    }

    /// How many there were.
    fn observe(&self, metric: &'static Metric, labels: Labels<'_>, seconds: f64) {
        assert!((0.0..60.0).contains(&seconds), "{seconds}");
        self.tell(metric, MetricKind::Histogram, labels, 1.0, true);
    }
}

#[cache_aside(key = "metrics:user:{id}", ttl = "5m", skip(cache), cache = cache)]
async fn user(cache: &Cache, id: u64) -> Result<u64, String> {
    if id == 0 { Err("nobody".to_owned()) } else { Ok(id) }
}

#[tokio::test]
async fn metrics_cache_hits_total_cache_misses_total_cache_latency_seconds() {
    let collector = Collector::default();
    let builder = || Cache::builder().metrics(collector.clone()).name("shop");
    for_both_forms_of(builder, async |cache| {
        collector.0.lock().unwrap().clear();
        let function = format!("{}::user", module_path!());
        let of = |metric: &str, more: &str| {
            collector.get(&format!("{metric}{{cache=shop,function={function}{more}}}"))
        };
        for _ in 0..3 {
            user(&cache, 7).await.unwrap();
        }
        user(&cache, 0).await.unwrap_err();
        assert_eq!(of("cache_hits_total", ",tier=memory"), None, "nobody is told of a hit at once");
        cache.publish_metrics();
        cache.publish_metrics();
        assert_eq!(of("cache_hits_total", ",tier=memory"), Some(2.0), "and once");
        assert_eq!(
            of("cache_hits_total", ",tier=shared"),
            Some(0.0),
            "what has not been is there, too"
        );
        assert_eq!(of("cache_misses_total", ""), Some(2.0));
        assert_eq!(
            (of("cache_loads_total", ""), of("cache_load_errors_total", "")),
            (Some(2.0), Some(1.0))
        );
        let took = |what: &str| {
            collector.get(&format!("cache_latency_seconds{{cache=shop,operation={what}}}"))
        };
        let has_shared_tier = cache.health().await.shared.is_some();
        let asked = has_shared_tier.then_some(2.0);
        assert_eq!((took("load"), took("read"), took("claim")), (Some(2.0), asked, asked));
        assert_eq!(took("fill"), has_shared_tier.then_some(1.0));
        assert_eq!(collector.get("cache_entries{cache=shop}"), Some(1.0));
        let up = collector.get("cache_shared_up{cache=shop}");
        assert_eq!(up, has_shared_tier.then_some(1.0));
        // A key given by hand belongs to no function.
        cache.get::<u8>("metrics:by hand").await.unwrap();
        cache.invalidate("metrics:by hand").await.unwrap();
        cache.publish_metrics();
        assert_eq!(collector.get("cache_misses_total{cache=shop,function=}"), Some(1.0));
        assert_eq!(collector.get("cache_invalidations_total{cache=shop}"), Some(1.0));
        cache.set_enabled(false);
        cache.shutdown().await.unwrap();
        assert_eq!(collector.get("cache_enabled{cache=shop}"), Some(0.0), "the last word is told");
    })
    .await;
}

#[tokio::test]
async fn metrics_of_two_caches_with_one_name_add_up() {
    let collector = Collector::default();
    let cache = async || Cache::builder().metrics(collector.clone()).build().await.unwrap();
    for cache in [cache().await, cache().await] {
        user(&cache, 7).await.unwrap();
        cache.publish_metrics();
    }
    let series = format!("cache_misses_total{{cache=default,function={}::user}}", module_path!());
    assert_eq!(collector.get(&series), Some(2.0));
}

#[tokio::test(start_paused = true)]
async fn metrics_are_published_every_ten_seconds() {
    let collector = Collector::default();
    let builder = Cache::builder().metrics(collector.clone());
    let cache = builder.runtime(tokio::runtime::Handle::current()).build().await.unwrap();
    user(&cache, 7).await.unwrap();
    let told = || {
        collector
            .get(&format!("cache_misses_total{{cache=default,function={}::user}}", module_path!()))
    };
    tokio::time::sleep(std::time::Duration::from_millis(9_900)).await;
    assert_eq!(told(), None);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(told(), Some(1.0));
    user(&cache, 8).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    assert_eq!(told(), Some(2.0));
}

#[tokio::test]
async fn metrics_every_one_of_the_list_is_told() {
    let collector = Collector::default();
    let builder = || Cache::builder().metrics(collector.clone());
    for_both_forms_of(builder, async |cache| {
        user(&cache, 7).await.unwrap();
        cache.publish_metrics();
    })
    .await;
    let told = collector.0.lock().unwrap();
    for metric in METRICS {
        let begins = format!("{}{{", metric.name);
        assert!(told.keys().any(|series| series.starts_with(&begins)), "{}", metric.name);
    }
}

/// The names of metrics in an expression of the dashboard.
fn names_in(expr: &str) -> impl Iterator<Item = &str> {
    let words = expr.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("cache_")).map(|word| {
        let suffixes = ["_bucket", "_sum", "_count"];
        suffixes.into_iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word)
    })
}

#[test]
fn metrics_the_grafana_dashboard_shows_all_of_them_and_no_other() {
    let text = include_str!("../../docs/grafana/larder.json");
    let dashboard: Value = serde_json::from_str(text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut shown = BTreeSet::new();
    for panel in panels {
        assert!(panel["title"].is_string() && panel["gridPos"]["w"].is_u64(), "{panel}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            let expr = target["expr"].as_str().unwrap();
            assert_eq!(expr.matches('(').count(), expr.matches(')').count(), "{expr}");
            assert_eq!(expr.matches('{').count(), expr.matches('}').count(), "{expr}");
            let names: Vec<&str> = names_in(expr).collect();
            assert!(!names.is_empty(), "{expr}");
            shown.extend(names);
        }
    }
    let known: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(shown, known);
    // What its variables and groups name is a label of some metric.
    let labels: BTreeSet<&str> = METRICS.iter().flat_map(|metric| metric.labels).copied().collect();
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        assert!(name == "datasource" || labels.contains(name), "{name}");
    }
}
