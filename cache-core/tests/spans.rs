//! Spans around bodies and requests: which, with what, and none for a hit.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use larder::{Cache, testing::MemoryStore};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

#[larder::cache_aside(key = "secret:{n}", ttl = "1m")]
async fn kept(n: u64) -> u64 {
    n + 900_000_000
}

/// Everything that spans of Larder say, as text.
#[derive(Clone, Default)]
struct Spans {
    said: Arc<Mutex<Vec<String>>>,
    next: Arc<AtomicU64>,
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        *self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target() == "larder"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut said = span.metadata().name().to_owned();
        span.record(&mut Fields(&mut said));
        self.said.lock().unwrap().push(said);
        Id::from_u64(self.next.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut said = self.said.lock().unwrap();
        let at = usize::try_from(span.into_u64()).unwrap() - 1;
        values.record(&mut Fields(&mut said[at]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test(flavor = "current_thread")]
async fn a_miss_has_spans_with_templates_and_a_hit_in_memory_has_none() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(spans.clone());
    let store = MemoryStore::new();
    let cache = Cache::builder().shared(Arc::new(store.connect())).build().await.unwrap();
    larder::scoped(cache.clone(), kept(7)).await;
    let said = spans.said.lock().unwrap().clone();
    let names: Vec<&str> = said.iter().filter_map(|text| text.split(' ').next()).collect();
    assert_eq!(names, ["cache.shared", "cache.shared", "cache.load", "cache.shared"]);
    let operations = ["read", "claim", "", "fill"];
    for ((text, operation), end) in
        said.iter().zip(operations).zip(["answered", "answered", "value", "answered"])
    {
        let fields = match operation {
            "" => format!("module=\"{}\" function=\"kept\" layer=\"both\"", module_path!()),
            operation => format!("operation=\"{operation}\""),
        };
        assert!(text.contains(&fields), "{text}");
        assert!(text.ends_with(&format!("outcome=\"{end}\"")), "{text}");
        assert!(!text.contains("secret:7") && !text.contains("900000007"), "{text}");
    }
    larder::scoped(cache, kept(7)).await;
    assert_eq!(spans.said.lock().unwrap().len(), said.len(), "a hit is in no span");
}
