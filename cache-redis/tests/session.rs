//! Hearing of changes: by one server, in good and bad times.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{Claim, ErrorKind, Fill, Invalidation, Life, Store};
use common::{
    fake::{read_command, usual_reply},
    server::wait_until,
    *,
};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

const DEADLINE: Duration = Duration::from_millis(300);

/// Impatient, as a service is.
async fn impatient(server: &Server) -> Arc<RedisStore> {
    let config =
        RedisConfig::new(server.url()).deadline(DEADLINE).connect_timeout(Duration::from_secs(1));
    RedisStore::connect(config).await.unwrap()
}

fn keys(names: &[&str]) -> Invalidation {
    Invalidation::Keys(names.iter().map(|&name| name.to_owned()).collect())
}

/// Waits until this was told, or told once more.
async fn wait_for(ears: &Ears, news: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    let mut heard = Vec::new();
    while !heard.iter().any(|told| told == news) {
        assert!(Instant::now() < until, "no {news} in {heard:?}");
        sleep(Duration::from_millis(5)).await;
        heard.extend(ears.take_through(news));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_connected_before_somebody_listens_and_nothing_is_left_afterwards() {
    let (server, store) = start().await;
    assert!(put(&store, "a", "body", MINUTE).await);
    assert_eq!(store.heartbeat().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(tracking(&server).len(), 0);
    let ears = Ears::attentive(&store).await;
    let (_other, _) = Ears::on(&store);
    until_alive(&store).await;
    assert_eq!(tracking(&server).len(), 1);
    // Whether somebody still listens or not.
    drop(ears);
    store.heartbeat().await.unwrap();
    drop(store);
    wait_until("nothing is left", || tracking(&server).is_empty());
}

#[test]
fn who_listens_outside_a_runtime_is_told_on_the_one_that_the_store_was_given() {
    let server = Server::start(&[]);
    let own =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let store = RedisStore::lazy(config(&server.url()).runtime(own.handle().clone())).unwrap();
    let (ears, told) = Ears::on(&store);
    assert!(told);
    wait_until("the connection", || tracking(&server).len() == 1);
    let caller = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    caller.block_on(async { store.heartbeat().await.unwrap() });
    drop(caller);
    ears.take();
    server.ask(&["SET", "d:{cache:k:a}", "x"]);
    own.block_on(async { assert_eq!(ears.told(&store).await, ["key a"]) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_is_a_gap_and_comes_back() {
    let (server, store) = start().await;
    let ears = Ears::attentive(&store).await;
    assert!(put(&store, "a", "body", MINUTE).await);
    ears.told(&store).await;
    let [id] = &tracking(&server)[..] else { panic!("one connection") };
    assert_eq!(server.ask(&["CLIENT", "KILL", "ID", id]), "1");
    wait_until("another connection", || tracking(&server).first().is_some_and(|now| now != id));
    until_alive(&store).await;
    // At its end, and, because things may have changed since, when the next one has begun.
    assert_eq!(ears.take(), ["gap", "gap"]);
    store.invalidate(&keys(&["a"])).await.unwrap();
    assert_eq!(ears.told(&store).await, ["key a"]);
    // The requests' own connection was not concerned.
    assert_eq!(get(&store, "a").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_of_requests_is_no_gap() {
    let (server, store) = start().await;
    let ears = Ears::attentive(&store).await;
    let [id] = &tracking(&server)[..] else { panic!("one connection") };
    let list = server.ask(&["CLIENT", "LIST"]);
    let others = list.lines().filter_map(|line| line.strip_prefix("id=")?.split(' ').next());
    for other in others.filter(|other| other != id) {
        server.ask(&["CLIENT", "KILL", "ID", other]);
    }
    assert_eq!(ears.told(&store).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_has_no_heartbeat_within_the_deadline_and_a_short_freeze_is_no_gap() {
    let server = Server::start(&[]);
    let store = impatient(&server).await;
    let ears = Ears::attentive(&store).await;
    server.freeze();
    let since = Instant::now();
    assert_eq!(store.heartbeat().await.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(since.elapsed() < 3 * DEADLINE, "{:?}", since.elapsed());
    server.thaw();
    until_alive(&store).await;
    assert_eq!(ears.take(), Vec::<String>::new());

    server.freeze();
    let since = Instant::now();
    for _ in 0..10 {
        store.heartbeat().await.unwrap_err();
    }
    assert!(since.elapsed() < 5 * DEADLINE, "given up after three: {:?}", since.elapsed());
    wait_for(&ears, "gap").await;
    server.thaw();
    until_alive(&store).await;
    assert!(ears.take().iter().all(|news| news == "gap"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_may_have_gone_back() {
    let (mut server, store) = start().await;
    let ears = Ears::attentive(&store).await;
    server.kill();
    wait_for(&ears, "gap").await;
    assert_eq!(store.heartbeat().await.unwrap_err().kind(), ErrorKind::Unavailable);
    server.restart();
    until_alive(&store).await;
    assert!(ears.take().contains(&"rewound".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_when_somebody_listens_is_found_when_it_comes() {
    let mut server = Server::start(&[]);
    server.kill();
    let store = RedisStore::lazy(config(&server.url())).unwrap();
    let (ears, told) = Ears::on(&store);
    assert!(told);
    assert_eq!(store.heartbeat().await.unwrap_err().kind(), ErrorKind::Unavailable);
    server.restart();
    until_alive(&store).await;
    assert!(ears.take().iter().all(|news| news == "gap"), "nobody was there before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_is_a_gap() {
    let (server, store) = start().await;
    let ears = Ears::attentive(&store).await;
    for flush in ["FLUSHALL", "FLUSHDB"] {
        assert!(put(&store, "a", "body", MINUTE).await);
        ears.told(&store).await;
        server.ask(&[flush]);
        assert_eq!(ears.told(&store).await, ["gap"], "{flush}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demoted_master_has_no_heartbeat_although_it_answers() {
    let (server, store) = start().await;
    let ears = Ears::attentive(&store).await;
    let master = Server::start(&["--repl-diskless-sync-delay", "0"]);
    server.ask(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
    let cause = until_dead(&store).await;
    assert!(cause.to_string().contains("master"), "{cause}");
    wait_for(&ears, "gap").await;
    assert!(store.heartbeat().await.is_err());
    server.ask(&["REPLICAOF", "NO", "ONE"]);
    until_alive(&store).await;
    assert!(ears.take().contains(&"rewound".to_owned()), "it has what its master had");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_a_replica_between_two_heartbeats_may_have_gone_back() {
    let (server, store) = start().await;
    let ears = Ears::attentive(&store).await;
    // Nobody is there, so it keeps its data and nothing is pushed.
    let free = common::server::free_port().to_string();
    server.ask(&["REPLICAOF", "127.0.0.1", &free]);
    server.ask(&["REPLICAOF", "NO", "ONE"]);
    let cause = store.heartbeat().await.unwrap_err();
    assert!(cause.to_string().contains("replica"), "{cause}");
    until_alive(&store).await;
    assert!(ears.take().contains(&"rewound".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dependency_that_ends_by_itself_is_told() {
    let (_server, store) = start().await;
    let ears = Ears::attentive(&store).await;
    let short = Life::For(Duration::from_millis(50));
    store.claim(Claim { dependency_life: short, ..claim("a") }).await.unwrap();
    // When it is made, and when it ends, although nobody reads it.
    wait_for(&ears, "key a").await;
    wait_for(&ears, "key a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dependency_that_is_evicted_is_told_before_the_next_heartbeat() {
    let (server, store) = start().await;
    let names: Vec<String> = (0..500).map(|i| format!("k{i}")).collect();
    for name in &names {
        store.claim(claim(name)).await.unwrap();
    }
    let ears = Ears::attentive(&store).await;
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    wait_until("something is evicted", || server.ask(&["DBSIZE"]) != "501");
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    let heard = ears.told(&store).await;
    for name in &names {
        let is_there = server.ask(&["EXISTS", &format!("d:{{cache:k:{name}}}")]) == "1";
        assert_eq!(heard.contains(&format!("key {name}")), !is_there, "{name}");
    }
}

/// Stores a thousand strings that nobody has read for half an hour; the logs nobody has for an hour.
fn make_old(server: &Server) {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let mut restore = |name: &str, dump: &[u8], idle: u64| {
        let mut restore = redis::cmd("RESTORE");
        restore.arg(name).arg(0).arg(dump).arg("REPLACE").arg("IDLETIME").arg(idle);
        restore.exec(&mut connection).unwrap();
    };
    let dump = |name: &str| -> Vec<u8> {
        let mut connection = client.get_connection().unwrap();
        redis::cmd("DUMP").arg(name).query(&mut connection).unwrap()
    };
    server.ask(&["SET", "old", &"x".repeat(1_000)]);
    let value = dump("old");
    (0..1_000).for_each(|i| restore(&format!("old:{i}"), &value, 1_800));
    for log in ["d:{cache}", "g:{cache}"] {
        let value = dump(log);
        restore(log, &value, 3_600);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_keeps_the_logs_from_being_evicted_and_is_no_news() {
    for listens in [false, true] {
        let (server, store) = start_with(&["--maxmemory-policy", "allkeys-lru"]).await;
        store.claim(Claim { tag_log: true, ..claim("a") }).await.unwrap();
        make_old(&server);
        let idle = |log: &str| server.ask(&["OBJECT", "IDLETIME", log]).parse::<u64>().unwrap();
        assert!(idle("d:{cache}") >= 3_600 && idle("g:{cache}") >= 3_600);
        let ears = Ears::attentive(&store).await;
        if listens {
            assert_eq!(ears.told(&store).await, Vec::<String>::new());
            assert!(idle("d:{cache}") < 60 && idle("g:{cache}") < 60);
        } else {
            make_old(&server);
        }
        let info = server.ask(&["INFO", "memory"]);
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        let less = used.trim().parse::<u64>().unwrap() - 1_000_000;
        server.ask(&["CONFIG", "SET", "maxmemory", &less.to_string()]);
        server.ask(&["SET", "one", "more"]);
        let left = server.ask(&["EXISTS", "d:{cache}", "g:{cache}"]);
        let gone: u64 = 1_000 - server.ask(&["DBSIZE"]).parse::<u64>().unwrap().min(1_000);
        assert!(gone > 800, "{gone} were evicted");
        // Which of the oldest keys go is a matter of samples.
        assert_eq!(left == "2", listens, "{left} of the logs are left");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_server_has_no_heartbeat() {
    let (server, store) = start_with(&["--busy-reply-threshold", "1"]).await;
    let ears = Ears::attentive(&store).await;
    let url = server.url();
    let busy = std::thread::spawn(move || {
        let client = redis::Client::open(url).unwrap();
        let endless = "while true do end";
        redis::cmd("EVAL").arg(endless).arg(0).exec(&mut client.get_connection().unwrap())
    });
    wait_until("the server is busy", || server.ask(&["GET", "x"]).starts_with("-BUSY"));
    assert_eq!(store.heartbeat().await.unwrap_err().kind(), ErrorKind::Refused);
    server.ask(&["SCRIPT", "KILL"]);
    busy.join().unwrap().unwrap_err();
    until_alive(&store).await;
    assert_eq!(ears.take(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_names_and_other_databases_do_no_harm() {
    let (server, store) = start().await;
    let ears = Ears::attentive(&store).await;
    for name in [&b"d:{cache:k:\xff}"[..], b"d:{cache}x", b"d:{cache:k:a", b"d:{cache}t:\xff"] {
        server.ask_bytes(&[b"SET", name, b"x"]);
    }
    assert_eq!(ears.told(&store).await, Vec::<String>::new());
    server.ask(&["SET", "d:{cache}", "no list"]);
    server.ask(&["RENAME", "d:{cache}", "d:{cache}t:x"]);
    server.ask(&["SET", "d:{cache:k:a}", "no nonce"]);
    let heard = ears.told(&store).await;
    assert_eq!(heard.last().map(String::as_str), Some("key a"));
    assert!(heard.contains(&"patterns".to_owned()) && heard.contains(&"tag x".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_resp2_there_is_no_news_and_everything_else_goes_on() {
    let server = Server::start(&[]);
    let url = format!("{}?protocol=resp2", server.url());
    let store = RedisStore::connect(config(&url)).await.unwrap();
    let (ears, told) = Ears::on(&store);
    assert!(!told);
    let cause = store.heartbeat().await.unwrap_err();
    assert!(cause.to_string().contains("protocol=resp2"), "{cause}");
    assert!(put(&store, "a", "body", MINUTE).await);
    store.invalidate(&keys(&["a"])).await.unwrap();
    assert_eq!(get(&store, "a").await, None);
    assert_eq!(ears.take(), Vec::<String>::new());
}

// On one thread, so that all is logged where the subscriber is.
#[tokio::test]
async fn a_user_who_may_not_track_is_said_so_once_and_everything_else_goes_on() {
    let (warnings, _logged) = Warnings::count();
    let server = Server::start(&[]);
    for missing in ["-client|tracking", "-info"] {
        warnings.store(0, Ordering::Relaxed);
        let rules = ["ACL", "SETUSER", "app", "reset", "on", "nopass", "~*", "+@all", missing];
        assert_eq!(server.ask(&rules), "OK");
        let url = format!("redis://app:x@{}", server.address());
        let store = RedisStore::connect(config(&url)).await.unwrap();
        let before = server.calls("hello");
        let (_ears, told) = Ears::on(&store);
        assert!(told);
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            let cause = store.heartbeat().await.unwrap_err();
            assert_eq!(cause.kind(), ErrorKind::Unauthorized, "{cause}");
            assert!(cause.to_string().contains("NOPERM"), "{cause}");
            get(&store, "a").await;
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(warnings.load(Ordering::Relaxed), 1, "{missing}");
        assert_eq!(server.calls("hello") - before, 1, "a refusal is not asked for again at once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_touch_the_logs_hears_all_the_same() {
    let (server, _store) = start().await;
    let rules = ["ACL", "SETUSER", "app", "reset", "on", "nopass", "~*", "+@all", "-touch"];
    assert_eq!(server.ask(&rules), "OK");
    let url = format!("redis://app:x@{}", server.address());
    let store = RedisStore::connect(config(&url)).await.unwrap();
    let ears = Ears::attentive(&store).await;
    assert!(put(&store, "a", "body", MINUTE).await);
    assert!(ears.told(&store).await.contains(&"key a".to_owned()));
}

/// A server that sends a push after the reply to whatever was asked in the same turn of its event loop, as Redis 8 does with
/// `io-threads`. The turn ends when it is asked something else, or after half a second.
struct LateServer {
    listener: TcpListener,
    changed: AtomicBool,
}

impl LateServer {
    async fn serve(self: Arc<Self>) {
        while let Ok((stream, _)) = self.listener.accept().await {
            tokio::spawn(Arc::clone(&self).answer(stream));
        }
    }

    async fn answer(self: Arc<Self>, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut owed = false;
        loop {
            let command = match timeout(Duration::from_millis(500), read_command(&mut stream)).await
            {
                Ok(Some(command)) => Some(command),
                Ok(None) => return,
                Err(_) => None,
            };
            if std::mem::take(&mut owed) {
                let push = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$13\r\nd:{cache:k:a}\r\n";
                stream.write_all(push.as_bytes()).await.unwrap();
            }
            if let Some(command) = command {
                owed = self.changed.swap(false, Ordering::SeqCst);
                let words: Vec<&str> = command.iter().map(String::as_str).collect();
                stream.write_all(usual_reply(&words).as_bytes()).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_comes_after_the_reply_to_a_later_question_is_waited_for() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let late = Arc::new(LateServer { listener, changed: AtomicBool::new(false) });
    tokio::spawn(Arc::clone(&late).serve());
    let store = RedisStore::lazy(config(&url)).unwrap();
    let ears = Ears::attentive(&store).await;
    for _ in 0..3 {
        late.changed.store(true, Ordering::SeqCst);
        assert_eq!(ears.told(&store).await, ["key a"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_invalidation_that_has_returned_is_told_before_the_next_heartbeat() {
    let (_server, other) = start().await;
    let store = connect(&_server).await;
    let ears = Ears::attentive(&store).await;
    for round in 0..2_000 {
        let name = format!("k{}", round % 7);
        let nonce = nonce_of(&other.claim(claim(&name)).await.unwrap());
        let value = stored(nonce, "body");
        assert!(other.fill(Fill { ..fill(&name, nonce, &value) }).await.unwrap());
        ears.told(&store).await;
        other.invalidate(&keys(&[&name])).await.unwrap();
        assert_eq!(ears.told(&store).await, [format!("key {name}")], "round {round}");
    }
}
