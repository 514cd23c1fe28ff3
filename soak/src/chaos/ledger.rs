//! What the workers told: their calls, and how their caches were.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    clock::Moment,
    wire::{Batch, Call, Process},
};

/// A cache is well for this long before it counts as recovered: longer than a session may seem to live on a dead line.
pub(crate) const STEADY: Duration = Duration::from_millis(1600);
/// A cache that answers from the shared tier does so at least this often under the load.
const SELDOM: Duration = Duration::from_millis(600);

/// How a cache was at a moment.
#[derive(Clone, Copy, Debug)]
struct Pulse {
    at: Moment,
    /// Hits of the shared tier so far.
    shared: u64,
    /// Whether its session lived.
    is_live: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    calls: Vec<(Process, Call)>,
    pulses: BTreeMap<Process, Vec<Pulse>>,
}

impl Ledger {
    pub(crate) fn hears(&mut self, process: Process, batch: &Batch) {
        self.calls.extend(batch.calls.iter().map(|call| (process, call.clone())));
        let Batch { until, is_live, ref tally, .. } = *batch;
        let pulse = Pulse { at: until, shared: tally.shared, is_live };
        self.pulses.entry(process).or_default().push(pulse);
    }

    /// The calls that began in this time.
    pub(crate) fn calls(&self, from: Moment, to: Moment) -> impl Iterator<Item = &(Process, Call)> {
        self.calls.iter().filter(move |(_, call)| from <= call.began && call.began < to)
    }

    /// Since when all caches have been well, if they have been for long enough, and have gone on for as long as is known.
    pub(crate) fn well_since(&self) -> Option<Moment> {
        let each = self.pulses.values().map(|pulses| well_since(pulses));
        each.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Forgets what was before.
    pub(crate) fn forget(&mut self, before: Moment) {
        self.calls.retain(|(_, call)| call.began >= before);
        for pulses in self.pulses.values_mut() {
            pulses.retain(|pulse| pulse.at >= before);
        }
    }
}

fn well_since(pulses: &[Pulse]) -> Option<Moment> {
    let mut last_hit = None;
    let mut since = None;
    for (at, pulse) in pulses.iter().enumerate() {
        if at > 0 && pulse.shared > pulses[at - 1].shared {
            last_hit = Some(pulse.at);
        }
        let answers = last_hit.is_some_and(|hit: Moment| hit.until(pulse.at) < SELDOM);
        since = if pulse.is_live && answers { since.or(Some(pulse.at)) } else { None };
    }
    let last = pulses.last()?.at;
    since.filter(|since| since.until(last) >= STEADY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::default().plus(Duration::from_millis(ms))
    }

    /// A pulse each 100 ms: how many hits it brought, and whether the session lived.
    fn pulses(all: &[(u64, bool)]) -> Vec<Pulse> {
        let mut shared = 0;
        let pulse = |(n, &(hits, is_live)): (usize, &(u64, bool))| {
            shared += hits;
            Pulse { at: at(100 * n as u64), shared, is_live }
        };
        all.iter().enumerate().map(pulse).collect()
    }

    #[test]
    fn a_cache_is_well_once_it_hits_and_its_session_lives_and_stays_so() {
        let good = [(1, true); 20];
        assert_eq!(
            well_since(&pulses(&good)),
            Some(at(100)),
            "the first one compares with nothing"
        );
        let without_session = [(1, false); 20];
        assert_eq!(well_since(&pulses(&without_session)), None);
        let without_hits = [(0, true); 20];
        assert_eq!(well_since(&pulses(&without_hits)), None);
        let late = [[(0, true); 20], [(1, false); 20], [(1, true); 20]].concat();
        assert_eq!(well_since(&pulses(&late)), Some(at(4000)));
    }

    #[test]
    fn a_session_that_only_seems_to_live_for_a_while_does_not_count() {
        let mut all = [(1, true); 12].to_vec();
        all.extend([(1, false); 3]);
        all.extend([(1, true); 10]);
        assert_eq!(well_since(&pulses(&all)), None, "not for long enough");
        all.extend([(1, true); 10]);
        assert_eq!(well_since(&pulses(&all)), Some(at(1500)));
    }

    #[test]
    fn hits_that_stop_end_it() {
        let stopped = [[(1, true); 20], [(0, true); 20]].concat();
        assert_eq!(well_since(&pulses(&stopped)), None);
    }
}
