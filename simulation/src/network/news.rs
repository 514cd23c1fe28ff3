//! The connection that news comes by: in order, as late as it likes, and lost only with a gap.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use cache_store::{Invalidation, Listener, News, Store};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    gate::Gate,
    wire::{Link, Wire},
};
use crate::{
    lock,
    world::{Effect, World},
};

/// News on its way.
#[derive(Clone, Debug)]
enum Told {
    Key(String),
    Tag(String),
    Patterns,
    Gap,
    Rewound,
}

impl Told {
    fn new(news: News<'_>) -> Self {
        match news {
            News::Key(key) => Self::Key(key.to_owned()),
            News::Tag(tag) => Self::Tag(tag.to_owned()),
            News::Patterns => Self::Patterns,
            News::Gap => Self::Gap,
            News::Rewound => Self::Rewound,
        }
    }

    /// Whether it tells of this invalidation, and not of a part that lies elsewhere.
    fn is_of(&self, what: &Invalidation) -> bool {
        match (self, what) {
            (Self::Key(key), Invalidation::Keys(keys)) => *keys == [key.clone()],
            (Self::Tag(tag), Invalidation::Tags(tags)) => *tags == [tag.clone()],
            _ => false,
        }
    }

    fn news(&self) -> News<'_> {
        match self {
            Self::Key(key) => News::Key(key),
            Self::Tag(tag) => News::Tag(tag),
            Self::Patterns => News::Patterns,
            Self::Gap => News::Gap,
            Self::Rewound => News::Rewound,
        }
    }
}

/// What comes by the line: news, and the invalidation that it is about, if any; or the answer to a heartbeat behind the
/// news of all that was before it.
enum Parcel {
    Told(Told, Option<Effect>),
    Beat(oneshot::Sender<()>),
}

pub(crate) struct Channel {
    world: Arc<World>,
    process: u32,
    pub(crate) wire: Wire,
    gate: Arc<Gate>,
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    listener: Option<Weak<dyn Listener>>,
    parcels: VecDeque<(Instant, Parcel)>,
    /// Nothing arrives before what was sent before it.
    last: Option<Instant>,
    stalls_until: Option<Instant>,
    /// The start of the server that the process was connected to last, by whatever line.
    start: Option<u64>,
}

impl Channel {
    pub(crate) fn new(world: &Arc<World>, process: u32, gate: &Arc<Gate>) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            process,
            wire: Wire::new(Link::Down(0)),
            gate: Arc::clone(gate),
            state: Mutex::new(State { start: Some(world.server.starts()), ..State::default() }),
            arrived: Notify::new(),
        })
    }

    pub(crate) fn set_listener(&self, listener: Weak<dyn Listener>) {
        lock(&self.state).listener = Some(listener);
    }

    pub(crate) fn has_listener(&self) -> bool {
        lock(&self.state).listener.is_some()
    }

    /// From here on the server tells of everything, beginning with a gap.
    pub(crate) fn connect(self: &Arc<Self>, tier: &impl Store) {
        if self.wire.to_send_by().is_some() {
            return;
        }
        let number = self.wire.connect();
        self.world.trace.note(self.name(), format_args!("news: connection {number}"));
        let myself: Weak<Self> = Arc::downgrade(self);
        tier.listen(myself);
        lock(&self.state).start = Some(self.world.server.starts());
    }

    /// The process notices that the line is broken: what has not arrived never will.
    pub(crate) async fn notice(&self) {
        self.gate.pass().await;
        self.wire.notice();
        lock(&self.state).parcels.clear();
        if self.world.random.chance(500) {
            self.tell(&Told::Gap, None);
        }
    }

    /// The line breaks, with what is on it, or behind it.
    pub(crate) fn cut(&self, with_all: bool) {
        if self.wire.cut() && with_all {
            lock(&self.state).parcels.clear();
        }
    }

    /// Everything waits for so long.
    pub(crate) fn stall(&self, time: Duration) {
        lock(&self.state).stalls_until = Some(Instant::now() + time);
    }

    /// The answer to a heartbeat, behind the news that is under way.
    pub(crate) fn beat(&self, number: u64, delay: Duration) -> oneshot::Receiver<()> {
        let (answer, answered) = oneshot::channel();
        if self.wire.up() == Some(number) {
            self.send(Parcel::Beat(answer), delay);
        }
        answered
    }

    fn send(&self, parcel: Parcel, delay: Duration) {
        let state = &mut *lock(&self.state);
        let due = [Some(Instant::now() + delay), state.last, state.stalls_until];
        let due = due.into_iter().flatten().max();
        state.last = due;
        state.parcels.extend(due.map(|due| (due, parcel)));
        self.arrived.notify_one();
    }

    fn next_due(&self) -> Option<Instant> {
        lock(&self.state).parcels.front().map(|(due, _)| *due)
    }

    fn take_due(&self) -> Option<Parcel> {
        let parcels = &mut lock(&self.state).parcels;
        let due = parcels.front().is_some_and(|(due, _)| *due <= Instant::now());
        if due { parcels.pop_front().map(|(_, parcel)| parcel) } else { None }
    }

    fn tell(&self, told: &Told, effect: Option<Effect>) {
        self.world.trace.note(self.name(), format_args!("hears {told:?}"));
        let listener = lock(&self.state).listener.clone();
        if let Some(listener) = listener.and_then(|listener| listener.upgrade()) {
            listener.hear(told.news());
            if let Some(effect) = effect {
                self.world.is_heard(self.process, &effect);
            }
        }
    }

    fn name(&self) -> String {
        format!("p{}", self.process)
    }
}

/// What the server tells, in the order in which it does.
impl Listener for Channel {
    fn hear(&self, news: News<'_>) {
        if self.wire.up().is_none() {
            return;
        }
        let mut told = Told::new(news);
        // The first word on a new line: another server than the one before?
        let start = lock(&self.state).start.take();
        if start.is_some_and(|start| start != self.world.server.starts()) {
            told = Told::Rewound;
        } else {
            lock(&self.state).start = start;
        }
        let effect = self.world.effect().filter(|effect| told.is_of(&effect.what));
        let (random, rates) = (&self.world.random, self.world.rates());
        if random.chance(rates.told_twice) {
            self.send(Parcel::Told(told.clone(), effect.clone()), random.leg());
        }
        self.send(Parcel::Told(told, effect), random.leg());
    }
}

/// Hands over what has arrived, for as long as the process lives.
pub(crate) async fn deliver(channel: Arc<Channel>) {
    loop {
        let Some(due) = channel.next_due() else {
            channel.arrived.notified().await;
            continue;
        };
        sleep_until(due).await;
        channel.gate.pass().await;
        match channel.take_due() {
            Some(Parcel::Told(told, effect)) => channel.tell(&told, effect),
            // Nobody waits for the answer any more: so be it.
            Some(Parcel::Beat(answer)) => drop(answer.send(())),
            None => {}
        }
    }
}
