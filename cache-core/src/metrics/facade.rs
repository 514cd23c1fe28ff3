//! The `metrics` facade as a sink.

use ::metrics::{Key, KeyName, Label, Level, Metadata, SharedString, Unit, with_recorder};

use super::{Labels, METRICS, Metric, MetricKind, MetricsSink};

/// Hands everything to the recorder of the [`metrics`](https://docs.rs/metrics) facade, whichever that is when there is something to tell.
/// Without one nothing happens. Caches use it by default (feature `metrics`).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// use larder::metrics::Facade;
///
/// let cache = larder::Cache::builder().metrics(Facade::new()).build().await?; // what is done anyhow
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Facade(());

impl Facade {
    /// The facade.
    ///
    /// See [`Facade`] for an example.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

static METADATA: Metadata<'static> = Metadata::new("larder", Level::INFO, Some(module_path!()));

impl MetricsSink for Facade {
    fn increase(&self, metric: &'static Metric, labels: Labels<'_>, by: u64) {
        with_recorder(|recorder| {
            recorder.register_counter(&key(metric, labels), &METADATA).increment(by);
        });
    }

    fn set(&self, metric: &'static Metric, labels: Labels<'_>, value: f64) {
        with_recorder(|recorder| {
            recorder.register_gauge(&key(metric, labels), &METADATA).set(value);
        });
    }

    fn observe(&self, metric: &'static Metric, labels: Labels<'_>, seconds: f64) {
        with_recorder(|recorder| {
            recorder.register_histogram(&key(metric, labels), &METADATA).record(seconds);
        });
    }

    fn describe(&self) {
        with_recorder(|recorder| {
            for metric in METRICS {
                let name = KeyName::from_const_str(metric.name);
                let help = SharedString::const_str(metric.help);
                match metric.kind {
                    MetricKind::Counter => recorder.describe_counter(name, Some(Unit::Count), help),
                    MetricKind::Gauge => recorder.describe_gauge(name, None, help),
                    MetricKind::Histogram => {
                        recorder.describe_histogram(name, Some(Unit::Seconds), help)
                    }
                }
            }
        });
    }
}

fn key(metric: &'static Metric, labels: Labels<'_>) -> Key {
    let labels: Vec<Label> =
        labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(metric.name, labels)
}
