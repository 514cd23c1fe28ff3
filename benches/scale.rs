//! What a hit and an invalidation in memory cost where there are a thousand entries, and where there are a million.
//!
//! `cargo bench -p larder-benches --bench scale`; `invalidate` is the same for Redis.

use std::{
    hint::black_box,
    iter,
    sync::Arc,
    time::{Duration, Instant},
};

use larder::{Cache, cache_aside};
use larder_benches::{Effort, Quantity, Sample, Table, block_on};

const TTL: Duration = Duration::from_secs(300);
const HITS: u32 = 50_000;
/// How often each kind of invalidation is done. An entry bears as many tags, as each can be invalidated but once.
const TIMES: usize = 9;

#[cache_aside(key = "product:{id}", ttl = "5m", layer = "memory", skip(cache), cache = cache)]
fn plain(cache: &Cache, id: u64) -> Arc<u64> {
    Arc::new(id)
}

/// All entries bear the tags `all:0` to `all:8`, and each has a tag of its own.
async fn tagged(cache: &Cache, id: u64) -> larder::Result<Arc<u64>> {
    let tags = (0..TIMES).map(|tag| format!("all:{tag}")).chain([format!("own:{id}")]);
    let load = async || Ok::<_, larder::Error>(Arc::new(id));
    cache.get_or_set(&format!("tagged:{id}"), load).tags(tags).ttl("5m").await
}

struct Tables {
    hits: Table,
    invalidations: Table,
}

fn main() -> larder::Result<()> {
    if cfg!(feature = "allocations") {
        return Ok(());
    }
    let largest = Effort::asked().choose(100, 100_000, 1_000_000);
    let sizes: Vec<u64> = iter::successors(Some(1_000.min(largest)), |size| Some(size * 10))
        .take_while(|size| *size <= largest)
        .collect();
    let table = |title| Table::new("scale", title, Quantity::Time).axis("entries");
    let mut tables = Tables {
        hits: table("A hit in memory, by the number of entries"),
        invalidations: table("An invalidation in memory, by the number of entries"),
    };
    for size in sizes {
        hits(&mut tables.hits, size)?;
        block_on(invalidations(&mut tables.invalidations, size))?;
    }
    tables.hits.finish();
    tables.invalidations.finish();
    Ok(())
}

fn cache(entries: u64) -> larder::Result<Cache> {
    block_on(Cache::builder().max_entries(entries).build())
}

/// Entries in no order.
fn scattered(size: u64) -> Vec<u64> {
    let mut random = fastrand::Rng::with_seed(size);
    iter::repeat_with(|| random.u64(0..size)).take(HITS as usize).collect()
}

fn hits(table: &mut Table, size: u64) -> larder::Result<()> {
    let cache = cache(size)?;
    let moka = moka::sync::Cache::builder().max_capacity(size).time_to_live(TTL).build();
    for id in 0..size {
        moka.insert(id, Arc::new(id));
        plain(&cache, id);
    }
    let ids = scattered(size);
    let mut nanos = [Vec::new(), Vec::new()];
    for _ in 0..Effort::asked().choose(1, 15, 41) {
        let ask_moka = || ids.iter().for_each(|id| drop(black_box(moka.get(id))));
        let ask_larder = || ids.iter().for_each(|id| drop(black_box(plain(&cache, *id))));
        nanos[0].push(timed(ask_moka) / f64::from(HITS));
        nanos[1].push(timed(ask_larder) / f64::from(HITS));
    }
    let [moka, larder] = nanos.map(Sample::new);
    table.put_at(size as f64, "moka::sync, u64 key", moka, &[]);
    table.put_at(size as f64, "larder, fn", larder, &[]);
    Ok(())
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e9
}

async fn invalidations(table: &mut Table, size: u64) -> larder::Result<()> {
    let cache = Cache::builder().max_entries(size).build().await?;
    let moka = moka::sync::Cache::builder().max_capacity(size).time_to_live(TTL).build();
    for id in 0..size {
        moka.insert(id, Arc::new(id));
        tagged(&cache, id).await?;
    }
    let mut nanos = [const { Vec::new() }; 4];
    for turn in 0..TIMES as u64 {
        // Far from one another, and none twice.
        let id = turn * size / TIMES as u64;
        let start = Instant::now();
        moka.invalidate(&id);
        nanos[0].push(start.elapsed().as_secs_f64() * 1e9);
        let key = format!("tagged:{id}");
        let start = Instant::now();
        cache.invalidate(&key).await?;
        nanos[1].push(start.elapsed().as_secs_f64() * 1e9);
        let tag = format!("own:{}", id + 1);
        let start = Instant::now();
        cache.invalidate_tags([tag]).await?;
        nanos[2].push(start.elapsed().as_secs_f64() * 1e9);
        let tag = format!("all:{turn}");
        let start = Instant::now();
        cache.invalidate_tags([tag]).await?;
        nanos[3].push(start.elapsed().as_secs_f64() * 1e9);
    }
    let names = [
        "moka::sync, one key",
        "larder, one key",
        "larder, a tag that one entry has",
        "larder, a tag that all entries have",
    ];
    for (name, nanos) in names.into_iter().zip(nanos) {
        table.put_at(size as f64, name, Sample::new(nanos), &[]);
    }
    Ok(())
}
