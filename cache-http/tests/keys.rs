//! Which requests share a response.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

mod common;

use axum::{Router, routing::get};
use cache_http::{CacheLayer, ResponseKey, path_tag, user_tag};
use common::{App, answer, by_hand, layer, read, seconds};
use http::header::{ACCEPT_LANGUAGE, HOST};
use larder::Cache;
use proptest::prelude::*;
use tower::ServiceExt;

/// Answers with who asks, by a header that stands for authentication.
fn app_of_users(cache: &Cache) -> App {
    let layer = CacheLayer::new(cache.clone())
        .user_aware(|request| Some(request.headers.get("x-user")?.to_str().ok()?.to_owned()));
    App::new(layer, |request, run| {
        let user = request.headers().get("x-user").map_or("nobody", |user| user.to_str().unwrap());
        answer(200, &[], &format!("{user} {run}"))
    })
}

#[tokio::test]
async fn two_users_never_share_a_response() {
    let app = app_of_users(&common::cache().await);
    for _ in 0..2 {
        assert_eq!(app.get_with("/me", &[("x-user", "ann")]).await.body, "ann 1");
        assert_eq!(app.get_with("/me", &[("x-user", "bob")]).await.body, "bob 2");
    }
}

#[tokio::test]
async fn the_response_to_a_request_without_a_user_is_not_cached() {
    let app = app_of_users(&common::cache().await);
    assert_eq!(app.get("/me").await.cache(), "larder; fwd=bypass; detail=anonymous");
    assert_eq!(app.get("/me").await.body, "nobody 2");
}

#[tokio::test]
async fn a_user_may_have_a_cookie() {
    let app = app_of_users(&common::cache().await);
    let asking = [("x-user", "ann"), ("cookie", "session=1")];
    app.get_with("/me", &asking).await;
    assert!(app.get_with("/me", &asking).await.is_hit());
}

#[tokio::test]
async fn the_responses_of_one_user_are_invalidated_by_a_tag() {
    let cache = common::cache().await;
    let app = app_of_users(&cache);
    for user in ["ann", "bob"] {
        app.get_with("/me", &[("x-user", user)]).await;
    }
    cache.invalidate_tags([user_tag("ann")]).await.unwrap();
    assert!(!app.get_with("/me", &[("x-user", "ann")]).await.is_hit());
    assert!(app.get_with("/me", &[("x-user", "bob")]).await.is_hit());
}

#[tokio::test]
async fn all_query_parameters_count_whatever_their_order() {
    let app = App::with(layer().await, &[]);
    app.get("/x?b=2&a=1").await;
    assert!(app.get("/x?a=1&b=2").await.is_hit());
    assert!(!app.get("/x?a=1").await.is_hit());
    assert!(!app.get("/x?a=1&b=3").await.is_hit());
    // Of one name the order may mean something.
    app.get("/x?a=1&a=2").await;
    assert!(!app.get("/x?a=2&a=1").await.is_hit());
}

#[tokio::test]
async fn parameters_that_were_not_chosen_do_not_count() {
    let app = App::with(layer().await.query(["page"]), &[]);
    app.get("/x?page=1&utm_source=a").await;
    assert!(app.get("/x?utm_source=b&page=1").await.is_hit());
    assert!(!app.get("/x?page=2").await.is_hit());
}

#[tokio::test]
async fn a_parameter_is_chosen_by_the_name_that_the_handler_sees() {
    let app = App::with(layer().await.query(["page"]), &[]);
    app.get("/x").await;
    assert!(!app.get("/x?p%61ge=2").await.is_hit(), "the handler sees another page");
}

#[tokio::test]
async fn chosen_headers_are_a_part_of_the_key() {
    let app = App::with(layer().await.headers([ACCEPT_LANGUAGE, HOST]), &[]);
    app.get_with("/x", &[("accept-language", "de")]).await;
    assert!(app.get_with("/x", &[("accept-language", "de")]).await.is_hit());
    assert!(!app.get_with("/x", &[("accept-language", "da")]).await.is_hit());
    assert!(!app.get_with("/x", &[("host", "de")]).await.is_hit());
    assert!(!app.get("/x").await.is_hit());
}

#[tokio::test]
async fn a_key_of_ones_own_replaces_the_path_and_not_the_user() {
    let cache = common::cache().await;
    let layer = CacheLayer::new(cache.clone())
        .key_by(|request| request.uri.path().to_lowercase())
        .user_aware(|request| Some(request.headers.get("x-user")?.to_str().ok()?.to_owned()));
    let app = App::with(layer, &[]);
    app.get_with("/A?x=1", &[("x-user", "1")]).await;
    assert!(app.get_with("/a", &[("x-user", "1")]).await.is_hit());
    assert!(!app.get_with("/a", &[("x-user", "2")]).await.is_hit());
    cache.invalidate(ResponseKey::by("/a").user("1").as_str()).await.unwrap();
    assert!(!app.get_with("/a", &[("x-user", "1")]).await.is_hit());
}

#[tokio::test]
async fn a_response_is_cached_for_each_variant_that_vary_names() {
    let app = App::new(layer().await, |request, run| {
        let language =
            request.headers().get("accept-language").map_or("", |it| it.to_str().unwrap());
        answer(200, &[("vary", "Accept-Language")], &format!("{language} {run}"))
    });
    let ask = async |language| app.get_with("/x", &[("accept-language", language)]).await;
    assert_eq!(ask("de").await.body, "de 1");
    assert_eq!(ask("da").await.cache(), "larder; fwd=vary-miss; stored; ttl=60");
    for (language, body) in [("de", "de 1"), ("da", "da 2")] {
        let hit = ask(language).await;
        assert!(hit.is_hit(), "{}", hit.cache());
        assert_eq!(hit.body, body);
        let head = app.ask("HEAD", "/x", &[("accept-language", language)]).await;
        assert!(head.is_hit());
    }
    // Several lines are one list, and none is a variant too.
    assert_eq!(app.get("/x").await.body, " 3");
    assert_eq!(app.runs(), 3);
}

#[tokio::test]
async fn the_second_line_of_a_header_tells_variants_apart() {
    let app = App::with(layer().await, &[("vary", "accept")]);
    app.get_with("/x", &[("accept", "a"), ("accept", "b")]).await;
    assert!(app.get_with("/x", &[("accept", "a, b")]).await.is_hit());
    assert!(!app.get_with("/x", &[("accept", "a"), ("accept", "c")]).await.is_hit());
}

#[tokio::test]
async fn a_response_that_varies_by_everything_is_not_cached() {
    for vary in ["*", "accept, *", " * "] {
        let app = App::new(layer().await, move |_, _| answer(200, &[("vary", vary)], ""));
        app.get("/x").await;
        assert_eq!(app.get("/x").await.cache(), "larder; fwd=uri-miss; detail=vary", "{vary}");
    }
}

#[tokio::test]
async fn variants_are_invalidated_with_their_key() {
    let (layer, _hand, cache) = by_hand().await;
    let app = App::with(layer, &[("vary", "accept")]);
    let ask = async |media| app.get_with("/x", &[("accept", media)]).await;
    ask("a").await;
    ask("b").await;
    assert!(ask("b").await.is_hit());
    cache.invalidate(ResponseKey::get("/x").as_str()).await.unwrap();
    ask("a").await;
    assert!(!ask("b").await.is_hit(), "the variant from before the invalidation");
}

#[tokio::test]
async fn keys_patterns_and_tags_invalidate() {
    let cache = common::cache().await;
    let layer = CacheLayer::new(cache.clone()).tags(|request, response| {
        assert!(response.status.is_success());
        vec![format!("section:{}", request.uri.path().trim_start_matches('/'))]
    });
    let app = App::with(layer, &[]);
    let is_hit = async || app.get("/news?page=1").await.is_hit();
    is_hit().await;
    assert!(is_hit().await);
    assert!(cache.tag("http:GET:/news?page=1", ["own"]).await.unwrap(), "the key is as documented");
    cache.invalidate("http:GET:/news?page=1").await.unwrap();
    assert!(!is_hit().await);
    cache.invalidate_pattern("http:GET:/news*").await.unwrap();
    assert!(!is_hit().await);
    cache.invalidate_tags(["section:news"]).await.unwrap();
    assert!(!is_hit().await);
    cache.invalidate_tags([path_tag("/news")]).await.unwrap();
    assert!(!is_hit().await);
    assert!(is_hit().await);
}

#[tokio::test]
async fn a_long_url_has_a_key_and_the_tag_of_its_path() {
    let cache = common::cache().await;
    let app = App::with(CacheLayer::new(cache.clone()), &[]);
    let (path, query) = (format!("/{}", "p:".repeat(150)), "q=".to_owned() + &"x".repeat(500));
    let uri = format!("{path}?{query}");
    app.get(&uri).await;
    assert!(app.get(&uri).await.is_hit());
    assert!(!app.get(&format!("{uri}y")).await.is_hit());
    cache.invalidate(ResponseKey::get(&path).query(&query).as_str()).await.unwrap();
    assert!(!app.get(&uri).await.is_hit());
    cache.invalidate_tags([path_tag(&path)]).await.unwrap();
    assert!(!app.get(&uri).await.is_hit());
}

#[tokio::test]
async fn what_changes_a_resource_invalidates_what_is_cached_of_it() {
    let app = App::new(layer().await, |request, run| {
        let status = if request.method() == "POST" { 400 } else { 200 };
        answer(status, &[], &format!("run {run}"))
    });
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "POST"] {
        app.get("/x?page=2").await;
        assert!(app.get("/x?page=2").await.is_hit());
        assert_eq!(app.ask(method, "/x", &[]).await.cache(), "larder; fwd=method");
        // What is safe changes nothing, and what failed has changed nothing.
        let stays = matches!(method, "OPTIONS" | "POST");
        assert_eq!(app.get("/x?page=2").await.is_hit(), stays, "{method}");
    }
}

#[tokio::test]
async fn neighbours_in_nested_routers_do_not_share() {
    let cache = common::cache().await;
    let part = |name: &'static str| {
        Router::new()
            .route("/x", get(move || async move { name }))
            .layer(CacheLayer::new(cache.clone()))
    };
    let app = Router::new().nest("/a", part("a")).nest("/b", part("b"));
    for name in ["a", "b", "a", "b"] {
        let request = http::Request::get(format!("/{name}/x")).body(axum::body::Body::empty());
        let reply = read(app.clone().oneshot(request.unwrap()).await.unwrap()).await;
        assert_eq!(reply.body, name);
    }
    assert!(cache.tag("http:GET:/a/x", ["own"]).await.unwrap());
}

#[tokio::test]
async fn what_expired_is_made_again() {
    let (layer, hand, _) = by_hand().await;
    let app = App::with(layer, &[]);
    app.get("/x").await;
    hand.advance(seconds(60));
    assert_eq!(app.get("/x").await.body, "run 2");
}

/// Text of what could break the separation of parts, and some letters.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec![
            "", "a", "b", "/", ":", "?", "&", "=", "%", "%3A", "user=", "*", "h.", "é", "~", "x",
        ]),
        0..6,
    )
    .prop_map(|pieces| pieces.concat())
}

/// The parameters as they are in the key: no empty ones, sorted by their decoded names.
fn parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let name = pair.split('=').next().unwrap().replace("%3A", ":");
        (name, pair.to_owned())
    });
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs
}

fn key(path: &str, query: &str, header: &Option<String>, user: &Option<String>) -> ResponseKey {
    let key = ResponseKey::get(path).query(query).header("accept", header.as_deref());
    match user {
        Some(user) => key.user(user),
        None => key,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn two_different_requests_never_have_one_key(
        one in (text(), text(), prop::option::of(text()), prop::option::of(text())),
        other in (text(), text(), prop::option::of(text()), prop::option::of(text())),
    ) {
        let (a, b) = (key(&one.0, &one.1, &one.2, &one.3), key(&other.0, &other.1, &other.2, &other.3));
        let same = (&one.0, parameters(&one.1), &one.2, &one.3) == (&other.0, parameters(&other.1), &other.2, &other.3);
        prop_assert_eq!(a == b, same, "{} {}", a, b);
    }
}

#[test]
fn what_a_client_writes_is_never_taken_for_another_part_of_the_key() {
    let key = ResponseKey::get;
    assert_ne!(key("/a:user=7"), key("/a").user("7"));
    assert_ne!(key("/a?b=1"), key("/a").query("b=1"));
    assert_ne!(key("/a").user("1:h.accept=x"), key("/a").user("1").header("accept", Some("x")));
    assert_ne!(key("/a:b"), key("/a%3Ab"));
}
