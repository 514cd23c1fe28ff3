//! What a listener hears. A store that tells no news has nothing to show here, and no heartbeat either.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use super::{super::steps::*, AnyStore};
use crate::{Claim, Invalidation, Listener, News, Nonce, Store};

/// Remembers all that it hears.
#[derive(Default)]
struct Ears(Mutex<Vec<Heard>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    Key(String),
    Tag(String),
    Patterns,
    /// Or a tier that went back, which is one, too.
    Gap,
}

use Heard::{Gap, Patterns};

impl Listener for Ears {
    fn hear(&self, news: News<'_>) {
        self.lock().push(match news {
            News::Key(key) => Heard::Key(key.to_owned()),
            News::Tag(tag) => Heard::Tag(tag.to_owned()),
            News::Patterns => Patterns,
            News::Gap | News::Rewound => Gap,
        });
    }
}

impl Ears {
    /// Listens, and waits until that is reliable; `None` when the store tells no news.
    async fn on(store: &AnyStore) -> Option<Arc<Self>> {
        let ears = Arc::new(Self::default());
        if !store.listen(ears.as_listener()) {
            assert!(store.heartbeat().await.is_err(), "a heartbeat of a store that tells nothing");
            return None;
        }
        eventually("a heartbeat", async || store.heartbeat().await.ok()).await;
        Some(ears)
    }

    /// The same, once all that has begun is over.
    async fn attentive(store: &AnyStore) -> Option<Arc<Self>> {
        let ears = Self::on(store).await?;
        ears.take();
        Some(ears)
    }

    fn as_listener(self: &Arc<Self>) -> std::sync::Weak<dyn Listener> {
        let listener: Arc<dyn Listener> = self.clone();
        Arc::downgrade(&listener)
    }

    /// What it has heard so far, once.
    fn take(&self) -> Vec<Heard> {
        std::mem::take(&mut self.lock())
    }

    /// What it knows once the store says that it knows everything.
    async fn told(&self, store: &AnyStore) -> Vec<Heard> {
        given(store.heartbeat().await);
        self.take()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(key: &str) -> Heard {
    Heard::Key(key.to_owned())
}

fn tag(tag: &str) -> Heard {
    Heard::Tag(tag.to_owned())
}

/// A load that knows its tags.
async fn load_with_tag(store: &dyn Store, key: &str, tag: &str) -> Nonce {
    let tags = names([tag]);
    load(store, Claim { tags: &tags, ..plain(key) }).await
}

pub async fn listening_begins_with_a_gap(store: AnyStore) {
    let Some(ears) = Ears::on(&store).await else { return };
    assert_eq!(ears.take().first(), Some(&Gap));
}

pub async fn a_store_that_nobody_listens_to_has_no_heartbeat(store: AnyStore) {
    assert!(store.heartbeat().await.is_err());
}

pub async fn an_invalidated_key_is_told_before_the_next_heartbeat(
    store: AnyStore,
    other: AnyStore,
) {
    stored(&*store, "key", b"value").await;
    let Some(ears) = Ears::attentive(&store).await else { return };
    for _ in 0..20 {
        invalidate_key(&*other, "key").await;
        assert!(ears.told(&store).await.contains(&key("key")));
        stored(&*other, "key", b"value").await;
        ears.told(&store).await;
    }
}

pub async fn many_invalidated_keys_are_all_told_before_the_next_heartbeat(
    store: AnyStore,
    other: AnyStore,
) {
    let all: Vec<String> = (0..200).map(|number| format!("key:{number}")).collect();
    for key in &all {
        load(&*store, plain(key)).await;
    }
    let Some(ears) = Ears::attentive(&store).await else { return };
    let mut tasks = JoinSet::new();
    for keys in all.chunks(10).map(<[String]>::to_vec) {
        let other = other.clone();
        tasks.spawn(async move { invalidate(&*other, Invalidation::Keys(keys)).await });
    }
    tasks.join_all().await;
    let heard = ears.told(&store).await;
    assert!(all.iter().all(|name| heard.contains(&key(name))), "{heard:?}");
}

pub async fn an_invalidated_tag_is_told_before_the_next_heartbeat(
    store: AnyStore,
    other: AnyStore,
) {
    load_with_tag(&*store, "key", "tag").await;
    load_with_tag(&*store, "key", "other").await;
    let Some(ears) = Ears::attentive(&store).await else { return };
    invalidate_tag(&*other, "tag").await;
    assert_eq!(ears.told(&store).await, [tag("tag")]);
}

pub async fn an_invalidated_pattern_is_told_before_the_next_heartbeat(
    store: AnyStore,
    other: AnyStore,
) {
    patterns(&*store).await;
    let Some(ears) = Ears::attentive(&store).await else { return };
    invalidate_pattern(&*other, "users:*").await;
    assert_eq!(ears.told(&store).await, [Patterns]);
    assert_eq!(
        patterns(&*store).await.pop().map(|record| record.what),
        Some(crate::Recorded::Pattern("users:*".into()))
    );
}

pub async fn a_clearing_is_told_before_the_next_heartbeat(store: AnyStore, other: AnyStore) {
    patterns(&*store).await;
    let Some(ears) = Ears::attentive(&store).await else { return };
    invalidate(&*other, Invalidation::All).await;
    let heard = ears.told(&store).await;
    assert!(heard == [Patterns] || heard == [Gap], "{heard:?}");
}

pub async fn a_write_is_told_when_it_begins_and_when_it_ends(store: AnyStore, other: AnyStore) {
    stored(&*store, "key", b"value").await;
    let Some(ears) = Ears::attentive(&store).await else { return };
    for value in [Some(&b"written"[..]), None] {
        let begun = begin(&*other, "key", LONG).await;
        assert!(ears.told(&store).await.contains(&key("key")), "begin");
        assert_eq!(finish(&*other, "key", &begun, value).await, value.is_some());
        assert!(ears.told(&store).await.contains(&key("key")), "finish with {value:?}");
    }
}

pub async fn a_dependency_that_a_load_makes_is_told(store: AnyStore, other: AnyStore) {
    patterns(&*store).await;
    let Some(ears) = Ears::attentive(&store).await else { return };
    load_with_tag(&*other, "key", "tag").await;
    let mut heard = ears.told(&store).await;
    heard.sort_by_key(|heard| *heard != key("key"));
    assert_eq!(heard, [key("key"), tag("tag")]);
}

pub async fn what_changes_nothing_is_no_news(store: AnyStore, other: AnyStore) {
    let nonce = load_with_tag(&*store, "key", "tag").await;
    let Some(ears) = Ears::attentive(&store).await else { return };
    assert_eq!(load_with_tag(&*other, "key", "tag").await, nonce);
    read(&*other, "key").await;
    patterns(&*other).await;
    given(other.tag_nonces(&names(["tag"])).await);
    assert!(fill(&*other, "key", nonce, b"value", None).await);
    hit(&*other, "key").await;
    assert_eq!(ears.told(&store).await, []);
}

pub async fn news_comes_in_the_order_of_the_changes(store: AnyStore, other: AnyStore) {
    load_with_tag(&*store, "one", "tag").await;
    load(&*store, plain("two")).await;
    let Some(ears) = Ears::attentive(&store).await else { return };
    invalidate_key(&*other, "two").await;
    given(store.heartbeat().await);
    invalidate_pattern(&*other, "*").await;
    given(store.heartbeat().await);
    invalidate_tag(&*other, "tag").await;
    given(store.heartbeat().await);
    invalidate_key(&*other, "one").await;
    assert_eq!(ears.told(&store).await, [key("two"), Patterns, tag("tag"), key("one")]);
}

pub async fn a_handle_hears_its_own_changes(store: AnyStore) {
    stored(&*store, "key", b"value").await;
    let Some(ears) = Ears::attentive(&store).await else { return };
    invalidate_key(&*store, "key").await;
    assert_eq!(ears.told(&store).await, [key("key")]);
}

pub async fn news_may_be_of_any_character(store: AnyStore, other: AnyStore) {
    let all = ["", " ", "}", "{", "}t:", "a:k:b", "*", "\r\n", "\0", "\u{1F980}", "%7B"];
    for name in all {
        load_with_tag(&*store, name, name).await;
    }
    let Some(ears) = Ears::attentive(&store).await else { return };
    for name in all {
        invalidate_key(&*other, name).await;
        assert_eq!(ears.told(&store).await, [key(name)]);
        invalidate_tag(&*other, name).await;
        assert_eq!(ears.told(&store).await, [tag(name)]);
    }
}

pub async fn a_second_listener_takes_the_place_of_the_first(store: AnyStore, other: AnyStore) {
    stored(&*store, "key", b"value").await;
    let Some(first) = Ears::attentive(&store).await else { return };
    let Some(second) = Ears::on(&store).await else { panic!("it told news before") };
    assert_eq!(second.take().first(), Some(&Gap));
    first.take();
    invalidate_key(&*other, "key").await;
    assert_eq!(second.told(&store).await, [key("key")]);
    assert_eq!(first.take(), []);
}

pub async fn a_listener_that_is_gone_hinders_nobody(store: AnyStore, other: AnyStore) {
    stored(&*store, "key", b"value").await;
    if Ears::on(&store).await.is_some() {
        // It is gone now.
        invalidate_key(&*other, "key").await;
        given(store.heartbeat().await);
    }
}

pub async fn nothing_is_told_of_another_namespace(store: AnyStore, stranger: AnyStore) {
    load_with_tag(&*store, "key", "tag").await;
    let Some(ears) = Ears::attentive(&store).await else { return };
    load_with_tag(&*stranger, "key", "tag").await;
    invalidate_key(&*stranger, "key").await;
    invalidate_tag(&*stranger, "tag").await;
    invalidate_pattern(&*stranger, "*").await;
    invalidate(&*stranger, Invalidation::All).await;
    let begun = begin(&*stranger, "key", LONG).await;
    finish(&*stranger, "key", &begun, Some(b"value")).await;
    assert_eq!(ears.told(&store).await, []);
}
