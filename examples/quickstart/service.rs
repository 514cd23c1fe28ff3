//! The service: its functions as they would be without a cache, each with one attribute.

use larder::{cache_aside, memoize, stampede_protect, write_through};

use crate::db::{City, Continent, Db, DbError};

/// One city. The entry is found by its key, by two tags, and by whoever writes it.
#[cache_aside(key = "city:{id}", ttl = "5m", tags = ["country:{value.country}"], skip(db))]
pub(crate) async fn get_city(db: &Db, id: u32) -> Result<City, DbError> {
    db.city(id).await
}

/// The largest cities of a country.
#[cache_aside(key = "cities:{country}:{limit}", ttl = "5m", tags = ["country:{country}"], skip(db))]
pub(crate) async fn largest_cities(
    db: &Db,
    country: &str,
    limit: u32,
) -> Result<Vec<City>, DbError> {
    db.largest(country, limit).await
}

/// A write: it renews the entry of `get_city` with what it returns, and invalidates what it made wrong.
#[write_through(entry = get_city(id), invalidates = [largest_cities(*)], invalidate_tags = ["reports"])]
pub(crate) async fn add_people(db: &Db, id: u32, people: u32) -> Result<City, DbError> {
    db.add_people(id, people).await
}

/// A report that everybody wants at once: one process computes it, all others wait for it.
#[stampede_protect(key = "report:continents", ttl = "1m", lock_ttl = "60s", tags = ["reports"], skip(db))]
pub(crate) async fn continents(db: &Db) -> Result<Vec<Continent>, DbError> {
    db.continents().await
}

/// Kilometres along a great circle: a plain function, remembered by its arguments.
#[memoize(ttl = "60s")]
pub(crate) fn distance_km(
    latitude: f64,
    longitude: f64,
    to_latitude: f64,
    to_longitude: f64,
) -> f64 {
    const EARTH_RADIUS_KM: f64 = 6371.0;
    let north = (to_latitude - latitude).to_radians() / 2.0;
    let east = (to_longitude - longitude).to_radians() / 2.0;
    let narrowing = latitude.to_radians().cos() * to_latitude.to_radians().cos();
    let half_chord = (north.sin().powi(2) + narrowing * east.sin().powi(2)).sqrt();
    2.0 * EARTH_RADIUS_KM * half_chord.asin()
}
