use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use cache_store::{Delivery, Feed, Subscriber};
use proptest::prelude::*;

use super::{
    mailbox::{Payload, Taken},
    *,
};

fn mailbox(messages: usize, bytes: usize) -> (Cache, Arc<Mailbox>) {
    let cache = Cache::memory();
    let mailbox = Mailbox::new(cache.engine(), None, Bounds { messages, bytes });
    (cache, mailbox)
}

fn send(mailbox: &Mailbox, bytes: &[u8]) {
    mailbox.receive(Delivery::Message { topic: "a", bytes: &Arc::from(bytes) });
}

fn poll(mailbox: &Mailbox) -> Poll<Option<String>> {
    mailbox.poll_take(&mut Context::from_waker(Waker::noop())).map(|taken| {
        Some(match taken? {
            Taken::Message(raw) => match raw.payload {
                Payload::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Payload::Value { .. } => "a value".to_owned(),
            },
            Taken::Gap => "gap".to_owned(),
            Taken::Lost(lost) => format!("lost {lost}"),
        })
    })
}

fn drain(mailbox: &Mailbox) -> Vec<String> {
    std::iter::from_fn(|| match poll(mailbox) {
        Poll::Ready(taken) => taken,
        Poll::Pending => None,
    })
    .collect()
}

#[test]
fn a_full_mailbox_drops_the_oldest_and_says_how_many() {
    let (cache, mailbox) = mailbox(2, usize::MAX);
    for message in ["1", "2", "3", "4"] {
        send(&mailbox, message.as_bytes());
    }
    assert_eq!(drain(&mailbox), ["lost 2", "3", "4"]);
    send(&mailbox, b"5");
    assert_eq!(drain(&mailbox), ["5"]);
    assert_eq!(cache.stats().messages_lost, 2);
}

#[test]
fn a_mailbox_is_full_of_bytes_too_but_one_message_may_be_alone() {
    let (_cache, mailbox) = mailbox(1000, 1000);
    for _ in 0..100 {
        send(&mailbox, &[b'x'; 100]);
    }
    let taken = drain(&mailbox);
    assert!((2..=10).contains(&taken.len()), "{}", taken.len());
    send(&mailbox, &[b'x'; 5000]);
    assert_eq!(drain(&mailbox), ["x".repeat(5000)]);
    // Nothing is left that counts.
    send(&mailbox, b"1");
    send(&mailbox, b"2");
    assert_eq!(drain(&mailbox), ["1", "2"]);
}

#[test]
fn gaps_that_nothing_came_between_are_one() {
    let (cache, mailbox) = mailbox(10, usize::MAX);
    for _ in 0..5 {
        mailbox.receive(Delivery::Gap);
    }
    send(&mailbox, b"1");
    mailbox.receive(Delivery::Gap);
    assert_eq!(drain(&mailbox), ["gap", "1", "gap"]);
    assert_eq!(cache.stats().topic_gaps, 2);
}

#[test]
fn after_the_end_what_has_come_is_still_read_and_nothing_comes() {
    let (_cache, mailbox) = mailbox(10, usize::MAX);
    let left = Arc::new(AtomicUsize::new(0));
    let feed = || {
        let left = Arc::clone(&left);
        Feed::new(move || {
            left.fetch_add(1, Ordering::Relaxed);
        })
    };
    mailbox.fill_from(feed());
    send(&mailbox, b"1");
    mailbox.receive(Delivery::Ended);
    assert_eq!(left.load(Ordering::Relaxed), 1);
    send(&mailbox, b"2");
    mailbox.receive(Delivery::Gap);
    assert_eq!(drain(&mailbox), ["1"]);
    assert_eq!(poll(&mailbox), Poll::Ready(None));
    // One that is confirmed only now is not kept.
    mailbox.fill_from(feed());
    assert_eq!(left.load(Ordering::Relaxed), 2);
}

#[test]
fn whoever_waits_is_woken_by_each_of_them() {
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    let (_cache, mailbox) = mailbox(10, usize::MAX);
    let message = Arc::from(b"1".as_slice());
    let deliveries =
        [Delivery::Message { topic: "a", bytes: &message }, Delivery::Gap, Delivery::Ended];
    for (before, delivery) in deliveries.into_iter().enumerate() {
        drain(&mailbox);
        assert!(mailbox.poll_take(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(woken.0.load(Ordering::Relaxed), before);
        mailbox.receive(delivery);
        assert_eq!(woken.0.load(Ordering::Relaxed), before + 1);
    }
}

proptest! {
    #[test]
    fn a_bounded_mailbox_tells_what_an_endless_one_would_but_for_what_it_says_is_lost(
        steps in proptest::collection::vec(0..10_u8, 1..200)
    ) {
        let (_cache, mailbox) = mailbox(3, usize::MAX);
        let (mut sent, mut waiting, mut lost, mut gaps) = (0_u64, 0_usize, 0_u64, 0_u64);
        let mut told: Vec<String> = Vec::new();
        for step in steps {
            match step {
                0..=5 => {
                    sent += 1;
                    send(&mailbox, sent.to_string().as_bytes());
                    waiting = (waiting + 1).min(3);
                }
                6..=7 => {
                    mailbox.receive(Delivery::Gap);
                    gaps += 1;
                }
                _ => {
                    let taken = drain(&mailbox);
                    prop_assert!(taken.len() <= 2 * waiting + 2, "{taken:?}");
                    told.extend(taken);
                    waiting = 0;
                }
            }
        }
        told.extend(drain(&mailbox));
        let mut expected = 0;
        let (mut gaps_told, mut after_gap) = (0, false);
        for one in told {
            if let Some(number) = one.strip_prefix("lost ") {
                lost += number.parse::<u64>().unwrap();
                expected += number.parse::<u64>().unwrap();
                after_gap = false;
            } else if one == "gap" {
                // Never two with nothing between them, unless they were read apart.
                gaps_told += 1;
                after_gap = true;
            } else {
                expected += 1;
                prop_assert_eq!(one, expected.to_string(), "after a gap: {}", after_gap);
            }
        }
        prop_assert_eq!(expected, sent);
        prop_assert!(lost <= sent && gaps_told <= gaps);
    }
}

#[test]
fn a_gap_in_front_of_a_message_that_is_dropped_stays() {
    let (_cache, mailbox) = mailbox(2, usize::MAX);
    send(&mailbox, b"1");
    mailbox.receive(Delivery::Gap);
    for message in ["2", "3", "4"] {
        send(&mailbox, message.as_bytes());
    }
    assert_eq!(drain(&mailbox), ["lost 2", "gap", "3", "4"]);
    mailbox.receive(Delivery::Gap);
    send(&mailbox, b"5");
    mailbox.receive(Delivery::Gap);
    send(&mailbox, b"6");
    send(&mailbox, b"7");
    assert_eq!(drain(&mailbox), ["lost 1", "gap", "6", "7"]);
}

/// A value that publishes and unsubscribes when it is dropped.
#[derive(Clone)]
struct Busy(Arc<Mutex<Option<Errand>>>);

type Errand = (Topic<u64>, Subscription<u64>);

impl Drop for Busy {
    fn drop(&mut self) {
        let busy = self.0.lock().unwrap().take();
        if let Some((topic, subscription)) = busy {
            drop(subscription);
            // Apart: the thread that drops this may be a runtime's.
            let publish = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(topic.publish(&1)).unwrap()
            };
            std::thread::spawn(publish).join().unwrap();
        }
    }
}

impl serde::Serialize for Busy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> serde::Deserialize<'de> for Busy {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self(Arc::default()))
    }
}

#[tokio::test]
async fn values_that_make_room_may_use_topics() {
    let cache = Cache::memory();
    let numbers = cache.topic::<u64>("numbers");
    let mut heard = numbers.subscribe().await.unwrap();
    let busy = cache.topic::<Busy>("busy").buffer(1);
    let mut slow = busy.subscribe().await.unwrap();
    let value =
        Busy(Arc::new(Mutex::new(Some((numbers.clone(), numbers.subscribe().await.unwrap())))));
    // The copy that the mailbox had is the last one when it makes room.
    busy.publish(&value).await.unwrap();
    let inner = value.0.lock().unwrap().take();
    drop(value);
    let last = Busy(Arc::new(Mutex::new(inner)));
    busy.publish(&last).await.unwrap();
    std::mem::forget(last);
    busy.publish(&Busy(Arc::default())).await.unwrap();
    assert!(matches!(heard.try_next(), Some(Received::Message(_))));
    assert!(matches!(slow.try_next(), Some(Received::Lagged(2))));
}

#[tokio::test]
async fn a_message_that_panics_while_it_is_read_is_no_ones_panic() {
    #[derive(Clone, serde::Serialize)]
    struct Fragile;

    impl<'de> serde::Deserialize<'de> for Fragile {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("on purpose")
        }
    }

    let store = Arc::new(cache_store::testing::MemoryStore::new());
    let cache = Cache::builder().shared(store).build().await.unwrap();
    let topic = cache.topic::<Fragile>("a");
    let mut subscription = topic.subscribe().await.unwrap();
    topic.publish(&Fragile).await.unwrap();
    assert!(matches!(subscription.next().await, Some(Received::Undecodable(_))));
}

#[cfg(feature = "bincode")]
#[tokio::test]
async fn bytes_of_an_entry_of_another_topic_or_too_many_are_no_message() {
    let cache = Cache::builder().max_value_bytes(1000).build().await.unwrap();
    let engine = cache.engine();
    let fingerprint = type_fingerprint(std::any::type_name::<u64>(), 0);
    let sealed = wire::seal(engine, "a", fingerprint, &7_u64).unwrap();
    assert_eq!(wire::open::<u64>(engine, "a", fingerprint, &sealed).unwrap(), 7);
    assert!(wire::open::<u64>(engine, "b", fingerprint, &sealed).is_err(), "another topic");
    assert!(wire::open::<u64>(engine, "a", fingerprint + 1, &sealed).is_err(), "another type");
    for at in 16..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        assert!(wire::open::<u64>(engine, "a", fingerprint, &damaged).is_err(), "{at}");
        assert!(wire::open::<u64>(engine, "a", fingerprint, &sealed[..at]).is_err(), "{at}");
    }
    let text = type_fingerprint(std::any::type_name::<String>(), 0);
    let error = wire::seal(engine, "a", text, &"x".repeat(2000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);

    // What the cache stores by itself under the same name.
    let store = Arc::new(cache_store::testing::MemoryStore::new());
    let cache = Cache::builder().shared(store.clone()).build().await.unwrap();
    cache.set("a", &7_u64).await.unwrap();
    let query = cache_store::Query { key: "a", tags: &[], pattern: false, life: false };
    let entry = store.read(query).await.unwrap().value.unwrap();
    let why = wire::open::<u64>(cache.engine(), "a", fingerprint, &entry).unwrap_err();
    assert!(why.to_string().contains("entry"), "{why}");
}

#[cfg(all(feature = "encryption", feature = "lz4", feature = "json"))]
#[tokio::test]
async fn messages_are_compressed_and_encrypted_where_values_are() {
    use crate::{Codec, Compression, EncryptionKeys};

    let store = Arc::new(cache_store::testing::MemoryStore::new());
    let with = |key: Option<u8>| {
        let builder = Cache::builder().shared(store.clone()).codec(Codec::Json);
        let builder = builder.compression(Compression::Lz4, 10);
        match key {
            Some(key) => builder.encryption(EncryptionKeys::new(key.into(), &[key; 32]).unwrap()),
            None => builder,
        }
    };
    let (one, same) = (with(Some(1)).build().await.unwrap(), with(Some(1)).build().await.unwrap());
    let (other, plain) = (with(Some(2)).build().await.unwrap(), with(None).build().await.unwrap());
    let secret = "secret ".repeat(1000);
    let mut subscriptions = Vec::new();
    for cache in [&same, &other, &plain] {
        subscriptions.push(cache.topic::<String>("a").subscribe().await.unwrap());
    }
    let raw = Mailbox::new(one.engine(), None, Bounds::default());
    let subscriber: Arc<dyn Subscriber> = raw.clone();
    let _feed = store.subscribe(Topics::One("a"), Arc::downgrade(&subscriber)).await.unwrap();
    one.topic("a").publish(&secret).await.unwrap();
    plain.topic("a").publish(&"in the clear".to_owned()).await.unwrap();
    let sent = drain(&raw);
    assert!(!sent[0].contains("secret") && sent[0].len() < 1000, "{}", sent[0].len());
    let mut read = Vec::new();
    for subscription in &mut subscriptions {
        for _ in 0..2 {
            read.push(match subscription.try_next() {
                Some(Received::Message(message)) => message.len(),
                Some(Received::Undecodable(_)) => 0,
                other => panic!("{other:?}"),
            });
        }
    }
    assert_eq!(read, [7000, 0, 0, 0, 0, 12]);
}
