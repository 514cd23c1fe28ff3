//! Between the announcement of a commit and its publication.

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

mod shared {
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
    a_process_that_dies_in_between_has_invalidated_already,
);
