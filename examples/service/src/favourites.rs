//! What belongs to one user.

use larder::{cache_aside, cache_invalidate};

use crate::db::{City, Db, Result};

#[cache_aside(key = "favourites:{user}", ttl = "10m", tags = ["favourites"], skip(db))]
pub(crate) async fn favourites(db: &Db, user: &str) -> Result<Vec<City>> {
    db.favourites(user.to_owned()).await
}

/// Invalidates the list, and what is cached of the user's responses (`cache_http::user_tag`).
#[cache_invalidate(invalidates = [favourites(user)], invalidate_tags = ["http:user:{user}"])]
pub(crate) async fn add_favourite(db: &Db, user: &str, city: u32) -> Result<bool> {
    db.add_favourite(user.to_owned(), city).await
}

#[cache_invalidate(invalidates = [favourites(user)], invalidate_tags = ["http:user:{user}"])]
pub(crate) async fn remove_favourite(db: &Db, user: &str, city: u32) -> Result<()> {
    db.remove_favourite(user.to_owned(), city).await
}
