//! Futures that are dropped half-way.

use super::*;

static LEASED: Spec<u64> = function().lease(60_000, None);

#[tokio::test]
async fn a_lease_is_given_back_however_its_load_ends_without_storing() {
    for how in ["fill fails", "dropped while it fills", "dropped while it loads"] {
        let store = MemoryStore::new();
        let (cache, chaos) = with_faults(&store).await;
        let slow = Arc::new(Slow::default());
        let gate = chaos.hold(Operation::Fill);
        let load = start(&LEASED, &cache, &slow, 1);
        slow.began.notified().await;
        match how {
            "fill fails" => {
                chaos.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Fill));
                slow.end.notify_one();
                gate.open();
                assert_eq!(load.await.unwrap(), 1);
            }
            "dropped while it fills" => {
                slow.end.notify_one();
                gate.arrived(1).await;
                load.abort();
            }
            _ => load.abort(),
        }
        until(|| chaos.inner().calls().of(Operation::Release) == 1).await;
    }
}

#[tokio::test]
async fn a_lease_is_given_back_when_a_learned_tag_was_invalidated() {
    static SPEC: Spec<u64> = function()
        .lease(60_000, None)
        .learned(&["v:", ""], |value, _, tags| tags.add(&["v:", ""], &[value]));
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let slow = Arc::new(Slow::default());
    let load = start(&SPEC, &cache, &slow, 1);
    slow.began.notified().await;
    on(&store).await.invalidate_tags(["v:1"]).await.unwrap();
    slow.end.notify_one();
    assert_eq!(load.await.unwrap(), 1);
    until(|| chaos.inner().calls().of(Operation::Release) == 1).await;
    assert_eq!(get(&cache).await, None);
}

#[tokio::test]
async fn a_leader_that_is_dropped_while_it_stores_hands_its_value_to_those_who_wait() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    let slow = Arc::new(Slow::default());
    let gate = chaos.hold(Operation::Fill);
    let leader = start(&PLAIN, &cache, &slow, 1);
    slow.began.notified().await;
    let waiter = start(&PLAIN, &cache, &slow, 2);
    coalesced(&cache, 1).await;
    slow.end.notify_one();
    gate.arrived(1).await;
    leader.abort();
    assert_eq!(waiter.await.unwrap(), 1);
    assert_eq!(slow.runs.load(SeqCst), 1);
}

type Failing = Result<u64, Infallible>;

#[tokio::test]
async fn a_writer_that_is_dropped_once_its_body_began_invalidates_what_it_would_have() {
    for how in ["in the body", "while it stores", "while it invalidates"] {
        let store = MemoryStore::new();
        let (cache, chaos) = with_faults(&store).await;
        cache.set("k:1", &1u64).await.unwrap();
        cache.set("list", &1u64).await.unwrap();
        let slow = Arc::new(Slow::default());
        let step = if how == "while it stores" { Operation::Finish } else { Operation::Invalidate };
        let gate = chaos.hold(step);
        let write = write_through(entry(&PLAIN, given(&cache), &[&1u64])).key(&["list"], &[]);
        let body = slow.clone().load(2);
        let write = tokio::spawn(write.run::<ResultShape, Failing, _>(async { Ok(body.await) }));
        slow.began.notified().await;
        if how != "in the body" {
            slow.end.notify_one();
            gate.arrived(1).await;
        }
        write.abort();
        assert!(write.await.unwrap_err().is_cancelled());
        assert_eq!(cache.get::<u64>("list").await.unwrap(), None, "{how}: here at once");
        gate.open();
        confirmed(&cache).await;
        assert_eq!(on(&store).await.get::<u64>("list").await.unwrap(), None, "{how}");
    }
}

#[tokio::test]
async fn an_entry_that_only_the_value_tells_is_invalidated_when_its_writer_is_dropped() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    cache.set("k:1", &1u64).await.unwrap();
    let gate = chaos.hold(Operation::Begin);
    let (inner, write) = (cache.clone(), writer::<u64>(given(&cache)));
    let write = write.after(move |value, after| {
        after.entry(entry(&PLAIN, given(&inner), &[value]));
    });
    let write = tokio::spawn(write.run::<PlainShape, _, _>(async { 1 }));
    gate.arrived(1).await;
    write.abort();
    assert!(write.await.unwrap_err().is_cancelled());
    gate.open();
    confirmed(&cache).await;
    assert_eq!(on(&store).await.get::<u64>("k:1").await.unwrap(), None);
}

#[tokio::test]
async fn a_value_that_is_set_invalidates_its_key_when_it_is_dropped_before_it_is_announced() {
    let store = MemoryStore::new();
    let (cache, chaos) = with_faults(&store).await;
    cache.set("k:1", &1u64).await.unwrap();
    let gate = chaos.hold(Operation::Begin);
    let set = tokio::spawn({
        let cache = cache.clone();
        async move { cache.set("k:1", &2u64).await }
    });
    gate.arrived(1).await;
    set.abort();
    assert!(set.await.unwrap_err().is_cancelled());
    assert_eq!(get(&cache).await, None, "here at once");
    confirmed(&cache).await;
    assert_eq!(get(&on(&store).await).await, None);
}

#[tokio::test]
async fn a_writer_whose_body_fails_invalidates_nothing_but_its_entry() {
    let cache = Cache::memory();
    cache.set("k:1", &1u64).await.unwrap();
    cache.set("list", &1u64).await.unwrap();
    let write = write_through(entry(&PLAIN, given(&cache), &[&1u64])).key(&["list"], &[]);
    let failed = write.run::<ResultShape, Result<u64, &str>, _>(async { Err("no") });
    assert_eq!(failed.await, Err("no"));
    assert_eq!(get(&cache).await, None);
    assert_eq!(cache.get::<u64>("list").await.unwrap(), Some(1));
}

#[test]
fn a_sync_writer_whose_body_panics_invalidates_what_it_would_have() {
    let cache = Cache::memory();
    let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
    rt.block_on(async { cache.set("list", &1u64).await.unwrap() });
    let write = writer::<u64>(given(&cache)).key(&["list"], &[]);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        write.run_sync::<PlainShape, u64>(|| std::panic::panic_any("on purpose"))
    }));
    assert!(panicked.is_err());
    assert_eq!(rt.block_on(cache.get::<u64>("list")).unwrap(), None);
}
