//! Locks of applications, in virtual time: each process is a cache of its own on one store.
#![allow(missing_docs, clippy::unwrap_used)]

mod dropped;
mod here;
mod lost;
mod with;

use std::{sync::Arc, time::Duration};

use cache_core::{Cache, Clock, ErrorKind, LockGuard, Store};
use cache_store::{
    Lease, Locked, Nonce,
    testing::{ChaosStore, Fault, MemoryStore, Operation},
};
use tokio::{
    runtime::Handle,
    task::JoinSet,
    time::{Instant, advance, sleep, timeout},
};

const TTL: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

type Chaos = Arc<ChaosStore<MemoryStore>>;

async fn on(store: Arc<dyn Store>) -> Cache {
    let builder = Cache::builder().shared(store).clock(Clock::tokio()).runtime(Handle::current());
    builder.build().await.unwrap()
}

/// A process with a line of its own to the store.
async fn process(store: &MemoryStore) -> (Cache, Chaos) {
    let chaos = Arc::new(ChaosStore::new(store.connect()));
    (on(chaos.clone()).await, chaos)
}

async fn acquire(cache: &Cache) -> LockGuard {
    cache.lock("lock").ttl(TTL).acquire().await.unwrap()
}

/// Whether the store says that somebody has the lock.
async fn is_taken(store: &MemoryStore) -> bool {
    let mine = Lease { token: Nonce::random().unwrap(), life: SECOND };
    let taken = matches!(store.acquire_lock("lock", mine).await.unwrap(), Locked::Held(_));
    if !taken {
        store.release_lock("lock", mine.token).await.unwrap();
    }
    taken
}

/// Waits for what happens in the background, far below the ttl.
async fn until_free(store: &MemoryStore) {
    let free = async {
        while is_taken(store).await {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SECOND, free).await.expect("the lock was left behind");
}

/// What should happen within an hour of virtual time, which is over at once.
async fn in_time<F: Future>(future: F) -> F::Output {
    timeout(3600 * SECOND, future).await.expect("it never happens")
}

/// A holder that died: it took the lock, and that is the last that anybody heard of it.
async fn dead_holder(store: &MemoryStore) -> u64 {
    let lease = Lease { token: Nonce::random().unwrap(), life: TTL };
    match store.acquire_lock("lock", lease).await.unwrap() {
        Locked::Acquired(fencing) => fencing,
        held => panic!("{held:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiter_has_the_lock_as_soon_as_it_is_let_go_of() {
    for how in ["released", "dropped"] {
        let store = MemoryStore::new();
        let ((one, _), (other, _)) = (process(&store).await, process(&store).await);
        let first = acquire(&one).await;
        let waiter = tokio::spawn(async move { acquire(&other).await });
        sleep(10 * SECOND).await;
        assert!(!waiter.is_finished());
        let (since, token) = (Instant::now(), first.fencing_token());
        if how == "released" {
            first.release().await.unwrap();
        } else {
            drop(first);
        }
        let second = in_time(waiter).await.unwrap();
        assert!(since.elapsed() < SECOND / 10, "{how}: {:?}", since.elapsed());
        assert!(second.fencing_token() > token);
        assert!(second.is_held());
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_died_is_waited_out_within_its_ttl() {
    let store = MemoryStore::new();
    let (cache, _) = process(&store).await;
    let dead = dead_holder(&store).await;
    let since = Instant::now();
    let guard = acquire(&cache).await;
    assert!(since.elapsed() <= TTL + SECOND / 10, "{:?}", since.elapsed());
    assert!(guard.fencing_token() > dead);
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_renewed_for_as_long_as_its_holder_lives() {
    let store = MemoryStore::new();
    let ((one, _), (other, _)) = (process(&store).await, process(&store).await);
    let guard = acquire(&one).await;
    for _ in 0..100 {
        sleep(TTL / 2).await;
        assert!(guard.is_held());
        assert!(other.lock("lock").try_acquire().await.unwrap().is_none());
    }
    guard.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_in_vain_is_told_so_in_time() {
    let store = MemoryStore::new();
    let ((one, _), (other, _)) = (process(&store).await, process(&store).await);
    let _guard = acquire(&one).await;
    for (wait, expected) in [(Some("5s"), 5 * SECOND), (None, TTL)] {
        let since = Instant::now();
        let lock = other.lock("lock").ttl(TTL);
        let lock = match wait {
            Some(wait) => lock.wait(wait),
            None => lock,
        };
        let error = lock.acquire().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked);
        assert!(error.to_string().contains("`lock`"), "{error}");
        assert!(since.elapsed() >= expected && since.elapsed() < expected + SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_in_several_processes_one_at_a_time_has_the_lock() {
    let store = MemoryStore::new();
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let (cache, _) = process(&store).await;
        for _ in 0..10 {
            let cache = cache.clone();
            tasks.spawn(async move {
                let guard = cache.lock("lock").wait("1h").acquire().await.unwrap();
                let from = Instant::now();
                sleep(SECOND).await;
                let token = guard.fencing_token();
                let until = Instant::now();
                guard.release().await.unwrap();
                (token, from, until)
            });
        }
    }
    let mut turns = tasks.join_all().await;
    turns.sort_unstable();
    assert_eq!(turns.len(), 40);
    for pair in turns.windows(2) {
        let ((token, _, until), (next, from, _)) = (pair[0], pair[1]);
        assert!(token < next && until <= from, "{pair:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_shared_tier_that_answers_nobody_has_a_lock() {
    let store = MemoryStore::new();
    let (cache, chaos) = process(&store).await;
    for kind in [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Refused] {
        chaos.down(kind);
        let error = cache.lock("lock").acquire().await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("not taken"), "{error}");
        assert_eq!(cache.lock("lock").try_acquire().await.unwrap_err().kind(), kind);
    }
    chaos.up();
    acquire(&cache).await.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_although_the_answer_was_lost_is_let_go_of() {
    let store = MemoryStore::new();
    let (cache, chaos) = process(&store).await;
    chaos.inject(Fault::lose_reply(ErrorKind::Timeout).on(Operation::AcquireLock).times(1));
    // And the first try to let go of it fails.
    chaos.inject(Fault::fail(ErrorKind::Unavailable).on(Operation::ReleaseLock).times(1));
    assert!(cache.lock("lock").ttl(TTL).acquire().await.is_err());
    assert!(is_taken(&store).await);
    until_free(&store).await;
}

#[tokio::test(start_paused = true)]
async fn locks_are_no_entries() {
    let store = MemoryStore::new();
    let ((one, _), (other, _)) = (process(&store).await, process(&store).await);
    one.set("lock", &1_u8).await.unwrap();
    let guard = acquire(&one).await;
    other.invalidate("lock").await.unwrap();
    other.invalidate_pattern("*").await.unwrap();
    other.clear().await.unwrap();
    assert!(other.lock("lock").try_acquire().await.unwrap().is_none());
    assert!(guard.is_held());
    guard.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn names_are_told_apart_as_keys_are() {
    let (cache, _) = process(&MemoryStore::new()).await;
    let long = "n".repeat(1000);
    let names = ["a", "a:b", "a*", "{}", " ", &format!("{long}1"), &format!("{long}2")];
    let mut guards = Vec::new();
    for name in names {
        guards.push(cache.lock(name).try_acquire().await.unwrap().expect(name));
        assert!(cache.lock(name).try_acquire().await.unwrap().is_none(), "{name}");
    }
    assert_eq!(cache.lock("").acquire().await.unwrap_err().kind(), ErrorKind::Template);
}

#[tokio::test(start_paused = true)]
async fn a_time_that_is_none_is_an_error_that_says_what_to_write() {
    let cache = Cache::memory();
    for (lock, word) in [
        (cache.lock("lock").ttl(Duration::ZERO), ".ttl(\"30s\")"),
        (cache.lock("lock").ttl("0s"), ".ttl(\"30s\")"),
        (cache.lock("lock").ttl("forever"), ".ttl(\"30s\")"),
        (cache.lock("lock").ttl(Duration::MAX), ".ttl(\"30s\")"),
        (cache.lock("lock").ttl(Duration::from_millis(99)), "100 milliseconds"),
        (cache.lock("lock").ttl("soon"), "soon"),
        (cache.lock("lock").wait(Duration::ZERO), ".try_acquire()"),
        (cache.lock("lock").wait("later"), "later"),
    ] {
        let error = lock.acquire().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Template, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}
