//! How many requests of a trace are hits, and how fast it goes through, in caches of 1, 5 and 20 % of what is asked for.
//!
//! `cargo bench -p larder-benches --bench trace`. What tells a hit from a miss of an annotated function is whether its body
//! ran. The trace `OLTP` (N. Megiddo and D. S. Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003) is
//! looked for in `../shared/traces`, or in the folder that `LARDER_TRACES` names.

#[path = "fixtures/requests.rs"]
mod requests;

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use cached::ConcurrentCached;
use larder::{Cache, cache_aside};
use larder_benches::{Effort, Quantity, Sample, Table, Target, block_on, thousands};
use requests::Requests;

const TTL: Duration = Duration::from_secs(3600);
/// Per cent of the distinct pages.
const CAPACITIES: [u64; 3] = [1, 5, 20];
const MOKA: &str = "moka::sync";

#[cache_aside(key = "page:{page}", ttl = "1h", layer = "memory", skip(cache, misses), cache = cache)]
async fn larder_page(cache: &Cache, misses: &Cell<u64>, page: u64) -> Arc<u64> {
    misses.set(misses.get() + 1);
    Arc::new(page)
}

/// Runs all requests through a new cache of that capacity and tells the misses.
type Run = fn(&[u64], u64) -> u64;

const CANDIDATES: [(&str, Run); 4] = [
    (MOKA, |pages, capacity| {
        let moka = moka::sync::Cache::builder().max_capacity(capacity).time_to_live(TTL).build();
        misses(pages, |page| moka.get(&page).is_some(), |page| moka.insert(page, Arc::new(page)))
    }),
    ("quick_cache", |pages, capacity| {
        let quick = quick_cache::sync::Cache::new(capacity as usize);
        misses(pages, |page| quick.get(&page).is_some(), |page| quick.insert(page, Arc::new(page)))
    }),
    ("cached, ShardedLruTtlCache", |pages, capacity| {
        let lru =
            cached::ShardedLruTtlCache::builder().max_size(capacity as usize).ttl(TTL).build();
        let lru = lru.expect("a size and a ttl");
        let found = |page| matches!(lru.cache_get(&page), Ok(Some(_)));
        misses(pages, found, |page| {
            let _ = lru.cache_set(page, Arc::new(page));
        })
    }),
    ("larder, async fn", |pages, capacity| {
        let misses = Cell::new(0);
        block_on(async {
            let cache = Cache::builder().max_entries(capacity).build().await;
            let cache = cache.expect("it is in memory");
            for page in pages {
                larder_page(&cache, &misses, *page).await;
            }
        });
        misses.get()
    }),
];

fn misses(pages: &[u64], found: impl Fn(u64) -> bool, keep: impl Fn(u64)) -> u64 {
    let mut misses = 0;
    for &page in pages {
        if !found(page) {
            misses += 1;
            keep(page);
        }
    }
    misses
}

fn main() {
    if cfg!(feature = "allocations") {
        return;
    }
    for requests in requests::all(Effort::asked()) {
        compare(&requests);
    }
}

fn compare(requests: &Requests) {
    let Requests { name, pages, distinct } = requests;
    let (count, distinct_pages) = (thousands(pages.len() as f64), thousands(*distinct as f64));
    let table = |title, quantity| {
        let note = format!("{count} requests, {distinct_pages} pages");
        Table::new("trace", title, quantity).note(note).axis("capacity in % of the pages")
    };
    let mut ratios = table(format!("Hits, {name}"), Quantity::Share);
    let mut speeds = table(format!("Requests per second, {name}"), Quantity::Throughput);
    let rounds = Effort::asked().choose(1, 1, 5);
    for share in CAPACITIES {
        let capacity = (distinct * share / 100).max(1);
        let mut found = [const { (Vec::new(), Vec::new()) }; CANDIDATES.len()];
        for _ in 0..rounds {
            for ((_, run), (hits, speeds)) in CANDIDATES.iter().zip(&mut found) {
                let start = Instant::now();
                let misses = run(pages, capacity) as f64;
                let count = pages.len() as f64;
                speeds.push(count / start.elapsed().as_secs_f64());
                hits.push((1.0 - misses / count) * 100.0);
            }
        }
        for ((name, _), (hits, fast)) in CANDIDATES.iter().zip(found) {
            let near = name.starts_with("larder").then(|| Target::within(0.3, MOKA));
            ratios.put_at(share as f64, name, Sample::new(hits), near.as_slice());
            speeds.put_at(share as f64, name, Sample::new(fast), &[]);
        }
    }
    ratios.finish();
    speeds.finish();
}
