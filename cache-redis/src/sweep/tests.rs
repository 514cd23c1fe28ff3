use std::time::Duration;

use cache_store::{Claim, ClaimOutcome, Fill, Invalidation, Life, Query, Store};

use self::server::Server;
use super::*;
use crate::{RedisConfig, RedisStore};

#[path = "../../tests/common/server.rs"]
mod server;

const MINUTE: Life = Life::For(Duration::from_secs(60));

fn config(url: &str) -> RedisConfig {
    RedisConfig::new(url).deadline(Duration::from_secs(5)).connect_timeout(Duration::from_secs(5))
}

/// A store that does not sweep by itself, and what sweeps for it.
async fn with_broom(config: RedisConfig) -> (Arc<RedisStore>, Broom) {
    let store = RedisStore::connect(config.sweep(false)).await.unwrap();
    let broom = Broom { link: Arc::clone(&store.link), names: store.names.clone() };
    (store, broom)
}

fn glob(text: &str) -> Glob {
    Glob::parse(text).unwrap()
}

/// Loads an entry with these tags, and hands out its last step.
async fn load(store: &RedisStore, key: &str, tags: &[&str]) -> impl AsyncFnOnce(&RedisStore) {
    let names: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
    let claim = Claim {
        key,
        tags: &names,
        lease: None,
        refused: &[],
        known: None,
        tag_log: false,
        dependency_life: MINUTE,
    };
    let claimed = store.claim(claim).await.unwrap();
    let nonce = match claimed.outcome {
        ClaimOutcome::Load(nonce) => nonce,
        // The value is there; it is stored once more.
        ClaimOutcome::Found { value, .. } => cache_store::Nonce::from_bytes(&value).unwrap(),
        other => panic!("{other:?}"),
    };
    let pattern = claimed.patterns.last().unwrap().nonce;
    let fill_id = fastrand::u64(..).to_le_bytes();
    let mut value =
        [&nonce.as_bytes()[..], pattern.as_bytes(), &fill_id, b"LRDR", key.as_bytes()].concat();
    let key = key.to_owned();
    async move |store: &RedisStore| {
        let tags: Vec<_> =
            names.iter().map(String::as_str).zip(claimed.tag_nonces.iter().copied()).collect();
        tags.iter().for_each(|(_, nonce)| value.extend(nonce.as_bytes()));
        let fill = Fill {
            key: &key,
            nonce,
            value: &value,
            tags: &tags,
            life: MINUTE,
            token: None,
            dependency_life: MINUTE,
            announced: false,
        };
        assert!(store.fill(fill).await.unwrap());
    }
}

async fn put(store: &RedisStore, key: &str, tags: &[&str]) {
    load(store, key, tags).await(store).await;
}

/// Which of these keys have a value, valid or not.
async fn there<'k>(store: &RedisStore, keys: &[&'k str]) -> Vec<&'k str> {
    let mut there = Vec::new();
    for key in keys {
        let query = Query { key, tags: &[], pattern: false, life: false };
        if store.read(query).await.unwrap().value.is_some() {
            there.push(*key);
        }
    }
    there
}

async fn invalidate_pattern(store: &RedisStore, pattern: &str) {
    store.invalidate(&Invalidation::Pattern(pattern.to_owned())).await.unwrap();
}

async fn invalidate_tag(store: &RedisStore, tag: &str) {
    store.invalidate(&Invalidation::Tags(vec![tag.to_owned()])).await.unwrap();
}

const KEYS: [&str; 6] = ["user:1", "user:é", "user:12", "user:1:a", "order:1", "a^[b]{}\\?"];

/// Of all keys, those that match `pattern` and were stored before it was invalidated go.
async fn sweeps(server: &Server, pattern: &str, gone: &[&str]) {
    let prefix = format!("p{}:", fastrand::u64(..));
    let (store, broom) = with_broom(config(&server.url()).prefix(prefix)).await;
    for key in KEYS {
        put(&store, key, &[]).await;
    }
    invalidate_pattern(&store, pattern).await;
    assert_eq!(broom.sweep_pattern(&glob(pattern)).await.unwrap(), gone.len() as i64, "{pattern}");
    let stay: Vec<_> = KEYS.into_iter().filter(|key| !gone.contains(key)).collect();
    assert_eq!(there(&store, &KEYS).await, stay, "{pattern}");
    // What is loaded now is loaded after the invalidation.
    for key in KEYS {
        put(&store, key, &[]).await;
    }
    assert_eq!(broom.sweep_pattern(&glob(pattern)).await.unwrap(), 0, "{pattern}");
    assert_eq!(there(&store, &KEYS).await, KEYS, "{pattern}");
}

#[tokio::test]
async fn invalidated_values_go_and_fresh_ones_stay_whatever_the_pattern() {
    let server = Server::start(&[]);
    sweeps(&server, "user:*", &KEYS[..4]).await;
    sweeps(&server, "user:?", &["user:1", "user:é"]).await;
    sweeps(&server, "user:{}", &KEYS[..3]).await;
    sweeps(&server, "*:1*", &["user:1", "user:12", "user:1:a", "order:1"]).await;
    sweeps(&server, r"a^\[b]\{\}\\\?", &KEYS[5..]).await;
    sweeps(&server, "*", &KEYS).await;
}

#[tokio::test]
async fn it_does_not_matter_how_the_server_evicts() {
    for policy in ["allkeys-lru", "allkeys-lfu", "volatile-ttl"] {
        let server = Server::start(&["--maxmemory", "100mb", "--maxmemory-policy", policy]);
        sweeps(&server, "user:*", &KEYS[..4]).await;
    }
}

#[tokio::test]
async fn clearing_is_swept_and_what_is_stored_afterwards_stays() {
    let server = Server::start(&[]);
    let (store, broom) = with_broom(config(&server.url())).await;
    for key in KEYS {
        put(&store, key, &[]).await;
    }
    store.invalidate(&Invalidation::All).await.unwrap();
    put(&store, "user:1", &[]).await;
    put(&store, "user:new", &[]).await;
    assert_eq!(broom.sweep_pattern(&glob("*")).await.unwrap(), KEYS.len() as i64 - 1);
    assert_eq!(there(&store, &KEYS).await, ["user:1"]);
    assert_eq!(there(&store, &["user:new"]).await, ["user:new"]);
}

#[tokio::test]
async fn a_value_whose_place_in_the_log_was_trimmed_goes() {
    let server = Server::start(&[]);
    let (store, broom) = with_broom(config(&server.url()).log_records(3)).await;
    put(&store, "user:old", &[]).await;
    for _ in 0..3 {
        invalidate_pattern(&store, "order:*").await;
    }
    put(&store, "user:new", &[]).await;
    // Stored after the sweep has read the log for the first time.
    let mut log = broom.log().await.unwrap();
    invalidate_pattern(&store, "order:*").await;
    put(&store, "user:newer", &[]).await;
    assert_eq!(broom.sweep_server("", &glob("user:*"), &mut log).await.unwrap(), 1);
    let keys = ["user:old", "user:new", "user:newer"];
    assert_eq!(there(&store, &keys).await, keys[1..]);
}

#[tokio::test]
async fn a_value_that_is_replaced_after_it_was_judged_stays() {
    let server = Server::start(&[]);
    let (store, broom) = with_broom(config(&server.url())).await;
    put(&store, "a", &[]).await;
    let name = store.names.value("a");
    let old = broom.look_at("", vec![name.clone()]).await.unwrap().remove(0);
    put(&store, "a", &[]).await;
    let unlink = Batch::new("").with(broom.unlink(&name, &old.bytes));
    assert_eq!(broom.send(&unlink).await.unwrap().next_int().unwrap(), 0);
    let new = broom.look_at("", vec![name.clone()]).await.unwrap().remove(0);
    let unlink = Batch::new("").with(broom.unlink(&name, &new.bytes));
    assert_eq!(broom.send(&unlink).await.unwrap().next_int().unwrap(), 1);
}

#[tokio::test]
async fn what_does_not_begin_as_an_entry_is_left_alone() {
    let server = Server::start(&[]);
    let (store, broom) = with_broom(config(&server.url())).await;
    let long = "somebody else's bytes, which are as long as an entry's head".to_owned();
    for (name, value) in [("v:{cache:k:a}", "short"), ("v:{cache:k:b}", &long)] {
        server.ask(&["SET", name, value]);
    }
    server.ask(&["HSET", "v:{cache:k:c}", "field", "value"]);
    store.invalidate(&Invalidation::All).await.unwrap();
    assert_eq!(broom.sweep_pattern(&glob("*")).await.unwrap(), 0);
    assert_eq!(server.ask(&["EXISTS", "v:{cache:k:a}", "v:{cache:k:b}", "v:{cache:k:c}"]), "3");
}

#[tokio::test]
async fn the_values_of_an_invalidated_tag_go_and_those_stored_since_stay() {
    let server = Server::start(&[]);
    let (store, broom) = with_broom(config(&server.url())).await;
    let keys = ["old", "refilled", "late", "new", "other"];
    put(&store, "old", &["a", "b"]).await;
    put(&store, "refilled", &["a"]).await;
    put(&store, "other", &["b"]).await;
    let late = load(&store, "late", &["a"]).await;
    invalidate_tag(&store, "a").await;
    put(&store, "refilled", &["a"]).await;
    put(&store, "new", &["a"]).await;
    late(&store).await; // stored, and never valid
    assert_eq!(there(&store, &keys).await, keys);

    assert_eq!(broom.sweep_tag("a").await.unwrap(), 2);
    assert_eq!(there(&store, &keys).await, ["refilled", "new", "other"]);
    assert_eq!(server.ask(&["ZCARD", "s:{cache:t:a}"]), "2", "the dead ones are not listed either");
    let mut listed = store.tagged("a", 0).await.unwrap().unwrap().keys;
    listed.sort_unstable();
    assert_eq!(listed, ["new", "refilled"]);
    assert_eq!(broom.sweep_tag("a").await.unwrap(), 0);
    assert_eq!(broom.sweep_tag("never was").await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_invalidated_is_swept_in_the_background() {
    let server = Server::start(&[]);
    let store = RedisStore::connect(config(&server.url())).await.unwrap();
    let keys: Vec<String> = (0..1_200).map(|number| format!("k{number}")).collect();
    let last = "v:{cache:k:k1199}";
    for what in [
        Invalidation::Tags(vec!["never was".to_owned(), "a".to_owned()]),
        Invalidation::Pattern("k*".to_owned()),
        Invalidation::All,
    ] {
        for key in &keys {
            put(&store, key, &["a"]).await;
        }
        assert_eq!(server.ask(&["EXISTS", last]), "1");
        store.invalidate(&what).await.unwrap();
        let count = || server.ask(&["EVAL", "return #redis.call('KEYS', 'v:*')", "0"]);
        server::wait_until("it is swept", || count() == "0");
    }
    assert_eq!(server.ask(&["ZCARD", "s:{cache:t:a}"]), keys.len().to_string(), "it is not told");
    invalidate_tag(&store, "a").await;
    server::wait_until("nothing is listed", || server.ask(&["EXISTS", "s:{cache:t:a}"]) == "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sweep_at_a_time_in_the_process() {
    let server = Server::start(&[]);
    let turn = TURN.lock().await;
    let mut stores = Vec::new();
    for prefix in ["one", "other"] {
        let store = RedisStore::connect(config(&server.url()).prefix(prefix)).await.unwrap();
        put(&store, "a", &[]).await;
        store.invalidate(&Invalidation::All).await.unwrap();
        stores.push(store);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.calls("scan"), 0, "somebody else's sweep is not over");
    drop(turn);
    let both = ["EXISTS", "v:{one:k:a}", "v:{other:k:a}"];
    tokio::task::block_in_place(|| server::wait_until("both", || server.ask(&both) == "0"));
}

#[test]
fn what_waits_is_bounded_and_waits_once() {
    let mut queue = Queue::default();
    for _ in 0..3 {
        assert!(queue.push(Sweep::Pattern(glob("a*"))) && queue.push(Sweep::Tag("a*".to_owned())));
    }
    assert_eq!(queue.waiting.len(), 2);
    for number in 1..MOST_PATTERNS {
        assert!(queue.push(Sweep::Pattern(glob(&number.to_string()))));
    }
    assert!(!queue.push(Sweep::Pattern(glob("one more"))));
    assert!(queue.push(Sweep::Tag("there is room for a tag".to_owned())));
}

#[cfg(feature = "cluster")]
mod cluster {
    use super::{server::Cluster, *};

    fn names() -> Vec<String> {
        (0..30).map(|number| format!("user:{number}")).collect()
    }

    /// A key on another node than the namespace's slot and the tag's, and that node.
    fn elsewhere(cluster: &Cluster) -> (String, u16) {
        let homes = ["d:{cache}", "s:{cache:t:a}"].map(|name| cluster.owner(name).port);
        let port = |key: &String| cluster.owner(&format!("v:{{cache:k:{key}}}")).port;
        let key = names().into_iter().find(|key| !homes.contains(&port(key))).unwrap();
        let port = port(&key);
        (key, port)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_master_is_swept_of_patterns_and_of_tags() {
        let cluster = Cluster::start();
        let (store, broom) = with_broom(config(&cluster.url())).await;
        assert_eq!(broom.masters().await.unwrap().len(), 3);
        let (names, most) = (names(), names().len() as i64);
        for key in &names {
            put(&store, key, &["a"]).await;
        }
        invalidate_pattern(&store, "user:?*").await;
        put(&store, "user:7", &["a"]).await;
        assert_eq!(broom.sweep_pattern(&glob("user:?*")).await.unwrap(), most - 1);
        for key in &names {
            put(&store, key, &["a"]).await;
        }
        invalidate_tag(&store, "a").await;
        put(&store, "user:7", &["a"]).await;
        assert_eq!(broom.sweep_tag("a").await.unwrap(), most - 1);
        let keys: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(there(&store, &keys).await, ["user:7"]);
        assert_eq!(store.tagged("a", 0).await.unwrap().unwrap().keys, ["user:7"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_master_that_hangs_keeps_its_own_values_and_no_others() {
        let cluster = Cluster::start();
        let (store, _) = with_broom(config(&cluster.url())).await;
        let impatient = config(&cluster.url()).deadline(Duration::from_millis(300));
        let (_impatient, broom) = with_broom(impatient).await;
        let (hung_key, port) = elsewhere(&cluster);
        let hung = cluster.nodes.iter().find(|node| node.port == port).unwrap();
        let is_hung = |key: &String| cluster.owner(&format!("v:{{cache:k:{key}}}")).port == port;
        let (theirs, others): (Vec<String>, Vec<String>) = names().into_iter().partition(is_hung);
        assert!(theirs.contains(&hung_key) && !others.is_empty());
        let left = async |keys: &[String]| {
            there(&store, &keys.iter().map(String::as_str).collect::<Vec<_>>()).await.len()
        };

        for tags in [true, false] {
            for key in names() {
                put(&store, &key, &["a"]).await;
            }
            if tags {
                invalidate_tag(&store, "a").await;
            } else {
                store.invalidate(&Invalidation::All).await.unwrap();
            }
            broom.masters().await.unwrap(); // it is connected
            hung.freeze();
            let swept = if tags {
                broom.sweep_tag("a").await
            } else {
                broom.sweep_pattern(&glob("*")).await
            };
            hung.thaw();
            assert_eq!(swept.unwrap(), others.len() as i64, "tags: {tags}");
            assert_eq!((left(&others).await, left(&theirs).await), (0, theirs.len()));
            // Its part is still listed, for the next sweep.
            let listed = cluster.owner("s:{cache:t:a}").ask(&["ZCARD", "s:{cache:t:a}"]);
            assert!(!tags || listed == theirs.len().to_string(), "{listed}");
            store.invalidate(&Invalidation::All).await.unwrap();
        }
    }
}
