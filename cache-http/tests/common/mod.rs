//! A router whose answers are numbered, caches of both forms, and a clock that is moved by hand.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

#[path = "../../../cache-redis/tests/common/server.rs"]
mod server;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use axum::{Router, body::Body, extract::Request, response::Response};
use cache_http::CacheLayer;
use http::HeaderMap;
use larder::{Cache, Clock, ManualClock};
use server::Server;
use tower::ServiceExt;

/// A service behind a layer.
pub struct App {
    pub router: Router,
    runs: Arc<AtomicUsize>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl App {
    /// `answer` is given the request and which run it is, from 1.
    pub fn new(
        layer: CacheLayer,
        answer: impl Fn(&Request, usize) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        let runs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&runs);
        let handler = move |request: Request| {
            let answer = answer(&request, count.fetch_add(1, SeqCst) + 1);
            async { answer }
        };
        Self { router: Router::new().fallback(handler).layer(layer), runs }
    }

    /// Answers `run 1`, `run 2` and so on, with these headers.
    pub fn with(layer: CacheLayer, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self::new(layer, move |_, run| answer(200, headers, &format!("run {run}")))
    }

    pub fn runs(&self) -> usize {
        self.runs.load(SeqCst)
    }

    pub async fn get(&self, uri: &str) -> Reply {
        self.ask("GET", uri, &[]).await
    }

    pub async fn get_with(&self, uri: &str, headers: &[(&str, &str)]) -> Reply {
        self.ask("GET", uri, headers).await
    }

    pub async fn ask(&self, method: &str, uri: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub async fn send(&self, request: Request) -> Reply {
        read(self.router.clone().oneshot(request).await.unwrap()).await
    }
}

pub async fn read(response: Response) -> Reply {
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Reply { status: head.status.as_u16(), headers: head.headers, body }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// What the cache says of it.
    pub fn cache(&self) -> &str {
        self.header("cache-status").unwrap_or_default()
    }

    pub fn is_hit(&self) -> bool {
        self.cache().starts_with("larder; hit")
    }
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body.to_owned())).unwrap()
}

/// A cache with nothing in it: in memory, or with Redis behind it in the tests that `on_redis.rs` has once more.
pub async fn cache() -> Cache {
    if env!("CARGO_CRATE_NAME") == "on_redis" { shared().await } else { Cache::memory() }
}

/// The same test on a cache of each form.
pub async fn for_both_forms(test: impl AsyncFn(Cache)) {
    test(Cache::memory()).await;
    test(shared().await).await;
}

/// A cache with a prefix of its own on the one server that the tests of this process share.
async fn shared() -> Cache {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let url = SERVER.get_or_init(|| Server::start(&[])).url();
    let prefix = format!("http{}:", COUNT.fetch_add(1, SeqCst));
    // A deadline that a busy machine keeps.
    Cache::builder().redis(url).prefix(prefix).shared_deadline(seconds(10)).build().await.unwrap()
}

pub async fn layer() -> CacheLayer {
    CacheLayer::new(cache().await)
}

/// A cache in memory (a server has a time of its own) whose clock, and a layer whose time of day, are moved by one hand.
pub async fn by_hand() -> (CacheLayer, ManualClock, Cache) {
    let (clock, hand) = Clock::manual();
    let cache = Cache::builder().clock(clock).build().await.unwrap();
    (timed(&cache, &hand), hand, cache)
}

pub fn timed(cache: &Cache, hand: &ManualClock) -> CacheLayer {
    let (hand, start) = (hand.clone(), SystemTime::now());
    CacheLayer::new(cache.clone()).time_of_day(move || start + hand.elapsed())
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
