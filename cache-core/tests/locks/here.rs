//! Without a shared tier: a lock within the process.

use super::*;

#[tokio::test]
async fn a_cache_without_a_shared_tier_has_locks_of_its_own() {
    let cache = Cache::memory();
    let guard = cache.lock("lock").acquire().await.unwrap();
    assert!(cache.clone().lock("lock").try_acquire().await.unwrap().is_none());
    assert!(Cache::memory().lock("lock").try_acquire().await.unwrap().is_some());
    assert!(cache.lock("other").try_acquire().await.unwrap().is_some());
    let (token, lost) = (guard.fencing_token(), tokio::spawn(guard.lost()));
    drop(guard);
    timeout(20 * SECOND, lost).await.expect("it never ends").unwrap();
    let next = cache.lock("lock").acquire().await.unwrap();
    assert!(next.fencing_token() > token);
    next.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn within_the_process_too_one_at_a_time_has_the_lock_and_keeps_it() {
    let cache = Cache::memory();
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let cache = cache.clone();
        tasks.spawn(async move {
            let guard = cache.lock("lock").ttl("1s").wait("1h").acquire().await.unwrap();
            let from = Instant::now();
            sleep(10 * SECOND).await;
            assert!(guard.is_held());
            (guard.fencing_token(), from, Instant::now())
        });
    }
    let mut turns = tasks.join_all().await;
    turns.sort_unstable();
    for pair in turns.windows(2) {
        assert!(pair[0].0 < pair[1].0 && pair[0].2 <= pair[1].1, "{pair:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_in_vain_within_the_process_is_told_so() {
    let cache = Cache::memory();
    let _guard = cache.lock("lock").acquire().await.unwrap();
    let since = Instant::now();
    let error = cache.lock("lock").wait("5s").acquire().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(since.elapsed() >= 5 * SECOND && since.elapsed() < 6 * SECOND);
}

#[test]
fn sync_code_has_the_same_locks() {
    let store = MemoryStore::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cache =
        runtime.block_on(Cache::builder().shared(Arc::new(store.connect())).build()).unwrap();
    for cache in [cache, Cache::memory()] {
        let guard = cache.lock("lock").blocking().acquire().unwrap();
        assert!(guard.is_held());
        let waits = cache.lock("lock").wait("20ms").blocking();
        assert_eq!(waits.acquire().unwrap_err().kind(), ErrorKind::Locked);
        assert!(cache.lock("lock").blocking().try_acquire().unwrap().is_none());
        let token = guard.fencing_token();
        guard.release().unwrap();
        let next = cache.lock("lock").blocking().try_acquire().unwrap().unwrap();
        assert!(next.fencing_token() > token);
        drop(next);
        cache.lock("lock").wait("20s").blocking().acquire().unwrap().release().unwrap();
    }
}
