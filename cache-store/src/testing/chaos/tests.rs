use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::*;
use crate::testing::MemoryStore;
use crate::{Claim, Fill, Invalidation, Life, Query};

const LIFE: Life = Life::For(Duration::from_secs(60));

fn chaos() -> Arc<ChaosStore<MemoryStore>> {
    Arc::new(ChaosStore::new(MemoryStore::new()))
}

fn claim(key: &str) -> Claim<'_> {
    Claim {
        key,
        tags: &[],
        lease: None,
        refused: &[],
        known: None,
        tag_log: false,
        dependency_life: LIFE,
    }
}

async fn filled(store: &ChaosStore<MemoryStore>, payload: &[u8]) -> Vec<u8> {
    let claimed = store.claim(claim("key")).await.unwrap();
    let ClaimOutcome::Load(nonce) = claimed.outcome else { panic!("{claimed:?}") };
    let bytes = [nonce.as_bytes(), payload].concat();
    let value = &bytes;
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
    bytes
}

#[tokio::test]
async fn a_fault_strikes_its_operation_so_many_times_and_no_other() {
    let store = chaos();
    store.inject(Fault::fail(ErrorKind::Refused).on(Operation::Patterns).times(2));
    assert!(store.tag_nonces(&[]).await.is_ok());
    assert_eq!(store.patterns().await.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(store.patterns().await.unwrap_err().operation(), Some("patterns"));
    assert!(store.patterns().await.is_ok());
}

#[tokio::test]
async fn an_operation_that_fails_has_no_effect_and_one_whose_reply_is_lost_has() {
    let store = chaos();
    let what = Invalidation::Pattern("a*".into());
    store.inject(Fault::fail(ErrorKind::Timeout).times(1));
    store.inject(Fault::lose_reply(ErrorKind::Timeout).times(1));
    store.invalidate(&what).await.unwrap_err();
    assert_eq!(store.inner().patterns().await.unwrap()[0].what.to_text(), "");
    store.invalidate(&what).await.unwrap_err();
    assert_eq!(store.inner().patterns().await.unwrap()[1].what.to_text(), "a*");
}

#[tokio::test]
async fn a_store_that_is_down_fails_everything_and_holds_nobody_up() {
    let store = chaos();
    store.down(ErrorKind::Unavailable);
    assert!(store.patterns().await.is_err());
    assert!(store.claim(claim("key")).await.is_err());
    assert_eq!(store.health().await.error.unwrap().kind(), ErrorKind::Unavailable);
    store.lease_ended("key", Duration::MAX).await;
    assert_eq!(store.inner().calls().round_trips(), 0);
    store.up();
    assert!(store.patterns().await.is_ok());
}

#[tokio::test]
async fn a_held_operation_has_had_no_effect_and_a_held_reply_has() {
    for (reply, seen) in [(false, 1), (true, 2)] {
        let store = chaos();
        store.patterns().await.unwrap();
        let gate = if reply {
            store.hold_reply(Operation::Invalidate)
        } else {
            store.hold(Operation::Invalidate)
        };
        let held = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.invalidate(&Invalidation::Pattern("a*".into())).await }
        });
        gate.arrived(1).await;
        assert_eq!(store.patterns().await.unwrap().len(), seen);
        assert!(!held.is_finished());
        drop(gate);
        held.await.unwrap().unwrap();
        assert_eq!(store.patterns().await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_store_that_hangs_goes_on_when_it_is_calmed() {
    let store = chaos();
    let gate = store.hang();
    let held = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.health().await }
    });
    gate.arrived(1).await;
    store.calm();
    assert!(held.await.unwrap().reachable);
    assert!(store.patterns().await.is_ok());
}

#[tokio::test]
async fn altered_bytes_reach_readers_and_claims_while_the_store_keeps_its_own() {
    let store = chaos();
    let bytes = filled(&store, b"payload").await;
    store.alter_values(|key, mut bytes| {
        assert_eq!(key, "key");
        bytes.truncate(3);
        Some(bytes)
    });
    let query = Query { key: "key", tags: &[], pattern: true, life: false };
    assert_eq!(store.read(query).await.unwrap().value.unwrap(), bytes[..3]);
    let claimed = store.claim(claim("key")).await.unwrap();
    let ClaimOutcome::Found { value, .. } = claimed.outcome else { panic!("{claimed:?}") };
    assert_eq!(value, bytes[..3]);
    store.alter_values(|_, _| None);
    assert_eq!(store.read(query).await.unwrap().value, None);
    store.keep_values();
    assert_eq!(store.read(query).await.unwrap().value.unwrap(), bytes);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults_and_another_seed_others() {
    async fn faults(seed: u64) -> Vec<Option<ErrorKind>> {
        let store = chaos();
        store.random_faults(seed, 0.5);
        let mut out = Vec::new();
        for _ in 0..64 {
            out.push(store.patterns().await.err().map(|error| error.kind()));
        }
        out
    }
    assert_eq!(faults(1).await, faults(1).await);
    assert_ne!(faults(1).await, faults(2).await);
    assert!(faults(1).await.contains(&None));
}

#[tokio::test(start_paused = true)]
async fn a_delayed_operation_takes_effect_late_and_succeeds() {
    let store = chaos();
    store.inject(Fault::delay(Duration::from_secs(60)).on(Operation::Invalidate).times(1));
    let sent = Instant::now();
    let late = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.invalidate(&Invalidation::Pattern("a*".into())).await }
    });
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(store.patterns().await.unwrap().len(), 1, "others are not delayed");
    late.await.unwrap().unwrap();
    assert_eq!(sent.elapsed(), Duration::from_secs(60));
    assert_eq!(store.patterns().await.unwrap().len(), 2);
    store.invalidate(&Invalidation::All).await.unwrap();
    assert_eq!(sent.elapsed(), Duration::from_secs(60), "one of them was enough");
}

#[tokio::test(start_paused = true)]
async fn a_lost_message_is_a_timeout_after_the_deadline_and_only_a_lost_reply_has_had_an_effect() {
    let deadline = Duration::from_millis(200);
    for (fault, records) in [(Fault::drop_request(deadline), 1), (Fault::drop_reply(deadline), 2)] {
        let store = chaos();
        store.patterns().await.unwrap();
        store.inject(fault.on(Operation::Invalidate));
        let sent = Instant::now();
        let (lost, ()) = tokio::join!(
            async { store.invalidate(&Invalidation::Pattern("a*".into())).await },
            async {
                tokio::time::sleep(deadline / 2).await;
                let there = store.patterns().await.unwrap().len();
                assert_eq!(there, records, "at once or never");
            }
        );
        assert_eq!(lost.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(sent.elapsed(), deadline);
        assert_eq!(store.patterns().await.unwrap().len(), records);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_lease_can_be_delayed_and_lost_like_everything() {
    let store = chaos();
    let minute = Duration::from_secs(60);
    store.inject(Fault::delay(minute).on(Operation::LeaseEnded).times(1));
    store.inject(Fault::drop_request(minute).on(Operation::LeaseEnded).times(1));
    let began = Instant::now();
    store.lease_ended("key", Duration::MAX).await;
    store.lease_ended("key", Duration::MAX).await;
    assert_eq!(began.elapsed(), 2 * minute);
}

#[tokio::test]
async fn corrupt_bytes_reach_readers_and_claims_while_the_store_keeps_its_own() {
    let store = chaos();
    let bytes = filled(&store, b"payload").await;
    let query = Query { key: "key", tags: &[], pattern: true, life: false };
    store.corrupt_values(1, 1.0);
    for _ in 0..20 {
        assert_ne!(store.read(query).await.unwrap().value.unwrap(), bytes);
        let claimed = store.claim(claim("key")).await.unwrap();
        let ClaimOutcome::Found { value, .. } = claimed.outcome else { panic!("{claimed:?}") };
        assert_ne!(value, bytes);
    }
    store.calm();
    assert_eq!(store.read(query).await.unwrap().value.unwrap(), bytes);
}

#[tokio::test]
async fn keys_that_are_lost_are_lost_for_single_steps_and_for_many() {
    let store = chaos();
    store.down_for(ErrorKind::Unavailable, |key| key == "lost");
    let all = store.claim_many(&[claim("a"), claim("lost"), claim("b")]).await;
    assert!(matches!(all[..], [Ok(_), Err(_), Ok(_)]), "{all:?}");
    assert_eq!(all[1].as_ref().unwrap_err().operation(), Some("claim_many"));
    assert!(store.claim(claim("a")).await.is_ok());
    assert!(store.claim(claim("lost")).await.is_err());
    let query = Query { key: "lost", tags: &[], pattern: true, life: false };
    assert_eq!(store.inner().read(query).await.unwrap().key_nonce, None, "it had no effect");
    store.up();
    assert!(store.claim(claim("lost")).await.is_ok());
}

#[tokio::test]
async fn a_fault_strikes_every_answer_of_many() {
    let store = chaos();
    store.inject(Fault::fail(ErrorKind::Timeout).on(Operation::ReadMany).times(1));
    let query = Query { key: "key", tags: &[], pattern: true, life: false };
    assert!(store.read_many(&[query, query]).await.iter().all(Result::is_err));
    assert!(store.read_many(&[query, query]).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn values_are_altered_where_many_are_read_too() {
    let store = chaos();
    filled(&store, b"value").await;
    store.alter_values(|_, _| None);
    let query = Query { key: "key", tags: &[], pattern: true, life: false };
    let readings = store.read_many(&[query]).await;
    assert_eq!(readings[0].as_ref().unwrap().value, None);
    let claimed = store.claim_many(&[claim("key")]).await.remove(0).unwrap();
    assert!(matches!(claimed.outcome, ClaimOutcome::Found { value, .. } if value.is_empty()));
}
