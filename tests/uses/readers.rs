//! Reading through the cache: the body runs for the first caller, until something is invalidated.

use larder::{KeyTemplate, cache_aside, memoize};

use crate::{Db, DbError, SeqCst, User, in_both};

#[cache_aside(key = "user:{user_id}", ttl = "5m", tags = ["user", "tenant:{value.tenant_id}"], skip(db))]
async fn get_user(db: &Db, user_id: u64) -> Result<User, DbError> {
    db.user(user_id).await
}

in_both! {
    async fn a_reader_runs_once_until_its_entry_is_invalidated(tiers: &Tiers) {
        let db = Db::with(&[(42, "Ada")]);
        assert_eq!(get_user(&db, 42).await.unwrap().name, "Ada");
        db.rename(42, "Grace").unwrap();
        assert_eq!(get_user(&db, 42).await.unwrap().name, "Ada");
        assert_eq!(tiers.elsewhere(get_user(&db, 42)).await.unwrap().name, "Ada");
        assert_eq!(db.asked(), 1);

        get_user_entry(42).invalidate().await.unwrap();
        assert_eq!(get_user(&db, 42).await.unwrap().name, "Grace");
        assert_eq!(db.asked(), 2);
    }

    async fn an_error_is_returned_and_never_stored(tiers: &Tiers) {
        let db = Db::with(&[]);
        assert_eq!(get_user(&db, 1).await, Err(DbError::Gone));
        assert_eq!(tiers.elsewhere(get_user(&db, 1)).await, Err(DbError::Gone));
        assert_eq!(db.asked(), 2);
        assert_ne!(tiers.stored("user:1"), Some(true));
    }

    async fn tags_known_and_tags_learned_from_the_value_invalidate_what_bears_them(tiers: &Tiers) {
        let db = Db::with(&[(1, "Ada"), (2, "Grace")]);
        db.users.lock().unwrap().get_mut(&2).unwrap().tenant_id = 8;
        for (tag, reloaded) in [("user", [true, true]), ("tenant:7", [true, false]), ("tenant:9", [false; 2])] {
            get_user(&db, 1).await.unwrap();
            get_user(&db, 2).await.unwrap();
            larder::invalidate_tags([tag]).await.unwrap();
            for (id, expected) in (1..).zip(reloaded) {
                let before = db.asked();
                get_user(&db, id).await.unwrap();
                assert_eq!(db.asked() > before, expected, "{tag} of user {id}");
            }
        }
        larder::invalidate_tags(["tenant:8"]).await.unwrap();
        assert!(!tiers.elsewhere(get_user_entry_of(2)).await);
        assert!(tiers.elsewhere(get_user_entry_of(1)).await);
    }

    async fn a_tag_added_later_invalidates_like_the_others(tiers: &Tiers) {
        let db = Db::with(&[(1, "Ada")]);
        get_user(&db, 1).await.unwrap();
        assert!(get_user_entry(1).tag(["vip"]).await.unwrap());
        assert_eq!(tiers.elsewhere(get_user(&db, 1)).await.unwrap().name, "Ada");
        assert_eq!(db.asked(), 1);
        larder::invalidate_tags(["vip"]).await.unwrap();
        get_user(&db, 1).await.unwrap();
        assert_eq!(db.asked(), 2);
    }
}

async fn get_user_entry_of(id: u64) -> bool {
    get_user_entry(id).exists().await.unwrap()
}

/// Not serde: memory needs none, whatever tiers the cache has.
#[derive(Clone, Debug, PartialEq)]
struct Risk(f64);

#[memoize(ttl = "60s", skip(db))]
fn risk(db: &Db, portfolio: &str, factor: f64) -> Risk {
    db.asked.fetch_add(1, SeqCst);
    Risk(portfolio.len() as f64 * factor)
}

#[memoize(skip(db))]
async fn square(db: &Db, n: u64) -> u64 {
    tokio::task::yield_now().await;
    db.asked.fetch_add(1, SeqCst);
    n * n
}

in_both! {
    async fn a_memoized_function_needs_no_key_and_is_cleared_as_a_whole(tiers: &Tiers) {
        let db = Db::with(&[]);
        for _ in 0..2 {
            assert_eq!(risk(&db, "bonds", 0.5), Risk(2.5));
            assert_eq!(risk(&db, "gold", 0.5), Risk(2.0));
            assert_eq!(square(&db, 7).await, 49);
        }
        assert_eq!(db.asked(), 3);
        assert_eq!(risk_entry("bonds", 0.5).key(), "uses::readers::risk:bonds:0.5");
        assert_eq!(square_entry(7).key(), "uses::readers::square:7");

        risk_cache().clear().unwrap();
        assert_eq!((risk(&db, "bonds", 0.5), square(&db, 7).await), (Risk(2.5), 49));
        assert_eq!(db.asked(), 4);
        square_cache().clear().await.unwrap();
        assert_eq!(square(&db, 7).await, 49);
        assert_eq!(db.asked(), 5);
        assert_ne!(tiers.stored("uses::readers::square:7"), Some(true));
    }
}

#[cache_aside(key = "shop:{1}:{item.id}:{page}", skip(db))]
async fn listing(db: &Db, tenant: &str, item: User, page: Option<u32>) -> String {
    db.asked.fetch_add(1, SeqCst);
    format!("{}:{page:?}", item.name)
}

#[cache_aside(key = "pair:{1}:{0}")]
async fn pair(first: u32, second: &str) -> String {
    format!("{first}{second}")
}

in_both! {
    async fn named_positional_and_prefixed_templates_make_the_key_that_the_entry_has(tiers: &Tiers) {
        assert_eq!(pair(1, "a b").await, "1a b");
        assert_eq!(pair_entry(1, "a b").key(), "pair:a%20b:1");
        assert_ne!(tiers.stored("pair:a%20b:1"), Some(false));

        let named = KeyTemplate::parse("pair:{second}:{first}").unwrap();
        let named = named.render(&[("first", &1u32), ("second", &"a b")]).unwrap();
        let positional = KeyTemplate::parse("{1}:{0}").unwrap().with_prefix("pair:");
        let positional = positional.render_positional(&[&1u32, &"a b"]).unwrap();
        assert_eq!((named.as_str(), &named), ("pair:a%20b:1", &positional));
        assert_eq!(tiers.cache.get::<String>(&named).await.unwrap().as_deref(), Some("1a b"));
        tiers.cache.invalidate(&named).await.unwrap();
        assert!(!pair_entry(1, "a b").exists().await.unwrap());
    }

    async fn fields_options_and_odd_characters_never_make_two_keys_one(tiers: &Tiers) {
        let db = Db::with(&[]);
        let item = User { id: 3, tenant_id: 0, name: "chair".into() };
        let calls = [("a:3", None), ("a", None), ("a", Some(0)), ("", Some(0)), ("-", None)];
        for _ in 0..2 {
            for (tenant, page) in calls {
                let expected = format!("chair:{page:?}");
                assert_eq!(listing(&db, tenant, item.clone(), page).await, expected);
            }
        }
        assert_eq!(db.asked(), calls.len());
        assert_eq!(listing_entry("a:3", item.clone(), Some(1)).key(), "shop:a%3A3:3:1");
        tiers.elsewhere(listing(&db, "a", item, None)).await;
        assert_eq!(db.asked(), calls.len());
    }
}
