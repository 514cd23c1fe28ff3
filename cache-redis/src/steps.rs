//! Reading, claiming and filling: the steps of a lookup.

use std::time::Duration;

use cache_store::{
    Claim, ClaimOutcome, Claimed, Error, Fill, Lease, Life, Nonce, Query, Reading, Record, Result,
};
use redis::{Cmd, Value};

use crate::{
    batch::Batch,
    error,
    index::Tagged,
    reply::{self, Replies},
    script,
    store::RedisStore,
    withdraw::Announcing,
};

/// How long a lease is still to be given back when nobody answered that it was: whoever has it knows how long it lives, and
/// hardly one lives longer.
const UNRELEASED: Duration = Duration::from_secs(60 * 60);

/// Which records of the pattern log are wanted.
#[derive(Clone, Copy)]
pub(crate) enum Records {
    All,
    /// From this one on, or all when it is not there.
    From(Nonce),
    Newest,
}

/// What an entry names besides its own key's nonce.
pub(crate) struct Capture {
    /// The records of the pattern log that were wanted.
    pub(crate) patterns: Vec<Record>,
    /// The tag log's newest nonce, if it was wanted.
    pub(crate) tag_log: Option<Nonce>,
    /// The tags that are being changed, if the tag log was wanted.
    pub(crate) changing: Vec<String>,
    /// The nonces of the tags, in order; `None` for one that is being changed.
    pub(crate) tag_nonces: Vec<Option<Nonce>>,
}

/// The nonces that an entry will name, and whether it may be stored: none of its tags is being changed.
pub(crate) fn named(nonces: Vec<Option<Nonce>>) -> Result<(Vec<Nonce>, bool)> {
    let storable = nonces.iter().all(Option::is_some);
    // In the place of one that is missing stands one that nobody has.
    let named: Result<_> =
        nonces.into_iter().map(|one| one.map_or_else(Nonce::random, Ok)).collect();
    Ok((named?, storable))
}

impl RedisStore {
    /// From a cluster.
    pub(crate) async fn read_value(&self, query: Query<'_>) -> Result<Reading> {
        let value = self.names.value(query.key);
        let dependency = self.names.dependency(query.key);
        let get = command("MGET", &[&value, &dependency]);
        let ttl = query.life.then(|| command("PTTL", &[&value]));
        let newest = query.pattern.then(|| self.names.newest_pattern());
        let tags = (!query.tags.is_empty()).then(|| self.mget_tags(query.tags));
        let of_key = Batch::new(value).with(get).with_some(ttl);
        let of_namespace = Batch::new(self.names.pattern_log()).with_some(newest).with_some(tags);
        let (mut of_key, mut of_namespace) = if of_namespace.len() == 0 {
            (self.send(&of_key).await?, Replies::new(Vec::new()))
        } else {
            self.send_both(of_key, of_namespace).await?
        };
        let mut reading = read_pair(query, &mut of_key.next_list()?, &mut of_key)?;
        if query.pattern {
            reading.pattern_nonce = of_namespace.next_nonce_if_any()?;
        }
        if !query.tags.is_empty() {
            reading.tag_nonces = of_namespace.next_list()?.dependencies()?;
        }
        Ok(reading)
    }

    pub(crate) async fn claim_load(&self, claim: Claim<'_>) -> Result<Claimed> {
        let of_key = Batch::new(self.names.value(claim.key)).with(self.read_command(&claim)?);
        let records = claim.known.map_or(Records::All, Records::From);
        let capture = self.capture(records, claim.tags, claim.tag_log, claim.dependency_life)?;
        let mut leasing = self.leasing(&[claim]);
        let (mut of_key, mut captured) = self.send_both(of_key, capture).await?;
        let outcome = outcome(of_key.next_list()?)?;
        let Capture { patterns, tag_log, changing, tag_nonces } = read_capture(&mut captured)?;
        let (tag_nonces, storable) = named(tag_nonces)?;
        // Whoever stores nothing has no use for a lease: it is taken back.
        let outcome = if storable { outcome } else { ClaimOutcome::Writing };
        let leases = claim.lease.iter().filter(|_| storable);
        leases.for_each(|lease| leasing.is_settled(lease.token));
        Ok(Claimed { outcome, tag_nonces, patterns, tag_log, changing })
    }

    /// The leases of these claims: taken back unless they come to stand.
    pub(crate) fn leasing(&self, claims: &[Claim<'_>]) -> Announcing<'_> {
        let mut leasing = self.withdrawals.announcing();
        for claim in claims {
            if let Some(lease) = claim.lease {
                leasing.add_lease(self.names.lease(claim.key), lease);
            }
        }
        leasing
    }

    /// Looks once more and announces a load.
    pub(crate) fn read_command(&self, claim: &Claim<'_>) -> Result<Cmd> {
        let names = [
            self.names.value(claim.key),
            self.names.dependency(claim.key),
            self.names.lease(claim.key),
            self.names.writers(claim.key),
        ];
        let (token, lease_ms) = match &claim.lease {
            Some(lease) => (lease.token.as_bytes().as_slice(), millis(lease.life)),
            None => (b"".as_slice(), 0),
        };
        let mut read = script::READ.call(&names.each_ref().map(String::as_str));
        read.arg(Nonce::random()?.as_bytes())
            .arg(life_arg(claim.dependency_life))
            .arg(token)
            .arg(lease_ms)
            .arg(claim.refused);
        Ok(read)
    }

    pub(crate) async fn open_patterns(&self) -> Result<Vec<Record>> {
        let capture = self.capture(Records::All, &[], false, Life::Forever)?;
        Ok(read_capture(&mut self.send(&capture).await?)?.patterns)
    }

    pub(crate) async fn read_tags(&self, tags: &[String]) -> Result<Vec<Option<Nonce>>> {
        if tags.is_empty() {
            return Ok(Vec::new());
        }
        let batch = Batch::new(self.names.pattern_log()).with(self.mget_tags(tags));
        self.send(&batch).await?.next_list()?.dependencies()
    }

    pub(crate) async fn stamp(
        &self,
        captured: Nonce,
        tags: &[String],
        dependency_life: Life,
    ) -> Result<Option<Vec<Nonce>>> {
        let stamp = self.stamp_command(captured, tags, dependency_life)?;
        let batch = Batch::new(self.names.tag_log()).with(stamp);
        // One tag that is refused refuses the value.
        let stamped = read_stamps(self.send(&batch).await?.next()?)?;
        Ok(stamped.and_then(|nonces| nonces.into_iter().collect()))
    }

    /// The nonces of learned tags, for the namespace's slot.
    pub(crate) fn stamp_command(
        &self,
        captured: Nonce,
        tags: &[String],
        life: Life,
    ) -> Result<Cmd> {
        let names = self.with_tags(vec![self.names.tag_log()], tags);
        let mut stamp = script::STAMP.call(&as_strs(&names));
        stamp.arg(captured.as_bytes()).arg(life_arg(life));
        for tag in tags {
            stamp.arg(Nonce::random()?.as_bytes()).arg(tag);
        }
        Ok(stamp)
    }

    pub(crate) async fn store_value(&self, fill: Fill<'_>) -> Result<bool> {
        let batch = Batch::new(self.names.value(fill.key)).with(self.fill_command(&fill));
        Ok(self.send_tagged(batch, Tagged::by_fill(&fill)).await?.next_int()? == 1)
    }

    /// Stores a value, if nothing came between.
    pub(crate) fn fill_command(&self, fill: &Fill<'_>) -> Cmd {
        let (value, dependency) = (self.names.value(fill.key), self.names.dependency(fill.key));
        let mut command = script::FILL.call(&[&value, &dependency, &self.names.lease(fill.key)]);
        command
            .arg(fill.nonce.as_bytes())
            .arg(fill.value)
            .arg(life_arg(fill.life))
            .arg(fill.token.as_ref().map_or(b"".as_slice(), |token| token.as_bytes()))
            .arg(life_arg(longer(fill.dependency_life, fill.life)))
            .arg(i32::from(fill.announced));
        command
    }

    pub(crate) async fn prolong(&self, key: &str, nonce: Nonce, lease: Lease) -> Result<bool> {
        let name = self.names.lease(key);
        let mut command = script::RENEW.call(&[&name]);
        command.arg(holder(nonce, lease.token)).arg(millis(lease.life));
        Ok(self.send(&Batch::new(name).with(command)).await?.next_int()? == 1)
    }

    pub(crate) async fn give_back(&self, key: &str, nonce: Nonce, token: Nonce) -> Result<()> {
        let name = self.names.lease(key);
        let mut leasing = self.withdrawals.announcing();
        leasing.add_lease(name.clone(), Lease { token, life: UNRELEASED });
        let mut command = script::RELEASE.call(&[&name]);
        command.arg(holder(nonce, token));
        self.send(&Batch::new(name).with(command)).await?.next_int()?;
        leasing.is_settled(token);
        Ok(())
    }

    /// Opens the logs and the tags, for the namespace's slot.
    pub(crate) fn capture(
        &self,
        records: Records,
        tags: &[String],
        tag_log: bool,
        life: Life,
    ) -> Result<Batch> {
        let command = self.capture_command(records, tags, tag_log, life)?;
        Ok(Batch::new(self.names.pattern_log()).with(command))
    }

    /// The command of [`capture`](Self::capture).
    pub(crate) fn capture_command(
        &self,
        records: Records,
        tags: &[String],
        tag_log: bool,
        life: Life,
    ) -> Result<Cmd> {
        let common = [self.names.pattern_log(), self.names.tag_log(), self.names.changing()];
        let names = self.with_tags(common.to_vec(), tags);
        let mut command = script::CAPTURE.call(&as_strs(&names));
        command.arg(Nonce::random()?.as_bytes()).arg(i32::from(tag_log)).arg(life_arg(life));
        match &records {
            Records::All => command.arg(""),
            Records::From(known) => command.arg(known.as_bytes()),
            Records::Newest => command.arg("-"),
        };
        for _ in tags {
            command.arg(Nonce::random()?.as_bytes());
        }
        Ok(command)
    }

    /// One batch, in one slot.
    pub(crate) async fn send(&self, batch: &Batch) -> Result<Replies> {
        self.link.send(batch).await.map(Replies::new)
    }

    /// Two batches: in one piece to one server, side by side to a cluster.
    pub(crate) async fn send_both(
        &self,
        first: Batch,
        second: Batch,
    ) -> Result<(Replies, Replies)> {
        #[cfg(feature = "cluster")]
        if !self.link.is_one_server() {
            let (first, second) = tokio::join!(self.send(&first), self.send(&second));
            return Ok((first?, second?));
        }
        let cut = first.len();
        let mut replies = self.link.send(&first.followed_by(&second)).await?;
        if replies.len() < cut {
            return Err(error::unexpected("too few replies"));
        }
        let rest = replies.split_off(cut);
        Ok((Replies::new(replies), Replies::new(rest)))
    }

    pub(crate) fn mget_tags(&self, tags: &[String]) -> Cmd {
        let mut command = redis::cmd("MGET");
        for tag in tags {
            command.arg(self.names.tag(tag));
        }
        command
    }

    fn with_tags(&self, mut names: Vec<String>, tags: &[String]) -> Vec<String> {
        names.extend(tags.iter().map(|tag| self.names.tag(tag)));
        names
    }
}

/// The reply of the capture script.
pub(crate) fn read_capture(replies: &mut Replies) -> Result<Capture> {
    let mut captured = replies.next_list()?;
    let patterns = captured.next_list()?.records()?;
    let tag_log = captured.next_nonce_if_any()?;
    let changing = captured.next_list()?.strings()?;
    Ok(Capture { patterns, tag_log, changing, tag_nonces: captured.nonces_if_any()? })
}

/// The reply of the stamp script: the nonce of each tag, `None` for one that was invalidated since; or nothing, when nobody
/// can say.
pub(crate) fn read_stamps(reply: Value) -> Result<Option<Vec<Option<Nonce>>>> {
    match reply {
        Value::Int(0) => Ok(None),
        stamped => Replies::new(reply::list(stamped)?).nonces_if_any().map(Some),
    }
}

/// The value and its nonce from `found`, its life from the reply after that.
pub(crate) fn read_pair(
    query: Query<'_>,
    found: &mut Replies,
    after: &mut Replies,
) -> Result<Reading> {
    pair(query, [found.next()?, found.next()?], after)
}

/// The same of a value and a nonce.
pub(crate) fn pair(
    query: Query<'_>,
    [value, nonce]: [Value; 2],
    after: &mut Replies,
) -> Result<Reading> {
    let mut reading = Reading { value: reply::bytes(value)?, ..Reading::default() };
    reading.key_nonce = reply::bytes(nonce)?.as_deref().and_then(reply::whole_nonce);
    if query.life {
        reading.life = reply::life(after.next_int()?);
        if reading.life.is_none() || reading.value.is_none() {
            // It expired between the two commands: gone, and not "without expiry".
            (reading.value, reading.life) = (None, None);
        }
    }
    Ok(reading)
}

/// What a claim found.
pub(crate) fn outcome(mut answer: Replies) -> Result<ClaimOutcome> {
    match answer.next_int()? {
        1 => {
            answer.next_nonce()?;
            let value = answer.next_bytes()?.ok_or_else(|| error::unexpected("no value"))?;
            let life = reply::life(answer.next_int()?);
            Ok(ClaimOutcome::Found { value, life: life.unwrap_or(Life::For(Duration::ZERO)) })
        }
        2 => answer.next_nonce().map(ClaimOutcome::Load),
        3 => {
            answer.next_nonce()?;
            let left = u64::try_from(answer.next_int()?).unwrap_or_default();
            Ok(ClaimOutcome::Held(Duration::from_millis(left)))
        }
        4 => Ok(ClaimOutcome::Writing),
        _ => Err(unknown_outcome()),
    }
}

fn unknown_outcome() -> Error {
    error::unexpected("an outcome that this protocol does not know")
}

/// What a lease's key holds.
fn holder(nonce: Nonce, token: Nonce) -> Vec<u8> {
    [nonce.as_bytes().as_slice(), token.as_bytes()].concat()
}

/// A command with these arguments.
pub(crate) fn command(name: &str, arguments: &[&str]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(arguments);
    command
}

fn as_strs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Whole milliseconds, rounded up: never none, and never more than Redis takes (three centuries).
pub(crate) fn millis(life: Duration) -> i64 {
    const MOST: u128 = 10_000_000_000_000;
    let rounded = life.as_nanos().div_ceil(1_000_000).clamp(1, MOST);
    // Clamped to what fits.
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

/// A life as the scripts take it: milliseconds, or -1 for ever.
pub(crate) fn life_arg(life: Life) -> i64 {
    match life {
        Life::For(life) => millis(life),
        Life::Forever => -1,
    }
}

/// A dependency must not end before what depends on it.
pub(crate) fn longer(one: Life, other: Life) -> Life {
    match (one, other) {
        (Life::For(one), Life::For(other)) => Life::For(one.max(other)),
        _ => Life::Forever,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_below_a_millisecond_is_a_millisecond_and_never_for_ever() {
        assert_eq!(life_arg(Life::For(Duration::ZERO)), 1);
        assert_eq!(life_arg(Life::For(Duration::from_nanos(1))), 1);
        assert_eq!(life_arg(Life::For(Duration::from_micros(1_001))), 2);
        assert_eq!(life_arg(Life::For(Duration::MAX)), 10_000_000_000_000);
        assert_eq!(life_arg(Life::Forever), -1);
    }

    #[test]
    fn a_value_that_expired_before_its_life_was_asked_for_is_no_value() {
        let query = Query { key: "a", tags: &[], pattern: true, life: true };
        let pair = vec![Value::BulkString(vec![1; 20]), Value::BulkString(vec![1; 16])];
        let mut after = Replies::new(vec![Value::Int(-2)]);
        let reading = read_pair(query, &mut Replies::new(pair), &mut after).unwrap();
        assert_eq!(reading.value, None);
        assert_eq!(reading.life, None);
    }

    #[test]
    fn a_dependency_outlives_what_depends_on_it() {
        let (short, long) = (Life::For(Duration::from_secs(1)), Life::For(Duration::from_secs(2)));
        assert_eq!(longer(short, long), long);
        assert_eq!(longer(long, short), long);
        assert_eq!(longer(short, Life::Forever), Life::Forever);
    }
}
