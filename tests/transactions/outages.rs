//! The shared tier goes away in the middle.

use std::time::Duration;

use larder::Status;

use crate::{Db, Failed, places::Place, price, price_entry, server::wait_until};

async fn a_commit_stands_although_the_shared_tier_died_before_it_was_published(mut place: Place) {
    let cache = place.builder().shared_deadline(Duration::from_secs(2)).build().await.unwrap();
    let db = Db::with(cache, 1);
    let elsewhere = Db { cache: place.cache().await, ..db.clone() };
    assert_eq!((db.warm().await, elsewhere.warm().await), (1, 1));
    let done = db
        .cache
        .in_transaction(async |tx| {
            tx.invalidate_entry(price_entry(&db, 1)).invalidate_tables(["prices"]);
            db.write(2);
            tx.commit(async {
                place.kill();
                db.commit()
            })
            .await?;
            Ok::<_, Failed>(7)
        })
        .await
        .unwrap();
    let error = done.published().unwrap_err();
    assert_eq!(error.status(), Status::Temporary);
    for part in ["the commit stands", "queued and repeated"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!((*done, price(&db, 1).await), (7, 2), "here it holds");
    assert!(db.cache.health().await.waiting_invalidations > 0);
    place.restart();
    wait_until("it is up", || place.is_up());
    let waits = async {
        while db.cache.health().await.waiting_invalidations > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waits).await.expect("it is repeated");
    assert_eq!(price(&elsewhere, 1).await, 2);
}

async fn a_shared_tier_that_is_away_keeps_no_transaction_from_committing(mut place: Place) {
    let cache = place.builder().shared_deadline(Duration::from_millis(300)).build().await.unwrap();
    let db = Db::with(cache, 1);
    db.warm().await;
    place.kill();
    let done = db.cache.in_transaction(async |tx| {
        tx.invalidate_entry(price_entry(&db, 1));
        db.write(2);
        tx.commit(async { db.commit() }).await
    });
    done.await.unwrap().published().unwrap_err();
    assert_eq!(price(&db, 1).await, 2);
    let rolled_back: Result<larder::Committed<()>, Failed> = db
        .cache
        .in_transaction(async |tx| {
            tx.invalidate("something else");
            Err(Failed)
        })
        .await;
    rolled_back.unwrap_err();
    assert_eq!(
        db.cache.health().await.waiting_invalidations,
        1,
        "what was rolled back does not wait"
    );
}

on_redis!(
    a_commit_stands_although_the_shared_tier_died_before_it_was_published,
    a_shared_tier_that_is_away_keeps_no_transaction_from_committing,
);
