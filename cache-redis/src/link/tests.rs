use redis::{AsyncConnectionConfig, RedisConnectionInfo, aio::MultiplexedConnection};
use tokio::time::timeout;

use super::{health::DEAD_AFTER, *};
use crate::config::RedisConfig;

/// A link whose second connection is up, on a line that nobody answers on.
async fn with_second_connection() -> Arc<Link> {
    let (near, _far) = tokio::io::duplex(64);
    let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
    let config = AsyncConnectionConfig::new();
    let made = MultiplexedConnection::new_with_config(&settings, near, config).await;
    let (conn, _driver) = made.unwrap();
    let dialer = Dialer {
        target: Target::parse(&RedisConfig::new("redis://localhost")).unwrap(),
        purpose: Purpose::Watch,
        connect_timeout: Duration::from_secs(1),
        #[cfg(all(feature = "cluster", feature = "tls"))]
        certificates: None,
    };
    let link = Link::new(dialer, Duration::from_secs(1), Handle::current(), |_| ());
    link.state.send_replace(State::Up(Session { number: 2, conn: Conn::Node(conn) }));
    link
}

fn is_up(link: &Link) -> bool {
    matches!(&*link.state.borrow(), State::Up(_))
}

#[tokio::test]
async fn what_happens_to_an_earlier_connection_does_not_concern_the_present_one() {
    let link = with_second_connection().await;
    let batch = Batch::new("");
    link.lost(1, "late news");
    link.timed_out(1, &batch);
    assert!(is_up(&link) && link.admit(&batch).is_ok());
    link.timed_out(2, &batch);
    assert!(is_up(&link) && link.admit(&batch).is_err());
}

#[tokio::test]
async fn an_answer_forgives_the_timeout_before_it_and_many_at_once_are_one() {
    let link = with_second_connection().await;
    let batch = Batch::new("");
    for _ in 0..3 {
        for _ in 0..2 * DEAD_AFTER {
            link.timed_out(2, &batch);
        }
        assert!(is_up(&link) && link.admit(&batch).is_err());
        link.answered(2, &batch, &[]);
        assert!(link.admit(&batch).is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_in_doubt_is_asked_and_given_up_and_also_when_its_callers_go_away_early() {
    for patience in [2_000, 10] {
        let link = with_second_connection().await;
        let (state, weak) = (link.state.borrow().clone(), Arc::downgrade(&link));
        let State::Up(session) = state else { unreachable!("it is up") };
        let asking = tokio::spawn(async move { probe::watch(&weak, Some(session)).await });
        let batch = Batch::new("").with(redis::cmd("PING"));
        let since = Instant::now();
        let _ = timeout(Duration::from_millis(patience), link.send(&batch)).await;
        let mut states = link.state.subscribe();
        states.wait_for(|state| matches!(state, State::Down(_))).await.unwrap();
        assert!(since.elapsed() < (DEAD_AFTER + 1) * link.deadline, "{:?}", since.elapsed());
        asking.abort();
    }
}
