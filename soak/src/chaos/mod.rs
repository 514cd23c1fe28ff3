//! What the calls of a service feel while its Redis breaks, one fault after the other.

mod ledger;
mod options;
mod report;
mod trouble;
mod verdict;

use std::{
    env, fs, io,
    net::TcpListener,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, sleep},
    time::Duration,
};

pub(crate) use self::options::{HELP, Options};
use self::{
    ledger::Ledger,
    trouble::Trouble,
    verdict::{Felt, Phase},
};
use crate::{
    clock::Moment,
    coordinator::{
        SharedJudge,
        crew::{Brief, Crew},
        end_with_any_thread,
        field::Field,
        hall::Hall,
        judge::Judge,
        servers::Servers,
        truth::Truth,
        verdicts::{Rule, Verdicts},
    },
    options::Deployment,
    wire::{Call, Process},
    worker::Duty,
};

/// The one that is measured, and one that changes what it has in memory.
const WORKERS: u8 = 2;
/// Times that are too long are measured again: what the product does it does every time, what a busy machine does it does
/// not. Calls that failed and promises that were broken count at once.
const ATTEMPTS: u32 = 3;
/// How often reads are judged.
const PACE: Duration = Duration::from_millis(50);
/// How long the workers may take to fill their caches, and to recover.
const PATIENCE: Duration = Duration::from_secs(40);

/// Breaks everything that was asked for; whether all was as promised.
pub(crate) fn run(options: &Options) -> io::Result<bool> {
    end_with_any_thread();
    let mut good = true;
    for &deployment in &options.deployments {
        let mut chaos = Chaos::start(deployment)?;
        report::head(deployment);
        let mut all = Vec::new();
        for trouble in options.troubles(deployment) {
            let mut felt = chaos.suffer(trouble, options)?;
            report::row(&felt);
            for _ in 1..ATTEMPTS {
                if !felt.is_late_only() || options.forgives(&felt) {
                    break;
                }
                felt.wrong().iter().for_each(|what| println!("  measured again, because {what}"));
                felt = chaos.suffer(trouble, options)?;
                report::row(&felt);
            }
            all.push(felt);
        }
        all.iter().for_each(report::details);
        good &= all.iter().all(|felt| felt.wrong().is_empty() || options.forgives(felt));
        chaos.end(good)?;
    }
    Ok(good)
}

struct Chaos {
    deployment: Deployment,
    judge: Arc<SharedJudge>,
    ledger: Arc<SharedLedger>,
    crew: Arc<Crew>,
    servers: Servers,
    dir: PathBuf,
    /// What had been found wrong before the present fault.
    failed: u64,
    stale: u64,
    apart: u64,
}

#[derive(Debug, Default)]
struct SharedLedger(Mutex<Ledger>);

impl SharedLedger {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // A panic ends the process.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chaos {
    fn start(deployment: Deployment) -> io::Result<Self> {
        let field = match deployment {
            Deployment::Single => Field::single()?,
            Deployment::Cluster => Field::cluster()?,
            Deployment::Sentinel => Field::sentinel(),
        };
        let judge = Arc::new(SharedJudge::new(Judge::new(Verdicts::new(Moment::now()))));
        let (truth, ledger) = (Arc::new(Truth::new()), Arc::new(SharedLedger::default()));
        let door = TcpListener::bind(("127.0.0.1", 0))?;
        let dir =
            env::temp_dir().join(format!("larder-chaos-{}-{deployment:?}", std::process::id()));
        fs::create_dir_all(&dir)?;
        let brief = Brief {
            duty: Duty::Steady,
            workers: WORKERS,
            coordinator: door.local_addr()?,
            urls: field.urls(),
            seed: fastrand::u64(..),
            dir: dir.clone(),
        };
        let crew = Arc::new(Crew::start(brief, Arc::clone(&judge))?);
        let heard = Arc::clone(&ledger);
        Hall::open(door, &judge, &truth, &crew, move |process, batch| {
            heard.lock().hears(process, batch);
        });
        let servers = Servers::new(field, Arc::clone(&judge));
        let (failed, stale, apart) = (0, 0, 0);
        let mut chaos =
            Self { deployment, judge, ledger, crew, servers, dir, failed, stale, apart };
        if chaos.recovered(Moment::now()).is_none() {
            return Err(io::Error::other(format!("no calm start: see {}", chaos.dir.display())));
        }
        Ok(chaos)
    }

    /// One fault: a time before it, the fault, and until everything is well again.
    fn suffer(&mut self, trouble: Trouble, options: &Options) -> io::Result<Felt> {
        let is_watched = self.servers.field.is_watched();
        if is_watched {
            // Until it is known whether Sentinel has replaced a master, nobody knows what was lost.
            self.judge.lock().hold();
        }
        // Sentinels take their time until they agree on what was done last.
        self.in_background(|servers| {
            servers.field.settle();
            Ok(())
        })?;
        let before = Moment::now();
        self.ledger.lock().forget(before.minus(Duration::from_secs(5)));
        self.watch_for(options.healthy());
        let begun = Moment::now();
        self.in_background(|servers| trouble.happen(servers, options.length(trouble)))?;
        let mended = Moment::now();
        let well = self.recovered(mended);
        let until = well.unwrap_or_else(Moment::now).max(begun.plus(Duration::from_secs(2)));
        if is_watched {
            self.in_background(|servers| {
                servers.account();
                Ok(())
            })?;
            self.judge.lock().release();
            watch(&self.judge, self.deployment);
        }
        let (failed, stale) = self.found();
        let (unasked, apart) = (std::mem::take(&mut self.servers.unasked), self.counted_apart());
        let ledger = self.ledger.lock();
        // Most of those that were timed were judged as well; some of the others have ended in no other way.
        let timed = Phase::of(ledger.calls(before, until).map(|(_, call)| call)).failed;
        Ok(Felt {
            name: trouble.to_string(),
            healthy: Phase::of(measured(&ledger, before, begun)),
            during: Phase::of(measured(&ledger, begun, until)),
            recovery: well.map(|well| mended.until(well)),
            failed: failed.max(timed as u64),
            stale,
            unasked,
            apart,
            judges_hits: trouble == Trouble::Freeze,
        })
    }

    /// Judges reads while something is done to the servers.
    fn in_background(
        &mut self,
        act: impl FnOnce(&mut Servers) -> io::Result<()> + Send,
    ) -> io::Result<()> {
        let Self { servers, judge, deployment, .. } = self;
        thread::scope(|scope| {
            let acting = scope.spawn(|| act(servers));
            while !acting.is_finished() {
                watch(judge, *deployment);
            }
            acting.join().map_err(|_| io::Error::other("what breaks things is gone"))?
        })
    }

    /// Since when all caches are well; not before `from`.
    fn recovered(&mut self, from: Moment) -> Option<Moment> {
        while from.elapsed() < PATIENCE {
            watch(&self.judge, self.deployment);
            // Nothing that was told before the end counts for how long they have been well.
            let well = self.ledger.lock().well_since().map(|well| well.max(from));
            if let Some(well) = well
                && well.elapsed() > ledger::STEADY
            {
                return Some(well);
            }
        }
        None
    }

    /// Annotated functions that failed and promises that were broken, since the last time.
    fn found(&mut self) -> (u64, u64) {
        let judge = self.judge.lock();
        let violations = judge.verdicts.violations();
        let calls = judge.verdicts.of(Rule::Call);
        let now = (calls, violations - calls);
        let since = (now.0 - self.failed, now.1 - self.stale);
        (self.failed, self.stale) = now;
        since
    }

    /// Reads since the last time that only a documented limit excuses.
    fn counted_apart(&mut self) -> u64 {
        let now = self.judge.lock().verdicts.limited.values().sum();
        now - std::mem::replace(&mut self.apart, now)
    }

    fn watch_for(&self, time: Duration) {
        let until = Moment::now().plus(time);
        while Moment::now() < until {
            watch(&self.judge, self.deployment);
        }
    }

    fn end(self, good: bool) -> io::Result<()> {
        self.crew.end();
        if good {
            return fs::remove_dir_all(&self.dir);
        }
        println!("What the workers printed is in {}", self.dir.display());
        Ok(())
    }
}

/// The calls of the worker that is measured.
fn measured(ledger: &Ledger, from: Moment, to: Moment) -> impl Iterator<Item = &Call> {
    let is_measured = |process: &Process| process.worker == 0;
    ledger.calls(from, to).filter(move |(process, _)| is_measured(process)).map(|(_, call)| call)
}

fn watch(judge: &SharedJudge, deployment: Deployment) {
    sleep(PACE);
    let mut judge = judge.lock();
    judge.judge();
    for violation in judge.verdicts.take_described() {
        println!("{violation}\n    {deployment:?}");
    }
}
