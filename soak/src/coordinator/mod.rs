//! The coordinator: keeps the source of truth, breaks things, and judges what the workers tell.

mod around;
mod by_hand;
mod cluster;
pub(crate) mod crew;
pub(crate) mod faults;
pub(crate) mod field;
pub(crate) mod hall;
pub(crate) mod judge;
mod lag;
mod promises;
pub(crate) mod proxy;
mod report;
mod sentinel;
pub(crate) mod servers;
pub(crate) mod truth;
pub(crate) mod verdicts;

// The servers of the tests.
#[allow(clippy::unwrap_used, reason = "they fail as tests fail")]
#[path = "../../../cache-redis/tests/common/server.rs"]
pub(crate) mod server;

use std::{
    env, fs, io,
    net::TcpListener,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle, sleep},
    time::Duration,
};

use self::{
    around::Around,
    by_hand::ByHand,
    crew::{Brief, Crew},
    faults::{Fault, Schedule},
    field::Field,
    hall::Hall,
    judge::Judge,
    servers::Servers,
    truth::Truth,
    verdicts::{Rule, Verdicts},
};
use crate::{
    clock::Moment,
    limits::{BOUND, MARGIN},
    options::{Deployment, Options},
    wire::{Order, Process},
    worker::{Duty, TTL},
};

/// How often reads are judged.
const PACE: Duration = Duration::from_millis(100);
/// How often a line says how it goes.
const LINE: Duration = Duration::from_secs(10);
/// How long the workers may take to come, and to come to rest.
const PATIENCE: Duration = Duration::from_secs(60);

/// The judge, for all who have something to tell.
pub(crate) struct SharedJudge(Mutex<Judge>);

impl SharedJudge {
    pub(crate) fn new(judge: Judge) -> Self {
        Self(Mutex::new(judge))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Judge> {
        // A panic ends the process.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SharedJudge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedJudge")
    }
}

/// Runs all deployments; whether nothing was violated.
pub(crate) fn run(options: &Options) -> io::Result<bool> {
    end_with_any_thread();
    println!("seed {}", options.seed);
    let mut good = true;
    for &deployment in &options.deployments {
        let mut soak = Soak::start(deployment, options)?;
        good &= soak.run()?;
    }
    Ok(good)
}

/// A thread that panics ends the process, and with it all that it has started.
pub(crate) fn end_with_any_thread() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        usual(info);
        std::process::exit(101);
    }));
}

/// One deployment.
struct Soak {
    deployment: Deployment,
    options: Options,
    began: Moment,
    judge: Arc<SharedJudge>,
    truth: Arc<Truth>,
    crew: Arc<Crew>,
    lanes: Lanes,
    dir: PathBuf,
    next_line: Moment,
}

/// What breaks things.
struct Lanes {
    servers: Option<JoinHandle<io::Result<Servers>>>,
    around: Option<JoinHandle<io::Result<()>>>,
}

impl Soak {
    fn start(deployment: Deployment, options: &Options) -> io::Result<Self> {
        let is_cluster = deployment == Deployment::Cluster;
        println!("\n{deployment:?}: {:?} of load and faults", options.time(deployment));
        let field = if is_cluster { Field::cluster()? } else { Field::single()? };
        let began = Moment::now();
        let judge = Arc::new(SharedJudge::new(Judge::new(Verdicts::new(began))));
        let truth = Arc::new(Truth::new());
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let dir =
            env::temp_dir().join(format!("larder-soak-{}-{deployment:?}", std::process::id()));
        fs::create_dir_all(&dir)?;
        let brief = Brief {
            duty: Duty::Soak,
            workers: crew::WORKERS,
            coordinator: listener.local_addr()?,
            urls: field.urls(),
            seed: options.seed,
            dir: dir.clone(),
        };
        let crew = Arc::new(Crew::start(brief, Arc::clone(&judge))?);
        Hall::open(listener, &judge, &truth, &crew, |_, _| ());
        let time = options.time(deployment);
        let by_hand = ByHand::new(&field, &judge, &truth, options.seed);
        let lanes = Lanes::start(field, &judge, &crew, options, time);
        by_hand.start(began.plus(time));
        let next_line = began.plus(LINE);
        let options = options.clone();
        Ok(Self { deployment, options, began, judge, truth, crew, lanes, dir, next_line })
    }

    fn run(&mut self) -> io::Result<bool> {
        while !self.lanes.have_ended() {
            self.watch();
        }
        let servers = self.lanes.join()?;
        self.come_to_rest()?;
        self.read_all(false)?;
        if self.judge.lock().has_leftovers() {
            // What a killed writer left behind lives until its ttl.
            self.watch_for(TTL);
            self.read_all(true)?;
        }
        self.crew.end();
        let mut judge = self.judge.lock();
        self.describe(&mut judge);
        report::table(self.deployment, self.options.seed, &judge, &servers.counts);
        let wrong = report::wrong(&judge);
        let good = wrong.is_empty();
        for what in wrong {
            println!("FAILED: {what}");
        }
        if good {
            fs::remove_dir_all(&self.dir)?;
        } else {
            println!("What the workers printed is in {}", self.dir.display());
        }
        Ok(good)
    }

    /// All workers stop reading and writing, and no invalidation waits any more.
    fn come_to_rest(&mut self) -> io::Result<()> {
        self.order(Order::Rest)?;
        let all_rest = self.wait(|judge, process| judge.at_rest().contains(&process));
        if !all_rest {
            self.complain("some workers did not come to rest: their invalidations still wait");
        }
        // What was given up half-way is ended in the background, and memory may be as old as the bound.
        self.watch_for(BOUND + MARGIN + Duration::from_secs(1));
        Ok(())
    }

    fn read_all(&mut self, ttl_passed: bool) -> io::Result<()> {
        let (facts, alive) = (self.truth.facts(), self.crew.processes());
        self.judge.lock().comes_to_rest(&facts, &alive, ttl_passed);
        self.order(Order::ReadAll)?;
        if !self.wait(|judge, process| judge.all_read().contains(&process)) {
            self.complain("some workers did not read everything at rest");
        }
        // Until the last reads are judged.
        for _ in 0..50 {
            self.watch();
            if self.judge.lock().waiting() == 0 {
                return Ok(());
            }
        }
        self.complain("some reads could not be judged");
        Ok(())
    }

    /// Tells all workers, those that are just coming as well.
    fn order(&mut self, order: Order) -> io::Result<()> {
        let until = Moment::now().plus(PATIENCE);
        while !self.crew.order(order)? {
            if Moment::now() > until {
                return Err(io::Error::other("a worker does not come"));
            }
            self.watch();
        }
        Ok(())
    }

    /// Waits until something holds for all workers.
    fn wait(&mut self, holds: impl Fn(&Judge, Process) -> bool) -> bool {
        let (until, all) = (Moment::now().plus(PATIENCE), self.crew.processes());
        while Moment::now() < until {
            self.watch();
            let judge = self.judge.lock();
            if all.iter().all(|process| holds(&judge, *process)) {
                return true;
            }
        }
        false
    }

    fn watch_for(&mut self, time: Duration) {
        let until = Moment::now().plus(time);
        while Moment::now() < until {
            self.watch();
        }
    }

    /// Judges what can be judged, and says so now and then.
    fn watch(&mut self) {
        sleep(PACE);
        let mut judge = self.judge.lock();
        judge.judge();
        self.describe(&mut judge);
        if Moment::now() > self.next_line {
            self.next_line = self.next_line.plus(LINE);
            report::line(self.began, &judge);
        }
    }

    fn describe(&self, judge: &mut Judge) {
        for violation in judge.verdicts.take_described() {
            println!("{violation}\n    seed {}, {:?}", self.options.seed, self.deployment);
        }
    }

    fn complain(&self, what: &str) {
        self.judge.lock().verdicts.broken(Rule::Rest, Moment::now(), || what.to_owned());
    }
}

impl Lanes {
    fn start(
        field: Field,
        judge: &Arc<SharedJudge>,
        crew: &Arc<Crew>,
        options: &Options,
        time: Duration,
    ) -> Self {
        let (seed, is_cluster, is_short) = (options.seed, field.is_cluster, options.is_short);
        let until = Moment::now().plus(time);
        let around = Around { crew: Arc::clone(crew), proxies: field.proxies.clone() };
        let mut servers = Servers::new(field, Arc::clone(judge));
        let told = Arc::clone(judge);
        let servers = thread::spawn(move || {
            let schedule = Schedule::of_servers(seed, is_cluster, is_short);
            go_through(schedule, until, &told, |fault| servers.suffer(fault))?;
            Ok(servers)
        });
        let told = Arc::clone(judge);
        let around = thread::spawn(move || {
            let schedule = Schedule::around(seed, is_cluster, is_short);
            go_through(schedule, until, &told, |fault| around.suffer(fault))
        });
        Self { servers: Some(servers), around: Some(around) }
    }

    fn have_ended(&self) -> bool {
        self.servers.as_ref().is_none_or(JoinHandle::is_finished)
            && self.around.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn join(&mut self) -> io::Result<Servers> {
        let gone = || io::Error::other("what breaks things is gone");
        let around = self.around.take().ok_or_else(gone)?;
        around.join().map_err(|_| gone())??;
        let servers = self.servers.take().ok_or_else(gone)?;
        servers.join().map_err(|_| gone())?
    }
}

fn go_through(
    mut schedule: Schedule,
    until: Moment,
    judge: &SharedJudge,
    mut suffer: impl FnMut(&Fault) -> io::Result<()>,
) -> io::Result<()> {
    // The first loads are undisturbed.
    sleep(Duration::from_secs(1));
    while Moment::now() < until {
        let fault = schedule.next();
        let text = format!("{} ({:?}, {})", fault.kind, fault.length, fault.which % 12);
        judge.lock().verdicts.fault(fault.kind, text);
        suffer(&fault)?;
        sleep(fault.pause);
    }
    Ok(())
}
