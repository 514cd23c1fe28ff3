//! Sessions in a cache that has no shared tier.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use cache_store::{
    BoxFuture, Result, SessionAt, SessionFound, SessionListed, SessionMove, SessionShelf,
    SessionStart, SessionTier, SessionUser, SessionWrite, SessionWritten,
};

use crate::clock::{Clock, Moment};

pub(crate) struct Here {
    shelf: Mutex<SessionShelf>,
    clock: Clock,
}

impl Here {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { shelf: Mutex::default(), clock }
    }

    fn step<'a, T: Send + 'a>(
        &'a self,
        step: impl FnOnce(&mut SessionShelf, Duration) -> T + Send + 'a,
    ) -> BoxFuture<'a, T> {
        Box::pin(async move {
            // Nothing panics while the lock is held.
            let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
            step(&mut shelf, Moment::default().until(self.clock.now()))
        })
    }
}

impl SessionTier for Here {
    fn start_session<'a>(&'a self, start: SessionStart<'a>) -> BoxFuture<'a, Result<()>> {
        self.step(move |shelf, now| shelf.start(now, &start))
    }

    fn read_session<'a>(
        &'a self,
        at: SessionAt<'a>,
        touch: bool,
    ) -> BoxFuture<'a, Result<Option<SessionFound>>> {
        self.step(move |shelf, now| Ok(shelf.read(now, at, touch)))
    }

    fn write_session<'a>(
        &'a self,
        write: SessionWrite<'a>,
    ) -> BoxFuture<'a, Result<SessionWritten>> {
        self.step(move |shelf, now| Ok(shelf.write(now, &write)))
    }

    fn move_session<'a>(
        &'a self,
        change: SessionMove<'a>,
    ) -> BoxFuture<'a, Result<SessionWritten>> {
        self.step(move |shelf, now| Ok(shelf.relocate(now, &change)))
    }

    fn end_session<'a>(&'a self, at: SessionAt<'a>) -> BoxFuture<'a, Result<bool>> {
        self.step(move |shelf, now| Ok(shelf.end(now, at)))
    }

    fn end_sessions<'a>(&'a self, user: SessionUser<'a>) -> BoxFuture<'a, Result<u64>> {
        self.step(move |shelf, now| Ok(shelf.end_all(now, user)))
    }

    fn list_sessions<'a>(
        &'a self,
        user: SessionUser<'a>,
    ) -> BoxFuture<'a, Result<Vec<SessionListed>>> {
        self.step(move |shelf, now| Ok(shelf.list(now, user)))
    }
}
