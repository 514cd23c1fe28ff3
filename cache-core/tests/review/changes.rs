//! Tags whose change somebody announced, and who died then.

use cache_store::{Nonce, Store};

use super::*;

/// Announces a change of the tag of the value 1.
async fn announce(store: &MemoryStore) {
    let token = Nonce::random().unwrap();
    store.begin_tags(&["v:1".to_owned()], token, Duration::from_secs(30)).await.unwrap();
}

#[tokio::test]
async fn a_value_whose_learned_tag_was_being_changed_at_its_claim_is_never_stored() {
    let store = MemoryStore::new();
    let cache = on(&store).await;
    announce(&store).await;
    let slow = Arc::new(Slow::default());
    let load = start(&LEARNING, &cache, &slow, 1);
    slow.began.notified().await;
    // Its end leaves no trace.
    store.evict_changes("v:1");
    slow.end.notify_one();
    assert_eq!(load.await.unwrap(), 1);
    assert_eq!((get(&cache).await, get(&on(&store).await).await), (None, None));
    // Another value's tag is none of it; and when all is over this one is stored again.
    announce(&store).await;
    assert_eq!(call(&LEARNING, cache.clone(), async { 2 }).await, 2);
    assert_eq!(get(&on(&store).await).await, Some(2));
    store.evict_changes("v:1");
    cache.invalidate("k:1").await.unwrap();
    assert_eq!(call(&LEARNING, cache.clone(), async { 1 }).await, 1);
    assert_eq!(get(&on(&store).await).await, Some(1));
}

#[tokio::test]
async fn a_written_value_whose_learned_tag_was_being_changed_when_it_began_is_not_stored() {
    let store = MemoryStore::new();
    let cache = on(&store).await;
    announce(&store).await;
    let slow = Arc::new(Slow::default());
    let write = write_through(entry(&LEARNING, given(&cache), &[&1u64]));
    let write = tokio::spawn(write.run::<PlainShape, _, _>(slow.clone().load(1)));
    slow.began.notified().await;
    store.evict_changes("v:1");
    slow.end.notify_one();
    assert_eq!(write.await.unwrap(), 1);
    assert_eq!((get(&cache).await, get(&on(&store).await).await), (None, None));
}
