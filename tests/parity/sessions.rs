//! Sessions by user.

use std::{collections::BTreeMap, time::Duration};

use larder::{Cache, ErrorKind, SessionId, SessionStore};

use crate::{for_both_forms, server::Server};

type Data = BTreeMap<String, String>;

fn data(theme: &str) -> Data {
    [("theme".to_owned(), theme.to_owned())].into()
}

#[tokio::test]
async fn sessions_by_user_create_get_update_delete() {
    for_both_forms(async |cache| {
        let sessions = SessionStore::<Data>::new(&cache).absolute("1h");
        let session = sessions.create("42", data("dark")).await.unwrap();
        // As a browser brings it.
        let id = SessionId::parse(&session.id().expose()).unwrap();
        let found = sessions.get(&id).await.unwrap().unwrap();
        assert_eq!((found.user(), found.data()), (Some("42"), &data("dark")));
        assert!(found.expires_in() <= Duration::from_secs(1800));
        assert!(sessions.update(&id, &data("light")).await.unwrap());
        assert_eq!(sessions.get(&id).await.unwrap().unwrap().data(), &data("light"));
        assert!(sessions.delete(&id).await.unwrap());
        assert!(sessions.get(&id).await.unwrap().is_none());
        assert!(!sessions.update(&id, &data("dark")).await.unwrap());
        assert!(sessions.get(&id).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn sessions_by_user_list_and_last_activity() {
    for_both_forms(async |cache| {
        let sessions = SessionStore::<Data>::new(&cache);
        let phone = sessions.create("42", data("phone")).await.unwrap();
        let laptop = sessions.create("42", data("laptop")).await.unwrap();
        sessions.create("13", data("other")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        sessions.get(phone.id()).await.unwrap().unwrap();
        let listed = sessions.user_sessions("42").await.unwrap();
        assert_eq!(listed.len(), 2);
        let of = |id| listed.iter().find(|one| one.is(id)).unwrap();
        let (phone, laptop) = (of(phone.id()), of(laptop.id()));
        assert!(phone.inactive_for() < phone.age());
        assert!(laptop.inactive_for() >= Duration::from_millis(20), "{laptop:?}");
        assert!(phone.inactive_for() < laptop.inactive_for());
        assert!(sessions.delete_listed(laptop).await.unwrap());
        assert!(!sessions.delete_listed(laptop).await.unwrap());
        assert_eq!(sessions.user_sessions("42").await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn sessions_by_user_invalidate_all() {
    for_both_forms(async |cache| {
        let sessions = SessionStore::<Data>::new(&cache);
        let mut mine = Vec::new();
        for device in ["phone", "laptop", "tablet"] {
            mine.push(sessions.create("42", data(device)).await.unwrap());
        }
        let other = sessions.create("13", data("other")).await.unwrap();
        assert_eq!(sessions.invalidate_user_sessions("42").await.unwrap(), 3);
        for session in &mine {
            assert!(sessions.get(session.id()).await.unwrap().is_none());
        }
        assert!(sessions.user_sessions("42").await.unwrap().is_empty());
        assert!(sessions.get(other.id()).await.unwrap().is_some());
        assert_eq!(sessions.invalidate_user_sessions("42").await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn sessions_by_user_expire_idle_and_absolute() {
    for_both_forms(async |cache| {
        let sessions = SessionStore::<Data>::new(&cache).idle(Duration::from_millis(200));
        let idle = sessions.create("42", data("idle")).await.unwrap();
        let old = sessions.clone().idle("1h").absolute(Duration::from_millis(200));
        let old = old.create("42", data("old")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(250)).await;
        for session in [&idle, &old] {
            assert!(sessions.get(session.id()).await.unwrap().is_none());
        }
        assert!(sessions.user_sessions("42").await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn sessions_against_fixation() {
    for_both_forms(async |cache| {
        let sessions = SessionStore::<Data>::new(&cache);
        let planted = sessions.create_anonymous(data("dark")).await.unwrap();
        let mine = sessions.sign_in(planted.id(), "42").await.unwrap().unwrap();
        assert!(sessions.get(planted.id()).await.unwrap().is_none());
        let rotated = sessions.rotate(mine.id()).await.unwrap().unwrap();
        assert!(sessions.get(mine.id()).await.unwrap().is_none());
        let found = sessions.get(rotated.id()).await.unwrap().unwrap();
        assert_eq!((found.user(), found.data()), (Some("42"), &data("dark")));
        assert_eq!(sessions.user_sessions("42").await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn session_data_of_two_writers() {
    for_both_forms(async |cache| {
        let sessions = SessionStore::<Vec<u32>>::new(&cache);
        let id = sessions.create("42", vec![]).await.unwrap().id().clone();
        let push = |number| sessions.modify(&id, move |data| data.push(number));
        let pushed = tokio::join!(push(1), push(2), push(3));
        assert!(matches!(pushed, (Ok(Some(_)), Ok(Some(_)), Ok(Some(_)))));
        let mut data = sessions.get(&id).await.unwrap().unwrap().into_data();
        data.sort_unstable();
        assert_eq!(data, [1, 2, 3]);
    })
    .await;
}

async fn on(server: &Server, prefix: &str) -> Cache {
    let builder = Cache::builder().redis(server.url()).prefix(prefix);
    builder.shared_deadline(Duration::from_secs(5)).build().await.unwrap()
}

/// All that the server holds, as it would write it to its disk.
fn everything(server: &Server) -> Vec<u8> {
    assert_eq!(server.ask(&["SAVE"]), "OK");
    std::fs::read(server.dir().join("dump.rdb")).unwrap()
}

fn holds(dump: &[u8], what: &[u8]) -> bool {
    dump.windows(what.len()).any(|part| part == what)
}

#[tokio::test]
async fn a_session_id_is_never_in_the_server() {
    let server = Server::start(&["--rdbcompression", "no"]);
    let cache = on(&server, "web:").await;
    let sessions = SessionStore::<Data>::new(&cache);
    let mut ids = Vec::new();
    let guest = sessions.create_anonymous(data("a-theme-to-look-for")).await.unwrap();
    let user = sessions.sign_in(guest.id(), "a-user-to-look-for").await.unwrap().unwrap();
    let rotated = sessions.rotate(user.id()).await.unwrap().unwrap();
    for session in [&guest, &user, &rotated] {
        sessions.get(session.id()).await.unwrap();
        sessions.update(session.id(), &data("a-theme-to-look-for")).await.unwrap();
        ids.push(session.id().expose());
    }
    let dump = everything(&server);
    // The look finds what is there.
    assert!(holds(&dump, b"a-theme-to-look-for"));
    assert!(holds(&dump, b"i:{web:s:"));
    for id in ids {
        let byte = |at| u8::from_str_radix(&id[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..64).step_by(2).map(byte).collect();
        // Not even a half of it.
        for part in [&id.as_bytes()[..32], &id.as_bytes()[32..64], &bytes[..16], &bytes[16..]] {
            assert!(!holds(&dump, part));
        }
    }
}

#[cfg(feature = "encryption")]
#[tokio::test]
async fn session_data_are_encrypted_where_the_cache_has_keys() {
    let server = Server::start(&["--rdbcompression", "no"]);
    let secret: [u8; 32] = std::array::from_fn(|at| at as u8 * 7 + 1);
    let keys = larder::EncryptionKeys::new(1, &secret).unwrap();
    let builder = Cache::builder().redis(server.url()).encryption(keys);
    let cache = builder.shared_deadline(Duration::from_secs(5)).build().await.unwrap();
    let sessions = SessionStore::<Data>::new(&cache);
    let session = sessions.create("a-user-to-look-for", data("a-theme-to-look-for")).await.unwrap();
    let dump = everything(&server);
    for hidden in [&b"a-user-to-look-for"[..], b"a-theme-to-look-for", b"look-for"] {
        assert!(!holds(&dump, hidden));
    }
    let found = sessions.get(session.id()).await.unwrap().unwrap();
    assert_eq!(
        (found.user(), found.data()),
        (Some("a-user-to-look-for"), &data("a-theme-to-look-for"))
    );
    // A cache without the keys is told so, and not that there is no session.
    let error =
        SessionStore::<Data>::new(&Cache::builder().redis(server.url()).build().await.unwrap());
    let error = error.get(session.id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_while_redis_is_killed_and_restarted() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let cache = on(&server, "web:").await;
    let sessions = SessionStore::<Data>::new(&cache);
    let mine = sessions.create("42", data("dark")).await.unwrap();
    let ended = sessions.create("13", data("dark")).await.unwrap();
    assert_eq!(sessions.invalidate_user_sessions("13").await.unwrap(), 1);
    // Someone uses it all the time.
    let using = tokio::spawn({
        let (sessions, mine, ended) = (sessions.clone(), mine.id().clone(), ended.id().clone());
        async move {
            let (mut good, mut failed) = (0, 0);
            while failed == 0 || good < 10 {
                match sessions.get(&mine).await {
                    Ok(session) => {
                        assert!(session.is_some(), "it is never said that there is none");
                        good += usize::from(failed > 0);
                    }
                    Err(_) => failed += 1,
                }
                assert!(!matches!(sessions.get(&ended).await, Ok(Some(_))));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    });
    server.kill();
    let error = loop {
        if let Err(error) = sessions.get(mine.id()).await {
            break error;
        }
    };
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error:?}");
    for error in [
        sessions.create("42", data("new")).await.map(|_| ()).unwrap_err(),
        sessions.invalidate_user_sessions("42").await.map(|_| ()).unwrap_err(),
        sessions.user_sessions("42").await.map(|_| ()).unwrap_err(),
        sessions.delete(mine.id()).await.map(|_| ()).unwrap_err(),
    ] {
        assert_eq!(error.status(), larder::Status::Temporary, "{error}");
    }
    server.restart();
    tokio::time::timeout(Duration::from_secs(20), using).await.unwrap().unwrap();
    assert_eq!(sessions.get(mine.id()).await.unwrap().unwrap().data(), &data("dark"));
    assert_eq!(sessions.invalidate_user_sessions("42").await.unwrap(), 1);
}
