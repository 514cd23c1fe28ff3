//! Statistics of the cache and of each function.

use std::time::Duration;

use larder::{Cache, Clock, cache_aside};

use crate::{for_both_forms, for_both_forms_of, settled, until};

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
        settled(&cache).await;
        let has_shared_tier = cache.health().await.shared.is_some();
        until("memory keeps it", async || {
            user(&cache, 8).await.unwrap();
            user_cache(&cache).memory_usage().entries == 1
        })
        .await;
        let first = user_cache(&cache).stats();
        user(&cache, 8).await.unwrap();
        let before = user_cache(&cache).stats();
        assert_eq!(before.hits_memory, first.hits_memory + 1);
        assert_eq!((before.hits_shared, before.loads), (first.hits_shared, 1));
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

#[tokio::test]
async fn statistics_entries_and_bytes() {
    for_both_forms(async |cache| {
        settled(&cache).await;
        let usage = || user_cache(&cache).memory_usage();
        assert_eq!((usage().entries, usage().bytes), (0, 0));
        cache.set("stats:by hand", &1_u8).await.unwrap();
        // News of its own making may put an entry out of memory once.
        until("memory keeps all of them", async || {
            for id in 1..=3 {
                user(&cache, id).await.unwrap();
            }
            list(&cache, 1).await;
            cache.get::<u8>("stats:by hand").await.unwrap();
            cache.memory_usage().entries == 5
        })
        .await;
        let of_user = usage();
        assert_eq!(of_user.entries, 3);
        assert!(of_user.bytes > 3 * "stats:user:1".len() as u64, "{of_user}");
        let (of_list, all) = (list_cache(&cache).memory_usage(), cache.memory_usage());
        assert_eq!((of_list.entries, all.entries, cache.stats().entries), (1, 5, 5));
        assert!(all.bytes > of_user.bytes + of_list.bytes, "{all}");
        // A key that was loaded once more, or is there in two tiers, is one entry.
        user(&cache, 3).await.unwrap();
        assert_eq!(usage(), of_user);
        user_entry(&cache, 1).invalidate().await.unwrap();
        assert_eq!((usage().entries, usage().bytes), (2, of_user.bytes / 3 * 2));
        cache.invalidate_pattern("stats:user:2").await.unwrap();
        assert_eq!(usage().entries, 1, "though it still takes memory");
        user_cache(&cache).clear().await.unwrap();
        assert_eq!((usage().entries, list_cache(&cache).memory_usage()), (0, of_list));
        cache.clear().await.unwrap();
        assert_eq!(cache.memory_usage().entries, 0);
    })
    .await;
}

#[tokio::test]
async fn statistics_bytes_are_what_counts_for_the_bound() {
    let builder = || Cache::builder().max_bytes(1 << 20);
    for_both_forms_of(builder, async |cache| {
        settled(&cache).await;
        let usage = || user_cache(&cache).memory_usage();
        until("memory keeps all of them", async || {
            for id in 1..=30 {
                user(&cache, id).await.unwrap();
            }
            usage().entries == 30
        })
        .await;
        assert_eq!(usage().bytes, cache.stats().weighted_size);
    })
    .await;
}

#[tokio::test]
async fn statistics_evictions() {
    for_both_forms_of(
        || Cache::builder().max_entries(10),
        async |cache| {
            settled(&cache).await;
            for page in 0..100 {
                list(&cache, page).await;
            }
            let evicted = async || cache.stats().evictions > 0;
            until("memory is given back", evicted).await;
            assert!(cache.stats().entries <= 10 && cache.memory_usage().entries <= 10);
        },
    )
    .await;
}

#[tokio::test]
async fn statistics_stale_served() {
    #[cache_aside(
        key = "stats:stale", ttl = "1m", stale(on_error = "1h"), skip(cache, fails), cache = cache
    )]
    async fn shaky(cache: &Cache, fails: bool) -> Result<u8, String> {
        if fails { Err("no".to_owned()) } else { Ok(7) }
    }
    let (clock, hand) = Clock::manual();
    let cache = Cache::builder().clock(clock).build().await.unwrap();
    shaky(&cache, false).await.unwrap();
    hand.advance(Duration::from_secs(120));
    assert_eq!(shaky(&cache, true).await.unwrap(), 7);
    let stats = shaky_cache(&cache).stats();
    assert_eq!((stats.stale_served, stats.load_errors, cache.stats().stale_served), (1, 1, 1));
    assert_eq!(shaky_cache(&cache).memory_usage().entries, 0, "it is not fresh");
}

#[tokio::test]
async fn statistics_lag() {
    for_both_forms(async |cache| {
        user(&cache, 9).await.unwrap();
        if cache.health().await.shared.is_some() {
            until("a heartbeat is answered", async || cache.stats().lag_max > Duration::ZERO).await;
            assert!(cache.stats().lag <= cache.stats().lag_max);
        }
    })
    .await;
}
