//! The same among processes.

use larder::{ErrorKind, cache_aside};

use super::*;

#[cache_aside(key = "k", ttl = "1m", tags = ["t"], stale(on_error = "1h", while_revalidate = "30s"), skip(source))]
async fn both(source: &Source) -> Result<u64, Failed> {
    source.load().await
}

#[cache_aside(key = "k", ttl = "1m", tags = ["t"], skip(source))]
async fn both_strictly(source: &Source) -> Result<u64, Failed> {
    source.load().await
}

#[cache_aside(
    key = "s",
    ttl = "1m",
    tags = ["s"],
    layer = "shared",
    stale(on_error = "1h", while_revalidate = "30s"),
    skip(source)
)]
async fn asked(source: &Source) -> Result<u64, Failed> {
    source.load().await
}

#[cache_aside(key = "s", ttl = "1m", tags = ["s"], layer = "shared", skip(source))]
async fn asked_strictly(source: &Source) -> Result<u64, Failed> {
    source.load().await
}

#[cache_aside(
    key = "s",
    ttl = "1m",
    tags = ["s"],
    layer = "shared",
    stale(while_revalidate = "30s"),
    skip(source)
)]
async fn asked_for_less(source: &Source) -> Result<u64, Failed> {
    source.load().await
}

#[cache_aside(key = "l", ttl = "1m", tags = ["l"], stale(while_revalidate = "30s"), skip(source))]
async fn asked_for_less_here(source: &Source) -> Result<u64, Failed> {
    source.load().await
}

#[cache_aside(key = "v", ttl = "1m", tags = ["v:{value}"], stale(on_error = "1h"), skip(source))]
async fn of_a_value(source: &Source) -> Result<u64, Failed> {
    source.load().await
}

#[cache_aside(key = "f", ttl_fn = |value: &u64| SECOND * (*value as u32), refresh_ahead = 0.5, skip(source))]
async fn ahead_by_value(source: &Source) -> Result<u64, Failed> {
    source.load().await
}

static KNOWS_NO_LIFE: AtomicBool = AtomicBool::new(false);

fn life_if_known(_: &u64) -> Duration {
    assert!(!KNOWS_NO_LIFE.load(SeqCst));
    SECOND
}

#[cache_aside(key = "u", ttl_fn = life_if_known, refresh_ahead = 0.5, skip(source))]
async fn ahead_if_known(source: &Source) -> Result<u64, Failed> {
    source.load().await
}

async fn on<T>(cache: &Cache, future: impl Future<Output = T>) -> T {
    larder::scoped(cache.clone(), future).await
}

#[tokio::test(start_paused = true)]
async fn a_process_serves_what_another_one_has_stored_while_it_renews_it() {
    let store = MemoryStore::new();
    let ((here, _), (there, _)) = (process(&store).await, process(&store).await);
    let source = Source::with(1);
    on(&here, both(&source)).await.unwrap();
    source.change(2);
    source.take(SECOND);
    sleep(SECOND * 61).await;
    assert_eq!(on(&there, both(&source)).await, Ok(1));
    assert_eq!(there.stats().hits_shared, 1);
    sleep(SECOND * 2).await;
    assert_eq!(on(&there, both(&source)).await, Ok(2));
    // Renewed there, read here.
    assert_eq!(on(&here, both(&source)).await, Ok(2));
    assert_eq!(source.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_finds_that_somebody_else_has_renewed() {
    let store = MemoryStore::new();
    let ((here, line), (there, _)) = (process(&store).await, process(&store).await);
    let source = Source::with(1);
    on(&here, both(&source)).await.unwrap();
    // Hears nothing of what the other one does, so that its memory serves what it has.
    sleep(SECOND).await;
    line.hold_news();
    source.change(2);
    sleep(SECOND * 60).await;
    assert_eq!(on(&there, both(&source)).await, Ok(1));
    sleep(MOMENT).await;
    assert_eq!((on(&there, both(&source)).await, source.runs()), (Ok(2), 2));
    on(&here, both(&source)).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(on(&here, both(&source)).await, Ok(2));
    assert_eq!(source.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_stored_is_renewed_at_its_share_of_the_life_that_the_value_tells() {
    let store = MemoryStore::new();
    let ((here, _), (there, _)) = (process(&store).await, process(&store).await);
    let source = Source::with(100);
    on(&here, ahead_by_value(&source)).await.unwrap();
    sleep(SECOND * 40).await;
    source.change(200);
    assert_eq!(on(&there, ahead_by_value(&source)).await, Ok(100));
    for (after, runs, value) in [(8, 1, 100), (4, 2, 100), (1, 2, 200), (98, 2, 200), (3, 3, 200)] {
        sleep(SECOND * after).await;
        assert_eq!(on(&there, ahead_by_value(&source)).await, Ok(value), "{after} {runs}");
        sleep(MOMENT).await;
        assert_eq!(source.runs(), runs, "{after} {value}");
    }
    assert_eq!((there.stats().misses, there.stats().refreshes), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_life_that_cannot_be_told_of_what_another_process_stored_is_nobodys_panic() {
    let store = MemoryStore::new();
    let ((here, _), (there, _)) = (process(&store).await, process(&store).await);
    let source = Source::with(1);
    on(&here, ahead_if_known(&source)).await.unwrap();
    KNOWS_NO_LIFE.store(true, SeqCst);
    assert_eq!(on(&there, ahead_if_known(&source)).await, Ok(1));
    assert_eq!(there.stats().hits_shared, 1);
}

#[tokio::test(start_paused = true)]
async fn a_function_of_the_shared_tier_alone_has_the_same_policies() {
    let store = MemoryStore::new();
    let ((here, _), (there, _)) = (process(&store).await, process(&store).await);
    let source = Source::with(1);
    on(&here, asked(&source)).await.unwrap();
    source.change(2);
    sleep(SECOND * 61).await;
    assert_eq!(on(&there, asked(&source)).await, Ok(1));
    sleep(MOMENT).await;
    assert_eq!((on(&here, asked(&source)).await, source.runs()), (Ok(2), 2));
    source.fail(true);
    sleep(SECOND * 600).await;
    assert_eq!(on(&here, asked(&source)).await, Ok(2));
    assert_eq!((source.runs(), here.stats().stale_served), (3, 1));
    assert_eq!(on(&there, asked_strictly(&source)).await, Err(Failed::Source));
    here.invalidate("s").await.unwrap();
    assert_eq!(on(&there, asked(&source)).await, Err(Failed::Source));
}

#[tokio::test(start_paused = true)]
async fn while_the_shared_tier_is_away_memory_covers_for_a_body_that_fails() {
    // Before its freshness ends, after that, and after the tier was heard to go.
    for (wait, lose) in [(10, false), (61, false), (61, true), (10, true)] {
        let (cache, line) = process(&MemoryStore::new()).await;
        let source = Source::with(1);
        // Until the session lives, what is in memory hears nothing.
        for _ in 0..3 {
            on(&cache, both(&source)).await.unwrap();
            sleep(SECOND * 3).await;
        }
        line.down(ErrorKind::Unavailable);
        line.hold_news();
        if lose {
            line.lose_news();
            line.tell(cache_store::News::Gap);
        }
        source.fail(true);
        sleep(SECOND * wait).await;
        assert_eq!(on(&cache, both(&source)).await, Ok(1), "{wait} {lose}");
        assert_eq!((source.runs(), cache.stats().stale_served), (2, 1), "{wait} {lose}");
        // What this process knows to be invalidated is out nevertheless.
        assert!(cache.invalidate_tags(["t"]).await.is_err());
        assert_eq!(on(&cache, both(&source)).await, Err(Failed::Source));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_to_be_invalidated_covers_for_nothing() {
    // What the first call keeps was read before the log of patterns was.
    for (what, calls) in [(0, 1), (1, 1), (2, 1), (3, 1), (0, 3), (1, 3), (2, 3), (3, 3)] {
        let store = MemoryStore::new();
        let ((here, line), (there, _)) = (process(&store).await, process(&store).await);
        let source = Source::with(1);
        for _ in 0..calls {
            on(&here, both(&source)).await.unwrap();
            sleep(SECOND * 3).await;
        }
        match what {
            0 => there.invalidate("k").await.unwrap(),
            1 => there.invalidate_tags(["t"]).await.unwrap(),
            2 => there.invalidate_pattern("k*").await.unwrap(),
            _ => there.clear().await.unwrap(),
        }
        sleep(SECOND).await;
        line.down(ErrorKind::Unavailable);
        source.fail(true);
        sleep(SECOND * 60).await;
        assert_eq!(on(&here, both(&source)).await, Err(Failed::Source), "{what} {calls}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_heard_by_name_counts_before_everything_is_heard() {
    let store = MemoryStore::new();
    let ((here, _), (there, _)) = (process(&store).await, process(&store).await);
    let source = Source::with(1);
    on(&here, both(&source)).await.unwrap();
    source.change(2);
    there.invalidate_tags(["t"]).await.unwrap();
    sleep(MOMENT).await;
    assert_eq!(on(&here, both(&source)).await, Ok(2), "within the bound");
}

#[tokio::test(start_paused = true)]
async fn news_that_is_lost_ends_nothing_that_does_not_rely_on_it() {
    let (cache, line) = process(&MemoryStore::new()).await;
    let source = Source::with(1);
    sleep(SECOND).await;
    line.down(ErrorKind::Unavailable);
    on(&cache, both(&source)).await.unwrap();
    line.tell(cache_store::News::Gap);
    on(&cache, both(&source)).await.unwrap();
    assert_eq!(cache.stats().hits_memory, 1);

    source.take(SECOND);
    let lost = async {
        sleep(SECOND / 2).await;
        line.tell(cache_store::News::Gap);
    };
    tokio::join!(on(&cache, asked_for_less_here(&source)), lost).0.unwrap();
    on(&cache, asked_for_less_here(&source)).await.unwrap();
    assert_eq!(cache.stats().hits_memory, 2);
}

#[tokio::test(start_paused = true)]
async fn what_the_shared_tier_has_not_confirmed_and_was_heard_to_be_invalidated_covers_for_nothing()
{
    for what in 0..4 {
        let store = MemoryStore::new();
        let ((here, line), (there, _)) = (process(&store).await, process(&store).await);
        let source = Source::with(1);
        sleep(SECOND).await;
        line.down(ErrorKind::Unavailable);
        source.take(SECOND);
        let load = on(&here, both(&source));
        let change = async {
            sleep(SECOND / 2).await;
            match what {
                0 => there.invalidate("k").await.unwrap(),
                1 => there.invalidate_tags(["t"]).await.unwrap(),
                _ => there.invalidate_tags(["s"]).await.unwrap(),
            }
        };
        assert_eq!(tokio::join!(load, change).0, Ok(1));
        source.fail(true);
        sleep(SECOND * 61).await;
        let expected = if what < 2 { Err(Failed::Source) } else { Ok(1) };
        assert_eq!(on(&here, both(&source)).await, expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_of_tags_that_the_value_tells_counts_where_nothing_was_confirmed() {
    for tag in ["v:1", "v:2"] {
        let store = MemoryStore::new();
        let ((here, line), (there, _)) = (process(&store).await, process(&store).await);
        let source = Source::with(1);
        line.down(ErrorKind::Unavailable);
        on(&here, of_a_value(&source)).await.unwrap();
        there.invalidate_tags([tag]).await.unwrap();
        source.fail(true);
        sleep(SECOND * 61).await;
        let expected = if tag == "v:1" { Err(Failed::Source) } else { Ok(1) };
        assert_eq!(on(&here, of_a_value(&source)).await, expected, "{tag}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_function_without_policies_keeps_covers_for_nothing_that_was_heard() {
    for invalidated in [false, true] {
        let store = MemoryStore::new();
        let ((here, line), (there, _)) = (process(&store).await, process(&store).await);
        let (failing, source) = (Source::with(1), Source::with(1));
        sleep(SECOND).await;
        line.down(ErrorKind::Unavailable);
        failing.fail(true);
        failing.take(SECOND);
        source.take(SECOND / 2);
        let change = async {
            sleep(SECOND / 4).await;
            if invalidated {
                there.invalidate("k").await.unwrap();
            }
        };
        let load = on(&here, both(&failing));
        let (read, kept, ()) = tokio::join!(load, on(&here, both_strictly(&source)), change);
        assert_eq!((read, kept), (Err(Failed::Source), Ok(1)), "{invalidated}");
    }
}

#[tokio::test(start_paused = true)]
async fn news_that_is_lost_while_a_value_is_renewed_takes_nothing_away() {
    let (cache, line) = process(&MemoryStore::new()).await;
    let source = Source::with(1);
    // Until the session lives, what is in memory hears nothing.
    for _ in 0..3 {
        on(&cache, both(&source)).await.unwrap();
        sleep(SECOND * 3).await;
    }
    source.change(2);
    source.take(SECOND);
    sleep(SECOND * 60).await;
    assert_eq!(on(&cache, both(&source)).await, Ok(1));
    sleep(SECOND / 2).await;
    line.tell(cache_store::News::Gap);
    sleep(SECOND).await;
    assert_eq!((source.ended(), cache.stats().fills), (2, 2), "the renewal was stored");
    line.down(ErrorKind::Unavailable);
    source.fail(true);
    sleep(SECOND * 60).await;
    assert_eq!(on(&cache, both(&source)).await, Ok(2));
    assert!(cache.invalidate_tags(["t"]).await.is_err());
    assert_eq!(on(&cache, both(&source)).await, Err(Failed::Source));
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_a_body_and_invalidated_by_another_process_meanwhile_covers_for_nothing()
 {
    for what in 0..4 {
        let store = MemoryStore::new();
        let ((here, _), (there, _)) = (process(&store).await, process(&store).await);
        let source = Source::with(1);
        on(&there, asked(&source)).await.unwrap();
        on(&here, both(&source)).await.unwrap();
        // Past the time in which it is given at once.
        sleep(SECOND * 100).await;
        source.fail(true);
        source.take(SECOND);
        let reading = tokio::spawn(larder::scoped(here.clone(), {
            let source = source.clone();
            async move { asked(&source).await }
        }));
        sleep(SECOND / 2).await;
        assert_eq!(source.runs(), 3, "the body runs");
        match what {
            0 => there.invalidate("s").await.unwrap(),
            1 => there.invalidate_tags(["s"]).await.unwrap(),
            2 => there.invalidate_pattern("s*").await.unwrap(),
            _ => there.invalidate("another").await.unwrap(),
        }
        let expected = if what == 3 { Ok(1) } else { Err(Failed::Source) };
        assert_eq!(reading.await.unwrap(), expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_given_what_another_functions_policy_allows_only_where_its_own_does() {
    let (cache, _) = process(&MemoryStore::new()).await;
    let source = Source::with(1);
    on(&cache, asked(&source)).await.unwrap();
    sleep(SECOND * 100).await;
    source.fail(true);
    source.take(SECOND);
    let (one, other) = tokio::join!(
        on(&cache, asked(&source)),
        on(&cache, async {
            sleep(SECOND / 2).await;
            asked_for_less(&source).await
        })
    );
    assert_eq!((one, other), (Ok(1), Err(Failed::Source)));
}
