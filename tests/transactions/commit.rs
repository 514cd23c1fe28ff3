//! Between the announcement of a commit and its publication.

use std::{sync::Arc, time::Duration};

use larder::{
    Cache, cache_aside,
    store::{Nonce, Store},
    testing::MemoryStore,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::{Db, Failed, places::Place, price, price_entry};

async fn while_it_commits_nobody_stores_its_keys(place: Place) {
    let db = Db::at(&place, 1).await;
    let elsewhere = db.elsewhere(&place).await;
    db.warm().await;
    let done = db.cache.in_transaction(async |tx| {
        tx.invalidate_entry(price_entry(&db, 1));
        db.write(2);
        tx.commit(async {
            let readers = [db.clone(), elsewhere.clone()];
            for reader in readers {
                // Another task: it is not in the transaction.
                let read = tokio::spawn(async move {
                    let read = price(&reader, 1).await;
                    (read, reader.stored().await)
                });
                assert_eq!(read.await.unwrap(), (1, None), "announced, and not yet committed");
            }
            db.commit()
        })
        .await
    });
    done.await.unwrap().published().unwrap();
    assert_eq!((db.warm().await, elsewhere.warm().await), (2, 2), "and afterwards they are stored");
}

async fn while_it_commits_nobody_stores_what_bears_its_tags(place: Place) {
    let db = Db::at(&place, 1).await;
    let elsewhere = db.elsewhere(&place).await;
    db.warm().await;
    let done = db.cache.in_transaction(async |tx| {
        tx.invalidate_tables(["prices"]);
        db.write(2);
        tx.commit(async {
            let readers = [db.clone(), elsewhere.clone()];
            for reader in readers {
                let read = tokio::spawn(async move {
                    let read = price(&reader, 1).await;
                    (read, reader.stored().await)
                });
                assert_eq!(read.await.unwrap(), (1, None), "announced, and not yet committed");
            }
            db.commit()
        })
        .await
    });
    done.await.unwrap().published().unwrap();
    assert_eq!((db.warm().await, elsewhere.warm().await), (2, 2), "and afterwards they are stored");
}

async fn a_process_that_dies_in_between_has_invalidated_already(place: Place) {
    let db = Db::at(&place, 1).await;
    let elsewhere = db.elsewhere(&place).await;
    db.warm().await;
    let done = db.cache.in_transaction(async |tx| {
        tx.invalidate_entry(price_entry(&db, 1)).invalidate_tables(["prices"]);
        tx.commit(async {
            // What it would leave behind, were this its end.
            let stored = tokio::spawn(async move { elsewhere.stored().await });
            assert_eq!(stored.await.unwrap(), None);
            Ok::<_, Failed>(())
        })
        .await
    });
    done.await.unwrap().published().unwrap();
}

/// A row that only its value says the table of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Priced {
    table: String,
    price: u64,
}

#[cache_aside(
    key = "priced:{id}", ttl = "5m", tags = ["table:{value.table}"], layer = "shared", cache = db.cache,
    skip(db, read, go_on)
)]
async fn priced(db: &Db, id: u64, read: &Notify, go_on: &Notify) -> Priced {
    let price = db.read();
    read.notify_one();
    go_on.notified().await;
    Priced { table: "prices".to_owned(), price }
}

/// Reads while a change of the table is announced, and goes on when that has ended by itself.
async fn reads_past_an_announcement(db: &Db, store: &MemoryStore) -> Priced {
    let (tables, at_most) = (["table:prices".to_owned()], Duration::from_secs(30));
    store.begin_tags(&tables, Nonce::random().unwrap(), at_most).await.unwrap();
    let (read, go_on) = (Notify::new(), Notify::new());
    let slow = priced(db, 1, &read, &go_on);
    let end = async {
        read.notified().await;
        // The commit of a process that dies then.
        db.write(2);
        db.commit().unwrap();
        tokio::time::sleep(at_most * 2).await;
        go_on.notify_one();
    };
    tokio::join!(slow, end).0
}

#[tokio::test(start_paused = true)]
async fn what_a_load_learns_to_have_been_changed_when_it_began_is_never_stored() {
    let store = MemoryStore::new();
    let db = Db::with(Cache::builder().shared(Arc::new(store.clone())).build().await.unwrap(), 1);
    assert_eq!(reads_past_an_announcement(&db, &store).await.price, 1, "it came before the commit");
    assert_eq!(priced_entry(&db, 1).get().await.unwrap(), None);
    let (read, go_on) = (Notify::new(), Notify::new());
    go_on.notify_one();
    assert_eq!(priced(&db, 1, &read, &go_on).await.price, 2);
    assert!(priced_entry(&db, 1).get().await.unwrap().is_some(), "and afterwards it is stored");
}

mod shared {
    #[tokio::test]
    async fn while_it_commits_nobody_stores_what_bears_its_tags() {
        let place = crate::places::Place::shared();
        super::while_it_commits_nobody_stores_what_bears_its_tags(place).await;
    }

    #[tokio::test]
    async fn while_it_commits_nobody_stores_its_keys() {
        super::while_it_commits_nobody_stores_its_keys(crate::places::Place::shared()).await;
    }

    #[tokio::test]
    async fn a_process_that_dies_in_between_has_invalidated_already() {
        let place = crate::places::Place::shared();
        super::a_process_that_dies_in_between_has_invalidated_already(place).await;
    }
}
on_redis!(
    while_it_commits_nobody_stores_its_keys,
    while_it_commits_nobody_stores_what_bears_its_tags,
    a_process_that_dies_in_between_has_invalidated_already,
);
