//! Taking back announcements that nobody will end: of writes, and of loads under a lease.
//!
//! BEGIN leaves a record beside the key, and while it stands nobody stores the key. Whoever was told that the write is
//! announced ends it. But where no answer came, or where the request of the key succeeded and the one of the namespace, on
//! another node perhaps, did not, the caller holds nothing that could be ended. He goes on as if it had not been announced,
//! and invalidates the key afterwards; so the record alone has to go.
//!
//! READ leaves a lease likewise, and while it stands nobody else loads the key. Whoever asked for it and left, or had no answer,
//! does not even know the nonce that the lease was given under; its token is enough to take it back. So it is for a lease that was
//! to be given back when the server went away.
//!
//! BEGIN_TAGS leaves records beside tags. Whoever asked for them ends them in any case, so only an end that was not confirmed is
//! sent again: it invalidates the tags once more.
//!
//! Nothing rests on it: a record and a lease also end with their time. So what waits is bounded, and given up when its time is over.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cache_store::{Lease, Nonce};
use redis::Cmd;
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep},
};

use crate::{backoff::Backoff, batch::Batch, link::Link, reply::Replies, script};

/// How many announcements wait at most; beyond that the oldest ones are left to end by themselves.
const MOST: usize = 1024;
/// How many one request takes back.
const ROUND: usize = 64;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A lease may be asked for for ever, and clocks end.
const FURTHEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Takes announcements back in the background.
pub(crate) struct Withdrawals {
    link: Arc<Link>,
    queue: Arc<Mutex<Queue>>,
}

/// Announcements under way: those that are not [settled](Self::is_settled) are taken back when this is dropped.
pub(crate) struct Announcing<'a> {
    withdrawals: &'a Withdrawals,
    open: Vec<Withdrawal>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Withdrawal>,
    worker: Option<AbortHandle>,
}

/// One record of a write, one lease, or the records of one change of tags.
struct Withdrawal {
    /// Where it is.
    name: String,
    token: Nonce,
    kind: Kind,
    /// When it ends by itself.
    until: Instant,
}

enum Kind {
    Write,
    Lease,
    /// With what ends it.
    Change(Cmd),
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
    /// A write is about to be announced where the key's writers are recorded, for this long.
    pub(crate) fn add_write(&mut self, writers: String, token: Nonce, at_most: Duration) {
        self.add(writers, token, Kind::Write, at_most);
    }

    /// This lease is about to be asked for, or to be given back.
    pub(crate) fn add_lease(&mut self, name: String, lease: Lease) {
        self.add(name, lease.token, Kind::Lease, lease.life);
    }

    /// A change of tags is about to be ended by this command, in the slot of `name`.
    pub(crate) fn add_change(&mut self, name: String, token: Nonce, end: Cmd, at_most: Duration) {
        self.add(name, token, Kind::Change(end), at_most);
    }

    fn add(&mut self, name: String, token: Nonce, kind: Kind, at_most: Duration) {
        let until = Instant::now() + at_most.min(FURTHEST);
        self.open.push(Withdrawal { name, token, kind, until });
    }

    /// The caller has the answer: he ends what stands, or has ended it.
    pub(crate) fn is_settled(&mut self, token: Nonce) {
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

impl Withdrawal {
    fn command(&self) -> Cmd {
        let mut command = match &self.kind {
            Kind::Change(end) => return end.clone(),
            Kind::Lease => script::UNLEASE.call(&[&self.name]),
            Kind::Write => {
                let mut command = redis::cmd("ZREM");
                command.arg(&self.name);
                command
            }
        };
        command.arg(self.token.as_bytes());
        command
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
        let connects = link.connects();
        let failed = withdraw(&link, round).await;
        if failed.is_empty() {
            pause.reset();
        } else {
            // Behind the others: a node that is away must not hold them up.
            lock(&queue).add(failed);
            // Others wait for what is to be taken back: at once when the server has come back.
            tokio::select! {
                () = sleep(pause.step()) => {}
                () = connects => pause.reset(),
            }
        }
    }
}

/// Those that it could not take back.
async fn withdraw(link: &Arc<Link>, round: Vec<Withdrawal>) -> Vec<Withdrawal> {
    let is_done: Vec<bool> = if link.is_one_server() {
        let all = round.iter().fold(Batch::new(""), |batch, one| batch.with(one.command()));
        let mut replies = Replies::new(link.send(&all).await.unwrap_or_default());
        round.iter().map(|_| replies.next_int().is_ok()).collect()
    } else {
        let batch = |one: &Withdrawal| Batch::new(one.name.as_str()).with(one.command());
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
        let token = || Nonce::random().unwrap();
        let one = || Withdrawal { name: "w".to_owned(), token: token(), kind: Kind::Write, until };
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
