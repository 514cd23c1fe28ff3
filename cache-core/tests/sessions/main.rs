//! Sessions: within the process by a clock that is moved by hand, and on a store that misbehaves, in virtual time.
#![allow(missing_docs, clippy::unwrap_used)]

mod away;
mod races;
mod without;

use std::{sync::Arc, time::Duration};

use cache_core::{Cache, Clock, ErrorKind, ManualClock, Session, SessionId, SessionStore, Store};
use cache_store::testing::{ChaosStore, MemoryStore, Operation};

const MINUTE: Duration = Duration::from_secs(60);
const MILLI: Duration = Duration::from_millis(1);

type Sessions = SessionStore<Vec<u32>>;

/// A cache without a shared tier, and the hand of its clock.
async fn alone() -> (Cache, ManualClock) {
    let (clock, hand) = Clock::manual();
    (Cache::builder().clock(clock).build().await.unwrap(), hand)
}

async fn on(store: Arc<dyn Store>) -> Cache {
    Cache::builder().shared(store).clock(Clock::tokio()).build().await.unwrap()
}

/// A store that fails on demand, sessions in it, and sessions that another process has there and does not fail.
async fn failing() -> (Arc<ChaosStore<MemoryStore>>, Sessions, Sessions) {
    let store = MemoryStore::new();
    let other = Sessions::new(&on(Arc::new(store.connect())).await);
    let chaos = Arc::new(ChaosStore::new(store));
    let sessions = Sessions::new(&on(chaos.clone()).await);
    (chaos, sessions, other)
}

async fn lives(sessions: &Sessions, id: &SessionId) -> bool {
    sessions.peek(id).await.unwrap().is_some()
}

fn id(session: &Session<Vec<u32>>) -> SessionId {
    session.id().clone()
}

#[tokio::test]
async fn a_session_ends_when_it_was_idle_and_use_begins_that_anew() {
    let (cache, hand) = alone().await;
    let sessions = Sessions::new(&cache).idle("30m").absolute("12h");
    let id = id(&sessions.create("42", vec![7]).await.unwrap());
    hand.advance(30 * MINUTE - MILLI);
    let used = sessions.get(&id).await.unwrap().unwrap();
    assert_eq!((used.age(), used.inactive_for()), (30 * MINUTE - MILLI, 30 * MINUTE - MILLI));
    assert_eq!(used.expires_in(), 30 * MINUTE);
    hand.advance(20 * MINUTE);
    // A look and a list are no use.
    let looked = sessions.peek(&id).await.unwrap().unwrap();
    assert_eq!((looked.inactive_for(), looked.expires_in()), (20 * MINUTE, 10 * MINUTE));
    assert_eq!(sessions.user_sessions("42").await.unwrap()[0].inactive_for(), 20 * MINUTE);
    hand.advance(10 * MINUTE);
    assert!(sessions.get(&id).await.unwrap().is_none());
    assert!(sessions.user_sessions("42").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_session_ends_at_its_absolute_time_however_it_is_used() {
    let (cache, hand) = alone().await;
    let sessions = Sessions::new(&cache).idle("30m").absolute("1h");
    let mut id = id(&sessions.create("42", vec![7]).await.unwrap());
    for _ in 0..5 {
        hand.advance(10 * MINUTE);
        sessions.modify(&id, |data| data.push(1)).await.unwrap().unwrap();
        // A new id does not begin it anew.
        id = sessions.rotate(&id).await.unwrap().unwrap().id().clone();
    }
    let used = sessions.get(&id).await.unwrap().unwrap();
    assert_eq!((used.age(), used.expires_in()), (50 * MINUTE, 10 * MINUTE));
    assert_eq!(used.data().len(), 6);
    hand.advance(10 * MINUTE);
    assert!(sessions.get(&id).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn on_a_shared_tier_the_times_are_those_of_its_clock() {
    let store = MemoryStore::new();
    // This process's own clock stands still.
    let (clock, _hand) = Clock::manual();
    let builder = Cache::builder().shared(Arc::new(store)).clock(clock);
    let sessions = Sessions::new(&builder.build().await.unwrap()).idle("30m").absolute("1h");
    let id = id(&sessions.create("42", vec![7]).await.unwrap());
    tokio::time::advance(29 * MINUTE).await;
    assert_eq!(sessions.get(&id).await.unwrap().unwrap().inactive_for(), 29 * MINUTE);
    tokio::time::advance(30 * MINUTE).await;
    assert!(sessions.get(&id).await.unwrap().is_none());
}

#[tokio::test]
async fn each_session_keeps_the_times_that_it_was_created_with() {
    let (cache, hand) = alone().await;
    let sessions = Sessions::new(&cache);
    let remembered = sessions.clone().idle("7d").absolute("30d");
    let (short, long) = (
        id(&sessions.create("42", vec![]).await.unwrap()),
        id(&remembered.create("42", vec![]).await.unwrap()),
    );
    hand.advance(24 * 60 * MINUTE);
    assert!(sessions.get(&short).await.unwrap().is_none());
    assert!(sessions.get(&long).await.unwrap().is_some());
    hand.advance(6 * 24 * 60 * MINUTE);
    assert!(sessions.get(&long).await.unwrap().is_some(), "used a day ago by the other handle");
}

#[tokio::test]
async fn an_id_that_somebody_brought_is_never_the_users() {
    let (cache, _) = alone().await;
    for sessions in [Sessions::new(&cache), Sessions::new(&on(Arc::new(MemoryStore::new())).await)]
    {
        // Planted in a browser, which signs in then.
        let planted = id(&sessions.create_anonymous(vec![7]).await.unwrap());
        let user = sessions.sign_in(&planted, "42").await.unwrap().unwrap();
        assert_eq!((user.user(), &**user.data()), (Some("42"), &[7][..]));
        assert_ne!(*user.id(), planted);
        assert!(sessions.get(&planted).await.unwrap().is_none());
        assert!(!sessions.update(&planted, &vec![]).await.unwrap());
        assert!(sessions.modify(&planted, |_| ()).await.unwrap().is_none());
        assert!(sessions.rotate(&planted).await.unwrap().is_none());
        assert!(sessions.sign_in(&planted, "13").await.unwrap().is_none());
        assert!(!sessions.delete(&planted).await.unwrap());
        // And rights change again.
        let rotated = sessions.rotate(user.id()).await.unwrap().unwrap();
        assert_ne!(rotated.id(), user.id());
        assert_eq!((rotated.user(), &**rotated.data()), (Some("42"), &[7][..]));
        assert!(sessions.get(user.id()).await.unwrap().is_none());
        assert_eq!(sessions.user_sessions("42").await.unwrap().len(), 1);
        assert!(sessions.user_sessions("13").await.unwrap().is_empty());
        // One that nobody gave out.
        let made_up = SessionId::parse(&"0".repeat(68)).unwrap();
        assert!(sessions.get(&made_up).await.unwrap().is_none());
        assert!(sessions.sign_in(&made_up, "42").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn all_processes_see_an_end_at_once_and_nothing_is_kept_beside_the_shared_tier() {
    let store = MemoryStore::new();
    let (first, second) = (Arc::new(store.connect()), Arc::new(store.connect()));
    let one = Sessions::new(&on(first.clone()).await);
    let two = Sessions::new(&on(second).await);
    let id = id(&one.create("42", vec![7]).await.unwrap());
    for _ in 0..3 {
        let before = first.calls();
        assert!(one.get(&id).await.unwrap().is_some());
        assert_eq!((first.calls() - before).of(Operation::Sessions), 1, "each time it is asked");
    }
    assert_eq!(two.invalidate_user_sessions("42").await.unwrap(), 1);
    assert!(one.get(&id).await.unwrap().is_none());
}

#[tokio::test]
async fn an_operation_is_as_many_round_trips_as_it_says() {
    let store = Arc::new(MemoryStore::new());
    let sessions = Sessions::new(&on(store.clone()).await);
    let made = id(&sessions.create("42", vec![]).await.unwrap());
    let mut last = store.calls();
    let mut cost = || {
        let now = store.calls();
        let trips = (now - last).round_trips();
        last = now;
        trips
    };
    sessions.get(&made).await.unwrap();
    assert_eq!(cost(), 1);
    sessions.update(&made, &vec![1]).await.unwrap();
    assert_eq!(cost(), 1);
    sessions.user_sessions("42").await.unwrap();
    assert_eq!(cost(), 1);
    sessions.modify(&made, |data| data.push(1)).await.unwrap();
    assert_eq!(cost(), 2);
    let made = id(&sessions.rotate(&made).await.unwrap().unwrap());
    assert_eq!(cost(), 2);
    let made = id(&sessions.sign_in(&made, "13").await.unwrap().unwrap());
    assert_eq!(cost(), 3);
    sessions.delete(&made).await.unwrap();
    assert_eq!(cost(), 1);
    sessions.create("42", vec![]).await.unwrap();
    assert_eq!(cost(), 1);
    sessions.invalidate_user_sessions("42").await.unwrap();
    assert_eq!(cost(), 1);
}

#[tokio::test]
async fn names_versions_and_users_are_told_apart() {
    for cache in [alone().await.0, on(Arc::new(MemoryStore::new())).await] {
        let (web, admin) = (Sessions::new(&cache).name("web"), Sessions::new(&cache).name("admin"));
        let id = id(&web.create("42", vec![7]).await.unwrap());
        assert!(admin.get(&id).await.unwrap().is_none());
        assert!(!admin.delete(&id).await.unwrap());
        assert_eq!(admin.invalidate_user_sessions("42").await.unwrap(), 0);
        assert!(web.user_sessions("4").await.unwrap().is_empty());
        let next = Sessions::new(&cache).name("web").version(2);
        let error = next.get(&id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert!(error.to_string().contains("version"), "{error}");
        assert!(Sessions::new(&cache).name("web").get(&id).await.unwrap().is_some());
        for user in ["u:1", "u}1", "\0", "\u{e9}", &"n".repeat(10_000)] {
            let session = web.create(user, vec![]).await.unwrap();
            let found = web.get(session.id()).await.unwrap().unwrap();
            assert_eq!(found.user(), Some(user));
            assert_eq!(web.invalidate_user_sessions(user).await.unwrap(), 1);
        }
        assert!(next.delete(&id).await.unwrap());
    }
}

#[tokio::test]
async fn what_cannot_be_is_an_error_that_says_what_to_write() {
    let (cache, _) = alone().await;
    let sessions = || Sessions::new(&cache);
    for (sessions, kind, word) in [
        (sessions().name(""), ErrorKind::Template, ".name(\"web\")"),
        (sessions().idle("soon"), ErrorKind::Template, "soon"),
        (sessions().idle("forever"), ErrorKind::Template, ".idle(\"30m\")"),
        (sessions().absolute(Duration::ZERO), ErrorKind::Template, ".absolute(\"12h\")"),
        (sessions().absolute("401d"), ErrorKind::Template, "400 days"),
        (sessions().idle(Duration::from_micros(999)), ErrorKind::Template, "millisecond"),
        (sessions().max_per_user(0), ErrorKind::Config, "from 1 to 1000"),
        (sessions().max_per_user(1001), ErrorKind::Config, "from 1 to 1000"),
        // The first mistake is told, also where a later word is right.
        (sessions().idle("soon").idle("30m"), ErrorKind::Template, "soon"),
        (sessions().idle("soon").absolute("later"), ErrorKind::Template, "soon"),
    ] {
        let shown = format!("{sessions:?}");
        let error = sessions.create("42", vec![]).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{shown}: {error}");
        assert!(error.to_string().starts_with("create: "), "{error}");
        assert!(error.to_string().contains(word), "{shown}: {error}");
        assert_eq!(sessions.user_sessions("42").await.unwrap_err().kind(), kind);
    }
    for error in [
        sessions().create("", vec![]).await.unwrap_err(),
        sessions().user_sessions("").await.unwrap_err(),
        sessions().invalidate_user_sessions("").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Template);
    }
    let error = sessions().create("42", vec![u32::MAX; 1 << 19]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
}

#[tokio::test]
async fn sessions_are_no_entries_and_work_in_a_cache_that_is_off() {
    let cache = Cache::builder().enabled(false).build().await.unwrap();
    let sessions = Sessions::new(&cache);
    let id = id(&sessions.create("42", vec![7]).await.unwrap());
    cache.clear().await.unwrap();
    assert!(lives(&sessions, &id).await);
    assert!(!lives(&Sessions::new(&alone().await.0), &id).await, "another cache");
    assert!(lives(&Sessions::new(&cache.clone()), &id).await);
}

#[tokio::test]
async fn nothing_shows_an_id_or_what_a_session_holds() {
    let (cache, _) = alone().await;
    let sessions = SessionStore::<String>::new(&cache);
    let session = sessions.create("42", "s3cret".to_owned()).await.unwrap();
    let listed = sessions.user_sessions("42").await.unwrap();
    let wrong = sessions.clone().version(9).get(session.id()).await.unwrap_err();
    let shown = format!("{session:?} {sessions:?} {listed:?} {wrong:?} {cache:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(!shown.contains(&session.id().expose()[..16]), "{shown}");
    assert!(shown.contains("42"));
}
