//! Invalidations that the shared tier has not confirmed are repeated until it does.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cache_store::Invalidation;
use cache_template::Glob;

use super::Engine;
use crate::{
    events::{Announcement, Event, Origin},
    stats::Counter,
};

/// More than this many and they are replaced by one that covers them all.
const MOST: usize = 1024;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The invalidations to repeat.
#[derive(Debug, Default)]
pub(super) struct Replay {
    queue: Mutex<Queue>,
    /// How many there are, for reads, which find none most of the time.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Waiting {
    what: Arc<Invalidation>,
    since: Instant,
    announcement: Arc<Announcement>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// The one that the shared tier is being told. An equal one that comes meanwhile waits beside it: this one may have
    /// taken effect before the change that the other one is about.
    sent: Option<Waiting>,
    running: bool,
}

impl Waiting {
    fn new(what: Invalidation, announcement: Arc<Announcement>) -> Self {
        Self { what: Arc::new(what), since: Instant::now(), announcement }
    }
}

impl Queue {
    fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.sent.is_some())
    }

    fn push(&mut self, new: Waiting) -> bool {
        let known = self.waiting.iter().any(|waiting| waiting.what == new.what);
        if !known {
            self.waiting.push_back(new);
        }
        !known
    }

    fn send_next(&mut self) -> Option<Arc<Invalidation>> {
        self.sent = self.waiting.pop_front();
        self.running = self.sent.is_some();
        self.sent.as_ref().map(|sent| Arc::clone(&sent.what))
    }

    /// Puts the one that failed behind the others: what the shared tier refuses for good must not hold them up.
    fn put_back(&mut self) {
        if let Some(failed) = self.sent.take() {
            self.push(failed);
        }
    }
}

impl Replay {
    /// Changes the queue.
    fn with<R>(&self, change: impl FnOnce(&mut Queue) -> R) -> R {
        // Nothing panics while the queue is locked, and a queue is whole at every step.
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let done = change(&mut queue);
        self.count.store(queue.len(), Ordering::Release);
        done
    }
}

impl Engine {
    /// Queues an invalidation that the shared tier did not confirm, before or after it is told.
    pub(super) fn replay(self: &Arc<Self>, what: Invalidation, announcement: Arc<Announcement>) {
        let all = Announcement::new(Origin::Replay);
        let too_many = self.replay.with(|queue| {
            if queue.waiting.len() < MOST {
                if queue.push(Waiting::new(what, announcement)) {
                    self.counters.count(Counter::ReplayQueued);
                }
                return false;
            }
            // Clearing everything is coarser than what was asked for, and never wrong.
            let instead = Waiting::new(Invalidation::All, Arc::clone(&all));
            self.tell_dropped(queue.waiting.drain(..).collect(), &instead.what);
            queue.push(instead)
        });
        if too_many {
            self.mark(&Invalidation::All);
            self.events.announce(&all, &Invalidation::All);
        }
        if !self.replay.with(|queue| std::mem::replace(&mut queue.running, true)) {
            match self.runtime() {
                Ok(runtime) => drop(runtime.spawn(repeat(Arc::downgrade(self)))),
                Err(_) => self.replay.with(|queue| queue.running = false),
            }
        }
    }

    fn tell_dropped(&self, dropped: Vec<Waiting>, instead: &Arc<Invalidation>) {
        self.counters.add(Counter::ReplayDropped, dropped.len() as u64);
        self.events.tell(|| Event::ReplayDropped {
            what: dropped.into_iter().map(|waiting| waiting.what).collect(),
            instead: Arc::clone(instead),
        });
    }

    /// How many invalidations wait for the shared tier.
    pub(crate) fn waiting(&self) -> usize {
        self.replay.count.load(Ordering::Acquire)
    }

    /// The invalidations that the shared tier has still to be told. Until then what it holds of them is not served in this
    /// process; ask *before* it is read, for it may be told between its answer and the look at it.
    pub(super) fn unconfirmed(&self) -> Unconfirmed {
        if self.waiting() == 0 {
            return Unconfirmed::default();
        }
        let all = |queue: &mut Queue| {
            queue.sent.iter().chain(&queue.waiting).map(|one| Arc::clone(&one.what)).collect()
        };
        Unconfirmed(self.replay.with(all))
    }

    /// The oldest one, or `None` and the end of the task that repeats them.
    fn next(&self) -> Option<Arc<Invalidation>> {
        self.replay.with(Queue::send_next)
    }

    fn confirmed(&self, what: &Arc<Invalidation>) {
        // Whatever was promoted from the shared tier before it confirmed may be old: it goes before the queue says that
        // nothing waits.
        self.mark(what);
        self.session.recent.remember(Invalidation::clone(what), self.now());
        let done = self.replay.with(|queue| queue.sent.take());
        self.counters.count(Counter::ReplayDone);
        if let Some(done) = &done {
            self.events.announce(&done.announcement, what);
        }
        let waited = done.map_or(Duration::ZERO, |done| done.since.elapsed());
        self.events.tell(|| Event::Replayed { what: Arc::clone(what), waited });
        self.background.quiet.notify_waiters();
    }
}

/// What the shared tier had still to be told at some time.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed(Vec<Arc<Invalidation>>);

impl Unconfirmed {
    /// Whether one of them is like this.
    pub(super) fn any(&self, is: impl Fn(&Invalidation) -> bool) -> bool {
        self.0.iter().any(|what| is(what))
    }

    /// Whether one of them reaches an entry with this key and these tags.
    pub(super) fn cover<'t>(&self, key: &str, tags: impl Iterator<Item = &'t str>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let tags: Vec<&str> = tags.collect();
        self.0.iter().any(|what| covers(what, key, &tags))
    }
}

/// Whether the invalidation reaches an entry with this key and these tags.
fn covers(what: &Invalidation, key: &str, tags: &[&str]) -> bool {
    match what {
        Invalidation::Keys(keys) => keys.iter().any(|one| one == key),
        Invalidation::Tags(some) => some.iter().any(|one| tags.contains(&one.as_str())),
        Invalidation::AllOf(all) => all.iter().all(|one| tags.contains(&one.as_str())),
        Invalidation::Pattern(glob) => Glob::parse(glob).map_or(true, |glob| glob.matches(key)),
        Invalidation::All => true,
    }
}

async fn repeat(engine: Weak<Engine>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(engine) = engine.upgrade() else { return };
        let Some(what) = engine.next() else { return };
        let Some(store) = engine.shared.clone() else { return };
        let answer = store.invalidate(&what).await;
        match answer {
            Ok(()) => {
                engine.answered();
                engine.confirmed(&what);
                pause = FIRST_PAUSE;
                continue;
            }
            Err(error) => {
                engine.count_error(&error);
                engine.replay.with(Queue::put_back);
            }
        }
        drop(engine);
        tokio::time::sleep(pause.mul_f32(0.5 + fastrand::f32() / 2.0)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> Invalidation {
        Invalidation::Keys(vec![key.to_owned()])
    }

    fn waiting(name: &str) -> Waiting {
        Waiting::new(key(name), Announcement::made(Origin::Here))
    }

    #[test]
    fn what_the_shared_tier_refuses_does_not_hold_up_the_others() {
        let mut queue = Queue::default();
        assert!(queue.push(waiting("refused")) && queue.push(waiting("fine")));
        assert_eq!(*queue.send_next().unwrap(), key("refused"));
        queue.put_back();
        assert_eq!(*queue.send_next().unwrap(), key("fine"));
        assert_eq!(queue.len(), 2, "none is forgotten");
    }

    #[test]
    fn an_invalidation_waits_once_however_often_it_fails() {
        let mut queue = Queue::default();
        assert!(queue.push(waiting("a")));
        queue.send_next();
        assert!(queue.push(waiting("a")), "the one that is sent may be too early");
        assert!(!queue.push(waiting("a")));
        queue.put_back();
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn it_is_known_what_an_invalidation_reaches() {
        let (keys, tags) = (key("user:1"), Invalidation::Tags(vec!["t".to_owned()]));
        let pattern = Invalidation::Pattern("user:*".to_owned());
        let both = Invalidation::AllOf(vec!["s".to_owned(), "t".to_owned()]);
        assert!(covers(&keys, "user:1", &[]) && !covers(&keys, "user:2", &[]));
        assert!(covers(&tags, "user:1", &["s", "t"]) && !covers(&tags, "t", &["s"]));
        assert!(covers(&both, "user:1", &["t", "r", "s"]) && !covers(&both, "user:1", &["t", "t"]));
        assert!(covers(&pattern, "user:1", &[]) && !covers(&pattern, "order:1", &[]));
        assert!(covers(&Invalidation::All, "", &[]));
    }
}
