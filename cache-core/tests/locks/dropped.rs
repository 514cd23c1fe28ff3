//! Futures that are dropped at every await.

use std::{
    future::Future,
    task::{Context, Waker},
};

use super::*;

/// Polls so many times, with everybody else in between, and drops what is not done by then; whether it was done.
async fn dropped_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let std::task::Poll::Ready(out) = polled {
            return Some(out);
        }
        sleep(Duration::from_millis(1)).await;
    }
    None
}

#[tokio::test(start_paused = true)]
async fn an_acquisition_that_is_dropped_leaves_no_lock_behind() {
    let mut done = 0;
    for polls in 0..12 {
        let store = MemoryStore::new();
        let (cache, _) = process(&store).await;
        done += usize::from(dropped_after(polls, cache.lock("lock").acquire()).await.is_some());
        until_free(&store).await;
    }
    assert!(done > 0 && done < 12, "{done}: the polls do not reach from the beginning to the end");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_dropped_leaves_no_lock_behind() {
    let mut done = 0;
    for polls in 0..30 {
        let store = MemoryStore::new();
        let ((one, _), (other, _)) = (process(&store).await, process(&store).await);
        let guard = acquire(&one).await;
        let waiting = async {
            // The lock is let go of while the other one waits for it.
            let wait = other.lock("lock").acquire();
            tokio::pin!(wait);
            for _ in 0..8 {
                assert!(one_poll(wait.as_mut()).await.is_none());
            }
            drop(guard);
            wait.await.unwrap()
        };
        done += usize::from(dropped_after(polls, waiting).await.is_some());
        until_free(&store).await;
    }
    assert!(done > 0 && done < 30, "{done}: the polls do not reach from the beginning to the end");
}

/// One poll, and a pause for everybody else.
async fn one_poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let polled = match future.poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(out) => Some(out),
        std::task::Poll::Pending => None,
    };
    sleep(Duration::from_millis(1)).await;
    polled
}

#[tokio::test(start_paused = true)]
async fn an_acquisition_that_is_dropped_while_its_answer_is_on_the_way_leaves_no_lock_behind() {
    let store = MemoryStore::new();
    let (cache, line) = process(&store).await;
    for took_effect in [false, true] {
        let gate = match took_effect {
            false => line.hold(Operation::AcquireLock),
            true => line.hold_reply(Operation::AcquireLock),
        };
        let acquiring = tokio::spawn({
            let cache = cache.clone();
            async move { cache.lock("lock").acquire().await }
        });
        in_time(gate.arrived(1)).await;
        acquiring.abort();
        assert!(acquiring.await.unwrap_err().is_cancelled());
        // Only now does the server, or the process, learn of it.
        gate.open();
        drop(gate);
        sleep(SECOND / 100).await;
        until_free(&store).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_dropped_still_happens() {
    for polls in 0..8 {
        let store = MemoryStore::new();
        let (cache, _) = process(&store).await;
        let guard = acquire(&cache).await;
        drop(dropped_after(polls, guard.release()).await);
        until_free(&store).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_is_dropped_during_an_outage_lets_go_when_it_is_over() {
    let store = MemoryStore::new();
    let (cache, line) = process(&store).await;
    let guard = acquire(&cache).await;
    line.down(ErrorKind::Unavailable);
    drop(guard);
    sleep(5 * SECOND).await;
    assert!(is_taken(&store).await);
    line.up();
    sleep(2 * SECOND).await;
    assert!(!is_taken(&store).await);
}

#[tokio::test(start_paused = true)]
async fn waiting_to_hear_of_a_loss_may_be_dropped() {
    let store = MemoryStore::new();
    let (cache, _) = process(&store).await;
    let guard = acquire(&cache).await;
    for polls in 0..4 {
        assert!(dropped_after(polls, guard.lost()).await.is_none());
        assert!(guard.is_held());
    }
    store.flush();
    in_time(guard.lost()).await;
    in_time(guard.lost()).await;
}
