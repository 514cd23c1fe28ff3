//! Every step of a session, past what strikes it.

use super::ChaosStore;
use crate::{
    BoxFuture, Error, ErrorKind, Result, SessionAt, SessionFound, SessionListed, SessionMove,
    SessionStart, SessionTier, SessionUser, SessionWrite, SessionWritten, Store,
    testing::Operation,
};

impl<S: Store> ChaosStore<S> {
    fn session<'a, T: Send + 'a>(
        &'a self,
        key: &str,
        step: impl FnOnce(&'a dyn SessionTier) -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        self.run_for(Operation::Sessions, key, move || match self.inner.sessions() {
            Some(sessions) => step(sessions),
            // Then this tier is not offered to anybody.
            None => Box::pin(async { Err(Error::new(ErrorKind::Unsupported, "no sessions")) }),
        })
    }
}

impl<S: Store> SessionTier for ChaosStore<S> {
    fn start_session<'a>(&'a self, start: SessionStart<'a>) -> BoxFuture<'a, Result<()>> {
        self.session(start.at.digest, move |sessions| sessions.start_session(start))
    }

    fn read_session<'a>(
        &'a self,
        at: SessionAt<'a>,
        touch: bool,
    ) -> BoxFuture<'a, Result<Option<SessionFound>>> {
        self.session(at.digest, move |sessions| sessions.read_session(at, touch))
    }

    fn write_session<'a>(
        &'a self,
        write: SessionWrite<'a>,
    ) -> BoxFuture<'a, Result<SessionWritten>> {
        self.session(write.at.digest, move |sessions| sessions.write_session(write))
    }

    fn move_session<'a>(
        &'a self,
        change: SessionMove<'a>,
    ) -> BoxFuture<'a, Result<SessionWritten>> {
        self.session(change.from.digest, move |sessions| sessions.move_session(change))
    }

    fn end_session<'a>(&'a self, at: SessionAt<'a>) -> BoxFuture<'a, Result<bool>> {
        self.session(at.digest, move |sessions| sessions.end_session(at))
    }

    fn end_sessions<'a>(&'a self, user: SessionUser<'a>) -> BoxFuture<'a, Result<u64>> {
        self.session(user.user, move |sessions| sessions.end_sessions(user))
    }

    fn list_sessions<'a>(
        &'a self,
        user: SessionUser<'a>,
    ) -> BoxFuture<'a, Result<Vec<SessionListed>>> {
        self.session(user.user, move |sessions| sessions.list_sessions(user))
    }
}
