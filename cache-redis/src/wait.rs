//! Waiting for a lease to end, without asking again and again.
//!
//! A second connection has the server track exactly the keys that somebody waits for, and push when one of them is
//! deleted, rewritten or expires (`CLIENT TRACKING`, <https://redis.io/docs/latest/develop/reference/client-side-caching/>).
//! Pushes can be lost with the connection, and a renewal pushes too, so a waiter looks again after each push, and now
//! and then without one. A cluster and RESP2 have no such connection, and there a waiter looks again after growing pauses.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cache_store::{ErrorKind, Life, Result};
use redis::{PushInfo, PushKind, Value};
use tokio::{runtime::Handle, sync::Notify, time::timeout};

use crate::{
    backoff::Backoff,
    batch::Batch,
    dial::Dialer,
    link::{Link, Ties},
    reply::{self, Replies},
};

/// The longest wait for a push that may have been lost.
const LONGEST_TRUST: Duration = Duration::from_secs(2);
/// Spreads those who wait for the same lease to expire.
const SPREAD: Duration = Duration::from_millis(20);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How often a wait looks for a server that is away before it gives up.
const MOST_FAILURES: u32 = 4;

/// Waits for leases.
pub(crate) struct LeaseWatch {
    data: Arc<Link>,
    /// The connection that is pushed to; a cluster has none, and RESP2 knows none.
    pushed: Option<Arc<Link>>,
    waiters: Arc<Waiters>,
}

/// A lease as it stands.
struct Held {
    /// Its nonce and token.
    holder: Vec<u8>,
    left: Duration,
    /// Whether the server will tell of its end.
    tracked: bool,
}

impl LeaseWatch {
    /// Nothing is connected before the first wait.
    pub(crate) fn new(
        dialer: Dialer,
        deadline: Duration,
        runtime: Handle,
        data: Arc<Link>,
    ) -> Self {
        let waiters = Arc::new(Waiters::default());
        let possible = data.is_one_server() && dialer.target.is_pushed_to();
        let pushed = possible.then(|| {
            let waiters = Arc::clone(&waiters);
            let ties = Ties::to(Arc::clone(&data), move |push| waiters.hear(&push));
            Link::unlimited(dialer, deadline, runtime, ties)
        });
        Self { data, pushed, waiters }
    }

    /// Returns when the lease that is held now has ended, is void because its key was invalidated, or cannot be
    /// watched because the server is away.
    pub(crate) async fn ended(&self, lease: &str, dependency: &str) {
        let waiter = self.waiters.register([lease, dependency]);
        let mut pause = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut first = None;
        let mut failures = 0;
        loop {
            let wait = match self.look(lease, dependency).await {
                Ok(None) => return,
                Ok(Some(held)) => {
                    failures = 0;
                    if *first.get_or_insert_with(|| held.holder.clone()) != held.holder {
                        return;
                    }
                    if held.tracked {
                        held.left.min(LONGEST_TRUST) + SPREAD.mul_f64(fastrand::f64())
                    } else {
                        pause.step()
                    }
                }
                // A connection that was just cut is back in a moment.
                Err(cause)
                    if cause.kind() == ErrorKind::Unavailable && failures < MOST_FAILURES =>
                {
                    failures += 1;
                    pause.step()
                }
                Err(_) => return,
            };
            // A push, or the time without one: either way the next look decides.
            let _ = timeout(wait, waiter.heard.notified()).await;
        }
    }

    /// Returns when the lock that is held now has ended, as [`ended`](Self::ended) does for a lease.
    pub(crate) async fn lock_ended(&self, lock: &str) {
        // A lock is void when it is gone and not before: it depends on itself.
        self.ended(lock, lock).await;
    }

    /// Ends the second connection.
    pub(crate) fn close(&self) {
        if let Some(pushed) = &self.pushed {
            pushed.close();
        }
    }

    async fn look(&self, lease: &str, dependency: &str) -> Result<Option<Held>> {
        if let Some(pushed) = &self.pushed {
            if self.data.is_up() && pushed.is_behind() {
                pushed.give_up("the store has connected anew");
            }
            let mut opt_in = redis::cmd("CLIENT");
            opt_in.arg("CACHING").arg("YES");
            let batch = question(Batch::new(lease).with(opt_in), lease, dependency);
            if let Ok(Some(mut replies)) = pushed.send(&batch).await.map(without_first) {
                return held(&mut replies, true);
            }
        }
        let batch = question(Batch::new(lease), lease, dependency);
        held(&mut Replies::new(self.data.send(&batch).await?), false)
    }
}

/// Both names in one command: an opt-in holds for a single one.
fn question(batch: Batch, lease: &str, dependency: &str) -> Batch {
    let mut get = redis::cmd("MGET");
    get.arg(lease).arg(dependency);
    let mut left = redis::cmd("PTTL");
    left.arg(lease);
    batch.with(get).with(left)
}

/// The replies after the first; `None` when that one is an error, because then nothing is tracked.
fn without_first(replies: Vec<Value>) -> Option<Replies> {
    let mut replies = Replies::new(replies);
    replies.next().ok().map(|_| replies)
}

fn held(replies: &mut Replies, tracked: bool) -> Result<Option<Held>> {
    let mut pair = replies.next_list()?;
    let (lease, dependency) = (pair.next_bytes()?, pair.next_bytes()?);
    let (Some(holder), Some(nonce)) = (lease, dependency) else { return Ok(None) };
    if !holder.starts_with(&nonce) {
        return Ok(None);
    }
    let left = match reply::life(replies.next_int()?) {
        Some(Life::For(left)) => left,
        Some(Life::Forever) => LONGEST_TRUST,
        None => return Ok(None),
    };
    Ok(Some(Held { holder, left, tracked }))
}

/// Who waits for which names.
#[derive(Default)]
struct Waiters(Mutex<HashMap<String, Vec<Arc<Notify>>>>);

/// One wait; ends with the value.
struct Waiter<'a> {
    waiters: &'a Waiters,
    names: [&'a str; 2],
    heard: Arc<Notify>,
}

impl Waiters {
    fn register<'a>(&'a self, names: [&'a str; 2]) -> Waiter<'a> {
        let heard = Arc::new(Notify::new());
        let mut map = self.lock();
        for name in names {
            map.entry(name.to_owned()).or_default().push(Arc::clone(&heard));
        }
        Waiter { waiters: self, names, heard }
    }

    /// Wakes whom a push concerns; a flush and the end of the connection concern all.
    fn hear(&self, push: &PushInfo) {
        let map = self.lock();
        match (&push.kind, push.data.first()) {
            (PushKind::Invalidate, Some(Value::Array(names))) => {
                for name in names {
                    if let Value::BulkString(name) = name
                        && let Ok(name) = std::str::from_utf8(name)
                    {
                        map.get(name).into_iter().flatten().for_each(|heard| heard.notify_one());
                    }
                }
            }
            (PushKind::Invalidate | PushKind::Disconnection, _) => {
                map.values().flatten().for_each(|heard| heard.notify_one());
            }
            _ => {}
        }
    }

    /// A panic while the lock was held left the map whole: every change is one step.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Arc<Notify>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut map = self.waiters.lock();
        for name in self.names {
            if let Some(waiting) = map.get_mut(name) {
                waiting.retain(|heard| !Arc::ptr_eq(heard, &self.heard));
                if waiting.is_empty() {
                    map.remove(name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_a_wait_that_was_dropped() {
        let waiters = Waiters::default();
        let first = waiters.register(["l", "d"]);
        let second = waiters.register(["l", "d"]);
        drop(first);
        assert_eq!(waiters.lock()["l"].len(), 1);
        drop(second);
        assert!(waiters.lock().is_empty());
    }
}
