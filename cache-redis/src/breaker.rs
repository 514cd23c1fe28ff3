//! Failing at once for the part of a cluster that does not answer, without a word against the rest.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A node owns ranges of slots, so neighbours share their fate; this many ranges are told apart.
const SEGMENTS: usize = 64;
/// How many hash slots a cluster has.
pub(crate) const SLOTS: usize = 16_384;
/// After this many failures without an answer in between, nobody but a trial is let through to a segment.
const DEAD_AFTER: u32 = 1;
/// Fewer failures than this may have come long after each other, from the only requests there were.
const SILENT_AFTER: u32 = 3;
/// How soon after a failure one request may try the segment: a single one may be a passing trouble.
const RETRIAL: Duration = Duration::from_millis(50);
/// The same for a segment that fails again and again.
const TRIAL: Duration = Duration::from_millis(500);
/// After this long without an answer it may be the line that is dead, and not the node. A node that only pauses, or that a
/// replica takes the place of, is mostly back before.
const SILENCE: Duration = Duration::from_secs(2);

/// One breaker for each segment of a cluster's slots.
pub(crate) struct Breaker {
    start: Instant,
    /// How long a trial may last.
    deadline: Duration,
    segments: [Segment; SEGMENTS],
}

#[derive(Default)]
struct Segment {
    failures: AtomicU32,
    /// When the first of these failures was, in milliseconds since the start.
    silent_from: AtomicU64,
    /// When the next trial is due, in milliseconds since the start.
    trial_at: AtomicU64,
}

impl Breaker {
    /// All segments are alive. A request lasts no longer than `deadline`.
    pub(crate) fn new(deadline: Duration) -> Self {
        let segments = std::array::from_fn(|_| Segment::default());
        Self { start: Instant::now(), deadline, segments }
    }

    /// Whether a request for this key's slot may be sent.
    pub(crate) fn admits(&self, key: &str) -> bool {
        let segment = self.segment(key);
        if segment.failures.load(Ordering::Relaxed) < DEAD_AFTER {
            return true;
        }
        let (now, due) = (self.now(), segment.trial_at.load(Ordering::Relaxed));
        // Unless it is answered, or fails, before.
        let next = now + millis(self.deadline.max(TRIAL));
        // Of those who come at the same time one tries.
        now >= due
            && segment
                .trial_at
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// The segment answered.
    pub(crate) fn answered(&self, key: &str) {
        let segment = self.segment(key);
        if segment.failures.load(Ordering::Relaxed) != 0 {
            segment.failures.store(0, Ordering::Relaxed);
        }
    }

    /// The segment did not; whether it has been [silent](Self::is_silent) for long.
    pub(crate) fn failed(&self, key: &str) -> bool {
        let (segment, now) = (self.segment(key), self.now());
        // Before it counts as dead, or somebody tries it with the time of an earlier death; and after each trial anew.
        let before = segment.failures.load(Ordering::Relaxed);
        let pause = if before.saturating_add(1) < SILENT_AFTER { RETRIAL } else { TRIAL };
        segment.trial_at.store(now + millis(pause), Ordering::Relaxed);
        if before == 0 {
            segment.silent_from.store(now, Ordering::Relaxed);
        }
        segment.failures.fetch_add(1, Ordering::Relaxed);
        segment.is_silent(now)
    }

    /// Whether a segment has not answered for so long that its line may be the reason.
    pub(crate) fn is_silent(&self) -> bool {
        let now = self.now();
        self.segments.iter().any(|segment| segment.is_silent(now))
    }

    /// The number of the key's segment: what fails in it fails together.
    pub(crate) fn number(key: &str) -> usize {
        usize::from(slot(key)) / (SLOTS / SEGMENTS)
    }

    fn segment(&self, key: &str) -> &Segment {
        &self.segments[Self::number(key)]
    }

    fn now(&self) -> u64 {
        millis(self.start.elapsed())
    }
}

impl Segment {
    fn is_silent(&self, now: u64) -> bool {
        self.failures.load(Ordering::Relaxed) >= SILENT_AFTER
            && now.saturating_sub(self.silent_from.load(Ordering::Relaxed)) >= millis(SILENCE)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A key's hash slot: CRC16 (XMODEM) of its hash tag
/// (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>).
pub(crate) fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let tag = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    let crc = tag.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    crc % 16_384
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster() {
        // From CLUSTER KEYSLOT.
        assert_eq!(slot("123456789"), 12_739);
        assert_eq!(slot("foo"), 12_182);
        assert_eq!(slot("v:{foo}bar"), 12_182);
        assert_eq!(slot("{}foo"), slot("{}foo"));
        assert_ne!(slot("{}foo"), slot("foo"));
    }

    #[test]
    fn a_dead_segment_is_tried_by_one_at_a_time_and_the_others_are_not_concerned() {
        let breaker = Breaker::new(TRIAL);
        for _ in 0..DEAD_AFTER {
            assert!(breaker.admits("foo"));
            breaker.failed("foo");
        }
        assert!(!breaker.admits("foo"));
        assert!(breaker.admits("bar"));
        breaker.segment("foo").trial_at.store(0, Ordering::Relaxed);
        assert!(breaker.admits("foo"));
        assert!(!breaker.admits("foo"));
        breaker.answered("foo");
        assert!(breaker.admits("foo") && breaker.admits("foo"));
    }

    #[test]
    fn between_two_trials_there_is_a_pause_however_long_they_last() {
        let mut breaker = Breaker::new(4 * TRIAL);
        breaker.failed("foo");
        breaker.start -= TRIAL;
        assert!(breaker.admits("foo"), "it is time for one");
        breaker.start -= 2 * TRIAL;
        assert!(!breaker.admits("foo"), "it is still under way");
        breaker.failed("foo");
        assert!(!breaker.admits("foo"), "nobody waits right after it");
        breaker.start -= TRIAL;
        assert!(breaker.admits("foo"));
    }

    #[test]
    fn a_segment_is_silent_when_it_was_dead_for_a_time_and_not_before() {
        let mut breaker = Breaker::new(TRIAL);
        for _ in 0..10 * SILENT_AFTER {
            assert!(!breaker.failed("foo"), "many at once are one event");
        }
        breaker.start -= SILENCE;
        assert!(breaker.is_silent());
        assert!(!breaker.failed("bar"), "the others are not concerned");
        assert!(breaker.failed("foo"));
        breaker.answered("foo");
        assert!(!breaker.is_silent());
        for _ in 0..SILENT_AFTER {
            assert!(!breaker.failed("foo"), "an old silence does not count");
        }
    }

    #[test]
    fn an_answer_ends_what_a_failure_began() {
        let breaker = Breaker::new(TRIAL);
        for _ in 0..10 {
            breaker.failed("foo");
            assert!(!breaker.admits("foo"));
            breaker.answered("foo");
            assert!(breaker.admits("foo"));
        }
    }
}
