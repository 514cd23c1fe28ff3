//! Invalidations that the shared tier has not confirmed are repeated until it does.
//!
//! A write whose end was not confirmed is one of them: its announcement may still stand there, and as long as it does nobody
//! stores the key. What repeats it ends the write, which invalidates the key as well.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cache_store::{Begun, Error, Invalidation, Result, Status, Store};
use cache_template::Glob;

use super::{Engine, write};
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
    /// The announcement of a write of the key, which is to be ended.
    write: Option<Arc<Begun>>,
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
        Self { what: Arc::new(what), write: None, since: Instant::now(), announcement }
    }

    /// Whether repeating this one does all that the other one asks for.
    fn includes(&self, other: &Self) -> bool {
        let token = |waiting: &Self| waiting.write.as_ref().map(|begun| begun.token);
        self.what == other.what && (other.write.is_none() || token(self) == token(other))
    }
}

impl Queue {
    fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.sent.is_some())
    }

    fn push(&mut self, new: Waiting) -> bool {
        let known = self.waiting.iter().any(|waiting| waiting.includes(&new));
        if !known {
            self.waiting.push_back(new);
        }
        !known
    }

    fn send_next(&mut self) -> Option<(Arc<Invalidation>, Option<Arc<Begun>>)> {
        self.sent = self.waiting.pop_front();
        self.running = self.sent.is_some();
        self.sent.as_ref().map(|sent| (Arc::clone(&sent.what), sent.write.clone()))
    }

    /// Puts the one that failed behind the others: what the shared tier refuses for good must not hold them up. Beside an
    /// equal one that came meanwhile, so that each one that was counted is confirmed or dropped; there are never three.
    fn put_back(&mut self, error: &Error) {
        if let Some(mut failed) = self.sent.take() {
            if error.status() == Status::Permanent {
                // The announcement ends with its time; the invalidation may go through in its plain form.
                failed.write = None;
            }
            self.waiting.push_back(failed);
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
        self.replay_waiting(Waiting::new(what, announcement));
    }

    /// Queues the invalidation of a key whose write was announced and may not have ended.
    pub(super) fn replay_write(
        self: &Arc<Self>,
        what: Invalidation,
        begun: Begun,
        announcement: Arc<Announcement>,
    ) {
        let write = Some(Arc::new(begun));
        self.replay_waiting(Waiting { write, ..Waiting::new(what, announcement) });
    }

    fn replay_waiting(self: &Arc<Self>, new: Waiting) {
        let all = Announcement::new(Origin::Replay);
        let too_many = self.replay.with(|queue| {
            if queue.waiting.len() < MOST {
                if queue.push(new) {
                    self.counters.count(Counter::ReplayQueued);
                }
                return false;
            }
            // Clearing everything is coarser than what was asked for, and never wrong.
            let instead = Waiting::new(Invalidation::All, Arc::clone(&all));
            self.tell_dropped(queue.waiting.drain(..).collect(), &instead.what);
            self.counters.count(Counter::ReplayQueued);
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
        let recent = &self.session.recent;
        let rewound = recent.rewound();
        // What is owed is asked for before the queue, into which it goes.
        let mut all = if recent.is_owed() { recent.owed(self.now()) } else { Vec::new() };
        if self.waiting() != 0 {
            self.replay.with(|queue| {
                let waiting = queue.sent.iter().chain(&queue.waiting);
                all.extend(waiting.map(|one| Arc::clone(&one.what)));
            });
        }
        Unconfirmed { all, rewound }
    }

    /// Whether the shared tier has gone back since then: it may have forgotten more than that.
    pub(super) fn has_gone_back(&self, since: &Unconfirmed) -> bool {
        self.session.recent.rewound() != since.rewound
    }

    /// The oldest one, or `None` and the end of the task that repeats them.
    fn next(&self) -> Option<(Arc<Invalidation>, Option<Arc<Begun>>)> {
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
#[derive(Debug)]
pub(super) struct Unconfirmed {
    all: Vec<Arc<Invalidation>>,
    /// How often it had gone back.
    rewound: u64,
}

impl Unconfirmed {
    /// Whether one of them is like this.
    pub(super) fn any(&self, is: impl Fn(&Invalidation) -> bool) -> bool {
        self.all.iter().any(|what| is(what))
    }

    /// Whether one of them reaches an entry with this key and these tags.
    pub(super) fn cover<'t>(&self, key: &str, tags: impl Iterator<Item = &'t str>) -> bool {
        if self.all.is_empty() {
            return false;
        }
        let tags: Vec<&str> = tags.collect();
        self.all.iter().any(|what| covers(what, key, &tags))
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
        let Some((what, write)) = engine.next() else { return };
        let Some(store) = engine.shared.clone() else { return };
        let answer = tell(&store, &what, write.as_deref()).await;
        match answer {
            Ok(()) => {
                engine.answered();
                engine.confirmed(&what);
                pause = FIRST_PAUSE;
                continue;
            }
            Err(error) => {
                engine.count_error(&error);
                engine.replay.with(|queue| queue.put_back(&error));
            }
        }
        drop(engine);
        tokio::time::sleep(pause.mul_f32(0.5 + fastrand::f32() / 2.0)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn tell(store: &Arc<dyn Store>, what: &Invalidation, write: Option<&Begun>) -> Result<()> {
    match (what, write) {
        (Invalidation::Keys(keys), Some(begun)) if keys.len() == 1 => {
            store.finish(write::without_value(&keys[0], begun)).await.map(|_| ())
        }
        _ => store.invalidate(what).await,
    }
}

#[cfg(test)]
mod tests {
    use cache_store::{ErrorKind, Nonce};

    use super::*;

    fn key(key: &str) -> Invalidation {
        Invalidation::Keys(vec![key.to_owned()])
    }

    fn waiting(name: &str) -> Waiting {
        Waiting::new(key(name), Announcement::made(Origin::Here))
    }

    fn write(name: &str) -> Waiting {
        let nonce = || Nonce::random().unwrap();
        let begun = Begun {
            token: nonce(),
            nonce: nonce(),
            alone: true,
            tag_nonces: Vec::new(),
            pattern_nonce: nonce(),
            tag_log: None,
            changing: Vec::new(),
        };
        Waiting { write: Some(Arc::new(begun)), ..waiting(name) }
    }

    fn away() -> Error {
        Error::new(ErrorKind::Unavailable, "away")
    }

    #[test]
    fn every_write_is_ended_and_each_of_them_invalidates_its_key() {
        let mut queue = Queue::default();
        assert!(queue.push(waiting("a")) && queue.push(write("a")), "it does not end the write");
        assert!(queue.push(write("a")), "another write");
        assert!(!queue.push(waiting("a")));
        queue.send_next();
        queue.put_back(&away());
        let (_, write) = queue.send_next().unwrap();
        queue.put_back(&away());
        assert!(
            write.is_some() && queue.waiting.iter().filter(|one| one.write.is_some()).count() == 2
        );
    }

    #[test]
    fn a_write_whose_end_is_refused_for_good_is_invalidated_without_it() {
        let mut queue = Queue::default();
        assert!(queue.push(write("a")));
        queue.send_next();
        queue.put_back(&Error::new(ErrorKind::Unauthorized, "no scripts"));
        assert!(matches!(queue.send_next(), Some((_, None))));
    }

    #[test]
    fn what_the_shared_tier_refuses_does_not_hold_up_the_others() {
        let mut queue = Queue::default();
        assert!(queue.push(waiting("refused")) && queue.push(waiting("fine")));
        assert_eq!(*queue.send_next().unwrap().0, key("refused"));
        queue.put_back(&away());
        assert_eq!(*queue.send_next().unwrap().0, key("fine"));
        assert_eq!(queue.len(), 2, "none is forgotten");
    }

    #[test]
    fn an_invalidation_waits_once_and_beside_the_one_that_is_sent_however_often_they_fail() {
        let mut queue = Queue::default();
        assert!(queue.push(waiting("a")));
        queue.send_next();
        assert!(queue.push(waiting("a")), "the one that is sent may be too early");
        assert!(!queue.push(waiting("a")));
        for _ in 0..10 {
            queue.put_back(&away());
            assert!(!queue.push(waiting("a")));
            queue.send_next();
        }
        assert_eq!(queue.len(), 2);
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
