//! The promise that the session is for: a memory tier that serves while heartbeats come is never further behind than the
//! bound, whatever happens to the servers and whoever is master of what.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{
    Claim, ClaimOutcome, Fill, Invalidation, Listener, News, Nonce, Query, Result, Store,
};
use common::*;
use tokio::{task::JoinSet, time::sleep};

const KEYS: usize = 8;
const BOUND: Duration = Duration::from_millis(800);
const DEADLINE: Duration = Duration::from_millis(200);

/// The database, and what was promised of it when.
#[derive(Default)]
struct World {
    versions: [AtomicU64; KEYS],
    /// No hit that begins later than the bound after this may return less.
    promises: [Mutex<Vec<(Instant, u64)>>; KEYS],
    stop: AtomicBool,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    hits_behind: AtomicU64,
    stored: AtomicU64,
    invalidated: AtomicU64,
    heartbeats: AtomicU64,
    missed: AtomicU64,
    lost: AtomicU64,
}

impl World {
    fn running(&self) -> bool {
        !self.stop.load(SeqCst)
    }

    fn promise(&self, k: usize, version: u64) {
        self.promises[k].lock().unwrap().push((Instant::now(), version));
    }

    /// What had been promised at this time.
    fn floor(&self, k: usize, at: Instant) -> u64 {
        let promises = self.promises[k].lock().unwrap();
        promises.iter().rev().filter(|(when, _)| *when <= at).map(|(_, v)| *v).max().unwrap_or(0)
    }
}

/// What one process keeps and hears.
#[derive(Default)]
struct Memory(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    gaps: u64,
    keys: HashMap<String, u64>,
    tags: HashMap<String, u64>,
    live_until: Option<Instant>,
    entries: HashMap<usize, Entry>,
}

/// How often something was heard of what an entry depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fence {
    gaps: u64,
    key: u64,
    tag: u64,
}

struct Entry {
    fence: Fence,
    version: u64,
    proven_until: Instant,
}

impl Listener for Memory {
    fn hear(&self, news: News<'_>) {
        let mut kept = self.0.lock().unwrap();
        match news {
            News::Key(key) => *kept.keys.entry(key.to_owned()).or_default() += 1,
            News::Tag(tag) => *kept.tags.entry(tag.to_owned()).or_default() += 1,
            News::Patterns => {}
            News::Gap | News::Rewound => {
                kept.gaps += 1;
                kept.live_until = None;
            }
        }
    }
}

impl Memory {
    fn fence(&self, k: usize) -> Fence {
        self.0.lock().unwrap().fence(k)
    }

    fn hit(&self, k: usize) -> Option<u64> {
        let kept = self.0.lock().unwrap();
        let (entry, now) = (kept.entries.get(&k)?, Instant::now());
        let live = kept.live_until.is_some_and(|until| now < until) || now < entry.proven_until;
        (live && entry.fence == kept.fence(k)).then_some(entry.version)
    }

    fn keep(&self, k: usize, entry: Entry) {
        let mut kept = self.0.lock().unwrap();
        if kept.fence(k) == entry.fence {
            kept.entries.insert(k, entry);
        }
    }
}

impl Kept {
    fn fence(&self, k: usize) -> Fence {
        let of = |counts: &HashMap<String, u64>, name: &str| *counts.get(name).unwrap_or(&0);
        Fence { gaps: self.gaps, key: of(&self.keys, &name(k)), tag: of(&self.tags, &tag(k)) }
    }
}

async fn pause(most_ms: u64) {
    sleep(Duration::from_micros(fastrand::u64(0..most_ms * 1_000))).await;
}

fn name(k: usize) -> String {
    format!("key:{k}")
}

fn tag(k: usize) -> String {
    format!("tag{}", k % 2)
}

/// Key nonce, tag nonce, version.
fn bytes(key: Nonce, tag: Nonce, version: u64) -> Vec<u8> {
    [&key.as_bytes()[..], tag.as_bytes(), &version.to_le_bytes()].concat()
}

fn version(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[32..40].try_into().unwrap())
}

/// One lookup past memory.
async fn look_up(store: &RedisStore, memory: &Memory, world: &World, k: usize) -> Result<()> {
    let (key, tags) = (name(k), vec![tag(k)]);
    let (mut fence, proven_until) = (memory.fence(k), Instant::now() + BOUND);
    let reading = store.read(Query { key: &key, tags: &tags, pattern: false, life: false }).await?;
    if let (Some(value), Some(nonce), [Some(tag)]) =
        (&reading.value, reading.key_nonce, &reading.tag_nonces[..])
        && value.starts_with(&bytes(nonce, *tag, 0)[..32])
    {
        memory.keep(k, Entry { fence, version: version(value), proven_until });
        return Ok(());
    }
    let refused = reading.value.map(|value| value[..32].to_vec()).unwrap_or_default();
    let claimed = store.claim(Claim { tags: &tags, refused: &refused, ..claim(&key) }).await?;
    let ClaimOutcome::Load(nonce) = claimed.outcome else { return Ok(()) };
    let loaded = world.versions[k].load(SeqCst);
    pause(4).await;
    // What makes the key's nonce is heard as well; the fill compares it.
    fence.key = memory.fence(k).key;
    let value = bytes(nonce, claimed.tag_nonces[0], loaded);
    if store.fill(Fill { ..fill(&key, nonce, &value) }).await? {
        world.counts.stored.fetch_add(1, SeqCst);
        memory.keep(k, Entry { fence, version: loaded, proven_until });
    }
    Ok(())
}

async fn read_and_check(store: Arc<RedisStore>, memory: Arc<Memory>, world: Arc<World>) {
    while world.running() {
        let k = fastrand::usize(0..KEYS);
        let since = Instant::now();
        if let Some(found) = memory.hit(k) {
            let floor = world.floor(k, since - BOUND);
            assert!(
                found >= floor,
                "key {k}: {found}, although {floor} was promised {BOUND:?} ago"
            );
            world.counts.hits.fetch_add(1, SeqCst);
            let behind = found < world.floor(k, since);
            world.counts.hits_behind.fetch_add(u64::from(behind), SeqCst);
            pause(1).await;
        } else if look_up(&store, &memory, &world, k).await.is_err() {
            pause(5).await;
        }
    }
}

/// What the engine does besides.
async fn beat(store: Arc<RedisStore>, memory: Arc<Memory>, world: Arc<World>) {
    while world.running() {
        let (sent, gaps) = (Instant::now(), memory.0.lock().unwrap().gaps);
        if store.heartbeat().await.is_ok() {
            world.counts.heartbeats.fetch_add(1, SeqCst);
            memory.0.lock().unwrap().live_until = Some(sent + BOUND);
        } else {
            world.counts.missed.fetch_add(1, SeqCst);
        }
        let lost = memory.0.lock().unwrap().gaps - gaps;
        world.counts.lost.fetch_add(lost, SeqCst);
        sleep((BOUND / 4).saturating_sub(sent.elapsed())).await;
    }
}

async fn change(store: Arc<RedisStore>, world: Arc<World>) {
    while world.running() {
        pause(60).await;
        let k = fastrand::usize(0..KEYS);
        let (what, concerned): (_, Vec<usize>) = if fastrand::u8(0..4) > 0 {
            (Invalidation::Keys(vec![name(k)]), vec![k])
        } else {
            let concerned = (0..KEYS).filter(|other| tag(*other) == tag(k)).collect();
            (Invalidation::Tags(vec![tag(k)]), concerned)
        };
        let changed: Vec<(usize, u64)> = concerned
            .into_iter()
            .map(|k| (k, world.versions[k].fetch_add(1, SeqCst) + 1))
            .collect();
        while store.invalidate(&what).await.is_err() {
            if !world.running() {
                return;
            }
            pause(5).await;
        }
        world.counts.invalidated.fetch_add(1, SeqCst);
        for (k, version) in changed {
            world.promise(k, version);
        }
    }
}

/// Two processes that serve from memory and change things, while `trouble` is made.
async fn run(url: &str, trouble: impl FnOnce() + Send + 'static) {
    let world = Arc::new(World::default());
    let mut tasks = JoinSet::new();
    let mut memories = Vec::new();
    for _ in 0..2 {
        let config = RedisConfig::new(url).deadline(DEADLINE);
        let store = RedisStore::connect(config).await.unwrap();
        let memory = Arc::new(Memory::default());
        let listener: Arc<dyn Listener> = memory.clone();
        assert!(store.listen(Arc::downgrade(&listener)));
        tasks.spawn(beat(Arc::clone(&store), Arc::clone(&memory), Arc::clone(&world)));
        for _ in 0..3 {
            tasks.spawn(read_and_check(
                Arc::clone(&store),
                Arc::clone(&memory),
                Arc::clone(&world),
            ));
        }
        tasks.spawn(change(store, Arc::clone(&world)));
        memories.push(listener);
    }
    let made = tokio::task::spawn_blocking(trouble);
    made.await.unwrap();
    world.stop.store(true, SeqCst);
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let Counts { hits, hits_behind, stored, invalidated, heartbeats, missed, lost } = &world.counts;
    let counts = [hits, stored, invalidated, heartbeats, missed, lost];
    let counts = counts.map(|count| count.load(SeqCst));
    println!(
        "hits, stored, invalidated, heartbeats, missed ones, gaps: {counts:?}, {} hits behind",
        hits_behind.load(SeqCst)
    );
    assert!(counts.iter().all(|&count| count > 0), "something never happened: {counts:?}");
}

fn freeze_for_a_while(server: &Server) {
    server.freeze();
    std::thread::sleep(Duration::from_millis(fastrand::u64(10..600)));
    server.thaw();
}

fn cut(server: &Server) {
    for id in tracking(server) {
        server.ask(&["CLIENT", "KILL", "ID", &id]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hit_is_further_behind_than_the_bound_beside_one_server() {
    let mut server = Server::start(&[]);
    let url = server.url();
    let trouble = move || {
        let end = Instant::now() + Duration::from_secs(8);
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(fastrand::u64(50..400)));
            match fastrand::u8(0..8) {
                0 => drop(server.ask(&["FLUSHALL"])),
                1 => cut(&server),
                2 => drop(server.ask(&["CLIENT", "KILL", "TYPE", "normal"])),
                3 => drop(server.ask(&["CLIENT", "PAUSE", "100", "WRITE"])),
                4 => drop(server.ask(&["UNLINK", "d:{cache}t:tag0", "g:{cache}"])),
                5 => server.restart(),
                6 => {
                    server.ask(&["REPLICAOF", "127.0.0.1", "1"]);
                    std::thread::sleep(Duration::from_millis(fastrand::u64(0..200)));
                    server.ask(&["REPLICAOF", "NO", "ONE"]);
                }
                _ => freeze_for_a_while(&server),
            }
        }
    };
    run(&url, trouble).await;
}

#[cfg(feature = "cluster")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hit_is_further_behind_than_the_bound_while_slots_and_masters_change() {
    use common::server::{Cluster, wait_until};

    let cluster = Cluster::start_with_replicas();
    let url = cluster.url();
    let is_master = |server: &Server| server.ask(&["ROLE"]).starts_with("master");
    let trouble = move || {
        let end = Instant::now() + Duration::from_secs(20);
        // Redis 7.0 promotes a replica without votes when it takes over again within four node timeouts.
        let mut ready = [0; 3].map(|_| Instant::now());
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(fastrand::u64(100..500)));
            let masters: Vec<&Server> = cluster.all().filter(|server| is_master(server)).collect();
            let any = masters[fastrand::usize(0..masters.len())];
            let shard = fastrand::usize(0..3);
            match fastrand::u8(0..8) {
                0 => drop(any.ask(&["FLUSHALL"])),
                1 => cut(any),
                2 => freeze_for_a_while(any),
                3 if ready[shard] <= Instant::now() => {
                    ready[shard] = Instant::now() + Duration::from_secs(10);
                    let pair = [&cluster.nodes[shard], &cluster.replicas[shard]];
                    let new = pair.into_iter().find(|server| !is_master(server)).unwrap();
                    new.ask(&["CLUSTER", "FAILOVER"]);
                    wait_until("the failover", || is_master(new));
                }
                _ => {
                    let name = match fastrand::usize(0..=KEYS) {
                        KEYS => "d:{cache}".to_owned(),
                        k => format!("d:{{cache:k:key:{k}}}"),
                    };
                    let (slot, from) = (cluster.slot(&name), cluster.owner(&name));
                    let others: Vec<&&Server> =
                        masters.iter().filter(|server| server.port != from.port).collect();
                    cluster.migrate(&slot, from, others[fastrand::usize(0..others.len())]);
                }
            }
        }
    };
    run(&url, trouble).await;
}
