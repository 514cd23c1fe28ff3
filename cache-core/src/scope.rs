//! Which cache an annotated function uses, and whether it reads from it: what its scope says, or the process's default.

mod bypass;
mod free;

use std::{
    future::Future,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use cache_store::{Error, ErrorKind, Result};
use tokio::{runtime::Handle, task::JoinHandle};

pub use self::{
    bypass::{bypass, bypass_sync},
    free::{
        clear, invalidate, invalidate_all_of, invalidate_keys, invalidate_pattern, invalidate_tags,
        publish,
    },
};
use crate::{builder::CacheBuilder, cache::Cache, config::CacheConfig, transaction};

tokio::task_local! {
    static SCOPE: Scope;
}

/// What holds for a task, and for what it spawns through this file.
#[derive(Clone)]
struct Scope {
    /// `None` for the process's default.
    cache: Option<Cache>,
    /// Whether nothing is read from any cache.
    bypass: bool,
}

impl Scope {
    /// The caller's, where there is one.
    fn here() -> Option<Self> {
        SCOPE.try_with(Clone::clone).ok()
    }

    /// The caller's with another cache.
    fn with(cache: Cache) -> Self {
        let bypass = is_bypassed();
        Self { cache: Some(cache), bypass }
    }
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

/// Runs a future in a scope, which counts from now on.
fn in_scope<F: Future>(scope: Scope, future: F) -> impl Future<Output = F::Output> {
    let counted = Counted::new();
    async move {
        let _counted = counted;
        SCOPE.scope(scope, future).await
    }
}

fn in_scope_sync<R>(scope: Scope, f: impl FnOnce() -> R) -> R {
    let _counted = Counted::new();
    SCOPE.sync_scope(scope, f)
}

/// Whether the caller is in a scope that reads from no cache.
#[inline]
pub(crate) fn is_bypassed() -> bool {
    is_any() && SCOPE.try_with(|scope| scope.bypass).unwrap_or(false)
}

/// Whether functions that are called here run their bodies and store nothing: the caller bypasses the cache, or is in a
/// transaction, where it may see what is never committed.
#[inline]
pub(crate) fn reads_past() -> bool {
    is_any() && (is_bypassed() || transaction::is_inside())
}

/// Whether the caller may be in a scope, or in a transaction.
#[inline]
pub(crate) fn is_any() -> bool {
    // A scope that this thread is in was counted by this thread, or handed over to it after that.
    SCOPES.load(Relaxed) != 0
}

#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(Result<&Cache, &Error>) -> R) -> R {
    with_scope(|cache, _| f(cache))
}

/// Also tells whether functions that are called here [read past](reads_past) the cache.
#[inline]
pub(crate) fn with_scope<R>(f: impl FnOnce(Result<&Cache, &Error>, bool) -> R) -> R {
    if is_any() { with_scoped(f) } else { f(default(), false) }
}

fn with_scoped<R>(f: impl FnOnce(Result<&Cache, &Error>, bool) -> R) -> R {
    let mut f = Some(f);
    let inside = transaction::is_inside();
    let scoped = SCOPE.try_with(|scope| match &scope.cache {
        Some(cache) => Ok(f.take().map(|f| f(Ok(cache), scope.bypass || inside))),
        None => Err(scope.bypass),
    });
    match (scoped, f) {
        (Ok(Ok(Some(result))), _) => result,
        (scoped, Some(f)) => f(default(), inside || matches!(scoped, Ok(Err(true)))),
        // `f` is gone only where it has run.
        (_, None) => unreachable!("the scope's cache was used, and its result is above"),
    }
}

#[inline]
fn default() -> Result<&'static Cache, &'static Error> {
    DEFAULT.get_or_init(from_env).as_ref()
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
    in_scope(Scope::with(cache), future).await
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
    in_scope_sync(Scope::with(cache), f)
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
    match (Scope::here(), transaction::current()) {
        (Some(scope), Some(intents)) => {
            tokio::spawn(in_scope(scope, transaction::inside(intents, future)))
        }
        (Some(scope), None) => tokio::spawn(in_scope(scope, future)),
        (None, Some(intents)) => tokio::spawn(transaction::inside(intents, future)),
        (None, None) => tokio::spawn(future),
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
    let (scope, intents) = (Scope::here(), transaction::current());
    tokio::task::spawn_blocking(move || {
        let f = || match intents {
            Some(intents) => transaction::inside_sync(intents, f),
            None => f(),
        };
        match scope {
            Some(scope) => in_scope_sync(scope, f),
            None => f(),
        }
    })
}

/// Spawns what goes on without the caller, with the caller's scope.
pub(crate) fn spawn_on(runtime: &Handle, future: impl Future<Output = ()> + Send + 'static) {
    match Scope::here() {
        Some(scope) => drop(runtime.spawn(in_scope(scope, future))),
        None => drop(runtime.spawn(future)),
    }
}

/// The same for what blocks a thread.
pub(crate) fn spawn_blocking_on(runtime: &Handle, f: impl FnOnce() + Send + 'static) {
    match Scope::here() {
        Some(scope) => drop(runtime.spawn_blocking(move || in_scope_sync(scope, f))),
        None => drop(runtime.spawn_blocking(f)),
    }
}
