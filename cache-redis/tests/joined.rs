//! Reads that share a request: what each of them is promised all the same.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use cache_redis::RedisStore;
use cache_store::{ErrorKind, Query, Store};
use common::{fake::Fake, *};
use tokio::task::{JoinSet, yield_now};

/// What many readers get that come while the server stands still, so that most of them travel together: the body's length.
async fn lengths(server: &Server, store: &Arc<RedisStore>, keys: &[String]) -> Vec<Option<usize>> {
    server.freeze();
    let mut reads = JoinSet::new();
    for (at, key) in keys.iter().cloned().enumerate() {
        let store = Arc::clone(store);
        reads.spawn(async move { (at, get(&store, &key).await.map(|body| body.len())) });
    }
    yield_now().await;
    server.thaw();
    let mut lengths = reads.join_all().await;
    lengths.sort_unstable();
    lengths.into_iter().map(|(_, length)| length).collect()
}

#[tokio::test]
async fn a_huge_value_and_one_of_another_type_are_no_trouble_to_those_who_travel_with_them() {
    const HUGE: usize = 24 << 20;
    let (server, store) = start().await;
    let keys: Vec<String> = (0..60).map(|number| format!("key:{number}")).collect();
    for key in &keys {
        let size = if key == "key:20" { HUGE } else { key.len() };
        assert!(put(&store, key, &"x".repeat(size), MINUTE).await);
    }
    for (name, key) in [("v", "key:30"), ("d", "key:40")] {
        let name = format!("{name}:{{cache:k:{key}}}");
        server.ask(&["UNLINK", &name]);
        assert_eq!(server.ask(&["LPUSH", &name, "foreign"]), "1");
    }
    server.ask(&["CONFIG", "RESETSTAT"]);
    let lengths = lengths(&server, &store, &keys).await;
    for (key, length) in keys.iter().zip(lengths) {
        let expected = match key.as_str() {
            "key:20" => Some(HUGE),
            "key:30" | "key:40" => None,
            other => Some(other.len()),
        };
        assert_eq!(length, expected, "{key}");
    }
    assert!(server.calls("mget") < 30, "{} requests", server.calls("mget"));
}

/// The server says in every value how many readers had begun when it ran the command.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_gets_the_answer_to_a_request_that_was_sent_before_it_began() {
    const READERS: u64 = 20_000;
    const AT_ONCE: usize = 200;
    let (begun, requests) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, count) = (Arc::clone(&begun), Arc::clone(&requests));
    let fake = Fake::start(move |command| {
        let ["MGET", keys @ ..] = command else { return None };
        count.fetch_add(1, Ordering::Relaxed);
        let mut reply = format!("*{}\r\n", keys.len());
        let begun = now.load(Ordering::SeqCst).to_string();
        for _ in keys {
            write!(reply, "${}\r\n{begun}\r\n", begun.len()).unwrap();
        }
        Some(reply)
    });
    let url = format!("redis://127.0.0.1:{}", fake.await.port);
    let store = RedisStore::connect(config(&url).sweep(false)).await.unwrap();
    let left = Arc::new(AtomicU64::new(READERS));
    let mut readers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (store, begun, left) = (Arc::clone(&store), Arc::clone(&begun), Arc::clone(&left));
        readers.spawn(async move {
            while left.fetch_sub(1, Ordering::Relaxed) > AT_ONCE as u64 {
                let mine = begun.fetch_add(1, Ordering::SeqCst) + 1;
                let query = Query { key: "a", tags: &[], pattern: false, life: false };
                let value = store.read(query).await.unwrap().value.unwrap();
                let seen: u64 = std::str::from_utf8(&value).unwrap().parse().unwrap();
                assert!(seen >= mine, "reader {mine} saw what was there for {seen}");
            }
        });
    }
    while let Some(done) = readers.join_next().await {
        done.unwrap();
    }
    let requests = requests.load(Ordering::Relaxed);
    assert!(requests < READERS as usize / 2, "{requests} requests are not shared ones");
}

// Guard: the place in Line::read.
#[tokio::test]
async fn those_who_wait_for_others_count_as_under_way() {
    let server = Server::start(&[]);
    let store = RedisStore::connect(config(&server.url()).max_requests(10)).await.unwrap();
    server.freeze();
    let mut reads = JoinSet::new();
    for _ in 0..100 {
        let store = Arc::clone(&store);
        reads.spawn(async move { read(&store, "a").await.err().map(|error| error.kind()) });
    }
    let mut refused = 0;
    while refused < 90 {
        assert_eq!(reads.join_next().await.unwrap().unwrap(), Some(ErrorKind::Overloaded));
        refused += 1;
    }
    server.thaw();
    assert_eq!(reads.join_all().await, vec![None; 10]);
}
