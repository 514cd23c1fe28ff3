//! Giving back the memory of invalidated values before they expire.
//!
//! Nothing rests on it: an invalidated value is never served, swept or not. So it is bounded in every way, it stops at the
//! first difficulty, and it takes only what is invalid *for good*, however long ago that was found out:
//!
//! - a value whose position in the pattern log is lost, or has a later record that matches the key ([`patterns`]);
//! - a value that names a nonce which its tag had once and has no longer ([`members`]).
//!
//! No nonce comes back, so neither can become valid again; and the value is deleted only if it is still the one that was
//! judged. A fresh value under the same name has other random bytes, and stays.

mod members;
mod patterns;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cache_store::Result;
use cache_template::Glob;
use redis::Cmd;
use tokio::task::AbortHandle;

use crate::{batch::Batch, link::Link, names::Names, reply::Replies, script};

/// Sweeps of patterns that wait their turn, each of them a SCAN of everything; beyond that, expiry does the work.
const MOST_PATTERNS: usize = 8;
/// Sweeps of tags that do.
const MOST_TAGS: usize = 512;
/// How many names one request looks at, about.
const BATCH: usize = 200;
/// How many requests one sweep makes at most of each server: two million names.
const MOST_BATCHES: usize = 10_000;
/// The server's pause between two of them.
const PAUSE: Duration = Duration::from_millis(5);

/// One sweep at a time in this process, whatever the number of its stores.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Sweeps one thing after the other, in the background.
pub(crate) struct Sweeper {
    broom: Broom,
    queue: Arc<Mutex<Queue>>,
}

/// What to sweep.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// The values of the keys that match.
    Pattern(Glob),
    /// The values that were stored with the tag.
    Tag(String),
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Sweep>,
    worker: Option<AbortHandle>,
}

/// What sweeps.
#[derive(Clone)]
pub(crate) struct Broom {
    link: Arc<Link>,
    names: Names,
}

impl Sweeper {
    /// Works through `link`, on its runtime.
    pub(crate) fn new(link: Arc<Link>, names: Names) -> Self {
        Self { broom: Broom { link, names }, queue: Arc::default() }
    }

    /// Has something swept that was invalidated.
    pub(crate) fn add(&self, sweep: Sweep) {
        let mut queue = lock(&self.queue);
        if !queue.push(sweep) || queue.worker.is_some() {
            return;
        }
        let work = work(self.broom.clone(), Arc::clone(&self.queue));
        queue.worker = Some(self.broom.link.runtime().spawn(work).abort_handle());
    }

    /// Stops.
    pub(crate) fn close(&self) {
        if let Some(worker) = &lock(&self.queue).worker {
            worker.abort();
        }
    }
}

impl Queue {
    /// Adds a sweep, in place of an equal one that has not begun; whether there was room.
    fn push(&mut self, sweep: Sweep) -> bool {
        self.waiting.retain(|one| *one != sweep);
        let most = if sweep.is_pattern() { MOST_PATTERNS } else { MOST_TAGS };
        let same = self.waiting.iter().filter(|one| one.is_pattern() == sweep.is_pattern());
        let room = same.count() < most;
        if room {
            self.waiting.push_back(sweep);
        }
        room
    }
}

impl Sweep {
    const fn is_pattern(&self) -> bool {
        matches!(self, Self::Pattern(_))
    }
}

async fn work(broom: Broom, queue: Arc<Mutex<Queue>>) {
    loop {
        let turn = TURN.lock().await;
        let next = {
            let mut queue = lock(&queue);
            let next = queue.waiting.pop_front();
            if next.is_none() {
                queue.worker = None;
            }
            next
        };
        let Some(next) = next else { return };
        let swept = match &next {
            Sweep::Pattern(glob) => broom.sweep_pattern(glob).await,
            Sweep::Tag(tag) => broom.sweep_tag(tag).await,
        };
        drop(turn);
        match swept {
            Ok(gone) => tracing::debug!(target: "larder::redis", ?next, gone, "swept"),
            Err(cause) => tracing::debug!(target: "larder::redis", ?next, %cause, "not swept"),
        }
    }
}

impl Broom {
    pub(crate) fn new(link: Arc<Link>, names: Names) -> Self {
        Self { link, names }
    }

    async fn send(&self, batch: &Batch) -> Result<Replies> {
        self.link.send(batch).await.map(Replies::new)
    }

    /// Deletes the value of this name if these bytes are among its first.
    fn unlink(&self, name: &str, mark: &[u8]) -> Cmd {
        let mut command = script::SWEEP.call(&[name]);
        command.arg(mark);
        command
    }
}

/// A panic while the lock was held left the queue whole: every change is one step.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
