//! Annotated methods and associated functions.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used, clippy::multiple_bound_locations)] // helpers of tests; what a user may write

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use larder::{Cache, KeyPart, cache_aside, memoize, write_through};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct DbError;

#[derive(Default)]
struct Service {
    cache: Option<Cache>,
    region: String,
    runs: AtomicUsize,
}

impl Service {
    fn new(region: &str) -> Self {
        Self { cache: Some(Cache::memory()), region: region.into(), runs: AtomicUsize::new(0) }
    }

    fn own_cache(&self) -> &Cache {
        self.cache.as_ref().unwrap()
    }

    fn user(&self, id: u64) -> Result<User, DbError> {
        self.runs.fetch_add(1, SeqCst);
        Ok(User { id })
    }

    #[cache_aside(key = "by-ref:{self.region}:{id}")]
    async fn by_ref(&self, id: u64) -> Result<User, DbError> {
        self.user(id)
    }

    #[cache_aside(key = "by-mut:{id}", skip(self))]
    async fn by_mut(&mut self, id: u64) -> Result<User, DbError> {
        self.region.push('x');
        self.user(id)
    }

    #[cache_aside(key = "by-value:{self.region}")]
    fn by_value(mut self) -> String {
        self.region.push('!');
        self.region
    }

    #[cache_aside(key = "in-place:{self.region}", companions = false)]
    async fn in_place(mut self) -> String {
        self.region.push('!');
        self.region
    }

    #[cache_aside(key = "arc-ref:{id}", cache = self.own_cache(), skip(self))]
    async fn by_arc_ref(self: &Arc<Self>, id: u64) -> Result<User, DbError> {
        Arc::clone(self).user(id)
    }

    #[cache_aside(key = "arc:{id}", cache = self.own_cache(), skip(self))]
    async fn by_arc(self: Arc<Self>, id: u64) -> Result<User, DbError> {
        self.user(id)
    }

    #[memoize(key = "pin:{self.region}:{id}")]
    fn by_pin(self: Pin<&mut Self>, id: u64) -> u64 {
        id
    }

    #[cache_aside(key = "assoc:{id}", skip(Self), in_impl)]
    async fn associated(id: u64) -> Result<User, DbError> {
        Ok(User { id })
    }

    #[cache_aside(key = "assoc:{Self}:{id}")]
    async fn associated_by_type(id: u64) -> Result<User, DbError> {
        Ok(User { id })
    }

    #[cache_aside(key = "seen:{id}", skip(service))]
    async fn sees_self(service: &Self, id: u64) -> Result<User, DbError>
    where
        Self: Sized,
    {
        service.user(id)
    }

    #[write_through(entry = self.by_arc_ref(id), invalidates = [self.by_ref(*), Self::associated(id)])]
    async fn save(self: &Arc<Self>, id: u64) -> Result<User, DbError> {
        self.user(id)
    }

    async fn host(&self) -> u64 {
        #[memoize(key = "inner:{id}")]
        async fn inner(id: u64) -> u64 {
            id
        }
        inner_entry(1).invalidate().await.unwrap();
        inner(1).await
    }
}

fn assert_send<F: Future + Send>(future: F) -> F {
    future
}

#[tokio::test]
async fn a_method_takes_any_receiver() {
    larder::scoped(Cache::memory(), async {
        let mut service = Service::new("eu");
        assert_send(service.by_ref(1)).await.unwrap();
        service.by_ref(1).await.unwrap();
        assert_eq!(service.runs.load(SeqCst), 1);
        assert_eq!(service.by_ref_entry(1).key(), "by-ref:eu:1");
        service.by_mut(1).await.unwrap();
        service.by_mut(1).await.unwrap();
        assert_eq!(service.region, "eux");
        assert!(service.by_mut_entry(1).exists().await.unwrap());
        Pin::new(&mut service).by_pin(5);
        assert!(service.by_pin_entry(5).exists().unwrap());
        let again = Service::new("eux");
        assert_eq!((service.by_value(), again.by_value()), ("eux!".into(), "eux!".into()));
        assert_eq!(Service::new("us").in_place().await, "us!");
        assert_eq!(Service::new("us").host().await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_cache_may_be_that_of_self() {
    let service = Arc::new(Service::new("eu"));
    assert_send(service.by_arc_ref(1)).await.unwrap();
    assert!(service.by_arc_ref_entry(1).exists().await.unwrap());
    service.by_arc_ref_cache().clear().await.unwrap();
    assert!(!service.by_arc_ref_entry(1).exists().await.unwrap());
    service.clone().by_arc(2).await.unwrap();
    assert!(service.by_arc_entry(2).exists().await.unwrap());
    let other = Arc::new(Service::new("eu"));
    assert!(!other.by_arc_entry(2).exists().await.unwrap());
}

#[tokio::test]
async fn two_instances_do_not_share_what_depends_on_self() {
    larder::scoped(Cache::memory(), async {
        let (eu, us) = (Service::new("eu"), Service::new("us"));
        eu.by_ref(1).await.unwrap();
        us.by_ref(1).await.unwrap();
        assert_eq!(us.runs.load(SeqCst), 1);
    })
    .await;
}

#[tokio::test]
async fn associated_functions_are_called_through_self() {
    larder::scoped(Cache::memory(), async {
        Service::associated(1).await.unwrap();
        assert!(Service::associated_entry(1).exists().await.unwrap());
        Service::associated_by_type(1).await.unwrap();
        assert_eq!(
            Service::associated_by_type_entry(1).key(),
            "assoc:attributes_methods.Service:1"
        );
        let service = Service::new("eu");
        Service::sees_self(&service, 1).await.unwrap();
        Service::sees_self_uncached(&service, 1).await.unwrap();
        assert_eq!(Service::sees_self_entry(1).key(), "seen:1");
    })
    .await;
}

#[tokio::test]
async fn a_method_that_writes_names_readers_of_self() {
    larder::scoped(Cache::memory(), async {
        let service = Arc::new(Service::new("eu"));
        service.by_ref(9).await.unwrap();
        Service::associated(5).await.unwrap();
        service.save(5).await.unwrap();
        assert_eq!(service.by_arc_ref_entry(5).get().await.unwrap(), Some(User { id: 5 }));
        assert!(!service.by_ref_entry(9).exists().await.unwrap());
        assert!(!Service::associated_entry(5).exists().await.unwrap());
    })
    .await;
}

trait Repository {
    #[cache_aside(key = "default:{id}", skip(self))]
    async fn find(&self, id: u64) -> Option<User>
    where
        Self: Sync,
    {
        Some(User { id })
    }

    #[memoize(key = "sync:{id}", skip(self))]
    fn rank(&self, id: u64) -> u64 {
        id
    }

    async fn load(&self, id: u64) -> Option<User>;
}

struct Postgres;

impl Repository for Postgres {
    #[cache_aside(key = "impl:{id}", skip(self), companions = false)]
    async fn load(&self, id: u64) -> Option<User> {
        Some(User { id })
    }
}

#[tokio::test]
async fn default_methods_and_methods_of_a_trait_impl_are_cached() {
    larder::scoped(Cache::memory(), async {
        Postgres.find(1).await.unwrap();
        assert!(Postgres.find_entry(1).exists().await.unwrap());
        Postgres.find_cache().clear().await.unwrap();
        assert!(!Postgres.find_entry(1).exists().await.unwrap());
        assert_eq!(Postgres.rank(3), 3);
        Postgres.load(2).await.unwrap();
        Postgres.load(2).await.unwrap();
    })
    .await;
}

trait Ranked {
    #[memoize(key = "dyn:{id}", skip(self))]
    fn ranked(&self, id: u64) -> u64 {
        id
    }
}

impl Ranked for Postgres {}

#[test]
fn a_trait_with_a_sync_annotated_method_stays_dyn_compatible() {
    larder::scoped_sync(Cache::memory(), || {
        let object: &dyn Ranked = &Postgres;
        assert_eq!(object.ranked(3), 3);
        assert!(object.ranked_entry(3).exists().unwrap());
    });
}

#[derive(Clone, Copy, KeyPart)]
struct Id<const N: usize>(u64);

impl<const N: usize> Id<N> {
    #[memoize(key = "copy:{self}:{more}")]
    async fn plus(self, more: u64) -> u64 {
        self.0 + more
    }

    #[memoize(key = "lives:{id}", skip(self, data))]
    async fn lifetimes<'a, 'b, const M: usize, T: Clone + Sync>(
        &'a self,
        data: &'b [T; M],
        id: u64,
    ) -> u64
    where
        'a: 'b,
        T: 'b,
    {
        id + data.len() as u64
    }

    #[memoize(key = "const:{Self}:{id}", in_impl)]
    async fn of_type(id: u64) -> u64 {
        Self::help() + id
    }

    fn help() -> u64 {
        N as u64
    }
}

#[tokio::test]
async fn generic_impls_keep_their_types_apart() {
    larder::scoped(Cache::memory(), async {
        assert_eq!(Id::<3>(1).plus(4).await, 5);
        assert_eq!(Id::<3>(1).plus_entry(4).key(), "copy:1:4");
        assert_eq!(Id::<3>(1).lifetimes(&[1u8, 2], 1).await, 3);
        let _ = Id::<3>(1).lifetimes_entry(1);
        assert_eq!((Id::<3>::of_type(1).await, Id::<4>::of_type(1).await), (4, 5));
        let _ = Id::<4>::of_type_entry(1);
    })
    .await;
}
