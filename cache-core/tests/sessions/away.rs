//! A shared tier that cannot be asked.

use cache_core::{Error, Event, Result};
use cache_store::testing::Fault;
use tokio::time::Instant;

use super::*;

/// Each operation once: what it answers, or its error.
async fn all(sessions: &Sessions, id: &SessionId) -> Vec<Result<()>> {
    vec![
        sessions.create("42", vec![]).await.map(|_| ()),
        sessions.create_anonymous(vec![]).await.map(|_| ()),
        sessions.get(id).await.map(|_| ()),
        sessions.peek(id).await.map(|_| ()),
        sessions.update(id, &vec![]).await.map(|_| ()),
        sessions.modify(id, |_| ()).await.map(|_| ()),
        sessions.rotate(id).await.map(|_| ()),
        sessions.sign_in(id, "42").await.map(|_| ()),
        sessions.user_sessions("42").await.map(|_| ()),
        sessions.invalidate_user_sessions("42").await.map(|_| ()),
        sessions.delete(id).await.map(|_| ()),
    ]
}

#[tokio::test(start_paused = true)]
async fn when_the_shared_tier_is_away_every_operation_is_an_error_and_never_no_session() {
    let (chaos, sessions, _) = failing().await;
    let id = id(&sessions.create("42", vec![7]).await.unwrap());
    // So that it was seen just now.
    assert!(lives(&sessions, &id).await);
    for kind in [
        ErrorKind::Unavailable,
        ErrorKind::Timeout,
        ErrorKind::Refused,
        ErrorKind::Overloaded,
        ErrorKind::Unauthorized,
        ErrorKind::Protocol,
    ] {
        chaos.down(kind);
        for answer in all(&sessions, &id).await {
            let error: Error = answer.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.operation().is_some_and(|named| !named.contains("session_")), "{error}");
        }
        chaos.up();
        assert_eq!(*sessions.get(&id).await.unwrap().unwrap().data(), [7], "{kind:?}");
        assert_eq!(sessions.user_sessions("42").await.unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_once_and_so_is_its_end() {
    let store = Arc::new(ChaosStore::new(MemoryStore::new()));
    let cache = on(store.clone()).await;
    let sessions = Sessions::new(&cache);
    let id = id(&sessions.create("42", vec![7]).await.unwrap());
    let mut events = cache.events();
    store.down(ErrorKind::Unavailable);
    for _ in 0..3 {
        sessions.get(&id).await.unwrap_err();
    }
    store.up();
    for _ in 0..3 {
        sessions.get(&id).await.unwrap();
    }
    let told: Vec<Event> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(matches!(told[..], [Event::SharedDown { .. }, Event::SharedUp]), "{told:?}");
    assert_eq!(cache.stats().shared_errors, 3);
}

#[tokio::test(start_paused = true)]
async fn a_silent_shared_tier_delays_an_operation_by_one_deadline() {
    let (chaos, sessions, _) = failing().await;
    let id = id(&sessions.create("42", vec![7]).await.unwrap());
    let deadline = Duration::from_millis(200);
    chaos.inject(Fault::drop_request(deadline).on(Operation::Sessions));
    for _ in 0..2 {
        let since = Instant::now();
        assert!(all(&sessions, &id).await.iter().all(Result::is_err));
        assert_eq!(since.elapsed(), 11 * deadline);
    }
    chaos.calm();
    assert!(lives(&sessions, &id).await);
}

#[tokio::test(start_paused = true)]
async fn an_end_whose_answer_was_lost_has_been_made() {
    let (chaos, sessions, other) = failing().await;
    let one = id(&sessions.create("42", vec![]).await.unwrap());
    let two = id(&sessions.create("42", vec![]).await.unwrap());
    chaos.inject(Fault::drop_reply(Duration::from_millis(200)).on(Operation::Sessions));
    sessions.delete(&one).await.unwrap_err();
    sessions.invalidate_user_sessions("42").await.unwrap_err();
    chaos.calm();
    for session in [one, two] {
        assert!(!lives(&other, &session).await);
        assert!(!sessions.delete(&session).await.unwrap(), "asked again");
    }
}
