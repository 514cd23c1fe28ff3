//! An application's own events, and what they invalidate.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

use std::{
    future::IntoFuture,
    sync::{Arc, OnceLock},
    time::Duration,
};

use larder::testing::{ChaosStore, Fault, MemoryStore, Operation};
use larder::{
    Cache, Clock, ErrorKind, Event, Events, InvalidationRules, Invalidations, KeyTemplate, Origin,
    cache_aside, memoize,
};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

#[cache_aside(key = "user:{id}", tags = ["user"])]
async fn get_user(id: u64) -> u64 {
    id
}

#[cache_aside(key = "users:{page}")]
async fn list_users(page: u32) -> u32 {
    page
}

#[memoize(key = "risk:{id}")]
fn risk(id: u64) -> u64 {
    id
}

#[cache_aside(key = "price:{id}", cache = prices)]
async fn price(prices: &Cache, id: u64) -> u64 {
    id
}

struct UserUpdated {
    id: u64,
}

struct UsersImported;

/// Whatever a test wants to be invalidated.
struct Do(fn() -> Invalidations);

fn of_tests() -> InvalidationRules {
    InvalidationRules::new().on::<Do>(|event| event.0())
}

fn list() -> Invalidations {
    Invalidations::new()
}

/// Another process on the same shared tier.
async fn process(
    store: &MemoryStore,
    rules: InvalidationRules,
) -> (Cache, Arc<ChaosStore<MemoryStore>>) {
    let store = Arc::new(ChaosStore::new(store.connect()));
    // What goes on in the background takes its turns on the thread of the test.
    let builder = Cache::builder().prefix("shop:").runtime(Handle::current()).clock(Clock::tokio());
    let cache = builder.shared(store.clone()).rules(rules).build().await.unwrap();
    while cache.health().await.session != Some(true) {
        assert_eq!(cache.get::<u8>("nothing").await.unwrap(), None);
        sleep(Duration::from_millis(1)).await;
    }
    (cache, store)
}

/// How often the shared tier was told to invalidate something.
fn told(store: &ChaosStore<MemoryStore>) -> u64 {
    store.inner().calls().of(Operation::Invalidate)
}

async fn reader(store: &MemoryStore) -> Cache {
    process(store, InvalidationRules::new()).await.0
}

async fn memory(rules: InvalidationRules) -> Cache {
    Cache::builder().rules(rules).build().await.unwrap()
}

async fn set(cache: &Cache, keys: &[&str]) {
    for key in keys {
        cache.set(key, &1_u64).tags(["tagged", key]).await.unwrap();
    }
}

async fn left<'k>(cache: &Cache, keys: &[&'k str]) -> Vec<&'k str> {
    let mut left = Vec::new();
    for key in keys {
        if cache.get::<u64>(key).await.unwrap().is_some() {
            left.push(*key);
        }
    }
    left
}

fn invalidations(events: &mut Events) -> Vec<String> {
    let told = std::iter::from_fn(|| events.try_next());
    told.map(|event| match event {
        Event::Invalidated { what, origin: Origin::Here } => format!("{what:?}"),
        other => format!("not expected: {other:?}"),
    })
    .collect()
}

#[tokio::test]
async fn an_event_invalidates_everything_that_its_rule_names_and_nothing_else() {
    let rules = InvalidationRules::new().on::<UserUpdated>(|event| {
        list()
            .entry(get_user_entry(event.id))
            .entry(risk_entry(event.id))
            .everything_of(list_users_cache())
            .everything_of(risk_cache())
            .key("k1")
            .keys(["k2", "k3"])
            .tag("t4")
            .tags(["t5", "t6"])
            .pattern("p7*")
            .all_of(["tagged", "t8"])
    });
    let cache = memory(rules).await;
    let keys = ["k1", "k2", "k3", "t4", "t5", "t6", "p7x", "t8", "other"];
    larder::scoped(cache.clone(), async {
        set(&cache, &keys).await;
        get_user(42).await;
        get_user(43).await;
        list_users(1).await;
        risk(1);
        larder::publish(UserUpdated { id: 42 }).await.unwrap();
        assert_eq!(left(&cache, &keys).await, ["other"]);
        assert!(!get_user_entry(42).exists().await.unwrap());
        assert!(get_user_entry(43).exists().await.unwrap());
        assert!(!list_users_entry(1).exists().await.unwrap());
        assert!(!risk_entry(1).exists().unwrap());
    })
    .await;
}

#[tokio::test]
async fn all_rules_for_one_type_apply_wherever_they_were_added() {
    let rules = InvalidationRules::new()
        .on::<UsersImported>(|_| list().key("a"))
        .on::<UserUpdated>(|_| list().key("not this"))
        .on::<UsersImported>(|_| list().key("b"))
        .and(InvalidationRules::new().on::<UsersImported>(|_| list().key("c")));
    let more = InvalidationRules::new().on(|_: &UsersImported| list().key("d"));
    let cache = Cache::builder().rules(rules).rules(more).build().await.unwrap();
    set(&cache, &["a", "b", "c", "d", "not this"]).await;
    let mut events = cache.events();
    cache.publish(UsersImported).await.unwrap();
    assert_eq!(invalidations(&mut events), [r#"Keys(["a", "b", "c", "d"])"#]);
    assert_eq!(left(&cache, &["a", "b", "c", "d", "not this"]).await, ["not this"]);
}

#[tokio::test]
async fn a_rule_may_return_everything_that_says_what_to_invalidate() {
    let template = KeyTemplate::parse("key:{id}").unwrap();
    let rules = InvalidationRules::new()
        .on::<UserUpdated>(|event| get_user_entry(event.id))
        .on::<UserUpdated>(|event| risk_entry(event.id))
        .on::<UserUpdated>(|_| list_users_cache())
        .on::<UserUpdated>(|_| risk_cache())
        .on::<UserUpdated>(|_| vec![list().key("a"), list().key("b")])
        .on::<UserUpdated>(|_| [list().key("c")])
        .on::<UserUpdated>(|event| (event.id == 42).then(|| list().key("d")))
        .on::<UserUpdated>(|event| (event.id == 43).then(|| list().key("e")))
        .on::<UserUpdated>(move |event| Ok(list().key(template.render(&[("id", &event.id)])?)));
    let cache = memory(rules).await;
    let mut events = cache.events();
    larder::scoped(cache.clone(), async { larder::publish(UserUpdated { id: 42 }).await.unwrap() })
        .await;
    let keys = r#"Keys(["user:42", "risk:42", "a", "b", "c", "d", "key:42"])"#;
    let patterns = ["users:{}", "risk:{}"].map(|glob| format!("Pattern({glob:?})"));
    assert_eq!(invalidations(&mut events), [vec![keys.to_owned()], patterns.to_vec()].concat());
}

#[tokio::test]
async fn an_event_without_a_rule_is_an_error_that_says_what_to_write() {
    let cache = memory(InvalidationRules::new().on::<UserUpdated>(|_| list().all())).await;
    set(&cache, &["a"]).await;
    let error = cache.publish(UsersImported).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Config, Some("publish")));
    let said = error.to_string();
    assert!(said.contains("`rules::UsersImported`"), "{said}");
    assert!(said.contains("`.on::<UsersImported>(..)`"), "{said}");
    assert!(said.contains("`.ignore::<UsersImported>()`"), "{said}");
    assert!(said.contains("has rules for: rules::UserUpdated"), "{said}");
    assert_eq!(left(&cache, &["a"]).await, ["a"]);

    let error = Cache::memory().publish(UserUpdated { id: 42 }).await.unwrap_err();
    assert!(error.to_string().contains("`Cache::builder().rules(..)`"), "{error}");
}

#[tokio::test]
async fn an_event_that_invalidates_nothing_costs_nothing() {
    let store = MemoryStore::new();
    let rules = of_tests().ignore::<UsersImported>();
    let (cache, chaos) = process(&store, rules).await;
    let (mut events, before) = (cache.events(), told(&chaos));
    cache.publish(UsersImported).await.unwrap();
    cache.publish(Do(list)).everywhere().await.unwrap();
    assert_eq!(told(&chaos), before);
    assert!(events.try_next().is_none());
}

#[tokio::test]
async fn to_ignore_an_event_does_not_take_its_rules_away() {
    let rules = InvalidationRules::new().on::<UsersImported>(|_| list().key("a"));
    let cache = memory(rules.ignore::<UsersImported>()).await;
    set(&cache, &["a"]).await;
    cache.publish(UsersImported).await.unwrap();
    assert!(left(&cache, &["a"]).await.is_empty());
}

#[tokio::test]
async fn keys_go_in_one_round_trip_tags_in_one_and_each_pattern_in_one() {
    let (cache, chaos) = process(&MemoryStore::new(), of_tests()).await;
    larder::scoped(cache.clone(), async {
        let before = told(&chaos);
        let what = || {
            list()
                .keys(["a", "b"])
                .tag("t")
                .pattern("p*")
                .key("a")
                .tags(["u", "t"])
                .entry(get_user_entry(1))
                .pattern("q*")
                .pattern("p*")
        };
        let mut events = cache.events();
        larder::publish(Do(what)).await.unwrap();
        assert_eq!(told(&chaos) - before, 4);
        assert_eq!(
            invalidations(&mut events),
            [
                r#"Keys(["a", "b", "user:1"])"#,
                r#"Tags(["t", "u"])"#,
                r#"Pattern("p*")"#,
                r#"Pattern("q*")"#
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_in_memory_alone_costs_no_round_trip() {
    let (cache, chaos) = process(&MemoryStore::new(), of_tests()).await;
    larder::scoped(cache, async {
        assert_eq!(risk(1), 1);
        let before = told(&chaos);
        larder::publish(Do(|| list().entry(risk_entry(1)).everything_of(risk_cache())))
            .await
            .unwrap();
        assert_eq!(told(&chaos), before);
        assert!(!risk_entry(1).exists().unwrap());
    })
    .await;
}

#[tokio::test]
async fn where_everything_goes_nothing_else_has_to() {
    let (cache, chaos) = process(&MemoryStore::new(), of_tests()).await;
    larder::scoped(cache.clone(), async {
        set(&cache, &["a", "b"]).await;
        risk(1);
        let (before, mut events) = (told(&chaos), cache.events());
        let what = || list().key("a").all().tag("t").entry(risk_entry(1)).all();
        larder::publish(Do(what)).await.unwrap();
        assert_eq!(told(&chaos) - before, 1);
        assert_eq!(invalidations(&mut events), ["All"]);
        assert!(left(&cache, &["a", "b"]).await.is_empty());
        assert!(!risk_entry(1).exists().unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_service_that_does_not_cache_an_entity_can_invalidate_it() {
    let store = MemoryStore::new();
    // It has none of the functions: it renders the keys from the same templates.
    let user = KeyTemplate::parse("user:{id}").unwrap();
    let rules = InvalidationRules::new().on::<UserUpdated>(move |event| {
        Ok(list().key(user.render(&[("id", &event.id)])?).pattern("users:*"))
    });
    let (admin, _) = process(&store, rules).await;
    let (web, _) = process(&store, InvalidationRules::new()).await;
    larder::scoped(web, async {
        get_user(42).await;
        get_user(43).await;
        list_users(1).await;
    })
    .await;
    admin.publish(UserUpdated { id: 42 }).await.unwrap();
    larder::scoped(reader(&store).await, async {
        assert!(!get_user_entry(42).exists().await.unwrap());
        assert!(get_user_entry(43).exists().await.unwrap());
        assert!(!list_users_entry(1).exists().await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_event_of_one_process_reaches_the_memory_of_another_within_the_bound() {
    let store = MemoryStore::new();
    let (admin, _) = process(&store, of_tests()).await;
    let bound = Duration::from_millis(200);
    let web = Cache::builder().shared(Arc::new(store.connect())).coherence_bound(bound);
    let web = web.build().await.unwrap();
    set(&web, &["a"]).await;
    assert_eq!(left(&web, &["a"]).await, ["a"]);
    admin.publish(Do(|| list().key("a"))).await.unwrap();
    let published = std::time::Instant::now();
    while !left(&web, &["a"]).await.is_empty() {
        assert!(published.elapsed() < Duration::from_secs(20), "it never goes");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn an_entry_of_another_cache_is_invalidated_in_that_cache() {
    static PRICES: OnceLock<Cache> = OnceLock::new();
    let entry = || price_entry(PRICES.get().unwrap(), 1);
    let (prices, far) = process(&MemoryStore::new(), InvalidationRules::new()).await;
    PRICES.set(prices.clone()).unwrap();
    let (cache, near) = process(&MemoryStore::new(), of_tests()).await;
    set(&cache, &["price:1", "key"]).await;
    set(&prices, &["key"]).await;
    price(&prices, 1).await;

    let (mut here, mut there) = (cache.events(), prices.events());
    let before = (told(&near), told(&far));
    let what = || list().entry(price_entry(PRICES.get().unwrap(), 1)).key("key");
    cache.publish(Do(what)).await.unwrap();
    assert_eq!(told(&near) - before.0, 1, "for the key");
    assert_eq!(told(&far) - before.1, 1, "for the entry");
    assert_eq!(invalidations(&mut here), [r#"Keys(["key"])"#]);
    assert_eq!(invalidations(&mut there), [r#"Keys(["price:1"])"#]);
    assert_eq!(left(&cache, &["price:1", "key"]).await, ["price:1"]);
    assert_eq!(left(&prices, &["price:1", "key"]).await, ["key"]);

    // Everything of the one is nothing of the other.
    price(&prices, 1).await;
    let what = || list().entry(price_entry(PRICES.get().unwrap(), 1)).all();
    cache.publish(Do(what)).await.unwrap();
    assert!(!entry().exists().await.unwrap());
    assert_eq!(left(&prices, &["key"]).await, ["key"]);
    assert!(left(&cache, &["price:1"]).await.is_empty());
}

#[tokio::test]
async fn a_mistake_in_one_place_is_an_error_and_everything_else_is_invalidated() {
    let store = MemoryStore::new();
    let (cache, _) = process(&store, of_tests()).await;
    set(&cache, &["a", "b", "t", "p1"]).await;
    let what = || list().key("a").pattern("users:[12]").tag("t").key("").pattern("p*");
    let error = cache.publish(Do(what)).everywhere().await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Template, Some("publish")));
    let said = error.to_string();
    assert!(said.contains("\nrefused: character classes are not supported"), "{said}");
    assert!(said.contains("users:[12]"), "{said}");
    assert!(said.contains(r"or `\[` for a bracket"), "what to write instead: {said}");
    assert!(said.contains("the key is empty"), "{said}");
    for done in [r#"done: keys ["a"]"#, r#"done: tags ["t"]"#, r#"done: pattern "p*""#] {
        assert!(said.contains(done), "{said}");
    }
    assert!(!said.contains("confirm"), "everything that was asked was confirmed: {said}");
    assert_eq!(left(&cache, &["a", "b", "t", "p1"]).await, ["b"]);
    assert_eq!(left(&reader(&store).await, &["a", "b", "t", "p1"]).await, ["b"]);
}

#[tokio::test]
async fn a_rule_that_fails_does_not_keep_the_others_from_applying() {
    let template = KeyTemplate::parse("user:{id}").unwrap();
    let rules = InvalidationRules::new()
        .on::<UsersImported>(|_| list().key("a"))
        .on::<UsersImported>(move |_| Ok(list().key(template.render(&[("name", &1)])?)))
        .on::<UsersImported>(|_| list().key("b"));
    let cache = memory(rules).await;
    set(&cache, &["a", "b"]).await;
    let error = cache.publish(UsersImported).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Template);
    assert!(error.to_string().contains("refused: "), "{error}");
    assert!(left(&cache, &["a", "b"]).await.is_empty());
}

#[tokio::test]
async fn what_the_shared_tier_does_not_confirm_is_an_error_holds_here_and_is_repeated() {
    for fault in [Fault::fail(ErrorKind::Timeout), Fault::lose_reply(ErrorKind::Timeout)] {
        let store = MemoryStore::new();
        let (cache, chaos) = process(&store, of_tests()).await;
        set(&cache, &["a", "t", "p1"]).await;
        let gate = chaos.hold(Operation::Invalidate);
        let mut events = cache.events();
        let what = || list().key("a").tag("t").pattern("p*");
        let (error, repeats) = tokio::join!(cache.publish(Do(what)).into_future(), async {
            gate.arrived(3).await;
            let repeats = chaos.hold(Operation::Invalidate);
            chaos.inject(fault.on(Operation::Invalidate).times(1));
            gate.open();
            repeats
        });
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        let said = error.to_string();
        assert!(
            said.contains(r#"not confirmed: keys ["a"]: invalidate: injected fault"#),
            "{said}"
        );
        assert!(said.contains("queued and repeated"), "{said}");
        for done in [r#"done: tags ["t"]"#, r#"done: pattern "p*""#] {
            assert!(said.contains(done), "{said}");
        }
        assert!(left(&cache, &["a", "t", "p1"]).await.is_empty(), "it holds here");
        assert_eq!(cache.health().await.waiting_invalidations, 1);
        drop(repeats);
        while !matches!(events.next().await, Some(Event::Replayed { .. })) {}
        assert_eq!(cache.health().await.waiting_invalidations, 0);
        assert!(left(&reader(&store).await, &["a", "t", "p1"]).await.is_empty());
    }
}

#[tokio::test]
async fn all_that_is_asked_is_asked_at_the_same_time() {
    let (cache, chaos) = process(&MemoryStore::new(), of_tests()).await;
    let gate = chaos.hold(Operation::Invalidate);
    let what = || list().key("a").tag("t").pattern("p*").pattern("q*");
    let published = tokio::spawn(cache.publish(Do(what)).into_future());
    gate.arrived(4).await;
    gate.open();
    published.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_publication_that_is_dropped_still_happens() {
    let store = MemoryStore::new();
    let (cache, chaos) = process(&store, of_tests()).await;
    let keys = ["a", "t", "p1", "other"];
    set(&cache, &keys).await;
    let mut events = cache.events();
    let gate = chaos.hold(Operation::Invalidate);
    let what = || list().key("a").tag("t").pattern("p*");
    let pending = tokio::spawn(cache.publish(Do(what)).into_future());
    gate.arrived(3).await;
    pending.abort();
    assert!(pending.await.unwrap_err().is_cancelled());
    assert_eq!(
        invalidations(&mut events),
        [r#"Keys(["a"])"#, r#"Tags(["t"])"#, r#"Pattern("p*")"#],
        "here at once, and told once"
    );
    gate.open();
    while cache.health().await.waiting_invalidations > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(left(&reader(&store).await, &keys).await, ["other"]);
}

#[tokio::test]
async fn a_publication_that_is_never_awaited_does_nothing() {
    let cache = memory(of_tests()).await;
    set(&cache, &["a"]).await;
    drop(cache.publish(Do(|| list().all())));
    drop(cache.publish(Do(|| list().all())).into_future());
    assert_eq!(left(&cache, &["a"]).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn everywhere_waits_until_no_process_can_have_it_in_memory() {
    let store = MemoryStore::new();
    let (cache, _) = process(&store, of_tests()).await;
    let what = || list().key("a").pattern("p*");
    let began = Instant::now();
    cache.publish(Do(what)).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(100));
    cache.publish(Do(what)).everywhere().await.unwrap();
    assert!(began.elapsed() >= cache.coherence_bound());

    let (here, local) = (memory(of_tests()).await, Instant::now());
    here.publish(Do(what)).everywhere().await.unwrap();
    assert!(local.elapsed() < Duration::from_millis(100), "nobody else has it");
}

#[tokio::test]
async fn companions_in_a_rule_mean_the_cache_of_the_scope_it_is_published_in() {
    let (mine, other) = (memory(of_tests()).await, memory(of_tests()).await);
    for cache in [&mine, &other] {
        larder::scoped(cache.clone(), get_user(1)).await;
    }
    let what = || list().entry(get_user_entry(1));
    larder::scoped(mine.clone(), async { larder::publish(Do(what)).await.unwrap() }).await;
    assert!(left(&mine, &["user:1"]).await.is_empty());
    assert_eq!(left(&other, &["user:1"]).await, ["user:1"]);
}

#[tokio::test]
async fn a_load_that_is_under_way_when_an_event_is_published_stores_nothing() {
    let cache = memory(of_tests()).await;
    let inner = cache.clone();
    let load = || async move {
        inner.publish(Do(|| list().pattern("k*"))).await.unwrap();
        Ok::<_, larder::Error>(1_u64)
    };
    assert_eq!(cache.get_or_set("key", load).await.unwrap(), 1);
    assert!(left(&cache, &["key"]).await.is_empty());
}

#[tokio::test]
async fn a_panic_in_a_rule_is_the_publishers_and_the_cache_goes_on() {
    let cache = memory(of_tests()).await;
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        drop(cache.publish(Do(|| panic!("on purpose"))));
    }));
    assert!(broken.is_err());
    set(&cache, &["a"]).await;
    cache.publish(Do(|| list().key("a"))).await.unwrap();
    assert!(left(&cache, &["a"]).await.is_empty());
}
