//! Which cache an annotated function uses: that of the scope, or the process's default.

use std::{
    future::Future,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use cache_store::{Error, ErrorKind, Result};
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    builder::CacheBuilder, cache::Cache, config::CacheConfig, explicit::Invalidate, transaction,
};

tokio::task_local! {
    static SCOPE: Cache;
}

static DEFAULT: OnceLock<Result<Cache>> = OnceLock::new();

/// Sets the process's default cache, once: at the start of `main`, before any annotated function runs. Without it the
/// first use builds one from the environment. Libraries do not call it; tests use [`scoped`].
///
/// # Errors
///
/// [`ErrorKind::AlreadyInitialized`] when it was set before, or was built from the environment by a first use.
///
/// ```
/// larder::init(larder::Cache::memory())?;
/// assert!(larder::init(larder::Cache::memory()).is_err()); // a second time
/// # Ok::<(), larder::Error>(())
/// ```
pub fn init(cache: Cache) -> Result<()> {
    DEFAULT.set(Ok(cache)).map_err(|_| {
        Error::new(
            ErrorKind::AlreadyInitialized,
            "the default cache is set already, or was built from the environment by a first use; \
             call `larder::init` once, before any annotated function runs",
        )
    })
}

/// The cache of the scope, or the default: the one that annotated functions use here. Where there is none yet, the
/// default is built from the environment; that does not wait, the shared tier is connected to later.
///
/// # Errors
///
/// Those of [`Cache::from_env`] when the default was built from the environment and that failed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::current()?.set("user:42", &1_u8).await?;
/// println!("{}", larder::current()?.stats());
/// # Ok(()) }
/// ```
pub fn current() -> Result<Cache> {
    with_current(|cache| cache.cloned().map_err(Clone::clone))
}

/// How many scopes there are in the process. Where there is none, as in most programs, none has to be looked for.
static SCOPES: AtomicUsize = AtomicUsize::new(0);

/// Counts one scope for as long as it lives.
pub(crate) struct Counted;

impl Counted {
    pub(crate) fn new() -> Self {
        SCOPES.fetch_add(1, Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        SCOPES.fetch_sub(1, Relaxed);
    }
}

/// Whether there are any scopes in the process.
#[inline]
pub(crate) fn has_scopes() -> bool {
    SCOPES.load(Relaxed) != 0
}

/// Whether functions that are called here run their bodies and store nothing: those of a transaction may see what is never
/// committed.
#[inline]
pub(crate) fn stores_nothing() -> bool {
    has_scopes() && transaction::is_inside()
}

/// Runs a future in a scope, which counts from now on.
fn in_scope<F: Future>(cache: Cache, future: F) -> impl Future<Output = F::Output> {
    let counted = Counted::new();
    async move {
        let _counted = counted;
        SCOPE.scope(cache, future).await
    }
}

fn in_scope_sync<R>(cache: Cache, f: impl FnOnce() -> R) -> R {
    let _counted = Counted::new();
    SCOPE.sync_scope(cache, f)
}

#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(Result<&Cache, &Error>) -> R) -> R {
    // A scope that this thread is in was counted by this thread, or handed over to it after that.
    if SCOPES.load(Relaxed) == 0 {
        f(DEFAULT.get_or_init(from_env).as_ref())
    } else {
        with_scoped(f)
    }
}

fn with_scoped<R>(f: impl FnOnce(Result<&Cache, &Error>) -> R) -> R {
    let mut f = Some(f);
    let scoped = SCOPE.try_with(|cache| f.take().map(|f| f(Ok(cache))));
    match (scoped, f) {
        (Ok(Some(result)), _) => result,
        (_, Some(f)) => f(DEFAULT.get_or_init(from_env).as_ref()),
        // `f` is gone only where it has run.
        (_, None) => unreachable!("the scope's cache was used, and its result is above"),
    }
}

fn from_env() -> Result<Cache> {
    let built = CacheConfig::from_env()
        .and_then(CacheBuilder::from_config)
        .and_then(CacheBuilder::build_lazily);
    if let Err(error) = &built {
        tracing::error!(target: "larder", %error, "no cache: annotated functions run their bodies");
    }
    built
}

/// Runs a future with its own default cache: for its task, and for what it spawns through [`spawn`] and
/// [`spawn_blocking`]. What is spawned with [`tokio::spawn`] has the process's default.
///
/// # Cancel safety
///
/// That of the future.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// use larder::{Cache, scoped};
///
/// let mine = Cache::memory();
/// scoped(mine.clone(), async {
///     larder::invalidate_tags(["user"]).await
/// })
/// .await?;
/// assert_eq!(mine.stats().invalidations, 1);
/// # Ok(()) }
/// ```
pub async fn scoped<F: Future>(cache: Cache, future: F) -> F::Output {
    in_scope(cache, future).await
}

/// Runs a closure with its own default cache: [`scoped`] for sync code, on its thread. Needs no runtime.
///
/// ```
/// use larder::{Cache, memoize, scoped_sync};
///
/// #[memoize(key = "square:{n}")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let mine = Cache::memory();
/// scoped_sync(mine.clone(), || assert_eq!(square(7), 49));
/// assert_eq!(mine.stats().loads, 1);
/// ```
pub fn scoped_sync<R>(cache: Cache, f: impl FnOnce() -> R) -> R {
    in_scope_sync(cache, f)
}

/// [`tokio::spawn`] that takes the scope along, and the [transaction](Cache::in_transaction) that it is called in.
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mine = larder::Cache::memory();
/// larder::scoped(mine.clone(), async {
///     larder::spawn(async { larder::invalidate("user:42").await }).await
/// })
/// .await
/// .expect("it does not panic")
/// .expect("it is in memory");
/// assert_eq!(mine.stats().invalidations, 1);
/// # }
/// ```
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match (SCOPE.try_with(Clone::clone), transaction::current()) {
        (Ok(cache), Some(intents)) => {
            tokio::spawn(in_scope(cache, transaction::inside(intents, future)))
        }
        (Ok(cache), None) => tokio::spawn(in_scope(cache, future)),
        (Err(_), Some(intents)) => tokio::spawn(transaction::inside(intents, future)),
        (Err(_), None) => tokio::spawn(future),
    }
}

/// [`tokio::task::spawn_blocking`] that takes the scope along, and the [transaction](Cache::in_transaction) that it is called in.
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mine = larder::Cache::memory();
/// larder::scoped(mine.clone(), async {
///     let task = larder::spawn_blocking(|| larder::current().map(|cache| cache.coherence_bound()));
///     assert!(task.await.expect("it does not panic").is_ok());
/// })
/// .await;
/// # }
/// ```
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let (cache, intents) = (SCOPE.try_with(Clone::clone).ok(), transaction::current());
    tokio::task::spawn_blocking(move || {
        let f = || match intents {
            Some(intents) => transaction::inside_sync(intents, f),
            None => f(),
        };
        match cache {
            Some(cache) => in_scope_sync(cache, f),
            None => f(),
        }
    })
}

/// Spawns what goes on without the caller, with the caller's scope.
pub(crate) fn spawn_on(runtime: &Handle, future: impl Future<Output = ()> + Send + 'static) {
    match SCOPE.try_with(Clone::clone) {
        Ok(cache) => drop(runtime.spawn(in_scope(cache, future))),
        Err(_) => drop(runtime.spawn(future)),
    }
}

/// The same for what blocks a thread.
pub(crate) fn spawn_blocking_on(runtime: &Handle, f: impl FnOnce() + Send + 'static) {
    match SCOPE.try_with(Clone::clone) {
        Ok(cache) => drop(runtime.spawn_blocking(move || in_scope_sync(cache, f))),
        Err(_) => drop(runtime.spawn_blocking(f)),
    }
}

fn on_current(invalidate: impl FnOnce(&Cache) -> Invalidate) -> Invalidate {
    with_current(|cache| match cache {
        Ok(cache) => invalidate(cache),
        Err(error) => Invalidate::of(Err(error.clone())),
    })
}

/// [`Cache::invalidate`] on the current cache.
///
/// # Errors
///
/// As there, and those of [`current`].
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::invalidate("user:42").await?;
/// # Ok(()) }
/// ```
pub fn invalidate(key: &str) -> Invalidate {
    on_current(|cache| cache.invalidate(key))
}

/// [`Cache::invalidate_keys`] on the current cache.
///
/// # Errors
///
/// As there, and those of [`current`].
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::invalidate_keys((1..=3).map(|id| format!("user:{id}"))).await?;
/// # Ok(()) }
/// ```
pub fn invalidate_keys<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Invalidate {
    on_current(|cache| cache.invalidate_keys(keys))
}

/// [`Cache::invalidate_tags`] on the current cache.
///
/// # Errors
///
/// As there, and those of [`current`].
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::invalidate_tags(["user", "tenant:7"]).await?;
/// # Ok(()) }
/// ```
pub fn invalidate_tags<G: Into<String>>(tags: impl IntoIterator<Item = G>) -> Invalidate {
    on_current(|cache| cache.invalidate_tags(tags))
}

/// [`Cache::invalidate_all_of`] on the current cache.
///
/// # Errors
///
/// As there, and those of [`current`].
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::invalidate_all_of(["user", "tenant:7"]).await?; // the users of that tenant
/// # Ok(()) }
/// ```
pub fn invalidate_all_of<G: Into<String>>(tags: impl IntoIterator<Item = G>) -> Invalidate {
    on_current(|cache| cache.invalidate_all_of(tags))
}

/// [`Cache::invalidate_pattern`] on the current cache.
///
/// # Errors
///
/// As there, and those of [`current`].
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::invalidate_pattern("users:list:*").await?;
/// # Ok(()) }
/// ```
pub fn invalidate_pattern(pattern: &str) -> Invalidate {
    on_current(|cache| cache.invalidate_pattern(pattern))
}

/// [`Cache::publish`] on the current cache: the rules of that cache apply, and companions in them mean it as well.
///
/// # Errors
///
/// As there, and those of [`current`].
///
/// # Panics
///
/// As there.
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// use larder::{Cache, InvalidationRules, Invalidations};
///
/// struct UserUpdated { id: u64 }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// let rules = InvalidationRules::new()
///     .on::<UserUpdated>(|event| Invalidations::new().key(format!("user:{}", event.id)));
/// larder::init(Cache::builder().rules(rules).build().await?)?;
/// larder::publish(UserUpdated { id: 42 }).await?;
/// # Ok(()) }
/// ```
pub fn publish<E: 'static>(event: E) -> Invalidate {
    on_current(|cache| cache.publish(event))
}

/// [`Cache::clear`] on the current cache.
///
/// # Errors
///
/// As there, and those of [`current`].
///
/// # Cancel safety
///
/// As there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # larder::init(larder::Cache::memory())?;
/// larder::clear().await?;
/// # Ok(()) }
/// ```
pub fn clear() -> Invalidate {
    on_current(Cache::clear)
}
