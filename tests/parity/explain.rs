//! Why a call hits or misses.

use larder::{Bypass, Cache, InMemory, InShared, Next, cache_aside};

use crate::{for_both_forms, until};

#[cache_aside(
    key = "explain:{id}", ttl = "5m", tags = ["explained"], skip(cache), cache = cache
)]
async fn user(cache: &Cache, id: u64) -> String {
    format!("user {id}")
}

#[tokio::test]
async fn explain_why_a_call_hits_or_misses() {
    for_both_forms(async |cache| {
        let has_shared_tier = cache.health().await.shared.is_some();
        let why = larder::explain(user_entry(&cache, 7)).await.unwrap();
        assert_eq!((&why.memory, why.next), (&InMemory::Absent, Next::Loads));
        assert_eq!(matches!(why.shared, InShared::Absent), has_shared_tier, "{why}");
        // The beginning of the session, and news of the making of its tag, may each put it out of memory once.
        until("memory keeps it", async || {
            user(&cache, 7).await;
            let found = user_entry(&cache, 7).explain().await.unwrap().memory;
            matches!(found, InMemory::Fresh(Some(_)))
        })
        .await;
        let before = cache.stats();
        let why = larder::explain(user_entry(&cache, 7)).await.unwrap();
        assert!(why.is_hit() && matches!(why.memory, InMemory::Fresh(Some(_))), "{why}");
        assert_eq!(matches!(why.shared, InShared::Valid(Some(_))), has_shared_tier, "{why}");
        assert!(why.function.as_deref().unwrap().ends_with("::explain::user"), "{why}");
        assert!(cache.explain("explain:7").await.unwrap().is_hit());
        assert_eq!((cache.stats().hits(), cache.stats().misses), (before.hits(), before.misses));
        cache.invalidate_tags(["explained"]).await.unwrap();
        let why = user_entry(&cache, 7).explain().await.unwrap();
        assert_eq!(why.next, Next::Loads);
        let by = matches!(&why.shared, InShared::TagInvalidated(tag) if tag == "explained");
        assert_eq!(by, has_shared_tier, "{why}");
    })
    .await;
}

#[tokio::test]
async fn explain_that_the_cache_is_not_asked() {
    for_both_forms(async |cache| {
        user(&cache, 8).await;
        let look = async || user_entry(&cache, 8).explain().await.unwrap();
        let why = larder::bypass(look()).await;
        assert_eq!((why.bypassed, why.next), (Some(Bypass::Scope), Next::Bypasses));
        let inside = cache.in_transaction(async |_| Ok::<_, String>(look().await)).await.unwrap();
        assert_eq!(inside.bypassed, Some(Bypass::Transaction));
        cache.set_enabled(false);
        let why = look().await;
        assert_eq!((why.bypassed, why.next), (Some(Bypass::Off), Next::Bypasses));
        assert!(why.to_string().contains("switched off"), "{why}");
        cache.set_enabled(true);
        assert!(look().await.is_hit());
    })
    .await;
}
