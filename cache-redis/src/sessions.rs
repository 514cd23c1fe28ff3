//! Sessions: a hash for each, a hash for each user's list, and one script for all steps.

use std::{cmp::Reverse, time::Duration};

use cache_store::{
    BoxFuture, Nonce, Result, SessionAt, SessionFound, SessionListed, SessionMove, SessionStart,
    SessionTier, SessionTimes, SessionUser, SessionWrite, SessionWritten,
};
use redis::{Cmd, Value};

use crate::{
    RedisStore,
    batch::Batch,
    error,
    names::SessionNames,
    reply::{self, Replies},
    script,
    steps::millis,
};

impl SessionTier for RedisStore {
    fn start_session<'a>(&'a self, start: SessionStart<'a>) -> BoxFuture<'a, Result<()>> {
        self.during("start_session", async move {
            let names = self.names.sessions(start.at.name, start.at.shard);
            let mut keys = vec![names.session(start.at.digest)];
            keys.extend(start.user.map(|user| names.list(user)));
            let mut command = step("start", &names, &keys);
            command.arg(start.at.digest).arg(start.user.unwrap_or_default());
            command.arg(Nonce::random()?.as_bytes()).arg(start.who).arg(start.data);
            command.arg(start.stamp).arg(millis(start.idle)).arg(millis(start.absolute));
            command.arg(start.most);
            self.ask_session(keys, command).await?.next_int().map(|_| ())
        })
    }

    fn read_session<'a>(
        &'a self,
        at: SessionAt<'a>,
        touch: bool,
    ) -> BoxFuture<'a, Result<Option<SessionFound>>> {
        self.during("read_session", async move {
            let names = self.names.sessions(at.name, at.shard);
            let keys = vec![names.session(at.digest)];
            let mut command = step("read", &names, &keys);
            command.arg(at.digest).arg(i32::from(touch));
            let mut answer = self.ask_session(keys, command).await?.next_list()?;
            if answer.len() == 0 {
                return Ok(None);
            }
            let mut bytes = || answer.next_bytes()?.ok_or_else(|| error::unexpected("no bytes"));
            let (who, data) = (bytes()?, bytes()?);
            let stamp = answer.next_number()?;
            Ok(Some(SessionFound { who, data, stamp, times: times(&mut answer)? }))
        })
    }

    fn write_session<'a>(
        &'a self,
        write: SessionWrite<'a>,
    ) -> BoxFuture<'a, Result<SessionWritten>> {
        self.during("write_session", async move {
            let SessionWrite { at, data, stamp, expected, life } = write;
            let names = self.names.sessions(at.name, at.shard);
            let keys = vec![names.session(at.digest)];
            let mut command = step("write", &names, &keys);
            command.arg(at.digest).arg(data).arg(stamp);
            command.arg(expected.map(|stamp| stamp.to_string()).unwrap_or_default());
            command.arg(life.map(|life| millis(life).to_string()).unwrap_or_default());
            written(self.ask_session(keys, command).await?.next_int()?)
        })
    }

    fn move_session<'a>(
        &'a self,
        change: SessionMove<'a>,
    ) -> BoxFuture<'a, Result<SessionWritten>> {
        self.during("move_session", async move {
            let SessionMove { from, to, who, data, stamp, expected } = change;
            let names = self.names.sessions(from.name, from.shard);
            let keys = vec![names.session(from.digest), names.session(to)];
            let mut command = step("move", &names, &keys);
            command.arg(from.digest).arg(to).arg(who).arg(data).arg(stamp).arg(expected);
            written(self.ask_session(keys, command).await?.next_int()?)
        })
    }

    fn end_session<'a>(&'a self, at: SessionAt<'a>) -> BoxFuture<'a, Result<bool>> {
        self.during("end_session", async move {
            let names = self.names.sessions(at.name, at.shard);
            let keys = vec![names.session(at.digest)];
            let mut command = step("finish", &names, &keys);
            command.arg(at.digest);
            Ok(self.ask_session(keys, command).await?.next_int()? == 1)
        })
    }

    fn end_sessions<'a>(&'a self, user: SessionUser<'a>) -> BoxFuture<'a, Result<u64>> {
        self.during("end_sessions", async move {
            let ended = self.ask_of_user("finish_all", user).await?.next_int()?;
            u64::try_from(ended).map_err(|_| error::unexpected("fewer sessions than none"))
        })
    }

    fn list_sessions<'a>(
        &'a self,
        user: SessionUser<'a>,
    ) -> BoxFuture<'a, Result<Vec<SessionListed>>> {
        self.during("list_sessions", async move {
            let Value::Array(all) = self.ask_of_user("list", user).await?.next()? else {
                return Err(error::unexpected("no list of sessions"));
            };
            let mut listed = all.into_iter().map(read_listed).collect::<Result<Vec<_>>>()?;
            listed.sort_by_key(|one| Reverse(one.times.age));
            Ok(listed)
        })
    }
}

impl RedisStore {
    fn during<'a, T>(
        &'a self,
        operation: &'static str,
        step: impl Future<Output = Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move { step.await.map_err(|cause| cause.during(operation)) })
    }

    async fn ask_of_user(&self, name: &str, user: SessionUser<'_>) -> Result<Replies> {
        let names = self.names.sessions(user.name, user.shard);
        let keys = vec![names.list(user.user)];
        let mut command = step(name, &names, &keys);
        command.arg(user.user);
        self.ask_session(keys, command).await
    }

    async fn ask_session(&self, mut keys: Vec<String>, command: Cmd) -> Result<Replies> {
        self.send(&Batch::new(keys.swap_remove(0)).with(command)).await
    }
}

fn step(name: &str, names: &SessionNames, keys: &[String]) -> Cmd {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut command = script::SESSION.call(&keys);
    command.arg(name).arg(names.session("")).arg(names.list(""));
    command
}

fn written(outcome: i64) -> Result<SessionWritten> {
    match outcome {
        0 => Ok(SessionWritten::Gone),
        1 => Ok(SessionWritten::Written),
        2 => Ok(SessionWritten::Overtaken),
        _ => Err(error::unexpected("an outcome that this protocol does not know")),
    }
}

fn read_listed(one: Value) -> Result<SessionListed> {
    let mut one = Replies::new(reply::list(one)?);
    let digest = one.next_bytes()?.and_then(|digest| String::from_utf8(digest).ok());
    let digest = digest.ok_or_else(|| error::unexpected("a session without a digest"))?;
    Ok(SessionListed { digest, times: times(&mut one)? })
}

/// A clock that was set back made it just now.
fn times(answer: &mut Replies) -> Result<SessionTimes> {
    let mut next = || {
        let time = u64::try_from(answer.next_int()?).unwrap_or_default();
        Ok::<_, cache_store::Error>(Duration::from_millis(time))
    };
    Ok(SessionTimes { age: next()?, inactive: next()?, left: next()? })
}
