//! Many processes over the real engine, in one thread.
//!
//! Each process is a [`Cache`](cache_core::Cache) with clients of its own. All of them share one tier, which each sees
//! through lines of its own: requests, answers and news are late, lost, repeated, and processes stop, end and begin.
//! Time is tokio's and stands still while anybody has something to do, so that a minute of it takes milliseconds;
//! everything that happens by chance comes from one seed. So a seed is a whole history, and the same one each time.
//!
//! An [oracle] looks at every read: no value may be older than the guarantees allow. After the faults everything comes to
//! rest, and then every process has to know the newest of everything.
//!
//! [oracle]: https://en.wikipedia.org/wiki/Test_oracle
//!
//! ```
//! let one = simulation::run(7, 60);
//! assert_eq!(one.violation, None);
//! assert_eq!(one.hash, simulation::run(7, 60).hash);
//! ```

mod chaos;
mod client;
mod cover;
mod finale;
mod functions;
mod network;
mod oracle;
mod plan;
mod process;
mod random;
mod source;
mod trace;
mod world;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cache_core::Clock;
use tokio::{runtime::Builder, time::sleep};

use crate::{process::Processes, world::World};

/// How far behind a process may be.
const BOUND: Duration = Duration::from_secs(2);
/// How long callers wait for one another.
const FLIGHT_WAIT: Duration = Duration::from_millis(1_500);
/// How many bodies may run in the background of one process.
const BACKGROUND: usize = 3;

/// How one seed went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What no guarantee allows; `None` when all was well.
    pub violation: Option<String>,
    /// The last events, oldest first.
    pub trace: Vec<String>,
    /// The number of all events.
    pub events: u64,
    /// A hash of all events: the same for every run of the seed.
    pub hash: u64,
}

/// Runs a seed, and keeps its last `keep` events.
///
/// # Panics
///
/// When a process cannot be started, which is a mistake of the simulation.
#[must_use]
pub fn run(seed: u64, keep: usize) -> Outcome {
    // The engine's own chance: jitter, fill ids.
    fastrand::seed(seed);
    // The origin of the clock lies before the beginning of the simulation's time.
    drop(Clock::tokio());
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("a runtime without threads: {error}"));
    let (hash, events, trace, violation) = runtime.block_on(async {
        let world = World::new(seed, keep);
        history(&world).await;
        world.trace.end()
    });
    Outcome { seed, violation, trace, events, hash }
}

async fn history(world: &Arc<World>) {
    let processes = Processes::new(world);
    for _ in 0..world.plan.processes {
        processes.start().await;
    }
    let faults = tokio::spawn(chaos::rage(Arc::clone(world), Arc::clone(&processes)));
    let end = tokio::time::Instant::now() + world.plan.lasts;
    while tokio::time::Instant::now() < end && !world.trace.is_over() {
        sleep(Duration::from_millis(100)).await;
    }
    faults.abort();
    if !world.trace.is_over() {
        finale::rest(world, &processes).await;
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(violation) = &self.violation else {
            return write!(f, "seed {}: {} events, all is well", self.seed, self.events);
        };
        writeln!(f, "seed {}: {violation}", self.seed)?;
        writeln!(f, "the last {} of {} events:", self.trace.len(), self.events)?;
        self.trace.iter().try_for_each(|event| writeln!(f, "  {event}"))?;
        write!(f, "again: cargo xtask simulate --seed {}", self.seed)
    }
}

/// Nothing that can panic runs under one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
