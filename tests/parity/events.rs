//! An event handler for changes of users and items.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use larder::{Cache, InvalidationRules, Invalidations, cache_aside};

use crate::for_both_forms_of;

static LOADS: AtomicU64 = AtomicU64::new(0);

#[cache_aside(key = "handler:user:{id}", ttl = "5m")]
async fn user(id: u64) -> u64 {
    let _ = id;
    LOADS.fetch_add(1, SeqCst)
}

#[cache_aside(key = "handler:users:{page}", ttl = "5m")]
async fn users(page: u32) -> u64 {
    let _ = page;
    LOADS.fetch_add(1, SeqCst)
}

#[cache_aside(key = "handler:item:{owner}:{id}", ttl = "5m", tags = ["handler:items", "handler:owner:{owner}"])]
async fn item(id: u64, owner: u64) -> u64 {
    let _ = (id, owner);
    LOADS.fetch_add(1, SeqCst)
}

struct UserUpdated {
    id: u64,
}

struct UserDeleted {
    id: u64,
}

struct ItemUpdated {
    id: u64,
    owner: u64,
}

struct ItemsImported;

/// Nothing that is cached depends on it.
struct UserSeen;

fn handler() -> InvalidationRules {
    InvalidationRules::new()
        .on::<UserUpdated>(|event| {
            Invalidations::new().entry(user_entry(event.id)).everything_of(users_cache())
        })
        .on::<UserDeleted>(|event| {
            Invalidations::new()
                .entry(user_entry(event.id))
                .pattern("handler:users:*")
                .tag(format!("handler:owner:{}", event.id))
        })
        .on::<ItemUpdated>(|event| item_entry(event.id, event.owner))
        .on::<ItemsImported>(|_| Invalidations::new().tag("handler:items"))
        .ignore::<UserSeen>()
}

/// Which of these are loaded anew: two users, a list of them, an item of the first and one of the second.
async fn loaded() -> [bool; 5] {
    let before = LOADS.load(SeqCst);
    let read = [user(1).await, user(2).await, users(0).await, item(1, 1).await, item(2, 2).await];
    read.map(|number| number >= before)
}

#[tokio::test]
async fn event_handler_for_user_and_item_changes() {
    let builder = || Cache::builder().rules(handler());
    for_both_forms_of(builder, async |cache| {
        larder::scoped(cache.clone(), async {
            assert_eq!(loaded().await, [true; 5]);
            larder::publish(UserSeen).await.unwrap();
            assert_eq!(loaded().await, [false; 5]);
            larder::publish(UserUpdated { id: 1 }).await.unwrap();
            assert_eq!(loaded().await, [true, false, true, false, false]);
            larder::publish(ItemUpdated { id: 2, owner: 2 }).await.unwrap();
            assert_eq!(loaded().await, [false, false, false, false, true]);
            larder::publish(UserDeleted { id: 1 }).await.unwrap();
            assert_eq!(loaded().await, [true, false, true, true, false]);
            larder::publish(ItemsImported).await.unwrap();
            assert_eq!(loaded().await, [false, false, false, true, true]);
            // An event that nobody thought of is a cache that grows old.
            let error = larder::publish("something else").await.unwrap_err();
            assert!(error.to_string().contains("str"), "{error}");
        })
        .await;
    })
    .await;
}
