//! The store as tower-sessions uses it: by hand, and behind its layer; in memory, on a shared tier in the process, and on Redis.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../cache-redis/tests/common/server.rs"]
mod server;

use std::{
    convert::Infallible,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use cache_tower_sessions::LarderStore;
use http::{Request, Response, header};
use larder::{
    Cache, Clock, ErrorKind,
    testing::{ChaosStore, MemoryStore},
};
use server::{Server, wait_until};
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

/// Long enough for a busy machine.
const DEADLINE: Duration = Duration::from_secs(10);

async fn on_server(server: &Server, prefix: &str) -> Cache {
    let builder = Cache::builder().redis(server.url()).prefix(prefix);
    builder.shared_deadline(DEADLINE).build().await.unwrap()
}

async fn in_each_form(test: impl AsyncFn(Cache)) {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    test(Cache::memory()).await;
    test(on(Arc::new(MemoryStore::new())).await).await;
    let server = SERVER.get_or_init(|| Server::start(&[]));
    test(on_server(server, &format!("form{}:", COUNT.fetch_add(1, SeqCst))).await).await;
}

#[tokio::test]
async fn a_record_is_created_loaded_saved_and_deleted() {
    in_each_form(async |cache| {
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
    })
    .await;
}

#[tokio::test]
async fn what_has_ended_is_not_saved_anew() {
    in_each_form(async |cache| {
        let store = LarderStore::new(&cache);
        let mut mine = record("dark", MINUTE);
        assert!(matches!(store.save(&mine).await, Err(Error::Backend(_))), "it was never created");
        store.create(&mut mine).await.unwrap();
        store.delete(&mine.id).await.unwrap();
        assert!(matches!(store.save(&mine).await, Err(Error::Backend(_))));
        assert!(store.load(&mine.id).await.unwrap().is_none());
    })
    .await;
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
async fn on_redis_a_session_ends_at_its_expiry_date_by_the_clock_of_the_server() {
    let server = Server::start(&[]);
    let store = LarderStore::new(&on_server(&server, "web:").await);
    let (mut brief, mut long) = (record("dark", MINUTE / 200), record("dark", MINUTE));
    store.create(&mut brief).await.unwrap();
    store.create(&mut long).await.unwrap();
    // In the server, too, nothing of it is left.
    let keys = || server.ask(&["DBSIZE"]);
    let all = keys();
    wait_until("the server has forgotten it", || keys() != all);
    assert!(store.load(&brief.id).await.unwrap().is_none());
    assert!(matches!(store.save(&brief).await, Err(Error::Backend(_))));
    assert_eq!(store.load(&long.id).await.unwrap().unwrap().data, long.data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_killed_each_operation_is_an_error_and_after_it_sessions_are_there_again() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = LarderStore::new(&on_server(&server, "web:").await);
    let (mut mine, mut ended) = (record("dark", 60 * MINUTE), record("dark", 60 * MINUTE));
    store.create(&mut mine).await.unwrap();
    store.create(&mut ended).await.unwrap();
    store.delete(&ended.id).await.unwrap();
    server.kill();
    for _ in 0..3 {
        assert!(matches!(store.load(&mine.id).await, Err(Error::Backend(_))));
        assert!(matches!(store.save(&mine).await, Err(Error::Backend(_))));
        assert!(matches!(store.delete(&mine.id).await, Err(Error::Backend(_))));
        assert!(matches!(store.create(&mut record("dark", MINUTE)).await, Err(Error::Backend(_))));
    }
    server.restart();
    let back = async {
        loop {
            match store.load(&mine.id).await {
                Ok(found) => break found,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(30), back).await.unwrap();
    assert_eq!(found.unwrap().data, mine.data);
    assert!(store.load(&ended.id).await.unwrap().is_none(), "nothing brings it back");
    store.save(&mine).await.unwrap();
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
    in_each_form(async |cache| {
        let store = LarderStore::new(&cache);
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
    })
    .await;
}
