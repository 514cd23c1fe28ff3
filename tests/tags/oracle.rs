//! Random histories, and after each step every entry is exactly what a naive model says: nothing stale, nothing lost.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use cache_store::testing::MemoryStore;
use larder::{Cache, Clock, ManualClock, cache_aside};
use proptest::{collection::vec, prelude::*};

const IDS: u64 = 3;
const VALUES: u64 = 2;

/// Every tag there is: one that all bear, one for each id, one that only the value tells, and two that are added by hand.
const TAGS: [&str; 8] = ["all", "id:0", "id:1", "id:2", "is:0", "is:1", "extra:0", "extra:1"];

#[cache_aside(key = "row:{id}", ttl = "forever", tags = ["all", "id:{id}", "is:{value}"], cache = cache, skip(source))]
async fn row(cache: &Cache, source: &Source, id: u64) -> u64 {
    source.load(id)
}

/// The same entries for one who asks the shared tier each time.
#[cache_aside(key = "row:{id}", ttl = "forever", layer = "shared", tags = ["all", "id:{id}", "is:{value}"],
    cache = cache, skip(source))]
async fn asked(cache: &Cache, source: &Source, id: u64) -> u64 {
    source.load(id)
}

#[derive(Default)]
struct Source {
    values: [AtomicU64; IDS as usize],
    runs: AtomicU64,
}

impl Source {
    fn load(&self, id: u64) -> u64 {
        self.runs.fetch_add(1, SeqCst);
        self.values[id as usize].load(SeqCst)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Change(u64, u64),
    Read(u64),
    Tag(u64, Vec<&'static str>),
    Any(Vec<&'static str>),
    AllOf(Vec<&'static str>),
    Key(u64),
    Pattern(&'static str),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let id = || 0..IDS;
    let tags = |most| vec(prop::sample::select(&TAGS[..]), 1..=most);
    let step = prop_oneof![
        3 => (id(), 0..VALUES).prop_map(|(id, value)| Step::Change(id, value)),
        6 => id().prop_map(Step::Read),
        3 => (id(), vec(prop::sample::select(&TAGS[6..]), 1..=2)).prop_map(|(id, tags)| Step::Tag(id, tags)),
        2 => tags(2).prop_map(Step::Any),
        5 => tags(3).prop_map(Step::AllOf),
        1 => id().prop_map(Step::Key),
        1 => prop::sample::select(vec!["row:0", "row:?", "*:1", "r*2", "order:*"]).prop_map(Step::Pattern),
        1 => Just(Step::Clear),
    ];
    vec((0..2_usize, step), 1..40)
}

/// What the tiers hold under a key, as far as anybody may see it.
struct Entry {
    value: u64,
    tags: BTreeSet<&'static str>,
    /// The invalidations by tags since its load, none of which covered it: whether one tag of a list was enough, and the
    /// list. What is tagged by hand counts as tagged since its load.
    passed: Vec<(bool, Vec<&'static str>)>,
}

impl Entry {
    fn is_covered(&self, any: bool, list: &[&str]) -> bool {
        if any {
            list.iter().any(|tag| self.tags.contains(tag))
        } else {
            list.iter().all(|tag| self.tags.contains(tag))
        }
    }
}

/// Caches that see the same entries, and the model of what they see.
struct World {
    caches: Vec<(Cache, ManualClock)>,
    source: Source,
    model: [Option<Entry>; IDS as usize],
    runs: u64,
    /// Which cache acted last.
    acted: usize,
    is_shared: bool,
    /// Whether readers ask the shared tier each time.
    asks: bool,
}

impl World {
    /// `store` for two processes, none for a process alone.
    async fn new(store: Option<&MemoryStore>, asks: bool) -> Self {
        let mut caches = Vec::new();
        for _ in 0..if store.is_some() { 2 } else { 1 } {
            let (clock, time) = Clock::manual();
            let mut builder = Cache::builder().clock(clock);
            if let Some(store) = store {
                builder = builder.shared(Arc::new(store.connect()));
            }
            caches.push((builder.build().await.unwrap(), time));
        }
        let (source, model, runs) = (Source::default(), [const { None }; IDS as usize], 0);
        Self { caches, source, model, runs, acted: 0, is_shared: store.is_some(), asks }
    }

    async fn step(&mut self, by: usize, step: Step) {
        let by = by % self.caches.len();
        if by != self.acted && !self.asks {
            // What another process invalidated may be behind by this much, and no more.
            let bound = self.caches[0].0.coherence_bound() + Duration::from_millis(1);
            self.caches.iter().for_each(|(_, time)| time.advance(bound));
        }
        self.acted = by;
        let cache = self.caches[by].0.clone();
        match step {
            Step::Change(id, value) => self.source.values[id as usize].store(value, SeqCst),
            Step::Read(id) => self.read(&cache, id).await,
            Step::Tag(id, tags) => self.tag(&cache, id, tags).await,
            Step::Any(tags) => {
                cache.invalidate_tags(tags.clone()).await.unwrap();
                self.invalidated(true, &tags);
            }
            Step::AllOf(tags) => {
                cache.invalidate_all_of(tags.clone()).await.unwrap();
                self.invalidated(false, &tags);
            }
            Step::Key(id) => {
                row_entry(&cache, id).invalidate().await.unwrap();
                self.model[id as usize] = None;
            }
            Step::Pattern(pattern) => {
                cache.invalidate_pattern(pattern).await.unwrap();
                let glob = matches(pattern);
                (0..IDS).filter(|id| glob(*id)).for_each(|id| self.model[id as usize] = None);
            }
            Step::Clear => {
                cache.clear().await.unwrap();
                self.model = [const { None }; IDS as usize];
            }
        }
        self.check(&cache).await;
    }

    async fn read(&mut self, cache: &Cache, id: u64) {
        let value = if self.asks {
            asked(cache, &self.source, id).await
        } else {
            row(cache, &self.source, id).await
        };
        let entry = self.model[id as usize].get_or_insert_with(|| {
            self.runs += 1;
            let value = self.source.values[id as usize].load(SeqCst);
            let tags = ["all", TAGS[1 + id as usize], TAGS[4 + value as usize]].into();
            Entry { value, tags, passed: Vec::new() }
        });
        assert_eq!(value, entry.value);
    }

    async fn tag(&mut self, cache: &Cache, id: u64, tags: Vec<&'static str>) {
        let tagged = cache.tag(&format!("row:{id}"), tags.clone()).await.unwrap();
        let Some(entry) = &mut self.model[id as usize] else { return assert!(!tagged) };
        entry.tags.extend(tags);
        // The shared tier does not remember which single tags were invalidated before.
        let counts = |any: bool| !any || !self.is_shared;
        let covered =
            entry.passed.iter().any(|(any, list)| counts(*any) && entry.is_covered(*any, list));
        assert_eq!(tagged, !covered);
        if covered {
            self.model[id as usize] = None;
        }
    }

    fn invalidated(&mut self, any: bool, tags: &[&'static str]) {
        // All of one tag is that tag.
        let any = any || tags.iter().all(|tag| *tag == tags[0]);
        for entry in &mut self.model {
            if entry.as_ref().is_some_and(|entry| entry.is_covered(any, tags)) {
                *entry = None;
            } else if let Some(entry) = entry {
                entry.passed.push((any, tags.to_vec()));
            }
        }
    }

    async fn check(&self, cache: &Cache) {
        for id in 0..IDS {
            let expected = self.model[id as usize].as_ref().map(|entry| entry.value);
            let entry = if self.asks { asked_entry(cache, id) } else { row_entry(cache, id) };
            assert_eq!(entry.get().await.unwrap(), expected, "row:{id}");
        }
        assert_eq!(self.source.runs.load(SeqCst), self.runs, "no more loads than needed");
    }

    async fn check_tagged(&self) {
        let (cache, _) = &self.caches[self.acted];
        for tag in TAGS {
            let listed: BTreeSet<String> = cache.tagged(tag).await.unwrap().into_iter().collect();
            for (id, entry) in self.model.iter().enumerate() {
                let bears = entry.as_ref().is_some_and(|entry| entry.tags.contains(tag));
                // The shared tier's index may know too many, and nobody too few.
                let listed = listed.contains(&format!("row:{id}"));
                assert!(listed == bears || listed && self.is_shared, "{tag} of row:{id}: {listed}");
            }
        }
    }
}

fn matches(pattern: &'static str) -> impl Fn(u64) -> bool {
    move |id| match pattern {
        "row:0" => id == 0,
        "row:?" => true,
        "*:1" => id == 1,
        "r*2" => id == 2,
        _ => false,
    }
}

fn play(world: impl AsyncFn() -> World, steps: Vec<(usize, Step)>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = world().await;
        for (by, step) in steps {
            world.step(by, step).await;
        }
        world.check_tagged().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_memory(steps in steps()) {
        play(async || World::new(None, false).await, steps);
    }

    #[test]
    fn between_two_processes_that_ask_each_time(steps in steps()) {
        play(async || World::new(Some(&MemoryStore::new()), true).await, steps);
    }

    #[test]
    fn between_two_processes_that_remember(steps in steps()) {
        play(async || World::new(Some(&MemoryStore::new()), false).await, steps);
    }
}
