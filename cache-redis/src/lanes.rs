//! Connections for reads, one to each runtime that reads.
//!
//! The store's own connection is mostly on a thread of its own, since it has to outlive every runtime. A request that crosses
//! to that thread and back costs two wake-ups of threads, more than all the rest of a read. So a runtime that reads gets a
//! connection that its own workers drive. Only reads go there, which need nothing that was sent on another connection before;
//! and only while it is up, otherwise they go the usual way.
//!
//! Not on a runtime of one thread: whoever blocks that thread, as a sync function does that waits for the shared tier, would
//! keep its connection from being driven.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak};

use cache_store::{ErrorKind, Query, Reading, Result};
use redis::{PushInfo, PushKind};
use tokio::runtime::{Handle, Id, RuntimeFlavor};

use crate::{line::Line, link::Link, names::Names};

/// So many runtimes have a connection of their own.
const MOST: usize = 4;

type OnPush = Box<dyn Fn(PushInfo) + Send + Sync>;
type Connect = dyn Fn(Handle, OnPush) -> Arc<Link> + Send + Sync;

/// The connections for reads to one server.
pub(crate) struct Lanes {
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
        connect: impl Fn(Handle, OnPush) -> Arc<Link> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new_cyclic(|lanes: &Weak<Self>| {
            let lanes = lanes.clone();
            let on_push = Box::new(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection
                    && let Some(lanes) = lanes.upgrade()
                {
                    lanes.give_up();
                }
            });
            let home = Line::new(names.clone(), connect(runtime, on_push));
            Self { names, home, lanes: RwLock::default(), connect: Box::new(connect) }
        })
    }

    /// The store's own connection.
    pub(crate) fn home(&self) -> &Arc<Link> {
        self.home.link()
    }

    /// One round trip.
    pub(crate) async fn read(&self, query: Query<'_>) -> Result<Reading> {
        let lane = self.lane();
        let line = lane.as_ref().unwrap_or(&self.home);
        let read = line.read(query).await;
        if let Err(error) = &read
            && error.kind() == ErrorKind::Timeout
        {
            self.doubt_others(line.link());
        }
        read
    }

    /// The connection of the current runtime, where it has one of its own that is up.
    fn lane(&self) -> Option<Arc<Line>> {
        let here = Handle::try_current().ok()?;
        let id = here.id();
        if id == self.home.link().runtime().id() {
            return None;
        }
        let known = self.lanes().iter().find(|(of, _)| *of == id).map(|(_, lane)| Arc::clone(lane));
        if known.is_none() {
            self.open_on(here);
        }
        known.filter(|lane| lane.link().is_up())
    }

    /// Connects in the background, where that runtime may have a connection.
    #[cold]
    fn open_on(&self, here: Handle) {
        if !matches!(here.runtime_flavor(), RuntimeFlavor::MultiThread) {
            return;
        }
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|(_, lane)| !lane.link().is_abandoned());
        let known = lanes.iter().any(|(of, _)| *of == here.id());
        if !known && lanes.len() < MOST {
            let id = here.id();
            // Nobody hears anything here.
            let lane = Line::new(self.names.clone(), (self.connect)(here, Box::new(|_| ())));
            lane.link().start();
            lanes.push((id, lane));
        }
    }

    /// A silence on one connection is mostly the server's: nobody has to find that out on each of them.
    fn doubt_others(&self, silent: &Arc<Link>) {
        let lanes = self.lanes();
        let all = lanes.iter().map(|(_, lane)| lane).chain([&self.home]).map(|line| line.link());
        all.filter(|link| !Arc::ptr_eq(link, silent)).for_each(|link| link.doubt());
    }

    /// Leaves the server that the store's own connection has left. It may be no master any more, and whoever only reads is not
    /// told.
    fn give_up(&self) {
        self.lanes().iter().for_each(|(_, lane)| lane.link().give_up("the store has left it"));
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
