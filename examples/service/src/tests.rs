//! The whole service without a socket: in memory, with Redis, and while Redis is killed.
#![allow(clippy::unwrap_used)]

#[path = "../../../cache-redis/tests/common/server.rs"]
mod server;

use std::{
    env, fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, header},
};
use larder::Cache;
use serde_json::Value;
use tower::ServiceExt;

use self::server::Server;
use super::*;

const BERLIN: u32 = 2_950_159;

/// One process of the service, with a database of its own.
struct Running {
    app: Router,
    cache: Cache,
    database: PathBuf,
}

/// A client with its cookies.
struct Client<'a> {
    of: &'a Running,
    cookies: Vec<(String, String)>,
}

struct Reply {
    status: u16,
    cache: String,
    body: String,
}

impl Running {
    fn new(cache: Cache) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let database = env::temp_dir().join(format!("larder-service-{}-{number}", process::id()));
        let config = Config {
            address: "127.0.0.1:0".parse().unwrap(),
            database: database.clone(),
            requests_per_minute: 1_000,
            password: "secret".to_owned(),
            secret: [7; 32],
            secure_cookies: true,
        };
        let app = routes::app(Service::new(&config, &cache).unwrap(), 1_000).unwrap();
        Self { app, cache, database }
    }

    fn client(&self) -> Client<'_> {
        Client { of: self, cookies: Vec::new() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{end}", self.database.display()));
        }
    }
}

impl Client<'_> {
    async fn ask(&mut self, method: &str, uri: &str, body: &str) -> Reply {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::COOKIE, cookies.join("; "))
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = self.of.app.clone().oneshot(request);
        let response = larder::scoped(self.of.cache.clone(), response).await.unwrap();
        let (head, body) = response.into_parts();
        for line in head.headers.get_all(header::SET_COOKIE) {
            self.keep(line.to_str().unwrap());
        }
        let cache = head.headers.get("cache-status").map_or("", |line| line.to_str().unwrap());
        let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        Reply { status: head.status.as_u16(), cache: cache.to_owned(), body }
    }

    fn keep(&mut self, line: &str) {
        assert!(line.contains("HttpOnly; SameSite=Lax") && line.ends_with("; Secure"), "{line}");
        let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
        self.cookies.retain(|(kept, _)| kept != name);
        if !value.is_empty() {
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }

    fn has(&self, cookie: &str) -> bool {
        self.cookies.iter().any(|(name, _)| name == cookie)
    }

    async fn get(&mut self, uri: &str) -> Reply {
        self.ask("GET", uri, "").await
    }

    async fn status(&mut self, method: &str, uri: &str) -> u16 {
        self.ask(method, uri, "").await.status
    }

    async fn sign_in(&mut self, name: &str) -> u16 {
        let body = format!("{{\"name\":\"{name}\",\"password\":\"secret\"}}");
        self.ask("POST", "/session", &body).await.status
    }
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn on(server: &Server) -> Cache {
    let builder = Cache::builder().redis(server.url());
    builder.shared_deadline(Duration::from_secs(5)).build().await.unwrap()
}

async fn for_both_forms(test: impl AsyncFn(Running)) {
    test(Running::new(Cache::memory())).await;
    let server = Server::start(&[]);
    test(Running::new(on(&server).await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_moves_is_seen_at_once_wherever_the_city_is_shown() {
    for_both_forms(async |service| {
        let mut client = service.client();
        let pages = ["/cities?country=DE&page=0", "/countries/DE"];
        for page in pages {
            assert_eq!(client.get(page).await.status, 200);
            assert!(client.get(page).await.cache.starts_with("larder; hit"), "{page}");
        }
        client.get("/cities?country=FR").await;
        let before =
            client.get(&format!("/cities/{BERLIN}")).await.json()["population"].as_i64().unwrap();

        let people = format!("/cities/{BERLIN}/people");
        assert_eq!(client.ask("POST", &people, "{\"people\":7}").await.status, 401);
        assert_eq!(client.sign_in("ada").await, 201);
        assert_eq!(client.ask("POST", &people, "{\"people\":7}").await.status, 200);

        let loads = service.cache.stats().loads;
        let city = client.get(&format!("/cities/{BERLIN}")).await.json();
        assert_eq!(city["population"].as_i64(), Some(before + 7));
        assert_eq!(service.cache.stats().loads, loads, "the writer has renewed its entry");
        for page in pages {
            let reply = client.get(page).await;
            assert!(!reply.cache.starts_with("larder; hit"), "{page}");
            assert!(reply.body.contains(&(before + 7).to_string()), "{page}");
        }
        assert!(client.get("/cities?country=FR").await.cache.starts_with("larder; hit"));
        assert_eq!(client.get("/cities/1").await.status, 404);
        assert_eq!(client.get("/report").await.json().as_array().unwrap().len(), 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_given_the_favourites_of_another() {
    for_both_forms(async |service| {
        let (mut ada, mut bob) = (service.client(), service.client());
        assert_eq!(ada.get("/favourites").await.status, 401);
        ada.sign_in("ada").await;
        bob.sign_in("bob").await;
        assert_eq!(ada.get("/favourites").await.body, "[]");
        for expected in [204, 204] {
            assert_eq!(ada.status("PUT", &format!("/favourites/{BERLIN}")).await, expected);
        }
        assert_eq!(ada.status("PUT", "/favourites/1").await, 404);
        assert!(ada.get("/favourites").await.body.contains("Berlin"));
        assert!(ada.get("/favourites").await.cache.starts_with("larder; hit"));
        assert_eq!(bob.get("/favourites").await.body, "[]");
        ada.ask("POST", &format!("/cities/{BERLIN}/people"), "{\"people\":7}").await;
        assert!(!ada.get("/favourites").await.cache.starts_with("larder; hit"));
        assert_eq!(ada.status("DELETE", &format!("/favourites/{BERLIN}")).await, 204);
        assert_eq!(ada.get("/favourites").await.body, "[]");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_out_is_out_on_this_device_or_on_all() {
    for_both_forms(async |service| {
        let (mut phone, mut laptop) = (service.client(), service.client());
        for client in [&mut phone, &mut laptop] {
            client.sign_in("ada").await;
        }
        assert_eq!(phone.get("/session").await.json()["sessions"], 2);
        let kept = phone.cookies.clone();
        assert_eq!(phone.status("DELETE", "/session").await, 204);
        assert!(phone.cookies.is_empty());
        phone.cookies = kept; // whoever copied them has nothing
        assert_eq!(phone.get("/session").await.status, 401);
        assert_eq!(laptop.get("/session").await.json()["sessions"], 1);
        let kept = laptop.cookies.clone();
        assert_eq!(laptop.status("DELETE", "/sessions").await, 204);
        laptop.cookies = kept;
        assert_eq!(laptop.get("/session").await.status, 401);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_cannot_be_guessed_also_while_redis_is_away() {
    let mut server = Server::start(&[]);
    let service = Running::new(on(&server).await);
    let mut client = service.client();
    let wrong = "{\"name\":\"ada\",\"password\":\"wrong\"}";
    for try_number in 0..10 {
        if try_number == 5 {
            server.kill();
        }
        assert_eq!(client.ask("POST", "/session", wrong).await.status, 403);
    }
    assert_eq!(client.ask("POST", "/session", wrong).await.status, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_nobody_is_signed_out_and_nothing_is_a_5xx() {
    let mut server = Server::start(&["--appendonly", "yes", "--save", ""]);
    let service = Running::new(on(&server).await);
    let (mut ada, mut bob, mut eve) = (service.client(), service.client(), service.client());
    ada.sign_in("ada").await;
    bob.sign_in("bob").await;
    server.kill();

    assert_eq!(ada.status("PUT", &format!("/favourites/{BERLIN}")).await, 204);
    assert!(ada.get("/favourites").await.body.contains("Berlin"));
    assert_eq!(ada.get("/session").await.json()["sessions"], Value::Null);
    let mut thief = service.client();
    thief.cookies.extend(ada.cookies.iter().filter(|(name, _)| name == "session").cloned());
    assert_eq!(thief.get("/session").await.status, 401, "a session that nobody can confirm");

    assert_eq!(eve.sign_in("eve").await, 201);
    assert!(eve.has("ticket") && !eve.has("session"));
    assert_eq!(eve.get("/favourites").await.body, "[]");

    let kept = bob.cookies.clone();
    assert_eq!(bob.status("DELETE", "/session").await, 202);
    assert_eq!(bob.get("/session").await.status, 401);
    assert_eq!(bob.get("/health").await.json()["status"], "degraded");
    assert_eq!(bob.get("/cities?country=DE").await.status, 200);

    server.restart();
    // It was told of the end.
    bob.cookies = kept;
    let ended = async {
        while bob.get("/session").await.status != 401 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap();
    assert_eq!(ada.get("/session").await.json()["sessions"], 1);
    assert_eq!(ada.get("/health").await.json()["redis"], "up");
}

#[tokio::test]
async fn metrics_are_lines_of_a_name_and_a_number() {
    metrics::record().unwrap();
    // By its name, for the recorder is one for all tests of a process.
    let cache = Cache::builder().name("watched").build().await.unwrap();
    let service = Running::new(cache);
    let mut client = service.client();
    for _ in 0..2 {
        client.get(&format!("/cities/{BERLIN}")).await;
    }
    let metrics = client.get("/metrics").await.body;
    let line = |rest: &str| {
        let begins = "cache_hits_total{cache=\"watched\",function=\"larder_service::cities::city\"";
        metrics.lines().any(|line| line.strip_prefix(begins) == Some(rest))
    };
    assert!(line(",tier=\"memory\"} 1"), "{metrics}");
    assert!(
        metrics.contains(
            "cache_latency_seconds_bucket{cache=\"watched\",operation=\"load\",le=\"1\"}"
        ),
        "{metrics}"
    );
    for line in metrics.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}
