//! Between the announcement of a commit and its publication.

use std::{sync::Arc, time::Duration};

use larder::{Cache, testing::MemoryStore};

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

#[tokio::test]
async fn a_commit_that_is_dropped_ends_its_announcement() {
    let store = MemoryStore::new();
    let db = Db::with(Cache::builder().shared(Arc::new(store)).build().await.unwrap(), 1);
    let transaction = db.cache.in_transaction(async |tx| {
        tx.invalidate_tables(["prices"]);
        tx.commit(std::future::pending::<Result<(), Failed>>()).await
    });
    tokio::time::timeout(Duration::from_millis(20), transaction).await.unwrap_err();
    // In the background, and long before its time.
    let stored = async {
        while db.stored().await.is_none() {
            price(&db, 1).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), stored).await.unwrap();
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
