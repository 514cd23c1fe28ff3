//! The options of annotated functions.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use larder::{Cache, cache_aside, stampede_protect};
use serde::Serialize;

#[derive(Clone, Debug, PartialEq)]
struct DbError;

async fn scoped<T>(test: impl Future<Output = T>) -> T {
    larder::scoped(Cache::memory(), test).await
}

#[cache_aside(key = "even:{n}", cache_if = |n: &u64| n % 2 == 0, ttl_fn = |n| Duration::from_secs(*n))]
async fn even(n: u64) -> u64 {
    n
}

#[cache_aside(key = "ttl:{n}", ttl = Duration::from_secs(seconds), skip(seconds))]
async fn ttl_of_argument(n: u64, seconds: u64) -> u64 {
    n
}

#[cache_aside(key = "forever:{n}", ttl = "forever", jitter = 0.1, version = 2, layer = "both")]
async fn forever(n: u64) -> u64 {
    n
}

#[tokio::test]
async fn the_value_and_the_arguments_decide_how_long_it_is_kept() {
    scoped(async {
        even(3).await;
        even(1000).await;
        assert!(!even_entry(3).exists().await.unwrap());
        let left = even_entry(1000).ttl().await.unwrap().unwrap();
        assert!(left > Duration::from_secs(990) && left <= Duration::from_secs(1000), "{left:?}");
        ttl_of_argument(1, 7000).await;
        let left = ttl_of_argument_entry(1, 1).ttl().await.unwrap().unwrap();
        assert!(left > Duration::from_secs(6990), "{left:?}");
        forever(1).await;
        assert_eq!(forever_entry(1).ttl().await.unwrap(), Some(Duration::MAX));
    })
    .await;
}

#[derive(Serialize)]
struct Filter {
    words: Vec<String>,
}

#[cache_aside(key = "search:{filter:hash}:{filter.words:hash}:{0.words:hash}:{1}")]
async fn search(filter: &Filter, page: u32) -> usize {
    filter.words.len() + page as usize
}

#[tokio::test]
async fn anything_that_is_serialize_is_hashed_into_a_key() {
    scoped(async {
        let filter = |word: &str| Filter { words: vec![word.into()] };
        search(&filter("a"), 1).await;
        assert!(search_entry(&filter("a"), 1).exists().await.unwrap());
        assert!(!search_entry(&filter("b"), 1).exists().await.unwrap());
    })
    .await;
}

#[cache_aside(key = "with:{id}", cache = c)]
async fn with_cache(c: &Cache, id: u64) -> Result<u64, DbError> {
    Ok(id)
}

#[tokio::test]
async fn the_cache_may_be_an_argument() {
    let own = Cache::memory();
    scoped(async {
        with_cache(&own, 1).await.unwrap();
        assert!(with_cache_entry(&own, 1).exists().await.unwrap());
        assert!(!with_cache_entry(&Cache::memory(), 1).exists().await.unwrap());
        with_cache_cache(&own).clear().await.unwrap();
        assert!(!with_cache_entry(&own, 1).exists().await.unwrap());
    })
    .await;
}

#[stampede_protect(key = "stats:{day}", ttl = "1m", lock_ttl = "60s", lock_wait = 5)]
async fn stats(day: u32) -> u32 {
    day * 2
}

#[stampede_protect(key = "stats-sync:{day}")]
fn stats_sync(day: u32) -> u32 {
    day * 2
}

#[tokio::test]
async fn a_protected_function_is_cached() {
    scoped(async {
        assert_eq!(stats(4).await, 8);
        assert!(stats_entry(4).exists().await.unwrap());
        assert_eq!(stats_sync(4), 8);
        assert!(stats_sync_entry(4).exists().unwrap());
    })
    .await;
}

/// Not `Clone`.
#[derive(Debug)]
struct Opaque;

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[cache_aside(key = "opaque:{id}")]
async fn opaque_error(id: u64) -> Result<u64, Opaque> {
    tokio::task::yield_now().await;
    RUNS.fetch_add(1, SeqCst);
    if id == 0 { Err(Opaque) } else { Ok(id) }
}

#[cache_aside(key = "shared:{id}", skip(runs))]
async fn shared_error(runs: &AtomicUsize, id: u64) -> Result<u64, DbError> {
    tokio::task::yield_now().await;
    runs.fetch_add(1, SeqCst);
    if id == 0 { Err(DbError) } else { Ok(id) }
}

#[cache_aside(key = "unshared:{id}", skip(runs), share_errors = false)]
async fn unshared_error(runs: &AtomicUsize, id: u64) -> Result<u64, DbError> {
    tokio::task::yield_now().await;
    runs.fetch_add(1, SeqCst);
    if id == 0 { Err(DbError) } else { Ok(id) }
}

#[derive(Clone, Debug)]
struct Borrowing<'a>(#[allow(dead_code)] &'a str);

#[cache_aside(key = "borrow:{id}")]
async fn borrowing_error<'a>(id: &'a str) -> Result<u64, Borrowing<'a>> {
    Err(Borrowing(id))
}

mod alias {
    pub(crate) type Result<T> = std::result::Result<T, super::DbError>;
}

#[cache_aside(key = "aliased:{id}", skip(runs))]
async fn aliased_error(runs: &AtomicUsize, id: u64) -> alias::Result<u64> {
    tokio::task::yield_now().await;
    runs.fetch_add(1, SeqCst);
    if id == 0 { Err(DbError) } else { Ok(id) }
}

#[tokio::test]
async fn errors_are_shared_where_their_type_allows_it_and_the_user_does_not_forbid_it() {
    scoped(async {
        let (one, three) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let alias = AtomicUsize::new(0);
        let f = || aliased_error(&alias, 0);
        let _ = tokio::join!(f(), f(), f());
        assert_eq!(alias.load(SeqCst), 1);
        let _ = tokio::join!(opaque_error(0), opaque_error(0), opaque_error(0));
        assert_eq!(RUNS.load(SeqCst), 3);
        let _ = tokio::join!(shared_error(&one, 0), shared_error(&one, 0), shared_error(&one, 0));
        assert_eq!(one.load(SeqCst), 1);
        let _ = tokio::join!(
            unshared_error(&three, 0),
            unshared_error(&three, 0),
            unshared_error(&three, 0)
        );
        assert_eq!(three.load(SeqCst), 3);
        assert!(borrowing_error("x").await.is_err());
    })
    .await;
}

mod renamed {
    pub(crate) use ::larder as cache;
}

#[cache_aside(key = "crate:{id}", crate = renamed::cache)]
async fn other_path(id: u64) -> u64 {
    id
}

#[tokio::test]
async fn generated_code_names_the_crate_by_the_path_it_is_given() {
    assert_eq!(scoped(other_path(1)).await, 1);
}
