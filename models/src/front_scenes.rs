//! Scenes about copies of the memory tier's entries: the fronts of threads. A copy is taken by one thread while another
//! changes what it depends on, and is looked at when both are done.

use cache_template::Glob;
use loom::thread;

use crate::explore;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock};

use super::fence::{Fence, Fences, Limits, Stripes};

const HASH: u64 = 1;
const TEXT: &str = "user:1";
const TAG: &str = "user";
const OLD: u64 = 0;
const NEW: u64 = 1;

/// A process with one key, whose memory tier has the old value.
struct World {
    fences: Fences,
    stripes: Stripes,
    source: AtomicU64,
    memory: Mutex<Option<(u64, Arc<Fence>)>>,
}

/// What a thread was given, and what was counted before it looked.
struct Copied {
    value: u64,
    unlisted: u64,
    changes: u64,
}

impl World {
    fn new() -> Arc<Self> {
        let limits = Limits { shards: 1, keys: 4, tags: 4, patterns: 4 };
        let fences = Fences::with_limits(limits);
        let fence = Arc::new(fences.fence(fences.now(), &[TAG]));
        Arc::new(Self {
            fences,
            stripes: Stripes::new(1),
            source: AtomicU64::new(OLD),
            memory: Mutex::new(Some((OLD, fence))),
        })
    }

    /// What a call is served, by the copy or by the tier, of which it then keeps a copy.
    fn hit(&self, front: &mut Option<Copied>) -> Option<u64> {
        let (unlisted, changes) = (self.fences.unlisted(), self.stripes.count(HASH));
        if let Some(copied) = front
            && (copied.unlisted, copied.changes) == (unlisted, changes)
        {
            return Some(copied.value);
        }
        let (value, fence) = lock(&self.memory).clone()?;
        if !self.fences.is_live(TEXT, &fence) {
            return None;
        }
        *front = Some(Copied { value, unlisted, changes });
        Some(value)
    }

    fn remove(&self) {
        let take = || self.stripes.change(HASH, || lock(&self.memory).take());
        drop(self.fences.invalidate_key(HASH, take));
    }

    fn replace(&self) {
        let fence = Arc::new(self.fences.fence(self.fences.now(), &[TAG]));
        let insert = || {
            self.stripes.change(HASH, || *lock(&self.memory) = Some((NEW, Arc::clone(&fence))));
        };
        self.fences.replace(HASH, TEXT, &fence, insert);
    }
}

/// A thread takes a copy beside an invalidation; when that is done, neither its copy nor another look is the old value.
fn invalidated(preemptions: usize, invalidate: fn(&World)) {
    explore(preemptions, move || {
        let world = World::new();
        let there = Arc::clone(&world);
        let reader = thread::spawn(move || {
            let mut front = None;
            there.hit(&mut front);
            there.hit(&mut front);
            front
        });
        world.source.store(NEW, Ordering::Relaxed);
        invalidate(&world);
        let mut front = reader.join().unwrap();
        assert_ne!(world.hit(&mut front), Some(OLD), "an old value after its invalidation");
        assert_ne!(world.hit(&mut front), Some(OLD), "an old value after its invalidation");
    });
}

/// The key is invalidated.
pub fn a_copy_beside_an_invalidation_of_its_key() {
    invalidated(3, World::remove);
}

/// A write replaces the entry.
pub fn a_copy_beside_a_replacement() {
    invalidated(3, World::replace);
}

/// A tag is invalidated.
pub fn a_copy_beside_an_invalidation_of_a_tag() {
    invalidated(3, |world| world.fences.invalidate_tag(TAG));
}

/// A pattern is invalidated.
pub fn a_copy_beside_an_invalidation_by_pattern() {
    invalidated(3, |world| world.fences.invalidate_pattern(Glob::parse("user:*").unwrap()));
}

/// What bears a list of tags is invalidated.
pub fn a_copy_beside_an_invalidation_of_all_of_its_tags() {
    invalidated(3, |world| world.fences.invalidate_all_of(&[TAG]));
}

/// Everything is invalidated.
pub fn a_copy_beside_an_invalidation_of_everything() {
    invalidated(3, |world| world.fences.invalidate_all());
}

/// Everything is doubted.
pub fn a_copy_beside_a_doubt() {
    invalidated(3, |world| world.fences.doubt_all());
}
