//! Invalidation by hand: keys, patterns, tags, and everything.

use larder::{Cache, cache_aside};

use crate::for_both_forms;

#[cache_aside(key = "clear:user:{id}", ttl = "5m", tags = ["clear:users"])]
async fn user(id: u64) -> u64 {
    id
}

#[cache_aside(key = "clear:item:{id}", ttl = "5m")]
async fn item(id: u64) -> u64 {
    id
}

/// Users 1 to 3 and item 1, cached.
async fn fill() {
    for id in 1..=3 {
        user(id).await;
    }
    item(1).await;
}

async fn cached() -> [bool; 4] {
    let of_user = async |id| user_entry(id).exists().await.unwrap();
    [of_user(1).await, of_user(2).await, of_user(3).await, item_entry(1).exists().await.unwrap()]
}

async fn leaves(expected: [bool; 4], invalidate: impl AsyncFn(&Cache) -> larder::Result<()>) {
    for_both_forms(async |cache| {
        larder::scoped(cache.clone(), async {
            fill().await;
            assert_eq!(cached().await, [true; 4]);
            invalidate(&cache).await.unwrap();
            assert_eq!(cached().await, expected);
            // It can be cached again.
            fill().await;
            assert_eq!(cached().await, [true; 4]);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn invalidate_keys() {
    let expected = [false, true, false, true];
    let keys = ["clear:user:1", "clear:user:3", "clear:user:none"];
    leaves(expected, async |cache| cache.invalidate_keys(keys).await).await;
    leaves(expected, async |_| larder::invalidate_keys(keys).await).await;
}

#[tokio::test]
async fn invalidate_keys_one() {
    let expected = [true, false, true, true];
    leaves(expected, async |cache| cache.invalidate("clear:user:2").await).await;
    leaves(expected, async |_| user_entry(2).invalidate().await).await;
}

#[tokio::test]
async fn invalidate_keys_by_pattern_and_by_tag() {
    let expected = [false, false, false, true];
    leaves(expected, async |cache| cache.invalidate_pattern("clear:user:*").await).await;
    leaves(expected, async |cache| cache.invalidate_tags(["clear:users"]).await).await;
}

#[tokio::test]
async fn clear() {
    leaves([false; 4], async |cache| cache.clear().await).await;
    leaves([false; 4], async |_| larder::clear().await).await;
}

#[tokio::test]
async fn clear_of_a_function() {
    leaves([false, false, false, true], async |_| user_cache().clear().await).await;
}
