mod damage;
mod ears;
mod fault;
mod gate;
mod keys;
mod plan;
mod sessions;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::{damage::Damage, ears::Ears, fault::Effect, gate::Barrier, plan::Plan};
pub use self::{fault::Fault, gate::Gate};
use crate::{
    BoxFuture, ClaimOutcome, Claimed, ErrorKind, Listener, News, Result, Store, testing::Operation,
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
