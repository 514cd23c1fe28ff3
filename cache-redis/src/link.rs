//! One connection that heals itself, and fails at once while it is away.
//!
//! redis-rs has a manager for this, but its calls hang for seconds while it reconnects, and it neither leaves a
//! half-open line nor a master that became a replica. So the connection has a supervisor here: one task, on the
//! store's own runtime, that connects, watches, and connects again.

mod each;
mod health;
mod probe;
mod supervise;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use cache_store::{Error, ErrorKind, Result};
use redis::{ConnectionInfo, PushInfo, Value};
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, timeout_at},
};

use crate::{
    batch::{Batch, Conn},
    breaker::Breaker,
    bulkhead::{Bulkhead, Place},
    dial::{Dialer, Purpose},
    target::Target,
};

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
    /// The number of the connection that is up, or [`NO_ONE`].
    current: AtomicU64,
    /// The server that the last connection was made to, and that one's number.
    at: Mutex<Option<(u64, ConnectionInfo)>>,
    ties: Ties,
}

/// [`Link::current`] while there is none.
const NO_ONE: u64 = u64::MAX;

/// What a connection has to do with others.
pub(crate) struct Ties {
    pub(crate) on_push: Box<dyn Fn(PushInfo) + Send + Sync>,
    /// Called once for each time that the server, which had answered, does not any more.
    pub(crate) on_silence: Box<dyn Fn() + Send + Sync>,
    /// The one whose server is to be that of this one, too.
    pub(crate) leader: Option<Arc<Link>>,
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

/// The leader's connection under which another one is begun, and the server that both are to be with.
struct Lead {
    number: u64,
    at: Option<ConnectionInfo>,
}

/// One connection out of those that a link has had.
#[derive(Clone)]
struct Session {
    number: u64,
    /// The leader's connection that was up before this one was begun.
    leader: u64,
    conn: Conn,
}

impl Ties {
    /// To the leader alone.
    pub(crate) fn to(
        leader: Arc<Link>,
        on_push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Self {
        let (on_push, on_silence) = (Box::new(on_push), Box::new(|| ()));
        Self { on_push, on_silence, leader: Some(leader) }
    }
}

impl Link {
    /// A link that connects when it is first used. `on_push` gets what the server sends unasked, and
    /// [`Disconnection`](redis::PushKind::Disconnection) once for each connection that is given up, whoever noticed that it is dead.
    #[cfg(feature = "cluster")]
    pub(crate) fn new(
        dialer: Dialer,
        deadline: Duration,
        runtime: Handle,
        on_push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (on_push, on_silence) = (Box::new(on_push), Box::new(|| ()));
        Self::unlimited(dialer, deadline, runtime, Ties { on_push, on_silence, leader: None })
    }

    /// The same with ties to others.
    pub(crate) fn unlimited(
        dialer: Dialer,
        deadline: Duration,
        runtime: Handle,
        ties: Ties,
    ) -> Arc<Self> {
        Self::bounded(dialer, deadline, runtime, Arc::new(Bulkhead::unlimited()), ties)
    }

    /// The same with limits on what is under way.
    pub(crate) fn bounded(
        dialer: Dialer,
        deadline: Duration,
        runtime: Handle,
        bulkhead: Arc<Bulkhead>,
        ties: Ties,
    ) -> Arc<Self> {
        let is_cluster = matches!(dialer.target, Target::Cluster(_));
        let home = match &dialer.purpose {
            Purpose::Data(names, _) => Some(Breaker::number(&names.pattern_log())),
            Purpose::Watch | Purpose::Track(_) | Purpose::Subscribe => None,
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
            current: AtomicU64::new(NO_ONE),
            at: Mutex::default(),
            ties,
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
        let session = self.admitted(batch, until).await?;
        let _place = Bulkhead::enter(&*self.bulkhead, batch.bytes())?;
        self.send_over(session, batch, until).await
    }

    /// The same for requests that have their [places](Self::place).
    pub(crate) async fn send_placed(
        self: &Arc<Self>,
        batch: &Batch,
        until: Instant,
    ) -> Result<Vec<Value>> {
        let session = self.admitted(batch, until).await?;
        self.send_over(session, batch, until).await
    }

    async fn admitted(self: &Arc<Self>, batch: &Batch, until: Instant) -> Result<Session> {
        let session = self.session(until).await?;
        self.admit(batch)?;
        Ok(session)
    }

    async fn send_over(
        &self,
        Session { number, mut conn, .. }: Session,
        batch: &Batch,
        until: Instant,
    ) -> Result<Vec<Value>> {
        let mut unanswered = health::Unanswered { doubt: &self.doubt, ended: false };
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

    /// Waits until the first attempt has ended, and says how.
    pub(crate) async fn first_attempt(self: &Arc<Self>) -> Result<()> {
        self.start();
        let mut states = self.state.subscribe();
        match &*states.wait_for(State::is_settled).await.map_err(|_| closed())? {
            State::Down(cause) => Err(cause.clone()),
            _ => Ok(()),
        }
    }

    /// Connects now rather than with the first request; its leader first.
    pub(crate) fn start(self: &Arc<Self>) {
        if let Some(leader) = &self.ties.leader {
            leader.start();
        }
        let first = self.state.send_if_modified(|state| {
            let idle = matches!(state, State::Idle);
            if idle {
                *state = State::Connecting;
            }
            idle
        });
        if first {
            // Weak: the supervisor must not keep alive what ends it.
            let task = self.runtime.spawn(supervise::supervise(Arc::downgrade(self)));
            let _ = self.supervisor.set(task.abort_handle());
        }
    }

    /// Whether there is a connection.
    pub(crate) fn is_up(&self) -> bool {
        matches!(&*self.state.borrow(), State::Up(_))
    }

    /// Whether there is a connection that is not in doubt, to the server that the leader is at.
    pub(crate) fn is_sound(&self) -> bool {
        self.failures.load(Ordering::Relaxed) == 0
            && matches!(&*self.state.borrow(), State::Up(session) if self.follows(session))
    }

    /// Whether the leader has connected since, maybe to another server.
    pub(crate) fn is_behind(&self) -> bool {
        matches!(&*self.state.borrow(), State::Up(session) if !self.follows(session))
    }

    fn follows(&self, session: &Session) -> bool {
        self.leader().is_none_or(|leader| leader == session.leader && leader != NO_ONE)
    }

    /// Which connection the leader has, where there is a leader.
    fn leader(&self) -> Option<u64> {
        self.ties.leader.as_ref().map(|leader| leader.current.load(Ordering::Relaxed))
    }

    /// Under what a connection may be begun now; `None` while the leader has none.
    fn lead(&self) -> Option<Lead> {
        let Some(leader) = &self.ties.leader else {
            return Some(Lead { number: NO_ONE, at: None });
        };
        let current = leader.current.load(Ordering::Acquire);
        let (number, at) = leader.place_of_last().clone()?;
        (number == current).then_some(Lead { number, at: Some(at) })
    }

    fn place_of_last(&self) -> MutexGuard<'_, Option<(u64, ConnectionInfo)>> {
        // Nothing panics while it is locked.
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when there is another connection than there was when this was called, or none will come.
    pub(crate) fn connects(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut states = self.state.subscribe();
        async move {
            while states.changed().await.is_ok() {
                if matches!(&*states.borrow(), State::Up(_)) {
                    return;
                }
            }
        }
    }

    /// Whether nobody keeps the connection any more: its runtime has ended.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.supervisor.get().is_some_and(AbortHandle::is_finished)
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

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is closed")
}
