//! What clients do, one step after another.

mod behind;
mod dropped;
mod reads;
mod served;
mod transactions;
mod writes;

use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use self::dropped::Dropped;
pub(crate) use self::{
    behind::Behind,
    reads::{Answer, Failed, call},
    served::serve,
};
use crate::{
    lock,
    plan::Step,
    process::Process,
    source::{Family, Item},
    world::World,
};

/// No operation takes longer, faults or not: twice the patience for others, every request at its deadline, a slow body.
const LONGEST: Duration = Duration::from_secs(40);

/// The shared tier's mark of a write stays at least so long, if nothing is lost.
const MARK: Duration = Duration::from_secs(29);

tokio::task_local! {
    static DOING: Arc<Doing>;
}

/// What one operation of a client did on the way.
#[derive(Debug, Default)]
pub(crate) struct Doing {
    /// The version that it gave the source.
    wrote: AtomicU64,
    /// The shared tier's mark of its write.
    mark: Mutex<Option<Mark>>,
}

/// A write of which the shared tier was told.
#[derive(Clone, Copy, Debug)]
struct Mark {
    since: Instant,
    /// How often the tier had lost its data.
    losses: u64,
    /// How often it had lost what was announced of a tag.
    changes_lost: u64,
}

impl Doing {
    /// The operation that this task is doing.
    pub(crate) fn current() -> Option<Arc<Self>> {
        DOING.try_with(Arc::clone).ok()
    }

    /// The shared tier has marked its write.
    pub(crate) fn announced(&self, world: &World) {
        *lock(&self.mark) = Some(Mark {
            since: Instant::now(),
            losses: world.server.losses(),
            changes_lost: world.server.changes_lost(),
        });
    }

    /// Whether the shared tier still has the mark of its write.
    fn is_announced(&self, world: &World) -> bool {
        let kept =
            |mark: &Mark| mark.losses == world.server.losses() && mark.since.elapsed() < MARK;
        lock(&self.mark).as_ref().is_some_and(kept)
    }

    /// Whether it still has what was announced of the tags of its transaction.
    fn are_tags_announced(&self, world: &World) -> bool {
        let kept = |mark: &Mark| mark.changes_lost == world.server.changes_lost();
        self.is_announced(world) && lock(&self.mark).as_ref().is_some_and(kept)
    }

    fn write(version: u64) {
        let _ = DOING.try_with(|doing| doing.wrote.store(version, Relaxed));
    }

    /// The version that the operation gave the source; 0 for none.
    pub(crate) fn wrote() -> u64 {
        DOING.try_with(|doing| doing.wrote.load(Relaxed)).unwrap_or_default()
    }
}

/// One client of a process.
struct Client {
    process: Arc<Process>,
}

/// Does one step after another for as long as the world is active.
pub(crate) async fn live(process: Arc<Process>) {
    let client = Client { process };
    let world = Arc::clone(&client.process.world);
    while world.is_active() {
        let pause = world.random.millis(0..=world.plan.think);
        tokio::time::sleep(pause).await;
        client.process.runs().await;
        if world.is_active() {
            client.step().await;
        }
    }
}

impl Client {
    async fn step(&self) {
        let world = &self.process.world;
        let step = world.random.pick(&world.plan.steps);
        let (began, stops) = (Instant::now(), self.process.stops());
        let orders = || {
            if step != Step::Read {
                self.process.orders();
            }
        };
        orders();
        match step {
            Step::Read => self.read(self.item(), world.random.pick(&world.plan.hows)).await,
            Step::Change => self.invalidate(true).await,
            Step::Invalidate => self.invalidate(false).await,
            Step::WriteThrough => self.write_through(self.item_that_races()).await,
            Step::Writer => self.writer(self.item_that_races()).await,
            Step::Set => self.set().await,
            Step::Tag => self.tag(self.item()).await,
            Step::Transact => self.transact(self.item_that_races()).await,
        }
        orders();
        let took = began.elapsed();
        if took > LONGEST && stops == self.process.stops() {
            let who = self.process.id;
            world.trace.object(format!("an operation ({step:?}) of p{who} took {took:?}"));
        }
    }

    fn item(&self) -> Item {
        let world = &self.process.world;
        world.random.pick(&world.plan.items)
    }

    /// One that is changed without a lock.
    fn item_that_races(&self) -> Item {
        let world = &self.process.world;
        let races = |item: &Item| item.family != Family::Set;
        let items: Vec<Item> = world.plan.items.iter().copied().filter(races).collect();
        world.random.pick(&items)
    }

    /// Does it, or drops it somewhere on the way: then there is no answer.
    async fn does<F: Future>(&self, doing: &Arc<Doing>, what: F) -> Option<F::Output> {
        let world = &self.process.world;
        let dropped = world.random.chance(world.rates().dropped);
        let what = DOING.scope(Arc::clone(doing), what);
        if !dropped {
            return Some(what.await);
        }
        let answer = Dropped::new(what, &world.random).await;
        if answer.is_none() {
            self.process.note(format_args!("drops what it does"));
        }
        answer
    }
}
