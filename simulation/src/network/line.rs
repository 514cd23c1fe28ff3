//! The shared tier as one process sees it.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use cache_store::{
    BoxFuture, Listener, Result, Store,
    testing::{MemoryStore, Operation},
};
use tokio::{sync::oneshot, task::AbortHandle, time::sleep};

use super::{
    carry::{DEADLINE, Parcel, Trip, timed_out, unavailable},
    gate::Gate,
    news::{Channel, deliver},
    wire::{Link, Wire},
};
use crate::world::World;

/// A heartbeat may take longer than a request: it waits for the news before it.
const BEAT_DEADLINE: Duration = Duration::from_millis(600);

/// The lines of one process.
pub(crate) struct Line {
    pub(crate) ends: Arc<Ends>,
    tier: MemoryStore,
    delivery: AbortHandle,
}

/// What requests under way share with their line.
pub(crate) struct Ends {
    pub(crate) world: Arc<World>,
    pub(crate) process: u32,
    pub(crate) data: Wire,
    pub(crate) news: Arc<Channel>,
    pub(crate) gate: Arc<Gate>,
    /// Requests sent so far, heartbeats apart.
    sent: AtomicU64,
}

impl Line {
    pub(crate) fn new(world: &Arc<World>, process: u32) -> Arc<Self> {
        let gate = Arc::new(Gate::new());
        let news = Channel::new(world, process, &gate);
        let delivery = tokio::spawn(deliver(Arc::clone(&news))).abort_handle();
        let ends = Ends {
            world: Arc::clone(world),
            process,
            data: Wire::new(Link::Up(1)),
            news,
            gate,
            sent: AtomicU64::new(0),
        };
        Arc::new(Self { ends: Arc::new(ends), tier: world.server.tier.connect(), delivery })
    }

    /// Breaks the lines; the process notices after a while, and connects again after another.
    pub(crate) fn cut(&self, data: bool, news: Option<Behind>, notice: Duration, away: Duration) {
        if data {
            self.ends.data.cut();
        }
        if let Some(behind) = news {
            self.ends.news.cut(!behind.0);
        }
        let lines = (data, news.is_some());
        tokio::spawn(Arc::clone(&self.ends).recover(lines, notice, away, self.tier.clone()));
    }

    /// The process is gone; what it has sent is under way all the same.
    pub(crate) fn kill(&self) {
        self.ends.gate.kill();
        self.ends.data.notice();
        self.delivery.abort();
    }

    pub(crate) fn sent(&self) -> u64 {
        self.ends.sent.load(Relaxed)
    }

    /// Sends a request, for as long as somebody waits for its answer.
    pub(super) fn ask<'a, T, F>(
        &'a self,
        operation: Operation,
        subject: &str,
        effect: impl Fn(MemoryStore) -> F + Send + Sync + 'static,
    ) -> BoxFuture<'a, Result<T>>
    where
        T: Clone + Send + Sync + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let label = format!("{} {subject}", operation.name());
        Box::pin(async move {
            let answer = self.answer(operation, label, effect).await;
            self.ends.gate.pass().await;
            answer
        })
    }

    async fn answer<T, F>(
        &self,
        operation: Operation,
        label: String,
        effect: impl Fn(MemoryStore) -> F + Send + Sync + 'static,
    ) -> Result<T>
    where
        T: Clone + Send + Sync + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let ends = &self.ends;
        ends.gate.pass().await;
        let number = ends.data.to_send_by().filter(|_| !ends.gate.is_killed());
        let number = number.ok_or_else(unavailable)?;
        ends.sent.fetch_add(1, Relaxed);
        let trip = Trip::draw(&ends.world, operation);
        let tier = self.tier.clone();
        let effect = move || effect(tier.clone());
        let parcel = Parcel { ends: Arc::clone(ends), label, number, trip, effect };
        let (answer, answered) = oneshot::channel();
        tokio::spawn(parcel.carry(answer));
        tokio::select! {
            biased;
            answer = answered => answer.unwrap_or_else(|_| Err(timed_out())),
            () = ends.data.given_up(number) => Err(unavailable()),
            () = sleep(DEADLINE) => Err(timed_out()),
        }
    }
}

/// Whether a line breaks behind what is on it, or with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind(pub(crate) bool);

impl Ends {
    /// Notices that lines (of data, of news) are broken, and connects again.
    async fn recover(
        self: Arc<Self>,
        (data, news): (bool, bool),
        notice: Duration,
        away: Duration,
        tier: MemoryStore,
    ) {
        sleep(notice).await;
        if data {
            self.gate.pass().await;
            self.data.notice();
        }
        if news {
            self.news.notice().await;
        }
        sleep(away).await;
        self.reconnect(&tier).await;
    }

    async fn reconnect(&self, tier: &MemoryStore) {
        while !self.world.server.is_up() {
            sleep(Duration::from_millis(20)).await;
        }
        self.gate.pass().await;
        if self.gate.is_killed() {
            return;
        }
        if self.data.to_send_by().is_none() {
            self.data.connect();
        }
        if self.news.has_listener() {
            self.news.connect(tier);
        }
    }

    async fn beat(self: Arc<Self>, number: u64, tier: MemoryStore, answer: oneshot::Sender<()>) {
        let (random, server) = (&self.world.random, &self.world.server);
        let rates = self.world.rates();
        let (delay, back) = (random.leg(), random.leg());
        let lost = random.chance(rates.lost) || random.chance(rates.unanswered);
        sleep(random.leg()).await;
        let reached = self.news.wire.up() == Some(number) && server.is_up() && !lost;
        if !reached || tier.heartbeat().await.is_err() {
            sleep(BEAT_DEADLINE * 2).await;
            return drop(answer);
        }
        self.world.trace.note("server", format_args!("heartbeat of p{}", self.process));
        let breaks = self.world.takes_fault_behind_beat(self.process);
        let answered = self.news.beat(number, if breaks { random.millis(20..=400) } else { delay });
        if breaks {
            self.news.cut(false);
            let (notice, away) = (random.millis(0..=6_000), random.millis(0..=500));
            tokio::spawn(Arc::clone(&self).recover((false, true), notice, away, tier));
        }
        if answered.await.is_err() {
            sleep(BEAT_DEADLINE * 2).await;
            return drop(answer);
        }
        sleep(back).await;
        // Nobody waits for it any more: so be it.
        let _ = answer.send(());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.delivery.abort();
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line(p{})", self.ends.process)
    }
}

/// The parts of [`Store`] that are no request: what is left of it is in `requests`.
impl Line {
    pub(super) fn listen_to_news(&self, listener: Weak<dyn Listener>) -> bool {
        self.ends.news.set_listener(listener);
        let (ends, tier) = (Arc::clone(&self.ends), self.tier.clone());
        tokio::spawn(async move {
            sleep(ends.world.random.leg()).await;
            ends.reconnect(&tier).await;
        });
        true
    }

    pub(super) async fn beats(&self) -> Result<()> {
        let ends = &self.ends;
        ends.gate.pass().await;
        let number = ends.news.wire.to_send_by().filter(|_| !ends.gate.is_killed());
        let number = number.ok_or_else(unavailable)?;
        let (answer, answered) = oneshot::channel();
        tokio::spawn(Arc::clone(ends).beat(number, self.tier.clone(), answer));
        let answer = tokio::select! {
            biased;
            answer = answered => answer.map_err(|_| timed_out()),
            () = ends.news.wire.given_up(number) => Err(unavailable()),
            () = sleep(BEAT_DEADLINE) => Err(timed_out()),
        };
        ends.gate.pass().await;
        answer
    }

    /// Returns early where a connection is lost, as it may.
    pub(super) async fn waits_for_lease(&self, key: &str, at_most: Duration) {
        let ends = &self.ends;
        ends.gate.pass().await;
        let Some(number) = ends.data.to_send_by() else { return };
        tokio::select! {
            biased;
            () = self.tier.lease_ended(key, at_most) => sleep(ends.world.random.leg()).await,
            () = ends.data.given_up(number) => {}
        }
        ends.gate.pass().await;
    }

    pub(super) fn store(&self) -> &MemoryStore {
        &self.tier
    }
}
