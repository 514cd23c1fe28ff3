//! What callers that go away at the worst moment leave behind in Redis.
#![allow(clippy::unwrap_used)]

#[path = "common/loads.rs"]
mod loads;
#[macro_use]
#[path = "common/places.rs"]
mod places;
#[path = "../cache-redis/tests/common/server.rs"]
mod server;

use std::{sync::Arc, time::Duration};

use larder::{Cache, stampede_protect};
use loads::{Held, in_time};
use places::Place;
use server::wait_until;
use tokio::task::JoinHandle;

on_redis!(a_leader_that_goes_away_while_it_asks_for_the_lock_leaves_none);

/// Whoever waits for the lock does so for longer than any test.
#[stampede_protect(key = "report:{id}", lock_ttl = "60s", skip(held, found))]
async fn report(held: &Held, id: u64, found: u64) -> u64 {
    held.run(found).await
}

fn call(cache: &Cache, held: &Arc<Held>, found: u64) -> JoinHandle<u64> {
    let held = Arc::clone(held);
    larder::scoped_sync(cache.clone(), || {
        larder::spawn(async move { report(&held, 1, found).await })
    })
}

// Guard: cache-redis/src/steps.rs, the lease of a claim that nobody has the answer of is taken back.
async fn a_leader_that_goes_away_while_it_asks_for_the_lock_leaves_none(place: Place) {
    let held = Held::open();
    // From here on there is a log of patterns, which nobody has to open.
    assert_eq!(call(&place.cache().await, &held, 1).await.unwrap(), 1);
    let leaving = place.cache().await;
    leaving.invalidate("report:1").await.unwrap();
    // And from here on the server knows the scripts: it will do at once what it is asked.
    assert_eq!(call(&leaving, &held, 1).await.unwrap(), 1);
    let heard = async {
        while leaving.health().await.session != Some(true) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    in_time("it has read the log", heard).await;
    leaving.invalidate("report:1").await.unwrap();
    let server = place.holder("l:{cache:k:report:1}");
    let before = server.calls("set");
    // Reads are answered, and scripts are not.
    place.tell_all(&["CLIENT", "PAUSE", "60000", "WRITE"], "OK");
    let leader = call(&leaving, &held, 2);
    wait_until("the server has the claim", || {
        // Its client is blocked: others have called scripts before.
        let waits = |line: &str| line.contains(" flags=b ") && line.contains(" cmd=evalsha ");
        server.ask(&["CLIENT", "LIST"]).lines().any(waits)
    });
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    place.tell_all(&["CLIENT", "UNPAUSE"], "OK");
    wait_until("it has given the lease", || server.calls("set") >= before + 2);
    let other = place.cache().await;
    assert_eq!(in_time("nobody waits for the lease", call(&other, &held, 3)).await.unwrap(), 3);
    assert_eq!(held.runs(), 3);
}
