//! What each annotated function did in one cache.

mod counts;

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

pub use counts::FunctionStats;

use super::{Counter, Counters};
use crate::private::{BY_HAND, Site};

/// What is counted for each function, and for keys that a person names.
///
/// A function is found by the address of its site, which each thread remembers for those that it called last. So nothing is
/// locked but when a thread meets a function for the first time, or has met many since.
#[derive(Debug)]
pub(crate) struct Functions {
    /// Never given to another cache, unlike an address.
    id: u64,
    by_hand: Arc<Counters>,
    of: RwLock<HashMap<usize, Counted>>,
}

#[derive(Clone, Debug)]
struct Counted {
    site: &'static Site,
    counters: Arc<Counters>,
}

/// So many functions are remembered by each thread, and so their counters kept for a cache that is gone, 8 KiB each.
const REMEMBERED: usize = 32;

struct Remembered {
    cache: u64,
    site: usize,
    counters: Arc<Counters>,
}

thread_local! {
    static REMEMBER: RefCell<[Option<Remembered>; REMEMBERED]> = const { RefCell::new([const { None }; REMEMBERED]) };
}

impl Functions {
    /// `by_hand` has everything that belongs to no function as well.
    pub(crate) fn new(by_hand: Arc<Counters>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Relaxed), by_hand, of: RwLock::default() }
    }

    /// Lets `count` have the counters of a function. It may count, and nothing else.
    pub(crate) fn with<R>(&self, site: &'static Site, count: impl Fn(&Arc<Counters>) -> R) -> R {
        if site.rules == BY_HAND {
            return count(&self.by_hand);
        }
        let at = std::ptr::from_ref(site).addr();
        let remembered = REMEMBER.try_with(|remember| {
            let mut remember = remember.try_borrow_mut().ok()?;
            // Sites are more than 256 bytes apart.
            let slot = &mut remember[((at >> 8) ^ self.id as usize) % REMEMBERED];
            if let Some(known) = slot
                && known.site == at
                && known.cache == self.id
            {
                return Some(count(&known.counters));
            }
            let counters = self.find(at, site);
            let counted = count(&counters);
            *slot = Some(Remembered { cache: self.id, site: at, counters });
            Some(counted)
        });
        // A thread that ends remembers nothing any more.
        remembered.ok().flatten().unwrap_or_else(|| count(&self.find(at, site)))
    }

    #[cold]
    fn find(&self, at: usize, site: &'static Site) -> Arc<Counters> {
        let known = |of: &HashMap<usize, Counted>| of.get(&at).map(|it| Arc::clone(&it.counters));
        if let Some(counters) = known(&self.of.read().unwrap_or_else(PoisonError::into_inner)) {
            return counters;
        }
        let mut of = self.of.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = known(&of) {
            return counters;
        }
        // Each instance of a generic function has a site, and so may each crate that uses an inlined one.
        let same = of.values().find(|it| is_same(it.site, site)).map(|it| Arc::clone(&it.counters));
        let counters = same.unwrap_or_default();
        of.insert(at, Counted { site, counters: Arc::clone(&counters) });
        counters
    }

    /// The sum of a counter over everything; the greatest of those that are no sums.
    pub(crate) fn sum(&self) -> impl Fn(Counter) -> u64 + use<> {
        let mut all = vec![Arc::clone(&self.by_hand)];
        all.extend(self.all().into_iter().map(|it| it.counters));
        move |counter| {
            let counts = all.iter().map(|counters| counters.get(counter));
            if counter.is_greatest() {
                counts.max().unwrap_or(0)
            } else {
                counts.fold(0, u64::wrapping_add)
            }
        }
    }

    /// What one function did.
    pub(crate) fn stats_of(&self, site: &'static Site) -> FunctionStats {
        // Not made here: a function that was never called has no counters.
        let found = self.all().into_iter().find(|it| is_same(it.site, site));
        FunctionStats::new(site, |counter| found.as_ref().map_or(0, |it| it.counters.get(counter)))
    }

    /// What each function did that was called, and the same for keys that a person names, by name.
    pub(crate) fn stats(&self) -> Vec<FunctionStats> {
        let mut stats: Vec<FunctionStats> = self
            .all()
            .iter()
            .map(|it| FunctionStats::new(it.site, |counter| it.counters.get(counter)))
            .collect();
        stats.sort_by(|one, other| {
            one.name().cmp(other.name()).then_with(|| one.key().cmp(other.key()))
        });
        stats
    }

    /// What belongs to no function.
    pub(crate) fn by_hand(&self) -> FunctionStats {
        FunctionStats::of_keys(|counter| self.by_hand.get(counter))
    }

    /// Each once.
    fn all(&self) -> Vec<Counted> {
        let of = self.of.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Counted> = Vec::with_capacity(of.len());
        for it in of.values() {
            if !all.iter().any(|known| Arc::ptr_eq(&known.counters, &it.counters)) {
                all.push(it.clone());
            }
        }
        all
    }
}

/// Whether these are sites of one function.
fn is_same(one: &Site, other: &Site) -> bool {
    std::ptr::eq(one, other)
        || (one.function == other.function && one.module == other.module && one.key == other.key)
}

impl fmt::Display for FunctionStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} hits, {} misses ({:.1} %)",
            self.name(),
            self.hits(),
            self.misses,
            self.hit_rate() * 100.0
        )?;
        write!(f, ", {} loads of {:?}", self.loads, self.mean_load_time())?;
        if self.load_time_max > Duration::ZERO {
            write!(f, ", {:?} at most", self.load_time_max)?;
        }
        let more = [
            ("failed", self.load_errors),
            ("coalesced", self.coalesced),
            ("stale served", self.stale_served),
            ("fenced", self.fills_fenced),
            ("refused", self.refused),
        ];
        for (what, number) in more.into_iter().filter(|(_, number)| *number > 0) {
            write!(f, ", {number} {what}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::private::{Spec, memory};

    static ONE: Spec<u8> = Spec::new(memory(), "crate::module", "one", &["one:", ""]);
    static AGAIN: Spec<u8> = Spec::new(memory(), "crate::module", "one", &["one:", ""]);
    static TWO: Spec<u8> = Spec::new(memory(), "crate::module", "two", &["two:", ""]);

    fn count(functions: &Functions, spec: &'static Spec<u8>, counter: Counter) {
        functions.with(&spec.site, |counters| counters.count(counter));
    }

    #[test]
    fn each_function_of_each_cache_has_its_own_counts() {
        let (one, other) = (Functions::new(Arc::default()), Functions::new(Arc::default()));
        for _ in 0..3 {
            count(&one, &ONE, Counter::Misses);
            count(&one, &TWO, Counter::HitsMemory);
            count(&other, &ONE, Counter::Coalesced);
        }
        let stats = one.stats();
        let names: Vec<&str> = stats.iter().map(FunctionStats::name).collect();
        assert_eq!(names, ["crate::module::one", "crate::module::two"]);
        assert_eq!((stats[0].misses, stats[0].hits_memory, stats[0].coalesced), (3, 0, 0));
        assert_eq!((stats[1].misses, stats[1].hits_memory), (0, 3));
        assert_eq!(other.stats().len(), 1);
        assert_eq!((one.sum()(Counter::Misses), one.sum()(Counter::HitsMemory)), (3, 3));
    }

    #[test]
    fn all_sites_of_a_function_are_one() {
        let functions = Functions::new(Arc::default());
        thread::scope(|scope| {
            for spec in [&ONE, &AGAIN, &ONE, &AGAIN] {
                let functions = &functions;
                scope.spawn(move || (0..100).for_each(|_| count(functions, spec, Counter::Loads)));
            }
        });
        assert_eq!(functions.stats().len(), 1);
        assert_eq!(functions.stats_of(&AGAIN.site).loads, 400);
        assert_eq!(functions.sum()(Counter::Loads), 400, "none is added twice");
    }

    #[test]
    fn a_function_that_was_not_called_has_counted_nothing_and_is_not_listed() {
        let functions = Functions::new(Arc::default());
        assert_eq!(functions.stats_of(&ONE.site).misses, 0);
        assert!(functions.stats().is_empty());
    }

    #[test]
    fn the_longest_load_is_that_of_the_slowest_function() {
        let functions = Functions::new(Arc::default());
        for (spec, millis) in [(&ONE, 30), (&ONE, 10), (&TWO, 20)] {
            functions.with(&spec.site, |counters| counters.loaded(Duration::from_millis(millis)));
        }
        let longest = |spec: &'static Spec<u8>| functions.stats_of(&spec.site).load_time_max;
        assert_eq!(
            (longest(&ONE), longest(&TWO)),
            (Duration::from_millis(30), Duration::from_millis(20))
        );
        assert_eq!(functions.sum()(Counter::LoadNanosMax), 30_000_000);
    }
}
