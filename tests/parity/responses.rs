//! Response caching by user, and requests that are limited by user. The package `larder-http` runs these: `cache-http/tests/parity.rs`.

use axum::{Router, body::Body, extract::Request, response::Response, routing::get};
use cache_http::{CacheHandle, CacheLayer, RateLimitLayer, cached_response, user_tag};
use tower::ServiceExt;

use crate::common::{self, for_both_forms, read};

async fn ask(app: &Router, uri: &str, user: Option<u64>) -> common::Reply {
    let mut request = Request::get(uri).body(Body::empty()).unwrap();
    if let Some(user) = user {
        request.extensions_mut().insert(User(user)); // as the authentication in front does
    }
    read(app.clone().oneshot(request).await.unwrap()).await
}

#[derive(Clone)]
struct User(u64);

/// `@cache_response(ttl=60, user_aware=True)`
#[tokio::test]
async fn response_caching_by_user() {
    async fn profile(request: Request) -> String {
        let User(id) = request.extensions().get().unwrap();
        format!("profile of {id}")
    }
    for_both_forms(async |cache| {
        let layer = CacheLayer::new(cache.clone())
            .ttl("60s")
            .user_aware(|request| request.extensions.get::<User>().map(|User(id)| id.to_string()));
        let app = Router::new().route("/profile", get(profile)).layer(layer);
        for is_hit in [false, true] {
            for user in [1, 2] {
                let reply = ask(&app, "/profile", Some(user)).await;
                let expected = format!("profile of {user}");
                assert_eq!((&reply.body, reply.is_hit()), (&expected, is_hit));
            }
        }
        cache.invalidate_tags([user_tag("1")]).await.unwrap();
        assert!(!ask(&app, "/profile", Some(1)).await.is_hit());
        assert!(ask(&app, "/profile", Some(2)).await.is_hit());
    })
    .await;
}

/// `@cached_response("expensive", ttl=300)`
#[tokio::test]
async fn cached_responses() {
    async fn expensive(cache: CacheHandle) -> Response {
        cached_response(&cache, "expensive", "5m", || async { "made" }).await
    }
    for_both_forms(async |cache| {
        let app = Router::new().route("/", get(expensive)).with_state(cache.clone());
        assert_eq!(ask(&app, "/", None).await.body, "made");
        assert!(ask(&app, "/", None).await.is_hit());
        cache.invalidate("expensive").await.unwrap();
        assert!(!ask(&app, "/", None).await.is_hit());
    })
    .await;
}

/// `RateLimiter(strategy="sliding_window", limit=2, window=60)` as a middleware, by user.
#[tokio::test]
async fn the_three_limiter_strategies_as_a_layer_by_user() {
    type How = fn(RateLimitLayer) -> RateLimitLayer;
    let strategies: [How; 3] =
        [RateLimitLayer::fixed_window, RateLimitLayer::sliding_window, |layer| {
            layer.token_bucket(2)
        }];
    for_both_forms(async |cache| {
        for (number, strategy) in strategies.into_iter().enumerate() {
            let layer = RateLimitLayer::new(cache.clone()).limit(2).per("60s");
            let layer = strategy(layer)
                .policy(&format!("strategy{number}"))
                .by(|request| request.extensions.get::<User>().map(|User(id)| id.to_string()));
            let app = Router::new().route("/", get(|| async { "made" })).layer(layer);
            for expected in [200, 200, 429] {
                for user in [1, 2] {
                    let reply = ask(&app, "/", Some(user)).await;
                    assert_eq!(reply.status, expected);
                    assert_eq!(reply.header("retry-after").is_some(), expected == 429);
                }
            }
        }
    })
    .await;
}
