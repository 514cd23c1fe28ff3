//! Functions that fit together.

use std::time::Duration;

use larder::{Cache, cache_aside, cache_invalidate, memoize, stampede_protect, write_through};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct User {
    id: u64,
    tenant: u32,
}

pub(crate) const LINE_OF_USER: u32 = line!() + 2;

#[cache_aside(
    key = "right:user:{user_id}",
    ttl = "90m",
    version = 3,
    tags = ["right:user", "right:tenant:{value.tenant}"],
    skip(db),
)]
pub(crate) async fn user(db: &str, user_id: u64) -> Result<Option<User>, String> {
    if db.is_empty() {
        Err("no database".into())
    } else {
        Ok(Some(User { id: user_id, tenant: 7 }))
    }
}

/// The same entry under another name of the argument: same type, version and tags.
#[cache_aside(
    key = "right:user:{id}",
    version = 3,
    tags = ["right:user", "right:tenant:{value.tenant}"]
)]
pub(crate) async fn user_by_id(id: u64) -> Option<User> {
    Some(User { id, tenant: 7 })
}

#[cache_aside(key = "right:users:{tenant}:{page}")]
async fn users(tenant: u32, page: u32) -> Vec<User> {
    vec![User { id: page.into(), tenant }]
}

/// Not the key of a user: `count` is no number.
#[stampede_protect(key = "right:user:count", ttl = "forever", layer = "shared")]
async fn number_of_users() -> usize {
    0
}

#[memoize(ttl = life(factor))]
fn rate(currency: &str, factor: u64) -> u64 {
    currency.len() as u64 * factor
}

fn life(factor: u64) -> Duration {
    Duration::from_secs(factor)
}

#[write_through(
    entry = user(user_id),
    invalidates = [users(*), self::user(value.id)],
    invalidate_keys = ["right:user:{value.id}"],
    invalidate_patterns = ["right:users:{tenant}:*", "right:report:*"],
    invalidate_tags = ["right:tenant:{tenant}"]
)]
async fn rename(user_id: u64, tenant: u32) -> Option<User> {
    Some(User { id: user_id, tenant })
}

#[cache_aside(key = "right:cached:{n}", cache = cache)]
async fn in_its_own_cache(cache: &Cache, n: u8) -> u8 {
    n
}

#[cache_invalidate(
    invalidates = [number_of_users(*), in_its_own_cache(cache, *), in_its_own_cache(cache, 1)],
    invalidate_tags = ["right:user"]
)]
async fn forget(cache: &Cache) {
    let _ = cache;
}
