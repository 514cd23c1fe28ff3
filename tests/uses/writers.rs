//! Writing: the writer renews its reader's entry and invalidates what else it changes.

use larder::{cache_aside, cache_invalidate, write_through};

use crate::{Db, DbError, User, in_both};

#[cache_aside(key = "user:{id}", ttl = "5m", tags = ["tenant:{value.tenant_id}"], skip(db))]
async fn get_user(db: &Db, id: u64) -> Result<User, DbError> {
    db.user(id).await
}

#[cache_aside(key = "users:list:{page}", ttl = "5m", skip(db))]
async fn list_users(db: &Db, page: u32) -> Vec<String> {
    db.names()
}

#[cache_aside(key = "users:number", ttl = "5m", skip(db))]
async fn number_of_users(db: &Db) -> usize {
    db.names().len()
}

#[write_through(entry = get_user(id), invalidate_patterns = ["users:list:*"])]
async fn update_user(db: &Db, id: u64, name: &str) -> Result<User, DbError> {
    db.rename(id, name)
}

/// Writes half of it, after somebody has read.
#[write_through(entry = get_user(id))]
async fn fail_half_way(db: &Db, id: u64) -> Result<User, DbError> {
    get_user(db, id).await?;
    db.rename(id, "half")?;
    Err(DbError::Gone)
}

#[cache_invalidate(invalidates = [get_user(id), list_users(*)], invalidate_keys = ["users:number"])]
async fn delete_user(db: &Db, id: u64) -> Result<(), DbError> {
    if db.remove(id) { Ok(()) } else { Err(DbError::Gone) }
}

#[cache_invalidate(invalidate_tags = ["tenant:{tenant}"])]
fn close_tenant(tenant: u32) -> usize {
    tenant as usize
}

in_both! {
    async fn a_write_renews_its_readers_entry_and_invalidates_the_lists(tiers: &Tiers) {
        let db = Db::with(&[(42, "Ada"), (43, "Kim")]);
        get_user(&db, 42).await.unwrap();
        for page in [0, 1] {
            assert_eq!(list_users(&db, page).await, ["Ada", "Kim"]);
        }
        number_of_users(&db).await;
        let asked = db.asked();

        update_user(&db, 42, "Grace").await.unwrap();
        assert_eq!(get_user(&db, 42).await.unwrap().name, "Grace");
        assert_eq!(tiers.elsewhere(get_user(&db, 42)).await.unwrap().name, "Grace");
        assert_eq!(number_of_users(&db).await, 2);
        assert_eq!(db.asked(), asked, "hits all of them");
        assert_eq!(list_users(&db, 0).await, ["Grace", "Kim"]);
        assert_eq!(tiers.elsewhere(list_users(&db, 1)).await, ["Grace", "Kim"]);
        assert_eq!(db.asked(), asked + 2);
    }

    async fn what_a_writer_stored_bears_the_readers_tags_and_time_to_live(tiers: &Tiers) {
        let db = Db::with(&[(42, "Ada")]);
        update_user(&db, 42, "Grace").await.unwrap();
        let left = get_user_entry(42).ttl().await.unwrap().unwrap();
        assert!(left.as_secs() > 200 && left.as_secs() <= 300, "{left:?}");
        larder::invalidate_tags(["tenant:7"]).await.unwrap();
        assert!(!tiers.elsewhere(async { get_user_entry(42).exists().await.unwrap() }).await);
    }

    async fn a_writer_that_fails_leaves_no_entry_and_the_lists_alone(tiers: &Tiers) {
        let db = Db::with(&[(42, "Ada")]);
        list_users(&db, 0).await;
        get_user_entry(43).set(User { id: 43, tenant_id: 7, name: "ghost".into() }).await.unwrap();
        assert_eq!(update_user(&db, 43, "Grace").await, Err(DbError::Gone));
        assert!(!get_user_entry(43).exists().await.unwrap());
        let asked = db.asked();
        list_users(&db, 0).await;
        tiers.elsewhere(list_users(&db, 0)).await;
        assert_eq!(db.asked(), asked);
    }

    async fn what_was_read_while_a_write_failed_is_not_kept(tiers: &Tiers) {
        let db = Db::with(&[(42, "Ada")]);
        assert_eq!(fail_half_way(&db, 42).await, Err(DbError::Gone));
        assert_eq!(get_user(&db, 42).await.unwrap().name, "half");
        assert_eq!(tiers.elsewhere(get_user(&db, 42)).await.unwrap().name, "half");
    }

    async fn a_writer_that_stores_nothing_invalidates_entries_readers_and_keys(tiers: &Tiers) {
        let db = Db::with(&[(1, "Ada"), (2, "Kim")]);
        get_user(&db, 1).await.unwrap();
        get_user(&db, 2).await.unwrap();
        assert_eq!((list_users(&db, 0).await.len(), number_of_users(&db).await), (2, 2));

        assert_eq!(delete_user(&db, 9).await, Err(DbError::Gone));
        assert_eq!((list_users(&db, 0).await.len(), number_of_users(&db).await), (2, 2));
        delete_user(&db, 1).await.unwrap();
        assert_eq!(get_user(&db, 1).await, Err(DbError::Gone));
        assert_eq!((list_users(&db, 0).await.len(), number_of_users(&db).await), (1, 1));
        assert_eq!(tiers.elsewhere(number_of_users(&db)).await, 1);
        assert!(get_user_entry(2).exists().await.unwrap());
    }

    async fn a_sync_writer_invalidates_the_tags_of_async_readers(tiers: &Tiers) {
        let db = Db::with(&[(1, "Ada")]);
        get_user(&db, 1).await.unwrap();
        close_tenant(8);
        assert!(get_user_entry(1).exists().await.unwrap());
        close_tenant(7);
        assert!(!get_user_entry(1).exists().await.unwrap());
        assert!(!tiers.elsewhere(async { get_user_entry(1).exists().await.unwrap() }).await);
    }
}
