//! Holders that lose their lock, and what they learn of it.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_holder_whose_renewal_is_refused_is_told_so() {
    let store = MemoryStore::new();
    let ((one, _), (other, _)) = (process(&store).await, process(&store).await);
    let guard = acquire(&one).await;
    store.flush();
    let since = Instant::now();
    in_time(guard.lost()).await;
    assert!(since.elapsed() <= TTL / 3 + SECOND, "{:?}", since.elapsed());
    assert!(!guard.is_held());
    // The count was lost as well, and yet the token is greater.
    assert!(acquire(&other).await.fencing_token() > guard.fencing_token());
    assert_eq!(guard.release().await.unwrap_err().kind(), ErrorKind::Fenced);
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_is_cut_off_knows_before_anybody_else_can_have_the_lock() {
    let store = MemoryStore::new();
    let ((one, line), (other, _)) = (process(&store).await, process(&store).await);
    let guard = acquire(&one).await;
    sleep(10 * TTL).await;
    line.down(ErrorKind::Unavailable);
    let since = Instant::now();
    in_time(guard.lost()).await;
    assert!(since.elapsed() > TTL / 2, "{:?}: it gives up too early", since.elapsed());
    assert!(!guard.is_held());
    assert!(is_taken(&store).await, "another one could have had it");
    let next = acquire(&other).await;
    line.up();
    assert_eq!(guard.release().await.unwrap_err().kind(), ErrorKind::Fenced);
    assert!(next.is_held() && is_taken(&store).await, "it let go of its successor's");
    next.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn requests_that_hang_keep_nobody_from_knowing() {
    let store = MemoryStore::new();
    let (cache, line) = process(&store).await;
    let guard = acquire(&cache).await;
    let gate = line.hang();
    in_time(guard.lost()).await;
    assert!(is_taken(&store).await);
    gate.open();
}

#[tokio::test(start_paused = true)]
async fn the_time_of_an_acquisition_counts_from_before_it_was_sent() {
    let store = MemoryStore::new();
    let (cache, line) = process(&store).await;
    let gate = line.hold_reply(Operation::AcquireLock);
    let acquired = tokio::spawn(async move { acquire(&cache).await });
    in_time(gate.arrived(1)).await;
    advance(20 * SECOND).await;
    line.inject(Fault::fail(ErrorKind::Unavailable).on(Operation::RenewLock));
    gate.open();
    let guard = acquired.await.unwrap();
    assert!(guard.is_held());
    in_time(guard.lost()).await;
    assert!(is_taken(&store).await, "another one could have had it");
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_granted_after_its_time_is_not_given() {
    let store = MemoryStore::new();
    let (cache, line) = process(&store).await;
    let gate = line.hold_reply(Operation::AcquireLock);
    let acquired = tokio::spawn(async move { cache.lock("lock").ttl(TTL).acquire().await });
    in_time(gate.arrived(1)).await;
    advance(TTL - SECOND / 10).await;
    gate.open();
    assert_eq!(acquired.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_renewal_counts_from_before_it_was_sent() {
    let store = MemoryStore::new();
    let (cache, line) = process(&store).await;
    let guard = acquire(&cache).await;
    let gate = line.hold_reply(Operation::RenewLock);
    in_time(gate.arrived(1)).await;
    // It took effect ten seconds after the beginning; its answer comes at twenty-five.
    sleep(15 * SECOND).await;
    line.inject(Fault::fail(ErrorKind::Unavailable).on(Operation::RenewLock));
    gate.open();
    sleep(SECOND).await;
    assert!(guard.is_held());
    in_time(guard.lost()).await;
    assert!(is_taken(&store).await, "another one could have had it");
}

#[tokio::test(start_paused = true)]
async fn what_was_denied_once_stays_denied() {
    let store = MemoryStore::new();
    let (cache, line) = process(&store).await;
    let guard = acquire(&cache).await;
    let gate = line.hold_reply(Operation::RenewLock);
    in_time(gate.arrived(1)).await;
    in_time(guard.lost()).await;
    assert!(!guard.is_held());
    // A confirmation that comes now is about a lock that the server prolonged long ago.
    gate.open();
    sleep(SECOND).await;
    assert!(!guard.is_held());
    in_time(guard.lost()).await;
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_costs_nobody_a_lock() {
    let store = MemoryStore::new();
    let (cache, line) = process(&store).await;
    let guard = acquire(&cache).await;
    for _ in 0..5 {
        line.down(ErrorKind::Unavailable);
        sleep(TTL / 3 + 2 * SECOND).await;
        line.up();
        sleep(TTL).await;
    }
    assert!(guard.is_held());
    guard.release().await.unwrap();
}
