//! The store as tower-sessions uses it: by hand, and behind its layer.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{convert::Infallible, sync::Arc, time::Duration};

use cache_tower_sessions::LarderStore;
use http::{Request, Response, header};
use larder::{
    Cache, Clock, ErrorKind,
    testing::{ChaosStore, MemoryStore},
};
use time::OffsetDateTime;
use tower::{Layer, ServiceExt, service_fn};
use tower_sessions::{
    Expiry, Session, SessionManagerLayer, SessionStore, cookie,
    session::{Id, Record},
    session_store::Error,
};

fn record(theme: &str, life: Duration) -> Record {
    let data = [("theme".to_owned(), theme.into())].into();
    Record { id: Id::default(), data, expiry_date: OffsetDateTime::now_utc() + life }
}

const MINUTE: Duration = Duration::from_secs(60);

async fn on(store: Arc<dyn larder::Store>) -> Cache {
    Cache::builder().shared(store).build().await.unwrap()
}

#[tokio::test]
async fn a_record_is_created_loaded_saved_and_deleted() {
    for cache in [Cache::memory(), on(Arc::new(MemoryStore::new())).await] {
        let store = LarderStore::new(&cache);
        let mut mine = record("dark", MINUTE);
        store.create(&mut mine).await.unwrap();
        let found = store.load(&mine.id).await.unwrap().unwrap();
        assert_eq!((found.id, &found.data), (mine.id, &mine.data));
        let off = (found.expiry_date - mine.expiry_date).abs();
        assert!(off < Duration::from_secs(10), "{off}");
        // A later end, as with each save.
        let later = Record { id: mine.id, ..record("light", 60 * MINUTE) };
        store.save(&later).await.unwrap();
        let found = store.load(&mine.id).await.unwrap().unwrap();
        assert_eq!(found.data, later.data);
        assert!(found.expiry_date > mine.expiry_date + 30 * MINUTE);
        assert!(LarderStore::new(&cache).name("other").load(&mine.id).await.unwrap().is_none());
        store.delete(&mine.id).await.unwrap();
        store.delete(&mine.id).await.unwrap();
        assert!(store.load(&mine.id).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn what_has_ended_is_not_saved_anew() {
    let store = LarderStore::new(&Cache::memory());
    let mut mine = record("dark", MINUTE);
    assert!(matches!(store.save(&mine).await, Err(Error::Backend(_))), "it was never created");
    store.create(&mut mine).await.unwrap();
    store.delete(&mine.id).await.unwrap();
    assert!(matches!(store.save(&mine).await, Err(Error::Backend(_))));
    assert!(store.load(&mine.id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_ends_at_its_expiry_date_by_the_clock_of_the_cache() {
    let (clock, hand) = Clock::manual();
    let store = LarderStore::new(&Cache::builder().clock(clock).build().await.unwrap());
    let mut mine = record("dark", MINUTE);
    store.create(&mut mine).await.unwrap();
    hand.advance(MINUTE / 2);
    // A look does not prolong it.
    assert!(store.load(&mine.id).await.unwrap().is_some());
    hand.advance(MINUTE / 2);
    assert!(store.load(&mine.id).await.unwrap().is_none());
    let mut past = record("dark", Duration::ZERO);
    store.create(&mut past).await.unwrap();
    hand.advance(Duration::from_millis(2));
    assert!(store.load(&past.id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_shared_tier_that_is_away_is_an_error_and_never_no_session() {
    let chaos = Arc::new(ChaosStore::new(MemoryStore::new()));
    let store = LarderStore::new(&on(chaos.clone()).await);
    let mut mine = record("dark", MINUTE);
    store.create(&mut mine).await.unwrap();
    chaos.down(ErrorKind::Unavailable);
    assert!(matches!(store.load(&mine.id).await, Err(Error::Backend(_))));
    assert!(matches!(store.save(&mine).await, Err(Error::Backend(_))));
    assert!(matches!(store.delete(&mine.id).await, Err(Error::Backend(_))));
    assert!(matches!(store.create(&mut record("dark", MINUTE)).await, Err(Error::Backend(_))));
    chaos.up();
    assert!(store.load(&mine.id).await.unwrap().is_some());
}

/// Counts the visits of a session.
async fn page(request: Request<()>) -> Result<Response<String>, Infallible> {
    let session = request.extensions().get::<Session>().unwrap();
    let visits = session.get::<u32>("visits").await.unwrap().unwrap_or_default() + 1;
    session.insert("visits", visits).await.unwrap();
    if request.uri().path() == "/login" {
        session.cycle_id().await.unwrap();
    }
    Ok(Response::new(visits.to_string()))
}

async fn visit(store: &LarderStore, path: &str, cookie: Option<&str>) -> (String, Option<String>) {
    let expiry = Expiry::OnInactivity(cookie::time::Duration::minutes(30));
    let layer = SessionManagerLayer::new(store.clone()).with_expiry(expiry);
    let mut request = Request::builder().uri(path);
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    let response = layer.layer(service_fn(page)).oneshot(request.body(()).unwrap()).await.unwrap();
    let cookie = response.headers().get(header::SET_COOKIE);
    let cookie =
        cookie.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
    (response.into_body(), cookie)
}

#[tokio::test]
async fn behind_the_layer_a_cookie_finds_its_session_and_an_old_id_does_not() {
    let store = LarderStore::new(&on(Arc::new(MemoryStore::new())).await);
    let (visits, cookie) = visit(&store, "/", None).await;
    let old = cookie.unwrap();
    assert_eq!(visits, "1");
    assert_eq!(visit(&store, "/", Some(&old)).await.0, "2");
    let (visits, cookie) = visit(&store, "/login", Some(&old)).await;
    let new = cookie.unwrap();
    assert_eq!(visits, "3");
    assert_ne!(new, old);
    assert_eq!(visit(&store, "/", Some(&new)).await.0, "4");
    assert_eq!(visit(&store, "/", Some(&old)).await.0, "1", "another session begins");
}
