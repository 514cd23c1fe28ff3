//! Types that a codec cannot carry are told of, once for each function.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use larder::{Cache, Codec, testing::MemoryStore};
use serde::{Deserialize, Serialize};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Which of the two it is says only a format that tells what comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Amount {
    Number(u64),
    Text(String),
}

#[larder::cache_aside(key = "amount:{n}", ttl = "1m", layer = "shared")]
async fn amount(n: u64) -> Amount {
    Amount::Text(format!("a secret {n}"))
}

/// The warnings of Larder, as text.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        *self.0 += &format!("{}={value:?} ", field.name());
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "larder" && *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut said = String::new();
        event.record(&mut Fields(&mut said));
        self.0.lock().unwrap().push(said);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// What is said, and how many loads there are, when it is called three times.
async fn three_calls(codec: Codec) -> (Vec<String>, u64) {
    let store = Arc::new(MemoryStore::new().connect());
    let cache = Cache::builder().shared(store).codec(codec).build().await.unwrap();
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    larder::scoped(cache.clone(), async {
        for _ in 0..3 {
            assert_eq!(amount(1).await, Amount::Text("a secret 1".to_owned()));
        }
    })
    .await;
    let said = warnings.0.lock().unwrap().clone();
    (said, cache.stats().loads)
}

// Guards: cache-core/src/engine/fill.rs, the first one is told and no other one is; the error is not, which may have the value in it.
#[tokio::test(flavor = "current_thread")]
async fn a_type_that_the_codec_cannot_carry_is_told_once_for_its_function() {
    let (said, loads) = three_calls(Codec::Bincode).await;
    assert_eq!(loads, 3, "it is a miss each time");
    let [said] = &said[..] else { panic!("{said:?}") };
    assert!(said.contains("function=\"amount\"") && said.contains("untagged"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_format_that_tells_what_comes_carries_it() {
    assert_eq!(three_calls(Codec::Json).await, (Vec::new(), 1));
}
