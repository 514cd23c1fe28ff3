use std::any::Any;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::clock::{ManualClock, Moment};
use crate::fence::Fences;
use crate::key::{Fingerprint, KeyBuffer, raw_key};

type Evicted = Arc<Mutex<HashMap<(String, Cause), usize>>>;

struct Setup {
    tier: MemoryTier,
    clock: Clock,
    hand: ManualClock,
    evicted: Evicted,
}

fn setup(max_entries: u64, max_bytes: Option<u64>) -> Setup {
    let (clock, hand) = Clock::manual();
    let (on_evict, evicted) = recorder();
    let config =
        MemoryConfig { max_entries, max_bytes, clock: clock.clone(), on_evict, front: true };
    Setup { tier: MemoryTier::new(config), clock, hand, evicted }
}

fn recorder() -> (Option<OnEvict>, Evicted) {
    let evicted = Evicted::default();
    let record = Arc::clone(&evicted);
    let on_evict = move |text: &str, cause| {
        *record.lock().unwrap().entry((text.to_owned(), cause)).or_default() += 1;
    };
    (Some(Box::new(on_evict)), evicted)
}

fn key(text: &str) -> Key {
    raw_key(text, &mut KeyBuffer::new()).unwrap().to_key()
}

fn entry(value: u64, expires: Option<Moment>, weight: u32) -> Arc<MemoryEntry> {
    let fences = Fences::new();
    let fence = fences.fence(fences.now(), &[] as &[&str]);
    Arc::new(MemoryEntry {
        value: Some(Arc::new(value)),
        due: expires,
        aging: None,
        weight,
        version: 0,
        rules: 0,
        alone: false,
        types: None,
        fence,
        proof: None,
        home: Home::new("".into(), None),
        stay: Stay::default(),
    })
}

fn forever(value: u64) -> Arc<MemoryEntry> {
    entry(value, None, 1)
}

/// Puts an entry in that only the test has.
fn put<S: BuildHasher + Clone + Send + Sync + 'static>(
    tier: &MemoryTier<S>,
    text: &str,
    mut entry: Arc<MemoryEntry>,
) -> Arc<MemoryEntry> {
    Arc::get_mut(&mut entry).unwrap().home = tier.home(&key(text));
    tier.insert(key(text), Arc::clone(&entry), None);
    entry
}

fn found<S: BuildHasher + Clone + Send + Sync + 'static>(
    tier: &MemoryTier<S>,
    text: &str,
) -> Option<u64> {
    let entry = tier.get(key(text).as_ref())?;
    entry.value.as_ref()?.downcast_ref().copied()
}

/// Does housekeeping until it is so: other threads that are reading hold it up.
fn until(so: impl Fn() -> bool, tier: &MemoryTier) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < deadline, "it is still there");
        std::thread::sleep(Duration::from_millis(1));
        tier.run_pending();
    }
}

/// Does housekeeping until moka has given the entry back that only the test has then.
fn given_back(tier: &MemoryTier, entry: &Arc<MemoryEntry>) {
    until(|| Arc::strong_count(entry) == 1, tier);
}

/// Gives every key the same hash.
#[derive(Default)]
struct Same;

impl Hasher for Same {
    fn finish(&self) -> u64 {
        7
    }

    fn write(&mut self, _: &[u8]) {}
}

#[test]
fn two_keys_with_equal_hashes_never_answer_for_each_other() {
    let (clock, _) = Clock::manual();
    let config =
        MemoryConfig { max_entries: 100, max_bytes: None, clock, on_evict: None, front: true };
    let tier = MemoryTier::with_hasher(config, BuildHasherDefault::<Same>::default());
    put(&tier, "one", forever(1));
    assert_eq!(found(&tier, "two"), None);
    put(&tier, "two", forever(2));
    assert_eq!((found(&tier, "one"), found(&tier, "two")), (Some(1), Some(2)));
    tier.remove(key("one").as_ref());
    assert_eq!((found(&tier, "one"), found(&tier, "two")), (None, Some(2)));
}

#[test]
fn each_entry_has_a_time_to_live_of_its_own() {
    let Setup { tier, clock, hand, evicted } = setup(100, None);
    let in_ms = |ms| Some(clock.now().plus(Duration::from_millis(ms)));
    put(&tier, "short", entry(1, in_ms(10), 1));
    put(&tier, "long", entry(2, in_ms(20), 1));
    put(&tier, "forever", forever(3));
    hand.advance(Duration::from_nanos(9_999_999));
    assert_eq!(found(&tier, "short"), Some(1));
    hand.advance(Duration::from_nanos(1));
    assert_eq!(found(&tier, "short"), None);
    assert_eq!(found(&tier, "long"), Some(2));
    hand.advance(Duration::from_secs(1_000_000));
    assert_eq!(found(&tier, "long"), None);
    assert_eq!(found(&tier, "forever"), Some(3));
    tier.run_pending();
    assert_eq!(tier.len(), 1, "what was found expired is gone");
    let expected = [(("short".into(), Cause::Expired), 1), (("long".into(), Cause::Expired), 1)];
    assert_eq!(*evicted.lock().unwrap(), HashMap::from(expected));
}

#[test]
fn a_clock_that_stands_still_keeps_an_entry_however_long_the_test_takes() {
    let Setup { tier, clock, .. } = setup(100, None);
    let expiry = GiveBack(clock.clone());
    let short = entry(1, Some(clock.now().plus(Duration::from_nanos(1))), 1);
    let held = Held::told(Arc::clone(&short));
    let asked = Instant::now();
    assert_eq!(expiry.expire_after_create(&Kept::new(key("short"), &short), &held, asked), None);
    assert_eq!(
        expiry.expire_after_update(&Kept::new(key("short"), &short), &held, asked, None),
        None
    );
    tier.insert(key("short"), short, None);
    assert_eq!(found(&tier, "short"), Some(1));
}

#[test]
fn moka_gives_back_the_memory_of_an_entry_that_nobody_reads_again() {
    let clock = Clock::system();
    let (on_evict, evicted) = recorder();
    let config = MemoryConfig {
        max_entries: 10,
        max_bytes: None,
        clock: clock.clone(),
        on_evict,
        front: true,
    };
    let tier = MemoryTier::new(config);
    put(&tier, "short", entry(1, Some(clock.now()), 1));
    put(&tier, "renewed", entry(1, Some(clock.now()), 1));
    put(&tier, "renewed", forever(2));
    until(|| !evicted.lock().unwrap().is_empty(), &tier);
    assert_eq!(tier.len(), 1);
    assert_eq!(found(&tier, "renewed"), Some(2), "the time to live is the newer entry's");
    let expected = [(("short".into(), Cause::Expired), 1)];
    assert_eq!(*evicted.lock().unwrap(), HashMap::from(expected));
}

#[test]
fn an_entry_that_replaces_another_brings_its_own_time_to_live() {
    let Setup { tier, clock, hand, evicted } = setup(100, None);
    let soon = clock.now().plus(Duration::from_secs(1));
    put(&tier, "a", entry(1, Some(soon), 1));
    put(&tier, "a", forever(2));
    put(&tier, "b", forever(1));
    put(&tier, "b", entry(2, Some(soon), 1));
    hand.advance(Duration::from_secs(2));
    assert_eq!((found(&tier, "a"), found(&tier, "b")), (Some(2), None));
    assert_eq!(evicted.lock().unwrap().len(), 1, "a replacement is no eviction");
}

#[test]
fn the_number_of_entries_stays_within_its_bound() {
    let Setup { tier, evicted, .. } = setup(10, None);
    for n in 0..100 {
        put(&tier, &n.to_string(), entry(n, None, 1_000_000));
        tier.run_pending();
        assert!(tier.len() <= 10);
    }
    assert_eq!((tier.len(), tier.weighted_size()), (10, 10));
    let all_told = || evicted.lock().unwrap().len() == 90;
    until(all_told, &tier);
    assert!(evicted.lock().unwrap().keys().all(|(_, cause)| *cause == Cause::Size));
}

#[test]
fn the_sum_of_the_weights_stays_within_its_bound() {
    let Setup { tier, .. } = setup(2, Some(1_000));
    for n in 0..10 {
        put(&tier, &n.to_string(), entry(n, None, 100));
    }
    tier.run_pending();
    assert_eq!((tier.len(), tier.weighted_size()), (10, 1_000), "the number does not count");
    put(&tier, "big", entry(0, None, 1_001));
    tier.run_pending();
    assert!(tier.weighted_size() <= 1_000);
    assert_eq!(found(&tier, "big"), None, "what can never fit is not kept");
}

#[test]
fn a_bound_of_nothing_turns_the_tier_off() {
    let Setup { tier, .. } = setup(0, None);
    put(&tier, "a", forever(1));
    assert_eq!(found(&tier, "a"), None);
}

#[test]
fn a_value_is_never_copied() {
    let Setup { tier, .. } = setup(10, None);
    let value: Arc<dyn Any + Send + Sync> = Arc::new(vec![1_u8; 1_000]);
    let fences = Fences::new();
    let fence = fences.fence(fences.now(), &[] as &[&str]);
    let stored = Arc::new(MemoryEntry {
        value: Some(Arc::clone(&value)),
        due: None,
        aging: None,
        weight: 1,
        version: 0,
        rules: 0,
        alone: false,
        types: None,
        fence,
        proof: None,
        home: Home::new("".into(), None),
        stay: Stay::default(),
    });
    tier.insert(key("a"), Arc::clone(&stored), None);
    let hit = tier.get(key("a").as_ref()).unwrap();
    assert!(Arc::ptr_eq(&hit, &stored));
    assert!(Arc::ptr_eq(hit.value.as_ref().unwrap(), &value));
}

#[test]
fn an_absence_is_a_hit() {
    let Setup { tier, .. } = setup(10, None);
    let fences = Fences::new();
    let fence = fences.fence(fences.now(), &[] as &[&str]);
    tier.insert(
        key("a"),
        Arc::new(MemoryEntry {
            value: None,
            due: None,
            aging: None,
            weight: 1,
            version: 0,
            rules: 0,
            alone: false,
            types: None,
            fence,
            proof: None,
            home: Home::new("".into(), None),
            stay: Stay::default(),
        }),
        None,
    );
    assert!(tier.get(key("a").as_ref()).is_some_and(|hit| hit.value.is_none()));
}

#[test]
fn a_conditional_removal_spares_the_entry_that_came_since() {
    let Setup { tier, evicted, .. } = setup(10, None);
    let (old, new) = (forever(1), forever(2));
    let (old, new) = (put(&tier, "a", old), put(&tier, "a", new));
    assert!(!tier.remove_if(key("a").as_ref(), &old));
    assert_eq!(found(&tier, "a"), Some(2));
    assert!(tier.remove_if(key("a").as_ref(), &new));
    assert_eq!(found(&tier, "a"), None);
    assert!(!tier.remove_if(key("a").as_ref(), &new));
    given_back(&tier, &old);
    given_back(&tier, &new);
    assert!(evicted.lock().unwrap().is_empty(), "a removal is no eviction");
}

#[test]
fn a_conditional_removal_of_an_old_entry_never_takes_one_that_is_inserted_meanwhile() {
    let Setup { tier, .. } = setup(10, None);
    let a = key("a");
    let outdated = Mutex::new(forever(0));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let old = Arc::clone(&outdated.lock().unwrap());
                tier.remove_if(a.as_ref(), &old);
            }
        });
        let mut new = forever(0);
        for n in 1..50_000 {
            *outdated.lock().unwrap() = std::mem::replace(&mut new, forever(n));
            tier.insert(a.clone(), Arc::clone(&new), None);
            let there = tier.get(a.as_ref()).is_some_and(|there| Arc::ptr_eq(&there, &new));
            if !there {
                done.store(true, Ordering::Release);
                panic!("entry {n} was taken for an older one");
            }
        }
        done.store(true, Ordering::Release);
    });
}

#[test]
fn a_removal_hands_back_the_entry() {
    let Setup { tier, evicted, .. } = setup(10, None);
    let stored = put(&tier, "a", forever(1));
    assert!(tier.remove(key("a").as_ref()).is_some_and(|gone| Arc::ptr_eq(&gone, &stored)));
    assert!(tier.remove(key("a").as_ref()).is_none());
    given_back(&tier, &stored);
    assert!(evicted.lock().unwrap().is_empty(), "a removal is no eviction");
}

#[test]
fn clearing_hides_every_entry_at_once() {
    let Setup { tier, evicted, .. } = setup(10, None);
    let one = put(&tier, "a", forever(1));
    let two = put(&tier, "b", forever(2));
    tier.clear();
    assert_eq!((found(&tier, "a"), found(&tier, "b")), (None, None));
    tier.run_pending();
    assert_eq!(tier.len(), 0);
    given_back(&tier, &one);
    given_back(&tier, &two);
    assert!(evicted.lock().unwrap().is_empty(), "clearing is no eviction");
}

#[test]
fn of_a_tier_that_is_dropped_nothing_is_told() {
    let (Setup { tier, evicted, .. }, other) = (setup(10, None), setup(10, None).tier);
    let entry = put(&tier, "a", forever(1));
    drop(tier);
    given_back(&other, &entry);
    assert!(evicted.lock().unwrap().is_empty());
}

#[test]
fn what_is_replaced_is_no_eviction_whatever_was_known_of_the_key() {
    let Setup { tier, evicted, .. } = setup(10, None);
    let key = key("a");
    let before = Absence::after(tier.changes(key.hash()));
    assert!(tier.is_absent(key.hash(), before));
    let old = put(&tier, "a", forever(1));
    assert!(!tier.is_absent(key.hash(), before), "it is there now");
    tier.insert(key, forever(2), Some(before));
    assert!(old.is_gone());
    given_back(&tier, &old);
    assert!(evicted.lock().unwrap().is_empty());
    assert_eq!(found(&tier, "a"), Some(2));
}

#[test]
fn what_is_evicted_is_gone_and_told_when_its_memory_is_given_back() {
    let Setup { tier, evicted, .. } = setup(10, None);
    let entries: Vec<_> = (0..50).map(|n| put(&tier, &n.to_string(), forever(n))).collect();
    until(|| evicted.lock().unwrap().len() == 40, &tier);
    assert_eq!(entries.iter().filter(|entry| entry.is_gone()).count(), 40);
    assert!(evicted.lock().unwrap().values().all(|times| *times == 1));
}

fn copied(entry: &Arc<MemoryEntry>, text: &str) -> Copied {
    let seen = Seen { own: 0, heard: 0, key: 0 };
    let until = Clock::manual().0.deadline(None);
    let counters = Arc::default();
    Copied { entry: Arc::clone(entry), seen, until, followed: false, key: key(text), counters }
}

fn print(id: u64) -> Fingerprint {
    let mut print = Fingerprint::new();
    print.part(&id);
    print
}

#[test]
fn copies_are_given_back_when_a_cache_is_cleared_or_dropped() {
    for dropped in [false, true] {
        let (one, two) = (setup(1000, None).tier, setup(1000, None).tier);
        let (entry, other) = (forever(1), forever(2));
        let (at, elsewhere) = (print(1), print(2));
        one.front().unwrap().place(7, &at).keep(copied(&entry, "k"));
        assert_eq!(Arc::strong_count(&entry), 2);
        if dropped {
            drop(one)
        } else {
            one.clear()
        }
        two.front().unwrap().place(7, &elsewhere).keep(copied(&other, "k"));
        assert_eq!(Arc::strong_count(&entry), 1);
        assert_eq!(Arc::strong_count(&other), 2);
    }
}

#[test]
fn a_thread_keeps_no_more_copies_than_its_front_has_room_for() {
    let tier = setup(100_000, None).tier;
    let entries: Vec<_> = (0..5_000).map(forever).collect();
    for (entry, id) in entries.iter().zip(0..) {
        tier.front().unwrap().place(7, &print(id)).keep(copied(entry, "k"));
    }
    let kept = entries.iter().filter(|entry| Arc::strong_count(entry) > 1).count();
    assert!((400..=512).contains(&kept), "{kept}");
    let small = setup(100, None).tier;
    let entries: Vec<_> = (0..5_000).map(forever).collect();
    for (entry, id) in entries.iter().zip(0..) {
        small.front().unwrap().place(7, &print(id)).keep(copied(entry, "k"));
    }
    let kept = entries.iter().filter(|entry| Arc::strong_count(entry) > 1).count();
    assert!((10..=25).contains(&kept), "a quarter of its entries: {kept}");
}

#[test]
fn a_look_that_is_not_recorded_finds_what_the_last_insert_put_there() {
    let Setup { tier, hand, clock, .. } = setup(1000, None);
    let soon = clock.now().plus(Duration::from_secs(1));
    for value in 0..10 {
        put(&tier, "k", entry(value, Some(soon), 1));
        let found = tier.find(key("k").as_ref(), Sight::Unrecorded).unwrap().0;
        assert_eq!(found.value.as_ref().unwrap().downcast_ref(), Some(&value));
    }
    assert!(tier.find(key("other").as_ref(), Sight::Unrecorded).is_none());
    hand.advance(Duration::from_secs(1));
    assert!(tier.find(key("k").as_ref(), Sight::Unrecorded).is_none());
    put(&tier, "k", forever(1));
    drop(tier.remove(key("k").as_ref()));
    assert!(tier.find(key("k").as_ref(), Sight::Unrecorded).is_none());
}
