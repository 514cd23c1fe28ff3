//! Statistics of the cache and of each function.

use std::time::Duration;

use larder::{Cache, cache_aside};

use crate::for_both_forms;

#[cache_aside(key = "stats:user:{id}", ttl = "5m", skip(cache), cache = cache)]
async fn user(cache: &Cache, id: u64) -> Result<String, String> {
    if id == 0 { Err("nobody".to_owned()) } else { Ok(format!("user {id}")) }
}

#[cache_aside(key = "stats:list:{page}", ttl = "5m", skip(cache), cache = cache)]
async fn list(cache: &Cache, page: u64) -> Vec<u64> {
    vec![page]
}

#[tokio::test]
async fn statistics_of_each_function_hits_misses_loads_errors_hit_rate() {
    for_both_forms(async |cache| {
        for _ in 0..3 {
            user(&cache, 7).await.unwrap();
        }
        user(&cache, 0).await.unwrap_err();
        list(&cache, 1).await;
        let of_user = user_cache(&cache).stats();
        assert!(of_user.name().ends_with("::stats::user"), "{}", of_user.name());
        assert_eq!(of_user.key(), "stats:user:{}");
        assert_eq!((of_user.hits(), of_user.misses, of_user.hit_rate()), (2, 2, 0.5));
        assert_eq!((of_user.loads, of_user.load_errors, of_user.fills), (2, 1, 1));
        assert!(
            of_user.load_time >= of_user.load_time_max && of_user.load_time_max > Duration::ZERO
        );
        assert!(of_user.mean_load_time() <= of_user.load_time_max);
        let of_list = list_cache(&cache).stats();
        assert_eq!((of_list.hits(), of_list.misses, of_list.loads), (0, 1, 1));
        // All of it is in the sum, with what belongs to no function.
        cache.get::<u8>("by hand").await.unwrap();
        let all = cache.stats();
        assert_eq!((all.hits(), all.misses, all.loads, all.load_errors), (2, 4, 3, 1));
        let names: Vec<String> =
            cache.function_stats().iter().map(|it| it.key().to_owned()).collect();
        assert_eq!(names, ["stats:list:{}", "stats:user:{}"]);
    })
    .await;
}

#[tokio::test]
async fn statistics_tell_the_tiers_apart() {
    for_both_forms(async |cache| {
        user(&cache, 8).await.unwrap();
        let has_shared_tier = cache.health().await.shared.is_some();
        user(&cache, 8).await.unwrap();
        let before = user_cache(&cache).stats();
        assert_eq!((before.hits_memory, before.hits_shared), (1, 0));
        if has_shared_tier {
            #[cache_aside(key = "stats:user:{id}", ttl = "5m", layer = "shared", skip(cache), cache = cache)]
            async fn asked(cache: &Cache, id: u64) -> Result<String, String> {
                Err(format!("no load of {id}"))
            }
            assert_eq!(asked(&cache, 8).await.unwrap(), "user 8");
            let stats = asked_cache(&cache).stats();
            assert_eq!((stats.hits_memory, stats.hits_shared, stats.loads), (0, 1, 0));
            // Another function's hit on the same key.
            assert_eq!(user_cache(&cache).stats(), before);
        }
    })
    .await;
}

#[tokio::test]
async fn statistics_of_many_who_ask_at_once() {
    for_both_forms(async |cache| {
        #[cache_aside(key = "stats:slow:{id}", skip(cache, gate), cache = cache)]
        async fn slow(cache: &Cache, gate: &tokio::sync::Notify, id: u64) -> u64 {
            gate.notified().await;
            id
        }
        let gate = tokio::sync::Notify::new();
        let open = async {
            while slow_cache(&cache).stats().coalesced < 4 {
                tokio::task::yield_now().await;
            }
            gate.notify_one();
        };
        let ask = || slow(&cache, &gate, 1);
        tokio::join!(ask(), ask(), ask(), ask(), ask(), open);
        let stats = slow_cache(&cache).stats();
        assert_eq!((stats.misses, stats.loads, stats.coalesced), (1, 1, 4));
    })
    .await;
}

#[tokio::test]
async fn statistics_of_a_generic_function_are_of_all_its_instances() {
    for_both_forms(async |cache| {
        #[cache_aside(key = "stats:{T}:{id}", skip(cache), cache = cache)]
        async fn made<
            T: From<u8>
                + Clone
                + Send
                + Sync
                + 'static
                + serde::Serialize
                + serde::de::DeserializeOwned,
        >(
            cache: &Cache,
            id: u64,
        ) -> T {
            T::from(id as u8)
        }
        made::<u32>(&cache, 1).await;
        made::<u64>(&cache, 1).await;
        made::<u64>(&cache, 1).await;
        let listed = cache.function_stats();
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!((listed[0].misses, listed[0].hits()), (2, 1));
    })
    .await;
}
