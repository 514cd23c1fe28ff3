//! Drawing the map of a cluster, and connecting to its masters.

use std::{collections::HashMap, sync::Arc, time::Duration};

use cache_store::{Error, ErrorKind, Result};
use redis::{ConnectionAddr, ConnectionInfo};
use tokio::{
    runtime::Handle,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::{
    map::{Endpoints, View},
    masters::{Line, Masters, Node, cluster},
    teller::Teller,
    track::Tracker,
};
use crate::{
    batch::{Batch, Conn},
    breaker::slot,
    dial::{Dialer, Purpose},
    error,
    link::Link,
    reply::Replies,
    target::Target,
};

/// How long an epoch that nobody claims keeps a map from being agreed on. Votes come and are heard of within milliseconds;
/// an election that took longer than this was lost.
const ELECTION: Duration = Duration::from_secs(5);

/// Draws maps, and keeps the connections.
pub(crate) struct Drawer {
    /// Knows the first nodes to ask.
    dialer: Dialer,
    deadline: Duration,
    runtime: Handle,
    teller: Arc<Teller>,
    lines: HashMap<String, Line>,
    /// The epoch that nobody has claimed, and since when it is known.
    election: Option<(u64, Instant)>,
}

/// Who may know the map.
enum Source {
    Line(Line),
    Seed(ConnectionInfo),
}

impl Drawer {
    /// Nothing is connected yet.
    pub(crate) fn new(
        dialer: Dialer,
        deadline: Duration,
        runtime: Handle,
        teller: Arc<Teller>,
    ) -> Self {
        Self { dialer, deadline, runtime, teller, lines: HashMap::new(), election: None }
    }

    /// Asks everybody who may know for the map, until all the masters of one agree on it.
    pub(crate) async fn agree(&mut self) -> Result<Masters> {
        let mut last = Error::new(ErrorKind::Unavailable, "no node answered");
        let mut refused: Vec<View> = Vec::new();
        for source in self.sources() {
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
            match self.settle(&view, &endpoints, source.host()).await {
                Ok(masters) => {
                    self.check_election(&masters)?;
                    self.close_others(&masters);
                    return Ok(masters);
                }
                Err(cause) => last = cause,
            }
            refused.push(view);
        }
        Err(last)
    }

    /// The present masters know best.
    fn sources(&self) -> Vec<Source> {
        let seeds = match &self.dialer.target {
            Target::Cluster(seeds) => seeds.as_slice(),
            Target::Node(_) | Target::Sentinel(_) => &[],
        };
        let lines = self.lines.values().cloned().map(Source::Line);
        lines.chain(seeds.iter().cloned().map(Source::Seed)).collect()
    }

    /// The map as this node sees it.
    async fn draw(&self, source: &Source) -> Result<(View, Endpoints)> {
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
    async fn settle(&mut self, view: &View, endpoints: &Endpoints, asked: &str) -> Result<Masters> {
        let mut confirmations = JoinSet::new();
        for master in view.masters() {
            let address = master.address(endpoints, asked);
            let address = address.ok_or_else(|| error::unexpected("a node without an address"))?;
            let line = self.line(&master.id, address);
            let confirmation = confirm(line, view.clone(), self.deadline);
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
    fn line(&mut self, id: &str, address: (String, u16)) -> Line {
        if let Some(line) = self.lines.get(id).filter(|line| line.address == address) {
            return line.clone();
        }
        let tracker = Tracker::new(Arc::clone(&self.teller), id.to_owned());
        let (host, port) = address.clone();
        let dialer = self.dialer.to_node(host, port, Purpose::Track(tracker));
        let teller = Arc::clone(&self.teller);
        let hear = move |push| teller.hear(&push);
        let link = Link::new(dialer, self.deadline, self.runtime.clone(), hear);
        let line = Line { id: id.to_owned(), address, link };
        if let Some(other) = self.lines.insert(id.to_owned(), line.clone()) {
            other.link.close();
        }
        line
    }

    /// Refuses a map that an election may be about to change, or has changed without anybody in it knowing.
    fn check_election(&mut self, masters: &Masters) -> Result<()> {
        let views = || masters.nodes.iter().map(|node| &node.view);
        if views().all(View::is_settled) {
            self.election = None;
            return Ok(());
        }
        let epoch = views().map(View::epoch).max().unwrap_or_default();
        let known = self.election.filter(|(known, _)| *known == epoch);
        let (_, since) = *self.election.insert(known.unwrap_or_else(|| (epoch, Instant::now())));
        if since.elapsed() >= ELECTION {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unavailable, "a master of the cluster is being elected"))
    }

    fn close_others(&mut self, masters: &Masters) {
        self.lines.retain(|id, line| {
            let stays = masters.has(id);
            if !stays {
                line.link.close();
            }
            stays
        });
        self.teller.keep_lives(|id| masters.has(id));
    }
}

impl Source {
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

/// Has a master confirm the view: that it is who it is taken for, and sees the same.
async fn confirm(line: Line, view: View, deadline: Duration) -> Result<Node> {
    line.link.first_attempt().await?;
    let own = line.look(None, Instant::now() + deadline).await?;
    if own.is_of(&line.id) && own.agrees_with(&view) {
        return Ok(Node { line, view: own });
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "the masters of the cluster do not agree on their slots",
    ))
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::{config::RedisConfig, names::Names};

    fn drawer() -> Drawer {
        let dialer = Dialer {
            target: Target::parse(&RedisConfig::new("redis-cluster://localhost")).unwrap(),
            purpose: Purpose::Watch,
            connect_timeout: Duration::from_secs(1),
            #[cfg(feature = "tls")]
            certificates: None,
        };
        let teller = Arc::new(Teller::new(Names::new("ns").unwrap()));
        Drawer::new(dialer, Duration::from_secs(1), Handle::current(), teller)
    }

    /// One master for all, that has claimed one epoch and heard of another.
    fn masters(drawer: &mut Drawer, claimed: u64, heard: u64) -> Masters {
        let info = format!("cluster_state:ok\ncluster_current_epoch:{heard}\n");
        let nodes = format!("aa host:1@2 myself,master - 0 0 {claimed} connected 0-16383\n");
        let view = View::read(&info, &nodes).unwrap();
        let line = drawer.line("aa", ("host".to_owned(), 1));
        Masters { nodes: vec![Node { line, view }], home: "aa".to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn an_epoch_that_nobody_claims_has_to_stand_until_its_election_is_over() {
        let mut drawer = drawer();
        let settled = masters(&mut drawer, 3, 3);
        drawer.check_election(&settled).unwrap();
        let contested = masters(&mut drawer, 3, 4);
        drawer.check_election(&contested).unwrap_err();
        advance(ELECTION / 2).await;
        drawer.check_election(&contested).unwrap_err();
        let again = masters(&mut drawer, 3, 5);
        drawer.check_election(&again).unwrap_err();
        advance(ELECTION / 2).await;
        assert!(drawer.check_election(&again).is_err(), "another election");
        advance(ELECTION / 2).await;
        drawer.check_election(&again).unwrap();
        let won = masters(&mut drawer, 5, 5);
        drawer.check_election(&won).unwrap();
        assert!(drawer.check_election(&again).is_err(), "it counts anew");
    }

    #[tokio::test]
    async fn a_master_that_stays_where_it_is_keeps_its_connection() {
        let mut drawer = drawer();
        let at = |port| ("host".to_owned(), port);
        let first = drawer.line("aa", at(1)).link;
        assert!(Arc::ptr_eq(&first, &drawer.line("aa", at(1)).link));
        assert!(!Arc::ptr_eq(&first, &drawer.line("aa", at(2)).link));
    }
}
