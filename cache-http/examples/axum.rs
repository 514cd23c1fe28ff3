//! Cached responses over real data: `cargo run -p larder-http --example axum`, and `-- serve` to keep it listening.
//!
//! Without `serve` it makes a few requests itself, shows what the cache says of each, and ends. The cache is the one that the
//! environment describes: with `cargo xtask with-redis` in front, Redis is behind it.

use std::{
    error::Error,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{FromRef, Path, Query, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::{get, put},
};
use cache_http::{CacheHandle, CacheLayer, cached_response};
use larder::Cache;
use serde::{Deserialize, Serialize};
use tower::ServiceExt;

#[derive(Clone, Serialize)]
struct City {
    id: u64,
    name: String,
    country: String,
    population: u64,
}

#[derive(Clone)]
struct Service {
    cache: Cache,
    cities: Arc<RwLock<Vec<City>>>,
}

impl FromRef<Service> for Cache {
    fn from_ref(service: &Service) -> Self {
        service.cache.clone()
    }
}

/// Who asks; the authentication has checked it.
#[derive(Clone)]
struct User(String);

#[derive(Deserialize)]
struct Filter {
    country: String,
    page: Option<usize>,
}

async fn cities(State(service): State<Service>, Query(filter): Query<Filter>) -> Json<Vec<City>> {
    let all = service.cities.read().unwrap_or_else(PoisonError::into_inner);
    let found = all.iter().filter(|city| city.country == filter.country);
    Json(found.skip(filter.page.unwrap_or(0) * 3).take(3).cloned().collect())
}

async fn rename(
    State(service): State<Service>,
    Path(id): Path<u64>,
    name: String,
) -> Result<(), StatusCode> {
    {
        let mut all = service.cities.write().unwrap_or_else(PoisonError::into_inner);
        let city = all.iter_mut().find(|city| city.id == id).ok_or(StatusCode::NOT_FOUND)?;
        city.name = name;
    }
    // Not confirmed by Redis, it holds here at once and is repeated.
    let _ = service.cache.invalidate_tags(["cities"]).await;
    Ok(())
}

async fn greeting(request: Request) -> String {
    let user = request.extensions().get::<User>();
    format!("Hello, {}", user.map_or("whoever you are", |User(name)| name))
}

async fn largest(cache: CacheHandle, State(service): State<Service>) -> Response {
    cached_response(&cache, "largest", "1m", || async move {
        let all = service.cities.read().unwrap_or_else(PoisonError::into_inner);
        Json(all.iter().max_by_key(|city| city.population).cloned())
    })
    .await
}

/// Stands for what checks tokens: adds the user that a token is for.
async fn authenticate(mut request: Request, next: Next) -> Response {
    let token = request.headers().get("authorization").and_then(|token| token.to_str().ok());
    if let Some(name) = token.and_then(|token| token.strip_prefix("Bearer token-of-")) {
        let user = User(name.to_owned());
        request.extensions_mut().insert(user);
    }
    next.run(request).await
}

fn app(cache: &Cache) -> Router {
    let service = Service { cache: cache.clone(), cities: Arc::new(RwLock::new(load())) };
    let public = CacheLayer::new(cache.clone())
        .ttl("5m")
        .query(["country", "page"])
        .tags(|_, _| vec!["cities".to_owned()])
        .stale_if_error("1h");
    let of_a_user = CacheLayer::new(cache.clone())
        .allow_authorization()
        .user_aware(|request| request.extensions.get::<User>().map(|User(name)| name.clone()));
    Router::new()
        .route("/cities", get(cities).layer(public))
        .route("/cities/{id}", put(rename))
        .route("/greeting", get(greeting).layer(of_a_user))
        .route("/largest", get(largest))
        .layer(middleware::from_fn(authenticate))
        .with_state(service)
}

fn load() -> Vec<City> {
    let rows = include_str!("../../examples/data/cities.csv").lines().skip(1);
    rows.filter_map(|row| {
        // The few names with a comma in them are left out.
        let [id, name, country, _, _, population, _] =
            row.split(',').collect::<Vec<_>>().try_into().ok()?;
        let (id, population) = (id.parse().ok()?, population.parse().ok()?);
        Some(City { id, name: name.to_owned(), country: country.to_owned(), population })
    })
    .collect()
}

/// Makes a request and tells what came of it.
async fn show(app: &Router, request: Request) -> Result<(), Box<dyn Error>> {
    let line = format!("{} {}", request.method(), request.uri());
    let response = app.clone().oneshot(request).await?;
    let status = response.status().as_u16();
    let cache = response.headers().get("cache-status").and_then(|value| value.to_str().ok());
    let cache = cache.unwrap_or("-").to_owned();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await?;
    println!("{line:<38} {status}  {cache}\n    {:.110}", String::from_utf8_lossy(&body));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cache = Cache::from_env().await?;
    let app = app(&cache);
    if std::env::args().any(|argument| argument == "serve") {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
        println!("http://{}/cities?country=DK", listener.local_addr()?);
        axum::serve(listener, app).await?;
        return Ok(());
    }
    let get = |uri: &str| Request::get(uri).body(Body::empty());
    show(&app, get("/cities?country=DK")?).await?;
    show(&app, get("/cities?utm_source=mail&country=DK")?).await?;
    show(&app, Request::put("/cities/2618425").body(Body::from("Kopenhagen"))?).await?;
    show(&app, get("/cities?country=DK")?).await?;
    for user in ["ann", "bob", "ann"] {
        let token = format!("Bearer token-of-{user}");
        let request = Request::get("/greeting").header("authorization", token);
        show(&app, request.body(Body::empty())?).await?;
    }
    show(&app, get("/greeting")?).await?;
    show(&app, get("/largest")?).await?;
    show(&app, get("/largest")?).await?;
    println!("\n{}", cache.stats());
    cache.shutdown().await?;
    Ok(())
}
