//! What a cache counts, told to whatever collects metrics.
//!
//! A memory hit tells nobody anything. What was counted is told every ten seconds, when the cache shuts down, and when
//! [`Cache::publish_metrics`](crate::Cache::publish_metrics) asks for it; how long a load or a request to the shared tier took is told
//! when it is over.

#[cfg(feature = "metrics")]
mod facade;
mod list;
mod publisher;

#[cfg(feature = "metrics")]
pub use facade::Facade;
pub use list::{METRICS, Metric, MetricKind};

pub(crate) use publisher::Publisher;

/// Labels of one series: a name and a value each. The values are few: none is a key.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

/// Where metrics go.
///
/// The feature `metrics` has one for the [`metrics`](https://docs.rs/metrics) facade, used by default, and with it every exporter that is
/// written over that; this trait is for everything else.
///
/// A sink is called on the thread that has something to tell: it should neither wait nor panic.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
/// use larder::metrics::{Labels, Metric, MetricsSink};
///
/// #[derive(Default)]
/// struct Hits(AtomicU64);
///
/// impl MetricsSink for Hits {
///     fn increase(&self, metric: &'static Metric, _: Labels<'_>, by: u64) {
///         if metric.name == "cache_hits_total" {
///             self.0.fetch_add(by, Ordering::Relaxed);
///         }
///     }
///     fn set(&self, _: &'static Metric, _: Labels<'_>, _: f64) {}
///     fn observe(&self, _: &'static Metric, _: Labels<'_>, _: f64) {}
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let hits = Arc::new(Hits::default());
/// let cache = larder::Cache::builder().metrics(Arc::clone(&hits)).build().await?;
/// cache.set("user:42", &1_u8).await?;
/// cache.get::<u8>("user:42").await?;
/// cache.publish_metrics();
/// assert_eq!(hits.0.load(Ordering::Relaxed), 1);
/// # Ok(()) }
/// ```
pub trait MetricsSink: Send + Sync + 'static {
    /// A counter grew by so much; by 0 when there is nothing to count yet.
    fn increase(&self, metric: &'static Metric, labels: Labels<'_>, by: u64);

    /// A gauge is at this value.
    fn set(&self, metric: &'static Metric, labels: Labels<'_>, value: f64);

    /// Something of a histogram took so many seconds.
    fn observe(&self, metric: &'static Metric, labels: Labels<'_>, seconds: f64);

    /// A cache begins to use this sink: whoever wants to know what there will be to tell finds that in [`METRICS`].
    fn describe(&self) {}
}

impl<S: MetricsSink + ?Sized> MetricsSink for std::sync::Arc<S> {
    fn increase(&self, metric: &'static Metric, labels: Labels<'_>, by: u64) {
        (**self).increase(metric, labels, by);
    }

    fn set(&self, metric: &'static Metric, labels: Labels<'_>, value: f64) {
        (**self).set(metric, labels, value);
    }

    fn observe(&self, metric: &'static Metric, labels: Labels<'_>, seconds: f64) {
        (**self).observe(metric, labels, seconds);
    }

    fn describe(&self) {
        (**self).describe();
    }
}
