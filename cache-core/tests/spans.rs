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
    time::Duration,
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

#[larder::cache_aside(key = "secrets:{n}", ttl = "1m", batch(n in all), skip(fails))]
async fn many(all: &[u64], fails: bool) -> Result<Vec<Option<u64>>, String> {
    // A body that waits is left and entered again.
    tokio::task::yield_now().await;
    tracing::info_span!(target: "larder", "inside").in_scope(|| ());
    if fails {
        return Err("900000000".to_owned());
    }
    Ok(all.iter().map(|n| (*n > 0).then_some(n + 900_000_000)).collect())
}

#[larder::memoize(key = "here:{n}", batch(n in all), companions = false)]
fn many_here(all: Vec<u64>) -> Vec<Option<u64>> {
    tracing::info_span!(target: "larder", "inside").in_scope(|| ());
    all.into_iter().map(|n| Some(n + 900_000_000)).collect()
}

/// Everything that spans of Larder say, as text.
#[derive(Clone, Default)]
struct Spans {
    said: Arc<Mutex<Vec<String>>>,
    entered: Arc<Mutex<Vec<Id>>>,
    next: Arc<AtomicU64>,
}

impl Spans {
    /// What was said since the last time.
    fn take(&self) -> Vec<String> {
        let mut said = self.said.lock().unwrap();
        let new = said.iter().filter(|text| !text.is_empty()).cloned().collect();
        // The numbers of spans are their places.
        said.iter_mut().for_each(String::clear);
        new
    }

    fn number(span: &Id) -> usize {
        usize::try_from(span.into_u64()).unwrap() - 1
    }
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
        let mut all = self.said.lock().unwrap();
        if let Some(outer) = self.entered.lock().unwrap().last() {
            let outer = all[Self::number(outer)].split(' ').next().unwrap();
            said += &format!(" within {outer}");
        }
        all.push(said);
        Id::from_u64(self.next.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut said = self.said.lock().unwrap();
        values.record(&mut Fields(&mut said[Self::number(span)]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, span: &Id) {
        self.entered.lock().unwrap().push(span.clone());
    }

    fn exit(&self, span: &Id) {
        assert_eq!(self.entered.lock().unwrap().pop().as_ref(), Some(span));
    }
}

/// A cache whose session has begun: memory is emptied then.
async fn behind_a_shared_tier() -> Cache {
    let store = Arc::new(MemoryStore::new().connect());
    let cache = Cache::builder().shared(store).build().await.unwrap();
    let began = async {
        while cache.health().await.session != Some(true) {
            let load = || async { Ok::<_, larder::Error>(1_u8) };
            cache.get_or_set("first", load).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), began).await.unwrap();
    cache
}

#[tokio::test(flavor = "current_thread")]
async fn a_miss_has_spans_with_templates_and_a_hit_in_memory_has_none() {
    let (cache, spans) = (behind_a_shared_tier().await, Spans::default());
    let _guard = tracing::subscriber::set_default(spans.clone());
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

#[tokio::test(flavor = "current_thread")]
async fn the_body_of_a_batch_has_one_span_with_a_number_of_elements_and_hits_have_none() {
    let (cache, spans) = (behind_a_shared_tier().await, Spans::default());
    let _guard = tracing::subscriber::set_default(spans.clone());
    let shared = |operation| format!("cache.shared operation=\"{operation}\" outcome=\"answered\"");
    let load = |function, layer, elements, outcome| {
        let module = module_path!();
        format!(
            "cache.load module=\"{module}\" function=\"{function}\" layer=\"{layer}\" \
             elements={elements} outcome=\"{outcome}\""
        )
    };
    let inside = || "inside within cache.load".to_owned();
    larder::scoped(cache, async {
        for (asked, fails, elements, outcome) in [
            (&[1, 0, 2, 1][..], false, 3, "value"),
            (&[1, 2, 3], false, 1, "value"),
            (&[0, 3], false, 1, "nothing"),
            (&[4, 5], true, 2, "failed"),
        ] {
            assert_eq!(many(asked, fails).await.is_err(), fails);
            let body = [load("many", "both", elements, outcome), inside()];
            let mut expected = [[shared("read"), shared("claim")], body].concat();
            expected.extend((outcome == "value").then(|| shared("fill")));
            assert_eq!(spans.take(), expected, "{asked:?}");
        }
        many(&[1, 2, 3], false).await.unwrap();
        assert_eq!(spans.take(), [""; 0], "hits are in no span");
        many_here(vec![1, 2]);
        assert_eq!(spans.take(), [load("many_here", "memory", 2, "value"), inside()]);
        many_here(vec![1, 2]);
        assert_eq!(spans.take(), [""; 0]);
        larder::bypass(many(&[1], false)).await.unwrap();
        assert_eq!(spans.take(), ["inside"], "it does not run for the cache");
    })
    .await;
}

#[larder::cache_aside(key = "told:{n}", ttl = "1m", tags = ["sum:{value}"])]
async fn told(n: u64) -> u64 {
    n
}

#[larder::cache_aside(key = "told:{n}", ttl = "1m", tags = ["sum:{value}"], batch(n in all))]
async fn told_of_many(all: &[u64]) -> Vec<Option<u64>> {
    all.iter().copied().map(Some).collect()
}

#[larder::write_through(entry = told(n))]
async fn tell(n: u64, value: u64) -> u64 {
    value
}

#[tokio::test(flavor = "current_thread")]
async fn each_request_of_loads_and_of_writes_has_a_span() {
    let (cache, spans) = (behind_a_shared_tier().await, Spans::default());
    let _guard = tracing::subscriber::set_default(spans.clone());
    let asked = || {
        let said = spans.take().join("\n");
        let operations = said.split("operation=\"").skip(1);
        operations.map(|rest| rest.split('"').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    larder::scoped(cache.clone(), async {
        told(1).await;
        assert_eq!(asked(), ["read", "claim", "stamp", "fill"]);
        told_of_many(&[1, 2, 3]).await;
        assert_eq!(asked(), ["read", "claim", "stamp", "fill"]);
        tell(1, 7).await;
        assert_eq!(asked(), ["begin", "stamp", "finish"]);
        cache.set_many([("a", &1_u8), ("b", &2)]).await.unwrap();
        assert_eq!(asked(), ["begin", "finish"]);
        told_entry(1).invalidate().await.unwrap();
        assert_eq!(asked(), ["invalidate"]);
    })
    .await;
}
