//! `stampede_protect`: one process computes, all others wait for it, and a dead one holds nobody up.

use std::time::{Duration, Instant};

use larder::Cache;

use crate::{
    PATIENCE, Test, cache, for_both_kinds, until,
    worker::Worker,
    world::{LOCK, LOCK_WAIT, impatient_reports, report, reports},
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

/// Of the ten thousand callers, those in each of the four processes.
const EACH: usize = 2500;

/// Four processes on one tier: three workers and this one.
struct Crowd {
    test: Test,
    cache: Cache,
    workers: Vec<Worker>,
}

impl Crowd {
    async fn on(url: &str) -> Self {
        let test = Test::new().await;
        let cache = cache(url, &test.prefix, PATIENCE).await;
        let mut workers = Vec::new();
        for _ in 0..3 {
            workers.push(Worker::start(&test.world, url, &test.prefix).await);
        }
        test.world.commit("r", 7);
        test.world.hold("r");
        Self { test, cache, workers }
    }

    /// The callers of this process.
    fn ours(&self) -> tokio::task::JoinHandle<Option<u64>> {
        let (cache, world) = (self.cache.clone(), self.test.world.clone());
        tokio::spawn(larder::scoped(cache, async move {
            reports(&world, "r", EACH).await.map(|row| row.value)
        }))
    }

    async fn until_all_are_there(&self) {
        let arrived = || self.test.world.notes("r.arrived").len();
        until("all callers are there", || arrived() == 4 * EACH).await;
    }

    fn runs(&self) -> Vec<u32> {
        self.test.world.notes("r")
    }
}

#[tokio::test]
async fn ten_thousand_callers_in_four_processes_run_a_protected_body_once() {
    for_both_kinds(async |url| {
        let mut crowd = Crowd::on(&url).await;
        let ours = crowd.ours();
        let mut theirs = Vec::new();
        for worker in &mut crowd.workers {
            theirs.push(worker.order(&format!("reports r {EACH}")).await);
        }
        crowd.until_all_are_there().await;
        until("one of them runs", || !crowd.runs().is_empty()).await;
        // Longer than the lock: its holder is alive, and keeps it.
        tokio::time::sleep(LOCK + LOCK / 4).await;
        let since = Instant::now();
        crowd.test.world.release("r");
        assert_eq!(ours.await.unwrap(), Some(7));
        for their in theirs {
            assert_eq!(their.await.unwrap(), "7");
        }
        assert!(
            since.elapsed() < SLACK,
            "the value was there, and they waited {:?}",
            since.elapsed()
        );
        assert_eq!(crowd.runs().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn when_the_holder_is_killed_ten_thousand_callers_run_the_body_once_more_and_wait_no_longer()
{
    for_both_kinds(async |url| {
        let mut crowd = Crowd::on(&url).await;
        let killed = crowd.workers[0].pid();
        let _never = crowd.workers[0].order(&format!("reports r {EACH}")).await;
        until("the first worker holds the lock", || crowd.runs() == [killed]).await;
        let ours = crowd.ours();
        let mut theirs = Vec::new();
        for worker in &mut crowd.workers[1..] {
            theirs.push(worker.order(&format!("reports r {EACH}")).await);
        }
        crowd.until_all_are_there().await;
        crowd.workers[0].kill().await;
        let since = Instant::now();
        // The second body takes no time to speak of.
        crowd.test.world.release("r");
        assert_eq!(ours.await.unwrap(), Some(7));
        for their in theirs {
            assert_eq!(their.await.unwrap(), "7");
        }
        assert!(since.elapsed() <= LOCK + SLACK, "{:?}", since.elapsed());
        let runs = crowd.runs();
        assert!(runs.len() == 2 && runs[0] == killed && runs[1] != killed, "{runs:?}");
    })
    .await;
}

#[tokio::test]
async fn whoever_has_waited_long_enough_for_another_process_runs_the_body() {
    for_both_kinds(async |url| {
        let mut crowd = Crowd::on(&url).await;
        let (world, holder) = (crowd.test.world.clone(), crowd.workers[0].pid());
        let held = format!("r-{holder}");
        world.hold(&held);
        world.release("r");
        let theirs = crowd.workers[0].order("impatient-reports r 10").await;
        until("the worker holds the lock", || crowd.runs() == [holder]).await;
        let since = Instant::now();
        let ours = larder::scoped(crowd.cache.clone(), impatient_reports(&world, "r", 100)).await;
        assert_eq!(ours.unwrap().value, 7);
        let waited = since.elapsed();
        assert!(waited >= LOCK_WAIT && waited <= LOCK_WAIT + SLACK, "{waited:?}");
        assert_eq!(crowd.runs(), [holder, std::process::id()]);
        world.release(&held);
        assert_eq!(theirs.await.unwrap(), "7");
    })
    .await;
}

#[tokio::test]
async fn a_holder_that_stood_still_stores_nothing_over_what_its_successor_stored() {
    for_both_kinds(async |url| {
        let mut crowd = Crowd::on(&url).await;
        let world = crowd.test.world.clone();
        let frozen = &mut crowd.workers[0];
        let theirs = frozen.order("reports r 10").await;
        until("the worker holds the lock", || !world.notes("r").is_empty()).await;
        frozen.signal("-STOP");
        world.commit("r", 8);
        world.release("r");
        let ours = larder::scoped(crowd.cache.clone(), report(&world, "r")).await;
        assert_eq!(ours.unwrap().value, 8);
        frozen.signal("-CONT");
        // What it loaded is its callers' and nobody else's.
        assert_eq!(theirs.await.unwrap(), "7");
        assert_eq!(crowd.workers[1].tell("reports r 1").await, "8");
        assert_eq!(world.notes("r").len(), 2);
    })
    .await;
}
