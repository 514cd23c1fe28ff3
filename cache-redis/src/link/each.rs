//! Requests side by side to a cluster. A node that died fails many of them at once and must not look like a dead cluster;
//! where nobody at all answers, it is the connection that is dead.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use cache_store::{Error, ErrorKind, Result};
use redis::{RedisResult, Value};
use tokio::{
    task::JoinSet,
    time::{Instant, error::Elapsed, timeout_at},
};

use super::Link;
use crate::{batch::Batch, breaker::Breaker, bulkhead::Bulkhead, error};

/// How one request ended.
struct Ended {
    at: usize,
    slot: String,
    with: Result<RedisResult<Vec<Value>>, Elapsed>,
}

impl Link {
    /// [`send`](Self::send) for many batches at the same time, each for its own slot: one answer for each.
    pub(crate) async fn send_each(
        self: &Arc<Self>,
        batches: Vec<Batch>,
    ) -> Vec<Result<Vec<Value>>> {
        let until = Instant::now() + self.deadline;
        let session = match self.session(until).await {
            Ok(session) => session,
            Err(error) => return batches.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut answers: Vec<Result<Vec<Value>>> = batches.iter().map(|_| dropped()).collect();
        let mut requests = JoinSet::new();
        for (at, batch) in batches.into_iter().enumerate() {
            let place = match self.admit(&batch) {
                Ok(()) => Bulkhead::enter(Arc::clone(&self.bulkhead), batch.bytes()),
                Err(error) => Err(error),
            };
            let place = match place {
                Ok(place) => place,
                Err(error) => {
                    answers[at] = Err(error);
                    continue;
                }
            };
            let mut conn = session.conn.clone();
            let request = async move {
                let with = timeout_at(until, conn.run(&batch)).await;
                drop(place);
                Ended { at, slot: batch.slot().to_owned(), with }
            };
            requests.spawn_on(request, &self.runtime);
        }
        let mut account = Account::default();
        while let Some(done) = requests.join_next().await {
            if let Ok(ended) = done {
                answers[ended.at] = self.answer(ended.slot, ended.with, &mut account);
            }
        }
        self.settle(session.number, account);
        answers
    }

    fn answer(
        &self,
        slot: String,
        ended: Result<RedisResult<Vec<Value>>, Elapsed>,
        account: &mut Account,
    ) -> Result<Vec<Value>> {
        let error = match ended {
            Ok(Ok(replies)) => {
                account.answered.insert(Breaker::number(&slot), slot);
                return Ok(replies);
            }
            Ok(Err(cause)) => {
                let error = error::from_redis(&cause);
                if !cause.is_unrecoverable_error() && error.kind() != ErrorKind::Unavailable {
                    return Err(self.of_slot(&slot, error));
                }
                error
            }
            Err(_) => self.no_reply(),
        };
        account.error = Some(error.clone());
        let error = self.of_slot(&slot, error);
        account.failed.insert(Breaker::number(&slot), slot);
        Err(error)
    }

    /// Each segment counts once; and toward the end of the connection only where nobody answered.
    ///
    /// redis-rs's cluster client can come to a standstill for good when a node goes while many requests are under way (as
    /// of 1.8.1 its repair waits for a lock that was handed to a request which it does not poll meanwhile), so this end
    /// must come soon.
    fn settle(&self, number: u64, account: Account) {
        let Some(breaker) = &self.breaker else { return };
        for slot in account.failed.values() {
            if breaker.failed(slot) {
                self.renew.notify_one();
            }
        }
        account.answered.values().for_each(|slot| breaker.answered(slot));
        if !account.answered.is_empty() {
            self.failures.store(0, Ordering::Relaxed);
        } else if let Some(error) = account.error {
            let segments = u32::try_from(account.failed.len()).unwrap_or(u32::MAX);
            self.count_toward_death(number, segments, &error);
        }
    }
}

/// What came of all requests, by segment.
#[derive(Default)]
struct Account {
    answered: HashMap<usize, String>,
    failed: HashMap<usize, String>,
    error: Option<Error>,
}

fn dropped() -> Result<Vec<Value>> {
    Err(error::unexpected("a request was dropped"))
}
