//! Rate limits between processes, and on a server that dies.

use std::time::Duration;

use larder::{Cache, Check, Verdict, WhenAway, current};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    PATIENCE, Test, cache, redis,
    server::Server,
    worker::{Worker, now},
};

const PROCESSES: usize = 4;
const LIMIT: usize = 20;
const PER: Duration = Duration::from_millis(300);
const WINDOWS: u32 = 10;

/// What a worker does that is told to call.
pub(crate) async fn obey(words: &[&str]) -> String {
    match *words {
        ["hammer", strategy] => {
            let calls = hammer(&current().unwrap(), strategy).await;
            let shown = calls.iter().map(|(before, after)| format!("{before}-{after}"));
            shown.collect::<Vec<_>>().join(",")
        }
        _ => format!("no such limit order: {words:?}"),
    }
}

fn check(cache: &Cache, strategy: &str) -> Check {
    let check = cache.check(&format!("api:{strategy}")).limit(LIMIT as u64).per(PER);
    match strategy {
        "fixed" => check.fixed_window(),
        "bucket" => check.token_bucket(5),
        _ => check,
    }
}

/// Calls as fast as it goes; between which two times, in nanoseconds, each call that was allowed was counted.
async fn hammer(cache: &Cache, strategy: &str) -> Vec<(u128, u128)> {
    let end = now() + (PER * WINDOWS).as_nanos();
    let mut callers = JoinSet::new();
    for _ in 0..4 {
        let (cache, strategy) = (cache.clone(), strategy.to_owned());
        callers.spawn(async move {
            let mut allowed = Vec::new();
            while now() < end {
                let before = now();
                let verdict = check(&cache, &strategy).await.unwrap();
                assert!(verdict.asked);
                if verdict.allowed {
                    allowed.push((before, now()));
                }
            }
            allowed
        });
    }
    callers.join_all().await.concat()
}

/// What four processes were allowed together: when the calls may have been counted at the earliest, and at the latest, each
/// in order. The nth call that the server counted lies between the nth of both.
async fn of_all_processes(strategy: &str) -> (Vec<u128>, Vec<u128>) {
    let test = Test::new().await;
    let mut workers: Vec<Worker> = Vec::new();
    for _ in 0..PROCESSES {
        workers.push(test.worker().await);
    }
    let mut told = Vec::new();
    for worker in &mut workers {
        told.push(worker.order(&format!("limit hammer {strategy}")).await);
    }
    let (mut earliest, mut latest) = (Vec::new(), Vec::new());
    for told in told {
        let calls = told.await.unwrap();
        for call in calls.split(',').filter(|call| !call.is_empty()) {
            let (before, after) = call.split_once('-').unwrap();
            earliest.push(before.parse().unwrap());
            latest.push(after.parse().unwrap());
        }
    }
    earliest.sort_unstable();
    latest.sort_unstable();
    assert!(earliest.len() > 2 * LIMIT, "{} in {WINDOWS} windows", earliest.len());
    (earliest, latest)
}

#[tokio::test]
async fn four_processes_are_never_allowed_more_than_the_limit_in_any_window() {
    let (earliest, latest) = of_all_processes("sliding").await;
    for (first, past) in earliest.iter().zip(&latest[LIMIT..]) {
        assert!(past - first >= PER.as_nanos(), "{} calls in {} ns", LIMIT + 1, past - first);
    }
}

#[tokio::test]
async fn four_processes_share_the_windows_that_are_fixed() {
    let (earliest, latest) = of_all_processes("fixed").await;
    // Twice the limit fits across the end of one window, and no more.
    for (first, past) in earliest.iter().zip(&latest[2 * LIMIT..]) {
        assert!(past - first >= PER.as_nanos(), "{} calls in {} ns", 2 * LIMIT + 1, past - first);
    }
}

#[tokio::test]
async fn four_processes_get_no_more_out_of_a_bucket_than_it_holds_and_flowed_out_of_it() {
    let (earliest, latest) = of_all_processes("bucket").await;
    let interval = PER.as_nanos() / LIMIT as u128;
    for (at, first) in earliest.iter().enumerate() {
        for (more, past) in latest[at..].iter().enumerate().skip(5) {
            let needed = interval * (more - 4) as u128;
            assert!(past - first >= needed, "{more} more calls in {} ns", past - first);
        }
    }
}

/// Asks in both ways, and sees that the answer is the server's or what was said for when it is away.
async fn both(cache: &Cache) -> [Verdict; 2] {
    let ask = async |when_away| {
        let check = cache.check("api").limit(1_000_000).per("1m").when_away(when_away);
        // Far above the deadline: a call that hangs fails the test.
        timeout(PATIENCE, check.into_future()).await.expect("it hangs").unwrap()
    };
    let (open, closed) = (ask(WhenAway::Open).await, ask(WhenAway::Closed).await);
    assert!(open.allowed);
    assert_eq!(closed.allowed, closed.asked);
    [open, closed]
}

#[tokio::test]
async fn when_the_server_dies_in_the_middle_calls_are_allowed_or_refused_as_was_said() {
    let mut server = Server::start(&[]);
    let cache = cache(&server.url(), "limits", Duration::from_millis(300)).await;
    let was_asked = async || both(&cache).await.iter().all(|verdict| verdict.asked);
    assert!(was_asked().await);
    for frozen in [true, false] {
        // Called without a pause all the while, so that some request is under way.
        let busy = tokio::spawn({
            let cache = cache.clone();
            async move {
                loop {
                    both(&cache).await;
                }
            }
        });
        match frozen {
            true => server.freeze(),
            false => server.kill(),
        }
        for _ in 0..5 {
            assert!(both(&cache).await.iter().all(|verdict| !verdict.asked));
        }
        match frozen {
            true => server.thaw(),
            false => server.restart(),
        }
        let back = async {
            while !was_asked().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, back).await.expect("it is not asked again");
        busy.abort();
        assert!(busy.await.unwrap_err().is_cancelled(), "an answer was neither");
    }
    assert!(cache.stats().limits_unasked > 0);
}

#[tokio::test]
async fn a_name_of_another_prefix_is_another_count() {
    let test = Test::new().await;
    let other = cache(&redis().url(), &format!("{}-other", test.prefix), PATIENCE).await;
    for cache in [&test.cache, &other] {
        let all = || cache.check("}:k:{*").limit(3).per("1h").cost(3);
        assert!(all().await.unwrap().allowed);
        assert!(!all().await.unwrap().allowed);
    }
}
