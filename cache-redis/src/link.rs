//! One connection that heals itself, and fails at once while it is away.
//!
//! redis-rs has a manager for this, but its calls hang for seconds while it reconnects, and it neither leaves a
//! half-open line nor a master that became a replica. So the connection has a supervisor here: one task, on the
//! store's own runtime, that connects, watches, and connects again.

mod each;
mod probe;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use cache_store::{Error, ErrorKind, Result};
use redis::{PushInfo, PushKind, RedisError, Value};
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use crate::{
    backoff::Backoff,
    batch::{Batch, Conn},
    breaker::Breaker,
    bulkhead::{Bulkhead, Place},
    dial::{Dialer, OnPush, Purpose},
    error,
    target::Target,
};

/// After this many timeouts without an answer in between the line counts as dead. One is enough to ask nothing of it but
/// whether it is there.
const DEAD_AFTER: u32 = 3;
/// A cluster has a breaker for each part, so all of it is given up more slowly.
const CLUSTER_DEAD_AFTER: u32 = 12;
/// A connection that lived this long was no failed attempt: the next one starts without a long wait.
const CALM: Duration = Duration::from_secs(2);
/// A cluster's connection is not replaced more often than this for the sake of a part that is silent: mostly it is the node
/// that is away.
const RENEWAL: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A supervised connection.
pub(crate) struct Link {
    dialer: Dialer,
    deadline: Duration,
    runtime: Handle,
    bulkhead: Arc<Bulkhead>,
    state: watch::Sender<State>,
    /// Timeouts without an answer in between. With one server, callers do not use a line that has any.
    failures: AtomicU32,
    /// A request got no answer: is the line still alive?
    doubt: Arc<Notify>,
    /// A cluster can be dead in part.
    breaker: Option<Breaker>,
    /// The segment of the namespace's own keys, without which nothing can be read.
    home: Option<usize>,
    /// A part of the cluster is silent: another connection may reach it.
    renew: Arc<Notify>,
    supervisor: OnceLock<AbortHandle>,
    on_push: Box<dyn Fn(PushInfo) + Send + Sync>,
}

#[derive(Clone)]
enum State {
    /// Nobody asked yet.
    Idle,
    /// The first attempt is under way.
    Connecting,
    Up(Session),
    /// Away, and why; an attempt to get it back may be under way.
    Down(Error),
}

/// One connection out of those that a link has had.
#[derive(Clone)]
struct Session {
    number: u64,
    conn: Conn,
}

impl Link {
    /// A link that connects when it is first used. `on_push` gets what the server sends unasked, and
    /// [`PushKind::Disconnection`] once for each connection that is given up, whoever noticed that it is dead.
    pub(crate) fn new(
        dialer: Dialer,
        deadline: Duration,
        runtime: Handle,
        on_push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::bounded(dialer, deadline, runtime, Arc::new(Bulkhead::unlimited()), on_push)
    }

    /// The same with limits on what is under way.
    pub(crate) fn bounded(
        dialer: Dialer,
        deadline: Duration,
        runtime: Handle,
        bulkhead: Arc<Bulkhead>,
        on_push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let is_cluster = matches!(dialer.target, Target::Cluster(_));
        let home = match &dialer.purpose {
            Purpose::Data(names) => Some(Breaker::number(&names.pattern_log())),
            Purpose::Watch | Purpose::Track(_) => None,
        };
        Arc::new(Self {
            dialer,
            deadline,
            runtime,
            bulkhead,
            state: watch::Sender::new(State::Idle),
            failures: AtomicU32::new(0),
            doubt: Arc::default(),
            breaker: is_cluster.then(|| Breaker::new(deadline)),
            home,
            renew: Arc::default(),
            supervisor: OnceLock::new(),
            on_push: Box::new(on_push),
        })
    }

    /// Sends a batch; each reply may be an error reply.
    ///
    /// Waits for a first connection, never for a lost one.
    pub(crate) async fn send(self: &Arc<Self>, batch: &Batch) -> Result<Vec<Value>> {
        self.send_until(batch, self.until()).await
    }

    /// The same, for one of several batches that share their time.
    pub(crate) async fn send_until(
        self: &Arc<Self>,
        batch: &Batch,
        until: Instant,
    ) -> Result<Vec<Value>> {
        let session = self.session(until).await?;
        self.admit(batch)?;
        let _place = Bulkhead::enter(&*self.bulkhead, batch.bytes())?;
        self.send_over(session, batch, until).await
    }

    /// The same for requests that have their [places](Self::place).
    pub(crate) async fn send_placed(
        self: &Arc<Self>,
        batch: &Batch,
        until: Instant,
    ) -> Result<Vec<Value>> {
        let session = self.session(until).await?;
        self.admit(batch)?;
        self.send_over(session, batch, until).await
    }

    async fn send_over(
        &self,
        Session { number, mut conn }: Session,
        batch: &Batch,
        until: Instant,
    ) -> Result<Vec<Value>> {
        let mut unanswered = Unanswered { doubt: &self.doubt, ended: false };
        let ended = timeout_at(until, conn.run(batch)).await;
        unanswered.ended = true;
        match ended {
            Ok(Ok(replies)) => {
                self.answered(number, batch, &replies);
                Ok(replies)
            }
            Ok(Err(cause)) => Err(self.failed(number, batch, &cause)),
            Err(_) => Err(self.timed_out(number, batch)),
        }
    }

    /// The end of a request that begins now.
    pub(crate) fn until(&self) -> Instant {
        Instant::now() + self.deadline
    }

    /// A place for a request to one server that another one carries.
    pub(crate) fn place(&self, bytes: usize) -> Result<Place<&Bulkhead>> {
        self.admit_any()?;
        Bulkhead::enter(&*self.bulkhead, bytes)
    }

    /// Fails for one server that is known to be dead, or may be.
    fn admit_any(&self) -> Result<()> {
        if self.is_one_server() && self.failures.load(Ordering::Relaxed) != 0 {
            let message = format!("{}: the server does not answer", self.dialer.target);
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        Ok(())
    }

    /// Fails for what is known to be dead, or may be.
    fn admit(&self, batch: &Batch) -> Result<()> {
        self.admit_any()?;
        if self.breaker.as_ref().is_some_and(|breaker| !breaker.admits(batch.slot())) {
            let message = format!("{}: the key's node does not answer", self.dialer.target);
            return Err(self.of_slot(batch.slot(), Error::new(ErrorKind::Unavailable, message)));
        }
        Ok(())
    }

    /// The error of one slot: the rest of a cluster goes on without it, unless all reads need it.
    fn of_slot(&self, slot: &str, error: Error) -> Error {
        let apart = !self.is_one_server() && self.home != Some(Breaker::number(slot));
        if apart { error.of_a_part() } else { error }
    }

    /// Waits until the first attempt has ended, and says how.
    pub(crate) async fn first_attempt(self: &Arc<Self>) -> Result<()> {
        self.start();
        let mut states = self.state.subscribe();
        match &*states.wait_for(State::is_settled).await.map_err(|_| closed())? {
            State::Down(cause) => Err(cause.clone()),
            _ => Ok(()),
        }
    }

    /// Connects now rather than with the first request.
    pub(crate) fn start(self: &Arc<Self>) {
        let first = self.state.send_if_modified(|state| {
            let idle = matches!(state, State::Idle);
            if idle {
                *state = State::Connecting;
            }
            idle
        });
        if first {
            // Weak: the supervisor must not keep alive what ends it.
            let task = self.runtime.spawn(supervise(Arc::downgrade(self)));
            let _ = self.supervisor.set(task.abort_handle());
        }
    }

    /// Gives up the present connection, whose server is not the right one any more.
    pub(crate) fn give_up(&self, why: &str) {
        let number = match &*self.state.borrow() {
            State::Up(session) => session.number,
            _ => return,
        };
        self.lost(number, why);
    }

    /// Whether there is a connection.
    pub(crate) fn is_up(&self) -> bool {
        matches!(&*self.state.borrow(), State::Up(_))
    }

    /// Whether nobody keeps the connection any more: its runtime has ended.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.supervisor.get().is_some_and(AbortHandle::is_finished)
    }

    /// The server was silent elsewhere: callers fail at once until it has answered here.
    pub(crate) fn doubt(&self) {
        if self.is_one_server() && self.is_up() {
            let _ = self.failures.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed);
            self.doubt.notify_one();
        }
    }

    /// Whether requests for different slots may travel in one batch.
    pub(crate) const fn is_one_server(&self) -> bool {
        self.breaker.is_none()
    }

    /// The runtime that owns the connection.
    pub(crate) const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Ends the supervisor and, with the last request under way, the connection.
    pub(crate) fn close(&self) {
        if let Some(supervisor) = self.supervisor.get() {
            supervisor.abort();
        }
        self.state.send_replace(State::Down(closed()));
    }

    async fn session(self: &Arc<Self>, until: Instant) -> Result<Session> {
        if let State::Up(session) = &*self.state.borrow() {
            return Ok(session.clone());
        }
        self.start();
        let mut states = self.state.subscribe();
        let Ok(state) = timeout_at(until, states.wait_for(State::is_settled)).await else {
            return Err(self.connects_too_long());
        };
        match &*state.map_err(|_| closed())? {
            State::Up(session) => Ok(session.clone()),
            State::Down(cause) => Err(cause.clone()),
            State::Idle | State::Connecting => Err(closed()),
        }
    }

    /// One caller has waited for the first connection as long as it may; the next ones need not.
    fn connects_too_long(&self) -> Error {
        let message = format!("{}: still connecting", self.dialer.target);
        let error = Error::new(ErrorKind::Unavailable, message);
        self.state.send_if_modified(|state| {
            let connecting = matches!(state, State::Connecting);
            if connecting {
                *state = State::Down(error.clone());
            }
            connecting
        });
        error
    }

    fn answered(&self, number: u64, batch: &Batch, replies: &[Value]) {
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

    fn failed(&self, number: u64, batch: &Batch, cause: &RedisError) -> Error {
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

    fn timed_out(&self, number: u64, batch: &Batch) -> Error {
        let error = self.no_reply();
        if !self.is_one_server() {
            self.count_failure(number, batch, &error);
        } else if self.is_current(number) {
            // However many were under way: it is one silence.
            let _ = self.failures.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed);
            self.doubt.notify_one();
        }
        self.of_slot(batch.slot(), error)
    }

    pub(crate) fn no_reply(&self) -> Error {
        let message = format!("{}: no reply within {:?}", self.dialer.target, self.deadline);
        Error::new(ErrorKind::Timeout, message)
    }

    fn is_partly_silent(&self) -> bool {
        self.breaker.as_ref().is_some_and(Breaker::is_silent)
    }

    fn count_failure(&self, number: u64, batch: &Batch, error: &Error) {
        if self.breaker.as_ref().is_some_and(|breaker| breaker.failed(batch.slot())) {
            self.renew.notify_one();
        }
        self.count_toward_death(number, 1, error);
    }

    fn count_toward_death(&self, number: u64, failures: u32, error: &Error) {
        let most = if self.is_one_server() { DEAD_AFTER } else { CLUSTER_DEAD_AFTER };
        // What an earlier connection still owed says nothing about this one.
        if self.is_current(number)
            && self.failures.fetch_add(failures, Ordering::Relaxed) + failures >= most
        {
            self.lost(number, &error.to_string());
        }
    }

    fn is_current(&self, number: u64) -> bool {
        matches!(&*self.state.borrow(), State::Up(session) if session.number == number)
    }

    /// From now on requests fail at once, and the supervisor connects anew.
    fn lost(&self, number: u64, why: &str) {
        let cause =
            Error::new(ErrorKind::Unavailable, format!("connection lost, reconnecting ({why})"));
        let gone = self.state.send_if_modified(|state| {
            let current = matches!(state, State::Up(session) if session.number == number);
            if current {
                *state = State::Down(cause);
            }
            current
        });
        if gone {
            tracing::warn!(target: "larder::redis", server = %self.dialer.target, why, "connection lost");
            (self.on_push)(PushInfo { kind: PushKind::Disconnection, data: Vec::new() });
        }
    }
}

/// A request whose caller may go away before its answer comes, or before its time is over.
struct Unanswered<'a> {
    doubt: &'a Notify,
    ended: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        // Callers who are less patient than the deadline would never find out that nobody answers.
        if !self.ended {
            self.doubt.notify_one();
        }
    }
}

impl State {
    const fn is_settled(&self) -> bool {
        matches!(self, Self::Up(_) | Self::Down(_))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.state.borrow() {
            State::Idle => "idle".to_owned(),
            State::Connecting => "connecting".to_owned(),
            State::Up(_) => "up".to_owned(),
            State::Down(cause) => format!("down: {cause}"),
        };
        f.debug_struct("Link")
            .field("server", &self.dialer.target.to_string())
            .field("state", &state)
            .finish()
    }
}

async fn supervise(link: Weak<Link>) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    for number in 0.. {
        let Some(strong) = link.upgrade() else { return };
        let mut pause = None;
        let dead = Arc::new(AtomicBool::new(false));
        let attempt = strong.dialer.dial(pushes(&link, number, &dead)).await;
        match attempt {
            Ok(conn) => {
                let since = Instant::now();
                strong.failures.store(0, Ordering::Relaxed);
                let session = Session { number, conn };
                let before = strong.state.send_replace(State::Up(session.clone()));
                if matches!(before, State::Up(_)) {
                    (strong.on_push)(PushInfo { kind: PushKind::Disconnection, data: Vec::new() });
                }
                if dead.load(Ordering::Acquire) {
                    strong.lost(number, "closed by the server");
                }
                tracing::info!(target: "larder::redis", server = %strong.dialer.target, "connected");
                drop(strong);
                if !serve(&link, since, Some(session)).await {
                    return;
                }
                if since.elapsed() >= CALM {
                    backoff.reset();
                }
            }
            Err(cause) => {
                tracing::debug!(target: "larder::redis", %cause, "not connected");
                pause = strong.dialer.purpose.pause_after(&cause);
                // The one that was to be replaced may still serve a part of the cluster.
                let is_down = strong.state.send_if_modified(|state| {
                    let is_down = !matches!(state, State::Up(_));
                    if is_down {
                        *state = State::Down(cause);
                    }
                    is_down
                });
                drop(strong);
                if !is_down && !serve(&link, Instant::now(), None).await {
                    return;
                }
            }
        }
        sleep(pause.unwrap_or_else(|| backoff.step())).await;
    }
}

/// Waits until the connection is lost, or a part of the cluster is silent and another connection worth a try. `false` when
/// the link is gone.
///
/// redis-rs's cluster client never leaves a line to a node that is half open, and as long as other nodes answer, the
/// connection as a whole looks alive. The present one serves until there is another: those nodes lose nothing by it.
async fn serve(link: &Weak<Link>, since: Instant, session: Option<Session>) -> bool {
    let Some(strong) = link.upgrade() else { return false };
    let mut states = strong.state.subscribe();
    let renew = Arc::clone(&strong.renew);
    drop(strong);
    let renewal = async {
        sleep_until(since + RENEWAL).await;
        loop {
            renew.notified().await;
            // What asked for it may have been answered since, or have been the connection before this one.
            match link.upgrade() {
                Some(link) if !link.is_partly_silent() => {}
                Some(_) | None => return,
            }
        }
    };
    tokio::select! {
        lost = states.wait_for(|state| !matches!(state, State::Up(_))) => lost.is_ok(),
        () = renewal => true,
        () = probe::watch(link, session) => false,
    }
}

/// Passes pushes on, and notices the end of a connection nobody is using just now.
fn pushes(link: &Weak<Link>, number: u64, dead: &Arc<AtomicBool>) -> OnPush {
    let (link, dead) = (link.clone(), Arc::clone(dead));
    Arc::new(move |push| {
        let Some(link) = link.upgrade() else { return };
        if push.kind != PushKind::Disconnection {
            (link.on_push)(push);
        } else if link.is_one_server() {
            dead.store(true, Ordering::Release);
            link.lost(number, "closed by the server");
        }
        // A cluster's client tells of every single node and repairs it itself.
    })
}

fn is_demotion(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.code() == "READONLY")
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is closed")
}
