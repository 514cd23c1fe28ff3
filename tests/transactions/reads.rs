//! Reads in a transaction see what is not committed: nobody else is given that.

use std::{collections::HashMap, sync::atomic::Ordering::SeqCst};

use larder::cache_aside;

use crate::{
    Db, Failed,
    loads::{Held, in_time},
    places::Place,
    price, price_entry, price_sync,
};

#[cache_aside(key = "price:{id}", ttl = "5m", cache = db.cache, skip(db), batch(id in ids))]
async fn prices(db: &Db, ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, db.read())).collect()
}

#[cache_aside(
    key = "renewed:{id}", ttl = "5m", stale(on_error = "1h"), cache = db.cache, skip(db)
)]
async fn stale_price(db: &Db, id: u64) -> Result<u64, Failed> {
    Ok(db.read())
}

async fn a_read_inside_sees_its_own_rows_and_stores_nothing(place: Place) {
    let db = Db::at(&place, 1).await;
    let elsewhere = db.elsewhere(&place).await;
    db.warm().await;
    let inside = db.inside();
    let rolled_back: Result<larder::Committed<()>, Failed> = db
        .cache
        .in_transaction(async |_| {
            db.write(2);
            assert_eq!(price(&inside, 1).await, 2, "not what is cached");
            assert_eq!(price(&inside, 7).await, 2);
            assert_eq!(price_sync(&inside, 8), 2);
            assert_eq!(prices(&inside, &[1, 9]).await, HashMap::from([(1, 2), (9, 2)]));
            assert_eq!(stale_price(&inside, 1).await, Ok(2));
            let load = async || Ok::<_, Failed>(inside.read());
            assert_eq!(db.cache.get_or_set("by hand", load).await, Ok(2));
            let query = db.cache.query("SELECT price");
            assert_eq!(query.clone().get_or_load(load).await, Ok(2));
            assert_eq!(query.get_or_load_sync(|| Ok::<_, Failed>(inside.read())), Ok(2));
            db.rollback();
            Err(Failed)
        })
        .await;
    rolled_back.unwrap_err();
    for seen in [&db, &elsewhere] {
        assert_eq!(price(seen, 1).await, 1);
        for id in [7, 8, 9] {
            assert_eq!(price_entry(seen, id).get().await.unwrap(), None, "{id}");
        }
        assert_eq!(stale_price_entry(seen, 1).get().await.unwrap(), None);
        assert_eq!(seen.cache.get::<u64>("by hand").await.unwrap(), None);
        let query = seen.cache.query("SELECT price").key().unwrap();
        assert_eq!(seen.cache.get::<u64>(&query).await.unwrap(), None);
    }
}

#[cache_aside(key = "current:{id}", ttl = "5m", skip(db))]
async fn current_price(db: &Db, id: u64) -> u64 {
    db.read()
}

/// The cache of a scope, whichever is in the other, and the process's default.
async fn a_read_inside_that_names_no_cache_stores_nothing(place: Place) {
    let db = Db::at(&place, 1).await;
    let (cache, inside) = (&db.cache, db.inside());
    let read = async |id| {
        db.write(2);
        assert_eq!(current_price(&inside, 1).await, 2, "not what is cached");
        assert_eq!(current_price(&inside, id).await, 2);
        db.rollback();
        Err::<(), Failed>(Failed)
    };
    larder::scoped(cache.clone(), async {
        assert_eq!(current_price(&db, 1).await, 1);
        cache.in_transaction(async |_| read(2).await).await.unwrap_err();
    })
    .await;
    let scoped = async |id| larder::scoped(cache.clone(), read(id)).await;
    cache.in_transaction(async |_| scoped(3).await).await.unwrap_err();
    cache.in_transaction(async |_| read(4).await).await.unwrap_err();
    larder::scoped(cache.clone(), async {
        for id in 1..=4 {
            assert_eq!(current_price(&db, id).await, 1, "{id}");
        }
    })
    .await;
    assert_eq!(current_price(&db, 4).await, 1, "in the default cache");
}

async fn a_read_inside_joins_nobody_and_nobody_joins_it(place: Place) {
    let db = Db::at(&place, 1).await;
    let (held, inside) = (Held::new(), Held::open());
    let reader = {
        let (cache, held) = (db.cache.clone(), held.clone());
        tokio::spawn(async move {
            cache.get_or_set("k", || async { Ok::<_, Failed>(held.run(1).await) }).await
        })
    };
    held.began().await;
    let read = db.cache.in_transaction(async |_| {
        let load = || async { Ok::<_, Failed>(inside.run(2).await) };
        in_time("it waits for nobody", db.cache.get_or_set("k", load).into_future()).await
    });
    assert_eq!(*read.await.unwrap(), 2);
    held.end();
    assert_eq!(reader.await.unwrap(), Ok(1));
    assert_eq!((held.runs(), inside.runs()), (1, 1));
}

async fn a_read_that_began_before_the_commit_stores_nothing_after_it(place: Place) {
    let db = Db::at(&place, 1).await;
    for by in ["a key", "a table"] {
        let old = db.row.lock().unwrap().committed;
        let held = Held::new();
        let reader = {
            let (cache, held) = (db.cache.clone(), held.clone());
            tokio::spawn(async move {
                let load = || async { Ok::<_, Failed>(held.run(old).await) };
                cache.get_or_set("price", load).tags(["table:prices"]).await
            })
        };
        let done = db.cache.in_transaction(async |tx| {
            match by {
                "a key" => tx.invalidate("price"),
                _ => tx.invalidate_tables(["prices"]),
            };
            db.write(old + 1);
            held.began().await;
            tx.commit(async { db.commit() }).await
        });
        done.await.unwrap().published().unwrap();
        held.end();
        assert_eq!(reader.await.unwrap(), Ok(old), "its caller began before");
        assert_eq!(db.cache.get::<u64>("price").await.unwrap(), None, "{by}");
    }
}

async fn what_is_spawned_inside_is_inside(place: Place) {
    let db = Db::at(&place, 1).await;
    db.cache.set("key", &1_u8).await.unwrap();
    let rolled_back: Result<larder::Committed<()>, Failed> = db
        .cache
        .in_transaction(async |_| {
            db.write(2);
            let (task, cache) = (db.inside(), db.cache.clone());
            let read = larder::spawn(async move {
                cache.invalidate("key").await.unwrap();
                price(&task, 1).await
            });
            assert_eq!(read.await.unwrap(), 2);
            let (task, cache) = (db.inside(), db.cache.clone());
            let read = larder::spawn_blocking(move || {
                cache.invalidate("key").wait().unwrap();
                price_sync(&task, 2)
            });
            assert_eq!(read.await.unwrap(), 2);
            db.rollback();
            Err(Failed)
        })
        .await;
    rolled_back.unwrap_err();
    assert_eq!(db.stored().await, None);
    assert_eq!(price_entry(&db, 2).get().await.unwrap(), None);
    assert_eq!(db.cache.get::<u8>("key").await.unwrap(), Some(1));
    assert_eq!(db.loads.load(SeqCst), 2);
}

async fn after_the_transaction_reads_are_cached_again(place: Place) {
    let db = Db::at(&place, 1).await;
    db.cache.in_transaction(async |_| Ok::<_, Failed>(price(&db, 1).await)).await.unwrap();
    assert_eq!(db.stored().await, None);
    db.warm().await;
    db.cache.in_transaction_sync(|_| Ok::<_, Failed>(())).unwrap();
    price(&db, 1).await;
    assert_eq!(db.loads(), 2);
}

in_process!(
    a_read_inside_sees_its_own_rows_and_stores_nothing,
    a_read_inside_that_names_no_cache_stores_nothing,
    a_read_inside_joins_nobody_and_nobody_joins_it,
    a_read_that_began_before_the_commit_stores_nothing_after_it,
    what_is_spawned_inside_is_inside,
    after_the_transaction_reads_are_cached_again,
);
on_redis!(
    a_read_inside_sees_its_own_rows_and_stores_nothing,
    a_read_that_began_before_the_commit_stores_nothing_after_it,
);
