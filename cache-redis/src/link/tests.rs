use redis::{AsyncConnectionConfig, RedisConnectionInfo, aio::MultiplexedConnection};
use tokio::{net::TcpListener, time::timeout};

use super::{health::DEAD_AFTER, *};
use crate::config::RedisConfig;

/// A link whose second connection is up, on a line that nobody answers on.
pub(crate) async fn with_second_connection() -> Arc<Link> {
    let ties = Ties { on_push: Box::new(|_| ()), on_silence: Box::new(|| ()), leader: None };
    tied(ties).await
}

fn dialer(url: &str) -> Dialer {
    Dialer {
        target: Target::parse(&RedisConfig::new(url)).unwrap(),
        purpose: Purpose::Watch,
        connect_timeout: Duration::from_secs(1),
        #[cfg(all(feature = "cluster", feature = "tls"))]
        certificates: None,
    }
}

async fn tied(ties: Ties) -> Arc<Link> {
    let (near, far) = tokio::io::duplex(64);
    let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let made = MultiplexedConnection::new_with_config(&settings, near, config).await;
    let (conn, driver) = made.unwrap();
    tokio::spawn(async move {
        let _open = far;
        driver.await;
    });
    let dialer = dialer("redis://localhost");
    let bulkhead = Arc::new(Bulkhead::unlimited());
    let link = Link::bounded(dialer, Duration::from_secs(1), Handle::current(), bulkhead, ties);
    link.current.store(2, Ordering::Relaxed);
    let session = Session { number: 2, leader: 2, conn: Conn::Node(conn) };
    link.state.send_replace(State::Up(session));
    link
}

/// How often the silence of this link was told of.
async fn overheard() -> (Arc<Link>, Arc<AtomicU32>) {
    let told = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&told);
    let on_silence = Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let ties = Ties { on_push: Box::new(|_| ()), on_silence, leader: None };
    (tied(ties).await, told)
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
        let (link, told) = overheard().await;
        let (state, weak) = (link.state.borrow().clone(), Arc::downgrade(&link));
        let State::Up(session) = state else { unreachable!("it is up") };
        let asking = tokio::spawn(async move { probe::watch(&weak, Some(session)).await });
        let batch = Batch::new("").with(redis::cmd("PING"));
        let since = Instant::now();
        let _ = timeout(Duration::from_millis(patience), link.send(&batch)).await;
        let mut states = link.state.subscribe();
        states.wait_for(|state| matches!(state, State::Down(_))).await.unwrap();
        assert!(since.elapsed() < (DEAD_AFTER + 1) * link.deadline, "{:?}", since.elapsed());
        assert_eq!(told.load(Ordering::Relaxed), 1, "whoever found it out");
        asking.abort();
    }
}

#[tokio::test]
async fn a_silence_is_told_of_once_until_there_is_an_answer_and_hearsay_is_not_passed_on() {
    let (link, told) = overheard().await;
    let batch = Batch::new("");
    for silences in 1..3 {
        link.timed_out(2, &batch);
        link.timed_out(2, &batch);
        link.timed_out(1, &batch);
        assert_eq!(told.load(Ordering::Relaxed), silences);
        link.answered(2, &batch, &[]);
    }
    link.doubt();
    assert!(link.admit(&batch).is_err());
    assert_eq!(told.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_connection_is_sound_while_it_is_not_in_doubt_and_its_leader_has_the_one_it_was_begun_under()
 {
    let leader = with_second_connection().await;
    assert!(leader.is_sound());
    let ties =
        Ties { on_push: Box::new(|_| ()), on_silence: Box::new(|| ()), leader: Some(leader) };
    let link = tied(ties).await;
    assert!(link.is_sound() && !link.is_behind());
    link.doubt();
    assert!(!link.is_sound() && !link.is_behind());
    link.answered(2, &Batch::new(""), &[]);
    assert!(link.is_sound());
    let leads = link.ties.leader.as_ref().unwrap();
    leads.lost(2, "its server");
    assert!(!link.is_sound() && link.is_behind());
    leads.current.store(3, Ordering::Relaxed);
    assert!(!link.is_sound() && link.is_behind(), "the leader may be elsewhere now");
}

// Guards: the leader in supervise, the state in follow.
#[tokio::test]
async fn nobody_connects_while_the_leader_does_not() {
    let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("redis://{}", server.local_addr().unwrap());
    let leader = with_second_connection().await;
    leader.lost(2, "its server");
    let ties = Ties {
        on_push: Box::new(|_| ()),
        on_silence: Box::new(|| ()),
        leader: Some(Arc::clone(&leader)),
    };
    let bulkhead = Arc::new(Bulkhead::unlimited());
    let link = Link::bounded(dialer(&url), leader.deadline, Handle::current(), bulkhead, ties);
    link.start();
    // It has been its turn.
    tokio::task::yield_now().await;
    let mut accept = std::pin::pin!(server.accept());
    let early = timeout(Duration::from_millis(50), &mut accept).await;
    assert!(early.is_err(), "it connects");
    let soon = timeout(Duration::from_secs(5), link.first_attempt()).await;
    assert!(soon.expect("nobody waits for it").is_err());
    let at = Target::parse(&RedisConfig::new(&url)).unwrap().any().clone();
    *leader.place_of_last() = Some((3, at));
    leader.current.store(3, Ordering::Relaxed);
    let up = with_second_connection().await.state.borrow().clone();
    leader.state.send_replace(up);
    accept.await.unwrap();
}

// Guard: link.rs, a state that is no connection does not count.
#[tokio::test]
async fn the_next_connection_is_heard_of_and_neither_the_present_one_nor_its_end() {
    let link = with_second_connection().await;
    let up = link.state.borrow().clone();
    let mut connects = std::pin::pin!(link.connects());
    assert!(waits(connects.as_mut()).await, "it was up before");
    link.lost(2, "a test");
    assert!(waits(connects.as_mut()).await, "it is down");
    link.state.send_replace(up);
    timeout(Duration::from_secs(5), connects).await.expect("it has come back");
}

async fn waits(mut future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}
