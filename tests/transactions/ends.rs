//! How a transaction ends, and what that makes of what it recorded.

use std::{panic::AssertUnwindSafe, sync::Arc};

use larder::{Event, Invalidations};
use tokio::sync::Notify;

use crate::{Db, Failed, list, list_cache, loads::in_time, places::Place, price_entry};

/// Several entries, one for each way to name them.
async fn fill(db: &Db) -> usize {
    let keys = ["key", "other", "pattern:1", "both", "entry"];
    for key in keys {
        db.cache.set(key, &1_u8).tags(["one", "two", "table:orders"]).await.unwrap();
    }
    db.cache.set("tagged", &1_u8).tags(["tag"]).await.unwrap();
    db.cache.set("tabled", &1_u8).tags(["table:items"]).await.unwrap();
    list(db, 1).await;
    db.warm().await;
    left(db).await
}

async fn left(db: &Db) -> usize {
    let keys = ["key", "other", "pattern:1", "both", "tagged", "tabled"];
    let found = db.cache.get_many::<u8, _>(keys).await.unwrap();
    let list = db.cache.get::<Vec<u64>>("list:1").await.unwrap();
    found.iter().flatten().count() + list.iter().count() + db.stored().await.iter().count()
}

fn name_all(db: &Db, tx: &larder::Transaction) {
    tx.invalidate("key").invalidate_keys(["other"]).invalidate_tags(["tag"]);
    tx.invalidate_pattern("pattern:*").invalidate_tables(["items"]);
    tx.invalidates(Invalidations::new().all_of(["one", "two"]))
        .invalidate_entry(price_entry(db, 1));
    tx.invalidate_everything_of(list_cache(db));
}

async fn what_is_recorded_is_published_after_the_commit_and_not_before(place: Place) {
    let db = Db::at(&place, 1).await;
    let elsewhere = db.elsewhere(&place).await;
    assert_eq!(fill(&db).await, 8);
    let done = db
        .cache
        .in_transaction(async |tx| {
            name_all(&db, &tx);
            assert_eq!((left(&db).await, left(&elsewhere).await), (8, 8), "not before the commit");
            tx.commit(async {
                db.write(2);
                db.commit()
            })
            .await?;
            assert_eq!(left(&db).await, 0, "with the commit, and not with the end of the body");
            Ok::<_, Failed>(7)
        })
        .await
        .unwrap();
    done.published().unwrap();
    assert_eq!(done.into_value(), 7);
    assert_eq!((left(&db).await, db.warm().await), (0, 2));
}

async fn a_body_that_commits_by_itself_is_published_when_it_returns(place: Place) {
    let db = Db::at(&place, 1).await;
    assert_eq!(fill(&db).await, 8);
    let done = db.cache.in_transaction(async |tx| {
        name_all(&db, &tx);
        db.write(2);
        db.commit()?;
        assert_eq!(left(&db).await, 8);
        Ok::<_, Failed>(())
    });
    done.await.unwrap().published().unwrap();
    assert_eq!((left(&db).await, db.warm().await), (0, 2));
}

async fn a_rollback_leaves_everything_as_it_was(place: Place) {
    let db = Db::at(&place, 1).await;
    assert_eq!(fill(&db).await, 8);
    let (loads, stats) = (db.loads(), db.cache.stats().invalidations);
    let failed: Result<larder::Committed<()>, Failed> = db
        .cache
        .in_transaction(async |tx| {
            name_all(&db, &tx);
            db.write(2);
            db.rollback();
            Err(Failed)
        })
        .await;
    assert_eq!(failed.unwrap_err(), Failed);
    assert_eq!((left(&db).await, db.warm().await, db.loads()), (8, 1, loads));
    assert_eq!(db.cache.stats().invalidations, stats);
}

async fn an_error_after_the_commit_began_is_published(place: Place) {
    let db = Db::at(&place, 1).await;
    for fails in ["the commit", "the body"] {
        fill(&db).await;
        let failed: Result<larder::Committed<()>, Failed> = db
            .cache
            .in_transaction(async |tx| {
                name_all(&db, &tx);
                let commit = async { if fails == "the commit" { Err(Failed) } else { Ok(()) } };
                let committed = tx.commit(commit).await;
                // Stored by somebody else, and named after the commit began.
                let cache = db.cache.clone();
                tokio::spawn(async move { cache.set("key", &1_u8).await }).await.unwrap().unwrap();
                tx.invalidate("key");
                committed.and(Err(Failed))
            })
            .await;
        assert_eq!((failed.unwrap_err(), left(&db).await), (Failed, 0), "{fails}");
    }
}

async fn a_body_that_is_dropped_is_published(place: Place) {
    let db = Db::at(&place, 1).await;
    fill(&db).await;
    let (began, never) = (Notify::new(), Notify::new());
    let body = db.cache.in_transaction(async |tx| {
        name_all(&db, &tx);
        began.notify_one();
        never.notified().await;
        Ok::<_, Failed>(())
    });
    tokio::select! {
        _ = body => unreachable!("it never ends"),
        () = began.notified() => {}
    }
    settled(&db).await;
    assert_eq!(left(&db).await, 0);
}

async fn a_commit_that_is_dropped_is_published(place: Place) {
    let db = Db::at(&place, 1).await;
    fill(&db).await;
    let (began, never) = (Notify::new(), Notify::new());
    let body = db.cache.in_transaction(async |tx| {
        name_all(&db, &tx);
        tx.commit(async {
            began.notify_one();
            never.notified().await;
            Ok::<_, Failed>(())
        })
        .await
    });
    tokio::select! {
        _ = body => unreachable!("it never ends"),
        () = began.notified() => {}
    }
    settled(&db).await;
    assert_eq!(left(&db).await, 0);
    in_time("its keys are stored again", async {
        while db.stored().await.is_none() {
            crate::price(&db, 1).await;
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn a_body_that_panics_is_published(place: Place) {
    let db = Arc::new(Db::at(&place, 1).await);
    fill(&db).await;
    let inner = Arc::clone(&db);
    let body = tokio::spawn(async move {
        let cache = inner.cache.clone();
        cache
            .in_transaction(async |tx| {
                name_all(&inner, &tx);
                assert!(std::thread::panicking(), "on purpose");
                Ok::<_, Failed>(())
            })
            .await
    });
    assert!(body.await.unwrap_err().is_panic());
    settled(&db).await;
    assert_eq!(left(&db).await, 0);

    fill(&db).await;
    let sync = std::panic::catch_unwind(AssertUnwindSafe(|| {
        db.cache.in_transaction_sync(|tx| {
            name_all(&db, &tx);
            assert!(std::thread::panicking(), "on purpose");
            Ok::<_, Failed>(())
        })
    }));
    assert!(sync.is_err());
    settled(&db).await;
    assert_eq!(left(&db).await, 0);
}

/// What was left to be told to the shared tier has been told.
async fn settled(db: &Db) {
    in_time("nothing waits", async {
        while db.cache.health().await.waiting_invalidations > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn the_sync_form_does_the_same(place: Place) {
    let db = Db::at(&place, 1).await;
    assert_eq!(fill(&db).await, 8);
    let before = tokio::runtime::Handle::current();
    let inner = db.clone();
    tokio::task::spawn_blocking(move || {
        let left = |what: usize| assert_eq!(before.block_on(left(&inner)), what);
        let failed: Result<larder::Committed<()>, Failed> = inner.cache.in_transaction_sync(|tx| {
            name_all(&inner, &tx);
            Err(Failed)
        });
        assert_eq!(failed.unwrap_err(), Failed);
        left(8);
        let done = inner.cache.in_transaction_sync(|tx| {
            name_all(&inner, &tx);
            left(8);
            inner.write(2);
            tx.commit_sync(|| inner.commit())?;
            left(0);
            Ok::<_, Failed>(7)
        });
        let done = done.unwrap();
        done.published().unwrap();
        assert_eq!(*done, 7);
    })
    .await
    .unwrap();
    assert_eq!(db.warm().await, 2);
}

async fn what_is_invalidated_is_told_once_and_after_the_commit(place: Place) {
    let db = Db::at(&place, 1).await;
    fill(&db).await;
    let mut events = db.cache.events();
    let mut told = || {
        let mut told = 0;
        while let Some(event) = events.try_next() {
            told += usize::from(matches!(event, Event::Invalidated { .. }));
        }
        told
    };
    let done = db.cache.in_transaction(async |tx| {
        tx.invalidate("key").invalidate("other").invalidate("key");
        tx.commit(async {
            assert_eq!(told(), 0, "not before the commit");
            Ok::<_, Failed>(())
        })
        .await
    });
    done.await.unwrap().published().unwrap();
    assert_eq!(told(), 1, "all keys at once");
}

async fn what_cannot_be_invalidated_is_told_and_keeps_the_rest_from_nothing(place: Place) {
    let db = Db::at(&place, 1).await;
    db.cache.set("key", &1_u8).await.unwrap();
    let done = db.cache.in_transaction(async |tx| {
        tx.invalidate("").invalidate_pattern("[").publish("nobody's event").invalidate("key");
        Ok::<_, Failed>(7)
    });
    let done = done.await.unwrap();
    let error = done.published().unwrap_err().to_string();
    for part in ["the commit stands", "the key is empty", "nothing says what"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!((*done, db.cache.get::<u8>("key").await.unwrap()), (7, None));
}

async fn an_ended_transaction_invalidates_at_once(place: Place) {
    let db = Db::at(&place, 1).await;
    fill(&db).await;
    let kept = db.cache.in_transaction(async |tx| Ok::<_, Failed>(tx)).await.unwrap().into_value();
    name_all(&db, &kept);
    settled(&db).await;
    assert_eq!(left(&db).await, 0);
}

async fn a_transaction_inside_another_is_published_by_both(place: Place) {
    let db = Db::at(&place, 1).await;
    let cache = &db.cache;
    let done = cache.in_transaction(async |_| {
        cache
            .in_transaction(async |tx| {
                tx.invalidate_entry(price_entry(&db, 1));
                Ok::<_, Failed>(())
            })
            .await?
            .published()
            .unwrap();
        // The commit of the outer one is still to come: whoever reads now reads old rows.
        let reader = db.clone();
        tokio::spawn(async move { reader.warm().await }).await.unwrap();
        db.write(2);
        db.commit()?;
        Ok::<_, Failed>(())
    });
    done.await.unwrap().published().unwrap();
    assert_eq!(db.warm().await, 2);
}

in_process!(
    what_is_recorded_is_published_after_the_commit_and_not_before,
    a_body_that_commits_by_itself_is_published_when_it_returns,
    a_rollback_leaves_everything_as_it_was,
    an_error_after_the_commit_began_is_published,
    a_body_that_is_dropped_is_published,
    a_commit_that_is_dropped_is_published,
    a_body_that_panics_is_published,
    the_sync_form_does_the_same,
    what_is_invalidated_is_told_once_and_after_the_commit,
    what_cannot_be_invalidated_is_told_and_keeps_the_rest_from_nothing,
    an_ended_transaction_invalidates_at_once,
    a_transaction_inside_another_is_published_by_both,
);
on_redis!(
    what_is_recorded_is_published_after_the_commit_and_not_before,
    a_rollback_leaves_everything_as_it_was,
    a_commit_that_is_dropped_is_published,
    the_sync_form_does_the_same,
);
