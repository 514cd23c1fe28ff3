//! How a response is served: single flight, HEAD, ETag, Age, bodies, errors, stale ones.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    response::Response,
};
use cache_http::CacheLayer;
use common::{App, answer, by_hand, layer, read, seconds};
use http_body::{Frame, SizeHint};
use larder::Cache;
use tokio::sync::Semaphore;
use tower::{Layer, ServiceExt, service_fn};

/// Sends what it is told to, piece by piece, and says nothing of its size.
struct Pieces {
    pieces: Vec<Result<Frame<Bytes>, &'static str>>,
    polled: Arc<AtomicUsize>,
    size: Option<u64>,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.polled.fetch_add(1, SeqCst);
        let piece = (!self.pieces.is_empty()).then(|| self.pieces.remove(0));
        Poll::Ready(piece)
    }

    fn size_hint(&self) -> SizeHint {
        self.size.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn data(text: &'static str) -> Result<Frame<Bytes>, &'static str> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

/// How often pieces of a body of unknown size were asked for before the response came, and what was read of it twice.
async fn streamed(
    layer: CacheLayer,
    pieces: impl Fn() -> Vec<Result<Frame<Bytes>, &'static str>> + Clone + Send + Sync + 'static,
) -> (usize, [Result<String, String>; 2], bool) {
    let polled = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&polled);
    let app = App::new(layer, move |_, _| {
        Response::new(Body::new(Pieces {
            pieces: pieces(),
            polled: Arc::clone(&counts),
            size: None,
        }))
    });
    let request = || Request::get("/x").body(Body::empty()).unwrap();
    let response = app.router.clone().oneshot(request()).await.unwrap();
    let before = polled.load(SeqCst);
    let text = async |response: Response| {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        bytes
            .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
            .map_err(|error| error.to_string())
    };
    let first = text(response).await;
    let second = app.router.clone().oneshot(request()).await.unwrap();
    let is_hit = second.headers()["cache-status"].to_str().unwrap().starts_with("larder; hit");
    (before, [first, text(second).await], is_hit)
}

#[tokio::test]
async fn a_body_of_unknown_size_streams_through_and_is_not_cached() {
    let (before, read, is_hit) = streamed(layer().await, || vec![data("a"), data("b")]).await;
    assert_eq!((before, read, is_hit), (0, [Ok("ab".into()), Ok("ab".into())], false));
}

#[tokio::test]
async fn streams_are_buffered_when_that_is_asked_for() {
    let (_, read, is_hit) =
        streamed(layer().await.buffer_streams(), || vec![data("a"), data("b")]).await;
    assert_eq!((read, is_hit), ([Ok("ab".into()), Ok("ab".into())], true));
}

#[tokio::test]
async fn a_stream_is_not_buffered_beyond_the_limit_and_loses_nothing() {
    let small = async || layer().await.buffer_streams().max_body_bytes(3);
    let pieces = || vec![data("ab"), data("cd"), data("ef"), data("gh")];
    let (before, read, is_hit) = streamed(small().await, pieces).await;
    assert_eq!(before, 2, "no more is read than what goes beyond");
    assert_eq!((read, is_hit), ([Ok("abcdefgh".into()), Ok("abcdefgh".into())], false));
    let (_, _, is_hit) = streamed(small().await, || vec![data("abc")]).await;
    assert!(is_hit, "the limit itself fits");
}

#[tokio::test]
async fn a_stream_that_fails_or_has_trailers_is_not_cached() {
    let torn = || vec![data("a"), Err("torn"), data("b")];
    let (before, read, is_hit) = streamed(layer().await.buffer_streams(), torn).await;
    assert_eq!((before, read[0].is_err(), is_hit), (2, true, false));
    let trailers = || {
        vec![
            data("a"),
            Ok(Frame::trailers([(http::header::ETAG, "x".parse().unwrap())].into_iter().collect())),
        ]
    };
    let (_, read, is_hit) = streamed(layer().await.buffer_streams(), trailers).await;
    assert_eq!((&read[0], is_hit), (&Ok("a".into()), false));
}

#[tokio::test]
async fn server_sent_events_are_never_held_back() {
    let polled = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&polled);
    let app = App::new(layer().await.buffer_streams(), move |_, _| {
        let body =
            Pieces { pieces: vec![data("data: 1")], polled: Arc::clone(&counts), size: None };
        Response::builder()
            .header("content-type", "Text/Event-Stream; charset=utf-8")
            .body(Body::new(body))
            .unwrap()
    });
    let request = Request::get("/x").body(Body::empty()).unwrap();
    let response = app.router.clone().oneshot(request).await.unwrap();
    assert_eq!(polled.load(SeqCst), 0);
    assert_eq!(read(response).await.cache(), "larder; fwd=uri-miss; detail=stream");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read_at_all() {
    let polled = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&polled);
    let app = App::new(layer().await.max_body_bytes(3), move |_, _| {
        let body =
            Pieces { pieces: vec![data("abcd")], polled: Arc::clone(&counts), size: Some(4) };
        Response::new(Body::new(body))
    });
    let request = Request::get("/x").body(Body::empty()).unwrap();
    let response = app.router.clone().oneshot(request).await.unwrap();
    assert_eq!(polled.load(SeqCst), 0);
    let reply = read(response).await;
    assert_eq!(
        (reply.body.as_str(), reply.cache()),
        ("abcd", "larder; fwd=uri-miss; detail=too-large")
    );
}

#[tokio::test]
async fn requests_at_the_same_time_run_the_handler_once() {
    let cache = common::cache().await;
    let (runs, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (counts, waits) = (Arc::clone(&runs), Arc::clone(&gate));
    let handler = move || {
        let (counts, waits) = (Arc::clone(&counts), Arc::clone(&waits));
        async move {
            counts.fetch_add(1, SeqCst);
            waits.acquire().await.unwrap().forget();
            "slow"
        }
    };
    let router = Router::new().fallback(handler).layer(CacheLayer::new(cache.clone()));
    let ask = || {
        let router = router.clone();
        tokio::spawn(async move {
            let request = Request::get("/x").body(Body::empty()).unwrap();
            read(router.oneshot(request).await.unwrap()).await
        })
    };
    let asking: Vec<_> = (0..20).map(|_| ask()).collect();
    while cache.stats().coalesced < 19 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(100);
    for reply in asking {
        assert_eq!(reply.await.unwrap().body, "slow");
    }
    assert_eq!(runs.load(SeqCst), 1);
}

#[tokio::test]
async fn an_invalidation_while_the_handler_runs_is_final() {
    let cache = common::cache().await;
    let inner = cache.clone();
    let app = App::new(CacheLayer::new(cache), move |_, run| {
        if run == 1 {
            inner.invalidate_tags(["http:/x"]).wait().unwrap();
        }
        answer(200, &[], &format!("run {run}"))
    });
    assert_eq!(app.get("/x").await.body, "run 1");
    assert_eq!(app.get("/x").await.body, "run 2");
}

#[tokio::test]
async fn head_is_served_from_get_and_leaves_nothing() {
    let app = App::with(layer().await, &[("x-own", "1")]);
    assert_eq!(app.ask("HEAD", "/x", &[]).await.cache(), "larder; fwd=uri-miss");
    assert!(!app.get("/x").await.is_hit());
    let head = app.ask("HEAD", "/x", &[]).await;
    assert!(head.is_hit());
    assert_eq!(
        (head.body.as_str(), head.header("content-length"), head.header("x-own")),
        ("", Some("5"), Some("1"))
    );
}

#[tokio::test]
async fn other_methods_are_not_cached() {
    let app = App::with(layer().await, &[("cache-control", "max-age=60")]);
    for method in ["POST", "OPTIONS", "QUERY"] {
        app.ask(method, "/x", &[]).await;
        assert_eq!(app.ask(method, "/x", &[]).await.cache(), "larder; fwd=method");
    }
}

#[tokio::test]
async fn a_response_without_an_etag_is_given_one_and_who_has_it_gets_a_304() {
    let app = App::with(
        layer().await,
        &[("cache-control", "max-age=60"), ("content-type", "text/plain")],
    );
    let first = app.get("/x").await;
    let etag = first.header("etag").unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", &blake3::hash(b"run 1").to_hex()[..32]));
    for asking in [etag.clone(), format!("\"other\", W/{etag}"), "*".to_owned()] {
        let reply = app.get_with("/x", &[("if-none-match", &asking)]).await;
        assert_eq!((reply.status, reply.body.as_str()), (304, ""), "{asking}");
        assert_eq!(reply.header("etag"), Some(etag.as_str()));
        assert_eq!(reply.header("cache-control"), Some("max-age=60"));
        assert_eq!(reply.header("content-type"), None);
        assert!(reply.is_hit() && reply.header("age").is_some());
    }
    assert_eq!(app.get_with("/x", &[("if-none-match", "\"other\"")]).await.status, 200);
    assert_eq!(app.runs(), 1);
}

#[tokio::test]
async fn the_etag_of_a_response_is_kept() {
    let app = App::with(layer().await, &[("etag", "W/\"own\"")]);
    assert_eq!(app.get("/x").await.header("etag"), Some("W/\"own\""));
    assert_eq!(app.get_with("/x", &[("if-none-match", "\"own\"")]).await.status, 304);
}

#[tokio::test]
async fn the_first_to_ask_may_have_it_already_and_all_of_it_is_cached() {
    let app = App::new(layer().await, |request, run| {
        assert!(
            !request.headers().contains_key("if-none-match"),
            "the handler would answer with a 304"
        );
        answer(200, &[("etag", "\"own\"")], &format!("run {run}"))
    });
    let asking =
        [("if-none-match", "\"own\""), ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT")];
    assert_eq!(app.get_with("/x", &asking).await.status, 304);
    assert_eq!(app.get("/x").await.body, "run 1");
}

#[tokio::test]
async fn a_404_that_is_cached_is_no_304() {
    let app = App::new(layer().await, |_, _| {
        answer(404, &[("cache-control", "max-age=60"), ("etag", "\"e\"")], "")
    });
    app.get("/x").await;
    assert_eq!(app.get_with("/x", &[("if-none-match", "\"e\"")]).await.status, 404);
}

#[tokio::test]
async fn age_and_cache_status_say_how_old_it_is_and_how_long_it_will_live() {
    let (layer, hand, _) = by_hand().await;
    let app = App::with(layer, &[("cache-status", "inner; hit")]);
    assert_eq!(app.get("/x").await.header("age"), None);
    hand.advance(seconds(20));
    let hit = app.get("/x").await;
    assert_eq!(hit.header("age"), Some("20"));
    let status: Vec<_> = hit.headers.get_all("cache-status").iter().collect();
    assert_eq!(status, ["inner; hit", "larder; hit; ttl=40"]);
}

#[tokio::test]
async fn the_error_of_a_service_goes_to_whoever_asked() {
    let service =
        layer().await.layer(service_fn(|_: Request| async { Err::<Response, _>("broken") }));
    for _ in 0..2 {
        let request = Request::get("/x").body(Body::empty()).unwrap();
        assert_eq!(service.clone().oneshot(request).await.err(), Some("broken"));
    }
}

/// Answers until it is broken.
async fn breakable(
    stale: impl Fn(CacheLayer) -> CacheLayer,
    headers: &'static [(&'static str, &'static str)],
) -> (App, larder::ManualClock, Arc<AtomicBool>, Cache) {
    let (layer, hand, cache) = by_hand().await;
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = Arc::clone(&broken);
    let app = App::new(stale(layer), move |_, run| match is_broken.load(SeqCst) {
        true => answer(503, &[], "down"),
        false => answer(200, headers, &format!("run {run}")),
    });
    (app, hand, broken, cache)
}

#[tokio::test]
async fn a_stale_response_stands_in_for_one_that_fails() {
    let (app, hand, broken, cache) = breakable(|layer| layer.stale_if_error("1h"), &[]).await;
    app.get("/x").await;
    broken.store(true, SeqCst);
    hand.advance(seconds(70));
    let reply = app.get("/x").await;
    assert_eq!(
        (reply.status, reply.body.as_str(), reply.cache()),
        (200, "run 1", "larder; fwd=stale; fwd-status=503")
    );
    assert_eq!(reply.header("age"), Some("70"));
    // Not what was invalidated.
    cache.invalidate_tags(["http:/x"]).await.unwrap();
    assert_eq!(app.get("/x").await.status, 503);
}

#[tokio::test]
async fn nothing_stale_is_served_unless_asked() {
    let (app, hand, broken, _) = breakable(|layer| layer, &[]).await;
    app.get("/x").await;
    broken.store(true, SeqCst);
    hand.advance(seconds(70));
    let reply = app.get("/x").await;
    assert_eq!(
        (reply.status, reply.body.as_str(), reply.cache()),
        (503, "down", "larder; fwd=uri-miss; detail=error")
    );
}

#[tokio::test]
async fn what_must_be_revalidated_never_stands_in() {
    const MUST: &[(&str, &str)] = &[("cache-control", "max-age=60, Must-Revalidate")];
    let (app, hand, broken, _) = breakable(|layer| layer.stale_if_error("1h"), MUST).await;
    app.get("/x").await;
    broken.store(true, SeqCst);
    hand.advance(seconds(70));
    assert_eq!(app.get("/x").await.body, "down", "the failure is not lost");
}

#[tokio::test]
async fn a_response_that_may_not_be_cached_is_not_replaced_by_a_stale_one() {
    let (layer, hand, _) = by_hand().await;
    let app = App::new(layer.stale_if_error("1h"), |_, run| {
        let headers: &[_] = if run == 1 { &[] } else { &[("cache-control", "no-store")] };
        answer(200, headers, &format!("run {run}"))
    });
    app.get("/x").await;
    hand.advance(seconds(70));
    assert_eq!(app.get("/x").await.body, "run 2");
}

#[tokio::test]
async fn a_stale_response_is_given_while_it_is_renewed_in_the_background() {
    let (app, hand, _, cache) = breakable(|layer| layer.stale_while_revalidate("30s"), &[]).await;
    app.get("/x").await;
    hand.advance(seconds(70));
    let reply = app.get("/x").await;
    assert_eq!((reply.body.as_str(), reply.cache()), ("run 1", "larder; hit; ttl=-10"));
    while cache.stats().loads < 2 {
        tokio::task::yield_now().await;
    }
    let renewed = async {
        while app.get("/x").await.body == "run 1" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(seconds(10), renewed).await.unwrap();
    assert_eq!((app.get("/x").await.body.as_str(), app.runs()), ("run 2", 2));
}

#[tokio::test]
async fn what_must_be_revalidated_is_not_given_stale() {
    const MUST: &[(&str, &str)] = &[("cache-control", "s-maxage=60")];
    let (app, hand, _, _) = breakable(|layer| layer.stale_while_revalidate("30s"), MUST).await;
    app.get("/x").await;
    hand.advance(seconds(70));
    assert_eq!(app.get("/x").await.body, "run 2");
}

#[tokio::test]
async fn a_cache_that_is_off_forwards_everything() {
    let cache = Cache::builder().enabled(false).build().await.unwrap();
    let app = App::with(CacheLayer::new(cache), &[]);
    for run in ["run 1", "run 2"] {
        assert_eq!(app.get("/x").await.body, run);
    }
}
