//! Topics: one suite for a cache alone, for a shared tier in the process, and for one server, a cluster and Sentinel.
#![cfg(unix)]
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(clippy::unwrap_used)]

#[path = "common/loads.rs"]
mod loads;
#[path = "common/places.rs"]
mod places;
#[path = "../cache-redis/tests/common/server.rs"]
mod server;

#[path = "topics/outages.rs"]
mod outages;

use std::time::Duration;

use larder::{Cache, ErrorKind, Received, SharedValue, Subscription};
use places::Place;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OrderPlaced {
    id: u64,
    note: String,
}

fn order(id: u64) -> OrderPlaced {
    OrderPlaced { id, note: format!("order {id}") }
}

/// Two processes; without a shared tier two handles of one.
async fn two(place: &Place) -> (Cache, Cache) {
    let one = place.cache().await;
    match place {
        Place::Memory => (one.clone(), one),
        _ => (one, place.cache().await),
    }
}

/// What comes next, in short.
async fn next<T: SharedValue + std::fmt::Debug>(subscription: &mut Subscription<T>) -> String {
    match timeout(loads::PATIENCE, subscription.next()).await.expect("it comes") {
        Some(Received::Message(message)) => format!("{:?}", *message),
        Some(Received::Gap) => "gap".to_owned(),
        Some(Received::Lagged(lost)) => format!("lagged {lost}"),
        Some(Received::Undecodable(_)) => "undecodable".to_owned(),
        None => "end".to_owned(),
    }
}

async fn messages_reach_all_subscribers_of_all_processes_in_order(place: &Place) {
    let (here, there) = two(place).await;
    let topic = here.topic::<OrderPlaced>("orders");
    let mut subscriptions = vec![topic.subscribe().await.unwrap()];
    subscriptions.push(topic.subscribe().await.unwrap());
    subscriptions.push(there.topic("orders").subscribe().await.unwrap());
    let mut other = there.topic::<OrderPlaced>("others").subscribe().await.unwrap();
    for id in 1..=3 {
        let reached = topic.publish(&order(id)).await.unwrap();
        assert!(reached.is_none_or(|reached| (1..=3).contains(&reached)), "{reached:?}");
    }
    for subscription in &mut subscriptions {
        for id in 1..=3 {
            assert_eq!(next(subscription).await, format!("{:?}", order(id)));
        }
        assert!(subscription.try_next().is_none());
    }
    assert!(other.try_next().is_none());
}

async fn a_pattern_receives_what_matches_it_and_nothing_else(place: &Place) {
    let (here, there) = two(place).await;
    // In this order: what is handed to the last of them was handed to the others before.
    let mut one = here.topics::<u64>("orders:?").subscribe().await.unwrap();
    let mut all = here.topics::<u64>("orders:*").subscribe().await.unwrap();
    let mut literal = here.topics::<u64>(r"orders:\?").subscribe().await.unwrap();
    // Redis's `?` is a byte, ours a character.
    for (number, name) in
        ["orders", "orders:\u{e9}", "users:1", "orders:?", "orders:22"].iter().enumerate()
    {
        there.topic("x").publish(&0_u64).await.unwrap();
        there.topic(name).publish(&(number as u64)).await.unwrap();
    }
    for (subscription, expected) in [
        (&mut all, &["orders:\u{e9} 1", "orders:? 3", "orders:22 4"][..]),
        (&mut one, &["orders:\u{e9} 1", "orders:? 3"]),
        (&mut literal, &["orders:? 3"]),
    ] {
        for expected in expected {
            let received = timeout(loads::PATIENCE, subscription.next()).await.unwrap();
            let Some(Received::Message(message)) = received else { panic!("{received:?}") };
            assert_eq!(format!("{} {}", message.topic(), *message), *expected);
        }
        assert!(subscription.try_next().is_none());
    }
}

async fn what_is_of_another_type_or_version_is_told_counted_and_passed_over(place: &Place) {
    let (here, there) = two(place).await;
    let mut numbers = here.topic::<u64>("a").subscribe().await.unwrap();
    there.topic("a").publish(&"no number".to_owned()).await.unwrap();
    there.topic("a").version(2).publish(&1_u64).await.unwrap();
    there.topic("a").publish(&2_u64).await.unwrap();
    for expected in ["undecodable", "undecodable", "2"] {
        assert_eq!(next(&mut numbers).await, expected);
    }
    assert_eq!(here.stats().messages_undecodable, 2);
}

async fn a_slow_subscriber_loses_the_oldest_is_told_how_many_and_holds_up_nobody(place: &Place) {
    let (here, there) = two(place).await;
    let topic = here.topic::<u64>("a");
    let mut slow = topic.clone().buffer(4).subscribe().await.unwrap();
    let mut quick = topic.subscribe().await.unwrap();
    for number in 1..=100_u64 {
        there.topic("a").publish(&number).await.unwrap();
        // It was handed to the slow one before.
        assert_eq!(next(&mut quick).await, number.to_string());
    }
    assert_eq!(next(&mut slow).await, "lagged 96");
    for number in 97..=100 {
        assert_eq!(next(&mut slow).await, number.to_string());
    }
    assert!(slow.try_next().is_none());
    assert_eq!(here.stats().messages_lost, 96);
}

async fn a_subscription_ends_with_a_shutdown_and_is_left_when_it_is_dropped(place: &Place) {
    let (here, there) = (place.cache().await, place.cache().await);
    let topic = here.topic::<u64>("a");
    let mut ended = topic.subscribe().await.unwrap();
    let mut other = there.topic::<u64>("a").subscribe().await.unwrap();
    let dropped = topic.subscribe().await.unwrap();
    drop(dropped);
    topic.publish(&1).await.unwrap();
    // So that it has come, too, where it does.
    if !matches!(place, Place::Memory) {
        assert_eq!(next(&mut other).await, "1");
    }
    let waiting = tokio::spawn(async move {
        let first = next(&mut ended).await;
        (first, next(&mut ended).await, next(&mut ended).await)
    });
    tokio::task::yield_now().await;
    here.shutdown().await.unwrap();
    let waited = waiting.await.unwrap();
    assert_eq!((waited.1.as_str(), waited.2.as_str()), ("end", "end"));
    let error = topic.subscribe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    there.topic("a").publish(&2_u64).await.unwrap();
    assert_eq!(next(&mut other).await, "2");
    drop(other);
    // Nobody is left: known at once in the process, and soon elsewhere.
    let until = tokio::time::Instant::now() + loads::PATIENCE;
    while there.topic("a").publish(&3_u64).await.unwrap().is_some_and(|reached| reached > 0) {
        assert!(tokio::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_wait_that_is_given_up_loses_nothing(place: &Place) {
    let (here, there) = two(place).await;
    let mut subscription = here.topic::<u64>("a").subscribe().await.unwrap();
    for number in 0..50_u64 {
        assert!(timeout(Duration::ZERO, subscription.next()).await.is_err());
        there.topic("a").publish(&number).await.unwrap();
        assert_eq!(next(&mut subscription).await, number.to_string());
    }
}

async fn a_name_that_is_none_is_an_error_that_says_what_to_write(place: &Place) {
    let (here, _) = two(place).await;
    for (name, word) in [("", "cache.topic(\"orders\")"), (&*"n".repeat(201), "at most 200 bytes")]
    {
        let topic = here.topic::<u64>(name);
        for error in [topic.publish(&1).await.unwrap_err(), topic.subscribe().await.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Template);
            assert!(error.to_string().contains(word), "{error}");
        }
    }
    let error = here.topics::<u64>("a[b]").subscribe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Template);
    assert!(error.to_string().contains('^'), "{error}");
    let longest = here.topic::<u64>(&"n".repeat(200));
    let mut subscription = longest.subscribe().await.unwrap();
    longest.publish(&1).await.unwrap();
    assert_eq!(next(&mut subscription).await, "1");
}

macro_rules! suite {
    ($($test:ident),+ $(,)?) => {
        /// All of it on one place, where places are dear.
        #[cfg(any(feature = "redis-cluster", feature = "redis-sentinel"))]
        async fn all(place: &Place) {
            $($test(place).await;)+
        }
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&super::Place::Memory).await;
            })+
        }
        mod shared {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&super::Place::shared()).await;
            })+
        }
        mod one_server {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::Place::one()).await;
            })+
        }
    };
}

suite! {
    messages_reach_all_subscribers_of_all_processes_in_order,
    a_pattern_receives_what_matches_it_and_nothing_else,
    what_is_of_another_type_or_version_is_told_counted_and_passed_over,
    a_slow_subscriber_loses_the_oldest_is_told_how_many_and_holds_up_nobody,
    a_subscription_ends_with_a_shutdown_and_is_left_when_it_is_dropped,
    a_wait_that_is_given_up_loses_nothing,
    a_name_that_is_none_is_an_error_that_says_what_to_write,
}

#[cfg(feature = "redis-cluster")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_it_holds_on_a_cluster() {
    all(&Place::cluster()).await;
}

#[cfg(feature = "redis-sentinel")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_it_holds_behind_sentinel() {
    all(&Place::sentinel()).await;
}
