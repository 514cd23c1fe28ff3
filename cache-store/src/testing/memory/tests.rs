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
        announced: false,
    };
    assert!(store.fill(fill).await.unwrap());
    store.evict("key");
    let reading =
        store.read(Query { key: "key", tags: &[], pattern: true, life: true }).await.unwrap();
    assert_eq!((reading.value, reading.key_nonce, reading.life), (None, Some(nonce), None));
}

#[tokio::test]
async fn a_fill_is_told_of_only_when_it_is_announced() {
    struct Ears(Mutex<Vec<String>>);
    impl Listener for Ears {
        fn hear(&self, news: News<'_>) {
            lock(&self.0).push(format!("{news:?}"));
        }
    }
    let store = MemoryStore::new();
    let ClaimOutcome::Load(nonce) = store.claim(claim("key", None)).await.unwrap().outcome else {
        panic!("it is empty")
    };
    let ears = Arc::new(Ears(Mutex::default()));
    let listener: Arc<dyn Listener> = ears.clone();
    assert!(store.listen(Arc::downgrade(&listener)));
    lock(&ears.0).clear();
    for (announced, told) in [(false, 0), (true, 1)] {
        let fill = Fill {
            key: "key",
            nonce,
            value: nonce.as_bytes(),
            tags: &[],
            // Shorter than the dependency's, which need not be prolonged.
            life: Life::For(Duration::from_secs(1)),
            token: None,
            dependency_life: LIFE,
            announced,
        };
        assert!(store.fill(fill).await.unwrap());
        let heard = lock(&ears.0).clone();
        assert_eq!(heard, vec![r#"Key("key")"#; told]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tier_that_went_back_has_what_was_invalidated_since_the_snapshot() {
    let store = MemoryStore::new();
    let what = Invalidation::Keys(vec!["key".to_owned()]);
    let ClaimOutcome::Load(nonce) = store.claim(claim("key", None)).await.unwrap().outcome else {
        panic!("the tier was empty")
    };
    let snapshot = store.snapshot();
    store.invalidate(&what).await.unwrap();
    store.restore(&snapshot);
    let ClaimOutcome::Load(again) = store.claim(claim("key", None)).await.unwrap().outcome else {
        panic!("nothing was stored")
    };
    assert_eq!(again, nonce);
}

#[tokio::test(start_paused = true)]
async fn a_dependency_or_a_tag_that_is_evicted_comes_back_under_another_nonce() {
    let store = MemoryStore::new();
    let tags = ["tag".to_owned()];
    let claim = Claim { tags: &tags, ..claim("key", None) };
    let before = store.claim(claim).await.unwrap();
    store.evict_tag("tag");
    let tag = store.claim(claim).await.unwrap();
    assert_ne!(tag.tag_nonces, before.tag_nonces);
    assert_eq!(tag.outcome, before.outcome);
    store.evict_dependency("key");
    assert_ne!(store.claim(claim).await.unwrap().outcome, before.outcome);
}
