//! The attributes of Larder. Users name them through the `larder` crate, which explains them in `larder::docs::attributes`.
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

/// Answers calls of a function from the cache; on a miss runs the function and stores what it returned.
///
/// Takes `key`, `ttl`, `tags`, `skip`, `layer`, `version`, `negative_ttl`, `jitter`, `cache_if`, `ttl_fn`, and what every
/// attribute takes: `cache`, `crate`, `companions`, `in_impl`, `returns`, `share_errors`. Durations are text (`"5m"`,
/// `"1h30m"`) or whole seconds. Every argument is in the key or in `skip(..)`.
///
/// `Result<T, E>` keeps `Ok`, `Option<T>` and `Result<Option<T>, E>` keep `Some`. Beside the function there are
/// `<name>_entry(..)`, which takes the arguments that the key, the tags, an expression in `ttl` and `cache` use,
/// `<name>_cache(..)` and `<name>_uncached(..)`. Names that a pattern binds are references in the expressions of `ttl` and
/// `cache`.
///
/// ```
/// use larder::cache_aside;
///
/// #[cache_aside(key = "user:{user_id}", ttl = "5m", tags = ["user", "team:{value.0}"], skip(db))]
/// async fn get_user(db: &str, user_id: u64) -> Result<(u32, String), String> {
///     Ok((7, format!("user {user_id} of {db}")))
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(larder::scoped(larder::Cache::memory(), async {
/// assert_eq!(get_user("one", 42).await?.1, "user 42 of one");
/// assert_eq!(get_user("two", 42).await?.1, "user 42 of one");
/// get_user_entry(42).invalidate().await?;
/// assert_eq!(get_user("two", 42).await?.1, "user 42 of two");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cancel safety
///
/// The annotated `async fn` is as cancel safe as its body: callers that wait for a dropped one run theirs.
#[proc_macro_attribute]
pub fn cache_aside(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::CacheAside, options.into(), item.into()).into()
}

/// Remembers a function's results in memory, where they need no serde.
///
/// Takes what [`macro@cache_aside`] takes. Without a `key` it is made of the function's path, the types and constants it is
/// generic over, `self` and all arguments that are not in `skip(..)`.
///
/// ```
/// use larder::memoize;
///
/// #[memoize(ttl = "60s")]
/// fn fibonacci(n: u64) -> u64 {
///     if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
/// }
///
/// larder::scoped_sync(larder::Cache::memory(), || {
///     assert_eq!(fibonacci(80), 23_416_728_348_467_685);
///     assert!(fibonacci_entry(79).exists().is_ok_and(|known| known));
/// });
/// ```
///
/// # Cancel safety
///
/// As [`macro@cache_aside`].
#[proc_macro_attribute]
pub fn memoize(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::Memoize, options.into(), item.into()).into()
}

/// As [`macro@cache_aside`], and one process computes while all others wait for its value.
///
/// Takes `lock_ttl` (how long the lock outlives a process that died; 30 seconds) and `lock_wait` (how long the others wait
/// before they compute as well; as long as `lock_ttl`) in addition. The lock is renewed while the body runs.
///
/// ```
/// use larder::stampede_protect;
///
/// #[stampede_protect(key = "dashboard:{day}", ttl = "1m", lock_ttl = "60s")]
/// async fn dashboard(day: u32) -> u32 {
///     day * 100
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(larder::scoped(larder::Cache::memory(), async {
/// assert_eq!(dashboard(3).await, 300);
/// # }));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Cancel safety
///
/// As [`macro@cache_aside`]; the lock of a dropped caller is released.
#[proc_macro_attribute]
pub fn stampede_protect(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::StampedeProtect, options.into(), item.into()).into()
}

/// Runs a function, and stores what it returned in a reader's entry.
///
/// Takes `entry = reader(args)`, which brings the reader's cache, ttl, tags, version and layer, or `key`, `ttl`, `tags`,
/// `layer`, `version` and `cache` of its own; what is invalidated after the function succeeded, in `invalidates = [reader(args),
/// reader(*)]`, `invalidate_keys`, `invalidate_patterns` and `invalidate_tags`; and what every attribute takes.
///
/// The arguments of `entry` and `invalidates` are cloned before the body where they are names or fields. Expressions that use
/// `value`, what the function returned, are evaluated after the body: an `entry` that does is written without the guard that
/// keeps readers from storing while a writer is at work.
///
/// ```
/// use larder::{cache_aside, write_through};
///
/// #[cache_aside(key = "name:{id}")]
/// async fn name(id: u64) -> Option<String> {
///     Some(format!("user {id}"))
/// }
///
/// #[write_through(entry = name(id), invalidate_patterns = ["names:list:*"])]
/// async fn rename(id: u64, to: &str) -> Option<String> {
///     Some(to.to_owned())
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(larder::scoped(larder::Cache::memory(), async {
/// rename(42, "Ada").await;
/// assert_eq!(name(42).await.as_deref(), Some("Ada"));
/// # }));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Cancel safety
///
/// Dropping the future drops the body; the entry is invalidated then, for the body may have written.
#[proc_macro_attribute]
pub fn write_through(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::WriteThrough, options.into(), item.into()).into()
}

/// Runs a function, and invalidates when it succeeded.
///
/// Takes the `invalidates` and `invalidate_…` options of [`macro@write_through`] and what every attribute takes.
///
/// ```
/// use larder::{cache_aside, cache_invalidate};
///
/// #[cache_aside(key = "name:{id}")]
/// async fn name(id: u64) -> String {
///     format!("user {id}")
/// }
///
/// #[cache_invalidate(invalidates = [name(id)], invalidate_tags = ["names"])]
/// async fn delete(id: u64) -> Result<(), String> {
///     Ok(())
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(larder::scoped(larder::Cache::memory(), async {
/// name(42).await;
/// delete(42).await?;
/// assert!(!name_entry(42).exists().await?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cancel safety
///
/// Dropping the future drops the body, and nothing is invalidated.
#[proc_macro_attribute]
pub fn cache_invalidate(options: TokenStream, item: TokenStream) -> TokenStream {
    annotate(Attribute::CacheInvalidate, options.into(), item.into()).into()
}

/// Derives `KeyPart`: a newtype looks like what it wraps, an enum without data like the name of its variant.
///
/// Anything else has more than one obvious form: implement `KeyPart::render` by hand, or hash it with `{arg:hash}`. Where the
/// crate has another name, `#[larder(crate = path)]` says so.
///
/// ```
/// use larder::{KeyPart, memoize};
///
/// #[derive(KeyPart)]
/// struct UserId(u64);
///
/// #[derive(KeyPart)]
/// enum Kind {
///     Short,
///     Long,
/// }
///
/// #[memoize(key = "label:{id}:{kind}")]
/// fn label(id: UserId, kind: Kind) -> String {
///     match kind {
///         Kind::Short => format!("{}", id.0),
///         Kind::Long => format!("user {}", id.0),
///     }
/// }
///
/// assert_eq!(label_entry(UserId(42), Kind::Long).key(), "label:42:Long");
/// # label(UserId(42), Kind::Short);
/// ```
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
        Expansion { good: expand::reader(&reader), stubs: expand::stubs(&reader) }
    } else {
        let writer = Writer::new(attribute, options, callee, errors);
        Expansion { good: expand::writer(&writer), stubs: proc_macro2::TokenStream::new() }
    }
}
