//! Stale values instead of errors.

use larder::{Event, cache_aside};

use super::*;

#[cache_aside(key = "error:{id}", ttl = "1m", tags = ["t"], stale(on_error = "1h"), skip(source))]
async fn covered(source: &Source, id: u64) -> Result<u64, Failed> {
    let _ = id;
    source.load().await
}

#[cache_aside(key = "last:{id}", ttl = "1m", tags = ["t"], stale(on_error = "1h", even_invalidated), skip(source))]
async fn covered_by_anything(source: &Source, id: u64) -> Result<u64, Failed> {
    let _ = id;
    source.load().await
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_is_covered_for_by_what_was_loaded_before() {
    in_both(|cache| async move {
        let mut events = cache.events();
        let source = Source::with(1);
        covered(&source, 7).await.unwrap();
        source.fail(true);
        sleep(SECOND * 61).await;
        assert_eq!(covered(&source, 7).await, Ok(1));
        assert_eq!((source.runs(), cache.stats().stale_served), (2, 1));
        while !matches!(events.next().await, Some(Event::StaleServed { key }) if &*key == "error:7")
        {
        }
        assert_eq!(covered(&source, 8).await, Err(Failed::Source), "there is nothing else");
        sleep(SECOND * 3600 - SECOND - MOMENT).await;
        assert_eq!(covered(&source, 7).await, Ok(1));
        sleep(MOMENT).await;
        assert_eq!(covered(&source, 7).await, Err(Failed::Source), "too old");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_succeeds_is_what_counts() {
    in_both(|cache| async move {
        let source = Source::with(1);
        covered(&source, 7).await.unwrap();
        source.change(2);
        sleep(SECOND * 61).await;
        assert_eq!(covered(&source, 7).await, Ok(2));
        assert_eq!(cache.stats().stale_served, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn those_who_waited_for_the_body_that_failed_are_covered_too() {
    in_both(|_| async {
        let source = Source::with(1);
        covered(&source, 7).await.unwrap();
        source.fail(true);
        source.take(SECOND);
        sleep(SECOND * 61).await;
        let calls = (0..100).map(|_| {
            let source = source.clone();
            larder::spawn(async move { covered(&source, 7).await })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap(), Ok(1));
        }
        assert_eq!(source.runs(), 2);
    })
    .await;
}

/// Reads the same entries, and returns every error.
#[cache_aside(key = "error:{id}", ttl = "1m", tags = ["t"], skip(source))]
async fn strict(source: &Source, id: u64) -> Result<u64, Failed> {
    let _ = id;
    source.load().await
}

#[tokio::test(start_paused = true)]
async fn a_reader_without_such_a_policy_is_covered_for_by_nobody() {
    in_both(|_| async {
        let source = Source::with(1);
        covered(&source, 7).await.unwrap();
        source.fail(true);
        source.take(SECOND);
        sleep(SECOND * 61).await;
        let (one, other) = tokio::join!(covered(&source, 7), strict(&source, 7));
        assert_eq!((one, other), (Ok(1), Err(Failed::Source)));
    })
    .await;
}

async fn invalidate(cache: &Cache, what: usize, key: &str) {
    match what {
        0 => cache.invalidate(key).await.unwrap(),
        1 => cache.invalidate_tags(["t"]).await.unwrap(),
        2 => cache.invalidate_pattern("*:7").await.unwrap(),
        _ => cache.clear().await.unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_invalidated_covers_for_nothing() {
    for what in 0..4 {
        for stale in [false, true] {
            in_both(|cache| async move {
                let source = Source::with(1);
                covered(&source, 7).await.unwrap();
                source.fail(true);
                sleep(if stale { SECOND * 61 } else { SECOND }).await;
                invalidate(&cache, what, "error:7").await;
                assert_eq!(covered(&source, 7).await, Err(Failed::Source), "{what}, {stale}");
                assert_eq!(cache.stats().stale_served, 0);
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_invalidated_while_the_body_runs_covers_for_nothing() {
    for what in 0..4 {
        in_both(|cache| async move {
            let source = Source::with(1);
            covered(&source, 7).await.unwrap();
            source.fail(true);
            source.take(SECOND);
            sleep(SECOND * 61).await;
            let invalidated = async {
                sleep(SECOND / 2).await;
                invalidate(&cache, what, "error:7").await;
            };
            let (answer, ()) = tokio::join!(covered(&source, 7), invalidated);
            assert_eq!(answer, Err(Failed::Source), "{what}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_invalidated_covers_only_where_the_function_says_so() {
    for what in 0..4 {
        in_both(|cache| async move {
            let source = Source::with(1);
            covered_by_anything(&source, 7).await.unwrap();
            source.fail(true);
            invalidate(&cache, what, "last:7").await;
            assert_eq!(covered_by_anything(&source, 7).await, Ok(1), "{what}");
            source.fail(false);
            source.change(2);
            assert_eq!(covered_by_anything(&source, 7).await, Ok(2), "only when the body fails");
            source.fail(true);
            sleep(SECOND * 3700).await;
            assert_eq!(covered_by_anything(&source, 7).await, Err(Failed::Source), "too old");
        })
        .await;
    }
}
