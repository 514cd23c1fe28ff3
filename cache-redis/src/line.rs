//! Reads on one connection to one server: what many callers ask for at the same time travels together.
//!
//! Commands and replies, not bytes, are what a read costs, to the server as to the client. A few reads at a time are sent at
//! once, each by its caller. Whoever comes while these are under way waits for the first of them to be answered, at most
//! two milliseconds, and then shares one request with all who wait. So one caller alone is never held up, and the more there are, the less each costs.
//!
//! Requests are joined before they are sent and never afterwards: what is read is read after its caller has asked for it.

#[cfg(test)]
mod tests;

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cache_store::{BoxFuture, Error, ErrorKind, Query, Reading, Result};
use redis::Cmd;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use crate::{
    batch::Batch,
    link::Link,
    names::Names,
    pieces::Union,
    reply::Replies,
    steps::{command, pair, read_pair},
};

/// So many requests are under way before others wait for them.
const MOST_UNDER_WAY: usize = 4;
/// So long they wait at most. The callers of those requests may not be polled any more, or the server may be far away.
const PATIENCE: Duration = Duration::from_millis(2);
/// So many reads travel together at most.
const MOST_TOGETHER: usize = 64;
/// About so many bytes come back for one request: whose value comes first waits for the last.
const MOST_BYTES: usize = 256 << 10;

/// Where reads of one server are sent.
pub(crate) struct Line {
    names: Names,
    link: Arc<Link>,
    turns: Mutex<Turns>,
}

struct Turns {
    under_way: usize,
    waiting: Vec<Waiting>,
    /// How many reads travel together, as large as values are at present.
    together: usize,
}

/// A read that shares the next request.
struct Waiting {
    key: String,
    tags: Vec<String>,
    pattern: bool,
    life: bool,
    until: Instant,
    answer: oneshot::Sender<Result<Reading>>,
}

/// One of the requests that may be under way.
struct Turn(Arc<Line>);

type Answer = oneshot::Receiver<Result<Reading>>;

enum Sent {
    Alone(Turn),
    Together(Answer),
}

impl Line {
    /// Reads over this connection.
    pub(crate) fn new(names: Names, link: Arc<Link>) -> Arc<Self> {
        let turns = Turns { under_way: 0, waiting: Vec::new(), together: MOST_TOGETHER };
        Arc::new(Self { names, link, turns: Mutex::new(turns) })
    }

    /// The connection.
    pub(crate) const fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// One round trip; while many are under way, behind one of them.
    ///
    /// Which of the two is found out before there is a future: one that may wait would have room for a request of its own,
    /// several times what it takes to wait.
    pub(crate) fn read<'a>(self: &Arc<Self>, query: Query<'a>) -> BoxFuture<'a, Result<Reading>> {
        let until = self.link.until();
        let turn = self.turn(&mut self.turns());
        match turn {
            Some(turn) => Box::pin(turn.read_alone(query, until)),
            None => Box::pin(Arc::clone(self).read_behind(query, until)),
        }
    }

    /// Behind the requests that are under way.
    async fn read_behind(self: Arc<Self>, query: Query<'_>, until: Instant) -> Result<Reading> {
        let place = self.link.place(bytes(&query)).map_err(|cause| cause.during("read"))?;
        let sent = self.turn_or_wait(query, until);
        match sent {
            Sent::Alone(turn) => {
                drop(place);
                Box::pin(turn.read_alone(query, until)).await
            }
            Sent::Together(answer) => {
                self.answered(answer, until).await.map_err(|cause| cause.during("read"))
            }
        }
    }

    /// Whoever asks for all who wait has a deadline as well, but its runtime may stand still.
    async fn answered(self: &Arc<Self>, mut answer: Answer, until: Instant) -> Result<Reading> {
        let patience = until.min(Instant::now() + PATIENCE);
        let answer = match timeout_at(patience, &mut answer).await {
            Ok(answer) => Ok(answer),
            Err(_) => {
                self.turns().under_way += 1;
                drop(Turn(Arc::clone(self)));
                timeout_at(until, answer).await
            }
        };
        match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) if Instant::now() < until => Err(ended()),
            Ok(Err(_)) | Err(_) => Err(self.link.no_reply()),
        }
    }

    fn turn(self: &Arc<Self>, turns: &mut Turns) -> Option<Turn> {
        (turns.under_way < MOST_UNDER_WAY).then(|| {
            turns.under_way += 1;
            Turn(Arc::clone(self))
        })
    }

    fn turn_or_wait(self: &Arc<Self>, query: Query<'_>, until: Instant) -> Sent {
        let mut turns = self.turns();
        // Looked at once more under the lock: where nothing is under way, nobody would fetch those who wait.
        if let Some(turn) = self.turn(&mut turns) {
            return Sent::Alone(turn);
        }
        let (answer, answered) = oneshot::channel();
        let Query { key, tags, pattern, life } = query;
        let (key, tags) = (key.to_owned(), tags.to_vec());
        if turns.waiting.len() == turns.waiting.capacity() {
            // Where no turn ends, those who gave up are to be forgotten all the same.
            turns.waiting.retain(Waiting::waits);
        }
        turns.waiting.push(Waiting { key, tags, pattern, life, until, answer });
        Sent::Together(answered)
    }

    /// One command for the value, its dependency and the tags.
    async fn read_alone(&self, query: Query<'_>, until: Instant) -> Result<Reading> {
        let batch = self.alone(query);
        let mut replies = Replies::new(self.link.send_until(&batch, until).await?);
        let mut found = replies.next_list()?;
        let mut reading = read_pair(query, &mut found, &mut replies)?;
        if query.pattern {
            reading.pattern_nonce = replies.next_nonce_if_any()?;
        }
        reading.tag_nonces = found.dependencies()?;
        Ok(reading)
    }

    /// For no slot: there is one server.
    fn alone(&self, query: Query<'_>) -> Batch {
        // Both grown once, for everything but long tags.
        let mut name = String::with_capacity(query.key.len() + 64);
        let mut get = Cmd::with_capacity(3 + query.tags.len(), 2 * name.capacity());
        self.names.write_value(&mut name, query.key);
        get.arg("MGET").arg(&name);
        let life = query.life.then(|| command("PTTL", &[&name]));
        self.names.write_dependency(&mut name, query.key);
        get.arg(&name);
        for tag in query.tags {
            get.arg(self.names.tag(tag));
        }
        let newest = query.pattern.then(|| self.names.newest_pattern());
        Batch::new("").with(get).with_some(life).with_some(newest)
    }

    /// Answers all of these with one request.
    async fn read_for(&self, mut waiting: Vec<Waiting>) {
        // A caller that was not polled for so long is not to make the server look silent.
        let now = Instant::now();
        waiting.retain(|one| one.until > now);
        let Some(until) = waiting.iter().map(|one| one.until).max() else { return };
        let queries: Vec<Query<'_>> = waiting.iter().map(Waiting::query).collect();
        let batch = together(&self.names, &queries);
        let readings = match self.link.send_placed(&batch, until).await {
            Ok(replies) => apart(Replies::new(replies), &queries),
            Err(error) => Err(error),
        };
        match readings {
            Ok(readings) => {
                self.measure(&readings);
                for (one, reading) in waiting.into_iter().zip(readings) {
                    // Nobody waits any more where this fails.
                    let _ = one.answer.send(reading);
                }
            }
            Err(error) => waiting.into_iter().for_each(|one| {
                let _ = one.answer.send(Err(error.clone()));
            }),
        }
    }

    /// Large values travel in smaller groups.
    fn measure(&self, readings: &[Result<Reading>]) {
        let size = |reading: &Result<Reading>| {
            reading.as_ref().ok().and_then(|reading| reading.value.as_ref()).map_or(0, Vec::len)
        };
        let bytes: usize = readings.iter().map(size).sum();
        let fit = (MOST_BYTES * readings.len()).checked_div(bytes).unwrap_or(MOST_TOGETHER);
        self.turns().together = fit.clamp(1, MOST_TOGETHER);
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        // Nothing panics while they are locked.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    /// Those who share the next request.
    fn next(&mut self) -> Vec<Waiting> {
        if self.waiting.len() <= self.together {
            return mem::take(&mut self.waiting);
        }
        self.waiting.drain(..self.together).collect()
    }
}

impl Turn {
    /// The turn ends with the answer, or with whoever waits for it.
    async fn read_alone(self, query: Query<'_>, until: Instant) -> Result<Reading> {
        self.0.read_alone(query, until).await.map_err(|cause| cause.during("read"))
    }
}

impl Drop for Turn {
    /// Also when the caller went away: others wait for this turn's end.
    fn drop(&mut self) {
        let next = {
            let mut turns = self.0.turns();
            turns.waiting.retain(Waiting::waits);
            if turns.waiting.is_empty() {
                turns.under_way -= 1;
                return;
            }
            turns.next()
        };
        let errand = Errand { turn: Self(Arc::clone(&self.0)), next, is_begun: false };
        // By nobody who waits: a caller may stop being polled.
        self.0.link.runtime().spawn(errand.run());
    }
}

/// Reads for others, on the connection's runtime.
struct Errand {
    turn: Turn,
    next: Vec<Waiting>,
    is_begun: bool,
}

impl Errand {
    async fn run(mut self) {
        self.is_begun = true;
        let next = mem::take(&mut self.next);
        self.turn.0.read_for(next).await;
    }
}

impl Drop for Errand {
    /// The runtime has ended where nothing was begun: nor would it be for those who still wait, however many they are.
    fn drop(&mut self) {
        if !self.is_begun {
            let waiting = mem::take(&mut self.turn.0.turns().waiting);
            drop(waiting);
        }
    }
}

impl Waiting {
    /// Whether anybody does.
    fn waits(&self) -> bool {
        !self.answer.is_closed()
    }

    fn query(&self) -> Query<'_> {
        let Self { key, tags, pattern, life, .. } = self;
        Query { key, tags, pattern: *pattern, life: *life }
    }
}

/// What asks one server for all of these at once.
pub(crate) fn together(names: &Names, queries: &[Query<'_>]) -> Batch {
    let keys: usize = queries.iter().map(|query| query.key.len()).sum();
    let mut get = Cmd::with_capacity(2 * queries.len() + 1, 2 * keys + 64 * queries.len());
    get.arg("MGET");
    let mut name = String::new();
    for query in queries {
        names.write_value(&mut name, query.key);
        get.arg(&name);
        names.write_dependency(&mut name, query.key);
        get.arg(&name);
    }
    for tag in Union::of(queries.iter().map(|query| query.tags)).names {
        get.arg(names.tag(&tag));
    }
    let mut batch = Batch::new(names.pattern_log()).with(get).with(names.newest_pattern());
    for query in queries.iter().filter(|query| query.life) {
        batch.push(command("PTTL", &[&names.value(query.key)]));
    }
    batch
}

/// What was answered to each of them. What is wrong with one is that one's error.
pub(crate) fn apart(mut replies: Replies, queries: &[Query<'_>]) -> Result<Vec<Result<Reading>>> {
    let mut found = replies.next_list()?;
    let newest = replies.next_nonce_if_any();
    let mut readings = Vec::with_capacity(queries.len());
    for query in queries {
        let both = [found.next_as_it_is()?, found.next_as_it_is()?];
        let mut life = if query.life { replies.one()? } else { Replies::new(Vec::new()) };
        readings.push(pair(*query, both, &mut life));
    }
    let tags = Union::of(queries.iter().map(|query| query.tags));
    let nonces = found.dependencies()?;
    let whole = |(reading, query): (Result<Reading>, &Query<'_>)| {
        let reading = reading?;
        let pattern_nonce = if query.pattern { newest.clone()? } else { None };
        Ok(Reading { pattern_nonce, tag_nonces: tags.pick(query.tags, &nonces)?, ..reading })
    };
    Ok(readings.into_iter().zip(queries).map(whole).collect())
}

/// About how many bytes a read adds to a request.
fn bytes(query: &Query<'_>) -> usize {
    2 * query.key.len() + query.tags.iter().map(String::len).sum::<usize>()
}

fn ended() -> Error {
    Error::new(ErrorKind::Unavailable, "the connection's runtime has ended")
}
