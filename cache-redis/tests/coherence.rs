//! The promise as a whole, with everything going on at once: a read that asks the server never returns a value whose
//! load began before an invalidation that has already returned.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{
    Begin, Claim, ClaimOutcome, Fill, Finish, Head, Invalidation, Nonce, Query, Record, Recorded,
    Result, Store,
};
use common::*;
use tokio::time::sleep;

const KEYS: usize = 6;
const RUN: Duration = Duration::from_secs(4);

/// The database, what was promised of it, and what happened.
#[derive(Default)]
struct World {
    versions: [AtomicU64; KEYS],
    /// No read that begins now may return less.
    floors: [AtomicU64; KEYS],
    stop: AtomicBool,
    hits: AtomicU64,
    stored: AtomicU64,
    written: AtomicU64,
    invalidated: AtomicU64,
    errors: AtomicU64,
}

impl World {
    async fn load(&self, k: usize) -> u64 {
        let version = self.versions[k].load(SeqCst);
        pause(4).await;
        version
    }

    fn running(&self) -> bool {
        !self.stop.load(SeqCst)
    }
}

async fn pause(most_ms: u64) {
    sleep(Duration::from_micros(fastrand::u64(0..most_ms * 1_000))).await;
}

fn name(k: usize) -> String {
    format!("key:{k}:{}", k % 3)
}

/// Two tags, so that some invalidations take both to cover an entry.
fn tags(k: usize) -> Vec<String> {
    vec![format!("half{}", k % 2), format!("third{}", k % 3)]
}

/// A head as every entry has it (so that sweeps may take it), tag nonces, version.
fn entry(key: Nonce, position: Nonce, tags: &[Nonce], version: u64) -> Vec<u8> {
    let fill_id = fastrand::u64(..).to_le_bytes();
    let head = [key.as_bytes().as_slice(), position.as_bytes(), &fill_id, &Head::MAGIC].concat();
    let tags = [tags[0], tags[1]].map(|nonce| *nonce.as_bytes()).concat();
    [head, tags, version.to_le_bytes().to_vec()].concat()
}

/// Where the tag nonces begin and the version does.
const TAGS_AT: usize = Head::LEN;
const VERSION_AT: usize = TAGS_AT + 2 * Nonce::LEN;

fn version(entry: &[u8]) -> u64 {
    u64::from_le_bytes(entry[VERSION_AT..].try_into().unwrap())
}

fn named<'a>(tags: &'a [String], nonces: &[Nonce]) -> Vec<(&'a str, Nonce)> {
    tags.iter().map(String::as_str).zip(nonces.iter().copied()).collect()
}

fn bears(entry: &[u8], nonces: &[Option<Nonce>]) -> bool {
    let stored = entry[TAGS_AT..VERSION_AT].chunks(Nonce::LEN);
    stored.map(Nonce::from_bytes).eq(nonces.iter().copied())
}

fn is_good(entry: &[u8], k: usize, nonces: &[Nonce], log: &[Record]) -> bool {
    let position = Head::parse(entry).unwrap().pattern_nonce;
    let position = log.iter().position(|record| record.nonce == position);
    let later = position.map(|i| &log[i + 1..]);
    let spared = |record: &Record| match &record.what {
        Recorded::Opened => true,
        Recorded::Pattern(glob) => !name(k).ends_with(glob.trim_start_matches('*')),
        Recorded::AllOf(all) => !all.iter().all(|tag| tags(k).contains(tag)),
    };
    let nonces: Vec<_> = nonces.iter().copied().map(Some).collect();
    later.is_some_and(|later| later.iter().all(spared)) && bears(entry, &nonces)
}

/// One lookup, as a cache does it.
async fn look_up(store: &RedisStore, world: &World, k: usize) -> Result<u64> {
    let (key, tags) = (name(k), tags(k));
    let mut refused = Vec::new();
    let reading =
        store.read(Query { key: &key, tags: &tags, pattern: true, life: fastrand::bool() }).await?;
    if let (Some(value), Some(nonce)) = (reading.value, reading.key_nonce) {
        let head = Head::parse(&value).unwrap();
        if head.key_nonce == nonce
            && Some(head.pattern_nonce) == reading.pattern_nonce
            && bears(&value, &reading.tag_nonces)
        {
            world.hits.fetch_add(1, SeqCst);
            return Ok(version(&value));
        }
        refused = value[..Head::LEN].to_vec();
    }
    for _ in 0..3 {
        let lease = fastrand::bool().then(|| lease(50));
        let wanted = Claim { tags: &tags, lease, refused: &refused, ..claim(&key) };
        let claimed = store.claim(wanted).await?;
        match claimed.outcome {
            ClaimOutcome::Load(nonce) => {
                let position = claimed.patterns.last().unwrap().nonce;
                let loaded = world.load(k).await;
                let value = entry(nonce, position, &claimed.tag_nonces, loaded);
                let token = lease.map(|lease| lease.token);
                let tags = &named(&tags, &claimed.tag_nonces);
                if store.fill(Fill { token, tags, ..fill(&key, nonce, &value) }).await? {
                    world.stored.fetch_add(1, SeqCst);
                }
                return Ok(loaded);
            }
            ClaimOutcome::Found { value, .. } => {
                if is_good(&value, k, &claimed.tag_nonces, &claimed.patterns) {
                    return Ok(version(&value));
                }
                refused = value[..Head::LEN].to_vec();
            }
            ClaimOutcome::Held(_) => store.lease_ended(&key, Duration::from_millis(50)).await,
            ClaimOutcome::Writing => return Ok(world.load(k).await),
        }
    }
    Ok(world.load(k).await)
}

async fn read_and_check(store: Arc<RedisStore>, world: Arc<World>) {
    while world.running() {
        let k = fastrand::usize(0..KEYS);
        let floor = world.floors[k].load(SeqCst);
        let found = match look_up(&store, &world, k).await {
            Ok(found) => found,
            Err(_) => {
                world.errors.fetch_add(1, SeqCst);
                pause(2).await;
                continue;
            }
        };
        assert!(found >= floor, "key {k}: {found} although {floor} was promised");
    }
}

/// A write through the cache; `Ok` when its end is known.
async fn write(store: &RedisStore, world: &World, k: usize) -> (u64, Result<bool>) {
    let (key, tags) = (name(k), tags(k));
    let at_most = Duration::from_secs(10);
    let begin = Begin {
        key: &key,
        token: token(),
        tags: &tags,
        tag_log: false,
        at_most,
        dependency_life: DEPENDENCY,
    };
    let begun = store.begin(begin).await;
    pause(2).await;
    let version = world.versions[k].fetch_add(1, SeqCst) + 1;
    pause(2).await;
    let finished = async {
        let begun = begun?;
        let whole = entry(begun.nonce, begun.pattern_nonce, &begun.tag_nonces, version);
        let finish = Finish {
            key: &key,
            begun: &begun,
            value: Some(&whole[16..]),
            tags: &named(&tags, &begun.tag_nonces),
            life: MINUTE,
            dependency_life: DEPENDENCY,
        };
        store.finish(finish).await
    };
    (version, finished.await)
}

async fn change(store: Arc<RedisStore>, world: Arc<World>) {
    while world.running() {
        pause(20).await;
        let k = fastrand::usize(0..KEYS);
        let what = match fastrand::u8(0..6) {
            0 => Invalidation::Keys(vec![name(k)]),
            1 => Invalidation::Tags(tags(k)[k % 2..].to_vec()),
            4 => Invalidation::AllOf(tags(k)),
            2 => Invalidation::Pattern(format!("*:{}", k % 3)),
            3 => Invalidation::All,
            _ => {
                let (version, finished) = write(&store, &world, k).await;
                if let Ok(stored) = finished {
                    world.written.fetch_add(u64::from(stored), SeqCst);
                    world.floors[k].fetch_max(version, SeqCst);
                    continue;
                }
                Invalidation::Keys(vec![name(k)])
            }
        };
        let version = world.versions[k].fetch_add(1, SeqCst) + 1;
        while store.invalidate(&what).await.is_err() {
            if !world.running() {
                return;
            }
            pause(5).await;
        }
        world.invalidated.fetch_add(1, SeqCst);
        world.floors[k].fetch_max(version, SeqCst);
    }
}

fn trouble(server: &mut Server, world: &World) {
    let end = Instant::now() + RUN;
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(fastrand::u64(20..150)));
        match fastrand::u8(0..9) {
            0 => drop(server.ask(&["FLUSHALL"])),
            1 => drop(server.ask(&["CLIENT", "KILL", "TYPE", "normal"])),
            2 => drop(server.ask(&["SCRIPT", "FLUSH"])),
            3 => drop(server.ask(&["UNLINK", "d:{cache}"])),
            4 => drop(server.ask(&["UNLINK", "d:{cache}t:half0"])),
            5 => drop(server.ask(&["UNLINK", "d:{cache:k:key:1:1}"])),
            6 => drop(server.ask(&["CLIENT", "PAUSE", "60", "ALL"])),
            7 => {
                server.freeze();
                std::thread::sleep(Duration::from_millis(fastrand::u64(10..150)));
                server.thaw();
            }
            _ => server.restart(),
        }
    }
    world.stop.store(true, SeqCst);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_is_older_than_an_invalidation_that_returned_before_it() {
    let mut server = Server::start(&[]);
    let world = Arc::new(World::default());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let config = RedisConfig::new(server.url()).deadline(Duration::from_millis(100));
        let store = RedisStore::connect(config).await.unwrap();
        for _ in 0..4 {
            tasks.spawn(read_and_check(Arc::clone(&store), Arc::clone(&world)));
        }
        for _ in 0..2 {
            tasks.spawn(change(Arc::clone(&store), Arc::clone(&world)));
        }
    }
    let observed = Arc::clone(&world);
    tokio::task::spawn_blocking(move || trouble(&mut server, &observed)).await.unwrap();
    tasks.join_all().await;
    let counts = [&world.hits, &world.stored, &world.written, &world.invalidated, &world.errors];
    let counts = counts.map(|count| count.load(SeqCst));
    assert!(counts.iter().all(|&count| count > 0), "something never happened: {counts:?}");
    println!("hits, stored, written, invalidated, errors: {counts:?}");
}
