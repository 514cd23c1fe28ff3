//! What comes between the steps of an operation.

use std::sync::Mutex;

use cache_store::testing::Gate;
use tokio::task::JoinSet;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_change_that_was_under_way_does_not_bring_a_session_back() {
    for all in [false, true] {
        let (chaos, sessions, other) = failing().await;
        let id = id(&sessions.create("42", vec![7]).await.unwrap());
        let gate = Arc::new(Mutex::new(None::<Gate>));
        let changing = tokio::spawn({
            let (chaos, gate, sessions, id) =
                (chaos.clone(), gate.clone(), sessions.clone(), id.clone());
            async move {
                // The session was read; what follows is the write.
                let hold = |_: &mut Vec<u32>| {
                    *gate.lock().unwrap() = Some(chaos.hold(Operation::Sessions));
                };
                sessions.modify(&id, hold).await.unwrap()
            }
        });
        while gate.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        let gate = gate.lock().unwrap().take().unwrap();
        gate.arrived(1).await;
        match all {
            true => assert_eq!(other.invalidate_user_sessions("42").await.unwrap(), 1),
            false => assert!(other.delete(&id).await.unwrap()),
        }
        gate.open();
        assert!(changing.await.unwrap().is_none());
        assert!(!lives(&sessions, &id).await);
        assert!(sessions.user_sessions("42").await.unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_id_that_was_under_way_does_not_bring_a_session_back() {
    for sign_in in [false, true] {
        let (chaos, sessions, other) = failing().await;
        let id = id(&sessions.create("42", vec![7]).await.unwrap());
        // It is read, and the answer is on its way.
        let gate = chaos.hold_reply(Operation::Sessions);
        let changing = tokio::spawn({
            let (sessions, id) = (sessions.clone(), id.clone());
            async move {
                match sign_in {
                    true => sessions.sign_in(&id, "42").await.unwrap(),
                    false => sessions.rotate(&id).await.unwrap(),
                }
            }
        });
        gate.arrived(1).await;
        assert_eq!(other.invalidate_user_sessions("42").await.unwrap(), 1);
        gate.open();
        assert!(changing.await.unwrap().is_none(), "sign_in: {sign_in}");
        assert!(sessions.user_sessions("42").await.unwrap().is_empty(), "sign_in: {sign_in}");
    }
}

#[tokio::test(start_paused = true)]
async fn use_that_was_under_way_does_not_bring_a_session_back() {
    let (chaos, sessions, other) = failing().await;
    let id = id(&sessions.create("42", vec![7]).await.unwrap());
    let gate = chaos.hold(Operation::Sessions);
    let using = tokio::spawn({
        let (sessions, id) = (sessions.clone(), id.clone());
        async move { sessions.get(&id).await.unwrap() }
    });
    gate.arrived(1).await;
    assert!(other.delete(&id).await.unwrap());
    gate.open();
    assert!(using.await.unwrap().is_none());
    assert!(!lives(&sessions, &id).await);
}

#[tokio::test]
async fn no_change_is_lost_where_many_are_made() {
    for cache in [alone().await.0, on(Arc::new(MemoryStore::new())).await] {
        let sessions = Sessions::new(&cache);
        let id = id(&sessions.create("42", vec![]).await.unwrap());
        let mut tasks = JoinSet::new();
        for number in 0..6 {
            let (sessions, id) = (sessions.clone(), id.clone());
            tasks.spawn(async move {
                sessions.modify(&id, |data| data.push(number)).await.unwrap().unwrap();
            });
        }
        tasks.join_all().await;
        let mut data = sessions.get(&id).await.unwrap().unwrap().into_data();
        data.sort_unstable();
        assert_eq!(data, [0, 1, 2, 3, 4, 5]);
    }
}

#[tokio::test]
async fn of_many_who_change_the_id_one_gets_the_session() {
    for sign_in in [false, true] {
        let sessions = Sessions::new(&on(Arc::new(MemoryStore::new())).await);
        let id = id(&sessions.create("42", vec![7]).await.unwrap());
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (sessions, id) = (sessions.clone(), id.clone());
            tasks.spawn(async move {
                match sign_in {
                    true => sessions.sign_in(&id, "42").await.unwrap(),
                    false => sessions.rotate(&id).await.unwrap(),
                }
            });
        }
        let got: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(got.len(), 1);
        assert!(lives(&sessions, got[0].id()).await && !lives(&sessions, &id).await);
        assert_eq!(sessions.user_sessions("42").await.unwrap().len(), 1);
    }
}
