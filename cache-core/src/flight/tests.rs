use std::future::{Future, pending, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

type TestFlights = Flights<&'static str, u64, u64>;
const FAR: Duration = Duration::from_secs(60);

fn join(flights: &TestFlights, meta: u64) -> Join<&'static str, u64, u64> {
    flights.join("key", |_| true, || meta)
}

fn lead(flights: &TestFlights, meta: u64) -> Leader<&'static str, u64, u64> {
    leading(join(flights, meta))
}

fn leading(join: Join<&'static str, u64, u64>) -> Leader<&'static str, u64, u64> {
    match join {
        Join::Lead(leader) => leader,
        Join::Wait(_) => panic!("somebody leads already"),
    }
}

fn wait(flights: &TestFlights) -> Waiter<u64, u64> {
    waiting(join(flights, 0))
}

fn waiting(join: Join<&'static str, u64, u64>) -> Waiter<u64, u64> {
    match join {
        Join::Wait(waiter) => waiter,
        Join::Lead(_) => panic!("nobody leads"),
    }
}

/// A waker that counts its calls.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell {
    fn new() -> (std::sync::Arc<Self>, Waker) {
        let bell = std::sync::Arc::new(Self::default());
        (std::sync::Arc::clone(&bell), Waker::from(bell))
    }

    fn rings(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// What the waiter finds without waiting.
fn now(waiter: &mut Waiter<u64, u64>) -> Landing<u64> {
    match poll(pin!(waiter.wait(ready(()))), Waker::noop()) {
        Poll::Ready(landing) => landing,
        Poll::Pending => panic!("the limit was ready"),
    }
}

#[test]
fn the_second_caller_waits_and_gets_what_the_first_one_lands() {
    let flights = TestFlights::new();
    let leader = lead(&flights, 7);
    let mut waiter = wait(&flights);
    assert_eq!(&waiter.flight.meta, &7);
    let (bell, waker) = Bell::new();
    {
        let mut waits = pin!(waiter.wait(pending()));
        assert!(poll(waits.as_mut(), &waker).is_pending());
        leader.land(42);
        assert_eq!(bell.rings(), 1);
        assert_eq!(poll(waits, &waker), Poll::Ready(Landing::Landed(42)));
    }
    assert_eq!(flights.up(), 0);
}

#[test]
fn callers_of_different_keys_do_not_wait_for_each_other() {
    let flights = TestFlights::with_shards(1);
    let _one = leading(flights.join("one", |_| true, || 0));
    let _other = leading(flights.join("other", |_| true, || 0));
}

#[test]
fn a_caller_after_the_landing_leads_a_new_flight() {
    let flights = TestFlights::new();
    lead(&flights, 0).land(1);
    drop(lead(&flights, 0));
}

#[test]
fn a_landing_before_the_first_poll_is_seen() {
    let flights = TestFlights::new();
    let leader = lead(&flights, 0);
    let mut waiter = wait(&flights);
    leader.land(3);
    assert_eq!(now(&mut waiter), Landing::Landed(3));
}

#[test]
fn a_cancelled_leader_makes_exactly_one_waiter_lead_and_the_others_wait_for_it() {
    let flights = TestFlights::new();
    let leader = lead(&flights, 0);
    let mut waiters: Vec<_> = (0..10).map(|_| wait(&flights)).collect();
    drop(leader);
    assert!(waiters.iter_mut().all(|waiter| now(waiter) == Landing::Abandoned));
    let (mut leaders, mut followers) = (Vec::new(), Vec::new());
    for _ in waiters {
        match join(&flights, 1) {
            Join::Lead(leader) => leaders.push(leader),
            Join::Wait(waiter) => followers.push(waiter),
        }
    }
    assert_eq!((leaders.len(), followers.len()), (1, 9));
    leaders.remove(0).land(5);
    assert!(followers.iter_mut().all(|waiter| now(waiter) == Landing::Landed(5)));
}

#[test]
fn a_panicking_leader_fails_its_flight() {
    let flights = TestFlights::new();
    let leader = lead(&flights, 0);
    let mut waiter = wait(&flights);
    let body = std::panic::AssertUnwindSafe(move || {
        let _leader = leader;
        panic!("the body");
    });
    assert!(std::panic::catch_unwind(body).is_err());
    assert_eq!(now(&mut waiter), Landing::Failed);
    assert_eq!(flights.up(), 0);
}

#[test]
fn a_failure_reaches_all_waiters_at_once_and_leaves_no_flight_behind() {
    let flights = TestFlights::new();
    let leader = lead(&flights, 0);
    let mut waiters: Vec<_> = (0..5).map(|_| wait(&flights)).collect();
    leader.fail();
    assert!(waiters.iter_mut().all(|waiter| now(waiter) == Landing::Failed));
    assert_eq!(flights.up(), 0);
}

#[test]
fn a_caller_that_finds_an_outdated_flight_replaces_it() {
    let flights = TestFlights::new();
    let old = lead(&flights, 1);
    let mut before = wait(&flights);
    let new = leading(flights.join("key", |born| *born >= 2, || 2));
    assert!(!old.is_superseded(), "nothing newer is there yet");
    let mut after = waiting(flights.join("key", |born| *born >= 2, || 2));
    old.land(10);
    assert!(!new.is_superseded(), "by what it has replaced");
    assert_eq!(now(&mut before), Landing::Landed(10), "who joined before is still served");
    assert_eq!(now(&mut after), Landing::TimedOut, "who came after never sees it");
    assert_eq!(flights.up(), 1, "the landing of the old flight leaves the new one alone");
    new.land(20);
    assert_eq!(now(&mut after), Landing::Landed(20));
}

#[test]
fn of_many_waiters_that_time_out_one_takes_over_and_the_others_wait_for_it() {
    let flights = TestFlights::new();
    let stuck = lead(&flights, 0);
    let mut late: Vec<_> = (0..1_000).map(|_| wait(&flights)).collect();
    assert!(late.iter_mut().all(|waiter| now(waiter) == Landing::TimedOut));
    let (mut leaders, mut followers) = (Vec::new(), Vec::new());
    for waiter in &late {
        match flights.take_over("key", waiter, |_| true, || 1) {
            Join::Lead(leader) => leaders.push(leader),
            Join::Wait(waiter) => followers.push(waiter),
        }
    }
    assert_eq!((leaders.len(), followers.len()), (1, 999));
    assert!(!stuck.is_superseded());
    leaders.remove(0).land(8);
    assert!(stuck.is_superseded());
    assert!(followers.iter_mut().all(|waiter| now(waiter) == Landing::Landed(8)));
    stuck.land(9);
    assert_eq!(flights.up(), 0);
}

#[test]
fn a_take_over_joins_no_flight_that_is_outdated_itself() {
    let flights = TestFlights::new();
    let first = lead(&flights, 1);
    let late = wait(&flights);
    let second = leading(flights.join("key", |_| false, || 2));
    let third = leading(flights.take_over("key", &late, |born| *born >= 3, || 3));
    assert_eq!(third.meta(), &3);
    drop(third);
    assert!(first.is_superseded() && second.is_superseded(), "by the last one, however it ended");
}

#[test]
fn a_take_over_of_a_flight_that_has_just_landed_takes_its_value() {
    let flights = TestFlights::new();
    let leader = lead(&flights, 0);
    let mut waiter = wait(&flights);
    assert_eq!(now(&mut waiter), Landing::TimedOut);
    leader.land(4);
    let mut again = waiting(flights.take_over("key", &waiter, |_| true, || 1));
    assert_eq!(now(&mut again), Landing::Landed(4));
}

#[test]
fn a_cancelled_waiter_disturbs_nobody_and_gives_its_place_back() {
    let flights = TestFlights::new();
    let leader = lead(&flights, 0);
    let (mut stays, mut leaves) = (wait(&flights), wait(&flights));
    let (bell, waker) = Bell::new();
    let (quiet, other) = Bell::new();
    assert!(poll(pin!(leaves.wait(pending())), &other).is_pending());
    let mut stays = pin!(stays.wait(pending()));
    assert!(poll(stays.as_mut(), &waker).is_pending());
    let flight = Arc::clone(&leaves.flight);
    assert_eq!(flight.waiting(), 2);
    drop(leaves);
    assert_eq!(flight.waiting(), 1);
    let mut comes = wait(&flights);
    assert!(poll(pin!(comes.wait(pending())), &waker).is_pending());
    leader.land(6);
    assert_eq!((bell.rings(), quiet.rings()), (2, 0));
    assert_eq!(poll(stays, &waker), Poll::Ready(Landing::Landed(6)));
    assert_eq!(now(&mut comes), Landing::Landed(6));
}

#[test]
fn a_waiter_that_moved_to_another_task_is_woken_there() {
    let flights = TestFlights::new();
    let leader = lead(&flights, 0);
    let mut waiter = wait(&flights);
    let mut waits = pin!(waiter.wait(pending()));
    let ((before, first), (after, second)) = (Bell::new(), Bell::new());
    assert!(poll(waits.as_mut(), &first).is_pending());
    assert!(poll(waits.as_mut(), &second).is_pending(), "polled again without cause");
    leader.land(1);
    assert_eq!((before.rings(), after.rings()), (0, 1));
}

/// Looks at the flight when it is woken or dropped, as a task might that is destroyed there.
struct Nosy(std::sync::Arc<TestFlights>, AtomicUsize);

impl Nosy {
    fn look(&self) {
        if let Join::Wait(mut waiter) = join(&self.0, 0) {
            now(&mut waiter);
        }
    }
}

impl Wake for Nosy {
    fn wake(self: std::sync::Arc<Self>) {
        self.look();
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.look();
    }
}

#[test]
fn no_lock_is_held_while_a_waker_is_called_or_dropped() {
    let flights = std::sync::Arc::new(TestFlights::with_shards(1));
    let leader = lead(&flights, 0);
    let mut waiter = wait(&flights);
    let nosy = || std::sync::Arc::new(Nosy(std::sync::Arc::clone(&flights), AtomicUsize::new(0)));
    {
        let mut waits = pin!(waiter.wait(pending()));
        assert!(poll(waits.as_mut(), &Waker::from(nosy())).is_pending());
        let second = nosy();
        // Replaces the first waker, whose last clone is dropped here.
        assert!(poll(waits.as_mut(), &Waker::from(std::sync::Arc::clone(&second))).is_pending());
        leader.land(1);
        assert_eq!(second.1.load(Ordering::SeqCst), 1);
        assert!(poll(waits, &Waker::from(second)).is_ready());
    }
    let leader = lead(&flights, 0);
    let mut waiter = wait(&flights);
    assert!(poll(pin!(waiter.wait(pending())), &Waker::from(nosy())).is_pending());
    drop(waiter);
    leader.fail();
}

#[test]
fn a_blocked_thread_and_a_task_share_one_flight() {
    let flights = TestFlights::new();
    let leader = lead(&flights, 0);
    let mut task = wait(&flights);
    let mut blocked = wait(&flights);
    let flight = Arc::clone(&blocked.flight);
    thread::scope(|scope| {
        let thread = scope.spawn(move || blocked.wait_sync(Instant::now() + FAR));
        while flight.waiting() == 0 {
            thread::yield_now();
        }
        leader.land(11);
        assert_eq!(thread.join().unwrap(), Landing::Landed(11));
    });
    assert_eq!(now(&mut task), Landing::Landed(11));
}

#[test]
fn a_blocked_thread_stops_waiting_at_its_deadline() {
    let flights = TestFlights::new();
    let _leader = lead(&flights, 0);
    let mut waiter = wait(&flights);
    thread::current().unpark(); // a wake-up that means nothing
    let deadline = Instant::now() + Duration::from_millis(20);
    assert_eq!(waiter.wait_sync(deadline), Landing::TimedOut);
    assert!(Instant::now() >= deadline);
}

#[tokio::test(start_paused = true)]
async fn a_task_stops_waiting_when_its_limit_is_ready() {
    let flights = TestFlights::new();
    let leader = lead(&flights, 0);
    let mut waiter = wait(&flights);
    let began = tokio::time::Instant::now();
    let limit = Duration::from_secs(5);
    assert_eq!(waiter.wait(tokio::time::sleep(limit)).await, Landing::TimedOut);
    assert_eq!(began.elapsed(), limit);
    leader.land(2);
    assert_eq!(waiter.wait(pending()).await, Landing::Landed(2), "it may wait again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_on_one_key_run_the_body_once() {
    let flights = std::sync::Arc::new(TestFlights::new());
    let runs = std::sync::Arc::new(AtomicUsize::new(0));
    let caller = |_| {
        let (flights, runs) = (std::sync::Arc::clone(&flights), std::sync::Arc::clone(&runs));
        async move {
            match join(&flights, 0) {
                Join::Lead(leader) => {
                    runs.fetch_add(1, Ordering::SeqCst);
                    while leader.flight.waiting() < 999 {
                        tokio::task::yield_now().await;
                    }
                    leader.land(77);
                    Landing::Landed(77)
                }
                Join::Wait(mut waiter) => waiter.wait(pending()).await,
            }
        }
    };
    let tasks: Vec<_> = (0..1_000).map(caller).map(tokio::spawn).collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Landing::Landed(77));
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}
