//! Commands that travel together, and the connection that carries them.

use redis::{Arg, Cmd, Pipeline, RedisResult, Value, aio::MultiplexedConnection};
#[cfg(feature = "cluster")]
use redis::{
    cluster_async::ClusterConnection,
    cluster_routing::{Route, SingleNodeRoutingInfo, SlotAddr},
};

use crate::script;

/// Commands for one hash slot, sent in one piece.
pub(crate) struct Batch {
    pipeline: Pipeline,
    /// Any key of the slot.
    slot: String,
    bytes: usize,
}

impl Batch {
    /// No commands yet, for the slot of `key`.
    pub(crate) fn new(key: impl Into<String>) -> Self {
        Self { pipeline: Pipeline::with_capacity(4), slot: key.into(), bytes: 0 }
    }

    /// Adds a command.
    pub(crate) fn push(&mut self, command: Cmd) {
        self.bytes += size(&command);
        self.pipeline.add_command(command);
    }

    /// With one more command.
    pub(crate) fn with(mut self, command: Cmd) -> Self {
        self.push(command);
        self
    }

    /// With one more command, if there is one.
    pub(crate) fn with_some(mut self, command: Option<Cmd>) -> Self {
        if let Some(command) = command {
            self.push(command);
        }
        self
    }

    /// Any key of the slot.
    pub(crate) fn slot(&self) -> &str {
        &self.slot
    }

    /// How many commands, which is how many replies.
    pub(crate) fn len(&self) -> usize {
        self.pipeline.len()
    }

    /// About how many bytes travel.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Both, in this order; for a server that is all slots at once.
    pub(crate) fn followed_by(mut self, other: &Self) -> Self {
        for command in other.pipeline.cmd_iter() {
            self.push(command.clone());
        }
        self
    }
}

/// A live connection; clones share it.
#[derive(Clone)]
pub(crate) enum Conn {
    /// To one server.
    Node(MultiplexedConnection),
    /// To a cluster.
    #[cfg(feature = "cluster")]
    Cluster(ClusterConnection),
}

impl Conn {
    /// Sends a batch; the replies hold the error of each command that failed.
    ///
    /// Scripts that the server does not know are sent again, whole. Only these: the others have taken effect.
    pub(crate) async fn run(&mut self, batch: &Batch) -> RedisResult<Vec<Value>> {
        let mut replies = self.send(&batch.slot, &batch.pipeline).await?;
        let unknown: Vec<usize> = (0..replies.len()).filter(|&i| is_unknown(&replies[i])).collect();
        if unknown.is_empty() {
            return Ok(replies);
        }
        let mut again = Pipeline::with_capacity(unknown.len());
        for &i in &unknown {
            if let Some(command) = batch.pipeline.cmd_iter().nth(i).and_then(script::whole) {
                again.add_command(command);
            }
        }
        let second = self.send(&batch.slot, &again).await?;
        for (i, reply) in unknown.into_iter().zip(second) {
            replies[i] = reply;
        }
        Ok(replies)
    }

    #[cfg_attr(
        not(feature = "cluster"),
        expect(unused_variables, reason = "only a cluster routes")
    )]
    async fn send(&mut self, slot: &str, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        match self {
            Self::Node(conn) => conn.send_packed_commands(pipeline, 0, pipeline.len()).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(conn) => {
                let route = Route::with_key(slot, SlotAddr::Master);
                let route = SingleNodeRoutingInfo::SpecificNode(route);
                conn.route_pipeline(pipeline.clone(), 0, pipeline.len(), route).await
            }
        }
    }
}

fn size(command: &Cmd) -> usize {
    let length = |argument: Arg<&[u8]>| match argument {
        Arg::Simple(bytes) => bytes.len(),
        _ => 0,
    };
    command.args_iter().map(length).sum()
}

fn is_unknown(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.code() == "NOSCRIPT")
}
