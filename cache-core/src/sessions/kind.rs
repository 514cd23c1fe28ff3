//! Sessions of one kind, without the type of their data: what was said of them, and who is asked.

use std::{sync::Arc, time::Duration};

use cache_store::{
    BoxFuture, Error, ErrorKind, Result, SessionAt, SessionFound, SessionMove, SessionStart,
    SessionTier, SessionTimes, SessionUser, SessionWritten,
};

use super::{SessionId, SessionInfo, id::user_digest, seal::Part};
use crate::{
    engine::Engine,
    explicit::is_zero_ttl,
    key::{KeyBuffer, raw_key},
};

const SHORTEST: Duration = Duration::from_millis(1);
/// What browsers keep a cookie for at most.
pub(super) const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);

const DEFAULT_IDLE: Duration = Duration::from_secs(30 * 60);
const DEFAULT_ABSOLUTE: Duration = Duration::from_secs(12 * 60 * 60);
const DEFAULT_MOST: u32 = 100;
/// What the list of a user, which is read in one piece, may have.
const MOST: u32 = 1000;

#[derive(Clone)]
pub(super) struct Kind {
    pub(super) engine: Arc<Engine>,
    pub(super) name: Arc<str>,
    pub(super) idle: Duration,
    pub(super) absolute: Duration,
    pub(super) most: u32,
    pub(super) version: u32,
    /// The first thing that was said and cannot be.
    wrong: Option<Error>,
}

/// A session that was just made.
pub(super) struct Made {
    pub(super) id: SessionId,
    pub(super) stamp: u64,
    pub(super) times: SessionTimes,
}

impl Kind {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            name: Arc::from("session"),
            idle: DEFAULT_IDLE,
            absolute: DEFAULT_ABSOLUTE,
            most: DEFAULT_MOST,
            version: 0,
            wrong: None,
        }
    }

    pub(super) fn set_name(&mut self, name: &str) {
        let named = match name.is_empty() {
            true => wrong("the sessions have no name: write for instance `.name(\"web\")`"),
            false => raw_key(name, &mut KeyBuffer::new()).map(|name| name.text().into()),
        };
        self.name = self.noted(named).unwrap_or_else(|| Arc::clone(&self.name));
    }

    pub(super) fn set_idle(&mut self, time: Result<Option<Duration>>) {
        self.idle = self.noted(checked(time, "idle(\"30m\")")).unwrap_or(self.idle);
    }

    pub(super) fn set_absolute(&mut self, time: Result<Option<Duration>>) {
        self.absolute = self.noted(checked(time, "absolute(\"12h\")")).unwrap_or(self.absolute);
    }

    pub(super) fn set_most(&mut self, most: u32) {
        let checked = match most {
            1..=MOST => Ok(most),
            _ => Err(Error::new(
                ErrorKind::Config,
                format!("room for {most} sessions of a user: it goes from 1 to {MOST}"),
            )),
        };
        self.most = self.noted(checked).unwrap_or(self.most);
    }

    fn noted<T>(&mut self, checked: Result<T>) -> Option<T> {
        checked.map_err(|error| self.wrong.get_or_insert(error)).ok()
    }

    /// Asks the tier, unless something that was said cannot be.
    pub(super) async fn ask<'a, R>(
        &'a self,
        step: impl FnOnce(&'a dyn SessionTier) -> BoxFuture<'a, Result<R>>,
    ) -> Result<R> {
        if let Some(error) = &self.wrong {
            return Err(error.clone());
        }
        let Some(store) = &self.engine.shared else {
            return step(&self.engine.sessions).await;
        };
        let Some(sessions) = store.sessions() else {
            let message = "this store has no sessions; use one that implements `sessions`";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let answer = step(sessions).await;
        match &answer {
            Ok(_) => self.engine.answered(),
            Err(error) => self.engine.count_error(error),
        }
        answer
    }

    pub(super) fn at<'a>(&'a self, shard: u16, digest: &'a str) -> SessionAt<'a> {
        SessionAt { name: &self.name, shard, digest }
    }

    /// `data` gives the data, sealed for the session of this digest.
    pub(super) async fn start(
        &self,
        user: Option<&str>,
        data: impl FnOnce(&str) -> Result<Vec<u8>>,
    ) -> Result<Made> {
        let of_user = user.map(checked_user).transpose()?;
        let shard = match &of_user {
            Some((shard, _)) => *shard,
            None => fastrand::u16(..SessionAt::SHARDS),
        };
        let id = SessionId::random(shard)?;
        let (digest, stamp) = (id.digest(), fastrand::u64(..));
        let (who, data) = (self.seal(&digest, Part::User, &user)?, data(&digest)?);
        let start = SessionStart {
            user: of_user.as_ref().map(|(_, user)| user.as_str()),
            ..self.starting(self.at(shard, &digest), &who, &data, stamp)
        };
        self.ask(|sessions| sessions.start_session(start)).await?;
        let left = self.idle.min(self.absolute);
        let times = SessionTimes { age: Duration::ZERO, inactive: Duration::ZERO, left };
        Ok(Made { id, stamp, times })
    }

    /// What a session of nobody is made of.
    pub(super) fn starting<'a>(
        &self,
        at: SessionAt<'a>,
        who: &'a [u8],
        data: &'a [u8],
        stamp: u64,
    ) -> SessionStart<'a> {
        let Self { idle, absolute, most, .. } = *self;
        SessionStart { at, user: None, who, data, stamp, idle, absolute, most }
    }

    pub(super) async fn read(&self, id: &SessionId, touch: bool) -> Result<Option<SessionFound>> {
        let digest = id.digest();
        self.ask(|sessions| sessions.read_session(self.at(id.shard(), &digest), touch)).await
    }

    /// Moves a session that was read to a new id.
    pub(super) async fn change_id(
        &self,
        from: &SessionId,
        found: &SessionFound,
        user: Option<&str>,
        data: impl FnOnce(&str) -> Result<Vec<u8>>,
    ) -> Result<(Made, SessionWritten)> {
        let id = SessionId::random(from.shard())?;
        let (old, new, stamp) = (from.digest(), id.digest(), fastrand::u64(..));
        let (who, data) = (self.seal(&new, Part::User, &user)?, data(&new)?);
        let change = SessionMove {
            from: self.at(from.shard(), &old),
            to: &new,
            who: &who,
            data: &data,
            stamp,
            expected: found.stamp,
        };
        let written = self.ask(|sessions| sessions.move_session(change)).await?;
        Ok((Made { id, stamp, times: found.times }, written))
    }

    pub(super) async fn end(&self, shard: u16, digest: &str) -> Result<bool> {
        self.ask(|sessions| sessions.end_session(self.at(shard, digest))).await
    }

    pub(super) async fn end_all(&self, user: &str) -> Result<u64> {
        let (shard, user) = checked_user(user)?;
        let of = SessionUser { name: &self.name, shard, user: &user };
        self.ask(|sessions| sessions.end_sessions(of)).await
    }

    pub(super) async fn list(&self, user: &str) -> Result<Vec<SessionInfo>> {
        let (shard, user) = checked_user(user)?;
        let of = SessionUser { name: &self.name, shard, user: &user };
        let listed = self.ask(|sessions| sessions.list_sessions(of)).await?;
        Ok(listed.into_iter().map(|one| SessionInfo::new(shard, one)).collect())
    }
}

/// The shard and the digest of a user.
fn checked_user(user: &str) -> Result<(u16, String)> {
    match user.is_empty() {
        true => wrong("the session's user is empty; one of nobody is made by `create_anonymous`"),
        false => Ok(user_digest(user)),
    }
}

fn checked(time: Result<Option<Duration>>, example: &str) -> Result<Duration> {
    let refused = |what: &str| {
        wrong(&format!(
            "{what}: a session's times go from a millisecond to 400 days; write for instance `.{example}`"
        ))
    };
    match time {
        Ok(Some(time)) if time < SHORTEST => refused("less than a millisecond"),
        Ok(Some(time)) if time <= LONGEST => Ok(time),
        Ok(Some(_)) => refused("more than 400 days"),
        Ok(None) => refused("for ever"),
        Err(error) if is_zero_ttl(&error) => refused("no time at all"),
        Err(error) => Err(error),
    }
}

fn wrong<T>(message: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Template, message))
}
