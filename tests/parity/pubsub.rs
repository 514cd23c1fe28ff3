//! Pub/sub.

use std::time::Duration;

use larder::{Cache, Received, Subscription};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::for_both_forms;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OrderPlaced {
    id: u64,
    total: u64,
}

async fn message(subscription: &mut Subscription<OrderPlaced>) -> (String, OrderPlaced) {
    let received = timeout(Duration::from_secs(20), subscription.next()).await.unwrap();
    let Some(Received::Message(message)) = received else { panic!("{received:?}") };
    (message.topic().to_owned(), message.into_inner())
}

#[tokio::test]
async fn pubsub_of_typed_topics() {
    for_both_forms(async |cache: Cache| {
        let topic = cache.topic::<OrderPlaced>("orders");
        let mut subscription = topic.subscribe().await.unwrap();
        let order = OrderPlaced { id: 42, total: 7 };
        assert_eq!(topic.publish(&order).await.unwrap(), Some(1));
        assert_eq!(message(&mut subscription).await, ("orders".to_owned(), order));
    })
    .await;
}

#[tokio::test]
async fn pubsub_by_pattern() {
    for_both_forms(async |cache: Cache| {
        let mut subscription = cache.topics::<OrderPlaced>("orders:*").subscribe().await.unwrap();
        let order = OrderPlaced { id: 1, total: 1 };
        cache.topic("users:eu").publish(&order).await.unwrap();
        cache.topic("orders:eu").publish(&order).await.unwrap();
        assert_eq!(message(&mut subscription).await, ("orders:eu".to_owned(), order));
    })
    .await;
}

#[tokio::test]
async fn pubsub_with_nobody_there() {
    for_both_forms(async |cache: Cache| {
        let topic = cache.topic::<OrderPlaced>("orders");
        let order = OrderPlaced { id: 1, total: 1 };
        assert_eq!(topic.publish(&order).await.unwrap(), Some(0));
        // What was published before is not kept for whoever comes later.
        let mut late = topic.subscribe().await.unwrap();
        let second = OrderPlaced { id: 2, ..order };
        topic.publish(&second).await.unwrap();
        assert_eq!(message(&mut late).await.1, second);
    })
    .await;
}
