//! The session with a cluster: one with each of its masters, and a map that all of them agree on.
//!
//! # Why no change goes unheard
//!
//! Say a change is made by a node at time *t*, and a heartbeat that began after *t* succeeds. Then the listener was told:
//!
//! - **By a master of the map.** Its session has been up since before the last gap that was told, and it pushes changes
//!   of all slots, whether they are its own, on the move, or new to it. While a slot moves, each key's `MIGRATE` is pushed
//!   by both sides.
//! - **By a replica that was elected.** A majority of the masters voted for it, and each of them had raised its epoch
//!   before it voted: so before the replica was master, so before *t*. The map holds all masters and the heartbeat
//!   asks all of them, so it meets a raised epoch.
//! - **By a master that joined.** A slot is only moved to a node that its owner knows (the owner has to be told where it
//!   moves), and every master that a node knows is in that node's view, with slots or without.
//! - **By a master of the map that took a slot by force**, without its keys. The keys are gone without a push (before
//!   Redis 7.2), and deleting what is not there is not pushed either, so having a session is not enough. But whoever makes a
//!   change believes that the slot is its own, since before *t*, and is asked what it believes.
//!
//! Whenever one of these shows, the heartbeat fails and the listener hears of a gap, so nothing that was in memory outlives
//! the bound. What no node of the old map is asked about before it happens can be noticed only when a node of the map has heard
//! of it, one message on the cluster's bus later: `CLUSTER FAILOVER TAKEOVER`, a slot that is assigned by hand to a node
//! that its owner does not know, and an election whose votes were cast just before the map was agreed on. A master that is
//! cut off from the others, but not from its clients, goes on for the cluster's node timeout.
//!
//! The map is agreed on when all masters in it see the same masters with the same slots. That rules out the view of a
//! node that was left behind, which the masters elsewhere do not share.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use cache_store::{Error, ErrorKind, News, Result};
use redis::{ConnectionAddr, ConnectionInfo};
use tokio::{
    runtime::Handle,
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, timeout_at},
};

use super::{
    map::{Endpoints, View},
    teller::Teller,
    track::{Tracker, touch},
};
use crate::{
    backoff::Backoff,
    batch::{Batch, Conn},
    breaker::slot,
    dial::{Dialer, Purpose},
    error,
    link::Link,
    reply::Replies,
    target::Target,
};

/// A map that held this long was no failed attempt: the next one is drawn without a long wait.
const CALM: Duration = Duration::from_secs(2);
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Keeps the sessions with all masters.
pub(crate) struct ClusterSession {
    /// Knows the first nodes to ask.
    dialer: Dialer,
    deadline: Duration,
    runtime: Handle,
    teller: Arc<Teller>,
    state: watch::Sender<State>,
    keeper: OnceLock<AbortHandle>,
}

#[derive(Clone)]
enum State {
    Idle,
    /// The first map is being drawn.
    Drawing,
    Up(Arc<Masters>),
    /// There is no map, and why; the keeper is drawing one.
    Down(Error),
}

/// The masters of a map that all of them agreed on.
struct Masters {
    nodes: Vec<Node>,
    /// Who holds the logs.
    home: String,
}

/// One of them, and what it said when the map was agreed on.
#[derive(Clone)]
struct Node {
    line: Line,
    view: View,
}

/// The connection to a master.
#[derive(Clone)]
struct Line {
    id: String,
    address: (String, u16),
    link: Arc<Link>,
}

impl ClusterSession {
    /// Nothing is connected before [`start`](Self::start).
    pub(crate) fn new(
        dialer: Dialer,
        deadline: Duration,
        runtime: Handle,
        teller: Arc<Teller>,
    ) -> Arc<Self> {
        let state = watch::Sender::new(State::Idle);
        Arc::new(Self { dialer, deadline, runtime, teller, state, keeper: OnceLock::new() })
    }

    /// Draws the map, and connects to its masters.
    pub(crate) fn start(self: &Arc<Self>) {
        let first = self.state.send_if_modified(|state| {
            let idle = matches!(state, State::Idle);
            if idle {
                *state = State::Drawing;
            }
            idle
        });
        if first {
            let task = self.runtime.spawn(keep(Arc::downgrade(self)));
            let _ = self.keeper.set(task.abort_handle());
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
            let logs = (node.id() == masters.home).then(|| touch(self.teller.names()));
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

    /// Asks everybody who may know for the map, until all the masters of one agree on it.
    async fn agree(&self, lines: &mut HashMap<String, Line>) -> Result<Masters> {
        let mut last = Error::new(ErrorKind::Unavailable, "no node answered");
        let mut refused: Vec<View> = Vec::new();
        let known: Vec<Line> = lines.values().cloned().collect();
        for source in known.iter().map(Source::Line).chain(self.seeds().iter().map(Source::Seed)) {
            let (view, endpoints) = match self.draw(&source).await {
                Ok(drawn) => drawn,
                Err(cause) => {
                    last = cause;
                    continue;
                }
            };
            if refused.iter().any(|other| other.agrees_with(&view)) {
                continue;
            }
            match self.settle(&view, &endpoints, source.host(), lines).await {
                Ok(masters) => return Ok(masters),
                Err(cause) => last = cause,
            }
            refused.push(view);
        }
        Err(last)
    }

    fn seeds(&self) -> &[ConnectionInfo] {
        match &self.dialer.target {
            Target::Cluster(seeds) => seeds,
            Target::Node(_) | Target::Sentinel(_) => &[],
        }
    }

    /// The map as this node sees it.
    async fn draw(&self, source: &Source<'_>) -> Result<(View, Endpoints)> {
        let until = Instant::now() + self.deadline;
        let batch =
            Batch::new("").with(cluster("INFO")).with(cluster("NODES")).with(cluster("SLOTS"));
        let replies = match source {
            Source::Line(line) => line.link.send_until(&batch, until).await?,
            Source::Seed(seed) => {
                let mut conn = Conn::Node(self.dialer.open(seed, None).await?);
                let late = |_| Error::new(ErrorKind::Timeout, "a node does not answer");
                let replies = timeout_at(until, conn.run(&batch)).await.map_err(late)?;
                replies.map_err(|cause| error::from_redis(&cause))?
            }
        };
        let mut replies = Replies::new(replies);
        let view = View::read(&replies.next_text()?, &replies.next_text()?)?;
        Ok((view, Endpoints::read(replies.next_list()?)?))
    }

    /// Connects to every master of the view, and has each of them confirm it.
    async fn settle(
        &self,
        view: &View,
        endpoints: &Endpoints,
        asked: &str,
        lines: &mut HashMap<String, Line>,
    ) -> Result<Masters> {
        let mut confirmations = JoinSet::new();
        for master in view.masters() {
            let address = master.address(endpoints, asked);
            let address = address.ok_or_else(|| error::unexpected("a node without an address"))?;
            let line = self.line(&master.id, address, lines);
            let (view, deadline) = (view.clone(), self.deadline);
            let confirmation = async move {
                line.link.first_attempt().await?;
                let own = line.look(None, Instant::now() + deadline).await?;
                if own.is_of(&line.id) && own.agrees_with(&view) {
                    return Ok(Node { line, view: own });
                }
                Err(Error::new(ErrorKind::Unavailable, "the masters do not agree on their slots"))
            };
            confirmations.spawn_on(confirmation, &self.runtime);
        }
        let mut nodes = Vec::with_capacity(view.masters().len());
        while let Some(node) = confirmations.join_next().await {
            nodes.push(node.unwrap_or_else(|_| Err(error::unexpected("a question was dropped")))?);
        }
        let home = view.owner(slot(&self.teller.names().pattern_log())).unwrap_or_default();
        Ok(Masters { nodes, home: home.to_owned() })
    }

    /// The connection to this master: the one there is, or a new one.
    fn line(&self, id: &str, address: (String, u16), lines: &mut HashMap<String, Line>) -> Line {
        if let Some(line) = lines.get(id).filter(|line| line.address == address) {
            return line.clone();
        }
        let tracker = Tracker::new(Arc::clone(&self.teller), id.to_owned());
        let (host, port) = address.clone();
        let dialer = self.dialer.to_node(host, port, Purpose::Track(tracker));
        let teller = Arc::clone(&self.teller);
        let hear = move |push| teller.hear(&push);
        let link = Link::new(dialer, self.deadline, self.runtime.clone(), hear);
        let line = Line { id: id.to_owned(), address, link };
        if let Some(other) = lines.insert(id.to_owned(), line.clone()) {
            other.link.close();
        }
        line
    }

    /// Tells what it means that these are the masters now. Where nothing has changed since the last map, the sessions have
    /// told what there was to tell.
    fn tell(&self, before: Option<&Masters>, now: &Masters) {
        let Some(before) = before else { return self.teller.tell(News::Gap) };
        // Its slots were another one's, whose last changes it may not have got.
        let is_promoted = |id: &str| !before.has(id);
        if now.owners().any(is_promoted) {
            self.teller.tell(News::Rewound);
        } else if !now.is_like(before) {
            self.teller.tell(News::Gap);
        }
    }
}

impl Drop for ClusterSession {
    fn drop(&mut self) {
        self.close();
    }
}

impl Masters {
    fn is_like(&self, other: &Self) -> bool {
        let is_there = |node: &Node| other.nodes.iter().any(|same| same.view == node.view);
        self.nodes.len() == other.nodes.len() && self.nodes.iter().all(is_there)
    }

    /// The names of those that have slots.
    fn owners(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(Node::id).filter(|id| self.nodes[0].view.has_slots(id))
    }

    fn has(&self, id: &str) -> bool {
        self.nodes.iter().any(|node| node.id() == id)
    }
}

impl Node {
    fn id(&self) -> &str {
        &self.line.id
    }
}

impl Line {
    /// What the master sees now, after it has told of everything that was done before; with the command `first`, if
    /// there is one. Two round trips for the reason given at [`Tracker::heartbeat`].
    async fn look(&self, first: Option<redis::Cmd>, until: Instant) -> Result<View> {
        let batch = Batch::new("").with(cluster("INFO")).with_some(first);
        let info = self.link.send_until(&batch, until).await?;
        let nodes = self.link.send_until(&Batch::new("").with(cluster("NODES")), until).await?;
        let (info, nodes) = (Replies::new(info).next_text(), Replies::new(nodes).next_text());
        let view = info.and_then(|info| View::read(&info, &nodes?));
        let (host, port) = &self.address;
        view.map_err(|cause| Error::new(cause.kind(), format!("{host}:{port}: {cause}")))
    }
}

/// Who may know the map.
enum Source<'a> {
    Line(&'a Line),
    Seed(&'a ConnectionInfo),
}

impl Source<'_> {
    fn host(&self) -> &str {
        match self {
            Self::Line(line) => &line.address.0,
            Self::Seed(seed) => match seed.addr() {
                ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
                _ => "",
            },
        }
    }
}

async fn keep(session: Weak<ClusterSession>) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let mut lines = HashMap::new();
    let mut last: Option<Arc<Masters>> = None;
    loop {
        let Some(strong) = session.upgrade() else { return };
        match strong.agree(&mut lines).await {
            Ok(masters) => {
                let since = Instant::now();
                strong.tell(last.as_deref(), &masters);
                close_others(&mut lines, &masters);
                strong.teller.keep_lives(|id| masters.has(id));
                let masters = Arc::new(masters);
                last = Some(Arc::clone(&masters));
                let mut states = strong.state.subscribe();
                strong.state.send_replace(State::Up(masters));
                drop(strong);
                if states.wait_for(|state| !matches!(state, State::Up(_))).await.is_err() {
                    return;
                }
                if since.elapsed() >= CALM {
                    backoff.reset();
                }
            }
            Err(cause) => {
                tracing::debug!(target: "larder::redis", %cause, "no map of the cluster");
                strong.state.send_replace(State::Down(cause));
                drop(strong);
            }
        }
        sleep(backoff.step()).await;
    }
}

fn close_others(lines: &mut HashMap<String, Line>, masters: &Masters) {
    lines.retain(|id, line| {
        let stays = masters.has(id);
        if !stays {
            line.link.close();
        }
        stays
    });
}

fn cluster(subcommand: &str) -> redis::Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg(subcommand);
    command
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is closed")
}
