//! Bodies that run in the background, and the end of it all.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use cache_store::{Error, ErrorKind, Result};
use tokio::{runtime::Handle, sync::Notify, time::Instant};

use super::{Engine, call::after};
use crate::{runtime, stats::Counter, timer::sleep_until};

/// What runs in the background for one cache.
#[derive(Debug, Default)]
pub(super) struct Background {
    running: AtomicUsize,
    closed: AtomicBool,
    /// Told whenever there is less to wait for.
    pub(super) quiet: Notify,
}

/// The right to run one body in the background.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Engine>);

impl Engine {
    /// Room for one body in the background; `None` when there is none, or the cache was shut down.
    pub(crate) fn permit(self: &Arc<Self>) -> Option<Permit> {
        // Counted first and asked afterwards: whoever shuts down either sees this one or is seen by it.
        let others = self.background.running.fetch_add(1, Ordering::SeqCst);
        let permit = Permit(Arc::clone(self));
        if self.background.closed.load(Ordering::SeqCst) {
            return None;
        }
        if others >= self.settings.background_limit {
            self.counters.count(Counter::RefreshesLimited);
            return None;
        }
        Some(permit)
    }

    /// Where a future of the caller's goes on: the runtime that was given, or the caller's own, or the thread `larder`.
    pub(crate) fn place_for_bodies(&self) -> Result<Handle> {
        match (&self.settings.runtime, Handle::try_current()) {
            (Some(given), _) => Ok(given.clone()),
            (None, Ok(callers)) => Ok(callers),
            (None, Err(_)) => runtime::handle().cloned(),
        }
    }

    /// Begins nothing more in the background, and waits for what has begun.
    pub(crate) async fn shutdown(&self, deadline: Duration) -> Result<()> {
        self.background.closed.store(true, Ordering::SeqCst);
        self.topics.close();
        let end = after(Instant::now(), deadline);
        let mut end = pin!(sleep_until(end));
        let in_time = loop {
            let mut quieter = pin!(self.background.quiet.notified());
            // Before the look: what becomes quiet after it is heard.
            quieter.as_mut().enable();
            if self.left_to_do() == (0, 0) {
                break true;
            }
            tokio::select! {
                () = quieter => {}
                () = &mut end => break false,
            }
        };
        self.session.close();
        if in_time { Ok(()) } else { Err(unfinished(self.left_to_do())) }
    }

    /// Bodies in the background, and invalidations that the shared tier has still to be told.
    fn left_to_do(&self) -> (usize, usize) {
        (self.background.running.load(Ordering::SeqCst), self.waiting())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.background.running.fetch_sub(1, Ordering::SeqCst);
        self.0.background.quiet.notify_waiters();
    }
}

fn unfinished((bodies, invalidations): (usize, usize)) -> Error {
    let message = format!(
        "the time was not enough: {bodies} bodies run in the background still, and {invalidations} invalidations wait \
         for the shared tier"
    );
    Error::new(ErrorKind::TimedOut, message).during("shutdown")
}
