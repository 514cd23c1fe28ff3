//! Numbers at their limits.

use super::*;

#[tokio::test]
async fn a_life_that_is_nearly_endless_is_no_panic_with_jitter() {
    static JITTERED: Spec<u64> = function().jitter(f32::MIN_POSITIVE);
    let cache = on(&MemoryStore::new()).await;
    let miss = lookup::<PlainShape, u64>(&JITTERED, given(&cache), &[&1u64]).unwrap_err();
    let miss = miss.ttl(Duration::from_secs(u64::MAX));
    assert_eq!(miss.load::<PlainShape, _, _>(Probe::none(), async { 1 }).await, 1);
    assert_eq!(get(&cache).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn an_entry_with_tags_lives_as_long_as_the_call_says() {
    let store = MemoryStore::new();
    let cache = on(&store).await;
    let load = || async { Ok::<_, Infallible>(1u64) };
    cache.get_or_set("loaded", load).tags(["a"]).ttl("30d").await.unwrap();
    cache.set("set", &1u64).tags(["b"]).ttl("30d").await.unwrap();
    tokio::time::advance(Duration::from_secs(29 * 24 * 3600)).await;
    let other = on(&store).await;
    assert_eq!(other.get::<u64>("loaded").await.unwrap(), Some(1));
    assert_eq!(other.get::<u64>("set").await.unwrap(), Some(1));
}
