//! Scenes about fences alone. The source of truth is read and written without any ordering of its own: what order there
//! is comes from the fences.

use cache_template::Glob;
use loom::thread;

use crate::explore;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock};

use super::fence::{Fence, Fences, Limits};

const HASH: u64 = 1;
const TEXT: &str = "user:1";
const NO_TAGS: &[&str] = &[];
const OLD: u64 = 0;
const NEW: u64 = 1;

/// One source, one key, one process.
struct World {
    fences: Fences,
    source: AtomicU64,
    memory: Mutex<Option<(u64, Arc<Fence>)>>,
}

impl World {
    fn new() -> Arc<Self> {
        let limits = Limits { shards: 1, keys: 4, tags: 1, patterns: 4 };
        Arc::new(Self {
            fences: Fences::with_limits(limits),
            source: AtomicU64::new(OLD),
            memory: Mutex::new(None),
        })
    }

    fn change_source(&self) {
        self.source.store(NEW, Ordering::Relaxed);
    }

    fn load(&self) -> u64 {
        self.source.load(Ordering::Relaxed)
    }

    /// Loads and stores, the fence made after the load to leave the widest gap between birth and insert.
    fn fill(&self, known: &[&str], learned: &[&str]) {
        let born = self.fences.now();
        let value = self.load();
        let fence = self.fences.fence(born, known).with_tags(&self.fences, learned);
        self.store(value, fence);
    }

    fn store(&self, value: u64, fence: Fence) {
        let fence = Arc::new(fence);
        let insert = || *lock(&self.memory) = Some((value, Arc::clone(&fence)));
        self.fences.admit(HASH, TEXT, &fence, insert);
    }

    /// A write: announced, the source changed to `value`, and stored unless something came between.
    fn write(&self, value: u64) {
        self.invalidate_key();
        let fence = Arc::new(self.fences.fence(self.fences.now(), NO_TAGS));
        self.source.store(value, Ordering::Relaxed);
        let insert = || *lock(&self.memory) = Some((value, Arc::clone(&fence)));
        if !self.fences.replace(HASH, TEXT, &fence, insert) {
            self.invalidate_key();
        }
    }

    fn hit(&self) -> Option<u64> {
        let (value, fence) = lock(&self.memory).clone()?;
        self.fences.is_live(TEXT, &fence).then_some(value)
    }

    fn invalidate_key(&self) {
        drop(self.fences.invalidate_key(HASH, || lock(&self.memory).take()));
    }

    fn assert_none_old_is_spared(&self) {
        let entry = lock(&self.memory).clone();
        if let Some((OLD, fence)) = entry {
            assert!(!self.fences.is_merely_doubted(TEXT, &fence), "an old value is spared");
        }
    }

    fn assert_not_old(&self) {
        assert_ne!(self.hit(), Some(OLD), "an old value after its invalidation");
    }
}

/// A load beside a write: once the write is done, no hit returns the old value.
pub fn a_write_beside_a_load() {
    explore(3, || {
        let world = World::new();
        let there = Arc::clone(&world);
        let load = thread::spawn(move || there.fill(NO_TAGS, NO_TAGS));
        world.write(NEW);
        world.assert_not_old();
        load.join().unwrap();
        world.assert_not_old();
    });
}

/// Two writes at once: what stays is the later one's value, or nothing.
pub fn two_writes_at_once() {
    explore(3, || {
        let world = World::new();
        let there = Arc::clone(&world);
        let other = thread::spawn(move || there.write(NEW + 1));
        world.write(NEW);
        other.join().unwrap();
        let last = world.load();
        assert!(world.hit().is_none_or(|hit| hit == last), "the value of the earlier write");
    });
}

fn users() -> Glob {
    Glob::literal(TEXT)
}

/// A load runs while `invalidate` does; afterwards, at once and later, no hit returns the old value.
fn during_a_load(
    known: &'static [&'static str],
    learned: &'static [&'static str],
    invalidate: impl Fn(&World) + Send + Sync + 'static,
) {
    explore(3, move || {
        let world = World::new();
        let loading = Arc::clone(&world);
        let loader = thread::spawn(move || loading.fill(known, learned));
        world.change_source();
        invalidate(&world);
        world.assert_not_old();
        loader.join().unwrap();
        world.assert_not_old();
    });
}

/// A key is invalidated while it is loaded.
pub fn a_key_invalidated_during_its_load() {
    during_a_load(NO_TAGS, NO_TAGS, World::invalidate_key);
}

/// Everything is invalidated while a key is loaded.
pub fn everything_invalidated_during_a_load() {
    during_a_load(NO_TAGS, NO_TAGS, |world| world.fences.invalidate_all());
}

/// Everything is invalidated, and doubted, while a key is loaded that is kept though it is doubted: what is known to be
/// invalidated is never taken for something that is merely doubted.
pub fn everything_invalidated_and_doubted_during_a_load() {
    explore(3, || {
        let world = World::new();
        let (loading, doubting) = (Arc::clone(&world), Arc::clone(&world));
        let loader = thread::spawn(move || {
            let born = loading.fences.now();
            let value = loading.load();
            let fence = Arc::new(loading.fences.fence(born, NO_TAGS));
            let insert = || *lock(&loading.memory) = Some((value, Arc::clone(&fence)));
            loading.fences.admit_doubted(HASH, TEXT, &fence, insert);
        });
        let doubter = thread::spawn(move || doubting.fences.doubt_all());
        world.change_source();
        world.fences.invalidate_all();
        world.assert_none_old_is_spared();
        loader.join().unwrap();
        doubter.join().unwrap();
        world.assert_none_old_is_spared();
    });
}

/// A pattern is invalidated while a key that matches is loaded.
pub fn a_pattern_invalidated_during_a_load() {
    during_a_load(NO_TAGS, NO_TAGS, |world| world.fences.invalidate_pattern(users()));
}

/// A tag known beforehand is invalidated during the load, and other tags make the table purge.
pub fn a_known_tag_invalidated_and_purged_during_a_load() {
    during_a_load(&["tag"], NO_TAGS, invalidate_and_purge);
}

/// A tag learned from the value is invalidated during the load, and other tags make the table purge its mark.
pub fn a_learned_tag_invalidated_and_purged_during_a_load() {
    during_a_load(NO_TAGS, &["tag"], invalidate_and_purge);
}

/// Tags that an entry bears together are invalidated during a load that knows one of them beforehand and learns the other
/// from its value, while somebody looks whether the load may still be joined.
pub fn all_of_the_tags_invalidated_during_a_load_that_is_looked_at() {
    explore(3, || {
        let world = World::new();
        let born = world.fences.now();
        let fence = world.fences.fence(born, &["tag"]);
        let value = world.load();
        let there = Arc::clone(&world);
        let loader = thread::spawn(move || {
            there.fences.is_current(HASH, TEXT, &fence);
            let fence = fence.with_tags(&there.fences, &["other"]);
            there.store(value, fence);
        });
        world.change_source();
        world.fences.invalidate_all_of(&["tag", "other"]);
        world.assert_not_old();
        loader.join().unwrap();
        world.assert_not_old();
    });
}

/// The same of a load that learns both, while other tags make the table purge.
pub fn all_of_the_learned_tags_invalidated_and_purged_during_a_load() {
    during_a_load(NO_TAGS, &["tag", "other"], |world| {
        world.fences.invalidate_all_of(&["tag", "other"]);
        world.fences.invalidate_tag("third");
    });
}

fn invalidate_and_purge(world: &World) {
    world.fences.invalidate_tag("tag");
    world.fences.invalidate_tag("other");
}

/// An entry holds a tag while other tags make the table purge; then the tag is invalidated.
pub fn a_purge_beside_an_entry_that_is_stored() {
    explore(3, || {
        let world = World::new();
        let loading = Arc::clone(&world);
        let loader = thread::spawn(move || loading.fill(&["tag"], NO_TAGS));
        world.fences.invalidate_tag("one");
        world.fences.invalidate_tag("two");
        loader.join().unwrap();
        world.change_source();
        world.fences.invalidate_tag("tag");
        world.assert_not_old();
    });
}

/// Two invalidations of one tag at once, and a load that begins between them.
pub fn two_invalidations_of_one_tag() {
    two_invalidations(|world| world.fences.invalidate_tag("tag"), &["tag"]);
}

/// Two invalidations of patterns at once, and a load that begins between them.
pub fn two_invalidations_of_patterns() {
    two_invalidations(|world| world.fences.invalidate_pattern(users()), NO_TAGS);
}

fn two_invalidations(invalidate: fn(&World), tags: &'static [&'static str]) {
    explore(3, move || {
        let world = World::new();
        let (loading, idle) = (Arc::clone(&world), Arc::clone(&world));
        let loader = thread::spawn(move || loading.fill(tags, NO_TAGS));
        let other = thread::spawn(move || invalidate(&idle));
        world.change_source();
        invalidate(&world);
        world.assert_not_old();
        loader.join().unwrap();
        other.join().unwrap();
        world.assert_not_old();
    });
}

/// Two hits check an entry while patterns come: one that matches among others that do not.
pub fn two_hits_while_patterns_come() {
    explore(3, || {
        let world = World::new();
        let fence = world.fences.fence(world.fences.now(), NO_TAGS);
        world.store(OLD, fence);
        let hits: Vec<_> = (0..2)
            .map(|_| {
                let world = Arc::clone(&world);
                thread::spawn(move || world.hit())
            })
            .collect();
        world.fences.invalidate_pattern(Glob::literal("order:1"));
        world.change_source();
        world.fences.invalidate_pattern(users());
        world.assert_not_old();
        for hit in hits {
            hit.join().unwrap();
        }
        world.assert_not_old();
    });
}
