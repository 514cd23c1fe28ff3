//! What was promised of a subject, and from when on.

use crate::{
    clock::Moment,
    wire::{Held, How, Process},
};

/// From `at` on nothing older than `version` is returned to those whom it concerns.
#[derive(Clone, Debug)]
pub(crate) struct Promise {
    pub(crate) at: Moment,
    /// Redis has done its part between these; the second one is never, as long as it is not known.
    pub(crate) done: (Moment, Moment),
    pub(crate) version: u64,
    pub(crate) how: How,
    pub(crate) held: Held,
    pub(crate) by: Process,
}

/// Promises in the order of time, each with the newest version that was promised up to it.
#[derive(Debug, Default)]
pub(crate) struct Promises(Vec<(Promise, u64)>);

/// Older ones than the last this many are forgotten, except for what they add up to.
const KEPT: usize = 4096;

impl Promises {
    /// Notes a promise; those of different processes need not come in order.
    pub(crate) fn add(&mut self, promise: Promise) {
        let at = self.0.partition_point(|(known, _)| known.at <= promise.at);
        let before = if at == 0 { 0 } else { self.0[at - 1].1 };
        let mut newest = before.max(promise.version);
        self.0.insert(at, (promise, newest));
        for (promise, known) in &mut self.0[at + 1..] {
            newest = newest.max(promise.version);
            *known = newest;
        }
        if self.0.len() > 2 * KEPT {
            self.0.drain(..KEPT);
        }
    }

    /// What was promised of a version without Redis has been confirmed.
    pub(crate) fn confirm(&mut self, version: u64, at: Moment) {
        let waiting = self.0.iter_mut().rev().find(|(one, _)| one.version == version);
        if let Some((promise, _)) = waiting {
            promise.done.1 = at;
        }
    }

    /// The newest version that was promised before this moment.
    pub(crate) fn newest_before(&self, moment: Moment) -> u64 {
        let count = self.0.partition_point(|(known, _)| known.at < moment);
        if count == 0 { 0 } else { self.0[count - 1].1 }
    }

    /// The promises made before `moment` that a read of `version` breaks, from the oldest on.
    pub(crate) fn broken(&self, version: u64, moment: Moment) -> impl Iterator<Item = &Promise> {
        let all = self.0.iter().map(|(promise, _)| promise);
        all.take_while(move |one| one.at < moment).filter(move |one| one.version > version)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::default().plus(Duration::from_millis(ms))
    }

    fn promise(ms: u64, version: u64) -> Promise {
        let by = Process { worker: 0, life: 0 };
        Promise {
            at: at(ms),
            done: (at(ms), at(ms)),
            version,
            how: How::Key,
            held: Held::Shared,
            by,
        }
    }

    #[test]
    fn the_newest_promise_counts_in_whatever_order_they_are_told() {
        let mut promises = Promises::default();
        for (ms, version) in [(30, 4), (10, 3), (20, 2)] {
            promises.add(promise(ms, version));
        }
        let newest: Vec<u64> =
            [10, 11, 21, 30, 31].map(|ms| promises.newest_before(at(ms))).to_vec();
        assert_eq!(newest, [0, 3, 3, 3, 4], "a promise counts after its moment");
        let broken = promises.broken(2, at(40)).map(|promise| promise.version);
        assert_eq!(broken.collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn what_is_forgotten_still_adds_up() {
        let mut promises = Promises::default();
        promises.add(promise(0, 1_000_000));
        for ms in 1..=2 * KEPT as u64 {
            promises.add(promise(ms, ms));
        }
        assert!(promises.0.len() <= 2 * KEPT);
        assert_eq!(promises.newest_before(Moment::NEVER), 1_000_000);
    }
}
