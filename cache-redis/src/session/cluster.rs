//! The session with a cluster: one with each of its masters, and a map that all of them agree on.
//!
//! # Why no change goes unheard
//!
//! Say a node makes a change, and a heartbeat that begins after that succeeds. Then the listener was told, because the
//! change was made
//!
//! - **by a master of the map**: its session has been up since before the last gap that was told, and it pushes changes
//!   of all slots, whether they are its own, on the move, or new to it. While a slot moves, both sides push each key that
//!   `MIGRATE` takes over.
//! - **by a replica that was elected**: a majority of the masters voted for it, and each of them had raised its epoch
//!   before it voted, so before the replica was master, so before the change. The map holds all masters and the heartbeat
//!   asks all of them, so it meets a raised epoch.
//! - **by a master that joined**: a slot is only moved to a node that its owner knows (the owner has to be told where it
//!   moves), and every master that a node knows is in that node's view, with slots or without.
//! - **by a master of the map that took a slot by force**, without its keys. The keys are gone without a push (before
//!   Redis 7.2), and deleting what is not there is not pushed either, so having a session is not enough. But whoever makes
//!   a change has believed since before that the slot is its own, and is asked what it believes.
//!
//! In the last three cases the heartbeat fails, and the listener hears of a gap.
//!
//! A map is agreed on when all masters in it see the same masters with the same slots. That rules out the view of a
//! node that was left behind, which the masters elsewhere do not share. It does not rule out an election that has been won
//! and that nobody has heard of yet: measured with Redis 7.0, the others learn of a planned failover 40 ms after the
//! new master has begun to serve, so a map that is agreed on in between would be the old one. The epoch shows it: it is
//! raised with the votes, and no master has claimed it yet. Such a map has to stand for a while (`ELECTION`) first.
//!
//! What no node of the map is asked about before it happens can be noticed only when one of them has heard of it, a message
//! on the cluster's bus later: `CLUSTER FAILOVER TAKEOVER`, a slot that is assigned by hand to a node that its
//! owner does not know, and an election that lasts longer than that while. And a master that is cut off from the others,
//! but not from its clients, goes on for the cluster's node timeout.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use cache_store::{Error, ErrorKind, News, Result};
use tokio::{
    runtime::Handle,
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, timeout_at},
};

use super::{draw::Drawer, masters::Masters, teller::Teller, track::touch};
use crate::{backoff::Backoff, dial::Dialer, error};

/// A map that held this long was no failed attempt: the next one is drawn without a long wait.
const CALM: Duration = Duration::from_secs(2);
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Keeps the sessions with all masters.
pub(crate) struct ClusterSession {
    runtime: Handle,
    teller: Arc<Teller>,
    state: watch::Sender<State>,
    /// Until the keeper has it.
    drawer: Mutex<Option<Drawer>>,
    keeper: OnceLock<AbortHandle>,
}

#[derive(Clone)]
enum State {
    /// Nobody listens yet.
    Idle,
    /// The first map is being drawn.
    Drawing,
    Up(Arc<Masters>),
    /// There is no map, and why; the keeper is drawing one.
    Down(Error),
}

impl ClusterSession {
    /// Nothing is connected before [`start`](Self::start). `dialer` knows the first nodes to ask.
    pub(crate) fn new(
        dialer: Dialer,
        deadline: Duration,
        runtime: Handle,
        teller: Arc<Teller>,
    ) -> Self {
        let drawer = Drawer::new(dialer, deadline, runtime.clone(), Arc::clone(&teller));
        Self {
            runtime,
            teller,
            state: watch::Sender::new(State::Idle),
            drawer: Mutex::new(Some(drawer)),
            keeper: OnceLock::new(),
        }
    }

    /// Draws the map, and connects to its masters.
    pub(crate) fn start(&self) {
        let drawer = self.drawer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(drawer) = drawer {
            self.state.send_replace(State::Drawing);
            let task = keep(self.state.clone(), drawer, Arc::clone(&self.teller));
            let _ = self.keeper.set(self.runtime.spawn(task).abort_handle());
        }
    }

    /// Ends all connections.
    pub(crate) fn close(&self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.abort();
        }
        self.state.send_replace(State::Down(closed()));
    }

    /// `Ok` when every master has told of everything that it did before this was called, and all is as it was when the
    /// map was agreed on.
    pub(crate) async fn heartbeat(&self, until: Instant) -> Result<()> {
        let masters = self.masters(until).await?;
        let mut questions = JoinSet::new();
        for node in masters.nodes.iter().cloned() {
            let logs = (node.line.id == masters.home).then(|| touch(self.teller.names()));
            let question = async move {
                let view = node.line.look(logs, until).await?;
                Ok::<_, Error>(view == node.view)
            };
            questions.spawn_on(question, &self.runtime);
        }
        while let Some(answer) = questions.join_next().await {
            let answer =
                answer.unwrap_or_else(|_| Err(error::unexpected("a question was dropped")));
            match answer {
                Ok(true) => {}
                Ok(false) => {
                    self.teller.tell(News::Gap);
                    let changed = Error::new(ErrorKind::Unavailable, "the cluster has changed");
                    return Err(self.doubt(&masters, changed));
                }
                Err(cause) => return Err(self.doubt(&masters, cause)),
            }
        }
        Ok(())
    }

    /// The present masters; waits for the first ones, never for lost ones.
    async fn masters(&self, until: Instant) -> Result<Arc<Masters>> {
        let mut states = self.state.subscribe();
        let settled = states.wait_for(|state| matches!(state, State::Up(_) | State::Down(_)));
        match timeout_at(until, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Up(masters) => Ok(Arc::clone(masters)),
                State::Down(cause) => Err(cause.clone()),
                State::Idle | State::Drawing => Err(closed()),
            },
            Ok(Err(_)) => Err(closed()),
            Err(_) => Err(Error::new(ErrorKind::Unavailable, "still connecting")),
        }
    }

    /// From now on heartbeats fail, until the masters have agreed again.
    fn doubt(&self, masters: &Arc<Masters>, cause: Error) -> Error {
        self.state.send_if_modified(|state| {
            let current = matches!(state, State::Up(present) if Arc::ptr_eq(present, masters));
            if current {
                *state = State::Down(cause.clone());
            }
            current
        });
        cause
    }
}

impl Drop for ClusterSession {
    fn drop(&mut self) {
        self.close();
    }
}

/// Draws one map after the other, each when the one before is doubted.
async fn keep(state: watch::Sender<State>, mut drawer: Drawer, teller: Arc<Teller>) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let mut states = state.subscribe();
    let mut last: Option<Arc<Masters>> = None;
    loop {
        match drawer.agree().await {
            Ok(masters) => {
                let since = Instant::now();
                tell(&teller, last.as_deref(), &masters);
                let masters = last.insert(Arc::new(masters));
                state.send_replace(State::Up(Arc::clone(masters)));
                // Never an error: the sender is here.
                let _ = states.wait_for(|state| !matches!(state, State::Up(_))).await;
                if since.elapsed() >= CALM {
                    backoff.reset();
                }
            }
            Err(cause) => {
                tracing::debug!(target: "larder::redis", %cause, "no map of the cluster");
                state.send_replace(State::Down(cause));
            }
        }
        sleep(backoff.step()).await;
    }
}

/// Tells what it means that these are the masters now. Where nothing has changed since the last map, the sessions have
/// told what there was to tell.
fn tell(teller: &Teller, before: Option<&Masters>, now: &Masters) {
    match before {
        Some(before) if now.succeed(before) => teller.tell(News::Rewound),
        Some(before) if now.are_like(before) => {}
        _ => teller.tell(News::Gap),
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is closed")
}
