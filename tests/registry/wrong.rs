//! Every mistake that the check finds, once.

use larder::{cache_aside, write_through};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct User {
    tenant: u32,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Profile;

// One key, two types; one of them in an `impl`.
#[cache_aside(key = "wrong:user:{id}")]
pub(crate) async fn user(id: u32) -> User {
    User { tenant: id }
}

#[cache_aside(key = "wrong:user:{user_id}")]
pub(crate) async fn profile(user_id: u32) -> Option<Profile> {
    (user_id > 0).then_some(Profile)
}

struct Users;

impl Users {
    #[cache_aside(key = "wrong:user:{id}", skip(self))]
    async fn user_of_an_impl(&self, id: u32) -> Profile {
        let _ = id;
        Profile
    }
}

// Two templates, one key.
#[cache_aside(key = "wrong:page:{slug}")]
pub(crate) async fn page(slug: &str) -> String {
    slug.to_owned()
}

#[cache_aside(key = "wrong:page:home")]
pub(crate) async fn home() -> Vec<String> {
    Vec::new()
}

// One key and type, two versions.
#[cache_aside(key = "wrong:old:{id}")]
pub(crate) async fn old(id: u8) -> u8 {
    id
}

#[cache_aside(key = "wrong:old:{id}", version = 2)]
pub(crate) async fn new(id: u8) -> u8 {
    id
}

// A writer that leaves out the reader's tags.
#[cache_aside(key = "wrong:tagged:{id}", tags = ["wrong:tenant:{value.tenant}"])]
pub(crate) async fn tagged(id: u8) -> User {
    User { tenant: id.into() }
}

#[write_through(key = "wrong:tagged:{id}")]
pub(crate) async fn save_tagged(id: u8) -> User {
    User { tenant: id.into() }
}

// A writer for a key that is misspelt.
#[write_through(key = "wrong:usr:{id}")]
async fn save(id: u32) -> User {
    User { tenant: id }
}

// A pattern, a tag and a key that are nobody's.
#[cache_aside(key = "wrong:list:{page}")]
async fn list(page: u32) -> Vec<User> {
    vec![User { tenant: page }]
}

#[larder::cache_invalidate(
    invalidate_patterns = ["wrong:lst:*", "wrong:list:*"],
    invalidate_tags = ["wrong:tenants:{t}", "wrong:tenant:{t}"],
    invalidate_keys = ["wrong:lists:{t}", "wrong:list:{t}"]
)]
async fn rename(t: u32) {
    let _ = t;
}
