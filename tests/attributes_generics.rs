//! Annotated generic functions and impls: types and constants count like arguments.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used, clippy::multiple_bound_locations)] // helpers of tests; what a user may write

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use larder::{Cache, cache_aside, memoize};
use serde::{Serialize, de::DeserializeOwned};

#[derive(Clone, Debug, PartialEq)]
struct DbError;

trait Source: Send + Sync {
    type Error;
    fn load(&self, id: u64) -> impl Future<Output = Result<u64, Self::Error>> + Send;
}

#[derive(Default)]
struct Db(AtomicUsize);

impl Source for Db {
    type Error = DbError;

    async fn load(&self, id: u64) -> Result<u64, DbError> {
        self.0.fetch_add(1, SeqCst);
        if id == 0 { Err(DbError) } else { Ok(id) }
    }
}

#[cache_aside(key = "generic:{id}", skip(source))]
async fn by_source<S: Source>(source: &S, id: u64) -> Result<u64, S::Error>
where
    S: Sized,
{
    source.load(id).await
}

#[tokio::test]
async fn the_type_of_a_skipped_argument_is_skipped_with_it() {
    larder::scoped(Cache::memory(), async {
        let db = Db::default();
        by_source(&db, 1).await.unwrap();
        by_source(&db, 1).await.unwrap();
        assert_eq!(db.0.load(SeqCst), 1);
        assert_eq!(by_source_entry(1).get().await.unwrap(), Some(1));
        by_source_cache().clear().await.unwrap();
        assert!(!by_source_entry(1).exists().await.unwrap());
    })
    .await;
}

#[cache_aside(key = "value:{T}:{id}")]
async fn value<T>(id: u8) -> Result<T, DbError>
where
    T: Clone + Send + Sync + 'static + Serialize + DeserializeOwned + From<u8>,
{
    Ok(T::from(id))
}

#[memoize]
fn converted<T: Clone + Send + Sync + 'static + From<u8>, const ADD: u8>(id: u8) -> T {
    T::from(id + ADD)
}

#[tokio::test]
async fn a_call_with_one_type_does_not_get_the_result_of_another() {
    larder::scoped(Cache::memory(), async {
        assert_eq!(value::<u16>(1).await, Ok(1u16));
        assert_eq!(value::<u64>(1).await, Ok(1u64));
        assert_eq!(value_entry::<u16>(1).get().await.unwrap(), Some(1));
        assert_eq!(value_entry::<u16>(1).key(), "value:u16:1");
        value_cache().clear().await.unwrap();
        assert!(!value_entry::<u64>(1).exists().await.unwrap());
        assert_eq!((converted::<u16, 1>(1), converted::<u16, 2>(1)), (2, 3));
        assert_eq!(converted::<u64, 1>(1), 2u64);
        converted_cache().clear().unwrap();
        assert!(!converted_entry::<u64, 1>(1).exists().unwrap());
    })
    .await;
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[cache_aside(key = "error:{id}", skip(E, runs))]
async fn fails<E: From<DbError> + Send + Sync>(runs: &AtomicUsize, id: u64) -> Result<u64, E> {
    tokio::task::yield_now().await;
    runs.fetch_add(1, SeqCst);
    if id == 0 { Err(DbError.into()) } else { Ok(id) }
}

#[cache_aside(key = "cloned:{id}", skip(E, runs))]
async fn fails_cloned<E: From<DbError> + Clone + Send + Sync + 'static>(
    runs: &AtomicUsize,
    id: u64,
) -> Result<u64, E> {
    tokio::task::yield_now().await;
    runs.fetch_add(1, SeqCst);
    if id == 0 { Err(DbError.into()) } else { Ok(id) }
}

#[cache_aside(key = "unknown:{id}", skip(E))]
async fn fails_somehow<E: From<DbError> + Clone + Send + Sync>(id: u64) -> Result<u64, E> {
    RUNS.fetch_add(1, SeqCst);
    if id == 0 { Err(DbError.into()) } else { Ok(id) }
}

#[tokio::test]
async fn a_generic_error_is_shared_when_its_bounds_say_that_it_can_be() {
    larder::scoped(Cache::memory(), async {
        let (three, one) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let f = || fails::<DbError>(&three, 0);
        let _ = tokio::join!(f(), f(), f());
        assert_eq!(three.load(SeqCst), 3);
        let f = || fails_cloned::<DbError>(&one, 0);
        let _ = tokio::join!(f(), f(), f());
        assert_eq!(one.load(SeqCst), 1);
        assert!(fails_somehow::<DbError>(0).await.is_err());
        assert_eq!(fails_entry(0).key(), "error:0");
    })
    .await;
}

struct Repo<S> {
    source: S,
}

impl<S: Source> Repo<S> {
    #[cache_aside(key = "repo:{id}", skip(self))]
    async fn find(&self, id: u64) -> Result<u64, S::Error>
    where
        S::Error: Clone + Send + Sync + 'static,
    {
        self.source.load(id).await
    }

    #[memoize(key = "conv:{T}:{id}:{name}", skip(self))]
    async fn convert<'a, T: Clone + Send + Sync + 'static + From<u8>>(
        &'a self,
        id: u8,
        name: &'a str,
    ) -> T
    where
        S: 'a,
    {
        T::from(id + name.len() as u8)
    }
}

#[tokio::test]
async fn methods_of_generic_impls_are_cached() {
    larder::scoped(Cache::memory(), async {
        let repo = Repo { source: Db::default() };
        repo.find(1).await.unwrap();
        repo.find(1).await.unwrap();
        assert_eq!(repo.source.0.load(SeqCst), 1);
        assert!(repo.find_entry(1).exists().await.unwrap());
        assert_eq!(repo.convert::<u64>(1, "ab").await, 3);
        assert_eq!(repo.convert_entry::<u64>(1, "ab").get().await.unwrap(), Some(3));
        repo.convert_cache().clear().await.unwrap();
        assert!(!repo.convert_entry::<u64>(1, "ab").exists().await.unwrap());
    })
    .await;
}
