//! Batches against real servers.
#![allow(clippy::unwrap_used)]

#[path = "common/loads.rs"]
mod loads;
#[path = "../cache-redis/tests/common/server.rs"]
mod server;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use larder::{Cache, CacheBuilder, cache_aside};
use loads::{Held, in_time};
use server::Server;

/// A source that notes what it is asked for.
struct Source {
    asked: Mutex<Vec<usize>>,
    held: Arc<Held>,
}

impl Source {
    fn new(held: Arc<Held>) -> Arc<Self> {
        Arc::new(Self { asked: Mutex::default(), held })
    }

    async fn numbers(&self, ids: &[u64]) -> HashMap<u64, u64> {
        self.asked.lock().unwrap().push(ids.len());
        self.held.run(ids.iter().map(|id| (*id, id * 10)).collect()).await
    }

    /// How many it was asked for each time.
    fn asked(&self) -> Vec<usize> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[cache_aside(
    key = "n:{id}",
    ttl = "1m",
    tags = ["n:{id}", "tens:{value}"],
    cache = cache,
    skip(source),
    batch(id in ids)
)]
async fn numbers(cache: &Cache, source: &Source, ids: &[u64]) -> HashMap<u64, u64> {
    source.numbers(ids).await
}

#[cache_aside(key = "plain:{id}", cache = cache, skip(source), batch(id in ids))]
async fn plain(cache: &Cache, source: &Source, ids: &[u64]) -> HashMap<u64, u64> {
    source.numbers(ids).await
}

fn builder(url: &str) -> CacheBuilder {
    Cache::builder().redis(url).shared_deadline(Duration::from_secs(5))
}

async fn process(server: &Server) -> Cache {
    builder(&server.url()).build().await.unwrap()
}

fn ids(count: u64) -> Vec<u64> {
    (1..=count).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_loads_the_other_one_reads_in_one_command() {
    let server = Server::start(&[]);
    let (here, there) = (process(&server).await, process(&server).await);
    let source = Source::new(Held::open());
    assert_eq!(plain(&here, &source, &ids(400)).await.len(), 400);
    assert_eq!(source.asked(), [400]);
    let before = (server.calls("mget"), server.calls("evalsha"));
    let all = plain(&there, &source, &ids(400)).await;
    assert!(all.iter().all(|(id, number)| *number == id * 10) && all.len() == 400);
    assert_eq!(server.calls("mget") - before.0, 1);
    // The session reads the pattern log in the background.
    assert!(server.calls("evalsha") - before.1 <= 2, "nothing had to be claimed");
    assert!(source.asked().is_empty());
    assert_eq!(there.stats().hits_shared, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_elements_than_one_pipeline_takes_are_one_batch() {
    let server = Server::start(&[]);
    let (here, there) = (process(&server).await, process(&server).await);
    let source = Source::new(Held::open());
    assert_eq!(numbers(&here, &source, &ids(1_300)).await.len(), 1_300);
    here.invalidate_tags(["tens:12000"]).await.unwrap();
    assert_eq!(numbers(&there, &source, &ids(1_301)).await.len(), 1_301);
    assert_eq!(source.asked(), [1_300, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalidation_of_one_element_while_the_body_runs_refuses_that_one_alone() {
    let server = Server::start(&[]);
    let (here, there) = (process(&server).await, process(&server).await);
    for way in ["key", "known tag", "learned tag", "pattern"] {
        let source = Source::new(Held::new());
        let batch = tokio::spawn({
            let (cache, source) = (here.clone(), source.clone());
            async move { numbers(&cache, &source, &[1, 2, 3]).await }
        });
        source.held.began().await;
        match way {
            "key" => numbers_entry(&there, 2).invalidate().await.unwrap(),
            "known tag" => there.invalidate_tags(["n:2"]).await.unwrap(),
            "learned tag" => there.invalidate_tags(["tens:20"]).await.unwrap(),
            _ => there.invalidate_pattern("?:2").await.unwrap(),
        }
        source.held.end();
        assert_eq!(in_time("the batch ends", batch).await.unwrap().len(), 3);
        let fresh = process(&server).await;
        for (id, stays) in [(1, true), (2, false), (3, true)] {
            let there = numbers_entry(&fresh, id).exists().await.unwrap();
            assert_eq!(there, stays, "{way}: {id}");
        }
        here.clear().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_redis_gone_every_element_is_loaded_and_the_delay_is_bounded() {
    let mut server = Server::start(&[]);
    let deadline = Duration::from_millis(500);
    let cache = builder(&server.url()).shared_deadline(deadline).build().await.unwrap();
    let source = Source::new(Held::open());
    assert_eq!(numbers(&cache, &source, &ids(10)).await.len(), 10);

    server.freeze();
    let since = Instant::now();
    assert_eq!(numbers(&cache, &source, &(100..3_100).collect::<Vec<_>>()).await.len(), 3_000);
    let took = since.elapsed();
    server.thaw();
    assert!(took < 4 * deadline, "{took:?}: six pieces, and one deadline");
    server.kill();
    assert_eq!(numbers(&cache, &source, &(4_000..4_100).collect::<Vec<_>>()).await.len(), 100);
    assert_eq!(source.asked(), [10, 3_000, 100]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_values_are_set_and_read_by_hand() {
    let server = Server::start(&[]);
    let (here, there) = (process(&server).await, process(&server).await);
    let values: HashMap<String, u64> = (0..600).map(|n| (format!("hand:{n}"), n)).collect();
    here.set_many(&values).tags(["hands"]).await.unwrap();
    let keys: Vec<&String> = values.keys().collect();
    let all = there.get_many::<u64, _>(&keys).await.unwrap();
    assert!(keys.iter().zip(all).all(|(key, value)| value == values.get(*key).copied()));
    here.invalidate_tags(["hands"]).await.unwrap();
    let all = process(&server).await.get_many::<u64, _>(&keys).await.unwrap();
    assert!(all.iter().all(Option::is_none));
}

#[cfg(feature = "redis-cluster")]
mod cluster {
    use super::{server::Cluster, *};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn elements_of_all_slots_are_one_batch() {
        let cluster = Cluster::start();
        let url = cluster.url();
        let (here, there) =
            (builder(&url).build().await.unwrap(), builder(&url).build().await.unwrap());
        let source = Source::new(Held::open());
        assert_eq!(numbers(&here, &source, &ids(300)).await.len(), 300);
        there.invalidate_tags(["tens:70"]).await.unwrap();
        assert_eq!(numbers(&there, &source, &ids(301)).await.len(), 301);
        assert_eq!(source.asked(), [300, 2]);
        let values: Vec<u64> = (0..100).collect();
        let named: Vec<String> = values.iter().map(|n| format!("hand:{n}")).collect();
        here.set_many(named.iter().zip(&values)).await.unwrap();
        let all = there.get_many::<u64, _>(&named).await.unwrap();
        assert_eq!(all, values.into_iter().map(Some).collect::<Vec<_>>());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_dead_node_costs_the_elements_that_live_there() {
        let mut cluster = Cluster::start();
        let url = cluster.url();
        let settings = || builder(&url).shared_deadline(Duration::from_secs(1));
        let here = settings().build().await.unwrap();
        let source = Source::new(Held::open());
        let owner = |id: u64| cluster.owner(&format!("d:{{cache:k:plain:{id}}}")).port;
        let home = cluster.owner("d:{cache}").port;
        plain(&here, &source, &ids(60)).await;
        let owners: Vec<u16> = ids(60).into_iter().map(owner).collect();
        let dead = *owners.iter().find(|port| **port != home).unwrap();
        let lost = owners.iter().filter(|port| **port == dead).count();
        let node = cluster.nodes.iter().position(|node| node.port == dead).unwrap();
        cluster.nodes[node].kill();
        source.asked();

        let until = Instant::now() + Duration::from_secs(30);
        // The first calls after the death may meet the repair of the connections; every one has its result.
        loop {
            let fresh = settings().build().await.unwrap();
            assert_eq!(plain(&fresh, &source, &ids(60)).await.len(), 60);
            if source.asked() == [lost] {
                break;
            }
            assert!(Instant::now() < until, "elements of healthy nodes are not read");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
