//! What it costs to invalidate a tag that one entry bears, and one that a million bear: one round trip, and the same time.
//!
//! `cargo bench -p larder-benches --bench invalidate [-- ENTRIES]`; needs `redis-server`, of which it starts one.

#[path = "../cache-redis/tests/common/server.rs"]
mod server;

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use cache_redis::{RedisConfig, RedisStore};
use larder::{Cache, Result};
use larder_benches::{Effort, Quantity, Sample, Table, Target, thousands};
use server::Server;
use tokio::{runtime::Runtime, task::JoinSet};

/// Each entry bears that many tags, and each of them is invalidated once. The server holds about a gigabyte and a half for a
/// million entries.
const TAGS: usize = 9;
const MANY: usize = 1_000_000;
const WRITERS: usize = 64;

fn main() -> Result<()> {
    if cfg!(feature = "allocations") {
        return Ok(());
    }
    let given = env::args().filter_map(|arg| arg.parse().ok()).next();
    let many = given.unwrap_or(Effort::asked().choose(100, 20_000, MANY));
    Runtime::new().expect("a runtime").block_on(compare(many))
}

async fn compare(many: usize) -> Result<()> {
    let server = Server::start(&[]);
    let (one, lots) = (cache(&server, "one:").await?, cache(&server, "lots:").await?);
    fill(&one, 1).await?;
    fill(&lots, many).await?;
    // What the question itself makes the server receive.
    let asking = {
        let before = received(&server);
        received(&server) - before
    };
    let mut nanos = [Vec::new(), Vec::new()];
    let mut trips = [Vec::new(), Vec::new()];
    for tag in 0..TAGS {
        for (at, cache) in [&one, &lots].into_iter().enumerate() {
            let (before, start) = (received(&server), Instant::now());
            cache.invalidate_tags([name(tag)]).await?;
            nanos[at].push(start.elapsed().as_secs_f64() * 1e9);
            trips[at].push((received(&server) - before - asking) as f64);
        }
    }
    let table = |title, quantity| {
        let note = format!("of one entry, and of {} entries", thousands(many as f64));
        Table::new("invalidate", title, quantity).note(note)
    };
    let mut times = table("Invalidating a tag in Redis", Quantity::Time);
    let mut asked = table("Invalidating a tag in Redis: round trips", Quantity::Count);
    for ((entries, nanos), trips) in [1, many].into_iter().zip(nanos).zip(trips) {
        let name = if entries == 1 { "larder, one entry" } else { "larder, all entries" };
        times.put(name, Sample::new(nanos), &[]);
        // The first one finds no script yet.
        asked.put(name, Sample::new(trips), &[Target::no_more_than(1.0)]);
    }
    times.finish();
    asked.finish();
    Ok(())
}

/// What a process does in the background, heartbeats and giving memory back, must not count among what the server receives.
async fn cache(server: &Server, prefix: &str) -> Result<Cache> {
    let rare = Duration::from_secs(24 * 3600);
    let config = RedisConfig::new(server.url()).prefix(prefix).sweep(false);
    let store = RedisStore::connect(config).await?;
    Cache::builder().shared(store).coherence_bound(rare).build().await
}

async fn fill(cache: &Cache, entries: usize) -> Result<()> {
    let tags: Arc<[String]> = (0..TAGS).map(name).collect();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (cache, tags) = (cache.clone(), Arc::clone(&tags));
        writers.spawn(async move {
            for number in (writer..entries).step_by(WRITERS) {
                let load = || async { Ok::<_, larder::Error>(number as u64) };
                let key = format!("entry:{number}");
                cache.get_or_set(&key, load).tags(tags.iter().cloned()).ttl("1h").await?;
            }
            Result::Ok(())
        });
    }
    while let Some(written) = writers.join_next().await {
        written.expect("no panic")?;
    }
    Ok(())
}

fn name(tag: usize) -> String {
    format!("tag:{tag}")
}

/// How often the server has received something: a request that comes in one piece counts once.
fn received(server: &Server) -> u64 {
    let stats = server.ask(&["INFO", "stats"]);
    let reads = stats.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
    reads.and_then(|reads| reads.parse().ok()).expect("the server counts what it receives")
}
