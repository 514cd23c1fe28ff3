//! `stampede_protect`: one process computes, all others wait for it, and a dead one holds nobody up.

use std::time::{Duration, Instant};

use crate::{
    Test, until,
    world::{LOCK, report, reports},
};

/// What a loaded machine may add to a time that is measured.
const SLACK: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn a_hundred_callers_in_each_of_two_processes_run_a_protected_body_once() {
    let test = Test::new().await;
    let mut worker = test.worker().await;
    test.world.commit("r", 7);
    test.world.hold("r");
    let there = worker.order("reports r 100").await;
    let here = test.here(async {
        let ours = larder::spawn({
            let world = test.world.clone();
            async move { reports(&world, "r", 100).await }
        });
        until("all callers are there", || test.world.notes("r.arrived").len() == 200).await;
        until("one of them runs", || !test.world.notes("r").is_empty()).await;
        // Longer than the lock: its holder is alive, and keeps it.
        tokio::time::sleep(LOCK + LOCK / 4).await;
        test.world.release("r");
        ours.await.unwrap()
    });
    assert_eq!(here.await.unwrap().value, 7);
    assert_eq!(there.await.unwrap(), "7");
    assert_eq!(test.world.notes("r").len(), 1);
}

#[tokio::test]
async fn when_the_holder_is_killed_the_body_runs_once_more_and_nobody_waits_longer_than_the_lock() {
    let test = Test::new().await;
    let mut worker = test.worker().await;
    test.world.commit("r", 7);
    test.world.hold("r");
    let killed = worker.pid();
    let _never = worker.order("reports r 10").await;
    until("the worker holds the lock", || test.world.notes("r") == [killed]).await;
    let waited = test.here(async {
        let ours = larder::spawn({
            let world = test.world.clone();
            async move { reports(&world, "r", 100).await }
        });
        until("all callers are there", || test.world.notes("r.arrived").len() == 110).await;
        worker.kill().await;
        let since = Instant::now();
        test.world.release("r");
        assert_eq!(ours.await.unwrap().unwrap().value, 7);
        since.elapsed()
    });
    let waited = waited.await;
    assert_eq!(test.world.notes("r"), [killed, std::process::id()]);
    assert!(waited <= LOCK + SLACK, "{waited:?}");
}

#[tokio::test]
async fn a_holder_that_gives_up_hands_the_lock_to_the_other_process_at_once() {
    let test = Test::new().await;
    let mut worker = test.worker().await;
    test.world.commit("r", 7);
    test.world.hold("r");
    test.here(async {
        let ours = larder::spawn({
            let world = test.world.clone();
            async move { report(&world, "r").await }
        });
        until("this process holds the lock", || test.world.notes("r").len() == 1).await;
        let theirs = worker.order("reports r 10").await;
        until("the others are there", || test.world.notes("r.arrived").len() == 10).await;
        ours.abort();
        assert!(ours.await.unwrap_err().is_cancelled());
        let since = Instant::now();
        until("the worker runs", || test.world.notes("r").len() == 2).await;
        assert!(since.elapsed() < LOCK / 2, "it waited for the lock's end: {:?}", since.elapsed());
        test.world.release("r");
        assert_eq!(theirs.await.unwrap(), "7");
    })
    .await;
    assert_eq!(test.world.notes("r"), [std::process::id(), worker.pid()]);
}
