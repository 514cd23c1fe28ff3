//! A shared tier that cannot be asked.

use cache_core::{Event, WhenAway};
use cache_store::testing::{Fault, Operation};
use tokio::time::Instant;

use super::*;

#[tokio::test(start_paused = true)]
async fn when_the_shared_tier_is_away_calls_are_allowed_or_refused_as_was_said() {
    let (cache, chaos) = failing().await;
    for strategy in STRATEGIES {
        for kind in [
            ErrorKind::Unavailable,
            ErrorKind::Timeout,
            ErrorKind::Refused,
            ErrorKind::Overloaded,
            ErrorKind::Unauthorized,
            ErrorKind::Protocol,
        ] {
            chaos.down(kind);
            let open = strategy(five(&cache)).await.unwrap();
            assert_eq!((open.allowed, open.asked, open.limit), (true, false, 5), "{kind:?}");
            let open = strategy(five(&cache)).when_away(WhenAway::Open).await.unwrap();
            assert!(open.allowed && !open.asked, "{kind:?}");
            let closed = strategy(five(&cache)).when_away(WhenAway::Closed).await.unwrap();
            assert_eq!((closed.allowed, closed.asked), (false, false), "{kind:?}");
            assert_eq!((closed.remaining, closed.retry_after), (0, None));
            chaos.up();
        }
        // Nothing of that was counted.
        let verdict = strategy(five(&cache)).when_away(WhenAway::Closed).await.unwrap();
        assert_eq!((verdict.allowed, verdict.asked, verdict.remaining), (true, true, 4));
    }
    let stats = cache.stats();
    assert_eq!((stats.limits_unasked, stats.limits_refused), (54, 18));
    assert_eq!((stats.shared_timeouts, stats.shared_overloads), (9, 9));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_once_and_so_is_its_end() {
    let (cache, chaos) = failing().await;
    let mut events = cache.events();
    chaos.down(ErrorKind::Unavailable);
    for _ in 0..3 {
        five(&cache).await.unwrap();
    }
    chaos.up();
    for _ in 0..3 {
        five(&cache).await.unwrap();
    }
    let told: Vec<Event> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(matches!(told[..], [Event::SharedDown { .. }, Event::SharedUp]), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_shared_tier_delays_a_call_by_one_deadline() {
    let (cache, chaos) = failing().await;
    let deadline = SECOND / 5;
    chaos.inject(Fault::drop_request(deadline).on(Operation::CheckLimit));
    for (when_away, allowed) in [(WhenAway::Open, true), (WhenAway::Closed, false)] {
        let since = Instant::now();
        let verdict = five(&cache).when_away(when_away).await.unwrap();
        assert_eq!((verdict.allowed, verdict.asked), (allowed, false));
        assert_eq!(since.elapsed(), deadline);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_although_the_answer_was_lost_stays_counted() {
    let (cache, chaos) = failing().await;
    chaos.inject(Fault::lose_reply(ErrorKind::Timeout).on(Operation::CheckLimit).times(1));
    assert!(!five(&cache).await.unwrap().asked);
    assert_eq!(five(&cache).await.unwrap().remaining, 3);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_is_dropped_counts_once_or_not_at_all() {
    for took_effect in [false, true] {
        let (cache, chaos) = failing().await;
        let gate = match took_effect {
            false => chaos.hold(Operation::CheckLimit),
            true => chaos.hold_reply(Operation::CheckLimit),
        };
        let asking = tokio::spawn(five(&cache).into_future());
        gate.arrived(1).await;
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        gate.open();
        drop(gate);
        let left = five(&cache).await.unwrap().remaining;
        assert_eq!(left, if took_effect { 3 } else { 4 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_shared_tier_without_limits_is_an_error_whatever_was_said() {
    let (cache, chaos) = failing().await;
    chaos.inject(Fault::fail(ErrorKind::Unsupported).on(Operation::CheckLimit));
    for when_away in [WhenAway::Open, WhenAway::Closed] {
        let error = five(&cache).when_away(when_away).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
