//! Redis is killed in the middle, and comes back: what each part does then, as its guide says.
//!
//! Here are those parts that have no other file for it. Rate limits: `tests/processes/limits.rs`; sessions: `sessions.rs` beside this file;
//! topics: `tests/topics/outages.rs`; transactions: `tests/transactions/outages.rs`; the switch: `tests/switch/redis.rs`; responses and
//! limits of HTTP: `cache-http/tests/{redis,limits}.rs`; tower-sessions: `cache-tower-sessions/tests/store.rs`; annotated functions:
//! `tests/peers_redis.rs`.

use std::{
    future::pending,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use larder::{
    Backend, Cache, CacheBuilder, CacheConfig, ErrorKind, InShared, Next, Status, cache_aside,
};

use tokio::time::timeout;

use crate::{PATIENCE, metrics::Collector, server::Server, until};

/// Long enough for a busy machine, short enough to be waited for.
const DEADLINE: Duration = Duration::from_secs(1);

fn on(server: &Server) -> CacheBuilder {
    Cache::builder().redis(server.url()).shared_deadline(DEADLINE)
}

async fn two(server: &Server) -> (Cache, Cache) {
    (on(server).build().await.unwrap(), on(server).build().await.unwrap())
}

#[cache_aside(key = "away:{id}", ttl = "5m", skip(cache, load), cache = cache)]
async fn number(cache: &Cache, id: u64, load: u64) -> u64 {
    load
}

/// Whether one process finds what another one has loaded, under a key that nobody had asked for.
async fn is_shared(here: &Cache, there: &Cache) -> bool {
    static NEXT: AtomicU64 = AtomicU64::new(1_000);
    let id = NEXT.fetch_add(1, SeqCst);
    number(here, id, 1).await + number(there, id, 2).await == 2
}

fn assert_away(error: &larder::Error) {
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error:?}");
    assert_eq!(error.status(), Status::Temporary, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_metrics_shared_info_and_explain_while_redis_is_killed_and_restarted() {
    let mut server = Server::start(&[]);
    let collector = Collector::default();
    let cache = on(&server).metrics(collector.clone()).name("away").build().await.unwrap();
    assert_eq!((number(&cache, 1, 7).await, number(&cache, 1, 8).await), (7, 7));
    assert!(cache.shared_info().await.unwrap().unwrap().version.is_some());
    let shared_up = || {
        cache.publish_metrics();
        collector.get("cache_shared_up{cache=away}")
    };
    assert_eq!(shared_up(), Some(1.0));
    let before = number_cache(&cache).stats();
    assert_eq!((before.hits(), before.misses, before.loads), (1, 1, 1));

    server.kill();
    // What is of this process goes on, and counts what fails.
    assert_eq!(number(&cache, 2, 9).await, 9);
    let during = number_cache(&cache).stats();
    assert_eq!((during.hits(), during.misses, during.loads), (1, 2, 2));
    let stats = cache.stats();
    assert!(stats.shared_errors + stats.shared_timeouts > 0, "{stats}");
    assert_eq!(shared_up(), Some(0.0));
    let errors = ["error", "timeout", "overload"].map(|kind| {
        collector.get(&format!("cache_errors_total{{cache=away,kind={kind}}}")).unwrap()
    });
    assert!(errors.iter().sum::<f64>() > 0.0, "{errors:?}");
    // What is asked of the servers is an error that says so.
    assert_away(&cache.shared_info().await.unwrap_err());
    let why = number_entry(&cache, 3).explain().await.unwrap();
    let InShared::Away(error) = &why.shared else { panic!("{why}") };
    assert_away(error);
    assert_eq!(why.next, Next::Loads);

    server.restart();
    until("the servers are asked again", async || cache.shared_info().await.is_ok()).await;
    until("its state is told", async || {
        number(&cache, 4, 1).await;
        number_entry(&cache, 4).invalidate().await.is_ok() && shared_up() == Some(1.0)
    })
    .await;
    let why = number_entry(&cache, 3).explain().await.unwrap();
    assert!(matches!(why.shared, InShared::Absent), "{why}");
    let after = number_cache(&cache).stats();
    assert!(after.loads > during.loads && after.hits() >= during.hits(), "{after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_while_redis_is_killed_and_restarted() {
    let mut server = Server::start(&[]);
    let (here, there) = two(&server).await;
    let runs = AtomicU64::new(0);
    let by_id = async |cache: &Cache, id: u64| {
        let query = cache.query("SELECT name FROM users WHERE id = ?1").bind(&id).tables(["users"]);
        let run = async || Ok::<_, larder::Error>(runs.fetch_add(1, SeqCst));
        query.get_or_load(run).await.unwrap()
    };
    assert_eq!([by_id(&here, 1).await, by_id(&there, 1).await], [0, 0]);
    server.kill();
    assert_eq!(by_id(&here, 2).await, 1, "it is loaded");
    let error = here.invalidate_tables(["users"]).await.unwrap_err();
    assert_away(&error);
    // It holds here, and the other process is told later.
    assert_eq!([by_id(&here, 1).await, by_id(&here, 2).await], [2, 3]);
    server.restart();
    until("the invalidation is repeated", async || here.health().await.waiting_invalidations == 0)
        .await;
    let next = AtomicU64::new(10);
    until("results are shared again", async || {
        let id = next.fetch_add(1, SeqCst);
        by_id(&here, id).await == by_id(&there, id).await
    })
    .await;
    until("nothing from before the invalidation is left", async || by_id(&there, 1).await >= 2)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_while_redis_is_killed_and_restarted_without_its_data() {
    let mut server = Server::start(&[]);
    let (here, there) = two(&server).await;
    let guard = here.lock("import").ttl("2s").acquire().await.unwrap();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let report = tokio::spawn({
        let here = here.clone();
        async move {
            let work = async {
                begun.send(()).unwrap();
                pending::<()>().await
            };
            here.with_lock("report", "2s", work).await
        }
    });
    has_begun.await.unwrap();
    server.kill();
    // Nobody is given a lock that nobody could be asked for.
    assert_away(&there.lock("free").acquire().await.map(drop).unwrap_err());
    assert_away(&there.lock("free").try_acquire().await.map(drop).unwrap_err());
    assert_away(&there.with_lock("free", "2s", async {}).await.unwrap_err());
    // Who has one learns that it is lost, and what runs under one is dropped.
    timeout(PATIENCE, guard.lost()).await.expect("it is lost");
    assert!(!guard.is_held());
    let report = timeout(PATIENCE, report).await.expect("it is dropped").unwrap();
    assert_eq!(report.unwrap_err().kind(), ErrorKind::Fenced);

    server.restart();
    let next = tokio::sync::Mutex::new(None);
    until("the lock can be taken", async || {
        *next.lock().await = there.lock("import").try_acquire().await.ok().flatten();
        next.lock().await.is_some()
    })
    .await;
    let next = next.into_inner().unwrap();
    // The server has forgotten everything, and the token is greater all the same.
    assert!(next.fencing_token() > guard.fencing_token());
    until("the first one is answered again", async || here.shared_info().await.is_ok()).await;
    assert_eq!(guard.release().await.unwrap_err().kind(), ErrorKind::Fenced);
    assert!(next.is_held());
    next.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_while_redis_is_killed_and_restarted_with_its_data() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let (here, there) = two(&server).await;
    let guard = here.lock("import").ttl("60s").acquire().await.unwrap();
    server.kill();
    assert!(guard.is_held(), "nobody else can have it");
    server.restart();
    until("the server answers", async || {
        matches!(there.lock("import").try_acquire().await, Ok(None))
    })
    .await;
    assert!(guard.is_held());
    until("its holder is answered again", async || here.shared_info().await.is_ok()).await;
    guard.release().await.unwrap();
    assert!(there.lock("import").try_acquire().await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configuration_with_a_redis_that_is_killed_and_restarted() {
    let mut server = Server::start(&[]);
    let mut config = CacheConfig::default();
    config.backend = Backend::Redis;
    config.redis_url = Some(server.url());
    config.shared_deadline = DEADLINE;
    let cache = async || Cache::from_config(config.clone()).await;
    let here = cache().await.unwrap();
    assert_eq!(number(&here, 1, 1).await, 1);
    server.kill();
    // A process that starts now starts, and does its work.
    let there = cache().await.unwrap();
    assert_eq!(number(&there, 1, 2).await, 2);
    assert!(there.health().await.shared.is_some_and(|shared| !shared.reachable));
    // The switch and the settings are of the process.
    there.set_enabled(false);
    assert_eq!(number(&there, 1, 3).await, 3);
    there.set_enabled(true);
    server.restart();
    until("both share what they load", async || is_shared(&here, &there).await).await;
}
