//! How long callers wait for each other.

use super::*;

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_for_two_loads_that_never_end() {
    let cache = builder().build().await.unwrap();
    let stuck = Arc::new(Slow::default());
    let began = Instant::now();
    let leaders: Vec<_> = (0..2).map(|_| start(&PLAIN, &cache, &stuck, 1)).collect();
    stuck.began.notified().await;
    let waiters = (0..5).map(|_| {
        tokio::spawn(call(&PLAIN, cache.clone(), {
            let stuck = Arc::clone(&stuck);
            async move {
                stuck.runs.fetch_add(1, SeqCst);
                std::future::pending::<()>().await;
                2
            }
        }))
    });
    let waiters: Vec<_> = waiters.collect();
    while stuck.runs.load(SeqCst) < 7 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(began.elapsed() <= WAIT * 2 + Duration::from_millis(200), "{:?}", began.elapsed());
    leaders.iter().chain(&waiters).for_each(JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn leaders_that_are_cancelled_one_after_another_do_not_prolong_the_wait() {
    let cache = builder().build().await.unwrap();
    let began = Instant::now();
    let mut leaders = Vec::new();
    for _ in 0..5 {
        let slow = Arc::new(Slow::default());
        leaders.push(start(&PLAIN, &cache, &slow, 1));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let last = tokio::spawn(call(&PLAIN, cache.clone(), async { 2 }));
    for leader in &leaders {
        tokio::time::sleep(WAIT - Duration::from_secs(1)).await;
        leader.abort();
    }
    assert_eq!(last.await.unwrap(), 2);
    assert!(began.elapsed() <= WAIT * 5);
    assert!(cache.stats().coalesced <= 12, "{}", cache.stats().coalesced);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_was_taken_over_is_stored_unless_its_successor_was_there_first() {
    let cache = builder().build().await.unwrap();
    let (first, second) = (Arc::new(Slow::default()), Arc::new(Slow::default()));
    let old = start(&PLAIN, &cache, &first, 1);
    first.began.notified().await;
    let new = start(&PLAIN, &cache, &second, 2);
    second.began.notified().await;
    first.end.notify_one();
    assert_eq!(old.await.unwrap(), 1);
    assert_eq!(get(&cache).await, Some(1), "else a slow function is never cached while it is busy");
    second.end.notify_one();
    assert_eq!(new.await.unwrap(), 2);
}

#[test]
fn a_caller_outside_tokio_waits_for_another_ones_load() {
    let cache = Cache::memory();
    let slow = Arc::new(Slow::default());
    let mut leader = Box::pin(call(&PLAIN, cache.clone(), slow.clone().load(1)));
    let mut waiter = Box::pin(call(&PLAIN, cache.clone(), async { 2 }));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(leader.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(waiter.as_mut().poll(&mut context), Poll::Pending);
    slow.end.notify_one();
    assert_eq!(leader.as_mut().poll(&mut context), Poll::Ready(1));
    assert_eq!(waiter.as_mut().poll(&mut context), Poll::Ready(1));
}
