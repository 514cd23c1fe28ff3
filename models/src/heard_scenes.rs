//! Scenes about what is heard from a shared tier: an entry passes the fences of this process and those of what is heard,
//! while a third thread tells news.

use loom::thread;

use crate::explore;
use crate::sync::{Arc, Mutex, lock};

use super::fence::{Fence, Fences, Limits};

const HASH: u64 = 1;
const TEXT: &str = "user:1";
const OLD: u64 = 0;
const NEW: u64 = 1;

/// What the shared tier holds: the value that a load would get, and the nonces of its dependencies.
#[derive(Clone, Copy, PartialEq)]
struct Tier {
    value: u64,
    key: u64,
    tag: u64,
}

/// One process, and the tier that another one changes.
struct World {
    tier: Mutex<Tier>,
    own: Fences,
    heard: Fences,
    memory: Mutex<Option<Entry>>,
}

/// A value, what this process has invalidated, and what it has heard.
type Entry = (u64, Arc<Fence>, Arc<Fence>);

impl World {
    fn new() -> Arc<Self> {
        let fences = || Fences::with_limits(Limits { shards: 1, keys: 4, tags: 4, patterns: 4 });
        Arc::new(Self {
            tier: Mutex::new(Tier { value: OLD, key: 0, tag: 0 }),
            own: fences(),
            heard: fences(),
            memory: Mutex::new(None),
        })
    }

    /// A miss: claims, loads, stores where the key's nonce is still the captured one, and keeps what was stored.
    fn load(&self) {
        let own = self.own.fence(self.own.now(), &["tag"]);
        let heard = self.heard.fence(self.heard.now(), &["tag"]);
        let captured = *lock(&self.tier);
        let value = lock(&self.tier).value;
        let heard = heard.with_key_since(self.heard.now());
        let filled = lock(&self.tier).key == captured.key;
        if filled {
            self.keep(value, own, heard);
        }
    }

    fn keep(&self, value: u64, own: Fence, heard: Fence) {
        let (own, heard) = (Arc::new(own), Arc::new(heard));
        self.own.admit(HASH, TEXT, &own, || {
            self.heard.admit(HASH, TEXT, &heard, || {
                *lock(&self.memory) = Some((value, Arc::clone(&own), Arc::clone(&heard)));
            });
        });
    }

    fn change(&self, change: impl FnOnce(&mut Tier)) {
        let mut tier = lock(&self.tier);
        tier.value = NEW;
        change(&mut tier);
    }

    fn hear_key(&self) {
        drop(self.heard.invalidate_key(HASH, || lock(&self.memory).take()));
    }

    fn invalidate_key(&self) {
        drop(self.own.invalidate_key(HASH, || lock(&self.memory).take()));
    }

    fn hit(&self) -> Option<u64> {
        let (value, own, heard) = lock(&self.memory).clone()?;
        (self.own.is_live(TEXT, &own) && self.heard.is_live(TEXT, &heard)).then_some(value)
    }

    fn assert_not_old(&self) {
        assert_ne!(self.hit(), Some(OLD), "an old value after its invalidation was heard");
    }
}

fn beside_a_load(other: impl Fn(&World) + Send + Sync + 'static) {
    explore(3, move || {
        let world = World::new();
        let loading = Arc::clone(&world);
        let loader = thread::spawn(move || loading.load());
        other(&world);
        world.assert_not_old();
        loader.join().unwrap();
        world.assert_not_old();
    });
}

/// Another process invalidates the key while it is loaded here, and that is heard.
pub fn a_key_heard_during_its_load() {
    beside_a_load(|world| {
        world.change(|tier| tier.key += 1);
        world.hear_key();
    });
}

/// Another process invalidates a tag while a key that bears it is loaded here: storing compares no tags.
pub fn a_tag_heard_during_a_load() {
    beside_a_load(|world| {
        world.change(|tier| tier.tag += 1);
        world.heard.invalidate_tag("tag");
    });
}

/// News is lost while a key is loaded.
pub fn a_gap_during_a_load() {
    beside_a_load(|world| {
        world.change(|tier| tier.tag += 1);
        world.heard.invalidate_all();
    });
}

/// This process invalidates the key while it is loaded, and hears its own invalidation.
pub fn an_invalidation_of_ones_own_that_is_heard() {
    explore(2, || {
        let world = World::new();
        let (loading, hearing) = (Arc::clone(&world), Arc::clone(&world));
        world.change(|tier| tier.key += 1);
        let loader = thread::spawn(move || loading.load());
        let ears = thread::spawn(move || hearing.hear_key());
        world.invalidate_key();
        world.assert_not_old();
        loader.join().unwrap();
        ears.join().unwrap();
        world.assert_not_old();
    });
}

/// The making of the key's own dependency is heard before the value is stored: the entry stays.
pub fn a_load_that_hears_itself() {
    explore(2, || {
        let world = World::new();
        let own = world.own.fence(world.own.now(), &["tag"]);
        let heard = world.heard.fence(world.heard.now(), &["tag"]);
        let hearing = Arc::clone(&world);
        thread::spawn(move || hearing.hear_key()).join().unwrap();
        let heard = heard.with_key_since(world.heard.now());
        world.keep(OLD, own, heard);
        assert_eq!(world.hit(), Some(OLD), "ruled out by its own making");
    });
}
