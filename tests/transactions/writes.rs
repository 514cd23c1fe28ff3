//! Writers in a transaction: what they return may yet be rolled back, so that nobody is given it.

use crate::{
    Db, Failed, list, places::Place, price, price_entry, set_price, set_price_sync, touch_price,
};

async fn a_writer_inside_stores_nothing_and_invalidates_with_the_commit(place: Place) {
    let db = Db::at(&place, 1).await;
    let elsewhere = db.elsewhere(&place).await;
    db.warm().await;
    list(&db, 1).await;
    let done = db.cache.in_transaction(async |tx| {
        set_price(&db, 1, 2).await;
        for seen in [&db, &elsewhere] {
            assert_eq!(seen.stored().await, Some(1), "as it was");
            assert_eq!(seen.cache.get("list:1").await.unwrap(), Some(vec![1_u64]));
        }
        let reader = elsewhere.clone();
        assert_eq!(tokio::spawn(async move { price(&reader, 1).await }).await.unwrap(), 1);
        tx.commit(async { db.commit() }).await
    });
    done.await.unwrap().published().unwrap();
    assert_eq!(db.stored().await, None, "the row may have changed again: its next reader knows");
    assert_eq!(db.cache.get::<Vec<u64>>("list:1").await.unwrap(), None);
    assert_eq!((price(&db, 1).await, price(&elsewhere, 1).await), (2, 2));
}

async fn a_writer_that_is_rolled_back_has_done_nothing(place: Place) {
    let db = Db::at(&place, 1).await;
    db.warm().await;
    let loads = db.loads();
    let rolled_back: Result<larder::Committed<()>, Failed> = db
        .cache
        .in_transaction(async |_| {
            set_price(&db, 1, 2).await;
            set_price_sync(&db, 1, 3);
            touch_price(&db, 1, 4).await?;
            price_entry(&db, 1).set(5).await.unwrap();
            db.cache.set("price:1", &6_u64).await.unwrap();
            db.cache.set_many([("price:1", &7_u64)]).await.unwrap();
            db.cache.set_many([("other", &7_u64)]).await.unwrap();
            db.rollback();
            Err(Failed)
        })
        .await;
    rolled_back.unwrap_err();
    assert_eq!((db.stored().await, price(&db, 1).await, db.loads()), (Some(1), 1, loads));
    assert_eq!(db.cache.get::<u64>("other").await.unwrap(), None);
}

async fn each_write_inside_invalidates_with_the_commit(place: Place) {
    let db = Db::at(&place, 1).await;
    for write in 0..6 {
        db.warm().await;
        let done = db.cache.in_transaction(async |tx| {
            match write {
                0 => drop(set_price(&db, 1, 2).await),
                1 => drop(set_price_sync(&db, 1, 2)),
                2 => touch_price(&db, 1, 2).await?,
                3 => price_entry(&db, 1).set(2).await.unwrap(),
                4 => db.cache.set("price:1", &2_u64).await.unwrap(),
                _ => db.cache.set_many([("price:1", &2_u64)]).await.unwrap(),
            }
            tx.commit(async { db.commit() }).await
        });
        done.await.unwrap().published().unwrap();
        assert_eq!(db.stored().await, None, "write {write}");
    }
}

async fn a_writer_that_is_dropped_inside_is_recorded(place: Place) {
    let db = Db::at(&place, 1).await;
    db.warm().await;
    list(&db, 1).await;
    let done = db.cache.in_transaction(async |tx| {
        let never = async { std::future::pending::<()>().await };
        tokio::select! {
            biased;
            () = hanging(&db, 1, never) => unreachable!("it never ends"),
            () = async {} => {}
        }
        assert_eq!(db.stored().await, Some(1), "not before the commit");
        tx.commit(async { db.commit() }).await
    });
    done.await.unwrap().published().unwrap();
    assert_eq!(db.stored().await, None, "its body may have written");
}

#[larder::cache_invalidate(invalidates = [price(db, id)])]
async fn hanging(db: &Db, id: u64, never: impl Future<Output = ()>) {
    db.write(id + 1);
    never.await;
}

async fn a_writer_that_fails_inside_calls_off_what_it_would_have_invalidated(place: Place) {
    let db = Db::at(&place, 1).await;
    db.warm().await;
    let done = db.cache.in_transaction(async |tx| {
        assert_eq!(touch_price(&db, 1, 0).await, Err(Failed));
        db.rollback(); // to a savepoint
        tx.commit(async { db.commit() }).await
    });
    done.await.unwrap().published().unwrap();
    assert_eq!(db.stored().await, Some(1));
}

in_process!(
    a_writer_inside_stores_nothing_and_invalidates_with_the_commit,
    a_writer_that_is_rolled_back_has_done_nothing,
    each_write_inside_invalidates_with_the_commit,
    a_writer_that_is_dropped_inside_is_recorded,
    a_writer_that_fails_inside_calls_off_what_it_would_have_invalidated,
);
on_redis!(
    a_writer_inside_stores_nothing_and_invalidates_with_the_commit,
    a_writer_that_is_rolled_back_has_done_nothing,
);
