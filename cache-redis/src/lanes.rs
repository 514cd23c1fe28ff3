//! Connections for reads, one to each runtime that reads.
//!
//! The store's own connection is mostly on a thread of its own, since it has to outlive every runtime. A request that crosses
//! to that thread and back costs two wake-ups of threads, more than all the rest of a read. So a runtime that reads gets a
//! connection that its own workers drive. Only reads go there, which need nothing that was sent on another connection before;
//! and only while it is up, answers, and was begun after the store's own came up. Otherwise they go the usual way: a connection
//! that nobody writes to is not told that its server is no master any more.
//!
//! Not on a runtime of one thread: whoever blocks that thread, as a sync function does that waits for the shared tier, would
//! keep its connection from being driven.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak};

use cache_store::{BoxFuture, Query, Reading, Result};
use tokio::runtime::{Handle, Id, RuntimeFlavor};

use crate::{
    line::Line,
    link::{Link, Ties},
    names::Names,
};

/// So many runtimes have a connection of their own.
const MOST: usize = 4;

type Connect = dyn Fn(Handle, Ties) -> Arc<Link> + Send + Sync;

/// The connections for reads to one server.
pub(crate) struct Lanes {
    myself: Weak<Self>,
    names: Names,
    home: Arc<Line>,
    lanes: RwLock<Vec<(Id, Arc<Line>)>>,
    connect: Box<Connect>,
}

impl Lanes {
    /// Reads over the store's own connection, which `connect` makes on `runtime`, and over those it makes for others.
    pub(crate) fn open(
        names: Names,
        runtime: Handle,
        connect: impl Fn(Handle, Ties) -> Arc<Link> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new_cyclic(|myself: &Weak<Self>| {
            let myself = myself.clone();
            let home = Line::new(names.clone(), connect(runtime, ties(&myself, None)));
            Self { myself, names, home, lanes: RwLock::default(), connect: Box::new(connect) }
        })
    }

    /// The store's own connection.
    pub(crate) fn home(&self) -> &Arc<Link> {
        self.home.link()
    }

    /// One round trip.
    pub(crate) fn read<'a>(&self, query: Query<'a>) -> BoxFuture<'a, Result<Reading>> {
        let lane = self.lane();
        lane.as_ref().unwrap_or(&self.home).read(query)
    }

    /// The connection of the current runtime, where it has one of its own that can be used.
    fn lane(&self) -> Option<Arc<Line>> {
        let here = Handle::try_current().ok()?;
        let id = here.id();
        if id == self.home().runtime().id() {
            return None;
        }
        let known = self.lanes().iter().find(|(of, _)| *of == id).map(|(_, lane)| Arc::clone(lane));
        match known {
            Some(lane) if lane.link().is_sound() => Some(lane),
            Some(lane) => {
                self.mend(&lane, here);
                None
            }
            None => {
                self.open_on(here);
                None
            }
        }
    }

    /// Connects in the background, where that runtime may have a connection.
    #[cold]
    fn open_on(&self, here: Handle) {
        // What is begun before the store's own is up could not be used.
        if !matches!(here.runtime_flavor(), RuntimeFlavor::MultiThread) || !self.home().is_up() {
            return;
        }
        if Self::is_full(&self.lanes()) {
            // Every read of such a runtime comes here: it is not to hold the others up.
            return;
        }
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|(_, lane)| !lane.link().is_abandoned());
        let known = lanes.iter().any(|(of, _)| *of == here.id());
        if !known && lanes.len() < MOST {
            let id = here.id();
            let ties = ties(&self.myself, Some(Arc::clone(self.home())));
            let lane = Line::new(self.names.clone(), (self.connect)(here, ties));
            lane.link().start();
            lanes.push((id, lane));
        }
    }

    fn is_full(lanes: &[(Id, Arc<Line>)]) -> bool {
        lanes.len() == MOST && !lanes.iter().any(|(_, lane)| lane.link().is_abandoned())
    }

    /// Leaves the server that the store's own connection has left. It may be no master any more, and whoever only reads is not
    /// told.
    #[cold]
    fn mend(&self, lane: &Line, here: Handle) {
        if lane.link().is_abandoned() {
            // The number of a runtime that has ended may be another one's now.
            self.open_on(here);
        } else if self.home().is_up() && lane.link().is_behind() {
            lane.link().give_up("the store has connected anew");
        }
    }

    /// A silence on one connection is mostly the server's: nobody has to find that out on each of them.
    fn doubt(&self) {
        self.home().doubt();
        self.lanes().iter().for_each(|(_, lane)| lane.link().doubt());
    }

    /// Ends all but the store's own.
    pub(crate) fn close(&self) {
        self.lanes().iter().for_each(|(_, lane)| lane.link().close());
    }

    fn lanes(&self) -> RwLockReadGuard<'_, Vec<(Id, Arc<Line>)>> {
        // Nothing panics while they are locked.
        self.lanes.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of pushes nobody hears anything here.
fn ties(lanes: &Weak<Lanes>, leader: Option<Arc<Link>>) -> Ties {
    let lanes = Weak::clone(lanes);
    let on_silence = Box::new(move || {
        if let Some(lanes) = lanes.upgrade() {
            lanes.doubt();
        }
    });
    Ties { on_push: Box::new(|_| ()), on_silence, leader }
}
