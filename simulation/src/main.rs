//! Runs seeds: `simulate --seed N`, `simulate --seeds N [--from N]`.

use std::{
    env,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use simulation::{Outcome, run};

const HELP: &str = "\
simulate --seed N             runs one seed twice, compares, and prints its last events
simulate --seeds N [--from M] runs N seeds, M and the ones after it; ends at the first violation
         --events N           how many events are printed (60; for one seed all)
         --twice              runs each seed twice, and compares
         --all                goes on after a violation, and shows the shortest one
simulate --mutants            breaks one guard of the engine after another, and looks for a seed that notices
         --only TEXT          those whose name contains this
         --seeds N            gives up after so many seeds (20,000)";

/// How many events of a seed that fails are printed.
const EVENTS: usize = 60;

fn main() -> ExitCode {
    match Options::read(env::args().skip(1)) {
        Ok(options) => options.run(),
        Err(problem) => {
            eprintln!("{problem}\n{HELP}");
            ExitCode::from(2)
        }
    }
}

struct Options {
    seed: Option<u64>,
    seeds: u64,
    from: u64,
    events: Option<usize>,
    all: bool,
    twice: bool,
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options =
            Self { seed: None, seeds: 1_000, from: 0, events: None, all: false, twice: false };
        while let Some(word) = words.next() {
            let mut number = || {
                let text = words.next().ok_or_else(|| format!("{word} needs a number"))?;
                text.parse::<u64>().map_err(|_| format!("{word} needs a number, not `{text}`"))
            };
            match word.as_str() {
                "--seed" => options.seed = Some(number()?),
                "--seeds" => options.seeds = number()?,
                "--from" => options.from = number()?,
                "--events" => options.events = usize::try_from(number()?).ok(),
                "--all" => options.all = true,
                "--twice" => options.twice = true,
                _ => return Err(format!("`{word}` is no option")),
            }
        }
        Ok(options)
    }

    fn run(&self) -> ExitCode {
        match self.seed {
            Some(seed) => self.one(seed),
            None => self.many(),
        }
    }

    fn one(&self, seed: u64) -> ExitCode {
        let mut outcome = run(seed, usize::MAX);
        compare(&mut outcome);
        let keep = self.events.unwrap_or(usize::MAX);
        outcome.trace.drain(..outcome.trace.len().saturating_sub(keep));
        if outcome.violation.is_none() {
            outcome.trace.iter().for_each(|event| println!("  {event}"));
        }
        println!("{outcome}");
        code(outcome.violation.is_none())
    }

    fn many(&self) -> ExitCode {
        let (start, next) = (Instant::now(), AtomicU64::new(self.from));
        let found: Mutex<Vec<Outcome>> = Mutex::default();
        let (events, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let end = self.from.saturating_add(self.seeds);
        let work = || {
            loop {
                let seed = next.fetch_add(1, Relaxed);
                if seed >= end {
                    return;
                }
                let keep = if self.twice { usize::MAX } else { self.events.unwrap_or(EVENTS) };
                let mut outcome = run(seed, keep);
                if self.twice {
                    compare(&mut outcome);
                    let keep = self.events.unwrap_or(EVENTS);
                    outcome.trace.drain(..outcome.trace.len().saturating_sub(keep));
                }
                events.fetch_add(outcome.events, Relaxed);
                done.fetch_add(1, Relaxed);
                if outcome.violation.is_some() {
                    next.fetch_max(if self.all { 0 } else { end }, Relaxed);
                    if let Ok(mut found) = found.lock() {
                        found.push(outcome);
                    }
                }
            }
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        let mut found = found.into_inner().unwrap_or_default();
        // The first one is the same whatever the number of threads: all before it were begun, and have ended.
        found.sort_by_key(|outcome| if self.all { outcome.events } else { outcome.seed });
        let (done, events) = (done.into_inner(), events.into_inner());
        let took = start.elapsed().as_secs_f64();
        if let Some(outcome) = found.first() {
            println!("{outcome}\n");
            let others: Vec<String> = found.iter().map(|one| one.seed.to_string()).collect();
            println!("violations: {} ({})", found.len(), others.join(" "));
        }
        println!("{done} seeds, {events} events, {took:.1} s");
        code(found.is_empty())
    }
}

/// Objects to a seed that is another history when it runs again.
fn compare(outcome: &mut Outcome) {
    let (one, other) = (&outcome.trace, &run(outcome.seed, usize::MAX).trace);
    if one == other {
        return;
    }
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let at = |trace: &[String]| trace.get(same).map_or("the end", |event| event).to_owned();
    outcome.violation =
        Some(format!("two runs differ after {same} events:\n{}\n{}", at(one), at(other)));
}

fn code(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
