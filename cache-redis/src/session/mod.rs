//! The coherence session: connections by which every server tells of every change, and the proof that it did.
//!
//! Redis has `CLIENT TRACKING` with `BCAST` for this
//! (<https://redis.io/docs/latest/develop/reference/client-side-caching/>): whatever changes a name with one of the given
//! beginnings is pushed to the connection, whoever made the change. Valkey has the same.

#[cfg(feature = "cluster")]
mod cluster;
#[cfg(feature = "cluster")]
mod draw;
#[cfg(feature = "cluster")]
mod map;
#[cfg(feature = "cluster")]
mod masters;
mod teller;
mod track;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use cache_store::{Error, ErrorKind, Listener, Result};
use tokio::{runtime::Handle, time::Instant};

#[cfg(feature = "cluster")]
use self::cluster::ClusterSession;
pub(crate) use self::{
    teller::Teller,
    track::{Life, Tracker, field, who},
};
use crate::{
    dial::{Dialer, Purpose},
    link::{Link, Ties},
    target::Target,
};

/// The session of one store. Nothing is connected before somebody listens.
pub(crate) struct Session {
    teller: Arc<Teller>,
    deadline: Duration,
    way: Way,
}

/// By what the news comes.
enum Way {
    /// By nothing: RESP2 knows no pushes.
    None,
    /// By a connection to the one server, or to the one that Sentinel names.
    Server(Arc<Link>, Tracker),
    #[cfg(feature = "cluster")]
    Cluster(Box<ClusterSession>),
}

impl Session {
    /// A session with the server that `data` is with, or with all of its cluster. `dialer` makes a dialer for a purpose.
    pub(crate) fn new(
        teller: Arc<Teller>,
        data: Arc<Link>,
        deadline: Duration,
        runtime: Handle,
        dialer: impl FnOnce(Purpose) -> Dialer,
    ) -> Self {
        let tracker = Tracker::new(Arc::clone(&teller), String::new());
        let dialer = dialer(Purpose::Track(tracker.clone()));
        let way = match dialer.target {
            _ if !dialer.target.is_pushed_to() => Way::None,
            Target::Node(_) | Target::Sentinel(_) => {
                let ears = Arc::clone(&teller);
                let ties = Ties::to(data, move |push| ears.hear(&push));
                let link = Link::unlimited(dialer, deadline, runtime, ties);
                Way::Server(link, tracker)
            }
            #[cfg(feature = "cluster")]
            Target::Cluster(_) => {
                let told = Arc::clone(&teller);
                Way::Cluster(Box::new(ClusterSession::new(dialer, deadline, runtime, told)))
            }
            #[cfg(not(feature = "cluster"))]
            Target::Cluster(_) => Way::None,
        };
        Self { teller, deadline, way }
    }

    /// Connects, if that was not done before; `false` where no news can come.
    pub(crate) fn listen(&self, listener: Weak<dyn Listener>) -> bool {
        match &self.way {
            Way::None => {
                self.teller.refused(&needs_resp3());
                return false;
            }
            Way::Server(link, _) => {
                self.teller.listen(listener);
                link.start();
            }
            #[cfg(feature = "cluster")]
            Way::Cluster(session) => {
                self.teller.listen(listener);
                session.start();
            }
        }
        true
    }

    /// `Ok` when the listener knows of every change that was made before this was called.
    pub(crate) async fn heartbeat(&self) -> Result<()> {
        let until = Instant::now() + self.deadline;
        match &self.way {
            Way::None => Err(needs_resp3()),
            _ if !self.teller.has_listener() => {
                Err(Error::new(ErrorKind::Unavailable, "nobody listens"))
            }
            Way::Server(link, tracker) => tracker.heartbeat(link, until).await,
            #[cfg(feature = "cluster")]
            Way::Cluster(session) => session.heartbeat(until).await,
        }
    }

    /// Ends all connections.
    pub(crate) fn close(&self) {
        match &self.way {
            Way::None => {}
            Way::Server(link, _) => link.close(),
            #[cfg(feature = "cluster")]
            Way::Cluster(session) => session.close(),
        }
    }
}

fn needs_resp3() -> Error {
    let message = "RESP2 has no way to tell of changes: take `protocol=resp2` out of the Redis URL";
    Error::new(ErrorKind::Unavailable, message)
}
