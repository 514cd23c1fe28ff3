//! The one task that connects, watches, and connects again.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{PushInfo, PushKind};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{Link, Session, State, probe};
use crate::{
    backoff::Backoff,
    dial::{Dialed, OnPush},
};

/// A connection that lived this long was no failed attempt: the next one starts without a long wait.
const CALM: Duration = Duration::from_secs(2);
/// A cluster's connection is not replaced more often than this for the sake of a part that is silent: mostly it is the node
/// that is away.
const RENEWAL: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Keeps a connection, until the link is gone.
pub(super) async fn supervise(link: Weak<Link>) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    for number in 0.. {
        let Some(strong) = link.upgrade() else { return };
        let Some(lead) = strong.lead() else {
            let Some(leader) = strong.ties.leader.as_ref().map(|leader| leader.state.subscribe())
            else {
                return;
            };
            drop(strong);
            if !follow(&link, leader).await {
                return;
            }
            continue;
        };
        let mut pause = None;
        let dead = Arc::new(AtomicBool::new(false));
        let attempt = strong.dialer.dial(pushes(&link, number, &dead), lead.at.as_ref()).await;
        match attempt {
            Ok(Dialed { conn, at }) => {
                let since = Instant::now();
                strong.failures.store(0, Ordering::Relaxed);
                *strong.place_of_last() = at.map(|at| (number, at));
                strong.current.store(number, Ordering::Release);
                let session = Session { number, leader: lead.number, conn };
                let before = strong.state.send_replace(State::Up(session.clone()));
                if matches!(before, State::Up(_)) {
                    (strong.ties.on_push)(PushInfo {
                        kind: PushKind::Disconnection,
                        data: Vec::new(),
                    });
                }
                if dead.load(Ordering::Acquire) {
                    strong.lost(number, "closed by the server");
                }
                tracing::info!(target: "larder::redis", server = %strong.dialer.target, "connected");
                drop(strong);
                if !serve(&link, since, Some(session)).await {
                    return;
                }
                if since.elapsed() >= CALM {
                    backoff.reset();
                }
            }
            Err(cause) => {
                tracing::debug!(target: "larder::redis", %cause, "not connected");
                pause = strong.dialer.purpose.pause_after(&cause);
                // The one that was to be replaced may still serve a part of the cluster.
                let is_down = strong.state.send_if_modified(|state| {
                    let is_down = !matches!(state, State::Up(_));
                    if is_down {
                        *state = State::Down(cause);
                    }
                    is_down
                });
                drop(strong);
                if !is_down && !serve(&link, Instant::now(), None).await {
                    return;
                }
            }
        }
        sleep(pause.unwrap_or_else(|| backoff.step())).await;
    }
}

/// Waits until the leader has a connection; `false` when it is gone. Not before the leader: one at a time finds out whether a
/// server is back, and which one it is.
async fn follow(link: &Weak<Link>, mut leader: watch::Receiver<State>) -> bool {
    let away = match leader.wait_for(State::is_settled).await.as_deref() {
        Ok(State::Down(cause)) => Some(cause.clone()),
        Ok(_) => None,
        Err(_) => return false,
    };
    if let Some(cause) = away {
        // Nobody is to wait for a first connection that nobody attempts.
        let Some(link) = link.upgrade() else { return false };
        link.state.send_if_modified(|state| {
            let waits = matches!(state, State::Connecting);
            if waits {
                *state = State::Down(cause);
            }
            waits
        });
    }
    leader.wait_for(|state| matches!(state, State::Up(_))).await.is_ok()
}

/// Waits until the connection is lost, or a part of the cluster is silent and another connection worth a try. `false` when
/// the link is gone.
///
/// redis-rs's cluster client never leaves a line to a node that is half open, and as long as other nodes answer, the
/// connection as a whole looks alive. The present one serves until there is another: those nodes lose nothing by it.
async fn serve(link: &Weak<Link>, since: Instant, session: Option<Session>) -> bool {
    let Some(strong) = link.upgrade() else { return false };
    let mut states = strong.state.subscribe();
    let renew = Arc::clone(&strong.renew);
    drop(strong);
    let renewal = async {
        sleep_until(since + RENEWAL).await;
        loop {
            renew.notified().await;
            // What asked for it may have been answered since, or have been the connection before this one.
            match link.upgrade() {
                Some(link) if !link.is_partly_silent() => {}
                Some(_) | None => return,
            }
        }
    };
    tokio::select! {
        lost = states.wait_for(|state| !matches!(state, State::Up(_))) => lost.is_ok(),
        () = renewal => true,
        () = probe::watch(link, session) => false,
    }
}

/// Passes pushes on, and notices the end of a connection nobody is using just now.
fn pushes(link: &Weak<Link>, number: u64, dead: &Arc<AtomicBool>) -> OnPush {
    let (link, dead) = (link.clone(), Arc::clone(dead));
    Arc::new(move |push| {
        let Some(link) = link.upgrade() else { return };
        if push.kind != PushKind::Disconnection {
            (link.ties.on_push)(push);
        } else if link.is_one_server() {
            dead.store(true, Ordering::Release);
            link.lost(number, "closed by the server");
        }
        // A cluster's client tells of every single node and repairs it itself.
    })
}
