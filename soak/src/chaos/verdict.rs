//! What was felt during one fault, and whether that is what was promised.

use std::time::Duration;

use crate::{
    limits::DEADLINE,
    wire::{Call, End, Way},
};

/// What a call may be delayed by beside one wait for Redis, on a machine that does other things as well: the two processors'
/// turns, and the body of another caller whose value this one waited for. On top of that is allowed what the worker's pacemaker
/// saw of the machine during that very call, and what all but one in a hundred calls did not exceed on sound servers: the
/// answers that came before the one that did not.
pub(crate) const ALLOWANCE: Duration = Duration::from_millis(100);
/// Hits in memory may be this many times as slow, in the median, as before the fault.
pub(crate) const HIT_RATIO: f64 = 1.2;
/// Fewer calls than this in a phase have measured nothing.
const ENOUGH: usize = 100;

/// Calls of one phase.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    pub(crate) calls: usize,
    pub(crate) failed: usize,
    pub(crate) refused: usize,
    /// What was added to each body, in order.
    added: Vec<Duration>,
    /// Calls that were delayed for long: what was called, by how much, and by how much more than one wait.
    long: Vec<(Way, Duration, Duration)>,
    /// Hits in memory, and what each was compared with.
    hits: Vec<Duration>,
    yardsticks: Vec<Duration>,
}

impl Phase {
    pub(crate) fn of<'a>(calls: impl Iterator<Item = &'a Call>) -> Self {
        let mut phase = Self::default();
        for call in calls {
            phase.add(call);
        }
        phase.added.sort_unstable();
        phase.hits.sort_unstable();
        phase.yardsticks.sort_unstable();
        phase
    }

    fn add(&mut self, call: &Call) {
        self.calls += 1;
        self.failed += usize::from(call.end == End::Failed);
        self.refused += usize::from(call.end == End::Refused);
        let added = call.took.saturating_sub(call.body);
        self.added.push(added);
        let excess = added.saturating_sub(DEADLINE + ALLOWANCE + call.late);
        if !excess.is_zero() {
            self.long.push((call.way, added, excess));
        }
        if let Some(yardstick) = call.yardstick {
            self.hits.push(call.took);
            self.yardsticks.push(yardstick);
        }
    }

    /// The time that this share of the calls did not exceed.
    pub(crate) fn added(&self, share: f64) -> Duration {
        quantile(&self.added, share)
    }

    pub(crate) fn hits(&self) -> usize {
        self.hits.len()
    }

    /// The median hit in memory.
    pub(crate) fn hit(&self) -> Duration {
        quantile(&self.hits, 0.5)
    }
}

/// Everything about one fault.
#[derive(Debug)]
pub(crate) struct Felt {
    pub(crate) name: String,
    pub(crate) healthy: Phase,
    pub(crate) during: Phase,
    /// From the end of the fault until all caches were well again.
    pub(crate) recovery: Option<Duration>,
    /// Calls of all workers that failed, and reads that broke a promise.
    pub(crate) failed: u64,
    pub(crate) stale: u64,
    /// How often Sentinel replaced the master though nobody asked it to.
    pub(crate) unasked: u64,
    /// Reads that are counted apart, because only a documented limit excuses them.
    pub(crate) apart: u64,
    /// Whether hits in memory are judged: a fault that empties memory all the time leaves few, and cold ones.
    pub(crate) judges_hits: bool,
}

impl Felt {
    /// How much slower than before the median hit in memory was: as it was measured, and with what the machine became
    /// slower taken out. On a busy machine either may be off, so that only both together are believed.
    pub(crate) fn hit_ratios(&self) -> (f64, f64) {
        let raw = ratio(&self.during.hits, &self.healthy.hits);
        (raw, raw / ratio(&self.during.yardsticks, &self.healthy.yardsticks))
    }

    /// What is wrong with it.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.failed > 0 {
            wrong.push(format!("{} calls failed", self.failed));
        }
        if self.stale > 0 {
            wrong.push(format!("{} reads broke a promise", self.stale));
        }
        let usual = self.healthy.added(0.99);
        let too_long = self.during.long.iter().filter(|(.., excess)| *excess > usual);
        if let Some((way, added, excess)) = too_long.clone().max_by_key(|(.., excess)| excess) {
            wrong.push(format!(
                "{} calls were delayed for too long, one ({way:?}) by {added:?}, {:?} more than is allowed",
                too_long.count(),
                excess.saturating_sub(usual),
            ));
        }
        if self.healthy.calls < ENOUGH || self.during.calls < ENOUGH {
            wrong.push("too few calls were measured".to_owned());
        }
        if self.recovery.is_none() {
            wrong.push("the caches did not recover".to_owned());
        }
        if self.judges_hits {
            self.judge_hits(&mut wrong);
        }
        wrong
    }

    /// Whether only times are wrong, which others who use the machine may be the reason for.
    pub(crate) fn is_late_only(&self) -> bool {
        let is_measured = self.healthy.calls >= ENOUGH && self.during.calls >= ENOUGH;
        let is_well = self.failed == 0 && self.stale == 0 && self.recovery.is_some();
        is_measured && is_well && !self.wrong().is_empty()
    }

    fn judge_hits(&self, wrong: &mut Vec<String>) {
        let (raw, relative) = self.hit_ratios();
        if self.healthy.hits() < ENOUGH || self.during.hits() < ENOUGH {
            wrong.push("too few hits in memory were measured".to_owned());
        } else if raw.min(relative) > HIT_RATIO {
            wrong.push(format!("hits in memory took {raw:.2} times as long ({relative:.2})"));
        }
    }
}

fn ratio(during: &[Duration], healthy: &[Duration]) -> f64 {
    let median = |all| quantile(all, 0.5).as_secs_f64();
    // A clock that did not move says nothing.
    median(during).max(1e-9) / median(healthy).max(1e-9)
}

/// The least value that this share of them does not exceed; they are in order.
fn quantile(ordered: &[Duration], share: f64) -> Duration {
    let rank = (ordered.len() as f64 * share).ceil() as usize;
    ordered.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::options::Options;
    use crate::clock::Moment;

    const MILLI: Duration = Duration::from_millis(1);

    fn call(took: Duration) -> Call {
        Call {
            way: Way::Strict,
            began: Moment::default(),
            took,
            body: Duration::ZERO,
            late: Duration::ZERO,
            yardstick: None,
            end: End::Well,
        }
    }

    fn hit(took: u64, yardstick: u64) -> Call {
        let yardstick = Some(Duration::from_nanos(yardstick));
        Call { way: Way::Relaxed, yardstick, ..call(Duration::from_nanos(took)) }
    }

    fn phase(calls: &[Call]) -> Phase {
        Phase::of(calls.iter())
    }

    fn felt(during: &[Call]) -> Felt {
        Felt {
            name: String::new(),
            healthy: phase(&vec![hit(1000, 500); ENOUGH]),
            during: phase(during),
            recovery: Some(MILLI),
            failed: 0,
            stale: 0,
            unasked: 0,
            apart: 0,
            judges_hits: false,
        }
    }

    /// Good calls and this one.
    fn with(one: Call) -> Felt {
        let mut calls = vec![call(MILLI); ENOUGH];
        calls.push(one);
        felt(&calls)
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let all: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(quantile(&all, 0.5), 50 * MILLI);
        assert_eq!(quantile(&all, 0.99), 99 * MILLI);
        assert_eq!(quantile(&all, 1.0), 100 * MILLI);
        assert_eq!(quantile(&all[..1], 0.99), MILLI);
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn what_is_as_promised_passes() {
        assert!(with(call(MILLI)).wrong().is_empty());
        assert!(with(Call { end: End::Refused, ..call(MILLI) }).wrong().is_empty());
    }

    #[test]
    fn a_call_that_failed_and_a_stale_read_are_wrong() {
        assert_eq!(phase(&[Call { end: End::Failed, ..call(MILLI) }, call(MILLI)]).failed, 1);
        assert_eq!(Felt { failed: 2, ..with(call(MILLI)) }.wrong(), ["2 calls failed"]);
        assert_eq!(Felt { stale: 1, ..with(call(MILLI)) }.wrong(), ["1 reads broke a promise"]);
    }

    #[test]
    fn a_call_may_take_its_body_one_deadline_the_allowance_and_what_the_machine_took() {
        let most = DEADLINE + ALLOWANCE;
        assert!(with(call(most)).wrong().is_empty());
        assert!(with(call(most + MILLI)).wrong()[0].contains("too long"));
        let long = call(most + 900 * MILLI);
        assert!(with(Call { body: 900 * MILLI, ..long.clone() }).wrong().is_empty());
        assert!(with(Call { late: 900 * MILLI, ..long.clone() }).wrong().is_empty());
        assert!(!with(Call { late: 898 * MILLI, ..long }).wrong().is_empty());
    }

    #[test]
    fn what_calls_take_on_sound_servers_is_allowed_but_not_the_slowest_of_them() {
        let on_sound_servers = |usual: Duration, slowest: Duration| {
            let mut calls = vec![call(usual); 2 * ENOUGH];
            calls.push(call(slowest));
            let healthy = phase(&calls);
            Felt { healthy, ..with(call(DEADLINE + ALLOWANCE + 50 * MILLI)) }.wrong()
        };
        assert!(on_sound_servers(50 * MILLI, 50 * MILLI).is_empty());
        assert!(on_sound_servers(49 * MILLI, 900 * MILLI)[0].contains("1ms more"));
    }

    #[test]
    fn what_has_measured_nothing_or_did_not_recover_has_not_passed() {
        assert_eq!(felt(&[]).wrong(), ["too few calls were measured"]);
        let lost = Felt { recovery: None, ..with(call(MILLI)) };
        assert_eq!(lost.wrong(), ["the caches did not recover"]);
        let few_hits = Felt { judges_hits: true, ..with(call(MILLI)) };
        assert_eq!(few_hits.wrong(), ["too few hits in memory were measured"]);
    }

    #[test]
    fn only_times_are_measured_again() {
        assert!(!with(call(MILLI)).is_late_only(), "nothing is wrong");
        let late = || with(call(Duration::from_secs(1)));
        assert!(late().is_late_only());
        assert!(!Felt { failed: 1, ..late() }.is_late_only());
        assert!(!Felt { stale: 1, ..late() }.is_late_only());
        assert!(!Felt { recovery: None, ..late() }.is_late_only());
        assert!(!felt(&[]).is_late_only(), "nothing was measured");
    }

    #[test]
    fn the_short_form_forgives_times_and_nothing_else() {
        let options = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            Options::parse(&words).unwrap()
        };
        let late = with(call(Duration::from_secs(1)));
        assert!(options(&["--short"]).forgives(&late));
        assert!(!options(&[]).forgives(&late));
        assert!(!options(&["--short"]).forgives(&Felt { failed: 1, ..late }));
    }

    #[test]
    fn slower_hits_are_wrong_unless_the_machine_was_slower_as_well() {
        let of = |took, yardstick| {
            let felt = felt(&vec![hit(took, yardstick); ENOUGH]);
            Felt { judges_hits: true, ..felt }.wrong()
        };
        assert!(of(1200, 500).is_empty());
        assert!(of(1300, 500)[0].contains("1.30 times"));
        assert!(of(1300, 650).is_empty(), "everything was slower");
        assert!(of(1000, 300).is_empty(), "the yardstick was faster, and the hits were not slower");
    }
}
