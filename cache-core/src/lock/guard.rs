//! A lock that is held: what the holder sees of it, and how it is let go of.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use cache_store::{Error, ErrorKind, Lease, Locked, Nonce, Result, Store};
use tokio::{
    sync::oneshot,
    task::AbortHandle,
    time::{Instant, sleep},
};

use super::{
    held::{Held, keep},
    place::Place,
};
use crate::engine::Engine;

/// Between two tries to let go of a lock, at first.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A lock that this process holds. Dropping it lets go of the lock, in the background.
///
/// It is renewed in the background while the guard lives, so a long job needs no long ttl. A holder can lose it
/// nevertheless: when the shared tier cannot be reached for the ttl, when it forgets, or when the process stands still.
/// Ask [`is_held`](Self::is_held) between steps or watch [`lost`](Self::lost), and hand
/// [`fencing_token`](Self::fencing_token) to whatever is written to: that alone keeps a holder that stood still from
/// overwriting its successor's work.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// # async fn import(token: u64) {}
/// let cache = larder::Cache::memory();
/// let guard = cache.lock("import:user:123").acquire().await?;
/// tokio::select! {
///     () = import(guard.fencing_token()) => guard.release().await?,
///     () = guard.lost() => eprintln!("another process may be at it: stopped"),
/// }
/// # Ok(()) }
/// ```
#[must_use = "a guard that is dropped lets go of its lock"]
pub struct LockGuard {
    engine: Arc<Engine>,
    place: Place,
    held: Arc<Held>,
    renewal: Option<AbortHandle>,
    released: bool,
}

impl LockGuard {
    /// A number that is greater than that of every earlier acquisition of this name.
    ///
    /// Send it along with every write that the lock protects, and have the receiver refuse a number that is less than
    /// one it has seen. It is no count: it begins at the clock of the server, so that it grows after a loss of data, too.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let guard = cache.lock("report").acquire().await?;
    /// let update = format!("UPDATE report SET … WHERE fence <= {}", guard.fencing_token());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn fencing_token(&self) -> u64 {
        self.held.fencing
    }

    /// The name of the lock.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// assert_eq!(cache.lock("report").acquire().await?.name(), "report");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.held.name
    }

    /// Whether the lock is sure to be this guard's now. Asks nobody. `false` is final.
    ///
    /// `true` says no more than that the ttl, counted by this process's clock from before the last confirmed request was
    /// sent, is not over. By the time you act on it, it may be: see [`fencing_token`](Self::fencing_token).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let guard = cache.lock("report").acquire().await?;
    /// for part in 0..3 {
    ///     if !guard.is_held() {
    ///         break; // another process may be at it
    ///     }
    ///     println!("part {part}");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.is_held()
    }

    /// Resolves when the lock is lost or may be: a renewal was refused, or none was confirmed for so long that the ttl may
    /// be over, counted by this process's clock from before the request was sent. Resolves also when the guard is gone.
    ///
    /// The future borrows nothing, so another task may watch. A lock without a shared tier is never lost.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed, and a later call resolves at once if it was lost meanwhile.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let guard = cache.lock("report").acquire().await?;
    /// let lost = tokio::spawn(guard.lost());
    /// assert!(!lost.is_finished());
    /// guard.release().await?;
    /// lost.await.expect("it does not panic");
    /// # Ok(()) }
    /// ```
    pub fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let held = Arc::clone(&self.held);
        async move { held.over().await }
    }

    /// Lets go of the lock, and tells whether it was this guard's until then.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Fenced`](crate::ErrorKind::Fenced) when the lock had ended before: another one may have had it while
    /// you thought that you did. Whatever kept the shared tier from answering: then the lock is let go of in the
    /// background, at the latest by the end of its ttl, and whether it was held is not known.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the lock is let go of all the same.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let guard = cache.lock("report").acquire().await?;
    /// guard.release().await?; // it was held until here
    /// assert!(cache.lock("report").try_acquire().await?.is_some());
    /// # Ok(()) }
    /// ```
    pub fn release(mut self) -> impl Future<Output = Result<()>> + Send + use<> {
        // At once and not when it is polled: a future that nobody polls lets go, too.
        let released = self.let_go();
        let name = Arc::clone(&self.held.name);
        async move {
            match released.await {
                Ok(true) => Ok(()),
                Ok(false) => Err(had_ended(&name)),
                Err(error) => {
                    Err(failed(&name, "it is not known whether the lock was held", error))
                }
            }
        }
    }

    /// Ends all that goes on for the lock, and begins to give it back; whether it was held is told later.
    fn let_go(&mut self) -> impl Future<Output = Result<bool>> + Send + use<> {
        self.released = true;
        if let Some(renewal) = self.renewal.take() {
            renewal.abort();
        }
        self.held.release();
        let (name, lease) = (Arc::clone(&self.held.name), self.held.lease);
        let (told, answer) = oneshot::channel();
        match &self.place {
            Place::Here(engine) => {
                engine.locks.release(&name);
                // The receiver is right here.
                let _ = told.send(Ok(true));
            }
            Place::Shared(store) => give_back(&self.engine, store, name, lease, told),
        }
        async move { answer.await.unwrap_or_else(|_| Err(no_runtime())) }
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        if !self.released {
            drop(self.let_go());
        }
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard")
            .field("name", &self.held.name)
            .field("fencing_token", &self.held.fencing)
            .field("is_held", &self.is_held())
            .finish()
    }
}

/// Tries to take a lock; `None` when another one has it.
///
/// The request is made by a task of its own, which nobody can drop half-way: only once it is answered it is known what
/// has to be let go of when the caller is gone by then.
pub(super) async fn attempt(
    engine: &Arc<Engine>,
    place: &Place,
    name: &Arc<str>,
    ttl: Duration,
) -> Result<Option<LockGuard>> {
    let lease = Lease { token: Nonce::random()?, life: ttl };
    let store = match place {
        Place::Shared(store) => Arc::clone(store),
        Place::Here(_) => return Ok(take_here(engine, place, name, lease)),
    };
    let (told, answer) = oneshot::channel();
    let (asking, name) = (Arc::clone(engine), Arc::clone(name));
    engine.runtime()?.spawn(async move {
        // A guard that nobody receives is dropped, and so lets go of the lock.
        drop(told.send(take_shared(asking, store, name, lease).await));
    });
    answer.await.unwrap_or_else(|_| Err(no_runtime()))
}

fn take_here(
    engine: &Arc<Engine>,
    place: &Place,
    name: &Arc<str>,
    lease: Lease,
) -> Option<LockGuard> {
    let fencing = engine.locks.acquire(name)?;
    let held = Held::here(Arc::clone(name), lease, fencing, engine.settings.clock.clone());
    let (engine, place) = (Arc::clone(engine), place.clone());
    Some(LockGuard { engine, place, held: Arc::new(held), renewal: None, released: false })
}

async fn take_shared(
    engine: Arc<Engine>,
    store: Arc<dyn Store>,
    name: Arc<str>,
    lease: Lease,
) -> Result<Option<LockGuard>> {
    // Before it is sent: the lock's time at the server begins later.
    let sent = engine.now();
    let fencing = match store.acquire_lock(&name, lease).await {
        Ok(Locked::Acquired(fencing)) => fencing,
        Ok(Locked::Held(_)) => {
            engine.answered();
            return Ok(None);
        }
        Err(error) => {
            engine.count_error(&error);
            if error.kind() != ErrorKind::Unsupported {
                // It may have been taken although nobody was told so.
                let nobody = oneshot::channel().0;
                give_back(&engine, &store, Arc::clone(&name), lease, nobody);
            }
            return Err(failed(&name, "the lock was not taken", error));
        }
    };
    engine.answered();
    let clock = engine.settings.clock.clone();
    let held = Arc::new(Held::shared(Arc::clone(&name), lease, fencing, clock, sent));
    let renewal = engine
        .runtime()?
        .spawn(keep(Arc::clone(&engine), Arc::clone(&store), Arc::clone(&held)))
        .abort_handle();
    let place = Place::Shared(store);
    let guard = LockGuard { engine, place, held, renewal: Some(renewal), released: false };
    if !guard.is_held() {
        let message = format!("the lock `{name}` was granted so late that its ttl may be over");
        return Err(Error::new(ErrorKind::Timeout, message).during("lock"));
    }
    Ok(Some(guard))
}

/// Lets go of what this acquisition may have, again and again until it is confirmed or the lock has ended by itself.
/// The first answer is told.
fn give_back(
    engine: &Arc<Engine>,
    store: &Arc<dyn Store>,
    name: Arc<str>,
    lease: Lease,
    told: oneshot::Sender<Result<bool>>,
) {
    // Without a runtime nobody is told, and the lock ends by itself.
    let Ok(runtime) = engine.runtime() else { return };
    let store = Arc::clone(store);
    runtime.spawn(async move {
        let (began, mut told, mut pause) = (Instant::now(), Some(told), FIRST_PAUSE);
        loop {
            let answer = store.release_lock(&name, lease.token).await;
            let is_done = answer.is_ok();
            if let Some(told) = told.take() {
                // Most do not wait for it.
                let _ = told.send(answer);
            }
            if is_done || began.elapsed() + pause > lease.life {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    });
}

fn had_ended(name: &str) -> Error {
    let message = format!(
        "the lock `{name}` had ended before it was released: another one may have held it meanwhile"
    );
    Error::new(ErrorKind::Fenced, message).during("release")
}

fn failed(name: &str, what: &str, cause: Error) -> Error {
    let message = format!("{what}, for the shared tier did not answer (`{name}`): {cause}");
    Error::new(cause.kind(), message).with_source(cause).during("lock")
}

fn no_runtime() -> Error {
    let message =
        "the runtime that the cache works on is gone; build the cache without `.runtime(…)`";
    Error::new(ErrorKind::Unavailable, message).during("lock")
}
