//! Annotated free functions: what is cached, under which key, and how the companions look.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]
#![allow(clippy::unwrap_used, clippy::non_minimal_cfg)] // helpers of tests; what a user may write

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use larder::{Cache, cache_aside, memoize};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    tenant_id: u32,
    name: String,
}

#[derive(Clone, Debug, PartialEq)]
enum DbError {
    Gone,
}

/// A database that counts what it is asked.
#[derive(Default)]
struct Db {
    asked: AtomicUsize,
}

impl Db {
    async fn user(&self, id: u64) -> Result<User, DbError> {
        self.asked.fetch_add(1, SeqCst);
        tokio::task::yield_now().await;
        if id == 0 { Err(DbError::Gone) } else { Ok(User { id, tenant_id: 7, name: "x".into() }) }
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

async fn scoped<T>(test: impl Future<Output = T>) -> T {
    larder::scoped(Cache::memory(), test).await
}

fn assert_send<F: Future + Send>(future: F) -> F {
    future
}

#[cache_aside(key = "user:{user_id}", ttl = "5m", tags = ["user", "tenant:{value.tenant_id}"], skip(db))]
async fn get_user(db: &Db, user_id: u64) -> Result<User, DbError> {
    db.user(user_id).await
}

#[tokio::test]
async fn a_second_call_does_not_run_the_body() {
    let db = Db::default();
    scoped(async {
        for _ in 0..3 {
            assert_eq!(assert_send(get_user(&db, 42)).await.unwrap().id, 42);
        }
        assert_eq!(db.asked(), 1);
        get_user(&db, 43).await.unwrap();
        assert_eq!(db.asked(), 2);
    })
    .await;
}

#[tokio::test]
async fn companions_reach_the_entry_the_function_and_the_body() {
    let db = Db::default();
    scoped(async {
        get_user(&db, 42).await.unwrap();
        assert_eq!(get_user_entry(42).key(), "user:42");
        assert_eq!(get_user_entry(42).get().await.unwrap().unwrap().id, 42);
        get_user_entry(42).invalidate().await.unwrap();
        get_user(&db, 42).await.unwrap();
        assert_eq!(db.asked(), 2);
        get_user_cache().clear().await.unwrap();
        assert!(!get_user_entry(42).exists().await.unwrap());
        get_user_uncached(&db, 42).await.unwrap();
        assert!(!get_user_entry(42).exists().await.unwrap());
        assert_eq!(db.asked(), 3);
    })
    .await;
}

#[tokio::test]
async fn errors_are_not_cached() {
    let db = Db::default();
    scoped(async {
        assert_eq!(get_user(&db, 0).await, Err(DbError::Gone));
        assert_eq!(get_user(&db, 0).await, Err(DbError::Gone));
        assert_eq!(db.asked(), 2);
    })
    .await;
}

#[tokio::test]
async fn tags_known_before_and_tags_of_the_value_invalidate() {
    let db = Db::default();
    scoped(async {
        for (tag, asked) in [("user", 2), ("tenant:7", 3)] {
            get_user(&db, 1).await.unwrap();
            larder::invalidate_tags([tag]).await.unwrap();
            get_user(&db, 1).await.unwrap();
            assert_eq!(db.asked(), asked, "{tag}");
        }
        larder::invalidate_tags(["tenant:8"]).await.unwrap();
        get_user(&db, 1).await.unwrap();
        assert_eq!(db.asked(), 3);
    })
    .await;
}

#[cache_aside(key = "page:{page}", tags = ["page:{page}", "row:{page}:{value.0}:{kind}"], skip(kind))]
async fn page_of(page: u32, kind: &str) -> (u64, String) {
    (u64::from(page) * 10, kind.to_owned())
}

#[tokio::test]
async fn a_tag_of_the_value_may_use_arguments_too() {
    scoped(async {
        for (kind, tag) in [("a", "row:3:30:a"), ("b", "page:3")] {
            page_of(3, kind).await;
            larder::invalidate_tags([tag]).await.unwrap();
            assert!(!page_of_entry(3, kind).exists().await.unwrap(), "{tag}");
        }
        page_of_entry(4, "c").set((40, String::new())).await.unwrap();
        larder::invalidate_tags(["row:4:40:c"]).await.unwrap();
        assert!(!page_of_entry(4, "c").exists().await.unwrap());
    })
    .await;
}

struct Point {
    id: u8,
    #[allow(dead_code)]
    z: u8,
}

#[cache_aside(key = "p:{a}:{b}:{c}:{id}:{e}", skip(_x, d))]
async fn patterns(
    (a, mut b): (u32, String),
    mut c: u64,
    Point { id, .. }: Point,
    _x: &str,
    &d: &u32,
    (e, _): (u8, u8),
    _: u8,
) -> Option<String>
where
    u32: Copy,
{
    b.push('!');
    c += 1;
    Some(format!("{a}{b}{c}{id}{d}{e}"))
}

fn point(id: u8) -> Point {
    Point { id, z: 0 }
}

#[tokio::test]
async fn patterns_and_mutable_arguments_keep_working() {
    scoped(async {
        let text = patterns((1, "b".into()), 2, point(3), "", &4, (5, 0), 9).await;
        assert_eq!(text.unwrap(), "1b!3345");
        let entry = patterns_entry((1, "b".into()), 2, point(3), (5, 0));
        assert_eq!(entry.key(), "p:1:b:2:3:5");
        assert!(entry.exists().await.unwrap());
    })
    .await;
}

mod private {
    pub(in crate::private) mod deeper {
        use larder::memoize;

        #[memoize(key = "v:{n}")]
        pub(in crate::private) async fn restricted(n: u64) -> u64 {
            n
        }

        #[memoize(key = "w:{n}")]
        pub(super) fn above(n: u64) -> u64 {
            n
        }
    }

    pub(crate) async fn visit() -> (u64, bool) {
        let value = deeper::restricted(1).await + deeper::above(2);
        deeper::above_cache().clear().unwrap();
        (value, deeper::restricted_entry(1).exists().await.unwrap())
    }
}

#[tokio::test]
async fn companions_have_the_visibility_of_their_function() {
    assert_eq!(scoped(private::visit()).await, (3, true));
}

#[tokio::test]
async fn a_function_inside_a_function_is_cached() {
    scoped(async {
        #[memoize(key = "nested:{x}")]
        fn nested(x: u8) -> usize {
            static RUNS: AtomicUsize = AtomicUsize::new(0);
            RUNS.fetch_add(1, SeqCst) + usize::from(x)
        }
        assert_eq!((nested(1), nested(1), nested_uncached(1)), (1, 1, 2));
        nested_entry(1).invalidate().unwrap();
        assert_eq!(nested(1), 3);
    })
    .await;
}

/// Documented.
#[cfg(all())]
#[cache_aside(key = "cfg:{id}")]
#[cfg_attr(all(), must_use, allow(clippy::let_and_return))]
async fn conditional(id: u64) -> u64 {
    let same = id;
    same
}

#[cfg(any())]
#[cache_aside(key = "gone:{id}")]
async fn gone_above(id: u64) -> Missing {
    id
}

#[cache_aside(key = "gone:{id}")]
#[cfg(any())]
async fn gone_below(id: u64) -> Missing {
    id
}

#[tokio::test]
async fn conditions_and_lints_go_with_the_companions() {
    assert_eq!(scoped(conditional(5)).await, 5);
    let _ = conditional_entry(5);
}

trait Shape: Send + Sync {
    fn sides(&self) -> u32;
}

struct Polygon(u32);

impl Shape for Polygon {
    fn sides(&self) -> u32 {
        self.0
    }
}

type Failure = Arc<dyn std::error::Error + Send + Sync>;

#[memoize(key = "shape:{sides}")]
async fn shape(sides: u32) -> Result<Arc<dyn Shape>, Failure> {
    if sides == 1 {
        return Ok(Arc::new(Polygon(1)));
    }
    let more: u32 = "5".parse().map_err(|error| Arc::new(error) as Failure)?;
    Ok(Arc::new(Polygon(sides + more)))
}

#[memoize(key = "inline:{sides}", companions = false)]
async fn shape_inline(sides: u32) -> Result<Arc<dyn Shape>, DbError> {
    if sides == 1 {
        return Ok(Arc::new(Polygon(1)));
    }
    if sides == 2 {
        Err(DbError::Gone)?
    }
    Ok(Arc::new(Polygon(sides)))
}

#[memoize(key = "inline-sync:{sides}", companions = false)]
fn shape_inline_sync(sides: u32) -> Result<Arc<dyn Shape>, DbError> {
    if sides == 1 {
        return Ok(Arc::new(Polygon(1)));
    }
    Ok(Arc::new(Polygon(sides)))
}

#[tokio::test]
async fn the_return_type_is_inferred_as_without_the_attribute() {
    scoped(async {
        assert_eq!(shape(1).await.unwrap().sides() + shape(3).await.unwrap().sides(), 9);
        assert!(shape_inline(2).await.is_err());
        assert_eq!(shape_inline(4).await.unwrap().sides(), 4);
        assert_eq!(shape_inline_sync(4).unwrap().sides(), 4);
    })
    .await;
}

#[memoize(key = "inline-patterns:{a}:{b}", companions = false, skip(calls))]
async fn inline_patterns((a, mut b): (u8, String), mut calls: Vec<u8>) -> String {
    b.push('?');
    calls.push(a);
    format!("{b}{}", calls.len())
}

#[tokio::test]
async fn a_body_that_stays_in_place_keeps_its_patterns() {
    scoped(async {
        assert_eq!(inline_patterns((1, "x".into()), vec![0]).await, "x?2");
        assert_eq!(inline_patterns((1, "x".into()), vec![]).await, "x?2");
    })
    .await;
}

#[cache_aside(key = "into:{k}", skip(label))]
async fn skipped_impl(k: u32, label: impl Into<String> + Send) -> String {
    format!("{k}{}", label.into())
}

#[cache_aside(key = "into2:{k}")]
async fn keyed_impl(k: impl Into<String> + larder::KeyPart + Send + Sync) -> String {
    k.into()
}

#[tokio::test]
async fn arguments_may_be_impl_trait() {
    scoped(async {
        assert_eq!(skipped_impl(1, "x").await, "1x");
        assert!(skipped_impl_entry(1).exists().await.unwrap());
        keyed_impl("a").await;
        assert!(keyed_impl_entry("a").exists().await.unwrap());
    })
    .await;
}

#[memoize(key = "rc:{n}")]
async fn not_send(n: u64) -> u64 {
    let shared = Rc::new(Cell::new(n));
    tokio::task::yield_now().await;
    shared.get()
}

#[tokio::test]
async fn a_body_that_is_not_send_is_cached() {
    assert_eq!(scoped(not_send(3)).await, 3);
}

#[memoize(key = "fib:{n}")]
async fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1).await + fib(n - 2).await }
}

#[memoize]
fn fib_sync(n: u64) -> u64 {
    if n < 2 { n } else { fib_sync(n - 1) + fib_sync(n - 2) }
}

#[tokio::test]
async fn recursion_needs_no_box_from_the_user() {
    assert_eq!(scoped(assert_send(async { fib(30).await })).await, 832_040);
    assert_eq!(scoped(async { fib_sync(40) }).await, 102_334_155);
}

#[cache_aside(key = "maybe:{id}", negative_ttl = "10s", skip(db))]
async fn maybe(db: &Db, id: u64) -> Result<Option<User>, DbError> {
    if id == 13 {
        db.asked.fetch_add(1, SeqCst);
        return Ok(None);
    }
    db.user(id).await.map(Some)
}

#[cache_aside(key = "some:{id}", skip(db))]
fn some(db: &Db, id: u64) -> Option<u64> {
    db.asked.fetch_add(1, SeqCst);
    (id != 13).then_some(id)
}

#[tokio::test]
async fn none_is_cached_only_with_a_negative_ttl() {
    let db = Db::default();
    scoped(async {
        assert_eq!((maybe(&db, 13).await, maybe(&db, 13).await), (Ok(None), Ok(None)));
        assert_eq!(db.asked(), 1);
        assert_eq!((some(&db, 13), some(&db, 13)), (None, None));
        assert_eq!(db.asked(), 3);
        assert_eq!((some(&db, 5), some(&db, 5)), (Some(5), Some(5)));
        assert_eq!(db.asked(), 4);
    })
    .await;
}

type Aliased<T> = Result<T, DbError>;

#[cache_aside(key = "alias:{id}", returns = "result")]
async fn aliased(id: u64) -> Aliased<u64> {
    if id == 0 { Err(DbError::Gone) } else { Ok(id) }
}

#[tokio::test]
async fn an_alias_of_result_is_one_when_the_user_says_so() {
    scoped(async {
        assert!(aliased(0).await.is_err());
        assert!(!aliased_entry(0).exists().await.unwrap());
        assert_eq!(aliased(1).await, Ok(1));
        assert_eq!(aliased_entry(1).get().await.unwrap(), Some(1));
    })
    .await;
}

macro_rules! reader {
    ($name:ident, $key:literal, $arg:ident: $ty:ty, $ret:ty, $body:block) => {
        #[cache_aside(key = $key)]
        async fn $name($arg: $ty) -> $ret $body
    };
}

reader!(from_macro, "macro:{id}", id: u64, Result<Option<u64>, DbError>, { Ok(Some(id)) });

#[tokio::test]
async fn functions_made_by_a_macro_are_annotated_too() {
    scoped(async {
        assert_eq!(from_macro(1).await, Ok(Some(1)));
        assert_eq!(from_macro_entry(1).get().await.unwrap(), Some(1));
    })
    .await;
}

#[cache_aside(key = "raw:{type}")]
async fn r#match(r#type: u8) -> u8 {
    r#type
}

#[tokio::test]
async fn raw_names_are_written_plainly() {
    assert_eq!(scoped(r#match(1)).await, 1);
    assert_eq!(match_entry(2).key(), "raw:2");
}
