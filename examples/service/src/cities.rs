//! Readers and writers of cities: functions as they would be without a cache, each with one attribute.

use larder::{cache_aside, stampede_protect, write_through};

use crate::db::{City, Continent, Country, Db, Result};

/// One city; that there is none is remembered for a while, too.
#[cache_aside(key = "city:{id}", ttl = "5m", negative_ttl = "10s", skip(db))]
pub(crate) async fn city(db: &Db, id: u32) -> Result<Option<City>> {
    db.city(id).await
}

/// A page of a country's cities, the largest first.
#[cache_aside(key = "cities:{country}:{page}", ttl = "5m", tags = ["country:{country}"], skip(db))]
pub(crate) async fn cities_of(db: &Db, country: &str, page: u32) -> Result<Vec<City>> {
    db.cities_of(country.to_owned(), page).await
}

#[cache_aside(key = "country:{iso}", ttl = "1h", skip(db))]
pub(crate) async fn country(db: &Db, iso: &str) -> Result<Option<Country>> {
    db.country(iso.to_owned()).await
}

/// A report that everybody wants at once: one process computes it, all others wait for it. When the database fails, the last
/// one will do.
///
/// The lock is renewed while the query runs. It may stay behind when Redis goes away in the middle, hence short times: nobody waits
/// for it for longer than a second.
#[stampede_protect(key = "report", ttl = "1m", lock_ttl = "3s", lock_wait = "1s", tags = ["report"], stale(on_error = "1h"), skip(db))]
pub(crate) async fn report(db: &Db) -> Result<Vec<Continent>> {
    db.continents().await
}

/// A writer: renews the entry of `city` with what it returns, and invalidates whatever shows the city, cached responses
/// included.
#[write_through(
    entry = city(id),
    invalidate_tags = ["country:{value.country}", "report", "favourites"]
)]
pub(crate) async fn add_people(db: &Db, id: u32, people: u32) -> Result<Option<City>> {
    db.add_people(id, people).await
}
