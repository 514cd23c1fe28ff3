//! What is done with sessions.

use std::time::Duration;

use cache_store::{Error, ErrorKind, Result, SessionFound, SessionWrite, SessionWritten};
use serde::{Serialize, de::DeserializeOwned};

use super::{Session, SessionId, SessionInfo, SessionStore, kind::Made, seal::Part};
use crate::timer::sleep;

/// How often a change that others overtake is tried.
const ATTEMPTS: u32 = 16;

impl<T: Serialize + DeserializeOwned> SessionStore<T> {
    /// Creates a session of a user. One round trip.
    ///
    /// After signing in create a session, or [`sign_in`](Self::sign_in) with the one that there is, and give the client the new
    /// id: never keep one that it brought.
    ///
    /// # Errors
    ///
    /// Whatever kept the shared tier from answering; then there may be a session that nobody has the id of.
    /// [`ErrorKind::Template`] for a user without a name and for settings that cannot be, [`ErrorKind::Codec`] and
    /// [`ErrorKind::TooLarge`] for data that cannot be written or take more than a mebibyte, [`ErrorKind::Refused`] where a cache
    /// without a shared tier has no room, [`ErrorKind::Entropy`] without random bytes, [`ErrorKind::Unsupported`] for a shared
    /// tier that has no sessions.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, there may be a session that nobody has the id of.
    ///
    /// See [`SessionStore`] for an example.
    pub async fn create(&self, user: &str, data: T) -> Result<Session<T>> {
        self.make(Some(user), data).await.map_err(during("create"))
    }

    /// Creates a session of nobody: for who has not signed in.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    ///
    /// # Cancel safety
    ///
    /// As [`create`](Self::create).
    ///
    /// See [`sign_in`](Self::sign_in) for an example.
    pub async fn create_anonymous(&self, data: T) -> Result<Session<T>> {
        self.make(None, data).await.map_err(during("create_anonymous"))
    }

    /// The session of an id, and begins its idle time anew; `None` when there is none, or none any more. One round trip.
    ///
    /// # Errors
    ///
    /// Whatever kept the shared tier from answering; [`ErrorKind::Codec`] for a session whose bytes cannot be read, are of
    /// another [`version`](Self::version), or were not sealed with the cache's keys.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the session may have been used or not.
    ///
    /// See [`SessionStore`] for an example.
    pub async fn get(&self, id: &SessionId) -> Result<Option<Session<T>>> {
        self.find(id, true).await.map_err(during("get"))
    }

    /// The session of an id, which is not used by that.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Cancel safety
    ///
    /// It changes nothing.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let sessions = larder::SessionStore::<u32>::new(&larder::Cache::memory());
    /// let session = sessions.create("42", 7).await?;
    /// assert!(sessions.peek(session.id()).await?.is_some());
    /// # Ok(()) }
    /// ```
    pub async fn peek(&self, id: &SessionId) -> Result<Option<Session<T>>> {
        self.find(id, false).await.map_err(during("peek"))
    }

    /// Writes new data, whatever was written meanwhile: of two who do so at once the last one stays. `false` when there is no
    /// session, and none is made. One round trip. Counts as use.
    ///
    /// # Errors
    ///
    /// Whatever kept the shared tier from answering, after which it may have been written; [`ErrorKind::Codec`] and
    /// [`ErrorKind::TooLarge`] as for [`create`](Self::create).
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it may have been written or not.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let sessions = larder::SessionStore::<u32>::new(&larder::Cache::memory());
    /// let session = sessions.create("42", 7).await?;
    /// assert!(sessions.update(session.id(), &8).await?);
    /// assert_eq!(*sessions.get(session.id()).await?.expect("it lives").data(), 8);
    /// # Ok(()) }
    /// ```
    pub async fn update(&self, id: &SessionId, data: &T) -> Result<bool> {
        let written = self.write(id, data, fastrand::u64(..), None).await;
        Ok(written.map_err(during("update"))? == SessionWritten::Written)
    }

    /// Reads the data, lets `change` change them, and writes them, unless somebody else did so meanwhile: then once more. So no
    /// change is lost, and `change` may run more than once. `None` when there is no session. Two round trips.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`update`](Self::update); [`ErrorKind::Fenced`] when others were faster many times. After an
    /// error of the shared tier the change may have been made.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the change may have been made or not.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let sessions = larder::SessionStore::<Vec<String>>::new(&larder::Cache::memory());
    /// let id = sessions.create("42", Vec::new()).await?.id().clone();
    /// let changed = sessions.modify(&id, |basket| basket.push("tea".to_owned())).await?;
    /// assert_eq!(changed.expect("it lives").data().len(), 1);
    /// # Ok(()) }
    /// ```
    pub async fn modify(
        &self,
        id: &SessionId,
        mut change: impl FnMut(&mut T),
    ) -> Result<Option<Session<T>>> {
        let during = during("modify");
        for attempt in 0..ATTEMPTS {
            let Some(mut session) = self.find(id, true).await.map_err(during)? else {
                return Ok(None);
            };
            change(&mut session.data);
            let (stamp, expected) = (fastrand::u64(..), Some(session.stamp));
            match self.write(id, &session.data, stamp, expected).await.map_err(during)? {
                SessionWritten::Written => return Ok(Some(Session { stamp, ..session })),
                SessionWritten::Gone => return Ok(None),
                SessionWritten::Overtaken => pause(attempt).await,
            }
        }
        Err(during(overtaken()))
    }

    /// Ends a session: signs out. `false` when there was none. One round trip.
    ///
    /// # Errors
    ///
    /// Whatever kept the shared tier from answering, after which it may have ended: ask again, nothing repeats it.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it may have ended or not.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let sessions = larder::SessionStore::<u32>::new(&larder::Cache::memory());
    /// let session = sessions.create("42", 7).await?;
    /// assert!(sessions.delete(session.id()).await?);
    /// assert!(sessions.get(session.id()).await?.is_none());
    /// # Ok(()) }
    /// ```
    pub async fn delete(&self, id: &SessionId) -> Result<bool> {
        self.kind.end(id.shard(), &id.digest()).await.map_err(during("delete"))
    }

    /// Gives a session a new id; the old one is dead at once. `None` when there is no session. Two round trips, of which the
    /// second changes all or nothing.
    ///
    /// Against an id that somebody else knows, because it was planted or seen: whenever rights change. Requests with the old id
    /// that are under way find no session: there is no time in which both are good. The session keeps its user, its age and
    /// its absolute end.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); [`ErrorKind::Fenced`] when others changed the data many times. After an error of the shared tier
    /// the old id may be dead and the new one unknown: then the user signs in anew.
    ///
    /// # Cancel safety
    ///
    /// As after an error.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let sessions = larder::SessionStore::<u32>::new(&larder::Cache::memory());
    /// let old = sessions.create("42", 7).await?;
    /// let new = sessions.rotate(old.id()).await?.expect("it lives");
    /// assert!(sessions.get(old.id()).await?.is_none());
    /// assert_eq!(sessions.get(new.id()).await?.expect("it lives").user(), Some("42"));
    /// # Ok(()) }
    /// ```
    pub async fn rotate(&self, id: &SessionId) -> Result<Option<Session<T>>> {
        let during = during("rotate");
        for attempt in 0..ATTEMPTS {
            let found = self.kind.read(id, true).await.map_err(during)?;
            let Some(found) = found else { return Ok(None) };
            let (user, data) = self.opened(id, &found).map_err(during)?;
            let seal = |digest: &str| self.kind.seal(digest, Part::Data, &data);
            let moved = self.kind.change_id(id, &found, user.as_deref(), seal).await;
            let (made, written) = moved.map_err(during)?;
            match written {
                SessionWritten::Written => return Ok(Some(session(made, user, data))),
                SessionWritten::Gone => return Ok(None),
                SessionWritten::Overtaken => pause(attempt).await,
            }
        }
        Err(during(overtaken()))
    }

    /// Makes a session that there is one of this user, who has just proven who it is: with the same data, a new id and a new
    /// beginning. The old one is dead at once. `None` when there is no session: then [`create`](Self::create) one. Three round
    /// trips.
    ///
    /// The old session, which somebody else may have planted, is never the user's: against fixation. What is written to it
    /// while this runs is lost.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create) and [`get`](Self::get). After an error of the shared tier the old session may live, as
    /// whoever's it was, and there may be one of the user that nobody has the id of.
    ///
    /// # Cancel safety
    ///
    /// As after an error.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let sessions = larder::SessionStore::<Vec<String>>::new(&larder::Cache::memory());
    /// let guest = sessions.create_anonymous(vec!["tea".to_owned()]).await?;
    /// let user = sessions.sign_in(guest.id(), "42").await?.expect("it lives");
    /// assert_eq!((user.user(), user.data().len()), (Some("42"), 1));
    /// assert!(sessions.get(guest.id()).await?.is_none());
    /// # Ok(()) }
    /// ```
    pub async fn sign_in(&self, id: &SessionId, user: &str) -> Result<Option<Session<T>>> {
        let during = during("sign_in");
        let Some(old) = self.find(id, true).await.map_err(during)? else { return Ok(None) };
        let new = self.make(Some(user), old.data).await.map_err(during)?;
        // Whoever ended the old one meanwhile meant this one, too.
        if self.kind.end(id.shard(), &id.digest()).await.map_err(during)? {
            return Ok(Some(new));
        }
        self.kind.end(new.id.shard(), &new.id.digest()).await.map_err(during)?;
        Ok(None)
    }

    /// The sessions of a user, the oldest first, without their data and ids. One round trip. It is no use of any of them.
    ///
    /// # Errors
    ///
    /// Whatever kept the shared tier from answering; [`ErrorKind::Template`] for a user without a name.
    ///
    /// # Cancel safety
    ///
    /// It changes nothing.
    ///
    /// See [`SessionInfo`] for an example.
    pub async fn user_sessions(&self, user: &str) -> Result<Vec<SessionInfo>> {
        self.kind.list(user).await.map_err(during("user_sessions"))
    }

    /// Ends all sessions of a user, in one step and one round trip: whatever else is under way, none that was there before is
    /// found afterwards, by any process. How many there were.
    ///
    /// # Errors
    ///
    /// As [`user_sessions`](Self::user_sessions). After an error of the shared tier they may have ended: ask again, nothing
    /// repeats it.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, all may have ended or none.
    ///
    /// See [`SessionStore`] for an example.
    pub async fn invalidate_user_sessions(&self, user: &str) -> Result<u64> {
        self.kind.end_all(user).await.map_err(during("invalidate_user_sessions"))
    }

    /// Ends a session that a list showed; `false` when it has ended meanwhile, or has another id by now.
    ///
    /// # Errors
    ///
    /// As [`delete`](Self::delete).
    ///
    /// # Cancel safety
    ///
    /// As [`delete`](Self::delete).
    ///
    /// See [`SessionInfo`] for an example.
    pub async fn delete_listed(&self, info: &SessionInfo) -> Result<bool> {
        self.kind.end(info.shard, &info.digest).await.map_err(during("delete_listed"))
    }

    async fn make(&self, user: Option<&str>, data: T) -> Result<Session<T>> {
        let seal = |digest: &str| self.kind.seal(digest, Part::Data, &data);
        let made = self.kind.start(user, seal).await?;
        Ok(session(made, user.map(str::to_owned), data))
    }

    async fn find(&self, id: &SessionId, touch: bool) -> Result<Option<Session<T>>> {
        let Some(found) = self.kind.read(id, touch).await? else { return Ok(None) };
        let (user, data) = self.opened(id, &found)?;
        let SessionFound { stamp, times, .. } = found;
        Ok(Some(Session { id: id.clone(), user, data, stamp, times }))
    }

    fn opened(&self, id: &SessionId, found: &SessionFound) -> Result<(Option<String>, T)> {
        let digest = id.digest();
        let user = self.kind.open(&digest, Part::User, &found.who)?;
        Ok((user, self.kind.open(&digest, Part::Data, &found.data)?))
    }

    async fn write(
        &self,
        id: &SessionId,
        data: &T,
        stamp: u64,
        expected: Option<u64>,
    ) -> Result<SessionWritten> {
        let digest = id.digest();
        let data = self.kind.seal(&digest, Part::Data, data)?;
        let at = self.kind.at(id.shard(), &digest);
        let write = SessionWrite { at, data: &data, stamp, expected, life: None };
        self.kind.ask(|sessions| sessions.write_session(write)).await
    }
}

fn session<T>(made: Made, user: Option<String>, data: T) -> Session<T> {
    Session { id: made.id, user, data, stamp: made.stamp, times: made.times }
}

/// So that those who overtake each other do not go on in step.
async fn pause(attempt: u32) {
    let most = Duration::from_millis(1 << attempt.min(5));
    sleep(most.mul_f64(fastrand::f64())).await;
}

fn overtaken() -> Error {
    let message = format!("others changed the session {ATTEMPTS} times while this was under way");
    Error::new(ErrorKind::Fenced, message)
}

fn during(operation: &'static str) -> impl Fn(Error) -> Error + Copy {
    move |error| error.during(operation)
}
