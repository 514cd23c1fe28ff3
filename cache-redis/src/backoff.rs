//! Waiting longer each time, and never in step with the others.

use std::time::Duration;

/// Jittered exponential waits between `first` and `most`.
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts at `first` and doubles up to `most`.
    pub(crate) const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// The next wait: between half of the current step and all of it.
    pub(crate) fn step(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.most);
        step.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
    }

    /// Back to the first step.
    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_start_again_after_a_reset() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(10), ms(35));
        for step in [ms(10), ms(20), ms(35), ms(35)] {
            let wait = backoff.step();
            assert!(wait >= step / 2 && wait <= step, "{wait:?} for {step:?}");
        }
        backoff.reset();
        assert!(backoff.step() <= ms(10));
    }
}
