//! The options that decide what is stored, where, and for how long.

use std::time::Duration;

use larder::{Cache, Clock, cache_aside};

use crate::{Db, SeqCst, User, in_both};

#[cache_aside(key = "maybe:{id}", ttl = "5m", negative_ttl = "10s", skip(db))]
async fn maybe(db: &Db, id: u64) -> Option<User> {
    db.find(id)
}

#[cache_aside(key = "positive:{id}", ttl = "5m", skip(db))]
async fn only_some(db: &Db, id: u64) -> Option<User> {
    db.find(id)
}

in_both! {
    async fn none_is_stored_only_with_a_negative_ttl_and_for_that_long(tiers: &Tiers) {
        let db = Db::with(&[]);
        assert_eq!((maybe(&db, 1).await, maybe(&db, 1).await), (None, None));
        assert_eq!(tiers.elsewhere(maybe(&db, 1)).await, None);
        assert_eq!(db.asked(), 1);
        let left = maybe_entry(1).ttl().await.unwrap().unwrap();
        assert!(left <= Duration::from_secs(10), "{left:?}");
        assert_eq!(tiers.cache.stats().negative_hits, if tiers.shared { 1 } else { 2 });
        assert_eq!(tiers.other.stats().negative_hits, if tiers.shared { 1 } else { 2 });

        assert_eq!((only_some(&db, 1).await, only_some(&db, 1).await), (None, None));
        assert_eq!(db.asked(), 3);
    }

    async fn a_stored_none_is_invalidated_like_any_value(tiers: &Tiers) {
        let db = Db::with(&[]);
        assert_eq!(maybe(&db, 1).await, None);
        db.users.lock().unwrap().insert(1, User { id: 1, tenant_id: 7, name: "Ada".into() });
        assert_eq!(maybe(&db, 1).await, None);
        maybe_entry(1).invalidate().await.unwrap();
        assert_eq!(maybe(&db, 1).await.unwrap().name, "Ada");
        assert_eq!(tiers.elsewhere(maybe(&db, 1)).await.unwrap().name, "Ada");
        assert_eq!(db.asked(), 2);
    }
}

#[tokio::test]
async fn an_entry_in_memory_ends_with_its_time_to_live_and_a_none_with_its_own() {
    let (clock, hand) = Clock::manual();
    let cache = Cache::builder().clock(clock).build().await.unwrap();
    larder::scoped(cache, async {
        let db = Db::with(&[(2, "Ada")]);
        maybe(&db, 1).await;
        maybe(&db, 2).await;
        for (passed, asked) in [(9, 2), (1, 3), (289, 4), (1, 5), (9, 6)] {
            hand.advance(Duration::from_secs(passed));
            maybe(&db, 1).await;
            maybe(&db, 2).await;
            assert_eq!(db.asked(), asked, "{:?}", hand.elapsed());
        }
    })
    .await;
}

#[cache_aside(key = "even:{n}", cache_if = |n: &u64| n.is_multiple_of(2), skip(db))]
async fn even(db: &Db, n: u64) -> u64 {
    db.asked.fetch_add(1, SeqCst);
    n
}

#[cache_aside(key = "life:{seconds}", ttl = "5m", ttl_fn = |seconds: &u64| Duration::from_secs(*seconds))]
async fn lives(seconds: u64) -> u64 {
    seconds
}

#[cache_aside(key = "jitter:{n}", ttl = 1000, jitter = 0.5)]
async fn jittered(n: u64) -> u64 {
    n
}

in_both! {
    async fn only_what_cache_if_accepts_is_stored(tiers: &Tiers) {
        let db = Db::with(&[]);
        for n in [3, 3, 4, 4] {
            assert_eq!(even(&db, n).await, n);
            assert_eq!(tiers.elsewhere(even(&db, n)).await, n);
        }
        assert_eq!(db.asked(), 4 + 1);
        assert_ne!(tiers.stored("even:3"), Some(true));
    }

    async fn ttl_fn_says_how_long_this_value_lives(tiers: &Tiers) {
        for seconds in [70, 7000] {
            lives(seconds).await;
            let left = tiers.elsewhere(async { lives_entry(seconds).ttl().await.unwrap() }).await;
            let left = left.unwrap().as_secs_f64();
            assert!(left > seconds as f64 - 30.0 && left <= seconds as f64, "{left} of {seconds}");
        }
    }

    async fn jitter_shortens_each_life_by_up_to_its_share(tiers: &Tiers) {
        let mut lives = Vec::new();
        for n in 0..30 {
            jittered(n).await;
            let left = tiers.elsewhere(async { jittered_entry(n).ttl().await.unwrap() }).await;
            lives.push(left.unwrap().as_secs());
        }
        let (least, most) = (lives.iter().min().unwrap(), lives.iter().max().unwrap());
        assert!(*least >= 470 && *most <= 1000, "{lives:?}");
        // Thirty draws from 500 within 60 of each other: less often than once in 10^25.
        assert!(most - least > 60, "{lives:?}");
    }
}

#[cache_aside(key = "strict:{id}", layer = "shared", skip(db))]
async fn strict(db: &Db, id: u64) -> Option<User> {
    db.find(id)
}

/// The same entries, in memory too.
#[cache_aside(key = "strict:{id}", skip(db))]
async fn relaxed(db: &Db, id: u64) -> Option<User> {
    db.find(id)
}

in_both! {
    async fn with_layer_shared_nothing_is_answered_from_memory(tiers: &Tiers) {
        let db = Db::with(&[(1, "Ada")]);
        for _ in 0..3 {
            strict(&db, 1).await.unwrap();
        }
        assert_eq!(db.asked(), if tiers.shared { 1 } else { 3 });
        assert_eq!(tiers.cache.stats().hits_memory, 0);

        db.rename(1, "Grace").unwrap();
        tiers.elsewhere(async { strict_entry(1).invalidate().await.unwrap() }).await;
        assert_eq!(strict(&db, 1).await.unwrap().name, "Grace");
        assert_eq!(tiers.cache.stats().entries, 0);

        assert_eq!(relaxed(&db, 1).await.unwrap().name, "Grace");
        db.rename(1, "Kim").unwrap();
        tiers.elsewhere(async { strict_entry(1).invalidate().await.unwrap() }).await;
        assert_eq!(strict(&db, 1).await.unwrap().name, "Kim", "whatever memory holds");
    }
}

#[cache_aside(key = "price:{item}", skip(db))]
async fn price_in_cents(db: &Db, item: u64) -> u64 {
    db.asked.fetch_add(1, SeqCst);
    item * 100
}

#[cache_aside(key = "price:{item}", version = 2, skip(db))]
async fn price_in_euros(db: &Db, item: u64) -> u64 {
    db.asked.fetch_add(1, SeqCst);
    item
}

in_both! {
    async fn entries_of_another_version_read_as_misses(tiers: &Tiers) {
        let db = Db::with(&[]);
        assert_eq!(price_in_cents_entry(5).key(), price_in_euros_entry(5).key());
        assert_eq!((price_in_cents(&db, 5).await, price_in_euros(&db, 5).await), (500, 5));
        assert_eq!(tiers.elsewhere(price_in_euros(&db, 5)).await, 5);
        assert_eq!(db.asked(), 2);
        assert_eq!(price_in_cents(&db, 5).await, 500);
        assert_eq!(tiers.elsewhere(price_in_cents(&db, 5)).await, 500);
        assert_eq!(db.asked(), 3);
    }
}
