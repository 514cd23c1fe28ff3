//! Annotated writers: what they store and what they invalidate.
#![forbid(unsafe_code)]
#![deny(warnings)]

use larder::{Cache, cache_aside, cache_invalidate, memoize, write_through};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    team: String,
    name: String,
}

fn user(id: u64, name: &str) -> User {
    User { id, team: "blue".into(), name: name.into() }
}

#[derive(Clone, Debug, PartialEq)]
struct DbError;

#[cache_aside(key = "user:{id}", tags = ["team:{value.team}"])]
async fn get_user(id: u64) -> Result<User, DbError> {
    Ok(user(id, "old"))
}

mod readers {
    use super::*;

    #[cache_aside(key = "users:{page}:{query}")]
    pub(crate) async fn list(page: u32, query: &str) -> Result<Vec<User>, DbError> {
        Ok(vec![user(page.into(), query)])
    }

    #[memoize]
    pub(crate) fn risk(portfolio: &str, factor: f64) -> f64 {
        portfolio.len() as f64 * factor
    }

    #[cache_aside(key = "typed:{T}:{id}")]
    pub(crate) async fn typed<T>(id: u64) -> Option<T>
    where
        T: Clone + Send + Sync + 'static + Serialize + serde::de::DeserializeOwned + From<u64>,
    {
        Some(T::from(id))
    }
}

#[write_through(
    entry = get_user(id),
    invalidates = [readers::list(*), readers::risk(*), readers::typed::<u64>(id + 1)],
)]
async fn update_user(id: u64, name: String) -> Result<User, DbError> {
    if id == 99 { Err(DbError) } else { Ok(User { name, ..user(id, "") }) }
}

async fn scoped<T>(test: impl Future<Output = T>) -> T {
    larder::scoped(Cache::memory(), test).await
}

#[tokio::test]
async fn a_writer_stores_in_its_readers_entry_and_invalidates() {
    scoped(async {
        readers::list(1, "a").await.unwrap();
        readers::risk("p", 2.0);
        readers::typed::<u64>(6).await;
        update_user(5, "new".into()).await.unwrap();
        assert_eq!(get_user(5).await.unwrap().name, "new");
        assert!(!readers::list_entry(1, "a").exists().await.unwrap());
        assert!(!readers::risk_entry("p", 2.0).exists().unwrap());
        assert!(!readers::typed_entry::<u64>(6).exists().await.unwrap());
        larder::invalidate_tags(["team:blue"]).await.unwrap();
        assert_eq!(get_user(5).await.unwrap().name, "old");
    })
    .await;
}

#[tokio::test]
async fn a_writer_that_fails_invalidates_nothing_else() {
    scoped(async {
        readers::list(1, "a").await.unwrap();
        update_user(99, "new".into()).await.unwrap_err();
        assert!(readers::list_entry(1, "a").exists().await.unwrap());
    })
    .await;
}

#[cache_aside(key = "name:{name}")]
async fn by_name(name: String) -> Option<User> {
    Some(user(1, &name))
}

#[write_through(entry = by_name(name))]
async fn rename(name: String) -> Option<User> {
    let moved = name;
    Some(user(2, &moved))
}

#[write_through(entry = by_name(user.name), invalidates = [get_user(user.id)])]
async fn replace(user: User) -> Option<User> {
    Some(user)
}

#[tokio::test]
async fn arguments_that_the_body_takes_are_cloned_before() {
    scoped(async {
        rename("zoe".into()).await.unwrap();
        assert_eq!(by_name("zoe".into()).await.unwrap().id, 2);
        replace(user(3, "kim")).await.unwrap();
        assert_eq!(by_name("kim".into()).await.unwrap().id, 3);
    })
    .await;
}

#[write_through(
    entry = get_user(value.id),
    invalidates = [by_name(value.name)],
    invalidate_tags = ["{value.team}:{team}", "plain:{team}"],
)]
async fn create(team: String, name: &str) -> Result<User, DbError> {
    drop(team);
    Ok(user(77, name))
}

#[cache_aside(key = "tagged:{id}", tags = ["blue:{team}"], skip(team))]
async fn tagged(id: u64, team: &str) -> u64 {
    let _ = team;
    id
}

#[tokio::test]
async fn a_writer_may_name_its_entry_by_what_it_returned() {
    scoped(async {
        by_name("zoe".into()).await.unwrap();
        tagged(1, "red").await;
        tagged(2, "green").await;
        create("red".into(), "zoe").await.unwrap();
        assert_eq!(get_user(77).await.unwrap().name, "zoe");
        assert!(!by_name_entry("zoe".into()).exists().await.unwrap());
        assert!(!tagged_entry(1, "red").exists().await.unwrap());
        assert!(tagged_entry(2, "green").exists().await.unwrap());
    })
    .await;
}

#[derive(Clone)]
struct Repo {
    tenant: u32,
}

impl Repo {
    #[cache_aside(key = "repo:{self.tenant}:{id}")]
    async fn find(&self, id: u64) -> Option<User> {
        Some(user(id, "found"))
    }

    #[write_through(entry = self.find(value.id))]
    async fn insert(&self) -> Option<User> {
        Some(user(8, "inserted"))
    }

    #[write_through(entry = self.find(value.id))]
    async fn insert_mut(&mut self) -> Option<User> {
        self.tenant += 0;
        Some(user(9, "inserted"))
    }

    #[write_through(entry = self.find(id), invalidates = [self.find(id + 1)])]
    fn put(&mut self, id: u64) -> Option<User> {
        self.tenant += 0;
        Some(user(id, "put"))
    }

    #[cache_invalidate(invalidate_keys = ["repo:{self.tenant}:{0}", "repo:{self.tenant}:{value}"])]
    async fn delete(self, id: u64) -> Result<u64, DbError> {
        if id == 0 { Err(DbError) } else { Ok(id + 1) }
    }
}

#[tokio::test]
async fn a_method_may_name_entries_of_self_by_what_it_returned() {
    scoped(async {
        let mut repo = Repo { tenant: 4 };
        repo.insert().await.unwrap();
        assert_eq!(repo.find(8).await.unwrap().name, "inserted");
        repo.insert_mut().await.unwrap();
        assert_eq!(repo.find(9).await.unwrap().name, "inserted");
        repo.put(10).unwrap();
        assert_eq!(repo.find(10).await.unwrap().name, "put");
        repo.clone().delete(0).await.unwrap_err();
        assert!(repo.find_entry(8).exists().await.unwrap());
        repo.clone().delete(8).await.unwrap();
        assert!(!repo.find_entry(8).exists().await.unwrap());
        assert!(!repo.find_entry(9).exists().await.unwrap());
        assert!(repo.find_entry(10).exists().await.unwrap());
    })
    .await;
}

#[cache_invalidate(
    invalidate_keys = ["user:{id}"],
    invalidate_patterns = ["users:{page}:*"],
    invalidate_tags = ["team:{team:hash}", "team:blue"],
)]
async fn forget(id: u64, page: u32, team: &str) {
    let _ = team;
}

#[tokio::test]
async fn keys_patterns_and_tags_are_invalidated() {
    scoped(async {
        for id in [1, 2] {
            get_user(id).await.unwrap();
        }
        readers::list(1, "a").await.unwrap();
        readers::list(11, "a").await.unwrap();
        forget(1, 1, "x").await;
        assert!(!get_user_entry(1).exists().await.unwrap());
        assert!(!get_user_entry(2).exists().await.unwrap());
        assert!(!readers::list_entry(1, "a").exists().await.unwrap());
        assert!(readers::list_entry(11, "a").exists().await.unwrap());
    })
    .await;
}

#[write_through(key = "user:{id}", ttl = "1h", tags = ["own:{id}", "team:{value.team}"], version = 1)]
async fn store(id: u64) -> Option<User> {
    Some(user(id, "stored"))
}

#[cache_aside(key = "user:{id}", version = 1, tags = ["own:{id}", "team:{value.team}"])]
async fn stored(id: u64) -> Option<User> {
    Some(user(id, "loaded"))
}

#[tokio::test]
async fn a_writer_may_have_a_key_of_its_own() {
    scoped(async {
        store(1).await.unwrap();
        assert_eq!(stored(1).await.unwrap().name, "stored");
        larder::invalidate_tags(["own:1"]).await.unwrap();
        assert_eq!(stored(1).await.unwrap().name, "loaded");
    })
    .await;
}

#[cache_aside(key = "with:{id}", cache = c)]
async fn with_cache(c: &Cache, id: u64) -> Option<User> {
    Some(user(id, "loaded"))
}

#[write_through(entry = with_cache(c, id))]
async fn put_with_cache(c: &Cache, id: u64) -> Option<User> {
    Some(user(id, "put"))
}

#[cache_invalidate(invalidates = [with_cache(c, *)])]
async fn clear_with_cache(c: &Cache) {}

#[tokio::test]
async fn a_reader_with_a_cache_of_its_own_is_named_with_it() {
    let own = Cache::memory();
    put_with_cache(&own, 1).await.unwrap();
    assert_eq!(with_cache(&own, 1).await.unwrap().name, "put");
    clear_with_cache(&own).await;
    assert!(!with_cache_entry(&own, 1).exists().await.unwrap());
}

trait Shape: Send + Sync {}

struct Square;

impl Shape for Square {}

#[cache_invalidate(invalidate_tags = ["shapes"])]
async fn make(kind: u8) -> Result<Box<dyn Shape>, Box<dyn std::error::Error + Send + Sync>> {
    if kind == 0 {
        return Ok(Box::new(Square));
    }
    if kind == 1 {
        Err("no such shape")?;
    }
    Ok(Box::new(Square))
}

#[cache_invalidate(invalidate_tags = ["shapes"])]
fn make_sync((kind, mut count): (u8, u32)) -> Result<Box<dyn Shape>, String> {
    count += 1;
    if kind == 0 { Err(format!("{count}")) } else { Ok(Box::new(Square)) }
}

#[tokio::test]
async fn the_body_of_a_writer_is_typed_as_without_the_attribute() {
    scoped(async {
        assert!(make(0).await.is_ok() && make(1).await.is_err() && make(2).await.is_ok());
        assert!(make_sync((0, 1)).is_err() && make_sync((1, 1)).is_ok());
    })
    .await;
}
