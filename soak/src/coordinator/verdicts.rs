//! What was counted and what was found wrong.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::faults::Kind;
use crate::{clock::Moment, wire::How, world::Reader};

/// How many violations of one rule are described; the others are counted.
const DESCRIBED: usize = 10;
/// How many of the last faults are told with a violation.
const FAULTS: usize = 6;

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// A read that asks Redis.
    Strict,
    /// A read in the process that invalidated.
    Own,
    /// Any read, once the bound has passed.
    Bound,
    /// Any read after `everywhere()`.
    Everywhere,
    /// At rest everybody reads the newest.
    Rest,
    /// No call fails or takes too long.
    Call,
    /// No call returns what belongs to another key.
    Foreign,
}

impl Rule {
    pub(crate) const ALL: [Self; 7] = [
        Self::Strict,
        Self::Own,
        Self::Bound,
        Self::Everywhere,
        Self::Rest,
        Self::Call,
        Self::Foreign,
    ];
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Strict => "asks Redis: not older than confirmed",
            Self::Own => "own process: not older than invalidated",
            Self::Bound => "any process: at most the bound older",
            Self::Everywhere => "after everywhere(): not older",
            Self::Rest => "at rest: the newest",
            Self::Call => "no call fails or is too slow",
            Self::Foreign => "no foreign value",
        })
    }
}

#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    pub(crate) began: Moment,
    pub(crate) reads: BTreeMap<Reader, u64>,
    pub(crate) writes: BTreeMap<How, u64>,
    /// Explicit operations that said that they failed, by the kind of error.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Annotated functions that failed.
    pub(crate) failed: u64,
    /// Reads that are excused by a documented limit, by its name.
    pub(crate) limited: BTreeMap<&'static str, u64>,
    pub(crate) longest_call: Duration,
    pub(crate) longest_operation: Duration,
    violations: BTreeMap<Rule, u64>,
    described: Vec<String>,
    pub(crate) faults: BTreeMap<Kind, u64>,
    chronicle: Vec<(Moment, String)>,
}

impl Verdicts {
    pub(crate) fn new(began: Moment) -> Self {
        Self { began, ..Self::default() }
    }

    /// Something is broken on purpose.
    pub(crate) fn fault(&mut self, kind: Kind, text: String) {
        *self.faults.entry(kind).or_default() += 1;
        self.chronicle.push((Moment::now(), text));
    }

    /// Something is wrong.
    pub(crate) fn broken(&mut self, rule: Rule, at: Moment, text: impl FnOnce() -> String) {
        let count = self.violations.entry(rule).or_default();
        *count += 1;
        if *count > DESCRIBED as u64 {
            return;
        }
        let before = self.chronicle.iter().filter(|(begun, _)| *begun < at).rev().take(FAULTS);
        let faults: Vec<String> = before
            .map(|(begun, fault)| format!("    {:?} earlier: {fault}", begun.until(at)))
            .collect();
        self.described.push(format!(
            "VIOLATION ({rule}) after {:.3} s: {}\n{}",
            self.began.until(at).as_secs_f64(),
            text(),
            faults.join("\n")
        ));
    }

    pub(crate) fn violations(&self) -> u64 {
        self.violations.values().sum()
    }

    pub(crate) fn of(&self, rule: Rule) -> u64 {
        self.violations.get(&rule).copied().unwrap_or(0)
    }

    /// The descriptions since the last time.
    pub(crate) fn take_described(&mut self) -> Vec<String> {
        std::mem::take(&mut self.described)
    }

    pub(crate) fn reads(&self) -> u64 {
        self.reads.values().sum()
    }

    pub(crate) fn writes(&self) -> u64 {
        self.writes.values().sum()
    }
}
