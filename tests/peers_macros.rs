//! Mistakes of other caches' macros: here each of them is a sentence that holds.
#![allow(clippy::unwrap_used, clippy::multiple_bound_locations)]
#![deny(warnings)]

#[path = "common/loads.rs"]
mod loads;

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use larder::{Cache, Clock, KeyPart, cache_aside, memoize, write_through};
use loads::caches;
use serde::{Serialize, de::DeserializeOwned};

trait Shape: Send + Sync {
    fn sides(&self) -> u32;
}

struct Square;

impl Shape for Square {
    fn sides(&self) -> u32 {
        4
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// A body whose parts have a type only because the function says what it returns.
macro_rules! body {
    ($text:expr) => {{
        if $text == "square" {
            return Ok(Arc::new(Square));
        }
        if $text == "none" {
            Err(Failure(Default::default()))?
        }
        let sides: Vec<u32> = $text.split(',').map(|it| it.parse()).collect::<Result<_, _>>()?;
        if sides.is_empty() {
            return Err("no sides".parse::<u32>().unwrap_err().into());
        }
        struct Polygon(u32);
        impl Shape for Polygon {
            fn sides(&self) -> u32 {
                self.0
            }
        }
        Ok(Arc::new(Polygon(sides.into_iter().sum())))
    }};
}

#[memoize(key = "shape:{text}", companions = false)]
async fn shape(text: &str) -> Result<Arc<dyn Shape>, Failure> {
    body!(text)
}

#[memoize(key = "shape-sync:{text}", companions = false)]
fn shape_sync(text: &str) -> Result<Arc<dyn Shape>, Failure> {
    body!(text)
}

#[memoize(key = "shape-with-companions:{text}")]
async fn shape_with_companions(text: &str) -> Result<Arc<dyn Shape>, Failure> {
    body!(text)
}

#[cache_aside(key = "counts:{text}", companions = false)]
async fn counts(text: &str) -> Option<BTreeMap<char, usize>> {
    let first = text.chars().next()?;
    let mut counts = Default::default();
    let count = |counts: &mut BTreeMap<_, _>, it| *counts.entry(it).or_default() += 1;
    text.chars().for_each(|it| count(&mut counts, it));
    counts.get(&first).map(|_| ())?;
    counts.into_iter().map(Some).collect()
}

#[memoize(key = "never:{n}", companions = false)]
async fn never(n: u8) -> String {
    match n {
        0 => unreachable!("not called with it"),
        1 => return "one".into(),
        _ => n.to_string(),
    }
}

// Guard: cache-macros/src/expand/mod.rs, `inline_body` names the type that the body has to have.
#[tokio::test]
async fn the_body_is_inferred_from_the_return_type_as_without_the_attribute() {
    larder::scoped(Cache::memory(), async {
        for _ in 0..2 {
            assert_eq!(shape("square").await.unwrap().sides(), 4);
            assert_eq!(shape("1,2").await.unwrap().sides(), 3);
            assert_eq!(shape("none").await.err(), Some(Failure(String::new())));
            assert_eq!(shape_sync("square").unwrap().sides(), 4);
            assert_eq!(shape_sync("2,3").unwrap().sides(), 5);
            assert!(shape_sync("x").is_err());
            assert_eq!(shape_with_companions("3,4").await.unwrap().sides(), 7);
            assert_eq!(counts("aab").await, Some(BTreeMap::from([('a', 2), ('b', 1)])));
            assert_eq!(counts("").await, None);
            assert_eq!((never(1).await, never(2).await), ("one".into(), "2".into()));
        }
    })
    .await;
}

/// Every kind of parameter, and bounds in both places; the body needs each of them.
#[cache_aside(key = "joined:{T}:{N}:{items}:{separator}")]
#[allow(clippy::multiple_bound_locations)]
async fn joined<'a, T: Clone + Sync, const N: usize>(
    items: &'a [T; N],
    separator: &'a str,
) -> Result<(Vec<T>, String), Failure>
where
    T: KeyPart + Display + PartialOrd + Send,
    T: Serialize + DeserializeOwned + 'static,
    [T; N]: Sized,
{
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    let mut sorted = items.to_vec();
    sorted.sort_by(|one, other| one.partial_cmp(other).unwrap());
    Ok((sorted, texts.join(separator)))
}

// Guard: cache-macros/src/expand/reader.rs, `signature` keeps what the user wrote.
#[tokio::test]
async fn generics_lifetimes_constants_and_where_clauses_are_kept() {
    larder::scoped(Cache::memory(), async {
        for _ in 0..2 {
            assert_eq!(joined(&[2u8, 1], "+").await, Ok((vec![1, 2], "2+1".into())));
            assert_eq!(joined(&[2u64, 1], "+").await, Ok((vec![1, 2], "2+1".into())));
            assert_eq!(joined(&["b".to_owned()], "").await, Ok((vec!["b".into()], "b".into())));
        }
        assert!(joined_entry(&[2u8, 1], "+").exists().await.unwrap());
        assert!(!joined_entry(&[2u8, 1, 0], "+").exists().await.unwrap());
    })
    .await;
}

mod marked {
    use larder::{cache_invalidate, memoize};

    #[must_use]
    #[memoize(key = "before:{n}")]
    pub(crate) fn must_use_before(n: u8) -> u8 {
        n
    }

    #[memoize(key = "after:{n}", companions = false)]
    #[must_use = "why else call it?"]
    pub(crate) fn must_use_after(n: u8) -> u8 {
        n
    }

    #[cache_invalidate(invalidate_keys = ["before:1"])]
    #[deprecated]
    pub(crate) fn old_writer() {}

    #[memoize(key = "old:{n}")]
    #[cfg_attr(all(), deprecated)]
    pub(crate) async fn old(n: u8) -> u8 {
        n
    }
}

// Guard: cache-macros/src/expand/attrs.rs, `of_shell`: without the attribute the expectation is a warning, so an error.
#[tokio::test]
async fn attributes_beside_ours_are_kept() {
    larder::scoped(Cache::memory(), async {
        #[expect(unused_must_use)]
        marked::must_use_before(1);
        #[expect(unused_must_use)]
        marked::must_use_after(1);
        #[expect(deprecated)]
        marked::old_writer();
        #[expect(deprecated)]
        let old = marked::old(3);
        assert_eq!(old.await, 3);
    })
    .await;
}

/// An attribute that rustc finds fault with, where it is still there.
#[expect(invalid_doc_attributes)]
mod documented {
    #[larder::memoize(key = "documented:{n}")]
    #[doc(not_a_doc_attribute)]
    pub(crate) fn documented(n: u8) -> u8 {
        n
    }
}

// Guard: cache-macros/src/expand/attrs.rs, `of_shell`: without the docs the expectation above is an error.
#[test]
fn docs_are_kept() {
    larder::scoped_sync(Cache::memory(), || assert_eq!(documented::documented(3), 3));
}

/// Counts its runs.
fn absent<T>(runs: &AtomicUsize) -> Option<T> {
    runs.fetch_add(1, SeqCst);
    None
}

#[cache_aside(key = "maybe:{id}", skip(runs))]
async fn uncached_none(runs: &AtomicUsize, id: u64) -> Option<u64> {
    absent(runs)
}

#[cache_aside(key = "maybe:{id}", ttl = "5m", negative_ttl = "10s", skip(runs))]
async fn cached_none(runs: &AtomicUsize, id: u64) -> Option<u64> {
    absent(runs)
}

#[cache_aside(key = "fallible:{id}", negative_ttl = "10s", skip(runs))]
async fn fallible(runs: &AtomicUsize, id: u64) -> Result<Option<u64>, Failure> {
    Ok(absent(runs))
}

#[memoize(key = "sync:{id}", negative_ttl = "10s", skip(runs))]
fn sync(runs: &AtomicUsize, id: u64) -> Option<u64> {
    absent(runs)
}

#[write_through(entry = cached_none(id))]
async fn create(id: u64) -> Option<u64> {
    Some(id)
}

// Guard: cache-core/src/private/call.rs, `keep`, and engine/mod.rs, `memory_hit`, ask for `negative_ttl`.
#[tokio::test]
async fn a_none_is_not_cached_without_negative_ttl() {
    for cache in caches().await {
        let runs = AtomicUsize::new(0);
        larder::scoped(cache, async {
            assert_eq!(uncached_none(&runs, 1).await, None);
            assert_eq!(uncached_none(&runs, 1).await, None);
        })
        .await;
        assert_eq!(runs.load(SeqCst), 2);
    }
}

// Guard: cache-core/src/private/call.rs, `keep` stores a `None` and `restore` gives it back.
#[tokio::test]
async fn a_cached_none_is_what_the_next_read_gets() {
    for cache in caches().await {
        let runs = [const { AtomicUsize::new(0) }; 3];
        larder::scoped(cache.clone(), async {
            for _ in 0..3 {
                assert_eq!(cached_none(&runs[0], 1).await, None);
                assert_eq!(fallible(&runs[1], 1).await, Ok(None));
                assert_eq!(sync(&runs[2], 1), None);
            }
        })
        .await;
        assert_eq!(runs.map(|it| it.load(SeqCst)), [1, 1, 1]);
        let stats = cache.stats();
        assert_eq!((stats.misses, stats.hits(), stats.negative_hits), (3, 6, 6));
    }
}

// Guard: cache-core/src/engine/lead.rs, a `None` of the shared tier is a hit, which is counted.
#[tokio::test]
async fn a_none_that_another_process_cached_is_what_the_next_read_gets() {
    let store = cache_store::testing::MemoryStore::new();
    let runs = AtomicUsize::new(0);
    let (here, there) = (loads::on(&store).await, loads::on(&store).await);
    for cache in [&here, &there] {
        larder::scoped(cache.clone(), async {
            assert_eq!(cached_none(&runs, 1).await, None);
        })
        .await;
    }
    assert_eq!(runs.load(SeqCst), 1);
    assert_eq!((there.stats().hits_shared, there.stats().negative_hits), (1, 1));
}

// Guard: cache-core/src/private/call.rs, `keep` gives a `None` its own life.
#[tokio::test]
async fn a_cached_none_lives_as_long_as_its_own_ttl_says() {
    let (clock, time) = Clock::manual();
    let cache = Cache::builder().clock(clock).build().await.unwrap();
    let runs = AtomicUsize::new(0);
    larder::scoped(cache, async {
        for (passes, runs_then) in [(0, 1), (9, 1), (1, 2)] {
            time.advance(Duration::from_secs(passes));
            assert_eq!(cached_none(&runs, 1).await, None);
            assert_eq!(runs.load(SeqCst), runs_then);
        }
    })
    .await;
}

// Guard: cache-core/src/engine/mod.rs, `memory_hit`, and validity.rs, `decode`, ask whether a `None` is wanted.
#[tokio::test]
async fn a_function_without_negative_ttl_does_not_read_a_none_that_another_one_cached() {
    for cache in caches().await {
        let (cached, uncached) = (AtomicUsize::new(0), AtomicUsize::new(0));
        larder::scoped(cache, async {
            assert_eq!(cached_none(&cached, 1).await, None);
            assert_eq!(uncached_none(&uncached, 1).await, None);
        })
        .await;
        assert_eq!(uncached.load(SeqCst), 1);
    }
}

// Guard: cache-core/src/engine/write.rs, a write replaces whatever is cached.
#[tokio::test]
async fn a_cached_none_gives_way_to_a_write() {
    for cache in caches().await {
        let runs = AtomicUsize::new(0);
        larder::scoped(cache, async {
            assert_eq!(cached_none(&runs, 1).await, None);
            assert_eq!(create(1).await, Some(1));
            assert_eq!(cached_none(&runs, 1).await, Some(1));
        })
        .await;
        assert_eq!(runs.load(SeqCst), 1);
    }
}
