//! Rate limits on real servers: what stays in them, how long, and what a clock that is set back does.

#![allow(clippy::unwrap_used, reason = "helpers beside the tests unwrap as the tests do")]

mod common;

use std::time::Duration;

use cache_redis::RedisStore;
use cache_store::{LimitAnswer, LimitCheck, LimitStrategy, Store};
use common::*;
use tokio::task::JoinSet;

const PER: Duration = Duration::from_secs(60);
const STRATEGIES: [(LimitStrategy, &str); 3] = [
    (LimitStrategy::FixedWindow, "r:{cache:k:login}f60000000"),
    (LimitStrategy::SlidingWindow, "r:{cache:k:login}s60000000"),
    (LimitStrategy::TokenBucket { burst: 5 }, "r:{cache:k:login}b60000000"),
];

fn five(strategy: LimitStrategy) -> LimitCheck<'static> {
    LimitCheck { name: "login", limit: 5, per: PER, cost: 1, strategy }
}

async fn ask(store: &RedisStore, check: LimitCheck<'_>) -> LimitAnswer {
    store.check_limit(check).await.unwrap()
}

/// The server's clock in microseconds.
fn time(server: &Server) -> u64 {
    let time = server.ask(&["TIME"]);
    let mut parts = time.split_whitespace().map(|part| part.parse::<u64>().unwrap());
    parts.next().unwrap() * 1_000_000 + parts.next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_is_one_request_and_what_it_leaves_ends_by_itself() {
    let (server, store) = start().await;
    let whole = server.calls("eval");
    for (strategy, key) in STRATEGIES {
        ask(&store, five(strategy)).await; // so that the server knows the script
        let before = server.calls("evalsha");
        for _ in 0..10 {
            ask(&store, five(strategy)).await;
        }
        assert_eq!(server.calls("evalsha") - before, 10);
        let left: i64 = server.ask(&["PTTL", key]).parse().unwrap();
        assert!((30_000..=60_100).contains(&left), "{strategy:?} {left}");
    }
    assert_eq!(server.calls("eval") - whole, 3, "each script was sent whole once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgot_its_scripts_counts_a_call_once() {
    let (server, store) = start().await;
    for (strategy, _) in STRATEGIES {
        assert_eq!(ask(&store, five(strategy)).await.remaining, 4);
        server.ask(&["SCRIPT", "FLUSH"]);
        assert_eq!(ask(&store, five(strategy)).await.remaining, 3, "{strategy:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_bounded_whatever_the_limit() {
    let (server, store) = start().await;
    let second = Duration::from_secs(1);
    let many = LimitCheck { limit: 1_000_000, per: second, ..five(LimitStrategy::SlidingWindow) };
    for _ in 0..20 {
        let mut checks = JoinSet::new();
        for _ in 0..200 {
            let store = store.clone();
            checks.spawn(async move { ask(&store, many).await.allowed });
        }
        assert!(checks.join_all().await.into_iter().all(|allowed| allowed));
    }
    let entries: u64 = server.ask(&["ZCARD", "r:{cache:k:login}s1000000"]).parse().unwrap();
    assert!((1..=1_001).contains(&entries), "{entries}");
    let used: u64 = many.limit - ask(&store, LimitCheck { cost: 1, ..many }).await.remaining;
    assert!(used <= 4_001, "{used}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wait_is_until_enough_of_a_long_log_is_forgotten() {
    let (server, store) = start().await;
    let now = time(&server);
    // A call each second of the last fifty, of costs 1 to 50 (that of 50 newest).
    let mut total = 0;
    for cost in 1..=50_u64 {
        total += cost;
        let at = (now - (50 - cost) * 1_000_000).to_string();
        server.ask(&["ZADD", "r:{cache:k:login}s60000000", &at, &format!("{total}:{cost}")]);
    }
    for (limit, cost) in [(total, 1), (total, 20), (total, 1_000), (100, 1), (100, 100), (60, 10)] {
        let check = LimitCheck { limit, cost, ..five(LimitStrategy::SlidingWindow) };
        let answer = ask(&store, check).await;
        assert!(!answer.allowed);
        // By hand: the least number of oldest calls without which it fits.
        let (mut used, mut gone) = (total, 0);
        while used + cost > limit {
            gone += 1;
            used -= gone;
        }
        let expected = PER - Duration::from_secs(50 - gone);
        let wait = answer.retry_after.unwrap();
        assert!(wait <= expected, "{limit} {cost}: {wait:?} {expected:?}");
        let passed = time(&server) - now;
        let at_least = expected.saturating_sub(Duration::from_micros(passed));
        assert!(wait >= at_least, "{limit} {cost}: {wait:?}, at least {at_least:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn totals_may_wrap_around() {
    let (server, store) = start().await;
    let at = (time(&server) - 10_000_000).to_string();
    let most = (1_u64 << 52) - 1;
    server.ask(&["ZADD", "r:{cache:k:login}s60000000", &at, &format!("{most}:3")]);
    let check = five(LimitStrategy::SlidingWindow);
    assert_eq!(ask(&store, check).await.remaining, 1);
    assert_eq!(ask(&store, check).await.remaining, 0);
    let refused = ask(&store, LimitCheck { cost: 4, ..check }).await;
    assert!(!refused.allowed && refused.retry_after.unwrap() > Duration::from_secs(50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_set_back_allows_nothing_more_and_blocks_nobody_for_longer_than_a_window()
{
    let (server, store) = start().await;
    // What was written by a clock that was a day ahead.
    let ahead = time(&server) + 24 * 60 * 60 * 1_000_000;
    let older = (ahead - 30_000_000).to_string();
    let [(_, window), (_, log), (_, bucket)] = STRATEGIES;
    server.ask(&["SET", window, &format!("{ahead} 5")]);
    server.ask(&["ZADD", log, &older, "3:3"]);
    server.ask(&["ZADD", log, &ahead.to_string(), "5:2"]);
    let interval = five(LimitStrategy::FixedWindow).interval().as_nanos();
    server.ask(&["SET", bucket, &format!("{ahead} {} {interval}", 5 * interval)]);
    for (strategy, key) in STRATEGIES {
        let refused = ask(&store, five(strategy)).await;
        assert!(!refused.allowed && refused.remaining == 0, "{strategy:?} {refused:?}");
        assert!(refused.retry_after.unwrap() <= PER, "{strategy:?} {refused:?}");
        let again = ask(&store, five(strategy)).await;
        assert!(
            again.resets_after <= refused.resets_after,
            "{strategy:?}: it began anew {again:?}"
        );
        let left: i64 = server.ask(&["PTTL", key]).parse().unwrap();
        assert!((1..=60_100).contains(&left), "{strategy:?} {left}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_hops_back_a_little_keeps_the_log_in_order() {
    let (server, store) = start().await;
    let [_, (strategy, log), _] = STRATEGIES;
    // Within a hundredth of the window, which is counted from then on.
    let ahead = time(&server) + 500_000;
    server.ask(&["ZADD", log, &(ahead - 20_000_000).to_string(), "3:3"]);
    server.ask(&["ZADD", log, &ahead.to_string(), "4:1"]);
    assert_eq!(ask(&store, five(strategy)).await.remaining, 0);
    let entries = server.ask(&["ZRANGE", log, "0", "-1", "WITHSCORES"]);
    assert_eq!(entries, format!("3:3\n{}\n5:2\n{ahead}", ahead - 20_000_000));
    let refused = ask(&store, five(strategy)).await;
    assert!(!refused.allowed && refused.retry_after.unwrap() < PER, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_count_is_an_error_and_no_permission() {
    let (server, store) = start().await;
    for (strategy, key) in STRATEGIES {
        server.ask(&["RPUSH", key, "foreign"]);
        assert!(store.check_limit(five(strategy)).await.is_err(), "{strategy:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_prefixes_have_limits_of_their_own() {
    let (server, store) = start().await;
    let other = RedisStore::connect(config(&server.url()).prefix("other:")).await.unwrap();
    for (strategy, _) in STRATEGIES {
        let all = LimitCheck { cost: 5, ..five(strategy) };
        assert!(ask(&store, all).await.allowed);
        assert!(ask(&other, all).await.allowed);
        assert!(!ask(&store, all).await.allowed);
    }
}

#[cfg(feature = "cluster")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cluster_limits_are_on_all_nodes_and_a_dead_one_takes_only_its_own() {
    let mut cluster = common::server::Cluster::start();
    let settings = config(&cluster.url()).deadline(Duration::from_millis(500));
    let store = RedisStore::connect(settings).await.unwrap();
    let names: Vec<String> = (0..30).map(|i| format!("login:{i}")).collect();
    let all = |name| LimitCheck { name, cost: 5, ..five(LimitStrategy::SlidingWindow) };
    for name in &names {
        assert!(ask(&store, all(name)).await.allowed);
    }
    let dead = cluster.nodes[0].address();
    let owner = |name: &String| cluster.owner(&format!("r:{{cache:k:{name}}}s60000000")).address();
    let owners: Vec<String> = names.iter().map(owner).collect();
    cluster.nodes[0].kill();
    let mut of_dead = 0;
    for (name, owner) in names.iter().zip(owners) {
        let answer = store.check_limit(all(name)).await;
        if owner == dead {
            of_dead += 1;
            assert!(answer.is_err(), "{name}: {answer:?}");
        } else {
            assert!(answer.is_ok_and(|answer| !answer.allowed), "{name}");
        }
    }
    assert!(of_dead > 0 && of_dead < names.len());
}
