//! What is printed.

use std::{collections::BTreeMap, fmt::Display};

use super::{judge::Judge, verdicts::Rule};
use crate::{
    clock::{Moment, Shown},
    limits::{BOUND, LONGEST_CALL, MARGIN},
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

/// Why a run has not passed. One that had nothing to judge has shown nothing.
pub(crate) fn wrong(judge: &Judge) -> Vec<&'static str> {
    let (verdicts, (measured, _, longest)) = (&judge.verdicts, judge.lag.measured());
    let all = [
        (verdicts.violations() > 0, "a promise was broken"),
        (verdicts.reads() == 0, "nothing was read"),
        (verdicts.writes() == 0, "nothing was written"),
        (verdicts.faults.is_empty(), "nothing was broken on purpose"),
        (measured == 0, "no lag was measured"),
        (longest > BOUND + MARGIN, "the maximum lag is over the bound"),
    ];
    all.into_iter().filter_map(|(is_so, what)| is_so.then_some(what)).collect()
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        coordinator::{faults::Kind, verdicts::Verdicts},
        wire::{How, Process},
        world::{Reader, Subject},
    };

    /// A run that read, wrote, broke something, and measured this lag.
    fn full(lag: Duration) -> Judge {
        let mut judge = Judge::new(Verdicts::default());
        judge.verdicts.reads.insert(Reader::Strict, 1);
        judge.verdicts.writes.insert(How::Key, 1);
        judge.verdicts.faults.insert(Kind::FlushAll, 1);
        let process = |worker| Process { worker, life: 0 };
        let (at, subject) = (Moment::default().plus(Duration::from_secs(10)), Subject::item(1));
        judge.lag.read(subject, process(1), at.minus(Duration::from_millis(1)), 1);
        judge.lag.read(subject, process(1), at.plus(lag), 1);
        judge.lag.invalidated(subject, process(0), at, 2);
        judge.lag.settle(at.plus(Duration::from_secs(60)));
        judge
    }

    #[test]
    fn a_run_that_had_nothing_to_judge_has_not_passed() {
        assert!(wrong(&full(BOUND)).is_empty());
        let mut judge = full(BOUND);
        judge.verdicts.reads.clear();
        assert_eq!(wrong(&judge), ["nothing was read"]);
        let mut judge = full(BOUND);
        judge.verdicts.faults.clear();
        assert_eq!(wrong(&judge), ["nothing was broken on purpose"]);
        assert_eq!(wrong(&Judge::new(Verdicts::default())).len(), 4);
    }

    #[test]
    fn a_run_with_a_violation_or_a_lag_over_the_bound_has_not_passed() {
        let mut judge = full(BOUND);
        judge.verdicts.broken(Rule::Own, Moment::now(), String::new);
        assert_eq!(wrong(&judge), ["a promise was broken"]);
        let late = full(BOUND + 2 * MARGIN);
        assert_eq!(wrong(&late), ["the maximum lag is over the bound"]);
    }
}
