//! The form in memory against one that remembers everything and looks at all of it each time.

use cache_core::Verdict;
use proptest::prelude::*;

use super::*;

const PER: Duration = Duration::from_millis(1_000);

/// A call after a pause: for how much, and with which limit of those that the test knows.
#[derive(Clone, Copy, Debug)]
struct Call {
    pause: Duration,
    cost: u64,
    limit: u64,
}

fn calls(limits: impl Strategy<Value = u64> + Clone + 'static) -> impl Strategy<Value = Vec<Call>> {
    let pause = prop_oneof![
        3 => Just(0),
        5 => 1..120_000_000_u64,
        1 => (0..12_u64).prop_map(|tenths| tenths * 100_000_000),
        1 => 900_000_000..1_100_000_000_u64,
    ];
    let call = (pause, 1..=4_u64, limits).prop_map(|(nanos, cost, limit)| Call {
        pause: Duration::from_nanos(nanos),
        cost: cost.min(limit),
        limit,
    });
    proptest::collection::vec(call, 1..120)
}

/// What was allowed, and when.
type Log = Vec<(Duration, u64)>;

/// Asks for all of them, in turn, beside what was allowed before; adds it to that.
fn run(
    calls: &[Call],
    strategy: impl Fn(Check, Call) -> Check,
    mut judge: impl FnMut(Duration, Call, &Log, Verdict) -> Result<(), TestCaseError>,
) -> Result<Log, TestCaseError> {
    let (clock, hand) = Clock::manual();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let cache = runtime.block_on(Cache::builder().clock(clock).build()).unwrap();
    let mut log = Log::new();
    for call in calls {
        hand.advance(call.pause);
        let check = cache.check("a").limit(call.limit).per(PER).cost(call.cost);
        let verdict = strategy(check, *call).blocking().unwrap();
        judge(hand.elapsed(), *call, &log, verdict)?;
        if verdict.allowed {
            log.push((hand.elapsed(), call.cost));
        }
    }
    Ok(log)
}

fn sum<'a>(calls: impl Iterator<Item = &'a (Duration, u64)>) -> u64 {
    calls.map(|(_, cost)| cost).sum()
}

/// The calls in the window that ends now.
fn in_window(log: &Log, now: Duration) -> u64 {
    sum(log.iter().filter(|(at, _)| *at + PER > now))
}

proptest! {
    #[test]
    fn a_sliding_window_allows_what_a_look_at_all_calls_allows(
        calls in calls(prop_oneof![Just(5_u64), Just(8), Just(20)])
    ) {
        let log = run(&calls, |check, _| check.sliding_window(), |now, call, log, verdict| {
            let used = in_window(log, now);
            let allowed = used + call.cost <= call.limit;
            prop_assert_eq!(verdict.allowed, allowed);
            let used = if allowed { used + call.cost } else { used };
            prop_assert_eq!(verdict.remaining, call.limit.saturating_sub(used));
            // The first of the times at which something is forgotten that makes room.
            let fits = |at: &Duration| in_window(log, *at) + call.cost <= call.limit;
            let at = log.iter().map(|(at, _)| *at + PER).filter(|at| *at > now).find(fits);
            let wait = if allowed { None } else { at.map(|at| at - now) };
            prop_assert_eq!(verdict.retry_after, wait);
            let newest = if allowed { Some(now) } else { log.last().map(|(at, _)| *at) };
            let left = newest.map_or(Duration::ZERO, |at| (at + PER).saturating_sub(now));
            prop_assert_eq!(verdict.resets_after, left);
            Ok(())
        })?;
        // And said once more without the algorithm: no window holds more than the greatest limit.
        for (at, _) in &log {
            prop_assert!(sum(log.iter().filter(|(t, _)| t >= at && *t < *at + PER)) <= 20);
        }
    }

    #[test]
    fn a_sliding_window_of_many_calls_never_allows_more_and_remembers_hardly_longer(
        calls in calls(Just(1_001_u64))
    ) {
        // Each counts for so many that a few of them are all there is room for.
        let dear = |call: Call| call.cost * 150;
        let strategy = |check: Check, call: Call| check.cost(dear(call));
        run(&calls, strategy, |now, call, log, verdict| {
            let used_until = |longer: Duration| {
                150 * sum(log.iter().filter(|(at, _)| *at + PER + longer > now))
            };
            if verdict.allowed {
                prop_assert!(used_until(Duration::ZERO) + dear(call) <= 1_001);
            } else {
                prop_assert!(used_until(PER / 1_000) + dear(call) > 1_001);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_fixed_window_allows_what_a_look_at_its_calls_allows(
        calls in calls(prop_oneof![Just(5_u64), Just(8)])
    ) {
        let mut began = None;
        run(&calls, |check, _| check.fixed_window(), |now, call, log, verdict| {
            let window = match began {
                Some(began) if now < began + PER => began,
                _ => now,
            };
            began = Some(window);
            let used = sum(log.iter().filter(|(at, _)| *at >= window));
            let allowed = used + call.cost <= call.limit;
            prop_assert_eq!(verdict.allowed, allowed);
            let used = if allowed { used + call.cost } else { used };
            prop_assert_eq!(verdict.remaining, call.limit.saturating_sub(used));
            let left = window + PER - now;
            prop_assert_eq!(verdict.resets_after, left);
            prop_assert_eq!(verdict.retry_after, (!allowed).then_some(left));
            Ok(())
        })?;
    }

    #[test]
    fn a_bucket_allows_what_fits_beside_all_that_flowed_in_and_out(
        calls in calls(Just(7_u64)), burst in 4..12_u64
    ) {
        // A seventh of a second is no whole number of nanoseconds: rounded up.
        let interval = PER.as_nanos().div_ceil(7);
        let log = run(&calls, |check, _| check.token_bucket(burst), |now, call, log, verdict| {
            // Since whichever call one begins to count: it cannot have flowed out faster.
            let debt_since = |first: usize| {
                let since = now - log[first].0;
                (interval * u128::from(sum(log[first..].iter()))).saturating_sub(since.as_nanos())
            };
            let debt = (0..log.len()).map(debt_since).max().unwrap_or(0);
            let (room, more) = (interval * u128::from(burst), interval * u128::from(call.cost));
            prop_assert_eq!(verdict.allowed, debt + more <= room);
            let wait = verdict.retry_after.map(|wait| wait.as_nanos());
            prop_assert_eq!(wait, (!verdict.allowed).then(|| debt + more - room));
            let debt = if verdict.allowed { debt + more } else { debt };
            prop_assert_eq!(u128::from(verdict.remaining), (room - debt) / interval);
            prop_assert_eq!(verdict.resets_after.as_nanos(), debt);
            Ok(())
        })?;
        // And said once more without the algorithm, and without rounding.
        for (first, (began, _)) in log.iter().enumerate() {
            for (last, (at, _)) in log.iter().enumerate().skip(first) {
                let calls = u128::from(sum(log[first..=last].iter()));
                let flowed = (*at - *began).as_nanos() * 7;
                prop_assert!(calls * PER.as_nanos() <= u128::from(burst) * PER.as_nanos() + flowed);
            }
        }
    }
}
