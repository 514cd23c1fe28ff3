//! Limited requests: one suite for counts in the process and in Redis, what headers say, and what a Redis that goes away does.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used, clippy::duplicate_mod)] // the servers are in `common` as well

#[path = "../../cache-redis/tests/common/server.rs"]
mod server;

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use axum::{Router, body::Body, extract::Request};
use cache_http::{CacheLayer, RateLimitHeaders, RateLimitLayer};
use common::{Reply, answer, by_hand, for_both_forms, read, seconds};
use larder::{Cache, ErrorKind, WhenAway};
use server::Server;
use sfv::{BareItem, List, ListEntry, Parser};
use tower::ServiceExt;

/// A limited service.
#[derive(Clone)]
struct App {
    router: Router,
    runs: Arc<AtomicUsize>,
}

impl App {
    fn new(layers: impl IntoIterator<Item = RateLimitLayer>) -> Self {
        let runs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&runs);
        let handler = move || {
            count.fetch_add(1, SeqCst);
            async { answer(201, &[], "made") }
        };
        let router = layers.into_iter().fold(Router::new().fallback(handler), Router::layer);
        Self { router, runs }
    }

    fn runs(&self) -> usize {
        self.runs.load(SeqCst)
    }

    async fn ask(&self) -> Reply {
        self.of(&[]).await
    }

    /// A request with these headers.
    async fn of(&self, headers: &[(&str, &str)]) -> Reply {
        let request = Request::post("/x");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        read(self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()).await
    }
}

fn on(server: &Server) -> larder::CacheBuilder {
    Cache::builder().redis(server.url()).shared_deadline(seconds(10))
}

fn two(cache: &Cache) -> RateLimitLayer {
    RateLimitLayer::new(cache.clone()).limit(2).per("1h")
}

/// What a header that is a list of named limits says of one, by the grammar of RFC 9651; `None` when it does not name it.
fn told(reply: &Reply, header: &str, policy: &str) -> Option<Vec<(String, i64)>> {
    let lines: Vec<&str> =
        reply.headers.get_all(header).iter().map(|line| line.to_str().unwrap()).collect();
    if lines.is_empty() {
        return None;
    }
    let list: List = Parser::new(&lines.join(", ")).parse().unwrap();
    let mut items = list.into_iter().map(|entry| match entry {
        ListEntry::Item(item) => item,
        ListEntry::InnerList(_) => panic!("a list in {lines:?}"),
    });
    let item = items.find(|item| match &item.bare_item {
        BareItem::String(name) => name.as_str() == policy,
        other => panic!("{other:?} is no string"),
    })?;
    let number = |value: &BareItem| match value {
        BareItem::Integer(number) => i64::from(*number),
        other => panic!("{other:?} is no integer"),
    };
    Some(item.params.iter().map(|(name, value)| (name.to_string(), number(value))).collect())
}

fn parameters(expected: &[(&str, i64)]) -> Option<Vec<(String, i64)>> {
    Some(expected.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect())
}

/// What is left of the limit `default`.
fn left(reply: &Reply) -> i64 {
    let told = told(reply, "ratelimit", "default").unwrap();
    told.iter().find(|(name, _)| name == "r").unwrap().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_beyond_the_limit_is_answered_with_429_and_does_not_reach_the_service() {
    for_both_forms(async |cache| {
        let app = App::new([two(&cache)]);
        for expected in [1, 0] {
            let reply = app.ask().await;
            assert_eq!((reply.status, left(&reply)), (201, expected));
            assert_eq!((reply.body.as_str(), reply.header("retry-after")), ("made", None));
        }
        let refused = app.ask().await;
        assert_eq!((refused.status, left(&refused), app.runs()), (429, 0, 2));
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((3_500..=3_600).contains(&wait), "{wait}");
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
        let problem: serde_json::Value = serde_json::from_str(&refused.body).unwrap();
        assert_eq!(problem["status"], 429);
        assert_eq!(problem["violated-policies"], serde_json::json!(["default"]));
        assert!(problem["type"].as_str().unwrap().ends_with("#quota-exceeded"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_strategy_tells_its_limit_its_window_and_what_is_left() {
    type How = fn(RateLimitLayer) -> RateLimitLayer;
    let strategies: [(How, i64); 3] = [
        (RateLimitLayer::fixed_window, 59),
        (RateLimitLayer::sliding_window, 59),
        (|layer| layer.token_bucket(3), 2),
    ];
    for_both_forms(async |cache| {
        for (strategy, remaining) in strategies {
            let layer = RateLimitLayer::new(cache.clone()).limit(60).per("1m");
            let reply = App::new([strategy(layer)]).ask().await;
            let policy = told(&reply, "ratelimit-policy", "default");
            assert_eq!(policy, parameters(&[("q", 60), ("w", 60)]));
            let limit = told(&reply, "ratelimit", "default").unwrap();
            assert_eq!(limit[0], ("r".to_owned(), remaining));
            // A call flows out of the bucket in a second, and is forgotten by a window after a minute.
            let reset = if remaining == 2 { 1..=1 } else { 50..=60 };
            assert!(limit[1].0 == "t" && reset.contains(&limit[1].1), "{limit:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_key_has_a_count_of_its_own_and_those_without_one_share_one() {
    for_both_forms(async |cache| {
        let app = App::new([two(&cache).by_header("x-key")]);
        for key in ["1", "1:2", "1%3A2", "", "*"] {
            let reply = app.of(&[("x-key", key)]).await;
            assert_eq!((reply.status, left(&reply)), (201, 1), "{key:?}");
        }
        assert_eq!(left(&app.of(&[("x-key", "1:2")]).await), 0);
        for expected in [201, 201, 429] {
            assert_eq!(app.ask().await.status, expected, "without a key");
        }
        assert_eq!(app.of(&[("x-key", "1")]).await.status, 201);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_without_a_key_are_not_limited_where_that_was_said() {
    for_both_forms(async |cache| {
        let app = App::new([two(&cache).by_header("x-key").unlimited_without_key()]);
        for _ in 0..4 {
            let reply = app.ask().await;
            assert_eq!((reply.status, reply.header("ratelimit-policy")), (201, None));
        }
        for expected in [201, 201, 429] {
            assert_eq!(app.of(&[("x-key", "7")]).await.status, expected);
        }
        // Nobody is asked for a key, so nobody lacks one.
        let all = App::new([two(&cache).policy("all").unlimited_without_key()]);
        for expected in [201, 201, 429] {
            assert_eq!(all.ask().await.status, expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_may_depend_on_who_asks_and_a_cost_on_the_route() {
    for_both_forms(async |cache| {
        let is_paid = |request: &http::request::Parts| request.headers.contains_key("x-paid");
        let layer = move |cost| {
            let layer = RateLimitLayer::new(cache.clone()).per("1h").cost(cost);
            layer.limit_by(move |request| if is_paid(request) { 100 } else { 10 })
        };
        let (cheap, dear) = (App::new([layer(1)]), App::new([layer(9)]));
        assert_eq!(left(&cheap.ask().await), 9);
        assert_eq!(left(&dear.ask().await), 0);
        assert_eq!(cheap.ask().await.status, 429);
        let paid = cheap.of(&[("x-paid", "")]).await;
        assert_eq!((paid.status, left(&paid)), (201, 89));
        let policy = told(&paid, "ratelimit-policy", "default");
        assert_eq!(policy, parameters(&[("q", 100), ("w", 3600)]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_limits_are_told_together_and_the_old_headers_tell_the_tightest() {
    for_both_forms(async |cache| {
        let forms =
            [RateLimitHeaders::Fields, RateLimitHeaders::Separate, RateLimitHeaders::Prefixed];
        let limit = |policy: &str, limit, per: &str| {
            let layer = RateLimitLayer::new(cache.clone()).policy(policy);
            layer.limit(limit).per(per).headers(forms)
        };
        for layers in [
            [limit("a \"b\" \\", 3, "1m"), limit("daily", 50, "1d")],
            [limit("weekly", 50, "7d"), limit("c", 3, "1m")],
        ] {
            let reply = App::new(layers).ask().await;
            assert_eq!(reply.header("ratelimit-limit"), Some("3"));
            assert_eq!(reply.header("x-ratelimit-remaining"), Some("2"));
            let reset: u64 = reply.header("x-ratelimit-reset").unwrap().parse().unwrap();
            assert!((50..=60).contains(&reset), "{reset}");
            for name in ["ratelimit-reset", "x-ratelimit-limit", "ratelimit-remaining"] {
                assert_eq!(reply.headers.get_all(name).iter().count(), 1, "{name}");
            }
            for name in ["ratelimit", "ratelimit-policy"] {
                assert_eq!(reply.headers.get_all(name).iter().count(), 2, "{name}");
            }
        }
        let app = App::new([limit("a \"b\" \\", 3, "1m"), limit("daily", 50, "1d")]);
        for _ in 0..2 {
            app.ask().await;
        }
        let refused = app.ask().await;
        assert_eq!(refused.status, 429);
        let policies = [("a \"b\" \\", 3, 60), ("daily", 50, 86_400)];
        for (policy, limit, window) in policies {
            let told = told(&refused, "ratelimit-policy", policy);
            assert_eq!(told, parameters(&[("q", limit), ("w", window)]));
        }
        let limit = told(&refused, "ratelimit", "a \"b\" \\").unwrap();
        let wait = refused.header("retry-after").unwrap();
        assert_eq!(limit[1], ("t".to_owned(), wait.parse().unwrap()));
        let problem: serde_json::Value = serde_json::from_str(&refused.body).unwrap();
        assert_eq!(problem["violated-policies"], serde_json::json!(["a \"b\" \\"]));
    })
    .await;
}

#[tokio::test]
async fn the_answer_to_what_is_refused_may_be_another_and_headers_may_be_left_out() {
    let cache = Cache::memory();
    let layer = two(&cache).headers([]).refused(|request, refusal| {
        let body = format!("{} {} {}", request.method, refusal.policy, refusal.verdict.limit);
        http::Response::builder().status(420).header("retry-after", "7").body(body).unwrap()
    });
    let app = App::new([layer]);
    for _ in 0..2 {
        let reply = app.ask().await;
        assert!(reply.headers.keys().all(|name| !name.as_str().contains("ratelimit")));
    }
    let refused = app.ask().await;
    assert_eq!((refused.status, refused.body.as_str()), (420, "POST default 2"));
    let waits: Vec<_> = refused.headers.get_all("retry-after").iter().collect();
    assert_eq!(waits, ["7"]);
    assert!(refused.headers.keys().all(|name| !name.as_str().contains("ratelimit")));
}

#[tokio::test]
async fn times_are_rounded_up_and_who_waits_as_told_is_allowed() {
    let (_, hand, cache) = by_hand().await;
    let layer = RateLimitLayer::new(cache).limit(1).per(std::time::Duration::from_millis(2_500));
    let app = App::new([layer]);
    let reply = app.ask().await;
    assert_eq!(told(&reply, "ratelimit-policy", "default"), parameters(&[("q", 1), ("w", 3)]));
    hand.advance(std::time::Duration::from_millis(200));
    let refused = app.ask().await;
    assert_eq!(refused.header("retry-after"), Some("3")); // 2.3 s
    assert_eq!(told(&refused, "ratelimit", "default"), parameters(&[("r", 0), ("t", 3)]));
    hand.advance(seconds(3));
    assert_eq!(app.ask().await.status, 201);
}

#[tokio::test]
async fn what_is_cached_does_not_tell_others_of_the_first_ones_limit() {
    let cache = Cache::memory();
    let forms = [RateLimitHeaders::Fields, RateLimitHeaders::Separate, RateLimitHeaders::Prefixed];
    let app = common::App::with(CacheLayer::new(cache.clone()), &[("x-kept", "yes")]);
    let limited = Router::new()
        .fallback_service(app.router.clone())
        .layer(two(&cache).headers(forms))
        .layer(CacheLayer::new(cache.clone()).key_by(|_| "outer".to_owned()));
    for _ in 0..2 {
        let request = Request::get("/").body(Body::empty()).unwrap();
        let reply = read(limited.clone().oneshot(request).await.unwrap()).await;
        assert_eq!(reply.header("x-kept"), Some("yes"));
        assert!(reply.headers.keys().all(|name| !name.as_str().contains("ratelimit")), "{reply:?}");
    }
}

#[tokio::test]
async fn a_layer_that_makes_no_sense_says_so_and_lets_nobody_through() {
    let cache = Cache::memory();
    let new = || RateLimitLayer::new(cache.clone());
    let mistakes = [
        (new().per("1m"), "the limit was not said"),
        (new().limit(5), "the limit was not said"),
        (new().limit(0).per("1m"), "a limit of 0"),
        (new().limit(5).per("forever"), "a limit counts in windows"),
        (new().limit(5).per("five minutes"), "five minutes"),
        (new().limit(5).per("1m").cost(6), "a cost of 6"),
        (new().limit(5).per("1m").token_bucket(0), "a burst of 0"),
        (new().limit_by(|_| 5).per("1m").cost(0), "a cost of 0"),
        (new().limit(5).per("1m").policy("größe"), "printable ASCII"),
        (new().limit(5).per("1m").policy(""), "printable ASCII"),
    ];
    for (layer, message) in mistakes {
        let error = layer.clone().checked().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::Template), "{error}");
        assert!(error.to_string().contains(message), "{error}, not {message}");
        let app = App::new([layer]);
        let reply = app.ask().await;
        assert_eq!((reply.status, app.runs()), (500, 0), "{message}");
    }
}

#[tokio::test]
async fn checking_a_layer_counts_nothing() {
    let cache = Cache::memory();
    let layer = two(&cache).checked().unwrap().checked().unwrap();
    assert_eq!(left(&App::new([layer]).ask().await), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_have_one_count() {
    let server = Server::start(&[]);
    let (here, there) = (on(&server).build().await.unwrap(), on(&server).build().await.unwrap());
    let (here, there) = (App::new([two(&here)]), App::new([two(&there)]));
    assert_eq!((here.ask().await.status, there.ask().await.status), (201, 201));
    assert_eq!((here.ask().await.status, there.ask().await.status), (429, 429));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_requests_go_on_or_are_answered_with_503_and_after_it_they_are_counted()
{
    let mut server = Server::start(&[]);
    let cache =
        Cache::builder().redis(server.url()).shared_deadline(seconds(5)).build().await.unwrap();
    let open =
        App::new([two(&cache).headers([RateLimitHeaders::Fields, RateLimitHeaders::Separate])]);
    let closed = App::new([two(&cache).policy("pin").when_away(WhenAway::Closed)]);
    assert_eq!((open.ask().await.status, closed.ask().await.status), (201, 201));
    server.kill();
    for _ in 0..5 {
        let reply = open.ask().await;
        assert_eq!(reply.status, 201);
        // Nobody knows what is left.
        assert_eq!((reply.header("ratelimit"), reply.header("ratelimit-remaining")), (None, None));
        let policy = told(&reply, "ratelimit-policy", "default");
        assert_eq!(policy, parameters(&[("q", 2), ("w", 3600)]));
        let refused = closed.ask().await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, None));
        let problem: serde_json::Value = serde_json::from_str(&refused.body).unwrap();
        assert_eq!(problem["status"], 503);
        assert!(problem["type"].as_str().unwrap().ends_with("#temporary-reduced-capacity"));
    }
    assert_eq!((open.runs(), closed.runs()), (6, 1));
    server.restart();
    let counted = async {
        while closed.ask().await.status == 503 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(seconds(30), counted).await.unwrap();
    // The server has forgotten the first one: of two that are allowed one was the last of these.
    assert_eq!((closed.ask().await.status, closed.ask().await.status), (201, 429));
}

#[tokio::test]
async fn who_is_refused_is_told_when_there_is_room_and_who_is_not_when_there_is_all_of_it() {
    let (_, hand, cache) = by_hand().await;
    let app = App::new([RateLimitLayer::new(cache).limit(2).per("1m")]);
    app.ask().await;
    hand.advance(seconds(20));
    let told_reset = async |app: &App| told(&app.ask().await, "ratelimit", "default").unwrap()[1].1;
    assert_eq!(told_reset(&app).await, 60);
    assert_eq!(told_reset(&app).await, 40);
    hand.advance(seconds(40));
    assert_eq!(app.ask().await.status, 201);
}
