//! Side-by-side measurements: rounds of all candidates in turn, and medians, so that whatever else the machine does
//! falls on all of them alike.

use std::{hint::black_box, time::Instant};

/// One thing to measure: does its work `times` times.
pub struct Candidate<'a> {
    name: &'static str,
    run: Box<dyn FnMut(u32) + 'a>,
}

impl<'a> Candidate<'a> {
    /// A candidate whose work is one call of `work`.
    pub fn new<R>(name: &'static str, mut work: impl FnMut() -> R + 'a) -> Self {
        let run = move |times| {
            for _ in 0..times {
                black_box(work());
            }
        };
        Self { name, run: Box::new(run) }
    }
}

const ROUNDS: usize = 41;

/// Measures all candidates in turn and prints the median of each, its spread (the quartiles), and its ratio to the first.
///
/// `cargo bench -- --test` runs each once and measures nothing.
pub fn compare(title: &str, times: u32, candidates: &mut [Candidate<'_>]) {
    if std::env::args().any(|arg| arg == "--test") {
        candidates.iter_mut().for_each(|candidate| (candidate.run)(1));
        return;
    }
    let mut nanos = vec![Vec::with_capacity(ROUNDS); candidates.len()];
    for round in 0..=ROUNDS {
        for (candidate, nanos) in candidates.iter_mut().zip(&mut nanos) {
            let start = Instant::now();
            (candidate.run)(times);
            // The first round only warms up.
            if round > 0 {
                nanos.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(times));
            }
        }
    }
    println!("{title}");
    let mut first = None;
    for (candidate, nanos) in candidates.iter().zip(&mut nanos) {
        nanos.sort_by(f64::total_cmp);
        let at = |quarter: usize| nanos[ROUNDS * quarter / 4];
        let median = at(2);
        let ratio = median / *first.get_or_insert(median);
        println!(
            "  {:44} {median:9.1} ns  ({:.1} to {:.1})  {ratio:5.2}",
            candidate.name,
            at(1),
            at(3)
        );
    }
}
