//! How long other processes went on serving what one process had invalidated.

use std::{collections::BTreeSet, time::Duration};

use crate::{clock::Moment, limits::BOUND, wire::Process, world::Subject};

/// A read that could have come from memory.
#[derive(Clone, Copy, Debug)]
struct Seen {
    process: Process,
    began: Moment,
    version: u64,
}

/// One measurement for each confirmed invalidation and each other process that had served the older value shortly before:
/// the time until the beginning of its last read that still returned the older value. Nothing, if there was none.
#[derive(Debug)]
pub(crate) struct Lag {
    seen: Vec<Vec<Seen>>,
    invalidations: Vec<(Subject, Process, Moment, u64)>,
    measured: Vec<Duration>,
}

impl Lag {
    pub(crate) fn new() -> Self {
        let seen = vec![Vec::new(); Subject::COUNT];
        Self { seen, invalidations: Vec::new(), measured: Vec::new() }
    }

    pub(crate) fn read(&mut self, subject: Subject, process: Process, began: Moment, version: u64) {
        self.seen[subject.index()].push(Seen { process, began, version });
    }

    pub(crate) fn invalidated(&mut self, subject: Subject, by: Process, at: Moment, version: u64) {
        self.invalidations.push((subject, by, at, version));
    }

    /// Measures what nothing more can come to: every read that began before `until` is known.
    pub(crate) fn settle(&mut self, until: Moment) {
        let long_ago = until.minus(2 * BOUND);
        let (ripe, waiting): (Vec<_>, Vec<_>) =
            self.invalidations.drain(..).partition(|(_, _, at, _)| *at < long_ago);
        self.invalidations = waiting;
        for (subject, by, at, version) in ripe {
            self.measure(subject, by, at, version);
        }
        for seen in &mut self.seen {
            seen.retain(|one| one.began > long_ago.minus(2 * BOUND));
        }
    }

    fn measure(&mut self, subject: Subject, by: Process, at: Moment, version: u64) {
        let seen = &self.seen[subject.index()];
        let others: BTreeSet<Process> =
            seen.iter().map(|one| one.process).filter(|process| *process != by).collect();
        for other in others {
            let of_other = || seen.iter().filter(|one| one.process == other);
            let served = of_other()
                .any(|one| one.version < version && one.began < at && one.began > at.minus(BOUND));
            let reads_on = of_other().any(|one| one.began > at);
            if served && reads_on {
                let old = of_other().filter(|one| one.began > at && one.version < version);
                let last = old.map(|one| one.began).max();
                self.measured.push(last.map_or(Duration::ZERO, |last| at.until(last)));
            }
        }
    }

    /// What was measured so far: how often, the median, and the maximum.
    pub(crate) fn measured(&self) -> (usize, Duration, Duration) {
        let mut all = self.measured.clone();
        all.sort_unstable();
        let median = all.get(all.len() / 2).copied().unwrap_or_default();
        (all.len(), median, all.last().copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITER: Process = Process { worker: 0, life: 0 };
    const OTHER: Process = Process { worker: 1, life: 0 };

    fn at(ms: u64) -> Moment {
        Moment::default().plus(Duration::from_secs(10) + Duration::from_millis(ms))
    }

    fn measured(reads: &[(Process, u64, u64)]) -> (usize, Duration, Duration) {
        let (mut lag, subject) = (Lag::new(), Subject::item(1));
        for &(process, ms, version) in reads {
            lag.read(subject, process, at(ms), version);
        }
        lag.invalidated(subject, WRITER, at(100), 2);
        lag.settle(at(60_000));
        lag.measured()
    }

    #[test]
    fn the_lag_of_a_process_ends_with_its_last_old_read() {
        let reads = [(OTHER, 90, 1), (OTHER, 110, 1), (OTHER, 130, 1), (OTHER, 150, 2)];
        assert_eq!(measured(&reads).2, Duration::from_millis(30));
        assert_eq!(
            measured(&[(OTHER, 90, 1), (OTHER, 110, 2)]),
            (1, Duration::ZERO, Duration::ZERO)
        );
    }

    #[test]
    fn who_did_not_have_it_or_has_invalidated_it_is_not_measured() {
        assert_eq!(measured(&[(OTHER, 110, 2), (WRITER, 90, 1), (WRITER, 110, 1)]).0, 0);
    }
}
