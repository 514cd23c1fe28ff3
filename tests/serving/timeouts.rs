//! Bodies that are given up, and bodies that are left behind.

use larder::{ErrorKind, cache_aside, write_through};

use super::*;

#[cache_aside(key = "timed:{id}", ttl = "1m", timeout = "2s", skip(source))]
async fn timed(source: &Source, id: u64) -> Result<u64, Failed> {
    let _ = id;
    source.load().await
}

#[cache_aside(key = "timed:{id}", ttl = "1m", stale(on_error = "1h"), timeout = "2s", skip(source))]
async fn timed_and_covered(source: &Source, id: u64) -> Result<u64, Failed> {
    let _ = id;
    source.load().await
}

#[cache_aside(
    key = "soft:{id}",
    ttl = "1m",
    tags = ["softly"],
    stale(on_error = "1h"),
    soft_timeout = "100ms",
    skip(source)
)]
async fn soft(source: &Source, id: u64) -> Result<u64, Failed> {
    let _ = id;
    source.load().await
}

#[write_through(entry = timed(id), invalidate_tags = ["list"], timeout = "2s")]
async fn write(source: &Source, id: u64) -> Result<u64, Failed> {
    let _ = id;
    source.load().await
}

const TIMED_OUT: Failed = Failed::Cache(ErrorKind::TimedOut);

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_too_long_is_given_up() {
    in_both(|cache| async move {
        let source = Source::with(1);
        source.take(SECOND * 2 + MOMENT);
        let before = tokio::time::Instant::now();
        let calls = (0..100).map(|_| {
            let source = source.clone();
            larder::spawn(async move { timed(&source, 7).await })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap(), Err(TIMED_OUT));
        }
        assert!(before.elapsed() < SECOND * 2 + MOMENT * 2, "{:?}", before.elapsed());
        assert_eq!((source.runs(), source.ended(), cache.stats().fills), (1, 0, 0));
        source.take(SECOND * 2 - MOMENT);
        assert_eq!(timed(&source, 7).await, Ok(1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_given_up_is_covered_for() {
    in_both(|cache| async move {
        let source = Source::with(1);
        timed_and_covered(&source, 7).await.unwrap();
        source.take(SECOND * 3);
        sleep(SECOND * 61).await;
        assert_eq!(timed_and_covered(&source, 7).await, Ok(1));
        assert_eq!(timed_and_covered(&source, 8).await, Err(TIMED_OUT));
        assert_eq!(cache.stats().stale_served, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_given_up_may_have_written() {
    in_both(|cache| async move {
        let source = Source::with(1);
        timed(&source, 7).await.unwrap();
        cache.set("a list", &1_u8).tags(["list"]).await.unwrap();
        source.change(2);
        source.take(SECOND * 3);
        assert_eq!(write(&source, 7).await, Err(TIMED_OUT));
        source.take(Duration::ZERO);
        assert_eq!(timed(&source, 7).await, Ok(2));
        assert_eq!(cache.get::<u8>("a list").await.unwrap(), None);
        source.change(3);
        assert_eq!(write(&source, 7).await, Ok(3));
        assert_eq!((timed(&source, 7).await, source.ended()), (Ok(3), 3));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_others_longer_than_a_body_may_take() {
    let cache = builder().flight_wait(SECOND * 60).build().await.unwrap();
    larder::scoped(cache, async {
        let source = Source::with(1);
        source.take(SECOND);
        // A leader that is alive, and not polled.
        let mut stuck = Box::pin(timed(&source, 7));
        assert!(futures_poll(&mut stuck).await.is_none());
        let before = tokio::time::Instant::now();
        assert_eq!(timed(&source, 7).await, Ok(1));
        assert_eq!(before.elapsed().as_secs(), 3, "2 s of waiting, and its own body");
    })
    .await;
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_late_goes_on_while_what_was_there_is_given() {
    in_both(|cache| async move {
        let source = Source::with(1);
        source.take(SECOND);
        let before = tokio::time::Instant::now();
        assert_eq!(soft(&source, 7).await, Ok(1), "there was nothing: it is waited for");
        assert!(before.elapsed() >= SECOND);
        source.change(2);
        sleep(SECOND * 61).await;
        let before = tokio::time::Instant::now();
        let calls = (0..100).map(|_| {
            let source = source.clone();
            larder::spawn(async move { soft(&source, 7).await })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap(), Ok(1));
        }
        assert!(before.elapsed() < MOMENT * 110, "{:?}", before.elapsed());
        assert_eq!((source.runs(), source.ended()), (2, 1));
        assert!(cache.stats().stale_served >= 1);
        sleep(SECOND).await;
        assert_eq!((soft(&source, 7).await, source.runs()), (Ok(2), 2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_late_body_without_room_in_the_background_is_waited_for() {
    let cache = builder().background_limit(0).build().await.unwrap();
    larder::scoped(cache.clone(), async {
        let source = Source::with(1);
        soft(&source, 7).await.unwrap();
        source.change(2);
        source.take(SECOND);
        sleep(SECOND * 61).await;
        assert_eq!(soft(&source, 7).await, Ok(2));
        assert_eq!(cache.stats().refreshes_limited, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_while_a_late_body_runs_is_not_undone_by_it() {
    in_both(|cache| async move {
        for id in [7, 8] {
            let source = Source::with(1);
            soft(&source, id).await.unwrap();
            source.take(SECOND);
            sleep(SECOND * 61).await;
            assert_eq!(soft(&source, id).await, Ok(1));
            source.change(2);
            match id {
                7 => soft_entry(id).invalidate().await.unwrap(),
                _ => cache.invalidate_tags(["softly"]).await.unwrap(),
            }
            sleep(SECOND * 2).await;
            assert_eq!(soft(&source, id).await, Ok(2));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_quick_body_stays_with_its_caller() {
    in_both(|cache| async move {
        let source = Source::with(1);
        soft(&source, 7).await.unwrap();
        source.change(2);
        source.take(MOMENT * 50);
        sleep(SECOND * 61).await;
        assert_eq!((soft(&source, 7).await, cache.stats().stale_served), (Ok(2), 0));
    })
    .await;
}
