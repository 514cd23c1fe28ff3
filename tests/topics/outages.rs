//! What only a server can do: go away, come back, and hold what somebody else publishes.

use std::time::{Duration, Instant};

use larder::{Cache, ErrorKind, Event, Received};

use super::{next, places::Place};

const CHANNEL: &str = "t:{cache:k:a}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_there_is_one_gap_and_messages_come_again() {
    let mut place = Place::one();
    let here = place.cache().await;
    // Quick, so that it is the outage that takes time.
    let there = Cache::builder().redis(place.url()).build().await.unwrap();
    let mut events = there.events();
    let mut subscription = here.topic::<u64>("a").subscribe().await.unwrap();
    there.topic("a").publish(&1_u64).await.unwrap();
    assert_eq!(next(&mut subscription).await, "1");
    place.kill();
    let since = Instant::now();
    let error = there.topic("a").publish(&2_u64).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
    assert!(error.to_string().starts_with("publish: "), "{error}");
    let new = there.topic::<u64>("a").subscribe().await.unwrap_err();
    assert!(matches!(new.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{new}");
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    let told: Vec<Event> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(told.iter().any(|event| matches!(event, Event::SharedDown { .. })), "{told:?}");
    place.restart();
    assert_eq!(next(&mut subscription).await, "gap");
    place.ask(&["PUBLISH", CHANNEL, "x"]);
    assert_eq!(next(&mut subscription).await, "undecodable");
    assert_eq!((here.stats().topic_gaps, here.stats().messages_undecodable), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_publishes_is_told_and_harms_nobody() {
    let place = Place::one();
    let here = place.cache().await;
    let mut subscription = here.topic::<Vec<String>>("a").subscribe().await.unwrap();
    for garbage in ["", "x", "\0\r\n", &"y".repeat(100_000)] {
        place.ask(&["PUBLISH", CHANNEL, garbage]);
        let received = subscription.next().await;
        let Some(Received::Undecodable(what)) = received else { panic!("{received:?}") };
        assert_eq!((what.topic(), what.error().kind()), ("a", ErrorKind::Codec));
    }
    here.topic("a").publish(&vec!["right".to_owned()]).await.unwrap();
    assert_eq!(next(&mut subscription).await, r#"["right"]"#);
    assert_eq!(here.stats().messages_undecodable, 4);
}
