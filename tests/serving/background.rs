//! Renewals in the background.

use larder::{cache_aside, memoize, stampede_protect};
use tokio::sync::mpsc;

use super::*;

#[cache_aside(key = "stale:{id}", ttl = "1m", tags = ["t"], stale(while_revalidate = "30s"), skip(source))]
async fn stale(source: &Source, id: u64) -> Result<u64, Failed> {
    let _ = id;
    source.load().await
}

/// Reads the same entries, and serves nothing stale.
#[cache_aside(key = "stale:{id}", ttl = "1m", tags = ["t"], skip(source))]
async fn strict(source: &Source, id: u64) -> Result<u64, Failed> {
    let _ = id;
    source.load().await
}

#[cache_aside(key = "ahead:{id}", ttl = "100s", refresh_ahead = 0.8, skip(source))]
async fn ahead(source: &Source, id: u64) -> Result<u64, Failed> {
    let _ = id;
    source.load().await
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_of_a_stale_value_have_it_at_once_and_begin_one_renewal() {
    in_both(|cache| async move {
        let source = Source::with(1);
        assert_eq!(stale(&source, 7).await, Ok(1));
        source.change(2);
        source.take(SECOND * 5);
        sleep(SECOND * 61).await;
        let calls = (0..1_000).map(|_| {
            let source = source.clone();
            larder::spawn(async move { stale(&source, 7).await })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap(), Ok(1));
        }
        assert_eq!(source.ended(), 1, "nobody waited");
        // Past the pause after which another one might begin, while it runs.
        for _ in 0..4 {
            sleep(SECOND + MOMENT).await;
            assert_eq!(stale(&source, 7).await, Ok(1));
        }
        sleep(SECOND).await;
        assert_eq!((source.runs(), cache.stats().refreshes), (2, 1));
        assert_eq!(stale(&source, 7).await, Ok(2));
        assert_eq!((source.runs(), cache.stats().misses), (2, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn past_the_time_for_it_a_stale_value_is_a_miss() {
    in_both(|_| async {
        let source = Source::with(1);
        stale(&source, 7).await.unwrap();
        source.change(2);
        sleep(SECOND * 90).await;
        assert_eq!(stale(&source, 7).await, Ok(2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_without_such_a_policy_never_serves_what_another_one_keeps() {
    in_both(|_| async {
        let source = Source::with(1);
        stale(&source, 7).await.unwrap();
        assert_eq!(strict(&source, 7).await, Ok(1));
        assert_eq!(source.runs(), 1, "while it is fresh they share it");
        source.change(2);
        sleep(SECOND * 61).await;
        assert_eq!(larder::current().unwrap().get::<u64>("stale:7").await.unwrap(), None);
        assert_eq!(stale_entry(7).get().await.unwrap(), None);
        assert_eq!(strict(&source, 7).await, Ok(2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn past_its_share_of_the_life_a_value_is_renewed_while_it_is_served() {
    in_both(|cache| async move {
        let source = Source::with(1);
        ahead(&source, 7).await.unwrap();
        source.change(2);
        sleep(SECOND * 79).await;
        assert_eq!(ahead(&source, 7).await, Ok(1));
        sleep(MOMENT).await;
        assert_eq!(source.runs(), 1);
        sleep(SECOND * 2).await;
        assert_eq!(ahead(&source, 7).await, Ok(1));
        sleep(MOMENT).await;
        assert_eq!((source.runs(), cache.stats().refreshes), (2, 1));
        // It never was a miss, and the new one lives as long as the first.
        sleep(SECOND * 70).await;
        assert_eq!((ahead(&source, 7).await, source.runs()), (Ok(2), 2));
        assert_eq!(cache.stats().misses, 1);
    })
    .await;
}

#[cache_aside(key = "early:{id}", ttl = "100s", early_refresh = 1.0, skip(source))]
async fn early(source: &Source, id: u64) -> Result<u64, Failed> {
    let _ = id;
    source.load().await
}

#[tokio::test(start_paused = true)]
async fn near_its_end_a_value_that_takes_long_to_load_is_renewed_by_chance() {
    in_both(|cache| async move {
        let source = Source::with(1);
        source.take(SECOND);
        early(&source, 7).await.unwrap();
        for _ in 0..70 {
            early(&source, 7).await.unwrap();
        }
        sleep(SECOND * 70).await;
        early(&source, 7).await.unwrap();
        assert_eq!(cache.stats().refreshes, 0, "30 load times before its end");
        // Half a load time before its end it is drawn with probability 0.6, a hundred times over.
        sleep(SECOND * 29 + SECOND / 2).await;
        for _ in 0..100 {
            early(&source, 7).await.unwrap();
        }
        sleep(SECOND * 2).await;
        assert_eq!((cache.stats().refreshes, source.ended()), (1, 2));
        early(&source, 7).await.unwrap();
        assert_eq!(cache.stats().misses, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_during_a_renewal_is_not_undone_by_it() {
    for what in 0..4 {
        in_both(|cache| async move {
            let source = Source::with(1);
            stale(&source, 7).await.unwrap();
            source.take(SECOND);
            sleep(SECOND * 61).await;
            assert_eq!(stale(&source, 7).await, Ok(1));
            sleep(SECOND / 2).await;
            source.change(2);
            match what {
                0 => stale_entry(7).invalidate().await.unwrap(),
                1 => cache.invalidate_tags(["t"]).await.unwrap(),
                2 => cache.invalidate_pattern("stale:*").await.unwrap(),
                _ => cache.clear().await.unwrap(),
            }
            sleep(SECOND).await;
            assert_eq!(source.ended(), 2, "the renewal has ended, with what it read before");
            assert_eq!(stale(&source, 7).await, Ok(2), "{what}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_miss_that_comes_during_a_renewal_waits_for_it() {
    in_both(|_| async {
        let source = Source::with(1);
        stale(&source, 7).await.unwrap();
        source.change(2);
        source.take(SECOND * 3);
        sleep(SECOND * 89).await;
        assert_eq!(stale(&source, 7).await, Ok(1));
        // Past its last moment now.
        sleep(SECOND * 2).await;
        assert_eq!((stale(&source, 7).await, source.runs()), (Ok(2), 2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_leaves_what_is_there_and_is_tried_again_a_second_later() {
    in_both(|cache| async move {
        let source = Source::with(1);
        stale(&source, 7).await.unwrap();
        source.fail(true);
        sleep(SECOND * 61).await;
        for _ in 0..10 {
            assert_eq!(stale(&source, 7).await, Ok(1));
            sleep(MOMENT).await;
        }
        assert_eq!((source.runs(), cache.stats().refreshes), (2, 1));
        source.fail(false);
        source.change(2);
        sleep(SECOND).await;
        assert_eq!(stale(&source, 7).await, Ok(1));
        sleep(MOMENT).await;
        assert_eq!(stale(&source, 7).await, Ok(2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn over_the_limit_nothing_is_renewed_and_that_is_counted() {
    let cache = builder().background_limit(2).build().await.unwrap();
    larder::scoped(cache.clone(), async {
        let source = Source::with(1);
        for id in 0..5 {
            stale(&source, id).await.unwrap();
        }
        source.take(SECOND);
        sleep(SECOND * 61).await;
        for id in 0..5 {
            assert_eq!(stale(&source, id).await, Ok(1));
        }
        sleep(SECOND / 2).await;
        let stats = cache.stats();
        assert_eq!((source.runs(), stats.refreshes, stats.refreshes_limited), (7, 2, 3));
        // There is room again.
        sleep(SECOND).await;
        assert_eq!(stale(&source, 4).await, Ok(1));
        sleep(MOMENT).await;
        assert_eq!(source.runs(), 8);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_takes_no_renewal_along() {
    in_both(|_| async {
        let source = Source::with(1);
        stale(&source, 7).await.unwrap();
        source.change(2);
        source.take(SECOND);
        sleep(SECOND * 61).await;
        let caller = {
            let source = source.clone();
            larder::spawn(async move {
                stale(&source, 7).await.unwrap();
                std::future::pending::<()>().await;
            })
        };
        sleep(SECOND / 2).await;
        caller.abort();
        sleep(SECOND).await;
        assert_eq!((stale(&source, 7).await, source.runs()), (Ok(2), 2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_panics_is_one_that_failed() {
    #[cache_aside(key = "panics", ttl = "1m", stale(while_revalidate = "30s"), skip(source))]
    async fn panics(source: &Source) -> Result<u64, Failed> {
        let value = source.load().await?;
        assert!(value == 1, "it is another one");
        Ok(value)
    }
    let cache = builder().background_limit(1).build().await.unwrap();
    larder::scoped(cache, async {
        let source = Source::with(1);
        panics(&source).await.unwrap();
        source.change(2);
        sleep(SECOND * 61).await;
        for _ in 0..3 {
            assert_eq!(panics(&source).await, Ok(1));
            sleep(SECOND).await;
        }
        assert_eq!(source.runs(), 4, "its room was given back each time");
    })
    .await;
}

/// What its arguments are: all of them can be copied.
#[derive(Clone)]
struct Shop {
    name: String,
    source: Source,
}

impl Shop {
    #[cache_aside(
        key = "{self.name}:{item}:{a}:{b}:{words:hash}:{n}",
        ttl = "1m",
        stale(while_revalidate = "1h")
    )]
    async fn price(
        &self,
        item: &str,
        words: &[String],
        (a, b): (u8, u8),
        mut n: u64,
    ) -> Result<String, Failed> {
        n += u64::from(a + b);
        Ok(format!("{item} {words:?} {n} {}", self.source.load().await?))
    }
}

#[memoize(ttl = "1m", stale(while_revalidate = "1h"), skip(source))]
async fn typed<T: larder::KeyPart + Clone + Send + Sync + ToString + 'static>(
    source: &Source,
    of: &T,
    own: String,
) -> String {
    source.load().await.unwrap().to_string() + &of.to_string() + &own
}

#[tokio::test(start_paused = true)]
async fn a_renewal_has_copies_of_the_arguments() {
    in_both(|_| async {
        let source = Source::with(1);
        let shop = Shop { name: "corner".into(), source: source.clone() };
        for value in [1, 1, 2] {
            let words = ["a".to_owned(), "b".to_owned()];
            let price = shop.price(&String::from("pen"), &words, (1, 2), 3).await.unwrap();
            assert_eq!(price, format!("pen [\"a\", \"b\"] 6 {value}"));
            assert_eq!(typed(&source, &7_u8, "!".into()).await, format!("{value}7!"));
            source.change(2);
            sleep(SECOND * 61).await;
        }
    })
    .await;
}

#[cache_aside(key = "scoped", ttl = "1m", stale(while_revalidate = "30s"))]
async fn hits_of_my_cache() -> u64 {
    larder::current().unwrap().stats().hits_memory
}

#[tokio::test(start_paused = true)]
async fn a_renewal_runs_in_the_callers_scope() {
    in_both(|cache| async move {
        assert_eq!(hits_of_my_cache().await, 0);
        sleep(SECOND * 61).await;
        cache.set("other", &1_u8).await.unwrap();
        for _ in 0..5 {
            cache.get::<u8>("other").await.unwrap();
        }
        hits_of_my_cache().await;
        sleep(MOMENT).await;
        assert!(hits_of_my_cache().await > 0);
    })
    .await;
}

#[stampede_protect(
    key = "led",
    ttl = "1m",
    lock_ttl = "10s",
    stale(while_revalidate = "30s"),
    skip(source)
)]
async fn led(source: &Source) -> Result<u64, Failed> {
    source.load().await
}

#[tokio::test(start_paused = true)]
async fn with_a_lock_one_process_renews_for_all() {
    let store = MemoryStore::new();
    let ((here, _), (there, _)) = (process(&store).await, process(&store).await);
    let source = Source::with(1);
    for cache in [&here, &there] {
        assert_eq!(larder::scoped(cache.clone(), led(&source)).await, Ok(1));
    }
    source.change(2);
    source.take(SECOND);
    sleep(SECOND * 61).await;
    for cache in [&here, &there] {
        assert_eq!(larder::scoped(cache.clone(), led(&source)).await, Ok(1));
        sleep(MOMENT * 10).await;
    }
    sleep(SECOND * 2).await;
    assert_eq!(larder::scoped(here.clone(), led(&source)).await, Ok(2));
    // The other one has its old value once more, and finds the new one.
    larder::scoped(there.clone(), led(&source)).await.unwrap();
    sleep(MOMENT).await;
    assert_eq!(larder::scoped(there.clone(), led(&source)).await, Ok(2));
    assert_eq!(source.runs(), 2);
}

#[memoize(ttl = "1m", stale(while_revalidate = "30s"), skip(runs))]
fn sync(runs: &mpsc::UnboundedSender<u64>, n: u64) -> u64 {
    runs.send(n).unwrap();
    n * 2
}

#[tokio::test]
async fn a_sync_function_is_renewed_on_a_thread_that_may_be_blocked() {
    let (clock, hand) = Clock::manual();
    let cache = Cache::builder().clock(clock).build().await.unwrap();
    let (runs, mut ran) = mpsc::unbounded_channel();
    larder::scoped_sync(cache.clone(), || sync(&runs, 21));
    assert_eq!(ran.recv().await, Some(21));
    hand.advance(SECOND * 61);
    assert_eq!(larder::scoped_sync(cache.clone(), || sync(&runs, 21)), 42);
    assert_eq!(ran.recv().await, Some(21));
    cache.shutdown().await.unwrap();
    assert_eq!((cache.stats().refreshes, cache.stats().fills), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_what_runs_and_lets_nothing_new_begin() {
    in_both(|cache| async move {
        let source = Source::with(1);
        for id in 0..2 {
            stale(&source, id).await.unwrap();
        }
        source.change(2);
        source.take(SECOND * 5);
        sleep(SECOND * 61).await;
        stale(&source, 0).await.unwrap();
        sleep(MOMENT).await;
        let stopping = larder::spawn({
            let cache = cache.clone();
            async move { cache.shutdown().await }
        });
        sleep(SECOND).await;
        assert!(!stopping.is_finished());
        assert_eq!(stale(&source, 1).await, Ok(1), "calls are answered");
        stopping.await.unwrap().unwrap();
        assert_eq!((source.runs(), source.ended()), (3, 3));
        assert_eq!(stale(&source, 0).await, Ok(2));
        cache.shutdown().await.unwrap();
        source.change(3);
        stale_entry(0).invalidate().await.unwrap();
        assert_eq!(stale(&source, 0).await, Ok(3));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_takes_too_long_says_what_is_left() {
    let cache = builder().build().await.unwrap();
    larder::scoped(cache.clone(), async {
        let source = Source::with(1);
        stale(&source, 0).await.unwrap();
        source.take(SECOND * 60);
        sleep(SECOND * 61).await;
        stale(&source, 0).await.unwrap();
        let error = cache.shutdown().await.unwrap_err();
        assert_eq!(error.kind(), larder::ErrorKind::TimedOut);
        assert!(error.to_string().contains("1 bodies"), "{error}");
    })
    .await;
}

#[test]
fn a_runtime_that_is_dropped_takes_its_renewals_along() {
    let (clock, hand) = Clock::manual();
    let new = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let source = Source::with(1);
    let first = new();
    let cache = first.block_on(Cache::builder().clock(clock).build()).unwrap();
    first.block_on(larder::scoped(cache.clone(), stale(&source, 7))).unwrap();
    source.take(SECOND * 3600);
    hand.advance(SECOND * 61);
    first.block_on(larder::scoped(cache.clone(), async {
        stale(&source, 7).await.unwrap();
        tokio::task::yield_now().await;
    }));
    assert_eq!((source.runs(), source.ended()), (2, 1));
    drop(first);
    source.take(Duration::ZERO);
    source.change(2);
    hand.advance(SECOND * 30);
    assert_eq!(new().block_on(larder::scoped(cache.clone(), stale(&source, 7))), Ok(2));
    new().block_on(cache.shutdown()).unwrap();
}
