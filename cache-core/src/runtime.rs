//! The one thread that Larder owns.
//!
//! Connections, the renewal of leases and the replay of invalidations must go on while no runtime of the user does, and
//! sync functions need somebody to do their async part. So one thread named `larder` runs a small tokio runtime. It
//! starts when it is first needed and stays for the life of the process.

use std::{
    cell::Cell,
    future::{Future, pending},
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    thread,
};

use cache_store::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle};

static RUNTIME: OnceLock<Handle> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

thread_local! {
    static IS_LARDER: Cell<bool> = const { Cell::new(false) };
}

/// The runtime of the thread `larder`, which is started if need be; a start that failed is tried again.
pub(crate) fn handle() -> Result<&'static Handle> {
    if let Some(handle) = RUNTIME.get() {
        return Ok(handle);
    }
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = RUNTIME.get() {
        return Ok(handle);
    }
    let started = start()?;
    Ok(RUNTIME.get_or_init(|| started))
}

/// Whether the calling thread is the thread `larder`, which must not be blocked.
pub(crate) fn is_own_thread() -> bool {
    IS_LARDER.get()
}

/// Runs `future` on the thread `larder` and blocks the calling thread until it is done; `None`, with the reason in the
/// log, when that is impossible: the future panicked, the thread cannot be started, or it is the calling one.
///
/// Works outside tokio and on any of its threads, because nothing that `future` needs runs on the calling thread.
pub(crate) fn wait_for<F>(future: F) -> Option<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if is_own_thread() {
        tracing::error!(
            "a sync cached function ran on Larder's own thread, where it cannot wait: the shared tier is passed over"
        );
        return None;
    }
    let runtime =
        handle().inspect_err(|error| tracing::error!(%error, "no runtime thread")).ok()?;
    let (done, result) = mpsc::sync_channel(1);
    runtime.spawn(async move {
        // An error means that the waiting thread is gone.
        let _ = done.send(future.await);
    });
    // A panic drops the sender, so that this ends in every case.
    result.recv().inspect_err(|_| tracing::error!("a cache operation panicked")).ok()
}

/// The runtime is made and dropped on its own thread: dropping one inside another panics.
fn start() -> Result<Handle> {
    let (ready, started) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("larder".to_owned())
        .spawn(move || run(&ready))
        .map_err(|cause| cannot_start(&cause))?;
    match started.recv() {
        Ok(Ok(handle)) => Ok(handle),
        Ok(Err(cause)) => Err(cannot_start(&cause)),
        Err(cause) => Err(cannot_start(&cause)),
    }
}

fn run(ready: &mpsc::SyncSender<std::io::Result<Handle>>) {
    IS_LARDER.set(true);
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => {
            // The receiver waits for exactly one message.
            let _ = ready.send(Err(cause));
            return;
        }
    };
    let _ = ready.send(Ok(runtime.handle().clone()));
    runtime.block_on(pending())
}

fn cannot_start(cause: &dyn std::error::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the thread `larder` cannot be started: {cause}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn name_of_thread() -> Option<String> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        thread::current().name().map(str::to_owned)
    }

    #[test]
    fn outside_tokio_it_waits_for_the_thread_larder() {
        assert_eq!(wait_for(name_of_thread()), Some(Some("larder".to_owned())));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn on_the_only_thread_of_a_runtime_it_waits_without_a_deadlock() {
        assert_eq!(wait_for(name_of_thread()), Some(Some("larder".to_owned())));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn on_the_only_worker_of_a_runtime_it_waits_without_a_deadlock() {
        let waited = tokio::spawn(async { wait_for(name_of_thread()) });
        assert_eq!(waited.await.unwrap(), Some(Some("larder".to_owned())));
    }

    #[test]
    fn on_the_thread_larder_itself_it_says_no_instead_of_hanging() {
        let inner = wait_for(async { wait_for(name_of_thread()) });
        assert_eq!(inner, Some(None));
    }

    #[test]
    fn a_panic_is_no_hang_and_leaves_the_thread_alive() {
        let panicked = wait_for(async { assert!(thread::panicking(), "on purpose") });
        assert_eq!(panicked, None);
        assert_eq!(wait_for(async { 7 }), Some(7));
    }

    #[test]
    fn every_thread_gets_the_same_runtime() {
        let ids: Vec<_> = thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| handle().unwrap().id())).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]));
    }

    #[test]
    fn what_was_spawned_goes_on_after_the_callers_runtime_is_gone() {
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let callers = Builder::new_current_thread().build().unwrap();
        let entered = callers.enter();
        let task = handle().unwrap().spawn(gone);
        drop(entered);
        drop(callers);
        go.send(()).unwrap();
        assert_eq!(wait_for(task).unwrap().unwrap(), Ok(()));
    }
}
