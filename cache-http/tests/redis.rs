//! Responses in Redis: two processes share them, and Redis may go away.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used, clippy::duplicate_mod)] // the servers are in `common` as well

#[path = "../../cache-redis/tests/common/server.rs"]
mod server;

mod common;

use cache_http::{CacheLayer, path_tag};
use common::{App, answer, seconds};
use http::HeaderValue;
use larder::Cache;
use server::Server;

async fn cache(server: &Server) -> Cache {
    Cache::builder().redis(server.url()).shared_deadline(seconds(5)).build().await.unwrap()
}

async fn process(server: &Server) -> (App, Cache) {
    let cache = cache(server).await;
    let app = App::new(CacheLayer::new(cache.clone()).stale_if_error("1h"), |request, run| {
        let mut response = answer(
            200,
            &[("vary", "accept"), ("link", "</a>"), ("link", "</b>")],
            &format!("run {run}"),
        );
        response.headers_mut().insert("x-bytes", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        assert_eq!(request.method(), "GET");
        response
    });
    (app, cache)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_responses_and_invalidations() {
    let server = Server::start(&[]);
    let ((here, _), (there, cache)) = (process(&server).await, process(&server).await);
    for accept in ["a", "b"] {
        let first = here.get_with("/x", &[("accept", accept)]).await;
        let hit = there.get_with("/x", &[("accept", accept)]).await;
        assert!(hit.is_hit(), "{}", hit.cache());
        assert_eq!((hit.status, &hit.body), (200, &first.body));
        assert_eq!(hit.headers.get_all("link").iter().count(), 2);
        assert_eq!(hit.headers["x-bytes"].as_bytes(), b"\xff\xfe");
        assert_eq!(hit.header("etag"), first.header("etag"));
    }
    assert_eq!((here.runs(), there.runs()), (2, 0));
    cache.invalidate_tags([path_tag("/x")]).everywhere().await.unwrap();
    assert!(!here.get_with("/x", &[("accept", "a")]).await.is_hit());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_go_on_while_redis_is_killed_and_comes_back() {
    let mut server = Server::start(&[]);
    let (app, cache) = process(&server).await;
    app.get("/before").await;
    server.kill();
    for uri in ["/before", "/during", "/during", "/other"] {
        let reply = app.get(uri).await;
        assert_eq!(reply.status, 200, "{uri}: {}", reply.cache());
    }
    // A change is answered too, and holds in this process.
    let runs = app.runs();
    assert_eq!(app.ask("GET", "/during", &[("cache-control", "no-cache")]).await.status, 200);
    assert_eq!(app.runs(), runs + 1);
    server.restart();
    let back = async {
        while !cache.health().await.is_healthy() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(seconds(30), back).await.unwrap();
    let (other, _) = process(&server).await;
    let shared = async {
        // Each under a path of its own, until one of them was stored in Redis.
        for number in 0.. {
            let uri = format!("/after/{number}");
            app.get(&uri).await;
            if other.get(&uri).await.is_hit() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(seconds(30), shared).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_answered_while_redis_is_away_and_is_seen_here_at_once() {
    let mut server = Server::start(&[]);
    let cache = cache(&server).await;
    let app = App::new(CacheLayer::new(cache), |_, run| answer(200, &[], &format!("run {run}")));
    app.get("/x").await;
    server.kill();
    assert_eq!(app.ask("PUT", "/x", &[]).await.status, 200);
    assert_eq!(app.get("/x").await.body, "run 3");
}
