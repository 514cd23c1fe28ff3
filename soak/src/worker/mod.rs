//! A worker: one process of a service, with a cache of its own in front of the source of truth.

mod cached;
mod log;
mod readers;
mod source;
mod steady;
mod writers;

use std::{
    error::Error,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use larder::Cache;
use tokio::{task::JoinSet, time::timeout};

pub(crate) use self::cached::{LOCK, TTL};
use self::{log::Log, source::Source, writers::Pending};
use crate::{
    clock::Moment,
    limits::{BOUND, DEADLINE, FLIGHT_WAIT},
    wire::{self, Hello, Order, Process, Record, Tally},
    world::PREFIX,
};

/// What takes longer than this to come to rest is told.
const LONG: Duration = Duration::from_secs(5);

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Reads and writes as fast as it can, whatever may break something.
    Soak,
    /// Makes calls at a fixed rate and times each of them.
    Steady,
}

impl Duty {
    /// How a worker is told.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Soak => "worker",
            Self::Steady => "steady",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Soak, Self::Steady].into_iter().find(|duty| duty.word() == word)
    }
}

/// What a worker is started with.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) duty: Duty,
    pub(crate) process: Process,
    pub(crate) coordinator: SocketAddr,
    pub(crate) url: String,
    pub(crate) seed: u64,
}

impl Start {
    /// The order is the coordinator's.
    pub(crate) fn parse(duty: Duty, arguments: &[String]) -> Option<Self> {
        let [coordinator, worker, life, seed, url] = arguments else { return None };
        Some(Self {
            duty,
            process: Process { worker: worker.parse().ok()?, life: life.parse().ok()? },
            coordinator: coordinator.parse().ok()?,
            url: url.clone(),
            seed: seed.parse().ok()?,
        })
    }
}

/// What the tasks of a worker share.
pub(crate) struct Shop {
    process: Process,
    source: Source,
    cache: Cache,
    log: Arc<Log>,
    pending: Pending,
    closed: AtomicBool,
    dropped: AtomicU64,
}

impl Shop {
    /// Whether everybody is to come to an end.
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

/// Works until the coordinator is gone.
pub(crate) fn run(start: &Start) -> Result<(), Box<dyn Error>> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(work(start))
}

async fn work(start: &Start) -> Result<(), Box<dyn Error>> {
    let cache = Cache::builder()
        .redis(&start.url)
        .prefix(PREFIX)
        .coherence_bound(BOUND)
        .shared_deadline(DEADLINE)
        .flight_wait(FLIGHT_WAIT)
        .default_ttl(TTL)
        .build()
        .await?;
    larder::init(cache.clone())?;
    let mut stream = TcpStream::connect(start.coordinator)?;
    stream.set_nodelay(true)?;
    wire::send(&mut stream, &Hello::Report(start.process))?;
    let pause = match start.duty {
        Duty::Soak => source::pause,
        Duty::Steady => steady::pause,
    };
    let shop = Arc::new(Shop {
        process: start.process,
        source: Source::new(start.coordinator, start.process, pause),
        cache,
        log: Arc::default(),
        pending: Pending::default(),
        closed: AtomicBool::new(false),
        dropped: AtomicU64::new(0),
    });
    let counted = Arc::clone(&shop);
    let mut orders = log::report(stream, Arc::clone(&shop.log), move || tally(&counted))?;
    let mut tasks = JoinSet::new();
    match start.duty {
        Duty::Soak => {
            readers::start(&shop, start.seed, &mut tasks);
            writers::start(&shop, start.seed, &mut tasks);
        }
        Duty::Steady => steady::start(&shop, start.seed),
    }
    tokio::spawn(writers::confirm(Arc::clone(&shop)));

    while let Some(order) = orders.recv().await {
        match order {
            Order::Rest => {
                come_to_rest(&shop, &mut tasks).await?;
                shop.log.tell(Record::AtRest);
            }
            Order::ReadAll => {
                readers::read_all(&shop).await;
                shop.log.tell(Record::ReadAll);
            }
        }
    }
    Ok(())
}

/// Lets everything end that is under way, and waits until no invalidation waits for Redis.
async fn come_to_rest(shop: &Shop, tasks: &mut JoinSet<()>) -> Result<(), Box<dyn Error>> {
    shop.closed.store(true, Ordering::Relaxed);
    let all = tasks.len();
    loop {
        match timeout(LONG, tasks.join_next()).await {
            Ok(Some(ended)) => ended?,
            Ok(None) => break,
            Err(_) => eprintln!("{} of {all} tasks have not ended", tasks.len()),
        }
    }
    let mut told = Moment::now();
    loop {
        let health = shop.cache.health().await;
        if shop.pending.is_empty() && health.waiting_invalidations == 0 {
            return Ok(());
        }
        if told.elapsed() > LONG {
            told = Moment::now();
            eprintln!("invalidations still wait: {health:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn tally(shop: &Shop) -> Tally {
    let stats = shop.cache.stats();
    Tally {
        memory: stats.hits_memory,
        shared: stats.hits_shared,
        loads: stats.loads,
        fenced: stats.fills_fenced,
        errors: stats.shared_errors,
        timeouts: stats.shared_timeouts,
        queued: stats.replay_queued,
        corrupt: stats.corrupt,
        dropped: shop.dropped.load(Ordering::Relaxed),
    }
}
