//! Chance, from the seed.

use std::{ops::RangeInclusive, sync::Mutex, time::Duration};

use crate::lock;

/// The one source of everything that happens by chance in a simulation.
pub(crate) struct Random(Mutex<fastrand::Rng>);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// True so many times in a thousand.
    pub(crate) fn chance(&self, in_a_thousand: u32) -> bool {
        lock(&self.0).u32(..1000) < in_a_thousand
    }

    pub(crate) fn number(&self, range: RangeInclusive<u64>) -> u64 {
        lock(&self.0).u64(range)
    }

    pub(crate) fn below(&self, end: usize) -> usize {
        lock(&self.0).usize(..end)
    }

    pub(crate) fn millis(&self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.number(range))
    }

    pub(crate) fn pick<T: Copy>(&self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Each of these with the same chance, in their order; at least one.
    pub(crate) fn some<T: Copy>(&self, from: &[T], in_a_thousand: u32) -> Vec<T> {
        let mut some: Vec<T> =
            from.iter().copied().filter(|_| self.chance(in_a_thousand)).collect();
        if some.is_empty() {
            some.push(self.pick(from));
        }
        some
    }

    /// How long one way over the network takes: never no time at all, for nothing takes effect when it is asked for.
    pub(crate) fn leg(&self) -> Duration {
        match self.number(0..=19) {
            0 => self.millis(20..=110),
            1..=3 => self.millis(4..=30),
            _ => self.millis(1..=5),
        }
    }
}
