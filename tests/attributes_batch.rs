//! Batches: one function, many elements, an entry for each.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]
#![allow(clippy::unwrap_used)] // helpers of tests

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasherDefault, DefaultHasher},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use larder::{Cache, KeyPart, cache_aside, memoize};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    tenant_id: u64,
}

fn user(id: u64) -> User {
    User { id, tenant_id: id % 10 }
}

#[derive(Clone, Debug, PartialEq)]
struct DbError;

/// A database that notes what it is asked for. It has users 1 to 99, and fails when it is asked for user 666.
#[derive(Default)]
struct Db {
    asked: Mutex<Vec<Vec<u64>>>,
}

impl Db {
    fn note(&self, ids: &[u64]) {
        self.asked.lock().unwrap().push(ids.to_vec());
    }

    async fn users(&self, ids: &[u64]) -> Result<HashMap<u64, User>, DbError> {
        self.note(ids);
        tokio::task::yield_now().await;
        if ids.contains(&666) {
            return Err(DbError);
        }
        Ok(ids.iter().filter(|id| **id < 100).map(|id| (*id, user(*id))).collect())
    }

    /// What it was asked since the last time.
    fn asked(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn scoped<T>(test: impl Future<Output = T>) -> T {
    larder::scoped(Cache::memory(), test).await
}

fn assert_send<F: Future + Send>(future: F) -> F {
    future
}

/// Users by their ids.
#[cache_aside(key = "user:{id}", ttl = "5m", tags = ["user", "tenant:{value.tenant_id}"], skip(db), batch(id in ids))]
async fn get_users(db: &Db, ids: &[u64]) -> Result<HashMap<u64, User>, DbError> {
    db.users(ids).await
}

#[cache_aside(key = "user:{user_id}", tags = ["user", "tenant:{value.tenant_id}"], skip(db))]
async fn get_user(db: &Db, user_id: u64) -> Result<Option<User>, DbError> {
    Ok(db.users(&[user_id]).await?.remove(&user_id))
}

#[cache_aside(key = "listed:{id}", skip(db), batch(id in ids))]
async fn list_users(db: &Db, ids: Vec<u64>) -> Vec<Option<User>> {
    db.note(&ids);
    ids.into_iter().map(|id| (id < 100).then(|| user(id))).collect()
}

#[tokio::test]
async fn the_body_runs_once_with_what_is_missing_and_the_rest_comes_from_the_cache() {
    let db = Db::default();
    scoped(async {
        let some = assert_send(get_users(&db, &[1, 2, 3])).await.unwrap();
        assert_eq!(some, HashMap::from([1, 2, 3].map(|id| (id, user(id)))));
        assert_eq!(db.asked(), [[1, 2, 3]]);
        let some = get_users(&db, &[4, 2, 5, 1]).await.unwrap();
        assert_eq!(some.len(), 4);
        assert_eq!(db.asked(), [[4, 5]]);
        let all = get_users(&db, &[5, 4, 3, 2, 1]).await.unwrap();
        assert_eq!(all, HashMap::from([1, 2, 3, 4, 5].map(|id| (id, user(id)))));
        assert!(db.asked().is_empty(), "nothing is missing");
        assert!(get_users(&db, &[]).await.unwrap().is_empty());
        assert!(db.asked().is_empty(), "nothing was wanted");
    })
    .await;
}

#[tokio::test]
async fn a_list_answers_in_the_order_of_the_elements() {
    let db = Db::default();
    scoped(async {
        list_users(&db, vec![2, 4]).await;
        let all = list_users(&db, vec![5, 4, 900, 3, 2]).await;
        assert_eq!(all, [Some(user(5)), Some(user(4)), None, Some(user(3)), Some(user(2))]);
        assert_eq!(db.asked(), [vec![2, 4], vec![5, 900, 3]]);
    })
    .await;
}

#[tokio::test]
async fn an_element_that_comes_twice_is_loaded_once_and_answered_each_time() {
    let db = Db::default();
    scoped(async {
        let all = list_users(&db, vec![7, 8, 7, 900, 7, 900]).await;
        let seven = || Some(user(7));
        assert_eq!(all, [seven(), Some(user(8)), seven(), None, seven(), None]);
        assert_eq!(db.asked(), [[7, 8, 900]]);
        let all = list_users(&db, vec![7, 9, 7]).await;
        assert_eq!(all, [seven(), Some(user(9)), seven()]);
        let map = get_users(&db, &[7, 7, 8, 7]).await.unwrap();
        assert_eq!(map.len(), 2);
        assert_eq!(db.asked(), [vec![9], vec![7, 8]]);
    })
    .await;
}

#[tokio::test]
async fn what_the_body_does_not_find_is_absent_and_asked_for_again() {
    let db = Db::default();
    scoped(async {
        for _ in 0..2 {
            let some = get_users(&db, &[1, 900]).await.unwrap();
            assert_eq!(some, HashMap::from([(1, user(1))]));
        }
        assert_eq!(db.asked(), [vec![1, 900], vec![900]]);
        assert!(!get_users_entry(900).exists().await.unwrap());
    })
    .await;
}

#[cache_aside(key = "user:{id}", negative_ttl = "10s", skip(db), batch(id in ids))]
async fn known_users(db: &Db, ids: &[u64]) -> Result<BTreeMap<u64, User>, DbError> {
    Ok(db.users(ids).await?.into_iter().collect())
}

#[cache_aside(key = "maybe:{id}", negative_ttl = "10s", skip(db), batch(id in ids))]
async fn maybe_users(db: &Db, ids: &[u64]) -> Vec<Option<User>> {
    db.note(ids);
    ids.iter().map(|id| (*id < 100).then(|| user(*id))).collect()
}

#[tokio::test]
async fn with_negative_ttl_an_absence_is_cached() {
    let db = Db::default();
    scoped(async {
        for _ in 0..2 {
            let some = known_users(&db, &[1, 900]).await.unwrap();
            assert_eq!(some, BTreeMap::from([(1, user(1))]));
            assert_eq!(maybe_users(&db, &[900, 2]).await, [None, Some(user(2))]);
        }
        assert_eq!(db.asked(), [[1, 900], [900, 2]]);
        let left = known_users_entry(900).ttl().await.unwrap().unwrap();
        assert!(left <= Duration::from_secs(10), "{left:?}");
    })
    .await;
}

#[tokio::test]
async fn an_error_is_returned_and_not_cached_and_the_hits_stay() {
    let db = Db::default();
    scoped(async {
        get_users(&db, &[1]).await.unwrap();
        for _ in 0..2 {
            assert_eq!(get_users(&db, &[1, 2, 666]).await, Err(DbError));
        }
        assert_eq!(db.asked(), [vec![1], vec![2, 666], vec![2, 666]]);
        get_users(&db, &[1]).await.unwrap();
        assert!(db.asked().is_empty());
    })
    .await;
}

#[tokio::test]
async fn entries_are_shared_with_a_reader_of_the_same_template() {
    let db = Db::default();
    scoped(async {
        get_users(&db, &[1]).await.unwrap();
        assert_eq!(get_user(&db, 1).await, Ok(Some(user(1))));
        get_user(&db, 2).await.unwrap();
        get_users(&db, &[1, 2, 3]).await.unwrap();
        assert_eq!(db.asked(), [[1], [2], [3]]);
    })
    .await;
}

#[tokio::test]
async fn companions_reach_one_entry_the_function_and_the_body() {
    let db = Db::default();
    scoped(async {
        get_users(&db, &[1, 2]).await.unwrap();
        assert_eq!(get_users_entry(1).key(), "user:1");
        assert_eq!(get_users_entry(1).get().await.unwrap(), Some(user(1)));
        get_users_entry(1).invalidate().await.unwrap();
        get_users(&db, &[1, 2]).await.unwrap();
        assert_eq!(db.asked(), [vec![1, 2], vec![1]]);
        get_users_entry(3).set(user(33)).await.unwrap();
        assert_eq!(get_users(&db, &[3]).await.unwrap()[&3], user(33));
        get_users_cache().clear().await.unwrap();
        assert!(!get_users_entry(2).exists().await.unwrap());
        get_users_uncached(&db, &[4]).await.unwrap();
        assert!(!get_users_entry(4).exists().await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn tags_known_before_and_tags_of_each_value_invalidate() {
    let db = Db::default();
    scoped(async {
        get_users(&db, &[1, 2, 11]).await.unwrap();
        larder::invalidate_tags(["tenant:1"]).await.unwrap();
        get_users(&db, &[1, 2, 11]).await.unwrap();
        larder::invalidate_tags(["user"]).await.unwrap();
        get_users(&db, &[1, 2, 11]).await.unwrap();
        assert_eq!(db.asked(), [vec![1, 2, 11], vec![1, 11], vec![1, 2, 11]]);
    })
    .await;
}

#[cache_aside(key = "square:{n}", batch(n in numbers))]
fn squares(numbers: &[u64]) -> HashMap<u64, u64, BuildHasherDefault<DefaultHasher>> {
    SQUARED.fetch_add(numbers.len(), SeqCst);
    numbers.iter().map(|n| (*n, n * n)).collect()
}

static SQUARED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_sync_batch_needs_no_runtime() {
    larder::scoped_sync(Cache::memory(), || {
        assert_eq!(squares(&[2, 3, 2]).len(), 2);
        assert_eq!(squares(&[2, 3, 4])[&3], 9);
        assert_eq!(SQUARED.load(SeqCst), 3);
        squares_entry(2).set(5).unwrap();
        assert_eq!(squares(&[2])[&2], 5);
        squares_cache().clear().unwrap();
        assert_eq!(squares(&[2])[&2], 4);
    });
}

#[memoize(batch(word in words), ttl = "60s")]
fn lengths(words: &[&str], factor: usize) -> HashMap<String, usize> {
    LENGTHS.fetch_add(words.len(), SeqCst);
    words.iter().map(|word| ((*word).to_owned(), word.len() * factor)).collect()
}

static LENGTHS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_memoized_batch_makes_its_keys_by_itself_and_may_own_what_it_was_lent() {
    larder::scoped_sync(Cache::memory(), || {
        assert_eq!(lengths(&["a", "bc"], 1)["bc"], 2);
        assert_eq!(lengths(&["bc", "def"], 1)["bc"], 2);
        assert_eq!(LENGTHS.load(SeqCst), 3);
        assert_eq!(lengths(&["bc"], 10)["bc"], 20, "the other arguments are in the key");
        assert_eq!(lengths_entry("bc", 10).get().unwrap(), Some(20));
    });
}

#[cache_aside(key = "lent:{name}", batch(name in names))]
async fn lent<'a>(names: &[&'a str]) -> BTreeMap<&'a str, usize> {
    names.iter().map(|name| (*name, name.len())).collect()
}

#[tokio::test]
async fn the_keys_of_a_map_may_borrow() {
    scoped(async {
        let text = "one two three".to_owned();
        let names: Vec<&str> = text.split(' ').collect();
        assert_eq!(lent(&names).await["three"], 5);
        assert_eq!(lent(&names[1..]).await.len(), 2);
    })
    .await;
}

/// Not `Hash`, not `Eq`: a list asks for neither.
#[derive(Clone, KeyPart)]
struct Sku(String);

struct Shop {
    region: String,
    cache: Cache,
    runs: AtomicUsize,
}

impl Shop {
    fn new(cache: &Cache) -> Self {
        Self { region: "eu".into(), cache: cache.clone(), runs: AtomicUsize::new(0) }
    }

    #[cache_aside(key = "price:{self.region}:{sku}:{currency}", cache = self.cache, batch(sku in skus))]
    async fn prices(&self, skus: Vec<Sku>, currency: &str) -> Vec<Option<u64>> {
        self.runs.fetch_add(skus.len(), SeqCst);
        skus.iter().map(|sku| Some(sku.0.len() as u64 + currency.len() as u64)).collect()
    }

    #[cache_aside(key = "stock:{id}", in_impl, skip(Self), batch(id in ids), cache = cache)]
    fn stock(cache: &Cache, mut ids: Vec<u32>) -> Vec<Option<u32>> {
        ids.iter_mut().for_each(|id| *id += 1);
        ids.into_iter().map(Some).collect()
    }
}

#[tokio::test]
async fn methods_and_associated_functions_have_batches() {
    let cache = Cache::memory();
    let shop = Shop::new(&cache);
    let sku = |text: &str| Sku(text.to_owned());
    assert_eq!(shop.prices(vec![sku("a"), sku("bc")], "dkk").await, [Some(4), Some(5)]);
    assert_eq!(shop.prices(vec![sku("bc"), sku("a")], "dkk").await, [Some(5), Some(4)]);
    assert_eq!(shop.runs.load(SeqCst), 2);
    assert_eq!(shop.prices_entry(sku("a"), "dkk").key(), "price:eu:a:dkk");
    assert!(shop.prices_entry(sku("a"), "dkk").exists().await.unwrap());
    shop.prices_cache().clear().await.unwrap();
    assert!(!shop.prices_entry(sku("a"), "dkk").exists().await.unwrap());
    assert_eq!(Shop::stock(&cache, vec![1, 2, 1]), [Some(2), Some(3), Some(2)]);
    assert_eq!(Shop::stock_entry(&cache, 1).get().unwrap(), Some(2));
}

trait Rates {
    fn rates(&self, days: &[u32]) -> impl Future<Output = BTreeMap<u32, u64>> + Send;
    fn rates_sync(&self, days: Vec<u32>) -> Vec<Option<u64>>;
}

impl Rates for Shop {
    #[cache_aside(key = "rate:{day}", skip(self), cache = self.cache, companions = false, batch(day in days))]
    async fn rates(&self, days: &[u32]) -> BTreeMap<u32, u64> {
        self.runs.fetch_add(days.len(), SeqCst);
        days.iter().map(|day| (*day, u64::from(*day) * 2)).collect()
    }

    #[cache_aside(key = "sync:{day}", skip(self), cache = self.cache, companions = false, batch(day in days))]
    fn rates_sync(&self, mut days: Vec<u32>) -> Vec<Option<u64>> {
        self.runs.fetch_add(days.len(), SeqCst);
        days.iter_mut().for_each(|day| *day *= 3);
        days.into_iter().map(|day| Some(day.into())).collect()
    }
}

#[tokio::test]
async fn a_method_of_a_trait_has_a_batch_without_companions() {
    let shop = Shop::new(&Cache::memory());
    assert_eq!(shop.rates(&[1, 2]).await[&2], 4);
    assert_eq!(shop.rates(&[2, 3]).await[&2], 4);
    assert_eq!(shop.runs.load(SeqCst), 3);
    assert_eq!(shop.rates_sync(vec![1, 2]), [Some(3), Some(6)]);
    assert_eq!(shop.rates_sync(vec![2, 4, 2]), [Some(6), Some(12), Some(6)]);
    assert_eq!(shop.runs.load(SeqCst), 6);
}

#[cache_aside(key = "any:{K}:{id}", layer = "memory", batch(id in ids))]
async fn any<K>(ids: &[K]) -> HashMap<K, String>
where
    K: KeyPart + Clone + Eq + std::hash::Hash + ToString + Send + Sync + 'static,
{
    ids.iter().map(|id| (id.clone(), id.to_string())).collect()
}

#[tokio::test]
async fn a_generic_function_has_a_batch_for_each_type() {
    scoped(async {
        assert_eq!(assert_send(any(&[1_u8, 2])).await[&2], "2");
        assert_eq!(any(&["1".to_owned()]).await["1"], "1");
        assert_eq!(any_entry(1_u8).get().await.unwrap().as_deref(), Some("1"));
    })
    .await;
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
struct Place {
    country: String,
    city: String,
}

fn place(country: &str, city: &str) -> Place {
    Place { country: country.into(), city: city.into() }
}

#[cache_aside(key = "country:{place.country}", tags = ["land:{place.country}"], skip(asked), batch(place in places))]
async fn by_country(asked: &AtomicUsize, places: &[Place]) -> HashMap<Place, String> {
    asked.fetch_add(places.len(), SeqCst);
    places.iter().map(|place| (place.clone(), place.country.to_uppercase())).collect()
}

#[cache_aside(key = "place:{place:hash}", skip(asked), batch(place in places))]
async fn by_hash(asked: &AtomicUsize, places: &[Place]) -> Vec<Option<String>> {
    asked.fetch_add(places.len(), SeqCst);
    places.iter().map(|place| Some(place.city.clone())).collect()
}

#[tokio::test]
async fn elements_that_share_a_key_share_their_value() {
    let asked = AtomicUsize::new(0);
    scoped(async {
        let places = [place("dk", "Aarhus"), place("dk", "Ribe"), place("se", "Lund")];
        for _ in 0..2 {
            let all = by_country(&asked, &places).await;
            assert_eq!(all.len(), 3);
            assert_eq!(all[&places[1]], "DK");
            let all = by_hash(&asked, &places).await;
            assert_eq!(all, ["Aarhus", "Ribe", "Lund"].map(|city| Some(city.to_owned())));
        }
        assert_eq!(asked.load(SeqCst), 2 + 3);
        larder::invalidate_tags(["land:dk"]).await.unwrap();
        by_country(&asked, &places).await;
        assert_eq!(asked.load(SeqCst), 2 + 3 + 1);
    })
    .await;
}

#[cache_aside(
    key = "kept:{id}",
    cache_if = |value: &u64| value % 2 == 0,
    ttl_fn = |value| Duration::from_secs(1000 + *value),
    version = 3,
    jitter = 0.0,
    batch(id in ids)
)]
async fn kept(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_aside(key = "lives:{id}", ttl = Duration::from_secs(id * seconds), skip(seconds), batch(id in ids))]
async fn lives(ids: &[u64], seconds: u64) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[tokio::test]
async fn every_element_is_kept_by_its_own_rules() {
    scoped(async {
        assert_eq!(kept(&[1, 2, 4]).await.len(), 3);
        assert!(!kept_entry(1).exists().await.unwrap());
        for id in [2, 4] {
            let left = kept_entry(id).ttl().await.unwrap().unwrap().as_secs();
            assert!(left > 990 + id && left <= 1000 + id, "{left}");
        }
        lives(&[1, 5], 1000).await;
        for id in [1, 5] {
            let left = lives_entry(id, 1000).ttl().await.unwrap().unwrap().as_secs();
            assert!(left > 990 * id && left <= 1000 * id, "{left}");
        }
    })
    .await;
}

/// Answers with everything it has, whatever it is asked for.
#[cache_aside(key = "greedy:{id}", skip(version), batch(id in ids))]
async fn greedy(version: u64, ids: &[u64]) -> HashMap<u64, u64> {
    let _ = ids;
    (1..=5).map(|id| (id, version)).collect()
}

#[tokio::test]
async fn what_was_not_asked_for_is_returned_and_not_stored() {
    scoped(async {
        assert_eq!(greedy(1, &[1, 2]).await.len(), 5, "the caller gets what the body returned");
        for id in 3..=5 {
            assert!(!greedy_entry(id).exists().await.unwrap());
        }
        // 1 is a hit, 3 is missing: the body was asked for 3, and what it says of 1 beside that is newer.
        let all = greedy(2, &[1, 3]).await;
        assert_eq!((all[&1], all[&3]), (2, 2));
        assert_eq!(greedy(3, &[1]).await, HashMap::from([(1, 1)]), "what was stored is as it was");
    })
    .await;
}

/// Answers with a list of another length.
#[cache_aside(key = "short:{id}", skip(length), batch(id in ids))]
async fn short(length: usize, ids: &[u64]) -> Vec<Option<u64>> {
    ids.iter().cycle().take(length).map(|id| Some(*id)).collect()
}

#[tokio::test]
async fn a_list_of_another_length_is_nobodys() {
    scoped(async {
        assert_eq!(short(2, &[1, 2]).await, [Some(1), Some(2)]);
        for length in [0, 1, 3, 4] {
            // All were asked for: the caller gets the list as it is.
            assert_eq!(short(length, &[7, 8]).await.len(), length);
            // One was known: the list says nothing of any other, even where its length looks right.
            assert_eq!(short(length, &[1, 8, 9]).await, [Some(1), None, None]);
        }
        for id in [7, 8, 9] {
            assert!(!short_entry(id).exists().await.unwrap());
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_cache_the_body_gets_what_the_caller_gave() {
    let db = Db::default();
    let off = Cache::builder().enabled(false).build().await.unwrap();
    larder::scoped(off, async {
        for _ in 0..2 {
            assert_eq!(list_users(&db, vec![2, 1, 2]).await.len(), 3);
        }
        assert!(list_users(&db, Vec::new()).await.is_empty());
        assert_eq!(db.asked(), [vec![2, 1, 2], vec![2, 1, 2], vec![]]);
    })
    .await;
}

/// Fails to be a part of a key when it is 13.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Unlucky(u64);

impl KeyPart for Unlucky {
    fn render(&self, out: &mut larder::KeyWriter<'_>) {
        if self.0 == 13 { out.fail("thirteen") } else { out.part(&self.0) }
    }
}

#[cache_aside(key = "luck:{n}", skip(asked), batch(n in numbers))]
async fn luck(asked: &AtomicUsize, numbers: &[Unlucky]) -> HashMap<Unlucky, u64> {
    asked.fetch_add(numbers.len(), SeqCst);
    numbers.iter().map(|n| (*n, n.0)).collect()
}

#[tokio::test]
async fn an_element_that_cannot_be_in_a_key_is_loaded_every_time() {
    let asked = AtomicUsize::new(0);
    scoped(async {
        for count in [3, 4] {
            let all = luck(&asked, &[12, 13, 14].map(Unlucky)).await;
            assert_eq!(all[&Unlucky(13)], 13);
            assert_eq!(asked.load(SeqCst), count);
        }
    })
    .await;
}

#[tokio::test]
async fn a_batch_neither_joins_a_load_nor_is_joined() {
    let (begin, end) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let runs = Arc::new(Mutex::new(Vec::new()));

    #[derive(Clone)]
    struct Slow {
        begin: Arc<tokio::sync::Notify>,
        end: Arc<tokio::sync::Notify>,
        runs: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Slow {
        async fn run(&self, who: &'static str) {
            self.runs.lock().unwrap().push(who);
            self.begin.notify_one();
            self.end.notified().await;
        }
    }

    #[cache_aside(key = "slow:{id}", skip(slow))]
    async fn one(slow: Slow, id: u64) -> u64 {
        slow.run("one").await;
        id
    }

    #[cache_aside(key = "slow:{id}", skip(slow), batch(id in ids))]
    async fn many(slow: Slow, ids: &[u64]) -> HashMap<u64, u64> {
        slow.run("many").await;
        ids.iter().map(|id| (*id, *id)).collect()
    }

    let slow = Slow { begin: begin.clone(), end: end.clone(), runs: runs.clone() };
    scoped(async {
        // A reader that comes while a batch loads is not held, and a batch is held by neither.
        let first = larder::spawn({
            let slow = slow.clone();
            async move { many(slow, &[1, 2]).await }
        });
        begin.notified().await;
        let second = larder::spawn(one(slow.clone(), 1));
        begin.notified().await;
        let third = larder::spawn({
            let slow = slow.clone();
            async move { many(slow, &[2, 1]).await }
        });
        begin.notified().await;
        for _ in 0..3 {
            end.notify_one();
            tokio::task::yield_now().await;
        }
        let all = tokio::join!(first, second, third);
        assert_eq!((all.0.unwrap().len(), all.1.unwrap(), all.2.unwrap().len()), (2, 1, 2));
        assert_eq!(*runs.lock().unwrap(), ["many", "one", "many"]);
        assert_eq!(larder::current().unwrap().stats().coalesced, 0);
    })
    .await;
}

#[tokio::test]
async fn a_writer_may_renew_the_entry_of_an_element() {
    #[larder::write_through(entry = get_users(id))]
    async fn rename(id: u64) -> Result<User, DbError> {
        Ok(User { id, tenant_id: 77 })
    }
    let db = Db::default();
    scoped(async {
        get_users(&db, &[1, 2]).await.unwrap();
        rename(2).await.unwrap();
        assert_eq!(get_users(&db, &[1, 2]).await.unwrap()[&2].tenant_id, 77);
        assert_eq!(db.asked().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn one_call_is_one_load_and_a_hit_or_a_miss_for_each_key() {
    let db = Db::default();
    let cache = Cache::memory();
    larder::scoped(cache.clone(), async {
        get_users(&db, &[1, 2, 2]).await.unwrap();
        get_users(&db, &[1, 2, 3, 3]).await.unwrap();
    })
    .await;
    let stats = cache.stats();
    assert_eq!((stats.loads, stats.hits_memory, stats.misses), (2, 2, 3));
    assert_eq!(stats.fills, 3);
}

type Fallible<T> = Result<T, DbError>;
type Users = HashMap<u64, User>;

#[cache_aside(key = "alias:{1}:{0}", returns = "result", skip(db), batch(id in ids))]
async fn aliased(tenant: u8, ids: &[u64], db: &Db) -> Fallible<Users> {
    let _ = tenant;
    db.users(ids).await
}

#[tokio::test]
async fn aliases_and_positions_are_understood() {
    let db = Db::default();
    scoped(async {
        for _ in 0..2 {
            assert_eq!(aliased(7, &[1, 2], &db).await.unwrap().len(), 2);
        }
        assert_eq!(db.asked(), [[1, 2]]);
        assert_eq!(aliased_entry(7, 2).key(), "alias:2:7");
        assert_eq!(aliased_entry(7, 2).get().await.unwrap(), Some(user(2)));
    })
    .await;
}

/// A set of the ids that a function was given, so that an order is not tested by accident.
#[tokio::test]
async fn many_elements_are_all_loaded() {
    let db = Db::default();
    scoped(async {
        let ids: Vec<u64> = (0..5_000).collect();
        list_users(&db, ids.clone()).await;
        let asked: HashSet<u64> = db.asked().concat().into_iter().collect();
        assert_eq!(asked.len(), ids.len());
    })
    .await;
}

#[test]
fn a_reader_of_many_is_in_the_registry() {
    let registry = larder::registry();
    let listed = registry.functions().find(|function| function.name() == "get_users");
    assert!(listed.is_some_and(|function| function.line() > 0));
}
