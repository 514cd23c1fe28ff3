//! The masters of a cluster, and what they say.

use std::sync::Arc;

use cache_store::{Error, Result};
use tokio::time::Instant;

use super::map::View;
use crate::{batch::Batch, link::Link, reply::Replies};

/// The masters of a map that all of them agreed on.
pub(crate) struct Masters {
    pub(crate) nodes: Vec<Node>,
    /// The name of the one that holds the logs.
    pub(crate) home: String,
}

/// One of them, and what it said when the map was agreed on.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) line: Line,
    pub(crate) view: View,
}

/// The connection to a master.
#[derive(Clone)]
pub(crate) struct Line {
    /// The cluster's name for it.
    pub(crate) id: String,
    pub(crate) address: (String, u16),
    pub(crate) link: Arc<Link>,
}

impl Masters {
    /// Whether nothing has changed.
    pub(crate) fn are_like(&self, other: &Self) -> bool {
        let is_there = |node: &Node| other.nodes.iter().any(|same| same.view == node.view);
        self.nodes.len() == other.nodes.len() && self.nodes.iter().all(is_there)
    }

    /// Whether one of them has slots and was no master before: they were another one's, whose last changes it may not
    /// have got.
    pub(crate) fn succeed(&self, before: &Self) -> bool {
        let has_slots = |node: &&Node| node.view.has_slots(&node.line.id);
        self.nodes.iter().filter(has_slots).any(|node| !before.has(&node.line.id))
    }

    /// Whether this node is one of them.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.nodes.iter().any(|node| node.line.id == id)
    }
}

impl Line {
    /// What the master sees now, after it has told of everything that was done before; with the command `first`, if
    /// there is one. Two round trips for the reason given at [`Tracker::heartbeat`](super::Tracker::heartbeat).
    pub(crate) async fn look(&self, first: Option<redis::Cmd>, until: Instant) -> Result<View> {
        let batch = Batch::new("").with(cluster("INFO")).with_some(first);
        let info = self.link.send_until(&batch, until).await?;
        let nodes = self.link.send_until(&Batch::new("").with(cluster("NODES")), until).await?;
        let (info, nodes) = (Replies::new(info).next_text(), Replies::new(nodes).next_text());
        let view = info.and_then(|info| View::read(&info, &nodes?));
        let (host, port) = &self.address;
        view.map_err(|cause| Error::new(cause.kind(), format!("{host}:{port}: {cause}")))
    }
}

/// `CLUSTER …`.
pub(crate) fn cluster(subcommand: &str) -> redis::Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg(subcommand);
    command
}
