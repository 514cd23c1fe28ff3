//! Scenes about single flight, alone and together with fences.

use std::future::{Future, pending, ready};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use loom::thread;

use crate::explore;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, Parker, lock, while_panicking};

use super::fence::{Fence, Fences, Limits};
use super::flight::{Flights, Join, Landing, Leader, Waiter};

const KEY: u8 = 1;

type Plain = Flights<u8, (), u64>;

/// How the first leader ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// With a value.
    Lands,
    /// Its future is dropped.
    IsCancelled,
    /// Its body panics.
    Panics,
    /// Its body fails with an error that cannot be shared.
    Fails,
}

impl End {
    fn of(self, leader: Leader<u8, (), u64>) {
        match self {
            Self::Lands => leader.land(1),
            Self::IsCancelled => drop(leader),
            Self::Panics => while_panicking(|| drop(leader)),
            Self::Fails => leader.fail(),
        }
    }

    fn landing(self) -> Landing<u64> {
        match self {
            Self::Lands => Landing::Landed(1),
            Self::IsCancelled => Landing::Abandoned,
            Self::Panics | Self::Fails => Landing::Failed,
        }
    }
}

fn join(flights: &Plain) -> Join<u8, (), u64> {
    flights.join(KEY, |()| true, || ())
}

fn lead(flights: &Plain) -> Leader<u8, (), u64> {
    match join(flights) {
        Join::Lead(leader) => leader,
        Join::Wait(_) => panic!("a flight was left behind"),
    }
}

fn wait(flights: &Plain) -> Waiter<(), u64> {
    match join(flights) {
        Join::Wait(waiter) => waiter,
        Join::Lead(_) => panic!("the flight is not found"),
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::new();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(parker.waker()))
        {
            return output;
        }
        parker.park(far());
    }
}

/// Two waiters, a task that has joined and a thread that may come too late, and a leader that ends somehow.
pub fn every_waiter_learns_how_the_flight_ended(end: End) {
    explore(3, move || {
        let flights = Arc::new(Plain::with_shards(1));
        let leader = lead(&flights);
        let mut joined = wait(&flights);
        let task =
            thread::spawn(move || assert_eq!(block_on(joined.wait(pending())), end.landing()));
        let late = Arc::clone(&flights);
        let blocked = thread::spawn(move || match join(&late) {
            Join::Wait(mut waiter) => assert_eq!(waiter.wait_sync(far()), end.landing()),
            Join::Lead(leader) => leader.land(2),
        });
        end.of(leader);
        task.join().unwrap();
        blocked.join().unwrap();
        drop(lead(&flights));
    });
}

/// A caller comes while a leader lands that nobody waits for by then.
pub fn a_caller_comes_while_a_leader_lands_alone() {
    explore(3, || {
        let flights = Arc::new(Plain::with_shards(1));
        let leader = lead(&flights);
        let late = Arc::clone(&flights);
        let caller = thread::spawn(move || match join(&late) {
            Join::Wait(mut waiter) => assert_eq!(landed(waiter.wait_sync(far())), 1),
            Join::Lead(leader) => leader.land(2),
        });
        leader.land(1);
        caller.join().unwrap();
        drop(lead(&flights));
    });
}

/// Counts those who lead at the same time.
#[derive(Default)]
struct Cockpit(AtomicU64);

impl Cockpit {
    fn fly(&self, leader: Leader<u8, (), u64>, value: u64) -> u64 {
        assert_eq!(self.0.fetch_add(1, Ordering::SeqCst), 0, "two lead at once");
        self.0.fetch_sub(1, Ordering::SeqCst);
        leader.land(value);
        value
    }
}

/// The leader is cancelled; of two waiters one leads next, and never both at once.
pub fn one_waiter_follows_a_cancelled_leader() {
    explore(3, || {
        let flights = Arc::new(Plain::with_shards(1));
        let cockpit = Arc::new(Cockpit::default());
        let leader = lead(&flights);
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let (flights, cockpit) = (Arc::clone(&flights), Arc::clone(&cockpit));
                let mut waiter = wait(&flights);
                thread::spawn(move || {
                    assert_eq!(waiter.wait_sync(far()), Landing::Abandoned);
                    match join(&flights) {
                        Join::Lead(leader) => cockpit.fly(leader, 2),
                        Join::Wait(mut next) => landed(next.wait_sync(far())),
                    }
                })
            })
            .collect();
        drop(leader);
        for caller in callers {
            assert_eq!(caller.join().unwrap(), 2);
        }
        drop(lead(&flights));
    });
}

fn landed(landing: Landing<u64>) -> u64 {
    match landing {
        Landing::Landed(value) => value,
        other => panic!("not landed: {other:?}"),
    }
}

/// One waiter is cancelled, and its place used again, while another waits.
pub fn a_cancelled_waiter_beside_one_that_waits() {
    explore(3, || {
        let flights = Arc::new(Plain::with_shards(1));
        let leader = lead(&flights);
        let (mut stays, mut leaves, mut comes) = (wait(&flights), wait(&flights), wait(&flights));
        let staying = thread::spawn(move || assert_eq!(landed(stays.wait_sync(far())), 1));
        let leaving = thread::spawn(move || {
            block_on(leaves.wait(ready(())));
            drop(leaves);
            assert_eq!(landed(comes.wait_sync(far())), 1);
        });
        leader.land(1);
        staying.join().unwrap();
        leaving.join().unwrap();
    });
}

/// Two waiters have timed out and take over, while the leader they waited for lands after all.
pub fn two_take_overs_and_a_late_landing() {
    explore(3, || {
        let flights = Arc::new(Plain::with_shards(1));
        let cockpit = Arc::new(Cockpit::default());
        let stuck = lead(&flights);
        let callers = [wait(&flights), wait(&flights)].map(|late| {
            let (flights, cockpit) = (Arc::clone(&flights), Arc::clone(&cockpit));
            thread::spawn(move || take_over(&flights, &late, &cockpit))
        });
        stuck.land(1);
        for caller in callers {
            assert!(matches!(caller.join().unwrap(), 1 | 2));
        }
        drop(lead(&flights));
    });
}

/// Two waiters take over from a leader that never lands: one leads, the other gets its value.
pub fn two_take_overs_of_a_leader_that_never_lands() {
    explore(3, || {
        let flights = Arc::new(Plain::with_shards(1));
        let cockpit = Arc::new(Cockpit::default());
        let stuck = lead(&flights);
        let (first, second) = (wait(&flights), wait(&flights));
        let (there, flying) = (Arc::clone(&flights), Arc::clone(&cockpit));
        let caller = thread::spawn(move || take_over(&there, &first, &flying));
        assert_eq!(take_over(&flights, &second, &cockpit), 2);
        assert_eq!(caller.join().unwrap(), 2);
        assert!(stuck.is_superseded(), "a flight that was taken over does not know");
    });
}

fn take_over(flights: &Plain, late: &Waiter<(), u64>, cockpit: &Cockpit) -> u64 {
    match flights.take_over(KEY, late, |()| true, || ()) {
        Join::Lead(leader) => cockpit.fly(leader, 2),
        Join::Wait(mut next) => landed(next.wait_sync(far())),
    }
}

/// A cache in small: one key, a memory tier, a source that is read without any ordering of its own.
struct World {
    fences: Fences,
    flights: Flights<u8, Fence, Filled>,
    memory: Mutex<Option<Filled>>,
    source: AtomicU64,
    /// Tags that only the value tells.
    learned: &'static [&'static str],
}

/// A value and the fence it was stored with, which is what a flight lands.
type Filled = (u64, Arc<Fence>);

const HASH: u64 = 1;
const TEXT: &str = "user:1";
const OLD: u64 = 0;
const NEW: u64 = 1;

impl World {
    fn new(learned: &'static [&'static str]) -> Arc<Self> {
        let limits = Limits { shards: 1, keys: 4, tags: 4, patterns: 4 };
        Arc::new(Self {
            fences: Fences::with_limits(limits),
            flights: Flights::with_shards(1),
            memory: Mutex::new(None),
            source: AtomicU64::new(OLD),
            learned,
        })
    }

    fn read(&self, checks_what_landed: bool) -> u64 {
        let hit = lock(&self.memory).clone();
        if let Some((value, _)) = hit.filter(|(_, fence)| self.fences.is_live(TEXT, fence)) {
            return value;
        }
        loop {
            let current = |fence: &Fence| self.fences.is_current(HASH, TEXT, fence);
            let begin = || self.fences.fence(self.fences.now(), &[] as &[&str]);
            let mut waiter = match self.flights.join(KEY, current, begin) {
                Join::Lead(leader) => return self.load(leader),
                Join::Wait(waiter) => waiter,
            };
            let Landing::Landed((value, fence)) = waiter.wait_sync(far()) else {
                unreachable!("every leader lands")
            };
            if !checks_what_landed || current(&fence) {
                return value;
            }
        }
    }

    fn load(&self, leader: Leader<u8, Fence, Filled>) -> u64 {
        let value = self.source.load(Ordering::Relaxed);
        let fence = Arc::new(leader.meta().clone().with_tags(&self.fences, self.learned));
        let filled = (value, Arc::clone(&fence));
        let insert = || *lock(&self.memory) = Some(filled.clone());
        self.fences.admit(HASH, TEXT, &fence, insert);
        leader.land((value, fence));
        value
    }

    fn change(&self) {
        self.source.store(NEW, Ordering::Relaxed);
        if self.learned.is_empty() {
            drop(self.fences.invalidate_key(HASH, || lock(&self.memory).take()));
        } else {
            self.learned.iter().for_each(|tag| self.fences.invalidate_tag(tag));
        }
    }
}

/// Readers run while the source changes and the key is invalidated. Whoever reads afterwards gets the new value: from
/// memory, from a flight, or by a load. That a flight is joinable is enough: all it depends on is known beforehand.
pub fn nobody_who_comes_after_an_invalidation_gets_the_old_value() {
    readers_while_the_source_changes(2, &[], false);
}

/// The same with a tag that is not known before the load: the flight looks current to whoever joins it, so a waiter must
/// check the fence that lands with the value.
pub fn a_waiter_checks_the_tags_that_were_learned(checks_what_landed: bool) {
    readers_while_the_source_changes(1, &["tag"], checks_what_landed);
}

fn readers_while_the_source_changes(
    readers: usize,
    learned: &'static [&'static str],
    checks_what_landed: bool,
) {
    explore(2, move || {
        let world = World::new(learned);
        let reader = |_| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.read(checks_what_landed))
        };
        let readers: Vec<_> = (0..readers).map(reader).collect();
        world.change();
        assert_eq!(world.read(checks_what_landed), NEW, "an old value after its invalidation");
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(world.read(checks_what_landed), NEW, "an old value was kept");
    });
}
