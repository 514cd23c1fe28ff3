//! The one task that connects, tells the server who wants what, and connects again.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use cache_store::{Delivery, Error, ErrorKind, Result};
use redis::{PushInfo, PushKind};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use super::{
    Shared, answers, ended, is_master,
    table::{Changes, Confirmation, Kind},
};
use crate::{
    backoff::Backoff,
    batch::{Batch, Conn},
    dial::OnPush,
    error,
    target::Target,
};

/// A connection that lived this long was no failed attempt: the next one starts without a long wait.
const CALM: Duration = Duration::from_secs(2);
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// So often a connection is asked whether it is still there: it may be half open, and then nothing comes in silence.
const BEAT: Duration = Duration::from_secs(2);
/// After this many questions without an answer it is not.
const DEAD_AFTER: u32 = 3;

/// Tells everybody when the keeper is ended from outside: the store was closed, or the runtime was.
struct End {
    shared: Weak<Shared>,
    armed: bool,
}

impl Shared {
    /// Has somebody keep the connection.
    pub(super) fn ensure_keeper(self: &Arc<Self>) {
        if self.table().begin_keeper() {
            // Made here, so that it tells also where the runtime has ended and the task never begins.
            let end = End { shared: Arc::downgrade(self), armed: true };
            let task = self.runtime.spawn(keep(Arc::clone(self), end));
            self.table().keep(task.abort_handle());
        }
    }

    async fn connect(self: &Arc<Self>, number: u64, dead: &Arc<Notify>) -> Result<Conn> {
        let (shared, dead) = (Arc::downgrade(self), Arc::clone(dead));
        let on_push: OnPush = Arc::new(move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                dead.notify_one();
            } else if let Some(shared) = shared.upgrade() {
                shared.hear(number, &push);
            }
        });
        self.dialer.dial_one(on_push).await
    }

    /// Until the connection is lost, which is an error, or nobody needs it any more.
    async fn serve(&self, mut conn: Conn, dead: &Notify) -> Result<()> {
        let mut beat = Instant::now() + BEAT;
        loop {
            let changes = self.table().take_changes();
            if !changes.is_empty() {
                self.tell_server(&mut conn, changes).await?;
            }
            if self.table().rests() {
                return Ok(());
            }
            tokio::select! {
                () = self.changed.notified() => {}
                () = dead.notified() => return Err(closed_by_server()),
                () = sleep_until(beat) => {
                    self.look(&mut conn, dead).await?;
                    self.table().retry_refused();
                    beat = Instant::now() + BEAT;
                }
            }
        }
    }

    async fn tell_server(&self, conn: &mut Conn, changes: Changes) -> Result<()> {
        let mut batch = Batch::new("");
        for (kind, name) in &changes.unsubscribe {
            batch.push(command(["UNSUBSCRIBE", "PUNSUBSCRIBE"], *kind, name));
        }
        for (kind, name) in &changes.subscribe {
            batch.push(command(["SUBSCRIBE", "PSUBSCRIBE"], *kind, name));
        }
        let replies = timeout(self.deadline, conn.run(&batch)).await;
        let replies = replies.map_err(|_| self.silent())?;
        let replies = replies.map_err(|cause| error::from_redis(&cause))?;
        // Those that were confirmed are known from the pushes, in the order of what follows them.
        let said = answers(replies).into_iter().skip(changes.unsubscribe.len());
        for ((kind, name), said) in changes.subscribe.iter().zip(said) {
            if let Err(cause) = said {
                tracing::debug!(target: "larder::redis", %cause, "a subscription was refused");
                let waiting = self.table().refuse(*kind, name);
                tell(waiting, &cause);
            }
        }
        Ok(())
    }

    /// Whether the server is there, and the right one.
    async fn look(&self, conn: &mut Conn, dead: &Notify) -> Result<()> {
        // A plain server may be a replica on purpose. One that Sentinel named, and that is none any more, may be cut off.
        let of_sentinel = matches!(self.dialer.target, Target::Sentinel(_));
        let question = redis::cmd(if of_sentinel { "ROLE" } else { "PING" });
        let batch = Batch::new("").with(question);
        for _ in 0..DEAD_AFTER {
            let answer = tokio::select! {
                answer = timeout(self.deadline, conn.run(&batch)) => answer,
                () = dead.notified() => return Err(closed_by_server()),
            };
            match answer {
                Ok(Ok(replies)) if of_sentinel => return is_master(replies),
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(cause)) => return Err(error::from_redis(&cause)),
                Err(_) => {}
            }
        }
        Err(self.silent())
    }

    /// Waits before the next attempt; whether nobody is left meanwhile.
    async fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        loop {
            if self.table().rests() {
                return true;
            }
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep_until(until) => return false,
            }
        }
    }

    fn silent(&self) -> Error {
        let message = format!("{}: no reply within {:?}", self.dialer.target, self.deadline);
        Error::new(ErrorKind::Timeout, message)
    }
}

async fn keep(shared: Arc<Shared>, mut end: End) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    loop {
        let dead = Arc::new(Notify::new());
        let number = shared.table().begin();
        let outcome = match shared.connect(number, &dead).await {
            Ok(conn) => {
                let since = Instant::now();
                shared.table().up();
                let served = shared.serve(conn, &dead).await.inspect_err(|why| {
                    let server = &shared.dialer.target;
                    tracing::warn!(target: "larder::redis", %server, %why, "no messages come for now");
                });
                if since.elapsed() >= CALM {
                    backoff.reset();
                }
                served
            }
            Err(cause) => Err(cause),
        };
        let Err(cause) = outcome else { break };
        tracing::debug!(target: "larder::redis", %cause, "not subscribed");
        let waiting = shared.table().lost(cause.clone());
        tell(waiting, &cause);
        if shared.pause(backoff.step()).await {
            break;
        }
    }
    // Somebody else may have begun to keep the connection since.
    end.armed = false;
}

fn tell(waiting: Vec<Confirmation>, cause: &Error) {
    for one in waiting {
        // Nobody waits any more where this fails.
        let _ = one.send(Err(cause.clone()));
    }
}

fn command([of_channel, of_pattern]: [&str; 2], kind: Kind, name: &str) -> redis::Cmd {
    let mut command = redis::cmd(match kind {
        Kind::Channel => of_channel,
        Kind::Pattern => of_pattern,
    });
    command.arg(name);
    command
}

fn closed_by_server() -> Error {
    Error::new(ErrorKind::Unavailable, "connection lost, reconnecting (closed by the server)")
}

impl Drop for End {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let Some(shared) = self.shared.upgrade() else { return };
        let (waiting, reached) = shared.table().ended();
        tell(waiting, &ended());
        reached.iter().for_each(|one| one.receive(Delivery::Ended));
    }
}
