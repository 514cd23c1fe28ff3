//! Every step, past what strikes it.

use std::{sync::Weak, time::Duration};

use super::{ChaosStore, ears};
use crate::{
    Begin, Begun, BoxFuture, Claim, Claimed, Error, ErrorKind, Feed, Fill, Finish, Health,
    Invalidation, Lease, Life, LimitAnswer, LimitCheck, Listener, Locked, Nonce, Query, Reading,
    Record, Result, SessionTier, SharedInfo, Stamp, Store, Subscriber, TagPage, Topics,
    testing::Operation,
};

impl<S: Store> Store for ChaosStore<S> {
    fn read<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Result<Reading>> {
        Box::pin(async move {
            let mut reading =
                self.run_for(Operation::Read, query.key, || self.inner.read(query)).await?;
            reading.value = reading.value.and_then(|value| self.plan.alter(query.key, value));
            Ok(reading)
        })
    }

    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Claimed>> {
        Box::pin(async move {
            let claimed = self.run_for(Operation::Claim, claim.key, || self.inner.claim(claim));
            claimed.await.map(|claimed| self.altered(claim.key, claimed))
        })
    }

    fn patterns(&self) -> BoxFuture<'_, Result<Vec<Record>>> {
        self.run(Operation::Patterns, || self.inner.patterns())
    }

    fn tag_nonces<'a>(&'a self, tags: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Nonce>>>> {
        self.run(Operation::TagNonces, move || self.inner.tag_nonces(tags))
    }

    fn stamp_tags<'a>(
        &'a self,
        captured: Nonce,
        tags: &'a [String],
        dependency_life: Life,
    ) -> BoxFuture<'a, Result<Option<Vec<Nonce>>>> {
        self.run(Operation::StampTags, move || {
            self.inner.stamp_tags(captured, tags, dependency_life)
        })
    }

    fn fill<'a>(&'a self, fill: Fill<'a>) -> BoxFuture<'a, Result<bool>> {
        self.run_for(Operation::Fill, fill.key, move || self.inner.fill(fill))
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        nonce: Nonce,
        lease: Lease,
    ) -> BoxFuture<'a, Result<bool>> {
        self.run_for(Operation::Renew, key, move || self.inner.renew(key, nonce, lease))
    }

    fn release<'a>(
        &'a self,
        key: &'a str,
        nonce: Nonce,
        token: Nonce,
    ) -> BoxFuture<'a, Result<()>> {
        self.run_for(Operation::Release, key, move || self.inner.release(key, nonce, token))
    }

    /// A wait that fails returns at once: it has no way to say so.
    fn lease_ended<'a>(&'a self, key: &'a str, at_most: Duration) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let wait = self.run(Operation::LeaseEnded, move || {
                Box::pin(async move {
                    self.inner.lease_ended(key, at_most).await;
                    Ok(())
                })
            });
            drop(wait.await);
        })
    }

    fn begin<'a>(&'a self, begin: Begin<'a>) -> BoxFuture<'a, Result<Begun>> {
        self.run_for(Operation::Begin, begin.key, move || self.inner.begin(begin))
    }

    fn finish<'a>(&'a self, finish: Finish<'a>) -> BoxFuture<'a, Result<bool>> {
        self.run_for(Operation::Finish, finish.key, move || self.inner.finish(finish))
    }

    fn tagged<'a>(&'a self, tag: &'a str, from: u64) -> BoxFuture<'a, Result<Option<TagPage>>> {
        self.run(Operation::Tagged, move || self.inner.tagged(tag, from))
    }

    fn invalidate<'a>(&'a self, what: &'a Invalidation) -> BoxFuture<'a, Result<()>> {
        self.run(Operation::Invalidate, move || self.inner.invalidate(what))
    }

    fn begin_tags<'a>(
        &'a self,
        tags: &'a [String],
        token: Nonce,
        at_most: Duration,
    ) -> BoxFuture<'a, Result<()>> {
        self.run(Operation::BeginTags, move || self.inner.begin_tags(tags, token, at_most))
    }

    fn finish_tags<'a>(&'a self, tags: &'a [String], token: Nonce) -> BoxFuture<'a, Result<()>> {
        self.run(Operation::FinishTags, move || self.inner.finish_tags(tags, token))
    }

    fn read_many<'a>(&'a self, queries: &'a [Query<'a>]) -> BoxFuture<'a, Vec<Result<Reading>>> {
        Box::pin(async move {
            let ask = self.run_many(
                Operation::ReadMany,
                queries,
                |query| Some(query.key),
                |inner, queries| inner.read_many(queries),
            );
            let mut readings = ask.await;
            for (query, reading) in queries.iter().zip(&mut readings) {
                if let Ok(reading) = reading {
                    let value = reading.value.take();
                    reading.value = value.and_then(|value| self.plan.alter(query.key, value));
                }
            }
            readings
        })
    }

    fn claim_many<'a>(&'a self, claims: &'a [Claim<'a>]) -> BoxFuture<'a, Vec<Result<Claimed>>> {
        Box::pin(async move {
            let ask = self.run_many(
                Operation::ClaimMany,
                claims,
                |claim| Some(claim.key),
                |inner, claims| inner.claim_many(claims),
            );
            let claimed = ask.await.into_iter().zip(claims);
            claimed.map(|(one, claim)| one.map(|one| self.altered(claim.key, one))).collect()
        })
    }

    fn stamp_many<'a>(
        &'a self,
        stamps: &'a [Stamp<'a>],
    ) -> BoxFuture<'a, Vec<Result<Option<Vec<Nonce>>>>> {
        // Tags belong to no key, so no lost key takes them along.
        self.run_many(
            Operation::StampMany,
            stamps,
            |_| None,
            |inner, stamps| inner.stamp_many(stamps),
        )
    }

    fn fill_many<'a>(&'a self, fills: &'a [Fill<'a>]) -> BoxFuture<'a, Vec<Result<bool>>> {
        self.run_many(
            Operation::FillMany,
            fills,
            |fill| Some(fill.key),
            |inner, fills| inner.fill_many(fills),
        )
    }

    fn begin_many<'a>(&'a self, begins: &'a [Begin<'a>]) -> BoxFuture<'a, Vec<Result<Begun>>> {
        self.run_many(
            Operation::BeginMany,
            begins,
            |begin| Some(begin.key),
            |inner, begins| inner.begin_many(begins),
        )
    }

    fn finish_many<'a>(&'a self, finishes: &'a [Finish<'a>]) -> BoxFuture<'a, Vec<Result<bool>>> {
        self.run_many(
            Operation::FinishMany,
            finishes,
            |finish| Some(finish.key),
            |inner, finishes| inner.finish_many(finishes),
        )
    }

    /// News passes whatever is injected; what is injected keeps the [`heartbeat`](Store::heartbeat) from proving it.
    fn listen(&self, listener: Weak<dyn Listener>) -> bool {
        self.ears.set_listener(listener);
        self.inner.listen(ears::downgrade(&self.ears))
    }

    fn heartbeat(&self) -> BoxFuture<'_, Result<()>> {
        self.run(Operation::Heartbeat, || {
            Box::pin(async {
                self.inner.heartbeat().await?;
                if self.ears.is_behind() {
                    let message = "news is kept back";
                    return Err(Error::new(ErrorKind::Timeout, message).during("heartbeat"));
                }
                Ok(())
            })
        })
    }

    fn acquire_lock<'a>(&'a self, name: &'a str, lease: Lease) -> BoxFuture<'a, Result<Locked>> {
        self.run_for(Operation::AcquireLock, name, move || self.inner.acquire_lock(name, lease))
    }

    fn renew_lock<'a>(&'a self, name: &'a str, lease: Lease) -> BoxFuture<'a, Result<bool>> {
        self.run_for(Operation::RenewLock, name, move || self.inner.renew_lock(name, lease))
    }

    fn release_lock<'a>(&'a self, name: &'a str, token: Nonce) -> BoxFuture<'a, Result<bool>> {
        self.run_for(Operation::ReleaseLock, name, move || self.inner.release_lock(name, token))
    }

    /// A wait that fails returns at once: it has no way to say so.
    fn lock_ended<'a>(&'a self, name: &'a str, at_most: Duration) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let wait = self.run(Operation::LockEnded, move || {
                Box::pin(async move {
                    self.inner.lock_ended(name, at_most).await;
                    Ok(())
                })
            });
            drop(wait.await);
        })
    }

    fn check_limit<'a>(&'a self, check: LimitCheck<'a>) -> BoxFuture<'a, Result<LimitAnswer>> {
        self.run_for(Operation::CheckLimit, check.name, move || self.inner.check_limit(check))
    }

    fn sessions(&self) -> Option<&dyn SessionTier> {
        self.inner.sessions().map(|_| self as &dyn SessionTier)
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<u64>>> {
        self.run(Operation::Publish, move || self.inner.publish(topic, message))
    }

    fn subscribe<'a>(
        &'a self,
        topics: Topics<'a>,
        subscriber: Weak<dyn Subscriber>,
    ) -> BoxFuture<'a, Result<Feed>> {
        self.run(Operation::Subscribe, move || self.inner.subscribe(topics, subscriber))
    }

    fn info(&self) -> BoxFuture<'_, Result<SharedInfo>> {
        self.run_for(Operation::Info, "", move || self.inner.info())
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async move {
            let asked = self
                .run(Operation::Health, || Box::pin(async move { Ok(self.inner.health().await) }));
            asked.await.unwrap_or_else(Health::down)
        })
    }
}
