//! One process: its cache, its lines, its clients.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cache_core::{Cache, Clock};
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    BACKGROUND, BOUND, FLIGHT_WAIT,
    client::{self, Behind},
    lock,
    network::Line,
    world::World,
};

pub(crate) struct Process {
    pub(crate) id: u32,
    pub(crate) world: Arc<World>,
    pub(crate) cache: Cache,
    pub(crate) line: Arc<Line>,
    pub(crate) behind: Behind,
    /// How often it was stopped.
    stops: Mutex<u64>,
}

impl Process {
    pub(crate) async fn start(world: &Arc<World>, id: u32) -> Arc<Self> {
        let line = Line::new(world, id);
        let cache = Cache::builder()
            .coherence_bound(BOUND)
            .flight_wait(FLIGHT_WAIT)
            .background_limit(BACKGROUND)
            .default_ttl(Duration::from_secs(24 * 3600))
            .clock(Clock::tokio())
            .runtime(Handle::current())
            .shared(Arc::clone(&line) as Arc<_>)
            .build()
            .await;
        let cache = cache.unwrap_or_else(|error| panic!("these settings are valid: {error}"));
        world.trace.note(format_args!("p{id}"), format_args!("starts"));
        let world = Arc::clone(world);
        Arc::new(Self {
            id,
            world,
            cache,
            line,
            behind: Behind::default(),
            stops: Mutex::default(),
        })
    }

    /// Returns when the process is not stopped.
    pub(crate) async fn runs(&self) {
        self.line.ends.gate.pass().await;
    }

    pub(crate) fn stop(&self) {
        *lock(&self.stops) += 1;
        self.line.ends.gate.stop();
    }

    pub(crate) fn go_on(&self) {
        self.line.ends.gate.go_on();
    }

    pub(crate) fn stops(&self) -> u64 {
        *lock(&self.stops)
    }

    pub(crate) fn note(&self, what: std::fmt::Arguments<'_>) {
        self.world.trace.note(format_args!("p{}", self.id), what);
    }
}

/// All processes that live.
pub(crate) struct Processes {
    world: Arc<World>,
    next: Mutex<u32>,
    living: Mutex<Vec<Living>>,
}

struct Living {
    process: Arc<Process>,
    clients: Vec<JoinHandle<()>>,
}

impl Processes {
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        let world = Arc::clone(world);
        Arc::new(Self { world, next: Mutex::default(), living: Mutex::default() })
    }

    /// Starts another one, with its clients.
    pub(crate) async fn start(&self) {
        let id = {
            let next = &mut *lock(&self.next);
            *next += 1;
            *next
        };
        let process = Process::start(&self.world, id).await;
        let clients = (0..self.world.plan.clients)
            .map(|_| tokio::spawn(client::live(Arc::clone(&process))))
            .collect();
        lock(&self.living).push(Living { process, clients });
    }

    pub(crate) fn all(&self) -> Vec<Arc<Process>> {
        lock(&self.living).iter().map(|living| Arc::clone(&living.process)).collect()
    }

    /// Ends one of them in the middle of everything.
    pub(crate) fn kill(&self, at: usize) {
        let Living { process, clients } = lock(&self.living).remove(at);
        process.note(format_args!("is killed"));
        process.line.kill();
        clients.iter().for_each(JoinHandle::abort);
        self.world.oracle.is_gone(process.id);
    }

    /// The clients of all of them.
    pub(crate) fn take_clients(&self) -> Vec<(u32, JoinHandle<()>)> {
        let living = &mut *lock(&self.living);
        let of = |living: &mut Living| {
            let id = living.process.id;
            living.clients.drain(..).map(move |client| (id, client)).collect::<Vec<_>>()
        };
        living.iter_mut().flat_map(of).collect()
    }
}
