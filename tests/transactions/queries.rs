//! Results of queries, by statement and parameters.

use std::collections::BTreeSet;

use larder::Cache;

use crate::{Db, Failed, places::Place};

async fn a_query_is_run_once_for_its_statement_and_parameters(place: Place) {
    let db = Db::at(&place, 1).await;
    let price = async |id: u64| {
        let query = db.cache.query("SELECT price FROM prices WHERE id = ?1").bind(&id);
        query.tables(["prices"]).ttl("1m").get_or_load(async || Ok::<_, Failed>(db.read())).await
    };
    for _ in 0..3 {
        assert_eq!((price(1).await, price(2).await), (Ok(1), Ok(1)));
    }
    assert_eq!(db.loads(), 2);
    let failing = db.cache.query("SELECT").get_or_load(async || Err::<u64, _>(Failed));
    assert_eq!(failing.await, Err(Failed), "an error is the caller's own");
}

async fn a_change_of_a_table_invalidates_its_queries_and_no_others(place: Place) {
    let db = Db::at(&place, 1).await;
    let run = async |tables: &[&str]| {
        let query = db.cache.query(&format!("SELECT {tables:?}")).tables(tables);
        query.get_or_load(async || Ok::<_, Failed>(db.read())).await.unwrap()
    };
    let all: [&[&str]; 3] = [&["prices"], &["users"], &["prices", "users"]];
    for tables in all {
        run(tables).await;
    }
    db.cache.invalidate_tables(["prices"]).await.unwrap();
    for tables in all {
        run(tables).await;
    }
    assert_eq!(db.loads(), 5);
    db.cache.invalidate_tags(["table:users"]).await.unwrap();
    for tables in all {
        run(tables).await;
    }
    assert_eq!(db.loads(), 7);
}

async fn the_sync_form_shares_its_entries(place: Place) {
    let db = Db::at(&place, 1).await;
    let query = || db.cache.query("SELECT price").bind("DK").tables(["prices"]);
    assert_eq!(query().get_or_load_sync(|| Ok::<_, Failed>(db.read())), Ok(1));
    assert_eq!(query().get_or_load_sync(|| Ok::<_, Failed>(db.read())), Ok(1));
    assert_eq!(query().get_or_load(async || Ok::<_, Failed>(db.read())).await, Ok(1));
    assert_eq!(db.loads(), 1);
    assert_eq!(query().get_or_load_sync(|| Err::<String, _>(Failed)), Err(Failed), "another type");
}

in_process!(
    a_query_is_run_once_for_its_statement_and_parameters,
    a_change_of_a_table_invalidates_its_queries_and_no_others,
    the_sync_form_shares_its_entries,
);
on_redis!(a_change_of_a_table_invalidates_its_queries_and_no_others);

#[test]
fn different_statements_and_parameters_have_different_keys() {
    let cache = Cache::memory();
    let query = |statement| cache.query(statement);
    let keys = [
        query("a").key(),
        query("a ").key(),
        query("a").bind("").key(),
        query("a").bind("").bind("").key(),
        query("a").bind("b").bind("c").key(),
        query("a").bind("c").bind("b").key(),
        query("a").bind("bc").key(),
        query("a").bind(&("b", "c")).key(),
        query("a").bind(&1_i64).key(),
        query("a").bind("1").key(),
        query("a").bind(&None::<i64>).key(),
        query("a").bind(&Some(1_i64)).key(),
        query("a").bind(&true).key(),
    ];
    let keys: BTreeSet<String> = keys.into_iter().map(Result::unwrap).collect();
    assert_eq!(keys.len(), 13);
}

#[test]
fn a_parameter_that_cannot_be_hashed_is_loaded_without_the_cache() {
    struct Broken;
    impl serde::Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("on purpose"))
        }
    }
    let cache = Cache::memory();
    let query = || cache.query("SELECT").bind(&Broken).bind(&1);
    assert!(query().key().unwrap_err().to_string().contains("on purpose"));
    assert_eq!(query().get_or_load_sync(|| Ok::<_, Failed>(1)), Ok(1));
    assert_eq!(query().get_or_load_sync(|| Ok::<_, Failed>(2)), Ok(2));
}
