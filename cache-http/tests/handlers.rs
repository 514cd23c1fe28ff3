//! What handlers of axum use by hand.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use axum::{
    Router,
    body::Body,
    extract::{FromRef, Request},
    response::{IntoResponse, Response},
    routing::get,
};
use cache_http::{CacheHandle, cached_response};
use common::{Reply, answer, read, seconds};
use larder::{Cache, Clock};
use tower::ServiceExt;

#[derive(Clone)]
struct State {
    cache: Cache,
}

impl FromRef<State> for Cache {
    fn from_ref(state: &State) -> Self {
        state.cache.clone()
    }
}

/// Asks a handler that caches by hand, twice.
async fn twice(cache: &Cache, make: impl Fn(usize) -> Response + Sync) -> [Reply; 2] {
    let runs = AtomicUsize::new(0);
    let ask = async || {
        let make = || async { make(runs.fetch_add(1, SeqCst) + 1) };
        read(cached_response(cache, "expensive", "5m", make).await).await
    };
    [ask().await, ask().await]
}

#[tokio::test]
async fn a_handler_has_the_cache_of_the_state() {
    let state = State { cache: common::cache().await };
    let handler = async |cache: CacheHandle| {
        cache.set("from the handler", &1_u8).await.unwrap();
    };
    let app: Router = Router::new().route("/", get(handler)).with_state(state.clone());
    app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(state.cache.get("from the handler").await.unwrap(), Some(1_u8));
}

#[tokio::test]
async fn a_handler_caches_its_response_by_hand() {
    let (clock, hand) = Clock::manual();
    let cache = Cache::builder().clock(clock).build().await.unwrap();
    let make = |run: usize| ([("x-own", "1")], format!("run {run}")).into_response();
    let [first, second] = twice(&cache, make).await;
    assert_eq!(
        (first.body.as_str(), first.cache()),
        ("run 1", "larder; fwd=uri-miss; stored; ttl=300")
    );
    assert_eq!((second.body.as_str(), second.header("x-own")), ("run 1", Some("1")));
    assert!(second.is_hit() && second.header("age").is_some());
    hand.advance(seconds(300));
    assert!(!twice(&cache, make).await[0].is_hit());
    cache.invalidate("expensive").await.unwrap();
    assert!(!twice(&cache, make).await[0].is_hit());
}

#[tokio::test]
async fn a_response_that_must_not_be_shared_is_not_cached_by_hand() {
    for (status, headers) in [
        (501, [("cache-control", "max-age=60")]),
        (404, [("cache-control", "max-age=60")]),
        (200, [("set-cookie", "id=1")]),
        (200, [("cache-control", "private")]),
        (200, [("vary", "*")]),
    ] {
        let replies =
            twice(&common::cache().await, |run| answer(status, &headers, &format!("{run}"))).await;
        assert_eq!(replies[1].body, "2", "{status} {headers:?}");
    }
    let long = "x".repeat((1 << 20) + 1);
    let replies = twice(&common::cache().await, |_| answer(200, &[], &long)).await;
    assert_eq!((replies[1].body.len(), replies[1].is_hit()), (long.len(), false));
}

#[tokio::test]
async fn one_run_serves_all_who_ask_for_a_response_by_hand() {
    let (cache, runs) = (common::cache().await, Arc::new(AtomicUsize::new(0)));
    let asking = (0..10).map(|_| {
        let (cache, runs) = (cache.clone(), Arc::clone(&runs));
        tokio::spawn(async move {
            let make = || async {
                runs.fetch_add(1, SeqCst);
                while cache.stats().coalesced < 9 {
                    tokio::task::yield_now().await;
                }
                "made"
            };
            read(cached_response(&cache, "slow", "1m", make).await).await
        })
    });
    for reply in asking.collect::<Vec<_>>() {
        assert_eq!(reply.await.unwrap().body, "made");
    }
    assert_eq!(runs.load(SeqCst), 1);
}

#[tokio::test]
async fn a_ttl_that_is_no_duration_caches_nothing() {
    let cache = common::cache().await;
    for run in ["1", "2"] {
        let reply = read(cached_response(&cache, "k", "soon", || async { run }).await).await;
        assert_eq!(reply.body, run);
    }
}
