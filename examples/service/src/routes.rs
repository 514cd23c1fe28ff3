//! What is where, what of it is cached, and what is limited.

use axum::{
    Extension, Json, Router,
    extract::{FromRef, Path, Query, State},
    http::StatusCode,
    middleware,
    response::IntoResponse,
    routing::{get, post, put},
};
use cache_http::CacheLayer;
use larder::Cache;
use serde::{Deserialize, Serialize};

use crate::{
    cities::{add_people, cities_of, city, country, report},
    config::Config,
    db::{City, Continent, Country, Db, DbError},
    favourites::{add_favourite, favourites, remove_favourite},
    limits,
    metrics::metrics,
    problem::Problem,
    sessions::{self, Sessions, User},
};

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) cache: Cache,
    pub(crate) db: Db,
    pub(crate) sessions: Sessions,
}

impl Service {
    pub(crate) fn new(config: &Config, cache: &Cache) -> Result<Self, DbError> {
        Ok(Self {
            cache: cache.clone(),
            db: Db::open(&config.database)?,
            sessions: Sessions::new(config, cache),
        })
    }
}

impl FromRef<Service> for Db {
    fn from_ref(service: &Service) -> Self {
        service.db.clone()
    }
}

pub(crate) fn app(service: Service, requests_per_minute: u64) -> larder::Result<Router> {
    let cache = &service.cache;
    // The same for everybody: no cookie matters there. Handlers say what they show.
    let public = CacheLayer::new(cache.clone())
        .ttl("1m")
        .query(["country", "page"])
        .allow_cookies()
        .tags(|_, response| {
            response.extensions.get().map_or_else(Vec::new, |Shows(tags)| tags.clone())
        })
        .stale_while_revalidate("10s")
        .stale_if_error("1h");
    let of_a_user = CacheLayer::new(cache.clone())
        .ttl("1m")
        .tags(|_, _| vec!["favourites".to_owned()])
        .user_aware(|request| request.extensions.get().map(|User(name)| name.to_string()));

    let app = Router::new()
        .route("/cities", get(list).layer(public.clone()))
        .route("/countries/{iso}", get(show_country).layer(public))
        .route("/cities/{id}", get(show_city))
        .route("/report", get(show_report))
        .route("/cities/{id}/people", post(move_in))
        .route("/favourites", get(list_favourites).layer(of_a_user))
        .route("/favourites/{id}", put(mark).delete(unmark))
        .route("/session", get(sessions::signed_in).delete(sessions::sign_out))
        .route("/sessions", axum::routing::delete(sessions::sign_out_everywhere))
        .route_layer(middleware::from_fn_with_state(service.clone(), sessions::identify))
        .route("/session", post(sessions::sign_in).layer(limits::of_sign_ins(cache)?))
        .layer(limits::of_all(cache, requests_per_minute)?)
        // For who watches over it, without a limit.
        .route("/metrics", get(metrics))
        .route("/health", get(health));
    Ok(app.with_state(service))
}

/// The tags of a response.
#[derive(Clone)]
struct Shows(Vec<String>);

impl Shows {
    fn country(iso: &str) -> Extension<Self> {
        Extension(Self(vec![format!("country:{iso}")]))
    }
}

#[derive(Deserialize)]
struct Filter {
    country: String,
    #[serde(default)]
    page: u32,
}

async fn list(
    State(db): State<Db>,
    Query(Filter { country, page }): Query<Filter>,
) -> Result<(Extension<Shows>, Json<Vec<City>>), Problem> {
    Ok((Shows::country(&country), Json(cities_of(&db, &country, page).await?)))
}

#[derive(Serialize)]
struct Portrait {
    country: Country,
    largest: Vec<City>,
}

async fn show_country(
    State(db): State<Db>,
    Path(iso): Path<String>,
) -> Result<(Extension<Shows>, Json<Portrait>), Problem> {
    let country = country(&db, &iso).await?.ok_or(Problem::NotFound)?;
    let largest = cities_of(&db, &iso, 0).await?;
    Ok((Shows::country(&iso), Json(Portrait { country, largest })))
}

async fn show_city(State(db): State<Db>, Path(id): Path<u32>) -> Result<Json<City>, Problem> {
    Ok(Json(city(&db, id).await?.ok_or(Problem::NotFound)?))
}

async fn show_report(State(db): State<Db>) -> Result<Json<Vec<Continent>>, Problem> {
    Ok(Json(report(&db).await?))
}

#[derive(Deserialize)]
struct Moving {
    people: u32,
}

async fn move_in(
    State(db): State<Db>,
    _: User,
    Path(id): Path<u32>,
    Json(Moving { people }): Json<Moving>,
) -> Result<Json<City>, Problem> {
    Ok(Json(add_people(&db, id, people).await?.ok_or(Problem::NotFound)?))
}

async fn list_favourites(
    State(db): State<Db>,
    User(user): User,
) -> Result<Json<Vec<City>>, Problem> {
    Ok(Json(favourites(&db, &user).await?))
}

async fn mark(
    State(db): State<Db>,
    User(user): User,
    Path(id): Path<u32>,
) -> Result<StatusCode, Problem> {
    if add_favourite(&db, &user, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::NotFound)
    }
}

async fn unmark(
    State(db): State<Db>,
    User(user): User,
    Path(id): Path<u32>,
) -> Result<StatusCode, Problem> {
    remove_favourite(&db, &user, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    redis: Option<&'static str>,
}

/// Without Redis it is slower, and no less alive: always 200, so that nobody takes the process out of service for it.
async fn health(State(service): State<Service>) -> impl IntoResponse {
    let health = service.cache.health().await;
    let status = if health.is_healthy() { "healthy" } else { "degraded" };
    let redis = health.shared.is_some().then_some(if health.is_healthy() { "up" } else { "away" });
    Json(Health { status, redis })
}
