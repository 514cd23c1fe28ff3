//! The session with one server: what is asked when it begins, and what each heartbeat asks again.

use std::sync::Arc;

use cache_store::{Error, ErrorKind, Result};
use redis::Value;
use tokio::time::Instant;

use super::teller::Teller;
use crate::{batch::Batch, link::Link, names::Names, reply::Replies};

/// Has a server tell of every change from the moment a connection is made.
#[derive(Clone)]
pub(crate) struct Tracker {
    teller: Arc<Teller>,
    /// The server's name in its cluster; empty where there is none.
    server: String,
}

/// One life of a server: it ends with the process, and with every promotion of a replica. In another one the data may
/// be older than it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    run: Option<String>,
    /// Names the history of the data: a replica that is promoted begins another one.
    pub(super) history: Option<String>,
}

impl Tracker {
    pub(crate) const fn new(teller: Arc<Teller>, server: String) -> Self {
        Self { teller, server }
    }

    /// The first commands on a connection.
    pub(crate) fn opening(&self) -> Batch {
        let mut track = redis::cmd("CLIENT");
        track.arg("TRACKING").arg("ON").arg("BCAST");
        for beginning in self.teller.names().tracked() {
            track.arg("PREFIX").arg(beginning);
        }
        let [server, replication] = who();
        Batch::new("").with(track).with(server).with(replication)
    }

    /// Takes the answers. From here on every change is pushed, so the listener is told that what was before is unknown;
    /// only after that is the connection used for heartbeats.
    pub(crate) fn opened(&self, replies: Vec<Value>) -> Result<()> {
        let life = self.read_opening(Replies::new(replies)).inspect_err(|cause| {
            if matches!(cause.kind(), ErrorKind::Unauthorized | ErrorKind::Protocol) {
                self.teller.refused(cause);
            }
        })?;
        self.teller.begin(&self.server, life);
        Ok(())
    }

    fn read_opening(&self, mut replies: Replies) -> Result<Life> {
        replies.next().map_err(|cause| {
            let message =
                format!("the server tells no changes (CLIENT TRACKING, Redis 6): {cause}");
            Error::new(cause.kind(), message)
        })?;
        let (server, replication) = (replies.next_text()?, replies.next_text()?);
        if field(&replication, "role") == Some("master") {
            Ok(Life::read(&server, &replication))
        } else {
            Err(Error::new(ErrorKind::Unavailable, "the server is no master"))
        }
    }

    /// `Ok` when the server has told of everything that it did before this was called, and is what it was.
    ///
    /// Two round trips, one after the other. Redis puts the pushes of all commands of one turn of its event loop into
    /// the connections at the turn's end, and a reply may leave earlier: with `io-threads`, Redis 8 sends the reply to a
    /// deletion before it has queued the deletion's push, so the reply to a question that was asked meanwhile can come
    /// before that push. A question that is asked after such a reply has come is read in a later turn, and what it
    /// answers stands behind the pushes of all turns before.
    ///
    /// The first question keeps the logs from being evicted as keys that nobody reads: whoever hears of changes reads
    /// them from copies of its own. It reads, so it pushes nothing.
    pub(crate) async fn heartbeat(&self, link: &Arc<Link>, until: Instant) -> Result<()> {
        link.send_until(&Batch::new("").with(touch(self.teller.names())), until).await?;
        let question = Batch::new("").with(info("replication"));
        let answer = link.send_until(&question, until).await?;
        let replication = Replies::new(answer).next_text()?;
        // A demoted master answers PING as if nothing had happened.
        if field(&replication, "role") != Some("master") {
            let why = "the server is no master any more";
            link.give_up(why);
            return Err(Error::new(ErrorKind::Unavailable, why));
        }
        if !self.teller.is_asked(&self.server) {
            let why = "requests go to another server";
            link.give_up(why);
            return Err(Error::new(ErrorKind::Unavailable, why));
        }
        if !self.teller.has_history(&self.server, history(&replication)) {
            let why = "the server was a replica meanwhile";
            link.give_up(why);
            return Err(Error::new(ErrorKind::Unavailable, why));
        }
        Ok(())
    }
}

impl Life {
    /// From `INFO server` and `INFO replication`.
    pub(crate) fn read(server: &str, replication: &str) -> Self {
        let run = field(server, "run_id");
        Self { run: run.map(str::to_owned), history: history(replication).map(str::to_owned) }
    }

    /// Whether both may be lives of one server process. One that does not say who it is may be any.
    pub(super) fn may_be_of_one_process_with(&self, other: &Self) -> bool {
        self.run.is_none() || other.run.is_none() || self.run == other.run
    }

    /// Whether the server says who it is. One that does not may be another one each time.
    pub(crate) const fn is_known(&self) -> bool {
        self.run.is_some()
    }
}

/// `TOUCH` of both logs: as good as a read to whoever looks for idle keys.
pub(crate) fn touch(names: &Names) -> redis::Cmd {
    let mut touch = redis::cmd("TOUCH");
    touch.arg(names.pattern_log()).arg(names.tag_log());
    touch
}

/// What [`Life::read`] reads the answers to.
pub(crate) fn who() -> [redis::Cmd; 2] {
    ["server", "replication"].map(info)
}

fn history(replication: &str) -> Option<&str> {
    field(replication, "master_replid")
}

fn info(section: &str) -> redis::Cmd {
    let mut info = redis::cmd("INFO");
    info.arg(section);
    info
}

/// The value of a line `name:value`.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':').map(str::trim);
    text.lines().find_map(value)
}
