//! Locks between processes: one holder at a time, whatever becomes of it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use larder::{Cache, ErrorKind, LockGuard, current};

use crate::{Test, cache, for_both_kinds, redis, worker::Worker};

/// How long a lock outlives a process that died.
const TTL: Duration = Duration::from_secs(2);
/// What a loaded machine may add to a time that is measured.
const SLACK: Duration = Duration::from_millis(1500);

/// What a worker holds.
static HELD: Mutex<Option<HashMap<String, LockGuard>>> = Mutex::new(None);

/// What a worker does that is told to lock.
pub(crate) async fn obey(words: &[&str]) -> String {
    let guard = |name: &str| {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        held.get_or_insert_default().remove(name).expect("a lock that is held")
    };
    let keep = |guard: LockGuard| {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        held.get_or_insert_default().insert(guard.name().to_owned(), guard);
    };
    match words {
        ["acquire", name] => {
            let guard = acquire(&current().unwrap(), name).await;
            let token = guard.fencing_token();
            keep(guard);
            token.to_string()
        }
        ["is-held", name] => {
            let guard = guard(name);
            let is_held = guard.is_held();
            keep(guard);
            is_held.to_string()
        }
        ["lost", name] => {
            let guard = guard(name);
            let lost = guard.lost();
            keep(guard);
            lost.await;
            "lost".to_owned()
        }
        ["release", name] => match guard(name).release().await {
            Ok(()) => "held".to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        },
        ["count", name, rounds] => count(name, rounds.parse().unwrap()).await,
        _ => format!("no such lock order: {words:?}"),
    }
}

async fn acquire(cache: &Cache, name: &str) -> LockGuard {
    cache.lock(name).ttl(TTL).wait("60s").acquire().await.unwrap()
}

/// Reads and writes a number that only the lock protects, so many times; the tokens that were seen.
async fn count(path: &str, rounds: u32) -> String {
    let cache = current().unwrap();
    let mut tokens = Vec::new();
    for _ in 0..rounds {
        let guard = acquire(&cache, "count").await;
        let found: u64 = std::fs::read_to_string(path).unwrap().parse().unwrap();
        tokio::task::yield_now().await;
        std::fs::write(path, (found + 1).to_string()).unwrap();
        tokens.push(guard.fencing_token().to_string());
        guard.release().await.unwrap();
    }
    tokens.join(",")
}

async fn token(worker: &mut Worker, name: &str) -> u64 {
    worker.tell(&format!("lock acquire {name}")).await.parse().unwrap()
}

/// The cache of this process and a second process, on one tier.
async fn two(url: &str) -> (Test, Cache, Worker) {
    let test = Test::new().await;
    let worker = Worker::start(&test.world, url, &test.prefix).await;
    let here = cache(url, &test.prefix, crate::PATIENCE).await;
    (test, here, worker)
}

#[tokio::test]
async fn a_lock_of_a_killed_process_is_free_after_its_ttl_and_not_before() {
    for_both_kinds(async |url| {
        let (_test, here, mut worker) = two(&url).await;
        let dead = token(&mut worker, "import").await;
        // Longer than the ttl: its holder is alive, and keeps it.
        tokio::time::sleep(TTL + TTL / 4).await;
        assert!(here.lock("import").try_acquire().await.unwrap().is_none());
        worker.kill().await;
        let since = Instant::now();
        let guard = acquire(&here, "import").await;
        // What was left of the last renewal: at least two thirds of the ttl.
        assert!(since.elapsed() >= TTL / 2, "{:?}", since.elapsed());
        assert!(since.elapsed() <= TTL + SLACK, "{:?}", since.elapsed());
        assert!(guard.fencing_token() > dead);
        guard.release().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_holder_that_stood_still_learns_that_it_lost_its_lock_and_takes_nothing_from_its_successor()
 {
    for_both_kinds(async |url| {
        let (_test, here, mut worker) = two(&url).await;
        let frozen = token(&mut worker, "import").await;
        let lost = worker.order("lock lost import").await;
        worker.signal("-STOP");
        let next = acquire(&here, "import").await;
        assert!(next.fencing_token() > frozen);
        worker.signal("-CONT");
        assert_eq!(lost.await.unwrap(), "lost");
        assert_eq!(worker.tell("lock is-held import").await, "false");
        assert_eq!(worker.tell("lock release import").await, format!("{:?}", ErrorKind::Fenced));
        assert!(next.is_held());
        next.release().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_lock_that_is_let_go_of_is_the_other_processs_at_once() {
    for_both_kinds(async |url| {
        let (_test, here, mut worker) = two(&url).await;
        let guard = here.lock("import").ttl("60s").acquire().await.unwrap();
        let token = worker.order("lock acquire import").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (first, since) = (guard.fencing_token(), Instant::now());
        drop(guard);
        assert!(token.await.unwrap().parse::<u64>().unwrap() > first);
        assert!(since.elapsed() < SLACK, "{:?}", since.elapsed());
        assert_eq!(worker.tell("lock release import").await, "held");
    })
    .await;
}

#[tokio::test]
async fn what_only_a_lock_protects_is_counted_right_by_three_processes() {
    let (test, here, mut worker) = two(&redis().url()).await;
    let mut third = test.worker().await;
    let path = test.world.dir().join("count");
    std::fs::write(&path, "0").unwrap();
    let order = format!("lock count {} 40", path.display());
    let theirs = [worker.order(&order).await, third.order(&order).await];
    let ours = larder::scoped(here, async { count(path.to_str().unwrap(), 40).await }).await;
    let mut seen = vec![ours];
    for tokens in theirs {
        seen.push(tokens.await.unwrap());
    }
    let tokens = seen.iter().flat_map(|tokens| tokens.split(','));
    let mut tokens: Vec<u64> = tokens.map(|token| token.parse().unwrap()).collect();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "120");
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 120);
}
