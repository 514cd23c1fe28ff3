//! What the cache counted, as Prometheus reads it. With its feature `metrics` Larder tells the recorder by itself; here the recorder is
//! made and shown.

use std::sync::OnceLock;

use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::routes::Service;

/// Seconds: from a round trip on the same machine to a database that struggles.
const BUCKETS: [f64; 10] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Records from now on; once for a process, before it does anything that counts.
pub(crate) fn record() -> Result<(), BuildError> {
    let latency = Matcher::Full("cache_latency_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(latency, &BUCKETS)?;
    let _ = RECORDER.set(builder.install_recorder()?);
    Ok(())
}

pub(crate) async fn metrics(State(service): State<Service>) -> Response {
    // Otherwise what is shown is as old as ten seconds.
    service.cache.publish_metrics();
    let text = RECORDER.get().map(PrometheusHandle::render).unwrap_or_default();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
