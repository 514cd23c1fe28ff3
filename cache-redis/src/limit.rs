//! Rate limits: one key for each count, and one script for each strategy.

use std::time::Duration;

use cache_store::{LimitAnswer, LimitCheck, LimitStrategy, Result};
use redis::Cmd;

use crate::{RedisStore, batch::Batch, error, reply::Replies, script};

impl RedisStore {
    pub(crate) async fn count_call(&self, check: LimitCheck<'_>) -> Result<LimitAnswer> {
        let key = self.names.limit(&check);
        match check.strategy {
            LimitStrategy::FixedWindow => self.count_in_window(&key, &check).await,
            LimitStrategy::SlidingWindow => self.count_in_log(&key, &check).await,
            LimitStrategy::TokenBucket { burst } => self.count_in_bucket(&key, &check, burst).await,
        }
    }

    async fn count_in_window(&self, key: &str, check: &LimitCheck<'_>) -> Result<LimitAnswer> {
        let mut command = script::LIMIT_WINDOW.call(&[key]);
        command.arg(check.limit).arg(micros(check.per)).arg(check.cost);
        let mut answer = self.ask_limit(key, command).await?;
        let (allowed, used, age) =
            (outcome(&mut answer)?, number(&mut answer)?, answer.next_int()?);
        let left = whole_micros(check.per).saturating_sub(from_micros(age));
        Ok(LimitAnswer {
            allowed,
            remaining: check.limit.saturating_sub(used),
            retry_after: (!allowed).then_some(left),
            resets_after: left,
        })
    }

    async fn count_in_log(&self, key: &str, check: &LimitCheck<'_>) -> Result<LimitAnswer> {
        let mut command = script::LIMIT_LOG.call(&[key]);
        command.arg(check.limit).arg(micros(check.per)).arg(check.cost).arg(micros(check.grain()));
        let mut answer = self.ask_limit(key, command).await?;
        let (allowed, used) = (outcome(&mut answer)?, number(&mut answer)?);
        let (wait, left) = (answer.next_int()?, answer.next_int()?);
        Ok(LimitAnswer {
            allowed,
            remaining: check.limit.saturating_sub(used),
            retry_after: (!allowed).then(|| from_micros(wait)),
            resets_after: from_micros(left),
        })
    }

    async fn count_in_bucket(
        &self,
        key: &str,
        check: &LimitCheck<'_>,
        burst: u64,
    ) -> Result<LimitAnswer> {
        let interval = nanos(check.interval());
        let (room, call) = (interval.saturating_mul(burst), interval.saturating_mul(check.cost));
        let mut command = script::LIMIT_BUCKET.call(&[key]);
        command.arg(room).arg(call).arg(interval);
        let mut answer = self.ask_limit(key, command).await?;
        let (allowed, debt) = (outcome(&mut answer)?, number(&mut answer)?);
        let wait = debt.saturating_add(call).saturating_sub(room);
        Ok(LimitAnswer {
            allowed,
            remaining: room.saturating_sub(debt) / interval,
            retry_after: (!allowed).then(|| Duration::from_nanos(wait)),
            resets_after: Duration::from_nanos(debt),
        })
    }

    async fn ask_limit(&self, key: &str, command: Cmd) -> Result<Replies> {
        self.send(&Batch::new(key).with(command)).await?.next_list()
    }
}

fn outcome(answer: &mut Replies) -> Result<bool> {
    match answer.next_int()? {
        1 => Ok(true),
        0 => Ok(false),
        _ => Err(error::unexpected("an outcome that this protocol does not know")),
    }
}

fn number(answer: &mut Replies) -> Result<u64> {
    u64::try_from(answer.next_int()?).map_err(|_| error::unexpected("fewer calls than none"))
}

/// Whole microseconds, rounded up and never none: the server's clock has no others.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX).max(1)
}

fn whole_micros(time: Duration) -> Duration {
    Duration::from_micros(micros(time))
}

fn from_micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// Never none: an interval is divided by.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1)
}
