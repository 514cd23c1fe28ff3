//! The cache without attributes.

use std::sync::atomic::AtomicUsize;

use larder::ErrorKind;

use crate::{Db, DbError, SeqCst, User, in_both};

in_both! {
    async fn a_value_is_loaded_once_for_all_who_ask_by_hand(tiers: &Tiers) {
        let db = Db::with(&[(42, "Ada")]);
        let load = || async { tokio::task::yield_now().await; db.user(42).await };
        let ask = || async {
            tiers.cache.get_or_set("user:42", load).ttl("2h").tags(["user"]).await
        };
        let (a, b, c) = tokio::join!(ask(), ask(), ask());
        assert_eq!([a.unwrap().name, b.unwrap().name, c.unwrap().name], ["Ada"; 3]);
        assert_eq!(tiers.other.get::<User>("user:42").await.unwrap().unwrap().name, "Ada");
        assert_eq!(db.asked(), 1);

        larder::invalidate_tags(["user"]).await.unwrap();
        ask().await.unwrap();
        assert_eq!(db.asked(), 2);
    }

    async fn a_load_by_hand_that_fails_stores_nothing_and_keeps_its_error(tiers: &Tiers) {
        let db = Db::with(&[]);
        let loaded = tiers.cache.get_or_set("user:1", || db.user(1)).await;
        assert_eq!(loaded, Err(DbError::Gone));
        assert_eq!(tiers.cache.get::<User>("user:1").await.unwrap(), None);
        assert_ne!(tiers.stored("user:1"), Some(true));
    }

    async fn a_load_by_hand_that_an_invalidation_overtakes_stores_nothing(tiers: &Tiers) {
        let runs = AtomicUsize::new(0);
        let load = || async {
            tiers.cache.invalidate("n").await.unwrap();
            Ok::<_, DbError>(runs.fetch_add(1, SeqCst))
        };
        assert_eq!(tiers.cache.get_or_set("n", load).await, Ok(0));
        assert_eq!(tiers.cache.get::<usize>("n").await.unwrap(), None);
        assert_eq!(tiers.other.get::<usize>("n").await.unwrap(), None);
    }

    async fn what_is_set_by_hand_is_found_until_a_key_a_pattern_or_a_tag_ends_it(tiers: &Tiers) {
        let cache = &tiers.cache;
        for end in 0..4 {
            cache.set("list:1", &vec![1u32, 2]).ttl("5m").tags(["numbers"]).await.unwrap();
            assert_eq!(cache.get("list:1").await.unwrap(), Some(vec![1u32, 2]));
            let ended = match end {
                0 => cache.invalidate("list:1").await,
                1 => cache.invalidate_pattern("l?st:*").await,
                2 => cache.invalidate_tags(["numbers"]).await,
                _ => cache.clear().await,
            };
            ended.unwrap();
            assert_eq!(cache.get::<Vec<u32>>("list:1").await.unwrap(), None, "{end}");
            let fresh = larder::Cache::clone(&tiers.other);
            assert_eq!(fresh.get::<Vec<u32>>("list:1").await.unwrap(), None, "{end}");
        }
    }

    async fn a_value_of_another_type_is_a_miss(tiers: &Tiers) {
        tiers.cache.set("n", &5u32).await.unwrap();
        assert_eq!(tiers.cache.get::<String>("n").await.unwrap(), None);
        assert_eq!(tiers.other.get::<String>("n").await.unwrap(), None);
        assert_eq!(tiers.other.get::<u32>("n").await.unwrap(), Some(5));
    }

    async fn the_empty_key_and_a_malformed_time_are_errors_of_the_operation(tiers: &Tiers) {
        let error = tiers.cache.set("", &1u8).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Template, "{error}");
        let error = tiers.cache.set("n", &1u8).ttl("5 parsecs").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Template, "{error}");
        assert!(error.to_string().contains("5 parsecs"), "{error}");
        assert_eq!(tiers.other.get::<u8>("n").await.unwrap(), None);
    }
}
