//! Batches behind a shared tier: what they cost, and that each element is fenced alone.
#![allow(clippy::unwrap_used)]

#[path = "common/loads.rs"]
mod loads;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use cache_store::testing::{Calls, ChaosStore, Fault, MemoryStore, Operation};
use larder::{Cache, Clock, ErrorKind, NotStored, cache_aside, write_through};
use loads::{Held, in_time};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    id: u64,
    group: u64,
    version: u64,
}

/// Rows of one version, and what was asked for.
struct Table {
    version: AtomicUsize,
    asked: Mutex<Vec<Vec<u64>>>,
    held: Arc<Held>,
}

impl Table {
    fn new() -> Arc<Self> {
        Self::with(Held::open())
    }

    /// One whose reads begin and wait.
    fn held() -> Arc<Self> {
        Self::with(Held::new())
    }

    fn with(held: Arc<Held>) -> Arc<Self> {
        Arc::new(Self { version: AtomicUsize::new(1), asked: Mutex::default(), held })
    }

    async fn rows(&self, ids: &[u64]) -> BTreeMap<u64, Row> {
        self.asked.lock().unwrap().push(ids.to_vec());
        let version = self.version.load(SeqCst) as u64;
        let row = |id: &u64| (*id, Row { id: *id, group: *id % 2, version });
        self.held.run(ids.iter().map(row).collect()).await
    }

    fn asked(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[cache_aside(
    key = "row:{id}",
    ttl = "1m",
    tags = ["rows", "row:{id}", "group:{value.group}"],
    cache = cache,
    skip(table),
    batch(id in ids)
)]
async fn rows(cache: &Cache, table: &Table, ids: &[u64]) -> BTreeMap<u64, Row> {
    table.rows(ids).await
}

#[cache_aside(key = "row:{id}", tags = ["rows", "row:{id}", "group:{value.group}"], cache = cache, skip(table))]
async fn row(cache: &Cache, table: &Table, id: u64) -> Row {
    table.rows(&[id]).await.remove(&id).unwrap()
}

#[cache_aside(key = "plain:{id}", cache = cache, skip(table), batch(id in ids))]
async fn plain(cache: &Cache, table: &Table, ids: &[u64]) -> BTreeMap<u64, Row> {
    table.rows(ids).await
}

#[cache_aside(key = "strict:{id}", layer = "shared", cache = cache, skip(table), batch(id in ids))]
async fn strict(cache: &Cache, table: &Table, ids: &[u64]) -> BTreeMap<u64, Row> {
    table.rows(ids).await
}

#[cache_aside(key = "local:{id}", layer = "memory", cache = cache, skip(table), batch(id in ids))]
async fn local(cache: &Cache, table: &Table, ids: &[u64]) -> BTreeMap<u64, Row> {
    table.rows(ids).await
}

#[cache_aside(key = "absent:{id}", negative_ttl = "1m", cache = cache, skip(runs), batch(id in ids))]
async fn absent(cache: &Cache, runs: &AtomicUsize, ids: &[u64]) -> Vec<Option<u64>> {
    runs.fetch_add(ids.len(), SeqCst);
    ids.iter().map(|id| (*id < 10).then_some(*id)).collect()
}

#[cache_aside(key = "sync:{id}", tags = ["{value}"], cache = cache, batch(id in ids))]
fn sync_batch(cache: &Cache, ids: Vec<u64>) -> Vec<Option<u64>> {
    SYNC.fetch_add(ids.len(), SeqCst);
    ids.into_iter().map(|id| Some(id * 2)).collect()
}

static SYNC: AtomicUsize = AtomicUsize::new(0);

/// A process: a cache, and its own connection, which counts its round trips.
async fn process(store: &MemoryStore) -> (Cache, Arc<MemoryStore>) {
    let store = Arc::new(store.connect());
    (Cache::builder().shared(store.clone()).build().await.unwrap(), store)
}

async fn on(store: &MemoryStore) -> Cache {
    process(store).await.0
}

async fn with_faults(store: &MemoryStore) -> (Cache, Arc<ChaosStore<MemoryStore>>) {
    let chaos = Arc::new(ChaosStore::new(store.connect()));
    (Cache::builder().shared(chaos.clone()).build().await.unwrap(), chaos)
}

/// How often each of these was called, and nothing else that is a round trip. The session may read the pattern log beside
/// it, in the background.
fn expect<const N: usize>(calls: Calls, expected: [(Operation, u64); N]) {
    let mut all = 0;
    for (operation, count) in expected {
        if operation == Operation::Patterns {
            assert!(calls.of(operation) >= count, "{operation:?} in {calls:?}");
        } else {
            assert_eq!(calls.of(operation), count, "{operation:?} in {calls:?}");
            all += count;
        }
    }
    assert_eq!(calls.round_trips() - calls.of(Operation::Patterns), all, "{calls:?}");
}

#[tokio::test]
async fn misses_cost_two_round_trips_before_the_body_and_one_after_it() {
    let table = Table::new();
    let (cache, trips) = process(&MemoryStore::new()).await;
    let ids: Vec<u64> = (0..100).collect();
    assert_eq!(plain(&cache, &table, &ids).await.len(), 100);
    use Operation::{ClaimMany, FillMany, ReadMany, StampMany};
    expect(trips.calls(), [(ReadMany, 1), (ClaimMany, 1), (FillMany, 1)]);
    let before = trips.calls();
    assert_eq!(rows(&cache, &table, &ids).await.len(), 100);
    let cost = trips.calls() - before;
    expect(cost, [(ReadMany, 1), (ClaimMany, 1), (StampMany, 1), (FillMany, 1)]);
    assert_eq!(table.asked(), [ids.clone(), ids]);
}

#[tokio::test]
async fn hits_of_the_shared_tier_cost_one_round_trip_and_are_promoted() {
    let (store, table) = (MemoryStore::new(), Table::new());
    let (there, (here, trips)) = (on(&store).await, process(&store).await);
    let ids: Vec<u64> = (0..50).collect();
    plain(&there, &table, &ids).await;
    table.asked();

    let all = plain(&here, &table, &ids).await;
    assert_eq!(all.len(), 50);
    expect(trips.calls(), [(Operation::ReadMany, 1)]);
    assert_eq!((here.stats().hits_shared, here.stats().loads), (50, 0));
    let before = trips.calls();
    assert_eq!(plain(&here, &table, &ids).await, all);
    expect(trips.calls() - before, []);
    assert_eq!(here.stats().hits_memory, 50);
    assert!(table.asked().is_empty());
}

#[tokio::test]
async fn only_what_memory_does_not_have_is_asked_for() {
    let (store, table) = (MemoryStore::new(), Table::new());
    let (there, (here, chaos)) = (on(&store).await, with_faults(&store).await);
    plain(&there, &table, &[2]).await;
    plain(&here, &table, &[1]).await;
    table.asked();
    let read = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&read);
    chaos.alter_values(move |key, bytes| {
        seen.lock().unwrap().push(key.to_owned());
        Some(bytes)
    });
    plain(&here, &table, &[1, 2, 3]).await;
    assert_eq!(*read.lock().unwrap(), ["plain:2"], "1 is in memory, 3 has no bytes");
    assert_eq!(table.asked(), [[3]]);
}

#[tokio::test]
async fn tags_that_only_the_entries_name_are_asked_for_once_for_all() {
    let (store, table) = (MemoryStore::new(), Table::new());
    let (there, (here, trips)) = (on(&store).await, process(&store).await);
    let ids: Vec<u64> = (0..20).collect();
    rows(&there, &table, &ids).await;
    table.asked();
    rows(&here, &table, &ids).await;
    expect(trips.calls(), [(Operation::ReadMany, 1), (Operation::TagNonces, 1)]);
    assert!(table.asked().is_empty());

    // The log is asked for once as well, where patterns came since.
    let (other, trips) = process(&store).await;
    there.invalidate_pattern("row:1?").await.unwrap();
    rows(&other, &table, &ids).await;
    use Operation::{ClaimMany, FillMany, Patterns, ReadMany, StampMany, TagNonces};
    let once = [ReadMany, TagNonces, Patterns, ClaimMany, StampMany, FillMany];
    expect(trips.calls(), once.map(|operation| (operation, 1)));
    assert_eq!(table.asked(), [(10..20).collect::<Vec<u64>>()]);
}

#[tokio::test]
async fn a_tag_of_the_value_that_another_process_invalidated_refuses_what_bears_it() {
    let (store, table) = (MemoryStore::new(), Table::new());
    let (there, here) = (on(&store).await, on(&store).await);
    rows(&there, &table, &[1, 2, 3, 4]).await;
    there.invalidate_tags(["group:1"]).await.unwrap();
    table.asked();
    rows(&here, &table, &[1, 2, 3, 4]).await;
    assert_eq!(table.asked(), [[1, 3]]);
}

#[tokio::test]
async fn a_layer_limits_where_elements_live() {
    let (store, table) = (MemoryStore::new(), Table::new());
    let (cache, trips) = process(&store).await;
    for _ in 0..2 {
        local(&cache, &table, &[1, 2]).await;
    }
    expect(trips.calls(), []);
    for _ in 0..2 {
        strict(&cache, &table, &[1, 2]).await;
    }
    use Operation::{ClaimMany, FillMany, ReadMany};
    expect(trips.calls(), [(ReadMany, 2), (ClaimMany, 1), (FillMany, 1)]);
    assert_eq!(table.asked(), [[1, 2], [1, 2]]);
    assert_eq!(cache.stats().entries, 2, "those of `local`");
}

#[tokio::test]
async fn absences_are_cached_in_the_shared_tier_too() {
    let (store, runs) = (MemoryStore::new(), AtomicUsize::new(0));
    let (there, here) = (on(&store).await, on(&store).await);
    for cache in [&there, &here, &here] {
        assert_eq!(absent(cache, &runs, &[1, 11]).await, [Some(1), None]);
    }
    assert_eq!(runs.load(SeqCst), 2);
}

#[test]
fn a_sync_batch_waits_for_the_shared_tier_on_its_own_thread() {
    let store = MemoryStore::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (there, (here, trips)) =
        runtime.block_on(async { (on(&store).await, process(&store).await) });
    assert_eq!(sync_batch(&there, vec![1, 2]), [Some(2), Some(4)]);
    assert_eq!(sync_batch(&here, vec![2, 3, 2]), [Some(4), Some(6), Some(4)]);
    assert_eq!(SYNC.load(SeqCst), 3);
    use Operation::{ClaimMany, FillMany, ReadMany, StampMany, TagNonces};
    let once = [ReadMany, TagNonces, ClaimMany, StampMany, FillMany];
    expect(trips.calls(), once.map(|operation| (operation, 1)));
}

// Each element is fenced alone.

/// One way in which row 2, and none but it, is invalidated.
async fn invalidate_two(way: &str, cache: &Cache) {
    match way {
        "key" => rows_entry(cache, 2).invalidate().await.unwrap(),
        "known tag" => cache.invalidate_tags(["row:2"]).await.unwrap(),
        "learned tag" => cache.invalidate_tags(["group:0"]).await.unwrap(),
        "pattern" => cache.invalidate_pattern("r?w:2*").await.unwrap(),
        _ => unreachable!(),
    }
}

const WAYS: [&str; 4] = ["key", "known tag", "learned tag", "pattern"];

/// Runs a batch of 1, 2 and 3, and invalidates row 2 while its body runs.
async fn invalidated_meanwhile(way: &str, cache: &Cache) {
    let table = Table::held();
    let batch = tokio::spawn({
        let (cache, table) = (cache.clone(), Arc::clone(&table));
        async move { rows(&cache, &table, &[1, 2, 3]).await }
    });
    table.held.began().await;
    invalidate_two(way, cache).await;
    table.held.end();
    let all = in_time("the batch ends", batch).await.unwrap();
    assert_eq!(all.len(), 3, "{way}: the caller gets what was loaded");
    for (id, stays) in [(1, true), (2, false), (3, true)] {
        let there = rows_entry(cache, id).exists().await.unwrap();
        assert_eq!(there, stays, "{way}: row {id}");
    }
}

#[tokio::test]
async fn an_invalidation_of_one_element_while_the_body_runs_refuses_that_one_alone() {
    for way in WAYS {
        invalidated_meanwhile(way, &Cache::memory()).await;
    }
}

#[tokio::test]
async fn an_invalidation_of_one_element_refuses_it_behind_a_shared_tier_too() {
    for way in WAYS {
        let cache = on(&MemoryStore::new()).await;
        invalidated_meanwhile(way, &cache).await;
    }
}

#[tokio::test]
async fn an_invalidation_of_one_element_by_another_process_refuses_it_alone() {
    for way in WAYS {
        let store = MemoryStore::new();
        let (here, there) = (on(&store).await, on(&store).await);
        let table = Table::held();
        let batch = tokio::spawn({
            let (cache, table) = (here.clone(), Arc::clone(&table));
            async move { rows(&cache, &table, &[1, 2, 3]).await }
        });
        table.held.began().await;
        invalidate_two(way, &there).await;
        table.held.end();
        assert_eq!(in_time("the batch ends", batch).await.unwrap().len(), 3);
        // What the shared tier holds: a process that asks it.
        for (id, stays) in [(1, true), (2, false), (3, true)] {
            assert_eq!(rows_entry(&there, id).exists().await.unwrap(), stays, "{way}: row {id}");
        }
    }
}

#[tokio::test]
async fn a_batch_that_is_dropped_stores_nothing() {
    let cache = on(&MemoryStore::new()).await;
    let table = Table::held();
    let batch = tokio::spawn({
        let (cache, table) = (cache.clone(), Arc::clone(&table));
        async move { rows(&cache, &table, &[1, 2]).await }
    });
    table.held.began().await;
    batch.abort();
    assert!(batch.await.unwrap_err().is_cancelled());
    for id in [1, 2] {
        assert!(!rows_entry(&cache, id).exists().await.unwrap());
    }
    assert_eq!(rows(&cache, &Table::new(), &[1, 2]).await.len(), 2);
}

#[tokio::test]
async fn a_batch_does_not_store_what_a_writer_is_about_to_write() {
    #[write_through(entry = rows(cache, id))]
    async fn write(cache: &Cache, held: &Held, id: u64) -> Row {
        held.run(Row { id, group: 0, version: 2 }).await
    }
    let store = MemoryStore::new();
    let (here, there) = (on(&store).await, on(&store).await);
    let (table, held) = (Table::new(), Held::new());
    let writing = tokio::spawn({
        let (cache, held) = (there.clone(), held.clone());
        async move { write(&cache, &held, 2).await }
    });
    held.began().await;
    assert_eq!(rows(&here, &table, &[1, 2]).await[&2].version, 1);
    assert!(!rows_entry(&here, 2).exists().await.unwrap());
    assert!(rows_entry(&here, 1).exists().await.unwrap());
    held.end();
    writing.await.unwrap();
    assert_eq!(rows(&here, &table, &[1, 2]).await[&2].version, 2);
    assert_eq!(table.asked().len(), 1);
}

#[tokio::test]
async fn a_value_that_another_process_stores_between_the_read_and_the_claim_is_a_hit() {
    let store = MemoryStore::new();
    let (there, (here, chaos)) = (on(&store).await, with_faults(&store).await);
    let (ours, theirs) = (Table::new(), Table::new());
    let gate = chaos.hold(Operation::ClaimMany);
    let batch = tokio::spawn({
        let (cache, table) = (here.clone(), Arc::clone(&ours));
        async move { rows(&cache, &table, &[1, 2, 3]).await }
    });
    gate.arrived(1).await;
    row(&there, &theirs, 2).await;
    gate.open();
    assert_eq!(in_time("the batch ends", batch).await.unwrap().len(), 3);
    assert_eq!(ours.asked(), [[1, 3]]);
    assert_eq!(here.stats().hits_shared, 1);
}

#[tokio::test]
async fn damaged_bytes_of_one_element_are_a_miss_of_that_one() {
    let (store, table) = (MemoryStore::new(), Table::new());
    let (there, (here, chaos)) = (on(&store).await, with_faults(&store).await);
    plain(&there, &table, &[1, 2, 3]).await;
    table.asked();
    chaos.alter_values(|key, mut bytes| {
        let last = bytes.len() - 1;
        bytes[last] ^= u8::from(key == "plain:2");
        Some(bytes)
    });
    assert_eq!(plain(&here, &table, &[1, 2, 3]).await.len(), 3);
    assert_eq!(table.asked(), [[2]]);
    assert!(here.stats().corrupt > 0);
}

// The shared tier fails.

#[tokio::test]
async fn with_the_shared_tier_down_the_body_loads_everything_and_the_caller_gets_it() {
    let (clock, time) = Clock::manual();
    let (chaos, table) = (Arc::new(ChaosStore::new(MemoryStore::new())), Table::new());
    let builder = Cache::builder().clock(clock).coherence_bound(Duration::from_secs(2));
    let cache = builder.shared(chaos.clone()).build().await.unwrap();
    chaos.down(ErrorKind::Unavailable);
    assert_eq!(rows(&cache, &table, &[1, 2]).await.len(), 2);
    assert_eq!(rows(&cache, &table, &[1, 2]).await.len(), 2);
    assert_eq!(table.asked(), [[1, 2]], "memory has them");
    assert_eq!(cache.stats().shared_errors, 1, "one round trip failed, whatever it was to bring");
    time.advance(Duration::from_secs(3));
    assert_eq!(rows(&cache, &table, &[1, 2]).await.len(), 2);
    assert_eq!(table.asked(), [[1, 2]], "and only for as long as may be");
}

#[tokio::test]
async fn a_node_that_is_away_fails_its_own_elements_alone() {
    let (store, table) = (MemoryStore::new(), Table::new());
    let (there, (here, chaos)) = (on(&store).await, with_faults(&store).await);
    rows(&there, &table, &[1, 2]).await;
    table.asked();
    chaos.down_for(ErrorKind::Timeout, |key| key == "row:2" || key == "row:4");
    let mut events = here.events();
    let all = rows(&here, &table, &[1, 2, 3, 4]).await;
    assert_eq!(all.len(), 4);
    assert_eq!(table.asked(), [[2, 3, 4]]);
    assert_eq!(here.stats().shared_timeouts, 1, "the one round trip that met it");
    chaos.up();
    here.invalidate("last").await.unwrap();
    let mut event = in_time("an event", events.next()).await.unwrap();
    if let larder::Event::SessionLive = event {
        event = in_time("another event", events.next()).await.unwrap();
    }
    assert!(
        matches!(event, larder::Event::Invalidated { .. }),
        "the tier was never away: {event:?}"
    );
    let other = on(&store).await;
    let stored = |id| rows_entry(&other, id);
    assert!(stored(3).exists().await.unwrap(), "it was reached");
    assert!(!stored(4).exists().await.unwrap());
}

#[tokio::test]
async fn a_failure_at_any_step_leaves_the_caller_its_result() {
    use Operation::{ClaimMany, FillMany, Patterns, ReadMany, StampMany, TagNonces};
    for operation in [ReadMany, TagNonces, Patterns, ClaimMany, StampMany, FillMany] {
        for lost in [false, true] {
            let (store, table) = (MemoryStore::new(), Table::new());
            let (there, (here, chaos)) = (on(&store).await, with_faults(&store).await);
            rows(&there, &table, &[1, 2]).await;
            there.invalidate_pattern("nothing:*").await.unwrap();
            let fault = if lost { Fault::lose_reply } else { Fault::fail };
            chaos.inject(fault(ErrorKind::Timeout).on(operation).times(1));
            let all = in_time("the batch ends", rows(&here, &table, &[1, 2, 3])).await;
            assert_eq!(all.len(), 3, "{operation:?}");
            // The pattern log may have been read in the background, which is no call of anybody.
            let met = here.stats().shared_timeouts;
            assert!(met == 1 || operation == Patterns, "{operation:?} was met {met} times");
            let all = rows(&on(&store).await, &table, &[1, 2, 3]).await;
            assert_eq!(all.values().map(|row| row.version).collect::<Vec<_>>(), [1, 1, 1]);
        }
    }
}

#[tokio::test]
async fn an_invalidation_that_is_not_confirmed_keeps_its_element_from_being_served() {
    let (store, table) = (MemoryStore::new(), Table::new());
    let (cache, chaos) = with_faults(&store).await;
    rows(&cache, &table, &[1, 2, 3]).await;
    table.asked();
    let fault = Fault::fail(ErrorKind::Timeout).on(Operation::Invalidate);
    chaos.inject(fault);
    rows_entry(&cache, 2).invalidate().await.unwrap_err();
    table.version.store(2, SeqCst);
    let all = rows(&cache, &table, &[1, 2, 3]).await;
    assert_eq!([all[&1].version, all[&2].version, all[&3].version], [1, 2, 1]);
    assert_eq!(table.asked(), [[2]]);
}

// By hand.

#[tokio::test]
async fn get_many_answers_in_order_and_asks_once_for_what_memory_does_not_have() {
    let store = MemoryStore::new();
    let (there, (here, trips)) = (on(&store).await, process(&store).await);
    there.set("b", &2_u64).await.unwrap();
    there.set("c", &"text".to_owned()).await.unwrap();
    here.set("a", &1_u64).await.unwrap();
    let before = trips.calls();
    let keys = ["b", "a", "missing", "c", "b"];
    let reading = tokio::spawn({
        let here = here.clone();
        async move { here.get_many::<u64, _>(keys).await }
    });
    let all = in_time("they are read", reading).await.unwrap().unwrap();
    assert_eq!(all, [Some(2), Some(1), None, None, Some(2)]);
    expect(trips.calls() - before, [(Operation::ReadMany, 1)]);
    let before = trips.calls();
    assert_eq!(here.get_many::<u64, _>(["a", "b"]).await.unwrap(), [Some(1), Some(2)]);
    expect(trips.calls() - before, []);
    assert!(here.get_many::<u64, _>(Vec::<String>::new()).await.unwrap().is_empty());
    assert!(here.get_many::<u64, _>(["a", ""]).await.is_err());
}

#[tokio::test]
async fn get_many_keeps_what_it_found_and_says_when_the_shared_tier_answers_for_nothing() {
    let (cache, chaos) = with_faults(&MemoryStore::new()).await;
    cache.set("a", &1_u64).await.unwrap();
    chaos.down_for(ErrorKind::Unavailable, |key| key == "b");
    assert_eq!(cache.get_many::<u64, _>(["a", "c"]).await.unwrap(), [Some(1), None]);
    let before = cache.stats().shared_errors;
    assert_eq!(cache.get_many::<u64, _>(["a", "b", "c"]).await.unwrap(), [Some(1), None, None]);
    assert_eq!(cache.get_many::<u64, _>(["c", "b"]).await.unwrap(), [None, None], "c is answered");
    assert_eq!(cache.get_many::<u64, _>(["a", "b"]).await.unwrap(), [Some(1), None], "a in memory");
    assert_eq!(cache.stats().shared_errors - before, 3);
    let error = cache.get_many::<u64, _>(["b"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn set_many_stores_all_in_two_round_trips_with_their_ttl_and_tags() {
    let store = MemoryStore::new();
    let (there, (here, trips)) = (on(&store).await, process(&store).await);
    let values: HashMap<String, u64> = (0..100).map(|n| (format!("n:{n}"), n)).collect();
    here.set_many(&values).ttl("5m").tags(["numbers"]).await.unwrap();
    expect(trips.calls(), [(Operation::BeginMany, 1), (Operation::FinishMany, 1)]);
    let keys: Vec<&String> = values.keys().collect();
    for cache in [&here, &there] {
        let all = cache.get_many::<u64, _>(&keys).await.unwrap();
        assert!(keys.iter().zip(all).all(|(key, value)| value == values.get(*key).copied()));
    }
    here.invalidate_tags(["numbers"]).await.unwrap();
    let fresh = on(&store).await;
    assert!(fresh.get_many::<u64, _>(&keys).await.unwrap().iter().all(Option::is_none));
}

#[tokio::test]
async fn set_many_works_in_memory_alone_and_of_a_key_given_twice_the_last_value_stays() {
    for cache in [Cache::memory(), on(&MemoryStore::new()).await] {
        cache.set_many([("a", &1_u8), ("b", &2), ("a", &3)]).await.unwrap();
        assert_eq!(cache.get_many::<u8, _>(["a", "b"]).await.unwrap(), [Some(3), Some(2)]);
        cache.set_many([("", &1_u8); 0]).await.unwrap();
        let error = cache.set_many([("c", &1_u8), ("", &2)]).await.unwrap_err();
        assert_eq!(error.operation(), Some("set_many"));
        assert!(cache.set_many([("c", &1_u8)]).ttl("soon").await.is_err());
        assert_eq!(cache.get::<u8>("c").await.unwrap(), None, "nothing was stored");
    }
}

#[tokio::test]
async fn set_many_says_which_keys_are_not_stored() {
    use std::error::Error as _;
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    cache.set("b", &0_u8).await.unwrap();
    chaos.down_for(ErrorKind::Unavailable, |key| key == "b");
    let error = cache.set_many([("a", &1_u8), ("b", &2), ("c", &3)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("1 of 3 values are not stored (`b`)"), "{error}");
    let source = error.source().unwrap().downcast_ref::<NotStored>().unwrap();
    assert_eq!(source.keys(), ["b"]);
    assert_eq!(cache.get_many::<u8, _>(["a", "c"]).await.unwrap(), [Some(1), Some(3)]);
    chaos.up();
    let confirmed = async {
        while cache.health().await.waiting_invalidations > 0 {
            tokio::task::yield_now().await;
        }
    };
    in_time("the invalidation is confirmed", confirmed).await;
    assert_eq!(on(&store).await.get::<u8>("b").await.unwrap(), None, "and not the old value");
}

#[tokio::test]
async fn set_many_whose_end_nobody_hears_of_invalidates() {
    for operation in [Operation::BeginMany, Operation::FinishMany] {
        let (cache, chaos) = with_faults(&MemoryStore::new()).await;
        chaos.inject(Fault::lose_reply(ErrorKind::Timeout).on(operation).times(1));
        let error = cache.set_many([("a", &1_u8), ("b", &2)]).await.unwrap_err();
        assert!(error.to_string().contains("2 of 2"), "{error}");
        for key in ["a", "b"] {
            assert_eq!(cache.get::<u8>(key).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn a_value_that_another_write_overtakes_is_set_again_and_the_others_only_once() {
    let store = MemoryStore::new();
    let (there, (here, chaos)) = (on(&store).await, with_faults(&store).await);
    let gate = chaos.hold(Operation::FinishMany);
    let setting = tokio::spawn({
        let cache = here.clone();
        async move { cache.set_many([("a", &1_u8), ("b", &2)]).await }
    });
    gate.arrived(1).await;
    there.invalidate("a").await.unwrap();
    gate.open();
    in_time("the set ends", setting).await.unwrap().unwrap();
    let calls = chaos.inner().calls();
    assert_eq!(calls.of(Operation::FinishMany), 2);
    assert_eq!(there.get_many::<u8, _>(["a", "b"]).await.unwrap(), [Some(1), Some(2)]);
}

#[tokio::test]
async fn set_many_that_is_dropped_ends_as_an_invalidation() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    cache.set_many([("a", &1_u8), ("b", &1)]).await.unwrap();
    let gate = chaos.hold(Operation::FinishMany);
    let setting = tokio::spawn({
        let cache = cache.clone();
        async move { cache.set_many([("a", &2_u8), ("b", &2)]).await }
    });
    gate.arrived(1).await;
    setting.abort();
    assert!(setting.await.unwrap_err().is_cancelled());
    gate.open();
    let other = on(&store).await;
    for key in ["a", "b"] {
        assert_eq!(cache.get::<u8>(key).await.unwrap(), None);
        assert_eq!(other.get::<u8>(key).await.unwrap(), None);
    }
}

#[tokio::test]
async fn get_or_set_and_a_batch_are_apart_from_values_set_by_hand_of_another_type() {
    let (cache, table) = (on(&MemoryStore::new()).await, Table::new());
    let by_hand = Row { id: 1, group: 1, version: 9 };
    cache.set_many([("plain:1", &by_hand)]).await.unwrap();
    cache.set_many([("plain:2", &7_u8)]).await.unwrap();
    let all = plain(&cache, &table, &[1, 2]).await;
    assert_eq!((all[&1].version, all[&2].version), (9, 1));
    assert_eq!(table.asked(), [[2]]);
}
