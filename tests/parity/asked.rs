//! What users of other caches ask for again and again, where no other test has it for its name.

use std::{
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use larder::{Cache, cache_aside};

use crate::{for_both_forms, server::Server, until};

#[cache_aside(key = "asked:{id}", ttl = "5m", skip(cache, runs), cache = cache)]
async fn row(cache: &Cache, id: u64, runs: &AtomicU64) -> u64 {
    runs.fetch_add(1, SeqCst) + id * 1000
}

/// One entry is invalidated by its arguments, or by its key from a service that has no such function.
#[tokio::test]
async fn one_entry_is_invalidated_by_whoever_knows_its_arguments_or_its_key() {
    for_both_forms(async |cache| {
        let runs = AtomicU64::new(0);
        assert_eq!((row(&cache, 1, &runs).await, row(&cache, 2, &runs).await), (1000, 2001));
        row_entry(&cache, 1).invalidate().await.unwrap();
        assert_eq!((row(&cache, 1, &runs).await, row(&cache, 2, &runs).await), (1002, 2001));
        cache.invalidate("asked:2").await.unwrap();
        assert_eq!((row(&cache, 1, &runs).await, row(&cache, 2, &runs).await), (1002, 2003));
    })
    .await;
}

/// The entry is there before the first call (`f_prime_cache`), and the body can be run past it (`f_no_cache`).
#[tokio::test]
async fn an_entry_is_primed_and_the_body_is_run_without_the_cache() {
    for_both_forms(async |cache| {
        let runs = AtomicU64::new(0);
        row_entry(&cache, 1).set(7).await.unwrap();
        assert_eq!(row(&cache, 1, &runs).await, 7);
        assert_eq!(row_uncached(&cache, 1, &runs).await, 1000);
        assert_eq!((row(&cache, 1, &runs).await, runs.load(SeqCst)), (7, 1));
    })
    .await;
}

/// Loads are not broadcast: what one process loads, or reads from Redis, takes nothing out of the memory of another one.
#[tokio::test]
async fn what_one_process_loads_does_not_disturb_the_memory_of_another_one() {
    let server = Server::start(&[]);
    let process = async || {
        let builder = Cache::builder().redis(server.url());
        builder.shared_deadline(Duration::from_secs(10)).build().await.unwrap()
    };
    let (here, there, runs) = (process().await, process().await, AtomicU64::new(0));
    for id in 0..20 {
        row(&here, id, &runs).await;
    }
    until("the session lives", async || here.health().await.session == Some(true)).await;
    // What the session did not live to hear of is proven anew.
    for id in 0..20 {
        row(&here, id, &runs).await;
    }
    let before = here.stats();
    for id in 0..40 {
        row(&there, id, &runs).await;
    }
    // Whatever was said of that has been heard when this has.
    there.invalidate("asked:0").await.unwrap();
    until("the invalidation is heard", async || {
        !row_entry(&here, 0).explain().await.unwrap().is_hit()
    })
    .await;
    for id in 1..20 {
        row(&here, id, &runs).await;
    }
    let after = here.stats();
    assert_eq!((after.hits_memory - before.hits_memory, after.misses), (19, before.misses));
    assert_eq!((runs.load(SeqCst), server.calls("publish")), (40, 0));
}
