//! The three limiter strategies.

use std::time::Duration;

use larder::{Cache, Check, WhenAway};

use crate::for_both_forms;

/// A caller who tries to log in until it is not allowed any more.
async fn tries(cache: &Cache, strategy: impl Fn(Check) -> Check) -> (usize, Duration) {
    for tries in 0..100 {
        let verdict = strategy(cache.check("login:1.2.3.4").limit(5).per("5m")).await.unwrap();
        assert!(verdict.asked);
        assert_eq!(verdict.limit, 5);
        if !verdict.allowed {
            assert_eq!(verdict.remaining, 0);
            return (tries, verdict.retry_after.unwrap());
        }
    }
    panic!("it is always allowed");
}

#[tokio::test]
async fn the_three_limiter_strategies_fixed_window() {
    for_both_forms(async |cache| {
        let (tries, wait) = tries(&cache, Check::fixed_window).await;
        assert_eq!(tries, 5);
        assert!(wait <= Duration::from_secs(300) && wait > Duration::from_secs(200), "{wait:?}");
    })
    .await;
}

#[tokio::test]
async fn the_three_limiter_strategies_sliding_window() {
    for_both_forms(async |cache| {
        let (tries, wait) = tries(&cache, Check::sliding_window).await;
        assert_eq!(tries, 5);
        assert!(wait <= Duration::from_secs(300) && wait > Duration::from_secs(200), "{wait:?}");
        // It is what is used where nothing is said.
        let unsaid = cache.check("login:1.2.3.4").limit(5).per("5m").await.unwrap();
        assert!(!unsaid.allowed);
    })
    .await;
}

#[tokio::test]
async fn the_three_limiter_strategies_token_bucket() {
    for_both_forms(async |cache| {
        let (tries, wait) = tries(&cache, |check| check.token_bucket(3)).await;
        assert_eq!(tries, 3);
        // One a minute flows out.
        assert!(wait <= Duration::from_secs(60), "{wait:?}");
    })
    .await;
}

#[tokio::test]
async fn limits_by_address_by_user_and_by_plan() {
    for_both_forms(async |cache| {
        for (name, limit) in [("ip:::1", 2), ("user:42", 3), ("plan:free:42", 1)] {
            for left in (0..limit).rev() {
                let verdict = cache.check(name).limit(limit).per(60).await.unwrap();
                assert_eq!((verdict.allowed, verdict.remaining), (true, left), "{name}");
            }
            assert!(!cache.check(name).limit(limit).per(60).await.unwrap().allowed, "{name}");
        }
        // After an upgrade.
        assert!(cache.check("plan:free:42").limit(100).per(60).await.unwrap().allowed);
    })
    .await;
}

#[tokio::test]
async fn limits_with_a_cost() {
    for_both_forms(async |cache| {
        let export = |rows| cache.check("export:42").limit(1000).per("1h").cost(rows);
        assert_eq!(export(900).await.unwrap().remaining, 100);
        assert!(!export(101).await.unwrap().allowed);
        assert!(export(100).await.unwrap().allowed);
        assert!(export(1001).await.unwrap_err().to_string().contains("a cost of 1001"));
    })
    .await;
}

#[tokio::test]
async fn limits_that_fail_open_or_closed() {
    // Nobody listens there.
    let port = crate::server::free_port();
    let builder = Cache::builder().redis(format!("redis://127.0.0.1:{port}"));
    let cache = builder.build().await.unwrap();
    let check = || cache.check("login:1.2.3.4").limit(5).per("5m");
    let open = check().await.unwrap();
    assert!(open.allowed && !open.asked);
    let closed = check().when_away(WhenAway::Closed).await.unwrap();
    assert!(!closed.allowed && !closed.asked);
}

#[test]
fn limits_in_sync_code() {
    let cache = Cache::memory();
    let check = || cache.check("login:1.2.3.4").limit(1).per("5m");
    assert!(check().blocking().unwrap().allowed);
    assert!(!check().blocking().unwrap().allowed);
}
