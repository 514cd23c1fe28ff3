//! A line to one node of a cluster that is half open, while the others are well.

#![cfg(feature = "cluster")]
#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;
// The lines of the soak, which can die without a word.
#[allow(dead_code, unreachable_pub)]
#[path = "../../soak/src/coordinator/proxy.rs"]
mod proxy;

use std::{sync::Arc, time::Duration};

use cache_redis::RedisStore;
use cache_store::{Invalidation, Store};
use common::{
    server::{Cluster, Server},
    *,
};
use proxy::{Mode, Proxy};
use tokio::time::timeout;

/// Several times as long as a line may stay half open.
const PATIENCE: Duration = Duration::from_secs(40);

/// A cluster whose nodes say of themselves that they are where their lines are.
fn cluster_behind_lines() -> (Cluster, Vec<Arc<Proxy>>) {
    let bound: Vec<_> = (0..3).map(|_| Proxy::bind().unwrap()).collect();
    let node = |port: u16| {
        let port = port.to_string();
        Server::start(&[
            "--cluster-enabled",
            "yes",
            "--cluster-require-full-coverage",
            "no",
            "--cluster-announce-port",
            &port,
        ])
    };
    let cluster = Cluster::of(bound.iter().map(|(line, _)| node(line.port)).collect());
    let serve = |((line, listener), node): ((Arc<Proxy>, _), &Server)| {
        line.serve(listener, node.port);
        line
    };
    let lines = bound.into_iter().zip(&cluster.nodes).map(serve).collect();
    (cluster, lines)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_line_to_one_node_is_replaced_while_the_others_answer() {
    let (cluster, lines) = cluster_behind_lines();
    let ports: Vec<String> = lines.iter().map(|line| format!("127.0.0.1:{}", line.port)).collect();
    let url = format!("redis-cluster://{}", ports.join(","));
    let quick = config(&url).deadline(Duration::from_millis(200));
    let store = RedisStore::connect(quick).await.unwrap();
    let at = |key: &str| cluster.owner(&format!("d:{{cache:k:{key}}}")).port;
    let keys: Vec<String> = (0..100).map(|i| format!("key:{i}")).collect();
    let near = keys[0].clone();
    let far = keys.iter().find(|key| at(key) != at(&near)).unwrap().clone();
    let invalidation = |key: &String| Invalidation::Keys(vec![key.clone()]);
    store.invalidate(&invalidation(&far)).await.unwrap();

    let node = cluster.nodes.iter().position(|node| node.port == at(&far)).unwrap();
    assert!(lines[node].set(Mode::Dead, || true) > 0);
    store.invalidate(&invalidation(&far)).await.unwrap_err();
    let mut refused_near = 0;
    let back = async {
        while store.invalidate(&invalidation(&far)).await.is_err() {
            // Its answers say nothing about the other one's line.
            if store.invalidate(&invalidation(&near)).await.is_err() {
                refused_near += 1;
                // One failure refuses all for a moment.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    timeout(PATIENCE, back).await.expect("the line is replaced");
    assert!(refused_near < 10, "those that were well went on: {refused_near} failures");
}
