use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

use super::{listen::CAPACITY, *};

fn evicted(key: &str) -> Event {
    Event::Evicted { key: key.into() }
}

fn key(event: Option<Event>) -> String {
    match event {
        Some(Event::Evicted { key }) => key.to_string(),
        other => panic!("{other:?}"),
    }
}

fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn an_event_is_not_even_made_while_nobody_listens() {
    let sink = EventSink::default();
    sink.tell(|| unreachable!("nobody listens yet"));
    let events = sink.subscribe();
    assert!(sink.listened().is_some());
    drop(events);
    assert!(sink.listened().is_none());
    sink.tell(|| unreachable!("nobody listens any more"));
}

#[tokio::test]
async fn every_listener_hears_everything_in_order_until_the_cache_is_gone() {
    let sink = EventSink::default();
    let mut all = [sink.subscribe(), sink.subscribe()];
    sink.tell(|| evicted("a"));
    sink.tell(|| Event::SharedUp);
    let mut late = sink.subscribe();
    drop(sink);
    for events in &mut all {
        assert_eq!(key(events.next().await), "a");
        assert!(matches!(events.next().await, Some(Event::SharedUp)));
        assert!(events.next().await.is_none());
        assert!(events.next().await.is_none(), "and stays so");
        assert!(events.try_next().is_none());
    }
    assert!(late.next().await.is_none());
}

#[tokio::test]
async fn a_slow_listener_is_told_how_much_it_missed() {
    let sink = EventSink::default();
    let (mut waits, mut looks) = (sink.subscribe(), sink.subscribe());
    for number in 0..CAPACITY + 3 {
        sink.tell(|| evicted(&number.to_string()));
    }
    assert!(matches!(waits.next().await, Some(Event::Missed(3))));
    assert_eq!(key(waits.next().await), "3");
    assert!(matches!(looks.try_next(), Some(Event::Missed(3))));
    assert_eq!(key(looks.try_next()), "3");
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_nothing() {
    let sink = EventSink::default();
    let mut events = sink.subscribe();
    for number in 0..3 {
        assert!(poll(events.next()).is_pending());
        assert!(events.try_next().is_none());
        sink.tell(|| evicted(&number.to_string()));
        sink.tell(|| evicted("next"));
        // One time by waiting on, the other time by looking.
        let first = if number == 1 { events.try_next() } else { events.next().await };
        assert_eq!(key(first), number.to_string());
        assert_eq!(key(events.try_next()), "next");
    }
}

#[tokio::test]
async fn a_task_that_gave_up_a_wait_is_woken_by_the_next_one() {
    let sink = EventSink::default();
    let mut events = sink.subscribe();
    assert!(poll(events.next()).is_pending());
    let waits = tokio::spawn(async move { events.next().await });
    tokio::task::yield_now().await;
    sink.tell(|| evicted("a"));
    assert_eq!(key(waits.await.unwrap()), "a");
}

#[tokio::test]
async fn what_was_told_is_seen_also_by_a_task_that_has_used_up_its_turn() {
    let sink = EventSink::default();
    let mut events = sink.subscribe();
    assert!(poll(events.next()).is_pending());
    sink.tell(|| evicted("a"));
    while tokio::task::coop::has_budget_remaining() {
        let _ = poll(tokio::task::coop::consume_budget());
    }
    assert_eq!(key(events.try_next()), "a");
}

#[tokio::test]
async fn a_stream_gives_what_next_gives() {
    let sink = EventSink::default();
    let mut events = sink.subscribe();
    sink.tell(|| evicted("a"));
    drop(sink);
    let first = poll_fn(|context| Pin::new(&mut events).poll_next(context)).await;
    assert_eq!(key(first), "a");
    assert!(poll_fn(|context| Pin::new(&mut events).poll_next(context)).await.is_none());
}

#[test]
fn a_listener_can_go_to_another_thread_and_be_looked_at_by_several() {
    fn free<T: Send + Sync + Unpin + 'static>() {}
    free::<Events>();
}
