//! Which keys bear a tag.

use std::{sync::Arc, time::Duration};

use cache_redis::{RedisConfig, RedisStore};
use cache_store::{
    Store,
    testing::{ChaosStore, Fault, MemoryStore, Operation},
};
use larder::{Cache, Clock, ErrorKind, cache_aside, memoize};

use super::loads::{caches, on};

async fn set(cache: &Cache, key: &str, tags: &[&str]) {
    cache.set(key, &1u64).tags(tags.iter().copied()).await.unwrap();
}

#[tokio::test]
async fn a_tag_tells_the_keys_that_bear_it() {
    for cache in caches().await {
        set(&cache, "user:1", &["user", "tenant:7"]).await;
        set(&cache, "user:2", &["user"]).await;
        set(&cache, "order:1", &[]).await;
        assert!(cache.tag("order:1", ["user"]).await.unwrap());
        assert_eq!(cache.tagged("user").await.unwrap(), ["order:1", "user:1", "user:2"]);
        assert_eq!(cache.tagged("tenant:7").await.unwrap(), ["user:1"]);
        assert_eq!(cache.tagged("nobody").await.unwrap(), [""; 0]);

        cache.invalidate_tags(["user"]).await.unwrap();
        assert_eq!(cache.tagged("user").await.unwrap(), [""; 0]);
        set(&cache, "user:3", &["user"]).await;
        assert_eq!(cache.tagged("user").await.unwrap(), ["user:3"]);
    }
}

#[tokio::test]
async fn what_functions_store_is_found_by_known_and_by_learned_tags() {
    #[cache_aside(key = "row:{id}", tags = ["rows", "is:{value}"])]
    async fn row(id: u64) -> u64 {
        id % 2
    }
    for cache in caches().await {
        larder::scoped(cache.clone(), async {
            for id in 0..4 {
                row(id).await;
            }
            row_entry(4).set(1).await.unwrap();
        })
        .await;
        assert_eq!(cache.tagged("rows").await.unwrap().len(), 5);
        assert_eq!(cache.tagged("is:1").await.unwrap(), ["row:1", "row:3", "row:4"]);
    }
}

#[tokio::test]
async fn a_memory_tier_alone_lists_what_would_be_a_hit() {
    let (clock, time) = Clock::manual();
    let cache = Cache::builder().clock(clock).build().await.unwrap();
    for (key, ttl) in [("short", 1), ("key", 9), ("pattern", 9), ("both", 9), ("stays", 9)] {
        let tags = ["t", if key == "both" { "u" } else { "v" }];
        cache.set(key, &1u64).ttl(ttl).tags(tags).await.unwrap();
    }
    time.advance(Duration::from_secs(1));
    cache.invalidate("key").await.unwrap();
    cache.invalidate_pattern("patt*").await.unwrap();
    cache.invalidate_all_of(["t", "u"]).await.unwrap();
    assert_eq!(cache.tagged("t").await.unwrap(), ["stays"]);
    cache.clear().await.unwrap();
    assert_eq!(cache.tagged("t").wait().unwrap(), [""; 0]);
}

#[tokio::test]
async fn another_process_finds_what_this_one_stored_and_both_what_only_they_have() {
    #[memoize(key = "mine:{id}", tags = ["t"])]
    fn mine(id: u64) -> u64 {
        id
    }
    let store = MemoryStore::new();
    let (here, there) = (on(&store).await, on(&store).await);
    set(&here, "shared:1", &["t"]).await;
    larder::scoped_sync(here.clone(), || mine(1));
    assert_eq!(here.tagged("t").await.unwrap(), ["mine:1", "shared:1"]);
    assert_eq!(there.tagged("t").await.unwrap(), ["shared:1"]);
    let (here, there) = tokio::task::spawn_blocking(move || {
        (here.tagged("t").wait().unwrap(), there.tagged("t").wait().unwrap())
    })
    .await
    .unwrap();
    assert_eq!((here.len(), there.len()), (2, 1));
}

#[tokio::test]
async fn a_large_tag_is_read_in_pages_and_a_limit_ends_the_reading() {
    let store = MemoryStore::new();
    let writer = on(&store).await;
    for id in 0..250 {
        set(&writer, &format!("user:{id:03}"), &["user"]).await;
    }
    let store = Arc::new(store.connect());
    let cache = Cache::builder().shared(store.clone()).build().await.unwrap();
    let all = cache.tagged("user").await.unwrap();
    assert_eq!((all.len(), all.first().unwrap().as_str()), (250, "user:000"));
    assert_eq!(store.calls().of(Operation::Tagged), 3);
    assert_eq!(cache.tagged("user").limit(60).await.unwrap().len(), 60);
    assert_eq!(store.calls().of(Operation::Tagged), 4);
    assert_eq!(cache.tagged("user").limit(0).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn what_the_shared_tier_has_still_to_be_told_is_not_listed() {
    let store = MemoryStore::new();
    let chaos = Arc::new(ChaosStore::new(store.connect()));
    let shared: Arc<dyn Store> = chaos.clone();
    let cache = Cache::builder().shared(shared).build().await.unwrap();
    let there = on(&store).await;
    for (key, tag) in [("a", "t"), ("b", "t"), ("c", "u")] {
        set(&there, key, &[tag]).await;
    }
    chaos.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Invalidate));
    cache.invalidate("a").await.unwrap_err();
    assert_eq!(cache.tagged("t").await.unwrap(), ["b"]);
    cache.invalidate_tags(["u"]).await.unwrap_err();
    assert_eq!(cache.tagged("u").await.unwrap(), [""; 0]);

    chaos.inject(Fault::fail(ErrorKind::Unavailable).on(Operation::Tagged));
    assert_eq!(cache.tagged("t").await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_shared_tier_without_an_index_says_so() {
    // It is not even asked.
    let config = RedisConfig::new("redis://127.0.0.1:1").tag_index(0);
    let store = RedisStore::lazy(config).unwrap();
    let cache = Cache::builder().shared(store).build().await.unwrap();
    let error = cache.tagged("t").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("RedisConfig::tag_index"), "{error}");
}
