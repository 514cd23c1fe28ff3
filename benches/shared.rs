//! A hit in Redis: an annotated function with `layer = "shared"`, which asks for every hit, against a bare `GET` and decode on
//! a connection with the same settings. One task, and many at once, on a runtime of two workers.
//!
//! `cargo bench -p larder-benches --bench shared`; needs `redis-server`, of which it starts one.

#[path = "../cache-redis/tests/common/server.rs"]
mod server;

use bincode::serde::{decode_from_slice, encode_to_vec};
use larder::{Cache, cache_aside};
use larder_benches::{Candidate, Comparison, Target};
use redis::{AsyncCommands as _, AsyncConnectionConfig, aio::MultiplexedConnection};
use serde::{Deserialize, Serialize};
use server::Server;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinSet,
};

const PRODUCTS: u64 = 512;
/// Hits of a round, for each number of tasks.
const HITS: [(u32, u32); 3] = [(1, 200), (64, 2_560), (256, 5_120)];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Product {
    id: u64,
    name: String,
    price: f64,
    tags: Vec<String>,
}

impl Product {
    fn new(id: u64) -> Self {
        let tags = ["garden", "outdoor"].map(str::to_owned).into();
        Self { id, name: format!("the product with number {id}"), price: 12.5, tags }
    }
}

#[cache_aside(key = "product:{tenant}:{id}", ttl = "1h", layer = "shared", skip(cache), cache = cache)]
async fn product(cache: &Cache, tenant: &str, id: u64) -> Product {
    Product::new(id)
}

/// One way to get a product.
trait Reader: Clone + Send + 'static {
    fn read(&mut self, id: u64) -> impl Future<Output = Product> + Send;
}

#[derive(Clone)]
struct Larder(Cache);

impl Reader for Larder {
    async fn read(&mut self, id: u64) -> Product {
        product(&self.0, TENANT, id).await
    }
}

const TENANT: &str = "tenant-0042";

#[derive(Clone)]
struct BareGet(MultiplexedConnection);

impl Reader for BareGet {
    async fn read(&mut self, id: u64) -> Product {
        let bytes: Vec<u8> = self.0.get(key(id)).await.expect("a value");
        decode(&bytes)
    }
}

/// What a validity check costs at the least: the value, what its key depends on, and the newest record of the pattern log.
#[derive(Clone)]
struct BareCheck(MultiplexedConnection);

impl Reader for BareCheck {
    async fn read(&mut self, id: u64) -> Product {
        let key = key(id);
        let mut pipe = redis::pipe();
        pipe.cmd("MGET").arg(&key).arg("nonce").cmd("LINDEX").arg("log").arg(-1);
        let ((value, nonce), log): ((Vec<u8>, Vec<u8>), Vec<u8>) =
            pipe.query_async(&mut self.0).await.expect("a reply");
        assert_eq!(nonce, log);
        decode(&value)
    }
}

/// What any validity check over one command costs at the least: so many keys instead of one.
#[derive(Clone)]
struct BareMget<const KEYS: usize>(MultiplexedConnection);

impl<const KEYS: usize> Reader for BareMget<KEYS> {
    async fn read(&mut self, id: u64) -> Product {
        let mut get = redis::cmd("MGET");
        get.arg(key(id));
        for _ in 1..KEYS {
            get.arg("nonce");
        }
        let found: Vec<Vec<u8>> = get.query_async(&mut self.0).await.expect("a reply");
        assert!(found.len() == KEYS && found[1].len() == 16);
        decode(&found[0])
    }
}

fn key(id: u64) -> String {
    format!("product:{TENANT}:{id}")
}

fn decode(bytes: &[u8]) -> Product {
    let decoded = decode_from_slice(bytes, bincode::config::standard());
    decoded.expect("a product").0
}

fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let server = Server::start(&[]);
    let readers = runtime.block_on(Readers::start(&server));
    for (tasks, hits) in HITS {
        let title = match tasks {
            1 => "A hit in Redis, one task".to_owned(),
            _ => format!("Hits in Redis, {tasks} tasks"),
        };
        let comparison = Comparison::new("shared", title, hits);
        // What one task sees is a time; what many get done is a rate.
        let (comparison, target) = match tasks {
            1 => (comparison, Target::at_most(1.1, BARE)),
            _ => (comparison.throughput(), Target::at_least(0.75, BARE)),
        };
        let Readers { get, timed, two, three, check, larder, here } = &readers;
        comparison
            .with(candidate(BARE, &runtime, get, tasks))
            .with(candidate("redis, GET and decode, its own timeout", &runtime, timed, tasks))
            .with(candidate("redis, MGET of two keys, decode", &runtime, two, tasks))
            .with(candidate("redis, MGET of three keys, decode", &runtime, three, tasks))
            .with(candidate("redis, MGET and LINDEX, decode", &runtime, check, tasks))
            .with(candidate("larder, layer = \"shared\"", &runtime, larder, tasks).target(target))
            .with(candidate("larder, all of it on this runtime", &runtime, here, tasks))
            .run();
    }
    assert_eq!(readers.larder.0.stats().loads, PRODUCTS, "all the others were hits");
}

const BARE: &str = "redis, GET and decode";

fn candidate<'a>(
    name: &str,
    runtime: &'a Runtime,
    reader: &'a impl Reader,
    tasks: u32,
) -> Candidate<'a> {
    Candidate::batch(name, move |hits| all(runtime, reader, tasks, hits))
}

struct Readers {
    get: BareGet,
    timed: BareGet,
    two: BareMget<2>,
    three: BareMget<3>,
    check: BareCheck,
    larder: Larder,
    here: Larder,
}

impl Readers {
    async fn start(server: &Server) -> Self {
        let cache = || Cache::builder().redis(server.url());
        let larder = cache().build().await.expect("a cache");
        let here = cache().runtime(Handle::current()).build().await.expect("a cache");
        let bare = AsyncConnectionConfig::new().set_response_timeout(None);
        let mut get = connect(server, &bare).await;
        let timed = connect(server, &AsyncConnectionConfig::new()).await;
        for id in 0..PRODUCTS {
            product(&larder, TENANT, id).await;
            let encoded = encode_to_vec(Product::new(id), bincode::config::standard());
            let _: () = get.set(key(id), encoded.expect("bytes")).await.expect("a reply");
        }
        let _: () = get.set("nonce", "0123456789abcdef").await.expect("a reply");
        let _: () = get.rpush("log", "0123456789abcdef").await.expect("a reply");
        let check = BareCheck(get.clone());
        Self {
            two: BareMget(get.clone()),
            three: BareMget(get.clone()),
            get: BareGet(get),
            timed: BareGet(timed),
            check,
            larder: Larder(larder),
            here: Larder(here),
        }
    }
}

async fn connect(server: &Server, config: &AsyncConnectionConfig) -> MultiplexedConnection {
    let url = server.url();
    let info = redis::IntoConnectionInfo::into_connection_info(url.as_str()).expect("a URL");
    // As the store does.
    let tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true);
    let client = redis::Client::open(info.set_tcp_settings(tcp)).expect("a client");
    client.get_multiplexed_async_connection_with_config(config).await.expect("a connection")
}

/// So many hits, spread over so many tasks.
fn all(runtime: &Runtime, reader: &impl Reader, tasks: u32, hits: u32) {
    runtime.block_on(async {
        let mut running = JoinSet::new();
        for task in 0..tasks {
            let mut reader = reader.clone();
            running.spawn(async move {
                for hit in 0..hits.div_ceil(tasks) {
                    let id = u64::from(task * 7 + hit) % PRODUCTS;
                    assert_eq!(reader.read(id).await.id, id);
                }
            });
        }
        while let Some(ended) = running.join_next().await {
            ended.expect("no panic");
        }
    });
}
