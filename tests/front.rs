//! The copies that each thread keeps of what it was given from memory: they are served, and never when they are old.

// A helper of a test is a test.
#![allow(clippy::unwrap_used)]

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use larder::{Cache, Clock, KeyPart, KeyWriter, key::Fingerprint, memoize, scoped_sync};

static VERSION: AtomicU64 = AtomicU64::new(0);

/// The version of the source at the time of its load.
#[memoize(key = "row:{id}:{even}", tags = ["row", "even:{even}"], ttl = "1h")]
fn row(id: u64, even: bool) -> Arc<u64> {
    let _ = (id, even);
    Arc::new(VERSION.load(SeqCst))
}

/// Asks often enough for a copy to be kept, and says what was given last.
fn warm(cache: &Cache, id: u64) -> Arc<u64> {
    scoped_sync(cache.clone(), || {
        (0..5).for_each(|_| drop(row(id, true)));
        row(id, true)
    })
}

/// Another thread has a copy while `change` is made, and is asked again after it.
fn seen_by_another_thread(cache: &Cache, id: u64, change: impl FnOnce(&Cache)) -> (u64, u64) {
    let (told, tells) = mpsc::channel::<()>();
    let (ready, is_ready) = mpsc::channel();
    let there = cache.clone();
    let reader = thread::spawn(move || {
        ready.send(*warm(&there, id)).unwrap();
        tells.recv().unwrap();
        *scoped_sync(there, || row(id, true))
    });
    let before = is_ready.recv().unwrap();
    VERSION.fetch_add(1, SeqCst);
    change(cache);
    told.send(()).unwrap();
    (before, reader.join().unwrap())
}

#[test]
fn a_copy_in_another_thread_is_not_served_once_anything_it_depends_on_has_changed() {
    type Change = fn(&Cache);
    let changes: &[(&str, Change)] = &[
        ("its key", |cache| blocking(cache.invalidate("row:1:true"))),
        ("its key, by the companion", |cache| {
            scoped_sync(cache.clone(), || row_entry(1, true).invalidate().unwrap());
        }),
        ("one of its tags", |cache| blocking(cache.invalidate_tags(["row"]))),
        ("another of its tags", |cache| blocking(cache.invalidate_tags(["even:true"]))),
        ("all of its tags", |cache| blocking(cache.invalidate_all_of(["row", "even:true"]))),
        ("a pattern", |cache| blocking(cache.invalidate_pattern("row:*"))),
        ("everything", |cache| blocking(cache.clear())),
        ("the function's entries", |cache| {
            scoped_sync(cache.clone(), || row_cache().clear().unwrap());
        }),
        ("its value, by hand", |cache| {
            let newer = Arc::new(VERSION.load(SeqCst));
            scoped_sync(cache.clone(), || row_entry(1, true).set(newer).unwrap());
        }),
        ("its tags, one of which is invalidated then", |cache| {
            scoped_sync(cache.clone(), || assert!(row_entry(1, true).tag(["late"]).unwrap()));
            blocking(cache.invalidate_tags(["late"]));
        }),
    ];
    for (what, change) in changes {
        let (before, after) = seen_by_another_thread(&Cache::memory(), 1, change);
        assert!(after > before, "{what}: {before}, then {after}");
    }
}

#[test]
fn a_copy_outlives_what_does_not_concern_it() {
    let (before, after) = seen_by_another_thread(&Cache::memory(), 1, |cache| {
        blocking(cache.invalidate("row:2:true"));
        blocking(cache.invalidate_tags(["column"]));
        blocking(cache.invalidate_pattern("column:*"));
    });
    assert_eq!(before, after);
}

fn blocking(done: impl IntoFuture<Output = larder::Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { done.await.unwrap() });
}

#[test]
fn a_copy_is_not_served_past_its_time() {
    let (clock, hand) = Clock::manual();
    let cache = built(Cache::builder().clock(clock));
    let first = *warm(&cache, 1);
    VERSION.fetch_add(1, SeqCst);
    hand.advance(Duration::from_secs(3600) - Duration::from_nanos(1));
    assert_eq!(*scoped_sync(cache.clone(), || row(1, true)), first);
    hand.advance(Duration::from_nanos(1));
    assert!(*scoped_sync(cache, || row(1, true)) > first);
}

fn built(builder: larder::CacheBuilder) -> Cache {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(builder.build()).unwrap()
}

#[test]
fn a_copy_of_one_cache_is_not_served_by_another() {
    let first = *warm(&Cache::memory(), 1);
    VERSION.fetch_add(1, SeqCst);
    // At the address that the first one had, most likely.
    assert!(*warm(&Cache::memory(), 1) > first);
}

#[test]
fn what_is_evicted_is_invalidated_all_the_same() {
    let cache = built(Cache::builder().max_entries(1));
    for id in 0..200 {
        let (before, after) = seen_by_another_thread(&cache, id, |cache| {
            // Out of the tier, and perhaps still in the other thread's front.
            scoped_sync(cache.clone(), || (1000..1020).for_each(|other| drop(row(other, true))));
            blocking(cache.invalidate(&format!("row:{id}:true")));
        });
        assert!(after > before);
    }
}

thread_local! {
    static CLONES: Cell<u32> = const { Cell::new(0) };
}

/// Invalidates its own entry while it is being copied for a caller.
struct Meddling {
    version: u64,
    cache: Cache,
}

impl Clone for Meddling {
    fn clone(&self) -> Self {
        CLONES.set(CLONES.get() + 1);
        if CLONES.get() == 2 {
            VERSION.fetch_add(1, SeqCst);
            blocking(self.cache.invalidate("meddling:1"));
        }
        Self { version: self.version, cache: self.cache.clone() }
    }
}

#[memoize(key = "meddling:{id}")]
fn meddling(id: u64) -> Meddling {
    Meddling { version: VERSION.load(SeqCst), cache: larder::current().unwrap() }
}

#[test]
fn an_invalidation_between_the_look_and_the_copy_rules_the_copy_out() {
    // Cloned for the tier by the load (1), and for the caller by the hit (2), which is when the entry is invalidated.
    scoped_sync(Cache::memory(), || {
        let loaded = meddling(1).version;
        assert_eq!(meddling(1).version, loaded, "the look came before the invalidation");
        assert!(meddling(1).version > loaded, "an old copy was kept");
    });
}

#[test]
fn values_may_use_the_cache_while_they_are_cloned_and_dropped() {
    #[memoize(key = "inner:{id}")]
    fn inner(id: u64) -> u64 {
        id
    }

    struct Nosy(u64);

    impl Clone for Nosy {
        fn clone(&self) -> Self {
            (0..3).for_each(|id| assert_eq!(inner(id + self.0), id + self.0));
            Self(self.0)
        }
    }

    impl Drop for Nosy {
        fn drop(&mut self) {
            (0..3).for_each(|id| assert_eq!(inner(id + self.0), id + self.0));
        }
    }

    #[memoize(key = "nosy:{id}")]
    fn nosy(id: u64) -> Nosy {
        Nosy(id)
    }

    let there = thread::spawn(|| {
        scoped_sync(built(Cache::builder().max_entries(300)), || {
            for id in (0..2_000).chain(0..2_000) {
                assert_eq!(nosy(id).0, id);
                assert_eq!(nosy(id).0, id);
                if id % 7 == 0 {
                    nosy_entry(id).invalidate().unwrap();
                }
            }
        });
        // The thread ends with copies whose values use a cache when they go.
    });
    there.join().unwrap();
}

#[test]
fn a_hit_on_a_copy_renders_no_key_and_without_a_front_each_does() {
    static RENDERED: AtomicUsize = AtomicUsize::new(0);

    struct Seen(u64);

    impl KeyPart for Seen {
        fn render(&self, out: &mut KeyWriter<'_>) {
            RENDERED.fetch_add(1, SeqCst);
            self.0.render(out);
        }

        fn fingerprint(&self, out: &mut Fingerprint) {
            out.part(&self.0);
        }
    }

    #[memoize(key = "seen:{id}")]
    fn seen(id: Seen) -> u64 {
        id.0
    }

    for (front, per_hit) in [(true, 0), (false, 1)] {
        scoped_sync(built(Cache::builder().front(front)), || {
            (0..3).for_each(|_| assert_eq!(seen(Seen(7)), 7));
            let before = RENDERED.load(SeqCst);
            (0..100).for_each(|_| assert_eq!(seen(Seen(7)), 7));
            assert_eq!(RENDERED.load(SeqCst) - before, 100 * per_hit);
            assert_eq!(larder::current().unwrap().stats().hits_memory, 102);
        });
    }
}

#[test]
fn arguments_that_are_too_long_for_a_copy_are_hits_all_the_same() {
    #[memoize(key = "long:{text}")]
    fn long(text: &str) -> usize {
        VERSION.fetch_add(1, SeqCst);
        text.len()
    }

    scoped_sync(Cache::memory(), || {
        for length in [150, 170, 190, 210, 4_000] {
            let text = "x".repeat(length);
            assert!((0..5).all(|_| long(&text) == length));
        }
        assert_eq!(larder::current().unwrap().stats().loads, 5);
    });
}

#[test]
fn threads_that_read_while_others_invalidate_never_go_back() {
    let cache = Cache::memory();
    let source = Arc::new(Mutex::new([0_u64; 4]));

    #[memoize(key = "cell:{id}", skip(source), tags = ["cell"])]
    fn cell(source: &Mutex<[u64; 4]>, id: usize) -> u64 {
        source.lock().unwrap()[id]
    }

    let confirmed: Arc<[AtomicU64; 4]> = Arc::default();
    thread::scope(|scope| {
        for writer in 0..2_usize {
            let (cache, source, confirmed) =
                (cache.clone(), Arc::clone(&source), Arc::clone(&confirmed));
            scope.spawn(move || {
                for step in 1..=400_u64 {
                    // Each writer has cells of its own, so that versions only grow.
                    let id = writer * 2 + usize::from(step % 3 == 0);
                    source.lock().unwrap()[id] = step;
                    scoped_sync(cache.clone(), || match step % 3 {
                        1 => cell_entry(id).invalidate().unwrap(),
                        2 => blocking(cache.invalidate_tags(["cell"])),
                        _ => blocking(cache.invalidate_pattern("cell:*")),
                    });
                    confirmed[id].store(step, SeqCst);
                }
            });
        }
        for _ in 0..3 {
            let (cache, source, confirmed) =
                (cache.clone(), Arc::clone(&source), Arc::clone(&confirmed));
            scope.spawn(move || {
                scoped_sync(cache, || {
                    while confirmed[0].load(SeqCst) < 398 || confirmed[2].load(SeqCst) < 398 {
                        for id in 0..4 {
                            let floor = confirmed[id].load(SeqCst);
                            let read = cell(&source, id);
                            assert!(read >= floor, "cell {id}: {read} after {floor} was confirmed");
                        }
                    }
                });
            });
        }
    });
}
