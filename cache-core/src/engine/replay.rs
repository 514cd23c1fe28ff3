//! Invalidations that the shared tier has not confirmed are repeated until it does.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use cache_store::Invalidation;

use super::Engine;
use crate::{events::Event, runtime, stats::Counter};

/// More than this many and they are replaced by one that covers them all.
const MOST: usize = 1024;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The invalidations to repeat.
#[derive(Debug, Default)]
pub(super) struct Replay(Mutex<Queue>);

#[derive(Debug)]
struct Waiting {
    what: Arc<Invalidation>,
    since: Instant,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    running: bool,
}

impl Waiting {
    fn new(what: Invalidation) -> Self {
        Self { what: Arc::new(what), since: Instant::now() }
    }
}

impl Replay {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while the queue is locked, and a queue is whole at every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Queues an invalidation that the shared tier did not confirm.
    pub(super) fn replay(self: &Arc<Self>, what: Invalidation) {
        let mut queue = self.replay.queue();
        if queue.waiting.iter().any(|waiting| *waiting.what == what) {
            return;
        }
        if queue.waiting.len() >= MOST {
            // Clearing everything is coarser than what was asked for, and never wrong.
            self.counters.add(Counter::ReplayDropped, queue.waiting.len() as u64);
            queue.waiting.clear();
            queue.waiting.push_back(Waiting::new(Invalidation::All));
            self.invalidate_here(&Invalidation::All);
        } else {
            self.counters.count(Counter::ReplayQueued);
            queue.waiting.push_back(Waiting::new(what));
        }
        if !std::mem::replace(&mut queue.running, true) {
            drop(queue);
            match runtime::handle() {
                Ok(runtime) => drop(runtime.spawn(repeat(Arc::downgrade(self)))),
                Err(_) => self.replay.queue().running = false,
            }
        }
    }

    /// How many invalidations wait for the shared tier.
    pub(crate) fn waiting(&self) -> usize {
        self.replay.queue().waiting.len()
    }

    /// The oldest one, or `None` and the end of the task that repeats them.
    fn next(&self) -> Option<Arc<Invalidation>> {
        let mut queue = self.replay.queue();
        let next = queue.waiting.front().map(|waiting| Arc::clone(&waiting.what));
        queue.running = next.is_some();
        next
    }

    fn confirmed(&self, what: &Arc<Invalidation>) {
        let mut queue = self.replay.queue();
        let done = queue.waiting.iter().position(|waiting| Arc::ptr_eq(&waiting.what, what));
        let done = done.and_then(|at| queue.waiting.remove(at));
        drop(queue);
        // Whatever was promoted from the shared tier before it confirmed may be old.
        self.invalidate_here(what);
        self.counters.count(Counter::ReplayDone);
        let waited = done.map_or(Duration::ZERO, |done| done.since.elapsed());
        self.events.tell(|| Event::Replayed { what: Arc::clone(what), waited });
    }
}

async fn repeat(engine: Weak<Engine>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(engine) = engine.upgrade() else { return };
        let Some(what) = engine.next() else { return };
        let Some(store) = engine.shared.clone() else { return };
        let answer = store.invalidate(&what).await;
        match answer {
            Ok(()) => {
                engine.answered();
                engine.confirmed(&what);
                pause = FIRST_PAUSE;
                continue;
            }
            Err(error) => engine.count_error(&error),
        }
        drop(engine);
        tokio::time::sleep(pause.mul_f32(0.5 + fastrand::f32() / 2.0)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
