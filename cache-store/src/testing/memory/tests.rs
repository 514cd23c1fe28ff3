use super::*;
use crate::ClaimOutcome;

const LIFE: Life = Life::For(Duration::from_secs(60));

fn claim(key: &str, lease: Option<Lease>) -> Claim<'_> {
    Claim {
        key,
        tags: &[],
        lease,
        refused: &[],
        known: None,
        tag_log: false,
        dependency_life: LIFE,
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_governs_leases() {
    let store = MemoryStore::new();
    let lease = Lease { token: Nonce::random().unwrap(), life: Duration::from_secs(3600) };
    store.claim(claim("key", Some(lease))).await.unwrap();
    let start = Instant::now();
    store.lease_ended("key", Duration::from_secs(7200)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(3600));
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_lease_gives_up_when_told_to() {
    let store = MemoryStore::new();
    let lease = Lease { token: Nonce::random().unwrap(), life: Duration::from_secs(3600) };
    store.claim(claim("key", Some(lease))).await.unwrap();
    let start = Instant::now();
    store.lease_ended("key", Duration::from_secs(2)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_lease_wakes_its_waiter_without_any_time_passing() {
    let store = MemoryStore::new();
    let lease = Lease { token: Nonce::random().unwrap(), life: Duration::from_secs(3600) };
    let claimed = store.claim(claim("key", Some(lease))).await.unwrap();
    let ClaimOutcome::Load(nonce) = claimed.outcome else { panic!("{claimed:?}") };
    let start = Instant::now();
    let (waiter, releaser) = (store.clone(), store.connect());
    tokio::join!(waiter.lease_ended("key", Duration::from_secs(7200)), async {
        yield_now().await;
        releaser.release("key", nonce, lease.token).await.unwrap();
    });
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_ends_the_lease_of_the_load_it_overtook() {
    let store = MemoryStore::new();
    let lease = Lease { token: Nonce::random().unwrap(), life: Duration::from_secs(3600) };
    store.claim(claim("key", Some(lease))).await.unwrap();
    store.invalidate(&Invalidation::Keys(vec!["key".into()])).await.unwrap();
    let start = Instant::now();
    store.lease_ended("key", Duration::from_secs(7200)).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn handles_share_the_tier_but_connections_count_for_themselves() {
    let one = MemoryStore::new();
    let (same, other) = (one.clone(), one.connect());
    one.claim(claim("key", None)).await.unwrap();
    same.claim(claim("key", None)).await.unwrap();
    assert_eq!(one.calls().of(Operation::Claim), 2);
    assert_eq!(other.calls(), Calls::default());
    let query = Query { key: "key", tags: &[], pattern: true, life: false };
    assert!(other.read(query).await.unwrap().key_nonce.is_some());
}

#[tokio::test]
async fn a_request_dropped_before_its_first_wait_is_over_has_no_effect_and_a_later_one_has() {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };
    let store = MemoryStore::new();
    let what = Invalidation::Pattern("a*".into());
    let mut context = Context::from_waker(Waker::noop());
    for (polls, records) in [(1, 1), (2, 2)] {
        {
            let mut request = pin!(store.invalidate(&what));
            for _ in 0..polls {
                assert!(matches!(request.as_mut().poll(&mut context), Poll::Pending));
            }
        }
        assert_eq!(store.patterns().await.unwrap().len(), records);
    }
}

#[tokio::test]
async fn a_flush_brings_back_neither_nonces_nor_logs() {
    let store = MemoryStore::new();
    let claimed = store.claim(claim("key", None)).await.unwrap();
    store.flush();
    let again = store.claim(claim("key", None)).await.unwrap();
    assert_ne!(claimed.outcome, again.outcome);
    assert_ne!(claimed.patterns, again.patterns);
}

#[tokio::test]
async fn an_eviction_takes_the_value_and_leaves_the_dependency() {
    let store = MemoryStore::new();
    let claimed = store.claim(claim("key", None)).await.unwrap();
    let ClaimOutcome::Load(nonce) = claimed.outcome else { panic!("{claimed:?}") };
    let value = nonce.as_bytes();
    let fill = Fill {
        key: "key",
        nonce,
        value,
        tags: &[],
        life: LIFE,
        token: None,
        dependency_life: LIFE,
    };
    assert!(store.fill(fill).await.unwrap());
    store.evict("key");
    let reading =
        store.read(Query { key: "key", tags: &[], pattern: true, life: true }).await.unwrap();
    assert_eq!((reading.value, reading.key_nonce, reading.life), (None, Some(nonce), None));
}
