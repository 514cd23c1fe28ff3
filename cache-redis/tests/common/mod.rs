//! What the tests share.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

pub mod certificates;
pub mod fake;
pub mod server;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{
    Claim, ClaimOutcome, Claimed, Error, Fill, Lease, Life, Listener, News, Nonce, Query, Reading,
    Result, Store,
};
pub use server::Server;
use tokio::time::sleep;

/// How long something that has to come about may take, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(20);

/// A minute.
pub const MINUTE: Life = Life::For(Duration::from_secs(60));
/// Two of them.
pub const DEPENDENCY: Life = Life::For(Duration::from_secs(120));

/// A server and a connected store.
pub async fn start() -> (Server, Arc<RedisStore>) {
    start_with(&[]).await
}

/// The same with arguments for the server.
pub async fn start_with(arguments: &[&str]) -> (Server, Arc<RedisStore>) {
    let server = Server::start(arguments);
    let store = connect(&server).await;
    (server, store)
}

/// One more store for a server.
pub async fn connect(server: &Server) -> Arc<RedisStore> {
    RedisStore::connect(config(&server.url())).await.expect("a store")
}

/// A deadline that a busy machine keeps.
pub fn config(url: &str) -> RedisConfig {
    RedisConfig::new(url).deadline(Duration::from_secs(5)).connect_timeout(Duration::from_secs(5))
}

/// A claim without tags or a lease.
pub fn claim(key: &str) -> Claim<'_> {
    Claim {
        key,
        tags: &[],
        lease: None,
        refused: &[],
        known: None,
        tag_log: false,
        dependency_life: DEPENDENCY,
    }
}

/// A fill without a lease for a minute.
pub fn fill<'a>(key: &'a str, nonce: Nonce, value: &'a [u8]) -> Fill<'a> {
    Fill {
        key,
        nonce,
        value,
        tags: &[],
        life: MINUTE,
        token: None,
        dependency_life: DEPENDENCY,
        announced: false,
    }
}

/// One that nothing else has.
pub fn token() -> Nonce {
    Nonce::random().unwrap()
}

/// A lease of this many milliseconds.
pub fn lease(ms: u64) -> Lease {
    Lease { token: token(), life: Duration::from_millis(ms) }
}

/// Stored bytes: the key nonce, then a body.
pub fn stored(nonce: Nonce, body: &str) -> Vec<u8> {
    [nonce.as_bytes(), body.as_bytes()].concat()
}

/// The nonce to fill with.
pub fn nonce_of(claimed: &Claimed) -> Nonce {
    match claimed.outcome {
        ClaimOutcome::Load(nonce) => nonce,
        ref other => panic!("{other:?} instead of Load"),
    }
}

/// Reads without tags.
pub async fn read(store: &RedisStore, key: &str) -> Result<Reading> {
    store.read(Query { key, tags: &[], pattern: true, life: true }).await
}

/// Claims and fills; whether it was stored.
pub async fn put(store: &RedisStore, key: &str, body: &str, life: Life) -> bool {
    let nonce = nonce_of(&store.claim(claim(key)).await.unwrap());
    let value = stored(nonce, body);
    store.fill(Fill { life, ..fill(key, nonce, &value) }).await.unwrap()
}

/// The body of the value that is valid now, judged by the key's nonce alone.
pub async fn get(store: &RedisStore, key: &str) -> Option<String> {
    let reading = read(store, key).await.unwrap();
    let (value, nonce) = (reading.value?, reading.key_nonce?);
    let body = value.strip_prefix(nonce.as_bytes())?;
    Some(String::from_utf8(body.to_vec()).unwrap())
}

/// Remembers all that it hears.
#[derive(Default)]
pub struct Ears(Mutex<Vec<String>>);

impl Listener for Ears {
    fn hear(&self, news: News<'_>) {
        self.0.lock().unwrap().push(match news {
            News::Key(key) => format!("key {key}"),
            News::Tag(tag) => format!("tag {tag}"),
            News::Patterns => "patterns".to_owned(),
            News::Gap => "gap".to_owned(),
            News::Rewound => "rewound".to_owned(),
        });
    }
}

impl Ears {
    /// Listens, whatever comes of it.
    pub fn on(store: &RedisStore) -> (Arc<Self>, bool) {
        let ears = Arc::new(Self::default());
        let listener: Arc<dyn Listener> = ears.clone();
        let told = store.listen(Arc::downgrade(&listener));
        (ears, told)
    }

    /// Listens, and has heard all of the beginning.
    pub async fn attentive(store: &RedisStore) -> Arc<Self> {
        let (ears, told) = Self::on(store);
        assert!(told);
        until_alive(store).await;
        assert_eq!(ears.take().first().map(String::as_str), Some("gap"));
        ears
    }

    /// What it has heard so far, once.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// What it has heard so far up to this, or all of it.
    pub fn take_through(&self, news: &str) -> Vec<String> {
        let mut heard = self.0.lock().unwrap();
        let end = heard.iter().position(|told| told == news).map_or(heard.len(), |at| at + 1);
        heard.drain(..end).collect()
    }

    /// What it knows once the store says that it knows everything.
    pub async fn told(&self, store: &RedisStore) -> Vec<String> {
        store.heartbeat().await.unwrap();
        self.take()
    }
}

/// Waits until hearing is reliable.
pub async fn until_alive(store: &RedisStore) {
    let until = Instant::now() + PATIENCE;
    while let Err(cause) = store.heartbeat().await {
        assert!(Instant::now() < until, "no heartbeat: {cause}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Asks for heartbeats until one fails, and gives its error.
pub async fn until_dead(store: &RedisStore) -> Error {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Err(cause) = store.heartbeat().await {
            return cause;
        }
        assert!(Instant::now() < until, "the heartbeats go on");
        sleep(Duration::from_millis(5)).await;
    }
}

/// The connections by which a server tells of changes: the number of each.
pub fn tracking(server: &Server) -> Vec<String> {
    let list = server.ask(&["CLIENT", "LIST"]);
    let word = |line: &str, name: &str| {
        line.split(' ').find_map(|word| word.strip_prefix(name)).unwrap_or_default().to_owned()
    };
    let tracks = |line: &&str| word(line, "flags=").contains('B');
    list.lines().filter(tracks).map(|line| word(line, "id=")).collect()
}

/// Counts the warnings about servers that tell nothing.
pub struct Warnings(Arc<AtomicUsize>);

impl Warnings {
    /// Those that this thread makes, as long as the guard is there.
    pub fn count() -> (Arc<AtomicUsize>, tracing::subscriber::DefaultGuard) {
        let count = Arc::new(AtomicUsize::new(0));
        let guard = tracing::subscriber::set_default(Self(Arc::clone(&count)));
        (count, guard)
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{value:?} ");
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        if text.0.contains("does not tell of changes") {
            assert!(text.0.contains("NOPERM"), "{}", text.0);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
