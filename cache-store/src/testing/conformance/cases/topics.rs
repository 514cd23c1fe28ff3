//! Topics. A store without them passes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{super::steps::*, AnyStore};
use crate::{Delivery, ErrorKind, Feed, Invalidation, Store, Subscriber, Topics};

/// How long a message may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Inbox {
    received: Mutex<Vec<String>>,
    more: Notify,
}

impl Subscriber for Inbox {
    fn receive(&self, delivery: Delivery<'_>) {
        let received = match delivery {
            Delivery::Message { topic, bytes } => {
                format!("{topic}={}", String::from_utf8_lossy(bytes))
            }
            Delivery::Gap => "gap".to_owned(),
            Delivery::Ended => "ended".to_owned(),
        };
        self.received.lock().unwrap_or_else(PoisonError::into_inner).push(received);
        self.more.notify_one();
    }
}

impl Inbox {
    /// What came, once that many have come.
    async fn first(&self, many: usize) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let received = self.received.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if received.len() >= many {
                return received;
            }
            let in_time = timeout_at(until, self.more.notified()).await;
            assert!(in_time.is_ok(), "{many} were expected, and this came: {received:?}");
        }
    }
}

/// Subscribes; `None` on a store that has no topics.
async fn subscribe(store: &dyn Store, topics: Topics<'_>) -> Option<(Arc<Inbox>, Feed)> {
    let inbox = Arc::new(Inbox::default());
    let subscriber: Arc<dyn Subscriber> = inbox.clone();
    match store.subscribe(topics, Arc::downgrade(&subscriber)).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => None,
        feed => Some((inbox, given(feed))),
    }
}

async fn publish(store: &dyn Store, topic: &str, message: &str) -> Option<u64> {
    given(store.publish(topic, message.as_bytes()).await)
}

pub async fn a_subscriber_is_handed_what_is_published_afterwards_in_order(store: AnyStore) {
    let Some((inbox, _feed)) = subscribe(&*store, Topics::One("orders")).await else { return };
    for message in ["1", "2", "3"] {
        let reached = publish(&*store, "orders", message).await;
        assert!(reached.is_none_or(|reached| reached == 1), "{reached:?}");
    }
    assert_eq!(inbox.first(3).await, ["orders=1", "orders=2", "orders=3"]);
}

pub async fn a_message_is_for_its_topic_and_for_the_patterns_that_match_it(store: AnyStore) {
    let all = [
        Topics::One("orders"),
        Topics::One("orders"),
        Topics::One("orders:1"),
        Topics::Matching("orders*"),
        Topics::Matching("orders:?"),
    ];
    let mut subscriptions = Vec::new();
    for topics in all {
        let Some(subscription) = subscribe(&*store, topics).await else { return };
        subscriptions.push(subscription);
    }
    publish(&*store, "orders", "a").await;
    publish(&*store, "orders:1", "b").await;
    publish(&*store, "orders:22", "c").await;
    // A store may hand more than its share to whoever has subscribed to a pattern.
    for ((inbox, _), expected) in subscriptions.iter().zip([
        vec!["orders=a"],
        vec!["orders=a"],
        vec!["orders:1=b"],
        vec!["orders=a", "orders:1=b", "orders:22=c"],
        vec!["orders:1=b"],
    ]) {
        let received = inbox.first(expected.len()).await;
        assert!(expected.iter().all(|one| received.iter().any(|got| got == one)), "{received:?}");
    }
    for (inbox, _) in &subscriptions[..3] {
        assert_eq!(inbox.first(1).await.len(), 1);
    }
}

pub async fn nothing_is_handed_over_after_the_feed_was_dropped(store: AnyStore) {
    let Some((gone, feed)) = subscribe(&*store, Topics::One("orders")).await else { return };
    publish(&*store, "orders", "1").await;
    gone.first(1).await;
    drop(feed);
    let Some((inbox, _feed)) = subscribe(&*store, Topics::One("orders")).await else { return };
    publish(&*store, "orders", "2").await;
    assert_eq!(inbox.first(1).await, ["orders=2"]);
    assert_eq!(gone.first(1).await, ["orders=1"]);
}

pub async fn topics_may_have_any_name_and_messages_any_bytes(store: AnyStore) {
    for name in ["a", "a*", "a?", "a[b]", "{}", " ", "}", "\0", "\u{e9}:\u{1f600}", "a\\"] {
        let Some((inbox, _feed)) = subscribe(&*store, Topics::One(name)).await else { return };
        for message in ["", "\0\r\n", "\u{fffd}"] {
            publish(&*store, name, message).await;
        }
        let expected = ["", "\0\r\n", "\u{fffd}"].map(|message| format!("{name}={message}"));
        assert_eq!(inbox.first(3).await, expected);
    }
}

pub async fn what_is_invalidated_touches_no_topic(store: AnyStore) {
    let Some((inbox, _feed)) = subscribe(&*store, Topics::One("orders")).await else { return };
    given(store.invalidate(&Invalidation::Keys(vec!["orders".into()])).await);
    given(store.invalidate(&Invalidation::All).await);
    publish(&*store, "orders", "1").await;
    assert_eq!(inbox.first(1).await, ["orders=1"]);
}

pub async fn a_message_goes_to_all_handles(one: AnyStore, other: AnyStore) {
    let topics = Topics::One("orders");
    let Some((first, _feed)) = subscribe(&*one, topics).await else { return };
    let Some((second, feed)) = subscribe(&*other, topics).await else { return };
    publish(&*other, "orders", "1").await;
    publish(&*one, "orders", "2").await;
    for inbox in [&first, &second] {
        let mut received = inbox.first(2).await;
        // By two ways.
        received.sort();
        assert_eq!(received, ["orders=1", "orders=2"]);
    }
    drop(feed);
    publish(&*one, "orders", "3").await;
    assert_eq!(first.first(3).await[2], "orders=3");
}

pub async fn topics_of_another_namespace_are_others(one: AnyStore, other: AnyStore) {
    for topics in [Topics::One("orders"), Topics::Matching("*")] {
        let Some((inbox, _feed)) = subscribe(&*one, topics).await else { return };
        publish(&*other, "orders", "theirs").await;
        publish(&*one, "orders", "ours").await;
        assert_eq!(inbox.first(1).await, ["orders=ours"]);
    }
}
