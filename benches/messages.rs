//! How many messages the processes on one Redis see: what each operation makes the server tell each of them. A load is not broadcast: the others hear of a new dependency, and of nothing else.
//!
//! `cargo bench -p larder-benches --bench messages`; needs `redis-server`, of which it starts one.

#[path = "../cache-redis/tests/common/server.rs"]
mod server;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{Listener, News, Store};
use larder::{Cache, Result};
use larder_benches::Effort;
use server::Server;
use tokio::runtime::Runtime;

const TIMES: u64 = 50;
const PREFIX: &str = "bench:";

/// One more process on the same Redis, which counts what it hears.
struct Node {
    store: Arc<RedisStore>,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard(AtomicU64);

impl Listener for Heard {
    fn hear(&self, _: News<'_>) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Node {
    async fn on(server: &Server) -> Result<Self> {
        let store = RedisStore::connect(RedisConfig::new(server.url()).prefix(PREFIX)).await?;
        let heard = Arc::new(Heard::default());
        let listener: Arc<dyn Listener> = heard.clone();
        assert!(store.listen(Arc::downgrade(&listener)));
        let node = Self { store, heard };
        node.caught_up().await;
        Ok(node)
    }

    /// What it has heard, when everything has come that was told so far.
    async fn caught_up(&self) -> u64 {
        while self.store.heartbeat().await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.heard.0.load(Relaxed)
    }
}

/// An operation of one process, and what comes before it and is not counted.
struct Operation {
    name: &'static str,
    before: Step,
    counted: Step,
}

#[derive(Clone, Copy)]
enum Step {
    Nothing,
    /// A load of the key, with its tag.
    Load,
    /// The same by a process that has nothing in memory.
    LoadElsewhere,
    /// The value is lost and its dependency is not, as by its expiry.
    Expire,
    Read,
    Set,
    InvalidateKey,
    InvalidateTag,
    InvalidatePattern,
}

const OPERATIONS: &[Operation] = &[
    Operation { name: "miss, a key never seen", before: Step::Nothing, counted: Step::Load },
    Operation {
        name: "miss, the value has expired",
        before: Step::Expire,
        counted: Step::LoadElsewhere,
    },
    Operation {
        name: "miss after the key's invalidation",
        before: Step::InvalidateKey,
        counted: Step::Load,
    },
    Operation {
        name: "miss after the tag's invalidation",
        before: Step::InvalidateTag,
        counted: Step::Load,
    },
    Operation { name: "hit in Redis", before: Step::Load, counted: Step::Read },
    Operation { name: "set", before: Step::Load, counted: Step::Set },
    Operation { name: "invalidate a key", before: Step::Load, counted: Step::InvalidateKey },
    Operation { name: "invalidate a tag", before: Step::Load, counted: Step::InvalidateTag },
    Operation {
        name: "invalidate a pattern",
        before: Step::Load,
        counted: Step::InvalidatePattern,
    },
];

fn main() -> Result<()> {
    if cfg!(feature = "allocations") {
        return Ok(());
    }
    let counts: &[usize] = Effort::asked().choose(&[1], &[1, 4], &[1, 2, 4, 8]);
    Runtime::new().expect("a runtime").block_on(count(counts))
}

async fn count(counts: &[usize]) -> Result<()> {
    println!("Messages per operation, mean of {TIMES}");
    print!("  {:36}", "");
    counts.iter().for_each(|nodes| print!("{:>16}", format!("each of {nodes}")));
    println!();
    for operation in OPERATIONS {
        print!("  {:36}", operation.name);
        for nodes in counts {
            print!("{:>16.2}", measure(operation, *nodes).await?);
        }
        println!();
    }
    Ok(())
}

/// How many messages each node gets for one operation.
async fn measure(operation: &Operation, count: usize) -> Result<f64> {
    let server = Server::start(&[]);
    let cache = || Cache::builder().redis(server.url()).prefix(PREFIX).build();
    // Whoever reads has not got the entry in memory.
    let (cache, reader) = (cache().await?, cache().await?);
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(Node::on(&server).await?);
    }
    let mut heard = 0;
    for number in 0..TIMES {
        operation.before.run(&cache, &reader, &server, number).await?;
        let before = told(&nodes).await;
        operation.counted.run(&cache, &reader, &server, number).await?;
        heard += told(&nodes).await - before;
    }
    Ok(heard as f64 / (TIMES * count as u64) as f64)
}

impl Step {
    async fn run(self, cache: &Cache, reader: &Cache, server: &Server, number: u64) -> Result<()> {
        let key = format!("entry:{number}");
        match self {
            Self::Nothing => {}
            Self::Load | Self::LoadElsewhere => {
                let cache = if matches!(self, Self::Load) { cache } else { reader };
                let load = || async { Ok::<_, larder::Error>(number) };
                cache.get_or_set(&key, load).tags(["tag"]).ttl("1h").await?;
            }
            Self::Expire => {
                Box::pin(Self::Load.run(cache, reader, server, number)).await?;
                server.ask(&["UNLINK", &format!("v:{{bench:k:{key}}}")]);
            }
            Self::Read => assert_eq!(reader.get::<u64>(&key).await?, Some(number)),
            Self::Set => cache.set(&key, &number).tags(["tag"]).ttl("1h").await?,
            Self::InvalidateKey => cache.invalidate(&key).await?,
            Self::InvalidateTag => cache.invalidate_tags(["tag"]).await?,
            Self::InvalidatePattern => cache.invalidate_pattern("entry:*").await?,
        }
        Ok(())
    }
}

async fn told(nodes: &[Node]) -> u64 {
    let mut all = 0;
    for node in nodes {
        all += node.caught_up().await;
    }
    all
}
