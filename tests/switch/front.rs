//! The copies that each thread keeps: not served while the cache is off, nor afterwards when they are old.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use larder::{Cache, bypass_sync, scoped_sync};

use crate::{Source, row_kept, row_kept_cache, row_kept_entry};

/// A thread that is asked for the row when it is told to, in a scope or past the cache.
struct Reader {
    ask: mpsc::Sender<bool>,
    answer: mpsc::Receiver<u64>,
}

impl Reader {
    /// One that has a copy.
    fn warm(cache: &Cache, source: &Source) -> Self {
        let (ask, asked) = mpsc::channel();
        let (answers, answer) = mpsc::channel();
        let (cache, source) = (cache.clone(), source.clone());
        thread::spawn(move || {
            let read = || scoped_sync(cache.clone(), || row_kept(&source, 1));
            for _ in 0..5 {
                read();
            }
            for bypassing in asked {
                let given = if bypassing { bypass_sync(read) } else { read() };
                answers.send(given).unwrap();
            }
        });
        let reader = Self { ask, answer };
        // It has copied the entry.
        assert_eq!(reader.read(), 0);
        reader
    }

    fn read(&self) -> u64 {
        self.ask.send(false).unwrap();
        self.answer.recv().unwrap()
    }

    fn read_past_the_cache(&self) -> u64 {
        self.ask.send(true).unwrap();
        self.answer.recv().unwrap()
    }
}

#[test]
fn a_copy_is_not_served_while_the_cache_is_off_nor_after_its_entry_was_invalidated_meanwhile() {
    type Change = fn(&Cache);
    let changes: &[(&str, Change)] = &[
        ("its key", |cache| cache.invalidate("kept:1").wait().unwrap()),
        ("a tag", |cache| cache.invalidate_tags(["row"]).wait().unwrap()),
        ("a pattern", |cache| cache.invalidate_pattern("kept:*").wait().unwrap()),
        ("everything", |cache| cache.clear().wait().unwrap()),
        ("its function", |cache| {
            scoped_sync(cache.clone(), || row_kept_cache().clear().unwrap());
        }),
        ("its value", |cache| {
            scoped_sync(cache.clone(), || row_kept_entry(1).set(7).unwrap());
        }),
    ];
    for (what, change) in changes {
        let (cache, source) = (Cache::memory(), Source::default());
        let reader = Reader::warm(&cache, &source);
        let newer = source.change();
        cache.set_enabled(false);
        assert_eq!(reader.read(), newer, "{what}: off");
        change(&cache);
        assert_eq!(reader.read(), newer, "{what}: off still");
        cache.set_enabled(true);
        assert_eq!(reader.read(), newer, "{what}: on again");
        assert!(scoped_sync(cache.clone(), || row_kept_entry(1).exists()).unwrap());
    }
}

#[test]
fn a_copy_of_what_was_not_invalidated_is_served_again() {
    let (cache, source) = (Cache::memory(), Source::default());
    let reader = Reader::warm(&cache, &source);
    let newer = source.change();
    cache.set_enabled(false);
    assert_eq!(reader.read(), newer);
    cache.invalidate("kept:2").wait().unwrap();
    cache.set_enabled(true);
    assert_eq!(reader.read(), 0);
}

#[test]
fn a_copy_is_not_served_to_who_bypasses_the_cache_and_to_everybody_else_it_is() {
    let (cache, source) = (Cache::memory(), Source::default());
    let reader = Reader::warm(&cache, &source);
    let newer = source.change();
    for _ in 0..3 {
        assert_eq!(reader.read_past_the_cache(), newer);
        assert_eq!(reader.read(), 0);
    }
}

/// Many threads hit while another one switches, changes and switches again: whoever begins after the change sees it.
#[test]
fn nobody_is_served_something_old_however_often_it_is_switched() {
    let (cache, source) = (Cache::memory(), Source::default());
    let floor = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    use std::sync::atomic::Ordering::SeqCst;
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    let least = floor.load(SeqCst);
                    let given = scoped_sync(cache.clone(), || row_kept(&source, 1));
                    assert!(given >= least, "{given} after {least} was confirmed");
                }
            });
        }
        for round in 0..300 {
            cache.set_enabled(false);
            let newest = source.change();
            match round % 3 {
                0 => cache.invalidate("kept:1").wait().unwrap(),
                1 => cache.invalidate_tags(["row"]).wait().unwrap(),
                _ => scoped_sync(cache.clone(), || row_kept_entry(1).set(newest).unwrap()),
            }
            cache.set_enabled(true);
            floor.store(newest, SeqCst);
            thread::yield_now();
        }
        done.store(true, SeqCst);
    });
}
