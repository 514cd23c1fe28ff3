//! Taking back announcements of writes that nobody will end.
//!
//! BEGIN leaves a record beside the key, and while it stands nobody stores the key. Whoever was told that the write is
//! announced ends it. But where no answer came, or where the request of the key succeeded and the one of the namespace, on
//! another node perhaps, did not, the caller holds nothing that could be ended. He goes on as if it had not been announced,
//! and invalidates the key afterwards; so the record alone has to go.
//!
//! Nothing rests on it: a record also ends with its time. So what waits is bounded, and given up when its time is over.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cache_store::Nonce;
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep},
};

use crate::{backoff::Backoff, batch::Batch, link::Link, reply::Replies};

/// How many announcements wait at most; beyond that the oldest ones are left to end by themselves.
const MOST: usize = 1024;
/// How many one request takes back.
const ROUND: usize = 64;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Takes announcements back in the background.
pub(crate) struct Withdrawals {
    link: Arc<Link>,
    queue: Arc<Mutex<Queue>>,
}

/// Announcements under way: those that do not come to [stand](Self::stands) are taken back when this is dropped.
pub(crate) struct Announcing<'a> {
    withdrawals: &'a Withdrawals,
    open: Vec<Withdrawal>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Withdrawal>,
    worker: Option<AbortHandle>,
}

/// One record of a write.
struct Withdrawal {
    /// Where the key's writers are recorded.
    writers: String,
    token: Nonce,
    /// When it ends by itself.
    until: Instant,
}

impl Withdrawals {
    /// Works through `link`, on its runtime.
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link, queue: Arc::default() }
    }

    /// None yet.
    pub(crate) const fn announcing(&self) -> Announcing<'_> {
        Announcing { withdrawals: self, open: Vec::new() }
    }

    /// Stops.
    pub(crate) fn close(&self) {
        if let Some(worker) = &lock(&self.queue).worker {
            worker.abort();
        }
    }

    fn add(&self, some: Vec<Withdrawal>) {
        let mut queue = lock(&self.queue);
        queue.add(some);
        if queue.worker.is_none() {
            let work = work(Arc::clone(&self.link), Arc::clone(&self.queue));
            queue.worker = Some(self.link.runtime().spawn(work).abort_handle());
        }
    }
}

impl Announcing<'_> {
    /// A write is about to be announced, for this long.
    pub(crate) fn add(&mut self, writers: String, token: Nonce, at_most: Duration) {
        self.open.push(Withdrawal { writers, token, until: Instant::now() + at_most });
    }

    /// The caller is told that this one stands, and ends it.
    pub(crate) fn stands(&mut self, token: Nonce) {
        self.open.retain(|one| one.token != token);
    }
}

impl Drop for Announcing<'_> {
    fn drop(&mut self) {
        if !self.open.is_empty() {
            self.withdrawals.add(std::mem::take(&mut self.open));
        }
    }
}

impl Queue {
    fn add(&mut self, some: Vec<Withdrawal>) {
        self.waiting.extend(some);
        let too_many = self.waiting.len().saturating_sub(MOST);
        self.waiting.drain(..too_many);
    }

    /// The next ones whose time is not over; with none the worker ends.
    fn take(&mut self) -> Vec<Withdrawal> {
        let now = Instant::now();
        self.waiting.retain(|one| now < one.until);
        let round: Vec<_> = self.waiting.drain(..self.waiting.len().min(ROUND)).collect();
        if round.is_empty() {
            self.worker = None;
        }
        round
    }
}

async fn work(link: Arc<Link>, queue: Arc<Mutex<Queue>>) {
    let mut pause = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let round = lock(&queue).take();
        if round.is_empty() {
            return;
        }
        let failed = withdraw(&link, round).await;
        if failed.is_empty() {
            pause.reset();
        } else {
            // Behind the others: a node that is away must not hold them up.
            lock(&queue).add(failed);
            sleep(pause.step()).await;
        }
    }
}

/// Those that it could not take back.
async fn withdraw(link: &Arc<Link>, round: Vec<Withdrawal>) -> Vec<Withdrawal> {
    let command = |one: &Withdrawal| {
        let mut command = redis::cmd("ZREM");
        command.arg(&one.writers).arg(one.token.as_bytes());
        command
    };
    let is_done: Vec<bool> = if link.is_one_server() {
        let all = round.iter().fold(Batch::new(""), |batch, one| batch.with(command(one)));
        let mut replies = Replies::new(link.send(&all).await.unwrap_or_default());
        round.iter().map(|_| replies.next_int().is_ok()).collect()
    } else {
        let batch = |one: &Withdrawal| Batch::new(one.writers.as_str()).with(command(one));
        let answers = link.send_each(round.iter().map(batch).collect()).await;
        let is_done = |replies| Replies::new(replies).next_int().is_ok();
        answers.into_iter().map(|answer| answer.is_ok_and(is_done)).collect()
    };
    round.into_iter().zip(is_done).filter_map(|(one, is_done)| (!is_done).then_some(one)).collect()
}

/// A panic while the lock was held left the queue whole: every change is one step.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(count: usize, until: Instant) -> Vec<Withdrawal> {
        let one = || Withdrawal { writers: "w".to_owned(), token: Nonce::random().unwrap(), until };
        (0..count).map(|_| one()).collect()
    }

    #[test]
    fn what_waits_is_bounded_and_ends_with_its_time() {
        let mut queue = Queue::default();
        let now = Instant::now();
        queue.add(some(MOST, now));
        queue.add(some(ROUND + 1, now + Duration::from_secs(60)));
        assert_eq!(queue.waiting.len(), MOST);
        assert_eq!(queue.take().len(), ROUND, "the others are over");
        assert_eq!((queue.take().len(), queue.take().len()), (1, 0));
    }
}
