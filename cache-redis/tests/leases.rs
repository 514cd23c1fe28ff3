//! Single flight across processes: leases, and waiting for their end.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::{sync::Arc, time::Duration};

use cache_redis::RedisStore;
use cache_store::{Claim, ClaimOutcome, Fill, Invalidation, Lease, Nonce, Store};
use common::*;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

const LONG: Duration = Duration::from_secs(20);

async fn acquire(store: &RedisStore, key: &str, lease: Lease) -> Nonce {
    let claimed = store.claim(Claim { lease: Some(lease), ..claim(key) }).await.unwrap();
    nonce_of(&claimed)
}

/// Waits on a task of its own; the answer is how long.
fn wait(store: &Arc<RedisStore>, key: &'static str, at_most: Duration) -> JoinHandle<Duration> {
    let (store, since) = (Arc::clone(store), Instant::now());
    tokio::spawn(async move {
        store.lease_ended(key, at_most).await;
        since.elapsed()
    })
}

/// How many requests for the lease's state the server has answered.
fn looks(server: &Server) -> u64 {
    server.calls("mget")
}

fn wait_for_looks(server: &Server, count: u64) {
    common::server::wait_until("the waiter has looked", || looks(server) >= count);
}

async fn within_patience(waiting: JoinHandle<Duration>) -> Duration {
    timeout(Duration::from_secs(10), waiting).await.expect("still waiting").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_gets_the_lease_and_the_other_learns_how_long_it_lasts() {
    let (_server, store) = start().await;
    acquire(&store, "a", lease(60_000)).await;
    let other = Claim { lease: Some(lease(60_000)), ..claim("a") };
    let ClaimOutcome::Held(left) = store.claim(other).await.unwrap().outcome else {
        panic!("not held")
    };
    assert!(left > Duration::from_secs(50) && left <= Duration::from_secs(60), "{left:?}");
    // Whoever wants no lease loads regardless, and leaves the holder's alone.
    let nonce = nonce_of(&store.claim(claim("a")).await.unwrap());
    assert!(store.fill(fill("a", nonce, &stored(nonce, "body"))).await.unwrap());
    assert_eq!(_server.ask(&["EXISTS", "l:{cache:k:a}"]), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fill_gives_the_lease_back() {
    let (server, store) = start().await;
    let mine = lease(60_000);
    let nonce = acquire(&store, "a", mine).await;
    let value = stored(nonce, "body");
    assert!(
        store.fill(Fill { token: Some(mine.token), ..fill("a", nonce, &value) }).await.unwrap()
    );
    assert_eq!(server.ask(&["EXISTS", "l:{cache:k:a}"]), "0");
    assert_eq!(get(&store, "a").await.as_deref(), Some("body"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_stalled_past_its_lease_cannot_overwrite_what_its_successor_stored() {
    let (_server, store) = start().await;
    let (stalled, successor) = (lease(20), lease(60_000));
    let nonce = acquire(&store, "a", stalled).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(acquire(&store, "a", successor).await, nonce);
    let (old, new) = (stored(nonce, "old"), stored(nonce, "new"));
    let late = Fill { token: Some(stalled.token), ..fill("a", nonce, &old) };
    assert!(!store.fill(late).await.unwrap());
    let fresh = Fill { token: Some(successor.token), ..fill("a", nonce, &new) };
    assert!(store.fill(fresh).await.unwrap());
    assert!(!store.fill(late).await.unwrap());
    assert_eq!(get(&store, "a").await.as_deref(), Some("new"));
    assert!(!store.renew("a", nonce, stalled).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_token_asked_twice_gets_its_own_lease() {
    let (_server, store) = start().await;
    let mine = lease(60_000);
    assert_eq!(acquire(&store, "a", mine).await, acquire(&store, "a", mine).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_prolonged_and_given_back_only_by_its_holder() {
    let (server, store) = start().await;
    let (mine, other) = (lease(5_000), lease(5_000));
    let nonce = acquire(&store, "a", mine).await;
    let longer = Lease { life: Duration::from_secs(60), ..mine };
    assert!(store.renew("a", nonce, longer).await.unwrap());
    assert!(server.ask(&["PTTL", "l:{cache:k:a}"]).parse::<u64>().unwrap() > 50_000);
    assert!(!store.renew("a", nonce, other).await.unwrap());
    store.release("a", nonce, other.token).await.unwrap();
    assert_eq!(server.ask(&["EXISTS", "l:{cache:k:a}"]), "1");
    store.release("a", nonce, mine.token).await.unwrap();
    assert_eq!(server.ask(&["EXISTS", "l:{cache:k:a}"]), "0");
    assert!(!store.renew("a", nonce, mine).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalidated_key_has_a_new_flight_although_the_old_lease_still_runs() {
    let (_server, store) = start().await;
    let old = lease(60_000);
    let before = acquire(&store, "a", old).await;
    store.invalidate(&Invalidation::Keys(vec!["a".to_owned()])).await.unwrap();
    let new = lease(60_000);
    let after = acquire(&store, "a", new).await;
    assert_ne!(before, after);
    let value = stored(before, "old");
    assert!(
        !store.fill(Fill { token: Some(old.token), ..fill("a", before, &value) }).await.unwrap()
    );
    store.release("a", before, old.token).await.unwrap();
    assert!(store.renew("a", after, new).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_for_no_lease_ends_at_once() {
    let (_server, store) = start().await;
    assert!(within_patience(wait(&store, "a", LONG)).await < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiters_in_two_processes_wake_by_push_and_ask_the_server_once_before_and_once_after() {
    let (server, holder) = start().await;
    let (one, two) = (connect(&server).await, connect(&server).await);
    let mine = lease(60_000);
    let nonce = acquire(&holder, "a", mine).await;
    let waiting = [wait(&one, "a", LONG), wait(&two, "a", LONG)];
    wait_for_looks(&server, 2);
    // Long enough for somebody who polls to be seen.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(looks(&server), 2, "somebody polls");
    let value = stored(nonce, "body");
    let since = Instant::now();
    assert!(
        holder.fill(Fill { token: Some(mine.token), ..fill("a", nonce, &value) }).await.unwrap()
    );
    for waiter in waiting {
        within_patience(waiter).await;
    }
    assert!(since.elapsed() < Duration::from_millis(500), "{:?}", since.elapsed());
    assert_eq!(looks(&server), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_lease_keeps_its_waiters_waiting() {
    let (server, store) = start().await;
    let mine = lease(60_000);
    let nonce = acquire(&store, "a", mine).await;
    let waiting = wait(&store, "a", LONG);
    for looks in 1..4 {
        wait_for_looks(&server, looks);
        assert!(store.renew("a", nonce, mine).await.unwrap());
    }
    wait_for_looks(&server, 4);
    assert!(!waiting.is_finished());
    store.release("a", nonce, mine.token).await.unwrap();
    within_patience(waiting).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_of_a_dead_holder_ends_by_itself() {
    let (_server, store) = start().await;
    acquire(&store, "a", lease(150)).await;
    let waited = within_patience(wait(&store, "a", LONG)).await;
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    acquire(&store, "a", lease(150)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_does_not_wait_for_the_lease_of_an_invalidated_key() {
    let (server, store) = start().await;
    acquire(&store, "a", lease(60_000)).await;
    let waiting = wait(&store, "a", LONG);
    wait_for_looks(&server, 1);
    store.invalidate(&Invalidation::Keys(vec!["a".to_owned()])).await.unwrap();
    within_patience(waiting).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_of_an_older_nonce_is_not_waited_for() {
    let (_server, store) = start().await;
    acquire(&store, "a", lease(60_000)).await;
    store.invalidate(&Invalidation::Keys(vec!["a".to_owned()])).await.unwrap();
    nonce_of(&store.claim(claim("a")).await.unwrap());
    within_patience(wait(&store, "a", LONG)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_does_not_wait_for_the_next_holder() {
    let (server, store) = start().await;
    let (first, second) = (lease(60_000), lease(60_000));
    let nonce = acquire(&store, "a", first).await;
    let waiting = wait(&store, "a", LONG);
    wait_for_looks(&server, 1);
    let next = [nonce.as_bytes().as_slice(), second.token.as_bytes()].concat();
    server.ask_bytes(&[b"SET", b"l:{cache:k:a}", &next, b"PX", b"60000"]);
    within_patience(waiting).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_is_bounded() {
    let (_server, store) = start().await;
    acquire(&store, "a", lease(60_000)).await;
    let waited = within_patience(wait(&store, "a", Duration::from_millis(100))).await;
    assert!(waited >= Duration::from_millis(100) && waited < Duration::from_secs(5), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_whose_push_connection_was_cut_still_hears_of_the_end() {
    let (server, store) = start().await;
    let mine = lease(60_000);
    let nonce = acquire(&store, "a", mine).await;
    let waiting = wait(&store, "a", LONG);
    wait_for_looks(&server, 1);
    server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
    wait_for_looks(&server, 2);
    let released = loop {
        if store.release("a", nonce, mine.token).await.is_ok() {
            break Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    within_patience(waiting).await;
    assert!(released.elapsed() < Duration::from_secs(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_track_waits_with_growing_pauses() {
    let (server, holder) = start().await;
    let rules = ["ACL", "SETUSER", "app", "on", ">pass", "~*", "+@all", "-client|tracking"];
    assert_eq!(server.ask(&rules), "OK");
    let url = format!("redis://app:pass@{}", server.address());
    let store = RedisStore::connect(config(&url)).await.unwrap();
    let mine = lease(60_000);
    let nonce = acquire(&holder, "a", mine).await;
    let waiting = wait(&store, "a", LONG);
    wait_for_looks(&server, 2);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(looks(&server) < 12, "{} looks", looks(&server));
    holder.release("a", nonce, mine.token).await.unwrap();
    assert!(within_patience(waiting).await < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_whose_server_is_gone_goes_on() {
    let (mut server, store) = start().await;
    acquire(&store, "a", lease(60_000)).await;
    let waiting = wait(&store, "a", LONG);
    wait_for_looks(&server, 1);
    server.kill();
    assert!(within_patience(waiting).await < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_wakes_all_waiters() {
    let (server, store) = start().await;
    acquire(&store, "a", lease(60_000)).await;
    let waiting = wait(&store, "a", LONG);
    wait_for_looks(&server, 1);
    server.ask(&["FLUSHALL"]);
    let since = Instant::now();
    within_patience(waiting).await;
    // Sooner than somebody who was not told would have looked.
    assert!(since.elapsed() < Duration::from_millis(1_500), "{:?}", since.elapsed());
}

/// The scripts are known, and nobody holds a lease.
async fn load_once(store: &RedisStore) {
    let mine = lease(60_000);
    let nonce = acquire(store, "first", mine).await;
    store.release("first", nonce, mine.token).await.unwrap();
}

/// Longer than the test has patience for.
fn long(key: &str) -> Claim<'_> {
    Claim { lease: Some(lease(600_000)), ..claim(key) }
}

/// The server has set so many keys, two for each claim that got a lease, and nobody holds these any more.
fn are_taken_back(server: &Server, sets: u64, keys: &[&str]) {
    common::server::wait_until("the leases were given", || server.calls("set") >= sets);
    common::server::wait_until("the leases are taken back", || {
        let held = |key: &&str| server.ask(&["EXISTS", &format!("l:{{cache:k:{key}}}")]) != "0";
        !keys.iter().any(held)
    });
}

// Guard: cache-redis/src/withdraw.rs, what was asked for and is not known to stand is taken back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_of_a_claim_whose_caller_went_away_is_taken_back() {
    let (server, store) = start().await;
    load_once(&store).await;
    let before = server.calls("set");
    server.freeze();
    let claimed = timeout(Duration::from_millis(50), store.claim(long("a"))).await;
    assert!(claimed.is_err(), "nobody answers");
    let many = [long("b"), long("c")];
    let claimed = timeout(Duration::from_millis(50), store.claim_many(&many)).await;
    assert!(claimed.is_err(), "nobody answers");
    server.thaw();
    are_taken_back(&server, before + 6, &["a", "b", "c"]);
    let other = connect(&server).await;
    acquire(&other, "a", lease(60_000)).await;
}

// Guard: as above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_of_a_claim_that_was_not_answered_in_time_is_taken_back() {
    let server = Server::start(&[]);
    let hasty = config(&server.url()).deadline(Duration::from_millis(100));
    let store = RedisStore::connect(hasty).await.unwrap();
    load_once(&store).await;
    let before = server.calls("set");
    server.freeze();
    store.claim(long("a")).await.unwrap_err();
    server.thaw();
    are_taken_back(&server, before + 2, &["a"]);
}

// Guard: cache-redis/src/steps.rs, what could not be given back is taken back later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_was_given_back_while_the_server_was_away_does_not_outlive_the_outage() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = RedisStore::connect(config(&server.url())).await.unwrap();
    let [failed, left] = [lease(600_000), lease(600_000)];
    let nonces = [acquire(&store, "a", failed).await, acquire(&store, "b", left).await];
    server.freeze();
    let leaving = store.release("b", nonces[1], left.token);
    assert!(timeout(Duration::from_millis(50), leaving).await.is_err(), "nobody answers");
    server.kill();
    store.release("a", nonces[0], failed.token).await.unwrap_err();
    server.restart();
    common::server::wait_until("they are taken back", || {
        server.ask(&["EXISTS", "l:{cache:k:a}", "l:{cache:k:b}"]) == "0"
    });
    // It has kept what it was told.
    assert_eq!(server.ask(&["EXISTS", "d:{cache:k:a}"]), "1");
}

// Guard: cache-redis/src/scripts/unlease.lua, the token is compared; steps.rs, an answered claim's lease stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_is_nobody_else_s_lease() {
    let (server, store) = start().await;
    let stands = lease(60_000);
    let nonce = acquire(&store, "a", stands).await;
    server.ask(&["SET", "d:{cache}", "no log"]);
    let before = server.calls("set");
    // The key's part says that another one holds it; the namespace's part fails, so that it is taken back.
    store.claim(long("a")).await.unwrap_err();
    store.claim(long("b")).await.unwrap_err();
    server.ask(&["DEL", "d:{cache}"]);
    // They are taken back in their order.
    are_taken_back(&server, before + 2, &["b"]);
    assert!(store.renew("a", nonce, stands).await.unwrap());
}
