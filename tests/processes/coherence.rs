//! What is stored, invalidated or written in one process, seen from the other one.

use larder::Result;
use tokio::time::sleep;

use crate::{
    BOUND, Test, until,
    worker::now,
    world::{read, read_cache, read_entry, read_strictly, write},
};

#[tokio::test]
async fn what_one_process_stores_is_a_hit_in_the_other() {
    let test = Test::new().await;
    let mut worker = test.worker().await;
    test.world.commit("a", 1);
    test.world.commit("b", 2);
    assert_eq!(test.here(read(&test.world, "a")).await.unwrap().value, 1);
    assert_eq!(worker.tell("read a").await, "1");
    assert_eq!(test.world.notes("a"), [std::process::id()]);

    assert_eq!(worker.tell("read b").await, "2");
    assert_eq!(test.here(read_strictly(&test.world, "b")).await.unwrap().value, 2);
    assert_eq!(test.world.notes("b"), [worker.pid()]);
    assert_eq!((test.cache.stats().hits_shared, test.cache.stats().loads), (1, 1));
}

/// Invalidates a row in one of the ways there are.
async fn invalidate(way: &str, key: &str) -> Result<()> {
    match way {
        "key" => read_entry(key).invalidate().await,
        "function" => read_cache().clear().await,
        "pattern" => larder::invalidate_pattern("r?w:*").await,
        "tag" => larder::invalidate_tags(["rows"]).await,
        "learned tag" => larder::invalidate_tags(["kind:plain"]).await,
        "both tags" => larder::invalidate_all_of(["rows", "kind:plain"]).await,
        _ => larder::clear().await,
    }
}

const WAYS: [&str; 7] =
    ["key", "function", "pattern", "tag", "learned tag", "both tags", "everything"];

#[tokio::test]
async fn an_invalidation_while_the_other_process_loads_is_not_undone() {
    let test = Test::new().await;
    let mut worker = test.worker().await;
    for (number, way) in WAYS.into_iter().enumerate() {
        let key = &format!("a{number}");
        test.world.commit(key, 1);
        test.world.hold(key);
        let loads = worker.order(&format!("read {key}")).await;
        until("the worker has found the old row", || !test.world.notes(key).is_empty()).await;

        test.world.commit(key, 2);
        test.here(invalidate(way, key)).await.unwrap();
        let invalidated = now();
        // What is stored that much later is not young that much longer.
        sleep(BOUND * 3 / 5).await;
        test.world.release(key);
        assert_eq!(loads.await.unwrap(), "1", "{way}: it began before");
        let strictly = worker.order(&format!("strictly {key}")).await;
        let here = test.here(read_strictly(&test.world, key)).await;
        assert_eq!(here.unwrap().value, 2, "{way}");
        let last_old = worker.tell(&format!("last-old {key} 2")).await.parse::<u128>().unwrap();
        assert_eq!(strictly.await.unwrap(), "2", "{way}");
        assert!(last_old <= invalidated + BOUND.as_nanos(), "{way}: {last_old} {invalidated}");
    }
}

#[tokio::test]
async fn an_invalidation_while_the_other_process_writes_is_not_undone() {
    let test = Test::new().await;
    let mut worker = test.worker().await;
    let rest = (BOUND * 3 / 5).as_micros();
    for (number, way) in WAYS.into_iter().enumerate() {
        let key = &format!("a{number}");
        let writes = worker.order(&format!("write {key} 1 0 {rest}")).await;
        until("the worker has written", || test.world.committed(key).is_some()).await;
        test.world.commit(key, 2);
        test.here(invalidate(way, key)).await.unwrap();
        let invalidated = now();
        assert_eq!(writes.await.unwrap(), "1", "{way}");
        let strictly = worker.order(&format!("strictly {key}")).await;
        let last_old = worker.tell(&format!("last-old {key} 2")).await.parse::<u128>().unwrap();
        assert_eq!(strictly.await.unwrap(), "2", "{way}");
        assert!(last_old <= invalidated + BOUND.as_nanos(), "{way}: {last_old} {invalidated}");
    }
}

#[tokio::test]
async fn after_an_invalidation_the_other_process_is_right_at_once_when_it_asks_and_soon_when_not() {
    let test = Test::new().await;
    let mut worker = test.worker().await;
    for (number, way) in WAYS.into_iter().enumerate() {
        let key = &format!("a{number}");
        test.world.commit(key, 1);
        // What the worker has in memory it has loaded itself, or got from Redis.
        if number % 2 == 1 {
            test.here(read(&test.world, key)).await.unwrap();
        }
        assert_eq!(worker.tell(&format!("warm {key}")).await, "1", "{way}");

        test.world.commit(key, 2);
        test.here(invalidate(way, key)).await.unwrap();
        let invalidated = now();
        let strictly = worker.order(&format!("strictly {key}")).await;
        let last_old = worker.tell(&format!("last-old {key} 2")).await;
        assert_eq!(strictly.await.unwrap(), "2", "{way}");
        let last_old: u128 = last_old.parse().unwrap();
        assert!(last_old <= invalidated + BOUND.as_nanos(), "{way}: {last_old} {invalidated}");
    }
}

#[tokio::test]
async fn everywhere_returns_when_no_process_can_answer_with_the_old_value() {
    let test = Test::new().await;
    let mut worker = test.worker().await;
    for round in 1..4 {
        test.world.commit("a", round);
        test.here(async { larder::clear().everywhere().await.unwrap() }).await;
        assert_eq!(worker.tell("warm a").await, round.to_string());
        test.world.commit("a", round + 100);
        test.here(async { read_entry("a").invalidate().everywhere().await.unwrap() }).await;
        assert_eq!(worker.tell("read a").await, (round + 100).to_string());
    }
}

#[tokio::test]
async fn what_one_process_writes_through_is_seen_by_the_other_without_a_load() {
    let test = Test::new().await;
    let mut worker = test.worker().await;
    test.world.commit("a", 1);
    assert_eq!(worker.tell("warm a").await, "1");
    let runs = test.world.notes("a").len();

    test.here(write(&test.world, "a", 2, [0, 0])).await.unwrap();
    let written = now();
    assert_eq!(worker.tell("strictly a").await, "2");
    let last_old: u128 = worker.tell("last-old a 2").await.parse().unwrap();
    assert!(last_old <= written + BOUND.as_nanos(), "{last_old} {written}");
    assert_eq!(test.here(read(&test.world, "a")).await.unwrap().value, 2);

    assert_eq!(worker.tell("write a 3 0 0").await, "3");
    assert_eq!(test.here(read_strictly(&test.world, "a")).await.unwrap().value, 3);
    assert_eq!(test.world.notes("a").len(), runs, "nobody had to load");
}
