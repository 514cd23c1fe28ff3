//! What is printed.

use std::{collections::BTreeMap, fmt::Display};

use super::{judge::Judge, verdicts::Rule};
use crate::{
    clock::{Moment, Shown},
    limits::{BOUND, LONGEST_CALL},
    options::Deployment,
};

/// How it goes, in one line.
pub(crate) fn line(began: Moment, judge: &Judge) {
    let (verdicts, tally) = (&judge.verdicts, judge.tally());
    let (_, _, longest) = judge.lag.measured();
    println!(
        "{:>4} s  {} reads (memory {}, shared {}, loads {}), {} writes, {} faults, {} violations, lag {}, longest call {}",
        began.elapsed().as_secs(),
        verdicts.reads(),
        tally.memory,
        tally.shared,
        tally.loads,
        verdicts.writes(),
        verdicts.faults.values().sum::<u64>(),
        verdicts.violations(),
        Shown(longest),
        Shown(verdicts.longest_call),
    );
}

/// All that was counted.
pub(crate) fn table(
    deployment: Deployment,
    seed: u64,
    judge: &Judge,
    servers: &BTreeMap<&'static str, u64>,
) {
    let (verdicts, tally) = (&judge.verdicts, judge.tally());
    println!("\n=== {deployment:?}, seed {seed}");
    section("reads", verdicts.reads.iter().map(|(reader, count)| (format!("{reader:?}"), count)));
    row("answered by memory", tally.memory);
    row("answered by Redis", tally.shared);
    row("bodies run", tally.loads);
    row("values not stored: overtaken", tally.fenced);
    row("calls that their callers gave up", tally.dropped);
    section("writes", verdicts.writes.iter().map(|(how, count)| (format!("{how:?}"), count)));
    row("invalidations repeated later", tally.queued);
    row("errors of Redis", tally.errors);
    row("answers that came too late", tally.timeouts);
    row("damaged entries", tally.corrupt);
    section("explicit operations that said that they failed", &verdicts.refused);
    section("faults", verdicts.faults.iter().map(|(kind, count)| (kind.to_string(), count)));
    for (what, count) in servers {
        row(what, count);
    }
    section("violations", Rule::ALL.map(|rule| (rule.to_string(), verdicts.of(rule))));
    section("reads that a documented limit excuses", &verdicts.limited);
    let (count, median, longest) = judge.lag.measured();
    println!("times");
    row("maximum lag of other processes", format!("{} (≤ {})", Shown(longest), Shown(BOUND)));
    row("median lag", format!("{} ({count} measured)", Shown(median)));
    let longest_call = Shown(verdicts.longest_call);
    row("longest call", format!("{longest_call} (≤ {})", Shown(LONGEST_CALL)));
    row("longest explicit operation", Shown(verdicts.longest_operation));
    row("failed calls", verdicts.failed);
    println!("{} violations", verdicts.violations());
}

fn section<K: Display, V: Display>(title: &str, rows: impl IntoIterator<Item = (K, V)>) {
    println!("{title}");
    for (name, value) in rows {
        row(name, value);
    }
}

fn row(name: impl Display, value: impl Display) {
    println!("  {name:<46}{value:>12}");
}
