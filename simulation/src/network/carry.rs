//! The way of one request to the server, and of its answer back.

use std::{future::Future, sync::Arc, time::Duration};

use cache_store::{Error, ErrorKind, Result, testing::Operation};
use tokio::{sync::oneshot, time::sleep};

use super::line::Ends;
use crate::world::World;

/// After this long a process gives up waiting for an answer.
pub(crate) const DEADLINE: Duration = Duration::from_millis(250);

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trip {
    there: Duration,
    back: Duration,
    lost: bool,
    unanswered: bool,
    /// It arrives though its connection broke meanwhile.
    survives: bool,
    /// It takes effect again, so much later.
    again: Option<Duration>,
    /// The answer that arrives is the second one.
    second: bool,
}

impl Trip {
    pub(crate) fn draw(world: &World, operation: Operation) -> Self {
        let (random, rates) = (&world.random, world.rates());
        let late = random.chance(rates.late);
        // A repeated announcement has the same name as the first one, which this store cannot give it.
        let again = operation != Operation::Begin && random.chance(rates.repeated);
        Self {
            there: if late { random.millis(100..=1_500) } else { random.leg() },
            back: random.leg(),
            lost: random.chance(rates.lost),
            unanswered: random.chance(rates.unanswered),
            survives: random.chance(500),
            again: again.then(|| random.millis(1..=400)),
            second: random.chance(500),
        }
    }
}

/// One request under way.
pub(crate) struct Parcel<E> {
    pub(crate) ends: Arc<Ends>,
    pub(crate) label: String,
    /// The connection that it was sent by.
    pub(crate) number: u64,
    pub(crate) trip: Trip,
    pub(crate) effect: E,
}

impl<E> Parcel<E> {
    /// Brings it to the server, and the answer back.
    pub(crate) async fn carry<T, F>(self, answer: oneshot::Sender<Result<T>>)
    where
        T: Clone,
        E: Fn() -> F,
        F: Future<Output = Result<T>>,
    {
        let (world, trip) = (&self.ends.world, self.trip);
        let start = world.server.starts();
        sleep(trip.there).await;
        let broken = self.ends.data.up() != Some(self.number);
        let away = !world.server.is_up() || world.server.starts() != start;
        if trip.lost || away || (broken && !trip.survives) {
            return self.keep_waiting(answer, "is lost").await;
        }
        world.trace.note("server", format_args!("{} of p{}", self.label, self.ends.process));
        let first = (self.effect)().await;
        let mut reply = first;
        if let Some(pause) = trip.again {
            sleep(pause).await;
            if world.server.is_up() && world.server.starts() == start {
                world
                    .trace
                    .note("server", format_args!("{} of p{} again", self.label, self.ends.process));
                let second = (self.effect)().await;
                if trip.second {
                    reply = second;
                }
            }
        }
        sleep(trip.back).await;
        if trip.unanswered || self.ends.data.up() != Some(self.number) {
            return self.keep_waiting(answer, "is not answered").await;
        }
        // Nobody waits for it any more: so be it.
        drop(answer.send(reply));
    }

    /// Whoever waits learns of it only from the time that passes.
    async fn keep_waiting<T>(&self, answer: oneshot::Sender<T>, what: &str) {
        let process = self.ends.process;
        self.ends.world.trace.note("network", format_args!("{} of p{process} {what}", self.label));
        sleep(DEADLINE * 8).await;
        drop(answer);
    }
}

pub(crate) fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "the connection is lost")
}

pub(crate) fn timed_out() -> Error {
    Error::new(ErrorKind::Timeout, "no answer in time")
}
