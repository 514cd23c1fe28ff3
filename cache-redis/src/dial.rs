//! Making a connection: to a server, to the master that Sentinel names, to a cluster.

use std::{error::Error as StdError, io, sync::Arc, time::Duration};

use cache_store::{Error, ErrorKind, Result};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, PushInfo, RedisError, Value,
    aio::MultiplexedConnection,
};
use tokio::time::timeout;

use crate::{
    batch::{Batch, Conn},
    error,
    names::Names,
    reply::Replies,
    script,
    session::{Life, Teller, Tracker, who},
    target::{SentinelTarget, Target},
};

/// Receives what the server sends unasked; called from the connection's own task.
pub(crate) type OnPush = Arc<dyn Fn(PushInfo) + Send + Sync>;

/// A connection that was made.
pub(crate) struct Dialed {
    pub(crate) conn: Conn,
    /// The server that it is to; a cluster has many.
    pub(crate) at: Option<ConnectionInfo>,
}

/// What a connection is for, and so what is asked for right after it is made.
#[derive(Clone)]
pub(crate) enum Purpose {
    /// Requests: a user without the rights they need is found out at once. Where all of them go to one server, it is told in
    /// which life that one is.
    Data(Names, Option<Arc<Teller>>),
    /// Being told when leases end.
    Watch,
    /// Being told of every change.
    Track(Tracker),
    /// Being handed messages.
    Subscribe,
}

impl Purpose {
    /// How long to leave the server alone after this answer, where more than the usual pause is called for: a server
    /// that cannot tell of changes, or to a user who may not hear of them, is not asked again and again.
    pub(crate) fn pause_after(&self, cause: &Error) -> Option<Duration> {
        match (self, cause.kind()) {
            (Self::Track(_), ErrorKind::Unauthorized | ErrorKind::Protocol) => Some(REFUSED),
            _ => None,
        }
    }
}

/// See [`Purpose::pause_after`].
const REFUSED: Duration = Duration::from_secs(15);

/// Knows how to connect.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) target: Target,
    pub(crate) purpose: Purpose,
    pub(crate) connect_timeout: Duration,
    #[cfg(all(feature = "cluster", feature = "tls"))]
    pub(crate) certificates: Option<redis::TlsCertificates>,
}

impl Dialer {
    /// The dialer to one node of a cluster.
    #[cfg(feature = "cluster")]
    pub(crate) fn to_node(&self, host: String, port: u16, purpose: Purpose) -> Self {
        let like = self.target.any();
        Self {
            target: Target::Node(like.clone().set_addr(at(like.addr(), host, port))),
            purpose,
            connect_timeout: self.connect_timeout,
            #[cfg(feature = "tls")]
            certificates: self.certificates.clone(),
        }
    }

    /// One attempt; where it is known which server it is to be, at that one.
    pub(crate) async fn dial(
        &self,
        on_push: OnPush,
        at: Option<&ConnectionInfo>,
    ) -> Result<Dialed> {
        let attempt = match &self.target {
            Target::Node(info) => self.node(at.unwrap_or(info), on_push).await,
            Target::Sentinel(target) => match at {
                Some(master) => self.certain_master(master, on_push).await,
                None => self.master(target, on_push).await,
            },
            #[cfg(feature = "cluster")]
            Target::Cluster(nodes) => self.cluster(nodes, on_push).await,
            #[cfg(not(feature = "cluster"))]
            Target::Cluster(_) => Err(error::unexpected("no cluster without the feature")),
        };
        let named = |cause: Error| Error::new(cause.kind(), format!("{}: {cause}", self.target));
        let (dialed, life) = attempt.map_err(named)?;
        if let (Purpose::Data(_, Some(teller)), Some(life)) = (&self.purpose, life) {
            teller.reach(life);
        }
        Ok(dialed)
    }

    /// One attempt at a connection to one server; of a cluster, to any of the nodes that are known.
    pub(crate) async fn dial_one(&self, on_push: OnPush) -> Result<Conn> {
        let Target::Cluster(nodes) = &self.target else {
            return Ok(self.dial(on_push, None).await?.conn);
        };
        let mut last = Error::new(ErrorKind::Unavailable, "no node answered");
        // Not all processes at the same one.
        let first = fastrand::usize(..nodes.len().max(1));
        for node in nodes.iter().cycle().skip(first).take(nodes.len()) {
            match self.node(node, Arc::clone(&on_push)).await {
                Ok((dialed, _)) => return Ok(dialed.conn),
                Err(cause) => last = cause,
            }
        }
        Err(Error::new(last.kind(), format!("{}: {last}", self.target)))
    }

    async fn node(&self, info: &ConnectionInfo, on_push: OnPush) -> Result<(Dialed, Option<Life>)> {
        let mut conn = Conn::Node(self.open(info, Some(on_push)).await?);
        let life = self.within(self.prepare(&mut conn)).await?;
        Ok((Dialed { conn, at: Some(info.clone()) }, life))
    }

    /// Asks the sentinels anew each time: the address that one of them gave before may be the fallen master's.
    async fn master(
        &self,
        target: &SentinelTarget,
        on_push: OnPush,
    ) -> Result<(Dialed, Option<Life>)> {
        let mut last = Error::new(ErrorKind::Unavailable, "no sentinel answered");
        for sentinel in &target.sentinels {
            match self.within(self.ask_sentinel(sentinel, target)).await {
                Ok(master) => match self.certain_master(&master, Arc::clone(&on_push)).await {
                    Ok(dialed) => return Ok(dialed),
                    Err(cause) => last = cause,
                },
                Err(cause) => last = cause,
            }
        }
        Err(last)
    }

    async fn certain_master(
        &self,
        master: &ConnectionInfo,
        on_push: OnPush,
    ) -> Result<(Dialed, Option<Life>)> {
        let (mut dialed, life) = self.node(master, on_push).await?;
        self.within(check_master(&mut dialed.conn)).await?;
        Ok((dialed, life))
    }

    async fn ask_sentinel(
        &self,
        sentinel: &ConnectionInfo,
        target: &SentinelTarget,
    ) -> Result<ConnectionInfo> {
        let mut conn = Conn::Node(self.open(sentinel, None).await?);
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&target.service);
        let replies = conn.run(&Batch::new("").with(question)).await;
        let reply = Replies::new(replies.map_err(|cause| error::from_redis(&cause))?).next()?;
        let (host, port) = redis::from_redis_value::<(String, u16)>(reply).map_err(|_| {
            let message = format!("the sentinel knows no service {}", target.service);
            Error::new(ErrorKind::Unavailable, message)
        })?;
        Ok(target.master.clone().set_addr(at(target.master.addr(), host, port)))
    }

    #[cfg(feature = "cluster")]
    async fn cluster(
        &self,
        nodes: &[ConnectionInfo],
        on_push: OnPush,
    ) -> Result<(Dialed, Option<Life>)> {
        self.any_node(nodes).await?;
        let client = self.cluster_client(nodes, on_push)?;
        let conn = self.within(async {
            client.get_async_connection().await.map_err(|cause| self.connect_error(&cause))
        });
        Ok((Dialed { conn: Conn::Cluster(conn.await?), at: None }, None))
    }

    /// The cluster's client says "no connection" where a node says "wrong password", so one node is asked directly.
    #[cfg(feature = "cluster")]
    async fn any_node(&self, nodes: &[ConnectionInfo]) -> Result<()> {
        let mut last = Error::new(ErrorKind::Unavailable, "no node answered");
        for node in nodes {
            match self.open(node, None).await {
                Ok(conn) => {
                    return self.within(self.prepare(&mut Conn::Node(conn))).await.map(|_| ());
                }
                Err(cause) => last = cause,
            }
        }
        Err(last)
    }

    #[cfg(feature = "cluster")]
    fn cluster_client(
        &self,
        nodes: &[ConnectionInfo],
        on_push: OnPush,
    ) -> Result<redis::cluster::ClusterClient> {
        let settings = nodes[0].redis_settings();
        let mut builder = redis::cluster::ClusterClientBuilder::new(nodes.iter().cloned())
            .connection_timeout(self.connect_timeout)
            // The operation's own deadline is shorter; this one only frees what hangs on one node.
            .response_timeout(self.connect_timeout)
            .overall_response_timeout(None)
            .retries(3)
            .min_retry_wait(5)
            .max_retry_wait(100)
            .use_protocol(settings.protocol())
            .tcp_settings(nodes[0].tcp_settings().clone());
        if settings.protocol().supports_resp3() {
            // With a receiver for pushes a lost node is repaired at once, not at the next request.
            builder = builder.push_sender(move |push: PushInfo| {
                on_push(push);
                Ok::<(), redis::aio::SendError>(())
            });
        }
        #[cfg(feature = "tls")]
        if let Some(certificates) = &self.certificates {
            builder = builder.certs(certificates.clone());
        }
        builder.build().map_err(|cause| self.connect_error(&cause))
    }

    /// A connection to this server of which nothing is asked yet.
    pub(crate) async fn open(
        &self,
        info: &ConnectionInfo,
        push: Option<OnPush>,
    ) -> Result<MultiplexedConnection> {
        #[cfg(feature = "tls")]
        if self.target.is_tls() {
            crate::tls::ensure_provider();
        }
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(1024);
        if let Some(push) = push.filter(|_| info.redis_settings().protocol().supports_resp3()) {
            config = config.set_push_sender(move |info: PushInfo| {
                push(info);
                Ok::<(), redis::aio::SendError>(())
            });
        }
        let client = Client::open(info.clone()).map_err(|cause| self.connect_error(&cause))?;
        let conn = client.get_multiplexed_async_connection_with_config(&config).await;
        conn.map_err(|cause| self.connect_error(&cause))
    }

    /// Asks for what the purpose needs. Of the answers only a refused right counts: a server that is loading or full
    /// is connected all the same. Whoever may not ask for the life of a server does not know it.
    async fn prepare(&self, conn: &mut Conn) -> Result<Option<Life>> {
        match &self.purpose {
            Purpose::Data(names, _) => {
                let [server, replication] = who();
                let questions = probe(names).with(server).with(replication);
                let mut replies = Replies::new(run(conn, &questions).await?);
                for _ in 0..PROBES {
                    replies.next().map(|_| ()).or_else(unless_unauthorized)?;
                }
                let mut text = || replies.next_text().unwrap_or_default();
                Ok(Some(Life::read(&text(), &text())))
            }
            Purpose::Watch => {
                let mut command = redis::cmd("CLIENT");
                command.arg("TRACKING").arg("ON").arg("OPTIN");
                Replies::new(run(conn, &Batch::new("").with(command)).await?).next().map(|_| None)
            }
            Purpose::Track(tracker) => {
                tracker.opened(run(conn, &tracker.opening()).await?).map(|()| None)
            }
            Purpose::Subscribe => Ok(None),
        }
    }

    async fn within<T>(&self, step: impl Future<Output = Result<T>>) -> Result<T> {
        timeout(self.connect_timeout, step).await.unwrap_or_else(|_| {
            let message = format!("no answer within {:?}", self.connect_timeout);
            Err(Error::new(ErrorKind::Unavailable, message))
        })
    }

    /// While connecting, a late answer means "away", and a failed handshake "not allowed".
    fn connect_error(&self, cause: &RedisError) -> Error {
        let error = error::from_redis(cause);
        match error.kind() {
            ErrorKind::Unavailable if self.target.is_tls() && is_handshake(cause) => {
                Error::new(ErrorKind::Unauthorized, format!("TLS handshake failed: {cause}{TRUST}"))
            }
            ErrorKind::Timeout => {
                let message = format!("no connection within {:?}", self.connect_timeout);
                Error::new(ErrorKind::Unavailable, message)
            }
            _ => error,
        }
    }
}

/// What to do about a certificate that is not believed.
const TRUST: &str = " (the server's certificate must be in force, name the host of the URL, and be signed by an authority \
                     of the system or by RedisConfig::root_certificate)";

/// How many commands [`probe`] sends.
const PROBES: usize = 5;

/// Reads, a deletion and a script, whole and by its hash. Nothing changes: what is deleted does not exist.
fn probe(names: &Names) -> Batch {
    let keys = ["v:", "d:", "l:", "w:"].map(|kind| names.value("").replacen("v:", kind, 1));
    let keys = keys.each_ref().map(String::as_str);
    let mut last = redis::cmd("LINDEX");
    last.arg(names.pattern_log()).arg(-1);
    let of_unused = |name: &str| {
        let mut command = redis::cmd(name);
        command.arg(names.unused());
        command
    };
    Batch::new(names.pattern_log())
        .with(last)
        .with(of_unused("PTTL"))
        .with(of_unused("UNLINK"))
        .with(script::PROBE.call_whole(&keys))
        .with(script::PROBE.call(&keys))
}

fn unless_unauthorized(cause: Error) -> Result<()> {
    if cause.kind() == ErrorKind::Unauthorized { Err(cause) } else { Ok(()) }
}

async fn check_master(conn: &mut Conn) -> Result<()> {
    let replies = run(conn, &Batch::new("").with(redis::cmd("ROLE"))).await?;
    let role = Replies::new(replies).next_list()?.next_bytes()?;
    if role.as_deref() == Some(b"master") {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Unavailable, "the sentinel named a server that is no master"))
    }
}

async fn run(conn: &mut Conn, batch: &Batch) -> Result<Vec<Value>> {
    conn.run(batch).await.map_err(|cause| error::from_redis(&cause))
}

/// The address `host:port`, encrypted like `like`.
fn at(like: &redis::ConnectionAddr, host: String, port: u16) -> redis::ConnectionAddr {
    match like {
        redis::ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            redis::ConnectionAddr::TcpTls {
                host,
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            }
        }
        _ => redis::ConnectionAddr::Tcp(host, port),
    }
}

/// rustls reports what is wrong with a certificate, and that the other side speaks no TLS, as invalid data.
fn is_handshake(cause: &RedisError) -> bool {
    let source = cause.source().and_then(|source| {
        let shared = source.downcast_ref::<Arc<dyn StdError + Send + Sync>>()?;
        shared.downcast_ref::<io::Error>()
    });
    source.is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
}
