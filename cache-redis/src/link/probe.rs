//! Finding out whether a server that did not answer is still there, without keeping any caller waiting for it.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use tokio::time::{sleep, timeout};

use super::{Link, Session, health::DEAD_AFTER};
use crate::batch::Batch;

/// Callers that go away early are a reason to ask, but not more often than this.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks on the line of `session` when somebody had no answer, until there is one again or the line is given up. Returns when
/// the link is gone.
///
/// One question at a time is all that such a line carries: while [`Link::failures`] is not 0, callers fail at once.
pub(super) async fn watch(link: &Weak<Link>, session: Option<Session>) {
    // Only one server is asked like this: each part of a cluster has a breaker and is tried by a caller.
    let (Some(strong), Some(session)) = (link.upgrade(), session) else {
        return std::future::pending().await;
    };
    let (doubt, deadline) = (Arc::clone(&strong.doubt), strong.deadline);
    if !strong.is_one_server() {
        return std::future::pending().await;
    }
    drop(strong);
    loop {
        doubt.notified().await;
        let mut conn = session.conn.clone();
        loop {
            let question = Batch::new("").with(redis::cmd("PING"));
            let answer = timeout(deadline, conn.run(&question)).await;
            let Some(link) = link.upgrade() else { return };
            match answer {
                Ok(Ok(replies)) => {
                    link.answered(session.number, &question, &replies);
                    break;
                }
                Ok(Err(cause)) => {
                    // The supervisor sees that it is lost and ends this.
                    link.lost(session.number, &cause.to_string());
                    break;
                }
                Err(_) => {
                    let failures = link.failures.fetch_add(1, Ordering::Relaxed) + 1;
                    if failures == 1 {
                        (link.ties.on_silence)();
                    }
                    if failures >= DEAD_AFTER {
                        link.lost(session.number, &link.no_reply().to_string());
                        break;
                    }
                }
            }
        }
        sleep(PAUSE).await;
    }
}
