//! What the cache counted, as Prometheus reads it.

use std::fmt::Write;

use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use crate::routes::Service;

pub(crate) async fn metrics(State(service): State<Service>) -> Response {
    let stats = service.cache.stats();
    let mut text = String::new();
    let mut counter = |name: &str, labels: &str, value: f64| {
        // Writing to memory does not fail.
        let _ = writeln!(text, "{name}{labels} {value}");
    };
    counter("cache_hits_total", "{tier=\"memory\"}", stats.hits_memory as f64);
    counter("cache_hits_total", "{tier=\"shared\"}", stats.hits_shared as f64);
    counter("cache_misses_total", "", stats.misses as f64);
    counter("cache_loads_total", "", stats.loads as f64);
    counter("cache_load_seconds_total", "", stats.load_time.as_secs_f64());
    counter("cache_coalesced_total", "", stats.coalesced as f64);
    counter("cache_stale_served_total", "", stats.stale_served as f64);
    counter("cache_invalidations_total", "", stats.invalidations as f64);
    counter("cache_evictions_total", "", stats.evictions as f64);
    counter("cache_shared_errors_total", "", stats.shared_errors as f64);
    counter("cache_limits_refused_total", "", stats.limits_refused as f64);
    counter("cache_limits_unasked_total", "", stats.limits_unasked as f64);
    counter("cache_entries", "", stats.entries as f64);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
