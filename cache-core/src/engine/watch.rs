//! Spans around bodies and requests, and how long requests took. Their names and fields are few: neither a key nor a value is in them.

use std::{future::Future, time::Instant};

use cache_store::Result;
use tracing::{Instrument, Span, field};

use super::{Call, Engine, Keep};

/// What the shared tier answered, or did not.
pub(super) trait Answer {
    fn is_one(&self) -> bool;
}

impl<T> Answer for Result<T> {
    fn is_one(&self) -> bool {
        self.is_ok()
    }
}

impl<T> Answer for Vec<Result<T>> {
    fn is_one(&self) -> bool {
        self.iter().any(Result::is_ok)
    }
}

impl Engine {
    /// Waits for what is asked of the shared tier: in a span, and timed where somebody wants to know.
    pub(super) async fn watched<F>(&self, operation: &'static str, asked: F) -> F::Output
    where
        F: Future<Output: Answer>,
    {
        let outcome = field::Empty;
        let span = tracing::debug_span!(target: "larder", "cache.shared", operation, outcome);
        let began = self.metrics.as_ref().map(|metrics| (metrics, Instant::now()));
        let answer = asked.instrument(span.clone()).await;
        span.record("outcome", if answer.is_one() { "answered" } else { "failed" });
        if let Some((metrics, began)) = began {
            metrics.took(operation, began.elapsed());
        }
        answer
    }
}

impl Call {
    /// The span of a body; its outcome is told when the body is done.
    pub(super) fn load_span(&self) -> Span {
        let (module, function) = (self.site.module, self.site.function);
        let (layer, outcome) = (self.site.layer.name(), field::Empty);
        tracing::debug_span!(target: "larder", "cache.load", module, function, layer, outcome)
    }

    /// The same of a body that loads so many elements at once.
    pub(super) fn batch_span(&self, elements: usize) -> Span {
        let (module, function) = (self.site.module, self.site.function);
        let (layer, outcome) = (self.site.layer.name(), field::Empty);
        tracing::debug_span!(target: "larder", "cache.load", module, function, layer, elements, outcome)
    }
}

impl Keep {
    /// What a body came to, in a word.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Value { value: None, .. } | Self::Pass { value: None, .. } => "nothing",
            Self::Value { .. } => "value",
            Self::Pass { .. } => "not kept",
            Self::Stale(_) => "stale",
            Self::Error(_) | Self::Nothing => "failed",
        }
    }
}
