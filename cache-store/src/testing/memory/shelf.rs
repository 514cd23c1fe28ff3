use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::Life;

/// When something stops to exist; `None` for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// The deadline of something that lives this long from now. A time beyond the clock's range is no deadline.
    pub(super) fn after(life: Life, now: Instant) -> Self {
        Self(match life {
            Life::Forever => None,
            Life::For(time) => now.checked_add(whole_milliseconds(time)),
        })
    }

    /// Whether it has passed.
    pub(super) fn passed(self, now: Instant) -> bool {
        self.0.is_some_and(|at| at <= now)
    }

    /// The life that is left.
    pub(super) fn remaining(self, now: Instant) -> Life {
        self.0.map_or(Life::Forever, |at| Life::For(at.duration_since(now)))
    }

    /// Whether it comes before another one.
    pub(super) fn before(self, other: Self) -> bool {
        match (self.0, other.0) {
            (Some(mine), Some(theirs)) => mine < theirs,
            (mine, None) => mine.is_some(),
            (None, Some(_)) => false,
        }
    }

    /// The instant, if there is one.
    pub(super) fn instant(self) -> Option<Instant> {
        self.0
    }
}

/// Rounds up, and never to nothing: a life of no time at all still ends.
fn whole_milliseconds(time: Duration) -> Duration {
    let up = u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    Duration::from_millis(up.max(1))
}

/// Things by name, each with a deadline past which it cannot be seen.
#[derive(Clone, Debug)]
pub(super) struct Shelf<T>(HashMap<String, (T, Deadline)>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Shelf<T> {
    /// What lives under this name.
    pub(super) fn get(&self, name: &str, now: Instant) -> Option<&T> {
        self.entry(name, now).map(|(it, _)| it)
    }

    /// What lives under this name, and until when.
    pub(super) fn entry(&self, name: &str, now: Instant) -> Option<(&T, Deadline)> {
        let (it, until) = self.0.get(name)?;
        (!until.passed(now)).then_some((it, *until))
    }

    /// Puts it under this name in place of whatever was there, deadline included.
    pub(super) fn put(&mut self, name: &str, it: T, until: Deadline) {
        self.0.insert(name.to_owned(), (it, until));
    }

    /// Moves the deadline of what lives under this name.
    pub(super) fn keep_until(&mut self, name: &str, until: Deadline) {
        if let Some(entry) = self.0.get_mut(name) {
            entry.1 = until;
        }
    }

    /// Takes away whatever is under this name.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_life_is_rounded_up_to_whole_milliseconds() {
        let now = Instant::now();
        let left = |time| Deadline::after(Life::For(time), now).remaining(now);
        assert_eq!(left(Duration::ZERO), Life::For(Duration::from_millis(1)));
        assert_eq!(left(Duration::from_nanos(1)), Life::For(Duration::from_millis(1)));
        assert_eq!(left(Duration::from_micros(1_001)), Life::For(Duration::from_millis(2)));
        assert_eq!(left(Duration::from_millis(2)), Life::For(Duration::from_millis(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_thing_is_gone_at_its_deadline_not_a_millisecond_later() {
        let mut shelf = Shelf::default();
        let start = Instant::now();
        shelf.put("a", 1, Deadline::after(Life::For(Duration::from_millis(5)), start));
        assert_eq!(shelf.get("a", start + Duration::from_micros(4_999)), Some(&1));
        assert_eq!(shelf.get("a", start + Duration::from_millis(5)), None);
    }
}
