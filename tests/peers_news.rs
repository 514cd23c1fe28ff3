//! Mistakes of other caches with what they hear of other processes: here each of them is a sentence that holds.
#![allow(clippy::unwrap_used)]

#[path = "../cache-redis/tests/common/server.rs"]
mod server;

use std::{convert::Infallible, sync::Arc, time::Duration};

use larder::{
    Cache, Clock, Event, Invalidation, Origin,
    testing::{ChaosStore, MemoryStore, Operation},
};
use server::Server;
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

const BOUND: Duration = Duration::from_secs(2);
const MOMENT: Duration = Duration::from_millis(1);

type Line = Arc<ChaosStore<MemoryStore>>;

/// A process in tokio's time, and its line to the shared tier.
async fn process(store: &MemoryStore) -> (Cache, Line) {
    let line = Arc::new(ChaosStore::new(store.connect()));
    let builder = Cache::builder().clock(Clock::tokio()).runtime(Handle::current());
    (builder.coherence_bound(BOUND).shared(line.clone()).build().await.unwrap(), line)
}

async fn load(cache: &Cache, key: &str, found: u64) -> u64 {
    let load = || async { Ok::<_, Infallible>(found) };
    cache.get_or_set(key, load).await.unwrap()
}

/// Waits until the process hears of the others.
async fn listening(cache: &Cache) {
    while cache.health().await.session != Some(true) {
        load(cache, "other", 0).await;
        sleep(MOMENT).await;
    }
}

// Guard: cache-core/src/engine/session.rs, what is heard rules out entries in memory and is passed on to nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_hears_of_an_invalidation_deletes_nothing_from_the_shared_store() {
    const KEYS: u64 = 200;
    let server = Server::start(&[]);
    let node = || async { Cache::builder().redis(server.url()).build().await.unwrap() };
    let (here, there) = (node().await, node().await);
    let mut heard = there.events();
    let key = |number: u64| format!("row:{number}");
    listening(&there).await;
    for number in 0..KEYS {
        load(&there, &key(number), 1).await;
    }
    for number in 0..KEYS {
        here.invalidate(&key(number)).await.unwrap();
        assert_eq!(load(&here, &key(number), 2).await, 2);
    }
    // Once it has heard of the last one, it has heard of all.
    let last = key(KEYS - 1);
    let hears = async {
        while let Some(event) = heard.next().await {
            if let Event::Invalidated { what, origin: Origin::Elsewhere } = event
                && matches!(&*what, Invalidation::Keys(keys) if keys.contains(&last))
            {
                return;
            }
        }
    };
    timeout(Duration::from_secs(30), hears).await.unwrap();
    let third = node().await;
    for number in 0..KEYS {
        assert_eq!(third.get::<u64>(&key(number)).await.unwrap(), Some(2), "{number}");
    }
}

// Guard: FILL compares the key's nonce (cache-redis/src/scripts, cache-store/src/testing/memory).
#[tokio::test(start_paused = true)]
async fn a_slow_node_does_not_overwrite_newer_shared_data() {
    let store = MemoryStore::new();
    let ((slow, _), (quick, _), (third, _)) =
        (process(&store).await, process(&store).await, process(&store).await);
    let late = async {
        let load = || async {
            sleep(BOUND * 2).await;
            Ok::<_, Infallible>(1)
        };
        slow.get_or_set("row", load).await.unwrap()
    };
    let newer = async {
        sleep(BOUND).await;
        quick.invalidate("row").await.unwrap();
        load(&quick, "row", 2).await
    };
    assert_eq!(tokio::join!(late, newer), (1, 2));
    for process in [&third, &slow, &quick] {
        assert_eq!(process.get::<u64>("row").await.unwrap(), Some(2));
    }
}

// Guard: cache-core/src/engine/session.rs, `hear_gap`.
#[tokio::test(start_paused = true)]
async fn memory_is_given_up_when_hearing_begins_again() {
    let store = MemoryStore::new();
    let ((here, line), (there, _)) = (process(&store).await, process(&store).await);
    listening(&here).await;
    load(&here, "row", 1).await;
    line.hold_news();
    there.invalidate("row").await.unwrap();
    assert_eq!(here.get::<u64>("row").await.unwrap(), Some(1), "it cannot know yet");
    line.lose_news();
    sleep(MOMENT).await;
    assert_eq!(here.health().await.session, Some(true), "the connection is back");
    assert_eq!(here.get::<u64>("row").await.unwrap(), None);
}

// Guard: cache-core/src/engine/lead.rs, `asked`: what is heard counts from before the question, not from the answer.
#[tokio::test(start_paused = true)]
async fn a_reply_that_comes_after_its_invalidation_was_handled_is_not_kept() {
    let store = MemoryStore::new();
    let ((here, line), (there, _)) = (process(&store).await, process(&store).await);
    listening(&here).await;
    load(&there, "row", 1).await;
    let gate = line.hold_reply(Operation::Read);
    let late = tokio::spawn({
        let here = here.clone();
        async move { here.get::<u64>("row").await }
    });
    gate.arrived(1).await;
    there.invalidate("row").await.unwrap();
    sleep(MOMENT).await;
    gate.open();
    assert_eq!(late.await.unwrap().unwrap(), Some(1), "it asked before");
    assert_eq!(here.get::<u64>("row").await.unwrap(), None);
}
