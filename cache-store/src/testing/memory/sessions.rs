//! Sessions, which are no entries.

use std::time::Duration;

use tokio::time::Instant;

use super::{MemoryStore, Operation};
use crate::{
    BoxFuture, Result, SessionAt, SessionFound, SessionListed, SessionMove, SessionShelf,
    SessionStart, SessionTier, SessionUser, SessionWrite, SessionWritten,
};

/// The sessions, in times since the first step.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    shelf: SessionShelf,
    origin: Option<Instant>,
}

impl MemoryStore {
    fn of_sessions<'a, T: Send + 'a>(
        &'a self,
        step: impl FnOnce(&mut SessionShelf, Duration) -> T + Send + 'a,
    ) -> BoxFuture<'a, T> {
        self.round_trip(Operation::Sessions, move |tier, now| {
            let origin = *tier.sessions.origin.get_or_insert(now);
            step(&mut tier.sessions.shelf, now.saturating_duration_since(origin))
        })
    }
}

impl SessionTier for MemoryStore {
    fn start_session<'a>(&'a self, start: SessionStart<'a>) -> BoxFuture<'a, Result<()>> {
        self.of_sessions(move |shelf, now| shelf.start(now, &start))
    }

    fn read_session<'a>(
        &'a self,
        at: SessionAt<'a>,
        touch: bool,
    ) -> BoxFuture<'a, Result<Option<SessionFound>>> {
        self.of_sessions(move |shelf, now| Ok(shelf.read(now, at, touch)))
    }

    fn write_session<'a>(
        &'a self,
        write: SessionWrite<'a>,
    ) -> BoxFuture<'a, Result<SessionWritten>> {
        self.of_sessions(move |shelf, now| Ok(shelf.write(now, &write)))
    }

    fn move_session<'a>(
        &'a self,
        change: SessionMove<'a>,
    ) -> BoxFuture<'a, Result<SessionWritten>> {
        self.of_sessions(move |shelf, now| Ok(shelf.relocate(now, &change)))
    }

    fn end_session<'a>(&'a self, at: SessionAt<'a>) -> BoxFuture<'a, Result<bool>> {
        self.of_sessions(move |shelf, now| Ok(shelf.end(now, at)))
    }

    fn end_sessions<'a>(&'a self, user: SessionUser<'a>) -> BoxFuture<'a, Result<u64>> {
        self.of_sessions(move |shelf, now| Ok(shelf.end_all(now, user)))
    }

    fn list_sessions<'a>(
        &'a self,
        user: SessionUser<'a>,
    ) -> BoxFuture<'a, Result<Vec<SessionListed>>> {
        self.of_sessions(move |shelf, now| Ok(shelf.list(now, user)))
    }
}
