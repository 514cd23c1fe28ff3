//! Cached queries.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::for_both_forms;

#[tokio::test]
async fn queries_by_statement_and_parameters() {
    for_both_forms(async |cache| {
        let runs = AtomicU64::new(0);
        let by_id = async |id: u64| {
            let query = cache.query("SELECT name FROM users WHERE id = ?1").bind(&id);
            let run = async || Ok::<_, larder::Error>(runs.fetch_add(1, Ordering::Relaxed));
            query.tables(["users"]).ttl("1m").get_or_load(run).await.unwrap()
        };
        assert_eq!([by_id(1).await, by_id(2).await, by_id(1).await, by_id(2).await], [0, 1, 0, 1]);
        cache.invalidate_tables(["users"]).await.unwrap();
        assert_eq!(by_id(1).await, 2);
    })
    .await;
}

#[tokio::test]
async fn queries_invalidated_by_a_transaction() {
    for_both_forms(async |cache| {
        let count = async |rows: u64| {
            let query = cache.query("SELECT count(*) FROM users").tables(["users"]);
            query.get_or_load(async || Ok::<_, larder::Error>(rows)).await.unwrap()
        };
        assert_eq!(count(1).await, 1);
        let rolled_back = cache.in_transaction(async |tx| {
            tx.invalidate_tables(["users"]);
            Err::<(), _>("rolled back")
        });
        assert_eq!(rolled_back.await.unwrap_err(), "rolled back");
        assert_eq!(count(2).await, 1);
        let committed = cache.in_transaction(async |tx| {
            tx.invalidate_tables(["users"]);
            tx.commit(async { Ok::<_, larder::Error>(()) }).await
        });
        committed.await.unwrap().published().unwrap();
        assert_eq!(count(2).await, 2);
    })
    .await;
}
