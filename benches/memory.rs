//! What an entry costs in memory, beside its value: bytes that were asked for and are held.
//!
//! `cargo bench -p larder-benches --features allocations --bench memory`

use std::{any::Any, sync::Arc, time::Duration};

use larder::{Cache, memoize};
use larder_benches::{Effort, Quantity, Table, block_on, held, thousands};

const TTL: Duration = Duration::from_secs(300);

#[memoize(key = "product:{id}", ttl = "5m")]
fn larder_sync(id: u64) -> Arc<u64> {
    Arc::new(id)
}

#[memoize(key = "order:{id}", ttl = "5m", tags = ["orders"])]
fn larder_tagged(id: u64) -> Arc<u64> {
    Arc::new(id)
}

/// Makes a cache for so many entries, fills it, and hands it back, as what it holds is given back with it.
type Fill = fn(u64) -> Box<dyn Any>;

const CANDIDATES: [(&str, Fill); 5] = [
    ("moka::sync, u64 key", |entries| {
        let moka = moka::sync::Cache::builder().max_capacity(entries).time_to_live(TTL).build();
        (0..entries).for_each(|id| moka.insert(id, Arc::new(id)));
        moka.run_pending_tasks();
        assert_eq!(moka.entry_count(), entries);
        Box::new(moka)
    }),
    ("moka::sync, key by format!", |entries| {
        let moka = moka::sync::Cache::builder().max_capacity(entries).time_to_live(TTL).build();
        (0..entries).for_each(|id| moka.insert(format!("product:{id}"), Arc::new(id)));
        moka.run_pending_tasks();
        assert_eq!(moka.entry_count(), entries);
        Box::new(moka)
    }),
    ("quick_cache, u64 key", |entries| {
        // One shard: many do not fill up alike, and one that is full gives an entry up while others have room.
        let room = usize::try_from(entries).expect("64 bits");
        let options = quick_cache::OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(room)
            .weight_capacity(entries)
            .build();
        let quick = quick_cache::sync::Cache::with_options(
            options.expect("all that it needs was given"),
            quick_cache::UnitWeighter,
            quick_cache::DefaultHashBuilder::default(),
            quick_cache::sync::DefaultLifecycle::default(),
        );
        (0..entries).for_each(|id| quick.insert(id, Arc::new(id)));
        assert_eq!(quick.len() as u64, entries);
        Box::new(quick)
    }),
    ("larder, fn", |entries| Box::new(larder_with(entries, larder_sync))),
    ("larder, fn with a tag", |entries| Box::new(larder_with(entries, larder_tagged))),
];

fn larder_with(entries: u64, load: fn(u64) -> Arc<u64>) -> Cache {
    let cache = block_on(Cache::builder().max_entries(entries).build()).expect("it is in memory");
    larder::scoped_sync(cache.clone(), || {
        (0..entries).for_each(|id| {
            load(id);
        });
    });
    // What moka has not counted yet is missing from `entries`.
    assert_eq!(cache.stats().evictions, 0, "all of them are held");
    cache
}

fn main() {
    let entries = Effort::asked().choose(1_000, 100_000, 1_000_000);
    let note = format!("{} entries; the value, 24 bytes, is included", thousands(entries as f64));
    let mut table = Table::new("memory", "Memory for one entry", Quantity::Bytes).note(note);
    for (name, fill) in CANDIDATES {
        let mut cache = None;
        let Some(held) = held(|| cache = Some(fill(entries))) else { continue };
        drop(cache);
        table.put(name, held.bytes as f64 / entries as f64, &[]);
    }
    if cfg!(feature = "allocations") {
        table.finish();
    } else if Effort::asked() != Effort::Test {
        println!("Nothing measured: memory is counted with `--features allocations`.");
    }
}
