//! Topics between processes.

use larder::{Received, current};
use tokio::time::timeout;

use crate::{PATIENCE, Test};

/// What a worker does that is told to use a topic.
pub(crate) async fn obey(words: &[&str]) -> String {
    let topic = current().unwrap().topic::<String>("orders");
    match *words {
        ["publish", message] => format!("{:?}", topic.publish(&message.to_owned()).await.unwrap()),
        ["echo"] => {
            let mut subscription = topic.subscribe().await.unwrap();
            let echo = current().unwrap().topic::<String>("echoes");
            tokio::spawn(async move {
                while let Some(Received::Message(message)) = subscription.next().await {
                    echo.publish(&format!("{} too", *message)).await.unwrap();
                }
            });
            "subscribed".to_owned()
        }
        _ => format!("no such topic order: {words:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_go_from_process_to_process() {
    let test = Test::new().await;
    let mut worker = test.worker().await;
    let mut orders = test.cache.topic::<String>("orders").subscribe().await.unwrap();
    let mut echoes = test.cache.topic::<String>("echoes").subscribe().await.unwrap();
    assert_eq!(worker.tell("topic publish one").await, "Some(1)");
    assert_eq!(worker.tell("topic echo").await, "subscribed");
    assert_eq!(worker.tell("topic publish two").await, "Some(2)");
    for (subscription, expected) in [(&mut orders, ["one", "two"]), (&mut echoes, ["two too", ""])]
    {
        for expected in expected.into_iter().filter(|expected| !expected.is_empty()) {
            let received = timeout(PATIENCE, subscription.next()).await.unwrap();
            let Some(Received::Message(message)) = received else { panic!("{received:?}") };
            assert_eq!(message.as_str(), expected);
        }
    }
    // A process that dies is nobody to publish to.
    worker.kill().await;
    let topic = test.cache.topic::<String>("orders");
    let until = std::time::Instant::now() + PATIENCE;
    while topic.publish(&"three".to_owned()).await.unwrap() != Some(1) {
        assert!(std::time::Instant::now() < until);
        tokio::task::yield_now().await;
    }
}
