//! Waiting, also where the caller's runtime has no timers, or where there is none.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use tokio::{
    runtime::{Handle, Id},
    time::{Instant, Sleep},
};

use crate::runtime;

/// Waits. Without tokio, or in a runtime without timers, the thread `larder` has the timer; without that thread there is no
/// waiting.
pub(crate) async fn sleep_until(until: Instant) {
    if has_timers() {
        return tokio::time::sleep_until(until).await;
    }
    let Ok(larder) = runtime::handle() else { return };
    let sleep = {
        let _inside = larder.enter();
        tokio::time::sleep_until(until)
    };
    sleep.await;
}

/// Waits that long.
pub(crate) async fn sleep(wait: Duration) {
    let now = Instant::now();
    // What no clock can tell is not waited for by anybody.
    sleep_until(now.checked_add(wait).unwrap_or(now)).await;
}

/// What `future` answers, unless that takes longer.
pub(crate) async fn timeout<F: Future>(wait: Duration, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = sleep(wait) => None,
    }
}

thread_local! {
    /// The runtime that this thread asked last, and whether it has timers.
    static ASKED: Cell<Option<(Id, bool)>> = const { Cell::new(None) };
}

/// Whether the calling task's runtime has timers. Tokio tells by a panic, of which a program is spared all but one for each of
/// its threads; paused time rules out using a timer of our own everywhere.
fn has_timers() -> bool {
    let Ok(handle) = Handle::try_current() else { return false };
    let id = handle.id();
    match ASKED.get() {
        Some((asked, has)) if asked == id => has,
        _ => {
            let timer = || -> Sleep { tokio::time::sleep(Duration::ZERO) };
            let has = catch_unwind(AssertUnwindSafe(timer)).is_ok();
            if !has {
                tracing::debug!(target: "larder", "the runtime has no timers (`enable_time`); the thread `larder` has");
            }
            ASKED.set(Some((id, has)));
            has
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_without_timers_is_no_reason_to_panic_or_not_to_wait() {
        let bare = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let start = std::time::Instant::now();
        bare.block_on(async {
            sleep(Duration::from_millis(20)).await;
            assert_eq!(timeout(Duration::from_millis(1), std::future::pending::<()>()).await, None);
            assert_eq!(timeout(Duration::from_secs(60), async { 7 }).await, Some(7));
        });
        assert!(start.elapsed() >= Duration::from_millis(20));
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_is_paused_is_waited_for_as_such() {
        let (start, real) = (Instant::now(), std::time::Instant::now());
        sleep(Duration::from_secs(3600)).await;
        assert!(start.elapsed() >= Duration::from_secs(3600));
        assert!(real.elapsed() < Duration::from_secs(60));
    }
}
