//! Serving policies: what processes on real servers see of stale values and of renewals.

use std::time::{Duration, Instant};

use larder::{Cache, cache_aside, current, stampede_protect};
use tokio::time::sleep;

use crate::{
    BOUND, PATIENCE, Test, cache, for_both_kinds,
    server::Server,
    until,
    worker::Worker,
    world::{Failed, Row, World},
};

/// So long after its load a value is no longer fresh.
const OLD: Duration = Duration::from_millis(600);
/// The same of those that are to be fresh in several processes at once.
const LASTING_OLD: Duration = Duration::from_millis(3100);
/// A caller begins another renewal so long after the last one began.
const PAUSE: Duration = Duration::from_secs(1);

#[cache_aside(
    key = "served:{key}",
    ttl = "500ms",
    tags = ["served", "kind:{value.kind}"],
    stale(on_error = "1h", while_revalidate = "1h"),
    skip(world)
)]
async fn served(world: &World, key: &str) -> Result<Row, Failed> {
    world.try_load(key).await
}

/// For tests in which several processes have to see one fresh value.
#[cache_aside(
    key = "lasting:{key}",
    ttl = "3s",
    tags = ["lasting"],
    stale(while_revalidate = "1h"),
    skip(world)
)]
async fn lasting(world: &World, key: &str) -> Result<Row, Failed> {
    world.try_load(key).await
}

/// The same entries, asked of Redis each time.
#[cache_aside(
    key = "lasting:{key}",
    ttl = "3s",
    tags = ["lasting"],
    layer = "shared",
    stale(while_revalidate = "1h"),
    skip(world)
)]
async fn lasting_strictly(world: &World, key: &str) -> Result<Row, Failed> {
    world.try_load(key).await
}

#[stampede_protect(
    key = "guarded:{key}",
    ttl = "3s",
    lock_ttl = "2s",
    stale(while_revalidate = "1h"),
    skip(world)
)]
async fn guarded(world: &World, key: &str) -> Result<Row, Failed> {
    world.try_load(key).await
}

#[cache_aside(
    key = "soft:{key}",
    ttl = "500ms",
    tags = ["soft", "kind:{value.kind}"],
    stale(on_error = "1h"),
    soft_timeout = "50ms",
    skip(world)
)]
async fn soft(world: &World, key: &str) -> Result<Row, Failed> {
    world.try_load(key).await
}

pub(crate) async fn obey(world: &World, words: &[&str]) -> String {
    match *words {
        ["invalidate", function, way, key] => invalidate(function, way, key).await,
        ["refreshes"] => current().unwrap().stats().refreshes.to_string(),
        [function, key] => call(world, function, key).await,
        _ => format!("no such policy: {words:?}"),
    }
}

async fn call(world: &World, function: &str, key: &str) -> String {
    let answer = match function {
        "served" => served(world, key).await,
        "lasting" => lasting(world, key).await,
        "lasting-strictly" => lasting_strictly(world, key).await,
        "guarded" => guarded(world, key).await,
        "soft" => soft(world, key).await,
        _ => return format!("no such function: {function}"),
    };
    answer.map_or_else(|Failed| "failed".to_owned(), |row| row.value.to_string())
}

const WAYS: [&str; 7] =
    ["key", "function", "pattern", "tag", "learned tag", "both tags", "everything"];

/// Invalidates an entry in one of the ways there are, in all processes; spaces are dashes.
async fn invalidate(function: &str, way: &str, key: &str) -> String {
    let entry = format!("{function}:{key}");
    let done = match way {
        "key" => larder::invalidate(&entry).everywhere().await,
        "function" => larder::invalidate_pattern(&format!("{function}:*")).everywhere().await,
        "pattern" => larder::invalidate_pattern(&format!("*:{key}")).everywhere().await,
        "tag" => larder::invalidate_tags([function]).everywhere().await,
        "learned-tag" => larder::invalidate_tags(["kind:plain"]).everywhere().await,
        "both-tags" => larder::invalidate_all_of([function, "kind:plain"]).everywhere().await,
        _ => larder::clear().everywhere().await,
    };
    done.map_or_else(|error| error.to_string(), |()| "done".to_owned())
}

/// This process and two more on one tier.
struct Crew {
    test: Test,
    cache: Cache,
    workers: Vec<Worker>,
}

impl Crew {
    async fn on(url: &str, deadline: Duration) -> Self {
        let test = Test::new().await;
        let cache = cache(url, &test.prefix, deadline).await;
        let mut workers = Vec::new();
        for _ in 0..2 {
            workers.push(Worker::start_with(&test.world, url, &test.prefix, deadline).await);
        }
        Self { test, cache, workers }
    }

    fn world(&self) -> &World {
        &self.test.world
    }

    fn runs(&self, key: &str) -> usize {
        self.world().notes(key).len()
    }

    /// What this process gets.
    async fn here(&self, function: &str, key: &str) -> String {
        larder::scoped(self.cache.clone(), call(self.world(), function, key)).await
    }

    /// What each process gets, this one first.
    async fn all(&mut self, function: &str, key: &str) -> Vec<String> {
        let mut all = vec![self.here(function, key).await];
        all.extend(self.there(function, key).await);
        all
    }

    /// What the other processes get.
    async fn there(&mut self, function: &str, key: &str) -> Vec<String> {
        let mut there = Vec::new();
        for worker in &mut self.workers {
            there.push(worker.tell(&format!("policy {function} {key}")).await);
        }
        there
    }

    /// Waits until every process gets this.
    async fn until_all(&mut self, function: &str, key: &str, value: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let all = self.all(function, key).await;
            if all.iter().all(|one| one == value) {
                return;
            }
            assert!(Instant::now() < end, "{function}({key}): {all:?} and not {value}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn invalidate_there(&mut self, function: &str, way: &str, key: &str) {
        let order = format!("policy invalidate {function} {} {key}", way.replace(' ', "-"));
        assert_eq!(self.workers[0].tell(&order).await, "done", "{way}");
    }

    /// Waits until so many bodies have ended here, and what they returned is stored, or not.
    async fn until_loads(&self, loads: u64) {
        let ended = || self.cache.stats().loads == loads && self.fills() == loads;
        until("the body in the background has ended", ended).await;
    }

    /// How many loads were stored, or refused to be.
    fn fills(&self) -> u64 {
        let stats = self.cache.stats();
        stats.fills + stats.fills_fenced
    }
}

#[tokio::test]
async fn a_value_stands_in_for_an_error_while_redis_is_stopped() {
    let mut redis = Server::start(&[]);
    for killed in [false, true] {
        let mut crew = Crew::on(&redis.url(), BOUND / 4).await;
        crew.world().commit("a", 1);
        // Twice: what is read before the session lives is kept for the bound only.
        crew.until_all("served", "a", "1").await;
        sleep(BOUND * 2).await;
        crew.until_all("served", "a", "1").await;
        if killed {
            redis.kill();
        } else {
            redis.freeze();
        }
        crew.world().fail("a");
        sleep(BOUND * 2).await;
        // Past the bound nobody vouches for what memory has, and past the ttl it is not fresh; the body fails.
        let runs = crew.runs("a");
        assert_eq!(crew.all("served", "a").await, ["1", "1", "1"], "{killed}");
        assert!(crew.runs("a") > runs, "{killed}: nobody ran the body");
        assert!(crew.cache.stats().stale_served > 0, "{killed}");
        // An invalidation that reaches nobody else is known here all the same.
        let told = larder::scoped(crew.cache.clone(), invalidate("served", "key", "a")).await;
        assert_ne!(told, "done");
        assert_eq!(crew.here("served", "a").await, "failed", "{killed}");
        if killed {
            redis.restart();
        } else {
            redis.thaw();
        }
        assert_eq!(crew.here("served", "a").await, "failed", "{killed}");
    }
}

/// What it depends on is made for as long as it may be served, and not prolonged later: that would be heard as a change.
#[tokio::test]
async fn a_value_that_may_be_served_for_an_hour_stays_in_memory_where_it_was_loaded() {
    for_both_kinds(async |url| {
        let crew = Crew::on(&url, PATIENCE).await;
        crew.world().commit("other", 1);
        let end = Instant::now() + Duration::from_secs(30);
        // Makes the tag, which is heard as a change as well, and begins to listen.
        crew.here("lasting", "other").await;
        while crew.cache.health().await.session != Some(true) {
            assert!(Instant::now() < end, "nothing is heard");
            sleep(Duration::from_millis(5)).await;
        }
        crew.world().commit("a", 1);
        assert_eq!(crew.here("lasting", "a").await, "1");
        sleep(OLD).await;
        assert_eq!(crew.here("lasting", "a").await, "1");
        let stats = crew.cache.stats();
        assert_eq!((stats.hits_memory, stats.hits_shared), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_renewal_by_one_process_renews_both_tiers_and_every_process_sees_it() {
    for_both_kinds(async |url| {
        let mut crew = Crew::on(&url, PATIENCE).await;
        crew.world().commit("a", 1);
        crew.until_all("lasting", "a", "1").await;
        let (runs, fills) = (crew.runs("a"), crew.fills());
        crew.world().commit("a", 2);
        sleep(LASTING_OLD).await;
        crew.world().hold("a");
        // Given at once: the body is held.
        assert_eq!(crew.here("lasting", "a").await, "1");
        until("the renewal runs", || crew.runs("a") == runs + 1).await;
        crew.world().release("a");
        until("it was stored", || crew.fills() == fills + 1).await;
        assert_eq!(crew.here("lasting", "a").await, "2");
        // Redis has it, and the other processes find it there.
        let strictly = crew.workers[0].tell("policy lasting-strictly a").await;
        assert_eq!(strictly, "2");
        crew.until_all("lasting", "a", "2").await;
        assert_eq!(crew.runs("a"), runs + 1);
    })
    .await;
}

#[tokio::test]
async fn an_invalidation_by_another_process_while_a_renewal_runs_is_not_undone() {
    for_both_kinds(async |url| {
        let mut crew = Crew::on(&url, PATIENCE).await;
        for (number, way) in WAYS.into_iter().enumerate() {
            let (key, loads) = (&format!("a{number}"), 3 * number as u64);
            crew.world().commit(key, 1);
            assert_eq!(crew.here("served", key).await, "1");
            sleep(OLD).await;
            crew.world().commit(key, 2);
            crew.world().hold(key);
            assert_eq!(crew.here("served", key).await, "1", "{way}");
            until("the renewal has found the old row", || crew.runs(key) == 2).await;
            crew.world().commit(key, 3);
            crew.invalidate_there("served", way, key).await;
            crew.world().release(key);
            crew.until_loads(loads + 2).await;
            assert_eq!(crew.here("served", key).await, "3", "{way}");
            assert_eq!(crew.there("served", key).await, ["3", "3"], "{way}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_of_several_processes_renews_a_protected_value() {
    for_both_kinds(async |url| {
        let mut crew = Crew::on(&url, PATIENCE).await;
        crew.world().commit("a", 1);
        crew.until_all("guarded", "a", "1").await;
        let runs = crew.runs("a");
        crew.world().commit("a", 2);
        sleep(LASTING_OLD).await;
        crew.world().hold("a");
        // Longer than anybody waits before trying again, and than the lock lives without its holder.
        let end = Instant::now() + PAUSE * 2 + PAUSE / 2;
        while Instant::now() < end {
            assert_eq!(crew.all("guarded", "a").await, ["1", "1", "1"]);
            sleep(Duration::from_millis(50)).await;
        }
        for worker in &mut crew.workers {
            assert_ne!(worker.tell("policy refreshes").await, "0", "it has not tried");
        }
        assert_eq!(crew.runs("a"), runs + 1);
        crew.world().release("a");
        crew.until_all("guarded", "a", "2").await;
        assert_eq!(crew.runs("a"), runs + 1);
    })
    .await;
}

/// FusionCache #628: a factory that completes in the background stored what a tag had invalidated meanwhile.
#[tokio::test]
async fn a_late_body_stores_nothing_that_another_process_invalidated_meanwhile() {
    for_both_kinds(async |url| {
        let mut crew = Crew::on(&url, PATIENCE).await;
        for (number, way) in WAYS.into_iter().enumerate() {
            let (key, loads) = (&format!("a{number}"), 3 * number as u64);
            crew.world().commit(key, 1);
            assert_eq!(crew.here("soft", key).await, "1");
            sleep(OLD).await;
            crew.world().commit(key, 2);
            crew.world().hold(key);
            assert_eq!(crew.here("soft", key).await, "1", "{way}: the body is late");
            assert_eq!(crew.runs(key), 2);
            crew.world().commit(key, 3);
            crew.invalidate_there("soft", way, key).await;
            crew.world().release(key);
            crew.until_loads(loads + 2).await;
            assert_eq!(crew.here("soft", key).await, "3", "{way}");
            assert_eq!(crew.there("soft", key).await, ["3", "3"], "{way}");
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_stands_in_in_any_process_that_has_heard_of_an_invalidation() {
    let mut redis = Server::start(&[]);
    let mut crew = Crew::on(&redis.url(), BOUND / 4).await;
    let keys: Vec<_> = (0..WAYS.len()).map(|number| format!("a{number}")).collect();
    for (key, way) in keys.iter().zip(WAYS) {
        crew.world().commit(key, 1);
        crew.until_all("served", key, "1").await;
        crew.invalidate_there("served", way, key).await;
        crew.world().fail(key);
        assert_eq!(crew.all("served", key).await, ["failed"; 3], "{way}");
    }
    sleep(OLD).await;
    for key in &keys {
        assert_eq!(crew.all("served", key).await, ["failed"; 3], "{key}, past its ttl");
    }
    redis.kill();
    for key in &keys {
        assert_eq!(crew.all("served", key).await, ["failed"; 3], "{key}, without Redis");
    }
}
