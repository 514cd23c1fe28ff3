//! The attributes of [Larder](https://docs.rs/larder), which re-exports them; depend on `larder`, not on this crate.
//!
//! | attribute | on |
//! |---|---|
//! | [`macro@cache_aside`] | a reader: look up, else run the body and store what it returned |
//! | [`macro@memoize`] | a reader whose entries stay in memory |
//! | [`macro@stampede_protect`] | a reader whose body runs in one process at a time |
//! | [`macro@write_through`] | a writer: run the body, store what it returned as the reader's entry, invalidate the rest |
//! | [`macro@cache_invalidate`] | a writer that stores nothing |
//! | [`derive@KeyPart`] | a newtype or a plain enum that is to be part of keys |
//!
//! An attribute goes three steps: `args` reads what is written, `model` says what it means and notes every mistake, `expand`
//! writes what cannot go wrong any more. The expansion is small: it names things and calls `larder::__private`.

mod args;
mod errors;
mod expand;
mod key_part;
mod model;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

use crate::{
    args::{Attribute, Function, Options},
    errors::Errors,
    model::{Callee, Reader, Writer},
};

/// A reader: answers calls from the cache; on a miss runs the body and stores what it returned.
///
/// Goes on `async fn` and `fn`: free functions, methods with any receiver, associated and generic functions, default
/// methods of traits, functions inside functions. Callers of one key that come at the same time share one run of the
/// body (one of them runs it as well when it takes longer than the cache's `flight_wait`, 5 seconds); a caller that comes
/// after an invalidation never joins a run that began before it. A cache that is down or slow does not make a call fail.
///
/// ```
/// use larder::cache_aside;
/// use serde::{Deserialize, Serialize};
///
/// # #[derive(Clone, Debug)] pub struct DbError;
/// # pub struct Db;
/// # impl Db {
/// #     async fn user(&self, id: u64) -> Result<User, DbError> { Ok(User { id, tenant: 7 }) }
/// # }
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// struct User {
///     id: u64,
///     tenant: u32,
/// }
///
/// #[cache_aside(key = "user:{id}", ttl = "5m", tags = ["user", "tenant:{value.tenant}"], skip(db))]
/// async fn get_user(db: &Db, id: u64) -> Result<User, DbError> {
///     db.user(id).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// # let db = Db;
/// get_user(&db, 42).await.unwrap(); // runs the body
/// get_user(&db, 42).await.unwrap(); // does not
/// assert!(get_user_entry(42).exists().await?);
/// larder::invalidate_tags(["tenant:7"]).await?;
/// assert!(!get_user_entry(42).exists().await?);
/// # Ok(()) }
/// ```
///
/// The value is `Clone + Send + Sync + 'static`; unless it stays in memory it is `Serialize` and `DeserializeOwned` too.
///
#[doc = include_str!("docs/reader_options.md")]
/// | `batch(id in ids)` | every element of the argument `ids` has an entry, see [Batches](#batches) | one entry a call |
#[doc = include_str!("docs/common_options.md")]
///
#[doc = include_str!("docs/keys.md")]
///
#[doc = include_str!("docs/stored.md")]
///
#[doc = include_str!("docs/batch.md")]
///
/// ```
/// use std::collections::HashMap;
/// use larder::cache_aside;
///
/// # #[derive(Clone, Debug)] pub struct DbError;
/// # pub struct Db;
/// # impl Db {
/// #     async fn names(&self, ids: &[u64]) -> Result<HashMap<u64, String>, DbError> {
/// #         Ok(ids.iter().map(|id| (*id, format!("user {id}"))).collect())
/// #     }
/// # }
/// #[cache_aside(key = "name:{id}", ttl = "5m", tags = ["names"], skip(db), batch(id in ids))]
/// async fn names(db: &Db, ids: &[u64]) -> Result<HashMap<u64, String>, DbError> {
///     db.names(ids).await // `ids` are those that are not cached
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// # let db = Db;
/// names(&db, &[1, 2]).await.unwrap(); // loads 1 and 2
/// let all = names(&db, &[2, 3, 1]).await.unwrap(); // loads 3
/// assert_eq!(all.len(), 3);
/// names_entry(2).invalidate().await?;
/// # Ok(()) }
/// ```
///
#[doc = include_str!("docs/companions.md")]
///
/// ```
/// # struct Prices { region: String, cache: larder::Cache }
/// impl Prices {
///     #[larder::cache_aside(key = "price:{self.region}:{item}", ttl = 60, cache = self.cache)]
///     async fn price(&self, item: u32) -> u32 {
///         item * 100
///     }
///
///     #[larder::cache_aside(key = "currency:{country}", skip(Self), in_impl)]
///     async fn currency(country: &str) -> Option<String> {
///         (country == "dk").then(|| "DKK".to_owned())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// let prices = Prices { region: "eu".into(), cache: larder::Cache::memory() };
/// assert_eq!(prices.price(3).await, 300);
/// assert_eq!(prices.price_entry(3).key(), "price:eu:3");
/// assert_eq!(Prices::currency("dk").await.as_deref(), Some("DKK"));
/// Prices::currency_entry("dk").invalidate().await?;
/// # Ok(()) }
/// ```
///
#[doc = include_str!("docs/by_hand.md")]
///
/// # Cancel safety
///
/// Dropping the future of a call drops the body where this caller runs it; one of those who wait runs it instead. Nothing
/// is stored.
///
/// # Panics
///
/// A panic of the body reaches its own caller only; those who wait run the body themselves.
#[proc_macro_attribute]
pub fn cache_aside(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::CacheAside, options.into(), item.into()).into()
}

/// A reader whose entries stay in this process: [`macro@cache_aside`] with `layer = "memory"`.
///
/// Values need no serde, only `Clone + Send + Sync + 'static`. The key may be left out: it is then made from the function's path
/// and everything that is not skipped, `self`, type parameters and const parameters included.
///
/// ```
/// use larder::memoize;
///
/// #[memoize(ttl = "60s")]
/// fn fibonacci(n: u64) -> u64 {
///     if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
/// }
///
/// assert_eq!(fibonacci(80), 23_416_728_348_467_685);
/// assert_eq!(fibonacci_entry(80).get()?, Some(23_416_728_348_467_685));
/// fibonacci_cache().clear()?;
/// # Ok::<(), larder::Error>(())
/// ```
///
/// Sync functions need no runtime. Without a `ttl` entries live as long as the cache's default says (five minutes);
/// `ttl = "forever"` keeps them until they make room for others.
///
#[doc = include_str!("docs/reader_options.md")]
/// | `batch(id in ids)` | every element of the argument `ids` has an entry, see [Batches](#batches) | one entry a call |
#[doc = include_str!("docs/common_options.md")]
///
#[doc = include_str!("docs/keys.md")]
///
#[doc = include_str!("docs/stored.md")]
///
#[doc = include_str!("docs/batch.md")]
///
#[doc = include_str!("docs/companions.md")]
///
/// ```
/// #[larder::memoize(key = "risk:{portfolio}:{factor}", skip(label))]
/// fn risk(portfolio: &str, factor: f64, label: &str) -> f64 {
///     println!("computing {label}");
///     portfolio.len() as f64 * factor
/// }
///
/// assert_eq!(risk("bonds", 0.5, "first"), 2.5);
/// assert_eq!(risk("bonds", 0.5, "second"), 2.5); // prints nothing
/// assert_eq!(risk_entry("bonds", 0.5).key(), "risk:bonds:0.5");
/// ```
///
/// What has to be written by hand, cancel safety and panics are as for [`macro@cache_aside`].
#[proc_macro_attribute]
pub fn memoize(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::Memoize, options.into(), item.into()).into()
}

/// A reader whose body runs in one process at a time: [`macro@cache_aside`] with a lock in the shared tier.
///
/// The first process that misses takes the lock and runs the body, the others wait for its value. The lock is renewed
/// while the body runs. A process that dies loses it after `lock_ttl`; one that was suspended past it cannot overwrite what
/// its successor stored. Without a shared tier, callers of one process share one run as with `cache_aside`.
///
/// ```
/// use larder::stampede_protect;
///
/// #[stampede_protect(key = "dashboard:stats", ttl = "1m", lock_ttl = "60s", lock_wait = "5s")]
/// async fn dashboard() -> Vec<u64> {
///     // … some seconds of work …
///     vec![1, 2, 3]
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # larder::init(larder::Cache::memory()).unwrap();
/// let (one, other) = tokio::join!(dashboard(), dashboard()); // one run
/// assert_eq!(one, other);
/// # }
/// ```
///
#[doc = include_str!("docs/reader_options.md")]
/// | `lock_ttl = "30s"` | how long the lock outlives a process that died; a literal | 30 seconds |
/// | `lock_wait = "5s"` | the longest wait for another process, after which the body runs here as well; a literal | `lock_ttl` |
#[doc = include_str!("docs/common_options.md")]
///
#[doc = include_str!("docs/keys.md")]
///
#[doc = include_str!("docs/stored.md")]
///
#[doc = include_str!("docs/companions.md")]
///
/// What has to be written by hand, cancel safety and panics are as for [`macro@cache_aside`]. A caller that is dropped gives the lock
/// back.
#[proc_macro_attribute]
pub fn stampede_protect(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::StampedeProtect, options.into(), item.into()).into()
}

/// A writer: runs the body, stores what it returned as a reader's entry, and invalidates what else has changed.
///
/// ```
/// use larder::{cache_aside, write_through};
///
/// # #[derive(Default)] struct Db(std::sync::Mutex<std::collections::HashMap<u64, String>>);
/// # impl Db {
/// #     fn get(&self, id: u64) -> Option<String> { self.0.lock().unwrap().get(&id).cloned() }
/// #     fn put(&self, id: u64, name: &str) { self.0.lock().unwrap().insert(id, name.to_owned()); }
/// # }
/// #[cache_aside(key = "name:{id}", skip(db))]
/// async fn user_name(db: &Db, id: u64) -> Option<String> {
///     db.get(id)
/// }
///
/// #[cache_aside(key = "names:{page}", skip(db))]
/// async fn names(db: &Db, page: u32) -> Vec<String> {
///     # let _ = page;
///     db.get(1).into_iter().collect()
/// }
///
/// #[write_through(entry = user_name(id), invalidates = [names(*)], invalidate_tags = ["search"])]
/// async fn rename(db: &Db, id: u64, name: &str) -> Option<String> {
///     db.put(id, name);
///     Some(name.to_owned())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// let db = Db::default();
/// names(&db, 1).await;
/// rename(&db, 42, "Ada").await;
/// assert_eq!(user_name_entry(42).get().await?.as_deref(), Some("Ada")); // renewed
/// assert!(!names_entry(1).exists().await?); // invalidated
/// # Ok(()) }
/// ```
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `entry = get_user(id)` | the reader's entry, by the arguments of its `_entry`; brings the reader's key, ttl, tags, version, layer and cache, none of which may stand beside it | this or `key` |
/// | `key = "user:{id}"` | the key, for an entry that no reader describes | this or `entry` |
/// | `ttl`, `tags`, `layer`, `version` | with `key` only, as for [`macro@cache_aside`] | as there |
#[doc = include_str!("docs/writer_options.md")]
///
/// `entry` and `invalidates` name readers, not keys: the compiler checks that the reader exists, that the arguments fit, and
/// that reader and writer have the same value type. Paths (`users::get_user(id)`), types (`Users::get(id)`), type arguments
/// (`typed::<u64>(id)`) and methods (`self.repo.get(id)`) will do. Arguments are cloned before the body where they are names
/// or fields; what uses `value` is evaluated after it.
///
/// # What happens when
///
/// | the body | the entry | the lists |
/// |---|---|---|
/// | succeeds | holds what it returned | invalidated |
/// | returns `None` | holds `None` where the reader has a `negative_ttl`, else is invalidated | invalidated |
/// | fails, panics, or its caller goes away | invalidated: the body may have written something | stay |
///
/// While the body runs, no reader stores the entry. Two writers of one entry at the same time leave a miss, because nobody
/// can know which of the two the database saw last. This guard lasts 30 seconds in the shared tier.
///
/// With `value` (what the function returned: an id that only the database knows) the entry is known after the body only,
/// and there is no such guard; when the body fails, nothing is invalidated:
///
/// ```
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)] struct User { id: u64, name: String }
/// #[larder::cache_aside(key = "user:{id}")]
/// async fn get_user(id: u64) -> Option<User> {
/// #   let _ = id;
///     None
/// }
///
/// #[larder::write_through(entry = get_user(value.id), invalidate_tags = ["named:{value.name}"])]
/// async fn create_user(name: String) -> Option<User> {
///     Some(User { id: 7, name })
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// create_user("Ada".into()).await;
/// assert!(get_user_entry(7).exists().await?);
/// # Ok(()) }
/// ```
///
/// A writer has no companions. A shared tier that fails is not the caller's problem: the value is returned, and the
/// invalidations are queued and repeated.
///
/// # Cancel safety
///
/// Dropping the future drops the body and invalidates the entry.
#[proc_macro_attribute]
pub fn write_through(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::WriteThrough, options.into(), item.into()).into()
}

/// A writer that stores nothing: runs the body and, when it succeeded, invalidates what it lists.
///
/// ```
/// use larder::{cache_aside, cache_invalidate};
///
/// #[cache_aside(key = "user:{tenant}:{id}", tags = ["tenant:{tenant}"])]
/// async fn user(tenant: u32, id: u64) -> u64 {
///     id + u64::from(tenant)
/// }
/// # #[derive(Debug)] struct DbError;
///
/// #[cache_invalidate(invalidate_tags = ["tenant:{tenant}"], invalidate_patterns = ["list:{tenant}:*"])]
/// async fn delete_tenant(tenant: u32) -> Result<(), DbError> {
/// #   let _ = tenant;
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// user(7, 42).await;
/// delete_tenant(7).await.unwrap();
/// assert!(!user_entry(7, 42).exists().await?);
/// # Ok(()) }
/// ```
///
/// # Options
///
/// At least one of the first four.
///
/// | option | meaning | default |
/// |---|---|---|
#[doc = include_str!("docs/writer_options.md")]
///
/// Lists are applied after the body returned `Ok`, `Some`, `None` or a plain value; an `Err` invalidates nothing. A shared
/// tier that fails is not the caller's problem: the value is returned, and the invalidations are queued and repeated.
///
/// # Cancel safety
///
/// Dropping the future drops the body; nothing is invalidated.
#[proc_macro_attribute]
pub fn cache_invalidate(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::CacheInvalidate, options.into(), item.into()).into()
}

/// Derives `KeyPart`, so that a type can be part of keys.
///
/// A struct with one field looks in a key like that field, an enum without data like the name of its variant. Other types
/// have no obvious form: implement `KeyPart::render` by hand, or write `{arg:hash}`.
///
/// ```
/// use larder::{KeyPart, cache_aside};
///
/// #[derive(Clone, Copy, KeyPart)]
/// struct UserId(u64);
///
/// #[derive(Clone, Copy, KeyPart)]
/// enum Tab {
///     Posts,
///     Friends,
/// }
///
/// #[cache_aside(key = "user:{id}:{tab}")]
/// async fn page(id: UserId, tab: Tab) -> String {
///     format!("{}, tab {}", id.0, tab as u8)
/// }
///
/// assert_eq!(page_entry(UserId(42), Tab::Friends).key(), "user:42:Friends");
/// # let _ = Tab::Posts;
/// ```
///
/// Renaming a variant changes keys: its old entries are not found any more. `#[larder(crate = path)]` says where `larder` is
/// when it is re-exported.
#[proc_macro_derive(KeyPart, attributes(larder))]
pub fn derive_key_part(input: TokenStream) -> TokenStream {
    key_part::derive(input.into()).into()
}

/// The whole way: syntax, model, tokens. The user's item comes out first, whatever is wrong.
fn annotate(
    attribute: Attribute,
    options: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    let errors = Errors::default();
    let options = Options::parse(attribute, options, &errors);
    let function = errors.absorb(Function::parse(attribute, item.clone()));
    let expansion = function.map(|function| expansion(attribute, options, function, &errors));
    match (errors.finish(), expansion) {
        (None, Some(expansion)) => expansion.good,
        (mistakes, expansion) => {
            let stubs = expansion.map(|expansion| expansion.stubs);
            quote::quote!(#item #stubs #mistakes)
        }
    }
}

/// What comes out when all is well, and what stands beside the user's item when it is not.
struct Expansion {
    good: proc_macro2::TokenStream,
    stubs: proc_macro2::TokenStream,
}

fn expansion(
    attribute: Attribute,
    options: Options,
    function: Function,
    errors: &Errors,
) -> Expansion {
    let mut callee = Callee::new(function);
    callee.sound = model::check_function(attribute, &callee, errors);
    if attribute.reads() {
        let reader = Reader::new(attribute, options, callee, errors);
        Expansion { good: expand::reader(attribute, &reader), stubs: expand::stubs(&reader) }
    } else {
        let writer = Writer::new(attribute, options, callee, errors);
        Expansion {
            good: expand::writer(attribute, &writer),
            stubs: proc_macro2::TokenStream::new(),
        }
    }
}
