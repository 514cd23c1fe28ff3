use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
    thread,
};

use cache_store::Nonce;
use redis::{ErrorKind as Cause, Value, make_extension_error};
use tokio::{
    runtime::Builder,
    task::yield_now,
    time::{advance, pause},
};

use super::*;
use crate::link::tests::with_second_connection;

type Reads<'a> = Vec<Pin<Box<dyn Future<Output = Result<Reading>> + Send + 'a>>>;

const A: Query<'static> = Query { key: "a", tags: &[], pattern: true, life: false };

async fn line() -> Arc<Line> {
    Line::new(Names::new("cache").unwrap(), with_second_connection().await)
}

/// Reads that are polled once and not again.
fn begun(line: &Arc<Line>, number: usize) -> Reads<'_> {
    (0..number)
        .map(|_| {
            let mut read: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(line.read(A));
            assert!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            read
        })
        .collect()
}

fn text(bytes: &[u8]) -> Value {
    Value::BulkString(bytes.to_vec())
}

fn failure() -> Value {
    let error = make_extension_error("ERR".to_owned(), Some("broken".to_owned()));
    assert_ne!(error.kind(), Cause::Io);
    Value::ServerError(error.try_into().unwrap())
}

#[test]
fn what_is_wrong_with_one_of_many_answers_is_that_readers_trouble_alone() {
    let query = |key, pattern, life| Query { key, tags: &[], pattern, life };
    let queries = [
        query("sound", false, true),
        query("a number", false, false),
        query("an error", false, false),
        query("a short nonce", false, false),
        query("no life", false, true),
        query("last", false, true),
    ];
    let nonce = text(&[7; 16]);
    let good = || [text(b"x"), nonce.clone()];
    let found = [
        good(),
        [Value::Int(7), nonce.clone()],
        [failure(), nonce.clone()],
        [text(b"x"), text(b"short")],
        good(),
        good(),
    ];
    let replies =
        vec![Value::Array(found.concat()), Value::Nil, Value::Int(5), failure(), Value::Int(-1)];
    let readings = apart(Replies::new(replies), &queries).unwrap();
    let values: Vec<Option<&[u8]>> = readings
        .iter()
        .map(|reading| reading.as_ref().ok().and_then(|reading| reading.value.as_deref()))
        .collect();
    let x = Some(b"x".as_slice());
    assert_eq!(values, [x, None, None, x, None, x]);
    let failed: Vec<bool> = readings.iter().map(Result::is_err).collect();
    assert_eq!(failed, [false, true, true, false, true, false]);
    assert_eq!(readings[3].as_ref().unwrap().key_nonce, None);
    assert_eq!(readings[5].as_ref().unwrap().key_nonce, Nonce::from_bytes(&[7; 16]));
}

#[test]
fn a_broken_pattern_log_concerns_those_who_ask_for_it() {
    let queries = [A, Query { key: "b", pattern: false, ..A }];
    for log in [failure(), text(b"short"), Value::Int(7)] {
        let found = Value::Array(vec![text(b"x"), Value::Nil, text(b"y"), Value::Nil]);
        let readings = apart(Replies::new(vec![found, log]), &queries).unwrap();
        assert!(readings[0].is_err());
        assert_eq!(readings[1].as_ref().unwrap().value.as_deref(), Some(b"y".as_slice()));
    }
}

#[test]
fn too_few_answers_are_nobodys() {
    let found = Value::Array(vec![text(b"x"), Value::Nil, text(b"y")]);
    let queries = [A, Query { key: "b", ..A }];
    assert!(apart(Replies::new(vec![found, Value::Nil]), &queries).is_err());
}

#[tokio::test]
async fn large_values_travel_in_smaller_groups_and_small_ones_in_large_groups_again() {
    let line = line().await;
    let readings = |sizes: &[usize]| -> Vec<Result<Reading>> {
        let reading = |size: &usize| Reading { value: Some(vec![0; *size]), ..Reading::default() };
        sizes.iter().map(|size| Ok(reading(size))).collect()
    };
    for (sizes, together) in [
        (&[10, 10][..], MOST_TOGETHER),
        (&[2 * MOST_BYTES], 1),
        (&[MOST_BYTES / 8; 3], 8),
        (&[0, MOST_BYTES / 2, 0, 0], 8),
        (&[0, 0], MOST_TOGETHER),
    ] {
        line.measure(&readings(sizes));
        assert_eq!(line.turns().together, together, "{sizes:?}");
    }
    line.measure(&[Err(ended())]);
    assert_eq!(line.turns().together, MOST_TOGETHER);
}

// Guard: the `retain` in Line::turn_or_wait.
#[tokio::test]
async fn who_gave_up_waiting_is_forgotten_although_no_turn_ends() {
    let line = line().await;
    let turns = begun(&line, MOST_UNDER_WAY);
    for _ in 0..1_000 {
        drop(begun(&line, 1));
    }
    assert!(line.turns().waiting.len() < 10, "{}", line.turns().waiting.len());
    drop(turns);
}

// Guard: the `retain` in Line::read_for.
#[tokio::test]
async fn a_caller_that_was_not_polled_in_time_is_not_taken_for_a_servers_silence() {
    pause();
    let line = line().await;
    let (turns, mut late) = (begun(&line, MOST_UNDER_WAY), begun(&line, 1));
    advance(Duration::from_secs(5)).await;
    drop(turns);
    while line.turns().under_way != 0 {
        yield_now().await;
    }
    assert!(line.link.is_sound());
    let answer = late[0].as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(error)) = answer else { panic!("it has an end") };
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

/// With little stack, so that one after the other would not do.
// Guard: the drop of Errand.
#[test]
fn the_end_of_a_runtime_is_the_end_of_all_who_wait_however_many_they_are() {
    const MANY: usize = 5_000;
    let body = || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let line = runtime.block_on(line());
        line.turns().together = 1;
        let here = Builder::new_current_thread().enable_all().build().unwrap();
        here.block_on(async {
            let turns = begun(&line, MOST_UNDER_WAY);
            let waiting = begun(&line, MANY);
            runtime.shutdown_background();
            drop(turns);
            for read in waiting {
                assert_eq!(read.await.unwrap_err().kind(), ErrorKind::Unavailable);
            }
            assert_eq!(line.turns().under_way, 0);
        });
    };
    thread::Builder::new().stack_size(256 << 10).spawn(body).unwrap().join().unwrap();
}
