//! What becomes of a connection with each answer, and with each that does not come.

use std::sync::atomic::Ordering;

use cache_store::{Error, ErrorKind, Result};
use redis::{PushInfo, PushKind, RedisError, Value};
use tokio::sync::Notify;

use super::{Link, NO_ONE, State};
use crate::{batch::Batch, breaker::Breaker, error};

/// After this many timeouts without an answer in between the line counts as dead. One is enough to ask nothing of it but
/// whether it is there.
pub(super) const DEAD_AFTER: u32 = 3;
/// A cluster has a breaker for each part, so all of it is given up more slowly.
const CLUSTER_DEAD_AFTER: u32 = 12;

impl Link {
    /// Fails for one server that is known to be dead, or may be.
    pub(super) fn admit_any(&self) -> Result<()> {
        if self.is_one_server() && self.failures.load(Ordering::Relaxed) != 0 {
            let message = format!("{}: the server does not answer", self.dialer.target);
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        Ok(())
    }

    /// Fails for what is known to be dead, or may be.
    pub(super) fn admit(&self, batch: &Batch) -> Result<()> {
        self.admit_any()?;
        if self.breaker.as_ref().is_some_and(|breaker| !breaker.admits(batch.slot())) {
            let message = format!("{}: the key's node does not answer", self.dialer.target);
            return Err(self.of_slot(batch.slot(), Error::new(ErrorKind::Unavailable, message)));
        }
        Ok(())
    }

    /// The error of one slot: the rest of a cluster goes on without it, unless all reads need it.
    pub(super) fn of_slot(&self, slot: &str, error: Error) -> Error {
        let apart = !self.is_one_server() && self.home != Some(Breaker::number(slot));
        if apart { error.of_a_part() } else { error }
    }

    /// Gives up the present connection, whose server is not the right one any more.
    pub(crate) fn give_up(&self, why: &str) {
        let number = match &*self.state.borrow() {
            State::Up(session) => session.number,
            _ => return,
        };
        self.lost(number, why);
    }

    /// The server was silent elsewhere: callers fail at once until it has answered here.
    pub(crate) fn doubt(&self) {
        if self.is_one_server() && self.is_up() {
            let _ = self.failures.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed);
            self.doubt.notify_one();
        }
    }

    pub(super) fn answered(&self, number: u64, batch: &Batch, replies: &[Value]) {
        // A store on every answer would bounce the cache line between threads.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        let Some(breaker) = &self.breaker else {
            // A cluster's client follows a demotion itself.
            if replies.iter().any(is_demotion) {
                self.lost(number, "READONLY: the server is a replica");
            }
            return;
        };
        breaker.answered(batch.slot());
    }

    pub(super) fn failed(&self, number: u64, batch: &Batch, cause: &RedisError) -> Error {
        let error = error::from_redis(cause);
        if cause.is_unrecoverable_error() || error.kind() == ErrorKind::Unavailable {
            if self.is_one_server() {
                self.lost(number, &error.to_string());
            } else {
                self.count_failure(number, batch, &error);
            }
        }
        self.of_slot(batch.slot(), error)
    }

    pub(super) fn timed_out(&self, number: u64, batch: &Batch) -> Error {
        let error = self.no_reply();
        if !self.is_one_server() {
            self.count_failure(number, batch, &error);
        } else if self.is_current(number) {
            // However many were under way: it is one silence.
            if self.failures.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                (self.ties.on_silence)();
            }
            self.doubt.notify_one();
        }
        self.of_slot(batch.slot(), error)
    }

    pub(crate) fn no_reply(&self) -> Error {
        let message = format!("{}: no reply within {:?}", self.dialer.target, self.deadline);
        Error::new(ErrorKind::Timeout, message)
    }

    pub(super) fn is_partly_silent(&self) -> bool {
        self.breaker.as_ref().is_some_and(Breaker::is_silent)
    }

    pub(super) fn count_failure(&self, number: u64, batch: &Batch, error: &Error) {
        if self.breaker.as_ref().is_some_and(|breaker| breaker.failed(batch.slot())) {
            self.renew.notify_one();
        }
        self.count_toward_death(number, 1, error);
    }

    pub(super) fn count_toward_death(&self, number: u64, failures: u32, error: &Error) {
        let most = if self.is_one_server() { DEAD_AFTER } else { CLUSTER_DEAD_AFTER };
        // What an earlier connection still owed says nothing about this one.
        if self.is_current(number)
            && self.failures.fetch_add(failures, Ordering::Relaxed) + failures >= most
        {
            self.lost(number, &error.to_string());
        }
    }

    pub(super) fn is_current(&self, number: u64) -> bool {
        matches!(&*self.state.borrow(), State::Up(session) if session.number == number)
    }

    /// From now on requests fail at once, and the supervisor connects anew.
    pub(super) fn lost(&self, number: u64, why: &str) {
        let cause =
            Error::new(ErrorKind::Unavailable, format!("connection lost, reconnecting ({why})"));
        let gone = self.state.send_if_modified(|state| {
            let current = matches!(state, State::Up(session) if session.number == number);
            if current {
                self.current.store(NO_ONE, Ordering::Relaxed);
                *state = State::Down(cause);
            }
            current
        });
        if gone {
            tracing::warn!(target: "larder::redis", server = %self.dialer.target, why, "connection lost");
            (self.ties.on_push)(PushInfo { kind: PushKind::Disconnection, data: Vec::new() });
        }
    }
}

/// A request whose caller may go away before its answer comes, or before its time is over.
pub(super) struct Unanswered<'a> {
    pub(super) doubt: &'a Notify,
    pub(super) ended: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        // Callers who are less patient than the deadline would never find out that nobody answers.
        if !self.ended {
            self.doubt.notify_one();
        }
    }
}

fn is_demotion(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.code() == "READONLY")
}
