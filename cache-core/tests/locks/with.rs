//! Futures that run under a lock.

use std::{
    future::pending,
    sync::atomic::{AtomicU32, Ordering},
};

use super::*;

/// Counts when it is dropped.
struct Dropped<'a>(&'a AtomicU32);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_value_of_what_ran_under_the_lock_is_given_and_the_lock_let_go_of() {
    let store = MemoryStore::new();
    let (shared, _) = process(&store).await;
    for cache in [shared, Cache::memory()] {
        let (name, of) = ("lock".to_owned(), cache.clone());
        let value = cache.with_lock("lock", "1s", async {
            // For much longer than the ttl.
            for _ in 0..10 {
                sleep(SECOND).await;
                assert!(of.lock(&name).try_acquire().await.unwrap().is_none());
            }
            name.len()
        });
        assert_eq!(value.await.unwrap(), 4);
        assert!(cache.lock("lock").try_acquire().await.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_futures_one_at_a_time_runs() {
    let store = MemoryStore::new();
    let running = Arc::new(AtomicU32::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let (cache, _) = process(&store).await;
        for _ in 0..5 {
            let (cache, running) = (cache.clone(), Arc::clone(&running));
            tasks.spawn(async move {
                let work = async {
                    assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
                    sleep(SECOND).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                };
                cache.with_lock("lock", TTL, work).await.unwrap();
            });
        }
    }
    tasks.join_all().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_lock_nothing_runs() {
    let store = MemoryStore::new();
    let ((one, _), (other, line)) = (process(&store).await, process(&store).await);
    let guard = acquire(&one).await;
    let run = AtomicU32::new(0);
    let work = || async { run.fetch_add(1, Ordering::Relaxed) };
    let error = other.with_lock("lock", "2s", work()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    line.down(ErrorKind::Unavailable);
    let error = other.with_lock("free", "2s", work()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(other.with_lock("", "2s", work()).await.unwrap_err().kind(), ErrorKind::Template);
    assert_eq!(
        other.with_lock("lock", "forever", work()).await.unwrap_err().kind(),
        ErrorKind::Template
    );
    assert_eq!(run.load(Ordering::Relaxed), 0);
    guard.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_runs_under_a_lock_that_is_lost_is_dropped_before_another_one_can_have_it() {
    let store = MemoryStore::new();
    let (cache, line) = process(&store).await;
    let dropped = AtomicU32::new(0);
    let work = async {
        let _dropped = Dropped(&dropped);
        line.down(ErrorKind::Unavailable);
        pending::<()>().await;
    };
    let error = in_time(cache.with_lock("lock", TTL, work)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("half-way"), "{error}");
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    assert!(is_taken(&store).await, "another one could have had it");
}

#[tokio::test(start_paused = true)]
async fn what_was_done_under_a_lock_that_had_ended_is_told_to_be_so() {
    let store = MemoryStore::new();
    let (cache, _) = process(&store).await;
    let error = cache.with_lock("lock", TTL, async { store.flush() }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("done"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_cannot_be_given_back_takes_no_value_away() {
    let store = MemoryStore::new();
    let (cache, line) = process(&store).await;
    let down = async {
        line.down(ErrorKind::Timeout);
        7
    };
    assert_eq!(cache.with_lock("lock", TTL, down).await.unwrap(), 7);
    assert!(is_taken(&store).await);
    line.up();
    sleep(2 * SECOND).await;
    assert!(!is_taken(&store).await);
}

#[tokio::test(start_paused = true)]
async fn dropped_half_way_it_drops_what_runs_and_lets_go_of_the_lock() {
    let store = MemoryStore::new();
    let (cache, _) = process(&store).await;
    let dropped = AtomicU32::new(0);
    let work = async {
        let _dropped = Dropped(&dropped);
        pending::<()>().await;
    };
    let run = timeout(SECOND, cache.with_lock("lock", TTL, work));
    assert!(run.await.is_err());
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    until_free(&store).await;
}
