//! Locks.

use std::sync::atomic::{AtomicU32, Ordering};

use larder::ErrorKind;

use crate::for_both_forms;

#[tokio::test]
async fn locks_one_at_a_time() {
    for_both_forms(async |cache| {
        let guard = cache.lock("import:user:123").ttl("30s").acquire().await.unwrap();
        assert!(cache.lock("import:user:123").try_acquire().await.unwrap().is_none());
        assert!(cache.lock("import:user:124").try_acquire().await.unwrap().is_some());
        let token = guard.fencing_token();
        guard.release().await.unwrap();
        let next = cache.lock("import:user:123").acquire().await.unwrap();
        assert!(next.fencing_token() > token);
    })
    .await;
}

#[tokio::test]
async fn locks_around_a_block() {
    for_both_forms(async |cache| {
        let runs = AtomicU32::new(0);
        let work = async {
            let taken = cache.lock("report").wait("10ms").acquire().await;
            assert_eq!(taken.unwrap_err().kind(), ErrorKind::Locked);
            runs.fetch_add(1, Ordering::Relaxed)
        };
        assert_eq!(cache.with_lock("report", "30s", work).await.unwrap(), 0);
        // It was let go of: the next one runs, too.
        let again = async { runs.fetch_add(1, Ordering::Relaxed) };
        assert_eq!(cache.with_lock("report", "30s", again).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn locks_that_another_one_has() {
    for_both_forms(async |cache| {
        let _guard = cache.lock("report").acquire().await.unwrap();
        let ran = AtomicU32::new(0);
        let work = async { ran.fetch_add(1, Ordering::Relaxed) };
        let error = cache.with_lock("report", "100ms", work).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked);
        assert_eq!(ran.load(Ordering::Relaxed), 0);
    })
    .await;
}

#[test]
fn locks_in_sync_code() {
    let cache = larder::Cache::memory();
    let guard = cache.lock("report").blocking().acquire().unwrap();
    assert!(guard.is_held());
    guard.release().unwrap();
}
