//! What is cached and for how long, by RFC 9111 and by what the layer was told.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{App, answer, by_hand, layer, seconds};

/// Whether the second of two equal requests is answered from the cache.
async fn is_cached(app: &App, headers: &[(&str, &str)]) -> bool {
    let first = app.get_with("/x", headers).await;
    assert!(!first.is_hit());
    app.get_with("/x", headers).await.is_hit()
}

async fn is_cached_with(headers: &'static [(&'static str, &'static str)]) -> bool {
    is_cached(&App::with(layer().await, headers), &[]).await
}

#[tokio::test]
async fn a_second_get_is_answered_from_the_cache() {
    let app = App::with(layer().await, &[("x-own", "kept")]);
    let first = app.get("/x").await;
    assert_eq!(
        (first.body.as_str(), first.cache()),
        ("run 1", "larder; fwd=uri-miss; stored; ttl=60")
    );
    let second = app.get("/x").await;
    assert_eq!((second.status, second.body.as_str()), (200, "run 1"));
    assert_eq!(second.header("x-own"), Some("kept"));
    assert_eq!((app.runs(), second.is_hit()), (1, true));
}

#[tokio::test]
async fn a_response_that_says_no_store_private_or_no_cache_is_not_cached() {
    assert!(is_cached_with(&[("cache-control", "public")]).await);
    assert!(!is_cached_with(&[("cache-control", "no-store")]).await);
    assert!(!is_cached_with(&[("cache-control", "private, max-age=60")]).await);
    assert!(!is_cached_with(&[("cache-control", "no-cache")]).await);
    assert!(
        !is_cached_with(&[("cache-control", "max-age=60"), ("cache-control", "no-store")]).await
    );
    assert!(!is_cached_with(&[("pragma", "no-cache")]).await);
}

#[tokio::test]
async fn directives_are_read_whatever_their_case() {
    assert!(!is_cached_with(&[("cache-control", "No-Store")]).await);
    assert!(!is_cached_with(&[("cache-control", "PRIVATE")]).await);
}

#[tokio::test]
async fn directives_that_are_no_text_forbid_storing() {
    let app = App::new(layer().await, |_, _| {
        let mut response = answer(200, &[], "x");
        response
            .headers_mut()
            .insert("cache-control", http::HeaderValue::from_bytes(b"\xff").unwrap());
        response
    });
    assert!(!is_cached(&app, &[]).await);
}

#[tokio::test]
async fn max_age_says_how_long_and_s_maxage_wins() {
    for (directives, life) in [
        ("max-age=10", 10),
        ("max-age=10, s-maxage=20", 20),
        ("max-age=120", 120),
        ("MAX-AGE=\"10\"", 10),
    ] {
        let (layer, hand, _) = by_hand().await;
        let app = App::new(layer, move |_, run| {
            answer(200, &[("cache-control", directives)], &format!("run {run}"))
        });
        app.get("/x").await;
        hand.advance(seconds(life - 1));
        let hit = app.get("/x").await;
        assert!(hit.is_hit(), "{directives}: {}", hit.cache());
        hand.advance(seconds(1));
        assert_eq!(app.get("/x").await.body, "run 2", "{directives}");
    }
}

#[tokio::test]
async fn a_response_that_says_nothing_lives_as_long_as_the_layer_says() {
    let (layer, hand, _) = by_hand().await;
    let app = App::with(layer.ttl("5m"), &[]);
    app.get("/x").await;
    hand.advance(seconds(299));
    assert!(app.get("/x").await.is_hit());
    hand.advance(seconds(1));
    assert!(!app.get("/x").await.is_hit());
}

#[tokio::test]
async fn expires_in_the_past_and_max_age_0_are_not_cached() {
    assert!(!is_cached_with(&[("expires", "0")]).await);
    assert!(!is_cached_with(&[("expires", "Thu, 01 Jan 1970 00:00:00 GMT")]).await);
    let app = App::with(layer().await, &[("cache-control", "max-age=0")]);
    assert_eq!(app.get("/x").await.cache(), "larder; fwd=uri-miss; detail=no-lifetime");
    assert!(!app.get("/x").await.is_hit());
}

#[tokio::test]
async fn the_age_that_a_response_brings_is_a_part_of_its_life() {
    let (layer, hand, _) = by_hand().await;
    let app = App::with(layer, &[("cache-control", "max-age=60"), ("age", "50")]);
    app.get("/x").await;
    hand.advance(seconds(9));
    assert_eq!(app.get("/x").await.header("age"), Some("59"));
    hand.advance(seconds(1));
    assert!(!app.get("/x").await.is_hit());
}

#[tokio::test]
async fn an_age_that_does_not_fit_is_very_old_and_breaks_nothing() {
    assert!(
        !is_cached_with(&[("cache-control", "max-age=60"), ("age", "18446744073709551615")]).await
    );
    assert!(!is_cached_with(&[("cache-control", "max-age=60"), ("age", "soon")]).await);
}

#[tokio::test]
async fn a_max_age_of_ages_is_a_year_at_most() {
    let app = App::with(layer().await, &[("cache-control", "max-age=18446744073709551615")]);
    assert_eq!(app.get("/x").await.cache(), "larder; fwd=uri-miss; stored; ttl=31622400");
    assert!(app.get("/x").await.is_hit());
}

#[tokio::test]
async fn a_5xx_is_never_cached() {
    for status in [500, 501, 503] {
        let app = App::new(layer().await, move |_, _| {
            answer(status, &[("cache-control", "max-age=60")], "")
        });
        assert!(!is_cached(&app, &[]).await, "{status}");
    }
}

#[tokio::test]
async fn a_404_is_cached_when_it_says_for_how_long() {
    let silent = App::new(layer().await, |_, _| answer(404, &[], ""));
    assert!(!is_cached(&silent, &[]).await);
    let says = App::new(layer().await, |_, _| answer(404, &[("cache-control", "max-age=5")], ""));
    assert!(is_cached(&says, &[]).await);
    assert_eq!(says.get("/x").await.status, 404);
}

#[tokio::test]
async fn a_part_of_a_response_is_not_cached() {
    let app =
        App::new(layer().await, |_, _| answer(206, &[("cache-control", "max-age=60")], "par"));
    assert!(!is_cached(&app, &[]).await);
    let app = App::with(layer().await, &[]);
    app.get("/x").await;
    let part = app.get_with("/x", &[("range", "bytes=0-2")]).await;
    assert_eq!((part.body.as_str(), part.cache()), ("run 2", "larder; fwd=bypass; detail=range"));
}

#[tokio::test]
async fn nothing_with_authorization_is_cached_unless_asked() {
    let authorized = [("authorization", "Bearer a")];
    let app = App::with(layer().await, &[("cache-control", "public, s-maxage=60")]);
    assert!(!is_cached(&app, &authorized).await);
    // Nor is it given what was cached for others.
    app.get("/x").await;
    let reply = app.get_with("/x", &authorized).await;
    assert_eq!(reply.cache(), "larder; fwd=bypass; detail=authorization");
    assert!(is_cached(&App::with(layer().await.allow_authorization(), &[]), &authorized).await);
}

#[tokio::test]
async fn nothing_with_set_cookie_is_cached_unless_asked() {
    let app = App::with(
        layer().await,
        &[("set-cookie", "id=1"), ("cache-control", "public, max-age=60")],
    );
    let reply = app.get("/x").await;
    assert_eq!(reply.cache(), "larder; fwd=uri-miss; detail=set-cookie");
    assert!(!app.get("/x").await.is_hit());
    let app = App::with(
        layer().await.allow_set_cookie(),
        &[("set-cookie", "id=1"), ("set-cookie", "b=2")],
    );
    assert!(is_cached(&app, &[]).await);
    assert_eq!(app.get("/x").await.headers.get_all("set-cookie").iter().count(), 2);
}

#[tokio::test]
async fn a_request_with_a_cookie_is_not_served_from_what_all_share_unless_asked() {
    let cookie = [("cookie", "session=1")];
    let app = App::with(layer().await, &[]);
    assert!(!is_cached(&app, &cookie).await);
    assert_eq!(app.get_with("/x", &cookie).await.cache(), "larder; fwd=bypass; detail=cookie");
    assert!(is_cached(&App::with(layer().await.allow_cookies(), &[]), &cookie).await);
    assert!(
        is_cached(&App::with(layer().await.headers([http::header::COOKIE]), &[]), &cookie).await
    );
}

#[tokio::test]
async fn the_response_to_a_request_with_no_store_is_not_cached() {
    let app = App::with(layer().await, &[]);
    assert!(!is_cached(&app, &[("cache-control", "No-Store")]).await);
    assert_eq!(app.runs(), 2);
    assert!(!app.get("/x").await.is_hit(), "nothing was stored");
}

#[tokio::test]
async fn a_request_may_ask_for_something_newer() {
    let (layer, hand, _) = by_hand().await;
    let app = App::with(layer, &[]);
    app.get("/x").await;
    hand.advance(seconds(10));
    for directive in ["no-cache", "max-age=5", "min-fresh=55", "max-age=0"] {
        let reply = app.get_with("/x", &[("cache-control", directive)]).await;
        assert_eq!(reply.cache(), "larder; fwd=request", "{directive}");
    }
    assert!(!app.get_with("/x", &[("pragma", "no-cache")]).await.is_hit());
    assert!(app.get_with("/x", &[("cache-control", "max-age=30")]).await.is_hit());
}

#[tokio::test]
async fn a_layer_may_ignore_what_requests_ask_for() {
    let app = App::with(layer().await.ignore_request_directives(), &[]);
    app.get("/x").await;
    assert!(app.get_with("/x", &[("cache-control", "no-cache")]).await.is_hit());
}

#[tokio::test]
async fn what_belongs_to_one_connection_is_not_cached() {
    let app = App::with(
        layer().await,
        &[("connection", "x-hop"), ("x-hop", "1"), ("keep-alive", "timeout=5")],
    );
    app.get("/x").await;
    let hit = app.get("/x").await;
    assert!(hit.is_hit());
    for name in ["connection", "x-hop", "keep-alive"] {
        assert_eq!(hit.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_ttl_that_is_no_duration_caches_nothing_that_says_nothing() {
    assert!(!is_cached(&App::with(layer().await.ttl("soon"), &[]), &[]).await);
    let app = App::with(layer().await.ttl("soon"), &[("cache-control", "max-age=60")]);
    assert!(is_cached(&app, &[]).await);
}

#[tokio::test]
async fn a_get_with_a_body_is_not_served_from_the_cache() {
    let app = App::with(layer().await, &[]);
    app.get("/x").await;
    let request = http::Request::get("/x").body(axum::body::Body::from("what?")).unwrap();
    assert_eq!(app.send(request).await.cache(), "larder; fwd=bypass; detail=body");
}

#[tokio::test]
async fn a_redirection_for_this_once_is_cached_when_it_says_so() {
    let silent = App::new(layer().await, |_, _| answer(302, &[("location", "/y")], ""));
    assert!(!is_cached(&silent, &[]).await);
    let lasting = App::new(layer().await, |_, _| answer(308, &[("location", "/y")], ""));
    assert!(is_cached(&lasting, &[]).await);
}
