//! Rounds of all candidates in turn, so that whatever else the machine does falls on all of them alike.

use std::{hint::black_box, time::Instant};

use tokio::runtime::{self, Runtime};

use crate::{
    allocations::held, effort::Effort, record::Quantity, sample::Sample, table::Table,
    target::Target,
};

thread_local! {
    static RUNTIME: Runtime =
        runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
}

/// Runs a future on this thread, in a runtime that the thread keeps: after the first time that costs next to nothing.
pub fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// One thing to measure: does its work as often as it is told.
pub struct Candidate<'a> {
    name: String,
    run: Box<dyn FnMut(u32) + 'a>,
    targets: Vec<Target>,
    allocations: Option<Target>,
}

impl<'a> Candidate<'a> {
    /// A candidate whose work is one call of `work`.
    pub fn new<R>(name: impl Into<String>, mut work: impl FnMut() -> R + 'a) -> Self {
        Self::batch(name, move |calls| {
            for _ in 0..calls {
                black_box(work());
            }
        })
    }

    /// A candidate whose work is one call of `work` in an async context: one `block_on` for all calls of a round.
    pub fn future<R>(name: impl Into<String>, mut work: impl AsyncFnMut() -> R + 'a) -> Self {
        Self::batch(name, move |calls| {
            block_on(async {
                for _ in 0..calls {
                    black_box(work().await);
                }
            });
        })
    }

    /// A candidate that is told how many calls to make and makes them in its own way: in tasks, on threads.
    pub fn batch(name: impl Into<String>, run: impl FnMut(u32) + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run), targets: Vec::new(), allocations: None }
    }

    /// What it should reach.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// How many allocations a call of it may make at most.
    #[must_use]
    pub fn allocations(mut self, most: f64) -> Self {
        self.allocations = Some(Target::no_more_than(most));
        self
    }
}

/// A comparison of candidates.
pub struct Comparison<'a> {
    bench: &'static str,
    title: String,
    calls: u32,
    quantity: Quantity,
    counted: bool,
    candidates: Vec<Candidate<'a>>,
}

impl<'a> Comparison<'a> {
    /// A comparison of the time that one call takes; each candidate makes so many `calls` in a round.
    pub fn new(bench: &'static str, title: impl Into<String>, calls: u32) -> Self {
        let (title, candidates) = (title.into(), Vec::new());
        Self { bench, title, calls, quantity: Quantity::Time, counted: false, candidates }
    }

    /// Tells calls for each second instead, and so do targets: `Target::at_least(0.75, ..)`.
    #[must_use]
    pub fn throughput(mut self) -> Self {
        self.quantity = Quantity::Throughput;
        self
    }

    /// Counts allocations as well, in a build with the feature `allocations`. Those of the thread that runs the candidates
    /// are counted, and no others.
    #[must_use]
    pub fn counted(mut self) -> Self {
        self.counted = true;
        self
    }

    /// Adds a candidate. The first one is what the others are compared with.
    #[must_use]
    pub fn with(mut self, candidate: Candidate<'a>) -> Self {
        self.candidates.push(candidate);
        self
    }

    /// Adds several of them.
    #[must_use]
    pub fn with_all(mut self, candidates: impl IntoIterator<Item = Candidate<'a>>) -> Self {
        self.candidates.extend(candidates);
        self
    }

    /// Measures all candidates in turn, round by round.
    pub fn run(mut self) {
        if Effort::asked() == Effort::Test {
            self.candidates.iter_mut().for_each(|candidate| (candidate.run)(1));
        } else if !cfg!(feature = "allocations") {
            self.measure();
        } else if self.counted {
            self.count();
        }
    }

    fn measure(mut self) {
        let rounds = Effort::asked().choose(1, 21, 61);
        let count = self.candidates.len();
        let mut seconds = vec![Vec::with_capacity(rounds); count];
        for round in 0..=rounds {
            // Each comes after another one each time, so that what one leaves in the processor's caches is not always
            // the same one's loss.
            for at in (0..count).map(|turn| (turn + round) % count) {
                let start = Instant::now();
                (self.candidates[at].run)(self.calls);
                let elapsed = start.elapsed().as_secs_f64() / f64::from(self.calls);
                // The first round only warms up.
                if round > 0 {
                    seconds[at].push(elapsed);
                }
            }
        }
        let throughput = self.quantity == Quantity::Throughput;
        let value = |seconds: f64| if throughput { 1.0 / seconds } else { seconds * 1e9 };
        let mut table = Table::new(self.bench, self.title, self.quantity);
        for (candidate, seconds) in self.candidates.iter().zip(seconds) {
            let sample = Sample::new(seconds.into_iter().map(value).collect());
            table.put(&candidate.name, sample, &candidate.targets);
        }
        table.finish();
    }

    fn count(mut self) {
        let title = format!("{}: allocations", self.title);
        let mut table = Table::new(self.bench, title, Quantity::Allocations);
        for candidate in &mut self.candidates {
            (candidate.run)(self.calls);
            let Some(held) = held(|| (candidate.run)(self.calls)) else { continue };
            let each = held.allocations as f64 / f64::from(self.calls);
            table.put(&candidate.name, each, candidate.allocations.as_slice());
        }
        table.finish();
    }
}
