//! Breadth first through every state of a case, so that what is found is found by the shortest way.

mod liveness;
mod print;
mod seen;
mod sight;
mod trace;

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

pub use self::{
    liveness::every_waiter_can_go_on,
    sight::{Lag, Sight},
    trace::Trace,
};
use self::{
    print::Print,
    seen::{Seen, Way},
};
use crate::{
    canon::canonical,
    case::Case,
    promise::Broken,
    state::world::World,
    steps::{self, Next, What},
};

/// How far a search goes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// States after which it gives up.
    pub states: usize,
    /// Threads that search.
    pub threads: usize,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Different states.
    pub states: usize,
    /// Steps from one of them to another.
    pub steps: usize,
    /// How many steps the farthest state is away.
    pub depth: usize,
    /// How long it took.
    pub time: Duration,
    /// Whether the promises hold.
    pub verdict: Verdict,
    /// The kinds of steps that were taken.
    pub taken: BTreeSet<String>,
    /// What readers can see.
    pub sights: BTreeSet<Sight>,
}

/// The outcome of a search.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Every state was seen, and all promises hold.
    Holds,
    /// As many states were seen as the limits allow, and all promises hold so far.
    GaveUp,
    /// A promise does not hold.
    Broken(Broken, Trace),
}

/// States that are shared out between threads in pieces of this size.
const PIECE: usize = 256;

/// Searches every order of the steps that fit in the case.
#[must_use]
pub fn search(case: &Case, limits: Limits) -> Report {
    Search::<Print>::new(case, limits).run()
}

/// The same with half the memory, and without the way to what is found.
#[must_use]
pub fn search_without_traces(case: &Case, limits: Limits) -> Report {
    Search::<()>::new(case, limits).run()
}

struct Search<'c, W> {
    case: &'c Case,
    limits: Limits,
    seen: Seen<W>,
    found: AtomicUsize,
    steps: AtomicUsize,
    stop: AtomicBool,
    broken: Mutex<Option<Violation>>,
    noted: Mutex<Noted>,
}

/// What was met on the way.
#[derive(Default)]
struct Noted {
    taken: Vec<What>,
    sights: BTreeSet<Sight>,
}

/// A promise that a step from `before` breaks; `at` is the place of `before` among the states of its depth.
struct Violation {
    at: usize,
    before: Print,
    broken: Broken,
    last: Next,
}

impl<'c, W: Way> Search<'c, W> {
    fn new(case: &'c Case, limits: Limits) -> Self {
        Self {
            case,
            limits,
            seen: Seen::new(),
            found: AtomicUsize::new(0),
            steps: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            broken: Mutex::new(None),
            noted: Mutex::default(),
        }
    }

    fn run(self) -> Report {
        let started = Instant::now();
        let first = canonical(self.case, &World::new(self.case));
        let print = Print::of(&first);
        self.seen.add(print, print);
        self.found.fetch_add(1, Ordering::Relaxed);
        let (mut states, mut depth) = (vec![first], 0);
        while !states.is_empty() && !self.stop.load(Ordering::Relaxed) {
            states = self.expand(&states);
            depth += usize::from(!states.is_empty());
        }
        let gave_up = !states.is_empty();
        let broken = self.broken.into_inner().unwrap_or_else(PoisonError::into_inner);
        let verdict = match broken {
            Some(violation) => {
                let way = self.seen.way_to(violation.before);
                let trace = trace::along(self.case, &way, &violation.last);
                Verdict::Broken(violation.broken, trace)
            }
            None if gave_up => Verdict::GaveUp,
            None => Verdict::Holds,
        };
        let noted = self.noted.into_inner().unwrap_or_else(PoisonError::into_inner);
        Report {
            states: self.seen.len(),
            steps: self.steps.into_inner(),
            depth,
            time: started.elapsed(),
            verdict,
            taken: noted.taken.iter().map(|what| format!("{what:?}")).collect(),
            sights: noted.sights,
        }
    }

    /// The new states one step away.
    fn expand(&self, states: &[World]) -> Vec<World> {
        let place = AtomicUsize::new(0);
        let threads = self.limits.threads.min(states.len() / PIECE).max(1);
        if threads == 1 {
            return self.expand_pieces(states, &place);
        }
        let mut new = Vec::new();
        thread::scope(|scope| {
            let workers: Vec<_> =
                (0..threads).map(|_| scope.spawn(|| self.expand_pieces(states, &place))).collect();
            for worker in workers {
                match worker.join() {
                    Ok(mut some) => new.append(&mut some),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        new
    }

    fn expand_pieces(&self, states: &[World], place: &AtomicUsize) -> Vec<World> {
        let (mut new, mut next, mut steps) = (Vec::new(), Vec::new(), 0);
        let mut noted = Noted::default();
        loop {
            let from = place.fetch_add(PIECE, Ordering::Relaxed);
            if from >= states.len() || self.stop.load(Ordering::Relaxed) {
                break;
            }
            let piece = &states[from..states.len().min(from + PIECE)];
            for (at, state) in piece.iter().enumerate() {
                noted.sights.insert(Sight::of(self.case, state));
                steps::next(self.case, state, &mut next);
                steps += next.len();
                let before = Print::of(state);
                for one in next.drain(..) {
                    noted.take(one.step.what);
                    self.visit(from + at, before, one, &mut new);
                }
            }
        }
        self.steps.fetch_add(steps, Ordering::Relaxed);
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).add(noted);
        new
    }

    fn visit(&self, at: usize, before: Print, next: Next, new: &mut Vec<World>) {
        if let Some(broken) = next.broken {
            let mut first = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|first| at < first.at) {
                *first = Some(Violation { at, before, broken, last: next });
            }
            self.stop.store(true, Ordering::Relaxed);
            return;
        }
        let state = canonical(self.case, &next.world);
        if self.seen.add(Print::of(&state), before) {
            new.push(state);
            if self.found.fetch_add(1, Ordering::Relaxed) >= self.limits.states {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl Noted {
    fn take(&mut self, what: What) {
        if !self.taken.contains(&what) {
            self.taken.push(what);
        }
    }

    fn add(&mut self, mut other: Self) {
        other.taken.drain(..).for_each(|what| self.take(what));
        self.sights.append(&mut other.sights);
    }
}
