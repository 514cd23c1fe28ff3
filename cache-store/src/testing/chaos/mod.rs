mod damage;
mod ears;
mod fault;
mod gate;
mod keys;
mod plan;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use self::{damage::Damage, ears::Ears, fault::Effect, gate::Barrier, plan::Plan};
pub use self::{fault::Fault, gate::Gate};
use crate::{
    Begin, Begun, BoxFuture, Claim, ClaimOutcome, Claimed, Error, ErrorKind, Fill, Finish, Health,
    Invalidation, Lease, Life, Listener, News, Nonce, Query, Reading, Record, Result, Stamp, Store,
    TagPage, testing::Operation,
};

/// Wraps a [`Store`] and makes it misbehave on demand. Until it is told to, it passes everything on.
///
/// ```
/// use cache_store::{ErrorKind, Store, testing::{ChaosStore, Fault, MemoryStore, Operation}};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let store = ChaosStore::new(MemoryStore::new());
/// store.inject(Fault::fail(ErrorKind::Timeout).on(Operation::Patterns).times(1));
/// assert_eq!(store.patterns().await.unwrap_err().kind(), ErrorKind::Timeout);
/// assert!(store.patterns().await.is_ok());
/// # });
/// ```
///
/// A step can be stopped exactly where a race needs it, without a sleep:
///
/// ```
/// use std::sync::Arc;
/// use cache_store::{Store, testing::{ChaosStore, MemoryStore, Operation}};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let store = Arc::new(ChaosStore::new(MemoryStore::new()));
/// let gate = store.hold(Operation::Patterns);
/// let held = tokio::spawn({
///     let store = Arc::clone(&store);
///     async move { store.patterns().await }
/// });
/// gate.arrived(1).await; // the request is on its way and has had no effect yet
/// // … here goes what overtakes it …
/// gate.open();
/// held.await??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct ChaosStore<S> {
    inner: S,
    plan: Plan,
    ears: Arc<Ears>,
}

impl<S: Store> ChaosStore<S> {
    /// A store that behaves as `inner` does until told otherwise.
    ///
    /// See [`ChaosStore`] for an example.
    #[must_use]
    pub fn new(inner: S) -> Self {
        Self { inner, plan: Plan::default(), ears: Arc::default() }
    }

    /// The store inside.
    ///
    /// ```
    /// use cache_store::{Store, testing::{ChaosStore, MemoryStore}};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.health().await;
    /// assert_eq!(store.inner().calls().round_trips(), 1);
    /// # });
    /// ```
    #[must_use]
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// Adds a fault. Of several that fit an operation the one that was injected first strikes, alone.
    ///
    /// ```
    /// use cache_store::{ErrorKind, Store, testing::{ChaosStore, Fault, MemoryStore}};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.inject(Fault::lose_reply(ErrorKind::Timeout).times(1));
    /// store.inject(Fault::fail(ErrorKind::Refused));
    /// assert_eq!(store.patterns().await.unwrap_err().kind(), ErrorKind::Timeout);
    /// assert_eq!(store.patterns().await.unwrap_err().kind(), ErrorKind::Refused);
    /// # });
    /// ```
    pub fn inject(&self, fault: Fault) {
        self.plan.add_fault(fault);
    }

    /// From now on every operation fails so, as when the server is away, until [`up`](Self::up).
    ///
    /// ```
    /// use cache_store::{ErrorKind, Store, testing::{ChaosStore, MemoryStore}};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.down(ErrorKind::Unavailable);
    /// assert!(!store.health().await.reachable);
    /// store.up();
    /// assert!(store.health().await.reachable);
    /// # });
    /// ```
    pub fn down(&self, kind: ErrorKind) {
        self.plan.clear_faults();
        self.inject(Fault::fail(kind));
    }

    /// From now on every step for one of these keys fails so and has no effect, as when one node of a cluster is away,
    /// until [`up`](Self::up).
    ///
    /// ```
    /// use cache_store::{ErrorKind, Query, Store, testing::{ChaosStore, MemoryStore}};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.down_for(ErrorKind::Unavailable, |key| key.starts_with("user:"));
    /// let query = |key| Query { key, tags: &[], pattern: true, life: false };
    /// let readings = store.read_many(&[query("user:1"), query("order:1")]).await;
    /// assert!(readings[0].is_err() && readings[1].is_ok());
    /// # });
    /// ```
    pub fn down_for(&self, kind: ErrorKind, keys: impl Fn(&str) -> bool + Send + Sync + 'static) {
        self.plan.set_lost(kind, Arc::new(keys));
    }

    /// Takes back every injected fault.
    ///
    /// See [`down`](Self::down) for an example.
    pub fn up(&self) {
        self.plan.clear_faults();
    }

    /// Stops these operations before they take effect, until the gate is opened or dropped.
    ///
    /// See [`ChaosStore`] for an example.
    #[must_use = "dropping the gate opens it"]
    pub fn hold(&self, operation: Operation) -> Gate {
        self.gate(Some(operation), false)
    }

    /// Stops these operations after they took effect and before their caller hears of it.
    ///
    /// ```
    /// use cache_store::{Invalidation, Store, testing::{ChaosStore, MemoryStore, Operation}};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = ChaosStore::new(MemoryStore::new());
    /// let gate = store.hold_reply(Operation::Invalidate);
    /// let what = Invalidation::Pattern("users:*".into());
    /// tokio::join!(store.invalidate(&what), async {
    ///     gate.arrived(1).await;
    ///     assert_eq!(store.patterns().await.unwrap()[0].what.to_text(), "users:*");
    ///     gate.open();
    /// }).0
    /// # }).unwrap();
    /// ```
    #[must_use = "dropping the gate opens it"]
    pub fn hold_reply(&self, operation: Operation) -> Gate {
        self.gate(Some(operation), true)
    }

    /// Stops every operation before it takes effect, as when the server hangs.
    ///
    /// ```
    /// use cache_store::{Store, testing::{ChaosStore, MemoryStore}};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = ChaosStore::new(MemoryStore::new());
    /// let gate = store.hang();
    /// tokio::select! {
    ///     _ = store.health() => panic!("it hangs"),
    ///     () = gate.arrived(1) => {}
    /// }
    /// gate.open();
    /// assert!(store.health().await.reachable);
    /// # });
    /// ```
    #[must_use = "dropping the gate opens it"]
    pub fn hang(&self) -> Gate {
        self.gate(None, false)
    }

    /// Changes the stored bytes that [`read`](Store::read) and [`claim`](Store::claim) hand out, alone or for many keys:
    /// truncated, damaged, another entry's, or none at all (which a claim shows as no bytes). What is stored stays as it is.
    ///
    /// ```
    /// use cache_store::testing::{ChaosStore, MemoryStore};
    ///
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.alter_values(|key, mut bytes| {
    ///     if key.starts_with("user:") {
    ///         bytes.truncate(20);
    ///     }
    ///     Some(bytes)
    /// });
    /// store.keep_values();
    /// ```
    pub fn alter_values(
        &self,
        alter: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) {
        self.plan.set_alteration(Some(Arc::new(alter)));
    }

    /// Damages this share of the stored bytes that are handed out, 0 for none and 1 for all, in the place of
    /// [`alter_values`](Self::alter_values): a bit is flipped, bytes are overwritten, cut off, lost in the middle or
    /// added. What is damaged is never what was stored. The same seed and the same sequence of operations give the same
    /// damage.
    ///
    /// ```
    /// use cache_store::testing::{ChaosStore, MemoryStore};
    ///
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.corrupt_values(42, 0.1); // one in ten
    /// store.keep_values();
    /// ```
    pub fn corrupt_values(&self, seed: u64, share: f64) {
        let damage = Damage::new(seed, share);
        self.alter_values(move |_, bytes| Some(damage.to(bytes)));
    }

    /// Hands out the stored bytes as they are again.
    ///
    /// See [`alter_values`](Self::alter_values) for an example.
    pub fn keep_values(&self) {
        self.plan.set_alteration(None);
    }

    /// Lets this share of all operations fail, 0 for none and 1 for all: half of them without effect, half after it.
    /// The same seed and the same sequence of operations give the same faults.
    ///
    /// ```
    /// use cache_store::{Store, testing::{ChaosStore, MemoryStore}};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.random_faults(42, 1.0);
    /// assert!(store.patterns().await.is_err());
    /// store.calm();
    /// assert!(store.patterns().await.is_ok());
    /// # });
    /// ```
    pub fn random_faults(&self, seed: u64, share: f64) {
        self.plan.set_random(seed, share);
    }

    /// Keeps news back from now on, as a slow line does: the listener hears nothing, and heartbeats fail while there is
    /// something it should have heard.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use cache_store::{Invalidation, Listener, News, Store, testing::{ChaosStore, MemoryStore}};
    ///
    /// #[derive(Default)]
    /// struct Ears(Mutex<u32>);
    ///
    /// impl Listener for Ears {
    ///     fn hear(&self, _: News<'_>) {
    ///         *self.0.lock().unwrap() += 1;
    ///     }
    /// }
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let (store, ears) = (ChaosStore::new(MemoryStore::new()), Arc::new(Ears::default()));
    /// let listener: Arc<dyn Listener> = ears.clone();
    /// store.listen(Arc::downgrade(&listener));
    /// store.hold_news();
    /// store.invalidate(&Invalidation::Keys(vec!["user:42".into()])).await?;
    /// assert!(store.heartbeat().await.is_err());
    /// assert_eq!(*ears.0.lock().unwrap(), 1); // the gap at the beginning
    /// store.release_news();
    /// assert!(store.heartbeat().await.is_ok());
    /// assert_eq!(*ears.0.lock().unwrap(), 2);
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn hold_news(&self) {
        self.ears.hold();
    }

    /// Tells the news that was kept back, in its order, and keeps nothing back any more.
    ///
    /// See [`hold_news`](Self::hold_news) for an example.
    pub fn release_news(&self) {
        self.ears.release();
    }

    /// Loses the news that was kept back, as a broken connection does, and tells of the [`Gap`](crate::News::Gap).
    ///
    /// ```
    /// use cache_store::{Store, testing::{ChaosStore, MemoryStore}};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.hold_news();
    /// store.lose_news();
    /// # });
    /// ```
    pub fn lose_news(&self) {
        self.ears.lose();
    }

    /// Tells news of one's own making.
    ///
    /// ```
    /// use cache_store::{News, testing::{ChaosStore, MemoryStore}};
    ///
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.tell(News::Rewound); // as after the failover to a replica
    /// ```
    pub fn tell(&self, news: News<'_>) {
        self.ears.hear(news);
    }

    /// Takes back everything: faults, alterations, random faults; every gate opens, and news is told.
    ///
    /// See [`random_faults`](Self::random_faults) for an example.
    pub fn calm(&self) {
        self.plan.clear();
        self.ears.release();
    }

    fn gate(&self, on: Option<Operation>, after_effect: bool) -> Gate {
        let barrier = Barrier::new(on, after_effect);
        self.plan.add_barrier(Arc::clone(&barrier));
        Gate::new(barrier)
    }

    fn altered(&self, key: &str, mut claimed: Claimed) -> Claimed {
        if let ClaimOutcome::Found { value, .. } = &mut claimed.outcome {
            let bytes = std::mem::take(value);
            *value = self.plan.alter(key, bytes).unwrap_or_default();
        }
        claimed
    }

    async fn wait(&self, operation: Operation, after_effect: bool) {
        for barrier in self.plan.barriers(operation, after_effect) {
            barrier.pass().await;
        }
    }

    fn run<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        call: impl FnOnce() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move {
            self.wait(operation, false).await;
            let struck = self.plan.strike(operation);
            if let Some(Effect::Late(by)) = struck {
                tokio::time::sleep(by).await;
            }
            let Some(Effect::Failure { kind, takes_effect, told_after }) = struck else {
                let reply = call().await;
                self.wait(operation, true).await;
                return reply;
            };
            if takes_effect {
                drop(call().await);
                self.wait(operation, true).await;
            }
            if !told_after.is_zero() {
                tokio::time::sleep(told_after).await;
            }
            Err(fault::error(kind, takes_effect, operation))
        })
    }
}

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

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async move {
            let asked = self
                .run(Operation::Health, || Box::pin(async move { Ok(self.inner.health().await) }));
            asked.await.unwrap_or_else(Health::down)
        })
    }
}
