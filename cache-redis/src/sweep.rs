//! Giving back the memory of invalidated values before they expire.
//!
//! Nothing rests on it: an invalidated value is never served, swept or not. So it is bounded in every way, and it stops
//! at the first difficulty.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cache_store::Result;
use tokio::{task::AbortHandle, time::sleep};

use crate::{batch::Batch, link::Link, reply::Replies, script};

/// Sweeps that wait their turn; beyond that, expiry does the work.
const MOST_WAITING: usize = 8;
/// How many names one SCAN looks at, about.
const BATCH: usize = 500;
/// How many SCANs one sweep takes at most: two million names.
const MOST_BATCHES: usize = 4_000;
/// The server's pause between two of them.
const PAUSE: Duration = Duration::from_millis(5);

/// Sweeps one pattern after the other, in the background.
pub(crate) struct Sweeper {
    link: Arc<Link>,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Sweep>,
    worker: Option<AbortHandle>,
}

/// The values that match, as far as they are older than the invalidation.
struct Sweep {
    glob: String,
    /// Seconds, by the server's clock.
    invalidated_at: i64,
}

impl Sweeper {
    /// Works through `link`, on its runtime.
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link, queue: Arc::default() }
    }

    /// Has the values swept that match Redis's `glob`.
    pub(crate) fn add(&self, glob: String, invalidated_at: i64) {
        let mut queue = lock(&self.queue);
        queue.waiting.retain(|sweep| sweep.glob != glob);
        if queue.waiting.len() >= MOST_WAITING {
            return;
        }
        queue.waiting.push_back(Sweep { glob, invalidated_at });
        if queue.worker.is_none() {
            let work = work(Arc::clone(&self.link), Arc::clone(&self.queue));
            queue.worker = Some(self.link.runtime().spawn(work).abort_handle());
        }
    }

    /// Stops.
    pub(crate) fn close(&self) {
        if let Some(worker) = &lock(&self.queue).worker {
            worker.abort();
        }
    }
}

async fn work(link: Arc<Link>, queue: Arc<Mutex<Queue>>) {
    loop {
        let next = {
            let mut queue = lock(&queue);
            let next = queue.waiting.pop_front();
            if next.is_none() {
                queue.worker = None;
            }
            next
        };
        let Some(next) = next else { return };
        match sweep(&link, &next).await {
            Ok(gone) => {
                tracing::debug!(target: "larder::redis", glob = next.glob, gone, "swept");
            }
            Err(cause) => {
                tracing::debug!(target: "larder::redis", glob = next.glob, %cause, "not swept");
            }
        }
    }
}

async fn sweep(link: &Arc<Link>, sweep: &Sweep) -> Result<i64> {
    let mut cursor = b"0".to_vec();
    let mut total = 0;
    for _ in 0..MOST_BATCHES {
        let mut scan = redis::cmd("SCAN");
        scan.arg(&cursor).arg("MATCH").arg(&sweep.glob).arg("COUNT").arg(BATCH);
        scan.arg("TYPE").arg("string");
        let mut page = send(link, scan).await?.next_list()?;
        cursor = page.next_bytes()?.unwrap_or_default();
        let names = page.next_list()?.strings()?;
        if !names.is_empty() {
            let mut command =
                script::SWEEP.call(&names.iter().map(String::as_str).collect::<Vec<_>>());
            command.arg(sweep.invalidated_at);
            match send(link, command).await?.next_int()? {
                -1 => return Ok(total),
                gone => total += gone,
            }
        }
        if cursor.is_empty() || cursor == b"0" {
            return Ok(total);
        }
        sleep(PAUSE).await;
    }
    Ok(total)
}

async fn send(link: &Arc<Link>, command: redis::Cmd) -> Result<Replies> {
    link.send(&Batch::new("").with(command)).await.map(Replies::new)
}

/// A panic while the lock was held left the queue whole: every change is one step.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
