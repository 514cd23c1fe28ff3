//! Bodies that run in the background of a process: how many there are, and of which keys.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use crate::{BACKGROUND, FLIGHT_WAIT, lock, plan::How, process::Process, source::Item};

/// The renewals of one process.
#[derive(Default)]
pub(crate) struct Behind {
    running: Mutex<Vec<Running>>,
    /// How often the process began or ended an invalidation or a write: whoever loads after one joins nobody from before.
    orders: Mutex<u64>,
}

struct Running {
    item: Item,
    how: How,
    since: Instant,
    orders: (u64, u64),
}

/// When a renewal began.
#[derive(Clone, Copy)]
pub(crate) struct Begun {
    since: Instant,
    /// What the process had ordered, and repeated, by then.
    orders: (u64, u64),
}

/// A renewal that runs, until it is dropped.
pub(crate) struct Renews {
    process: Arc<Process>,
    item: Item,
    how: How,
    since: Instant,
}

impl Process {
    /// The process invalidates, or did.
    pub(crate) fn orders(&self) {
        *lock(&self.behind.orders) += 1;
    }

    /// A renewal begins.
    pub(crate) fn begins(&self) -> Begun {
        let stats = self.cache.stats();
        // What was not confirmed is repeated by nobody's order.
        let orders = (*lock(&self.behind.orders), stats.replay_done + stats.replay_queued);
        Begun { since: Instant::now(), orders }
    }

    /// It runs its body: of each function and key one, unless an invalidation came between, or somebody lost patience with it.
    pub(crate) fn renews(self: &Arc<Self>, item: Item, how: How, begun: Begun) -> Renews {
        let Begun { since, orders } = begun;
        self.note(format_args!("renews {item} by `{}`", how.name()));
        let running = &mut *lock(&self.behind.running);
        let twin = running.iter().any(|other| {
            (other.item, other.how) == (item, how)
                && other.orders == orders
                && other.since.elapsed() < FLIGHT_WAIT
        });
        if twin {
            self.world.trace.object(format!(
                "p{} renews {item} by `{}` twice at once",
                self.id,
                how.name()
            ));
        }
        running.push(Running { item, how, since, orders });
        if running.len() > BACKGROUND {
            let bodies = running.len();
            self.world.trace.object(format!("{bodies} bodies in the background of p{}", self.id));
        }
        Renews { process: Arc::clone(self), item, how, since }
    }
}

impl Drop for Renews {
    fn drop(&mut self) {
        let running = &mut *lock(&self.process.behind.running);
        let at = running.iter().position(|one| {
            (one.item, one.how) == (self.item, self.how) && one.since == self.since
        });
        at.map(|at| running.swap_remove(at));
    }
}
