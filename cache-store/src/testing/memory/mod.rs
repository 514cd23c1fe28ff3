mod changes;
mod index;
mod limits;
mod locks;
mod log;
mod losses;
mod sessions;
mod shelf;
#[cfg(test)]
mod tests;
mod tier;
mod topics;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::yield_now,
    time::{Instant, sleep_until},
};

pub use self::losses::Snapshot;
use self::{shelf::Deadline, tier::Tier};
use super::operation::{Calls, Counters, Operation};
use crate::{
    Begin, Begun, BoxFuture, Claim, Claimed, Error, ErrorKind, Feed, Fill, Finish, Health,
    Invalidation, Lease, Life, LimitAnswer, LimitCheck, Listener, Locked, News, Nonce, Query,
    Reading, Record, Result, SessionTier, Stamp, Store, Subscriber, Subscribers, TagPage, Topics,
};

/// A shared tier inside the process, for tests: the same steps as on a server, each of them atomic.
///
/// A clone is another handle on the same tier. [`connect`](Self::connect) gives a handle that counts its round trips
/// for itself, as another process would. Time is tokio's, so `tokio::time::pause` and `advance` govern every life,
/// lease and mark. Each step yields to the runtime once before and once after it takes effect, where a real store
/// waits for the network; dropping a future there cancels the request, or loses the reply.
///
/// ```
/// use std::time::Duration;
/// use cache_store::{testing::MemoryStore, Claim, ClaimOutcome, Fill, Invalidation, Life, Query, Store};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let one = MemoryStore::new();
/// let other = one.connect();
/// let life = Life::For(Duration::from_secs(60));
///
/// // One process misses and announces its load.
/// let claimed = one.claim(Claim {
///     key: "user:42", tags: &[], lease: None, refused: &[], known: None, tag_log: false, dependency_life: life,
/// }).await?;
/// let ClaimOutcome::Load(nonce) = claimed.outcome else { panic!("the tier was empty") };
///
/// // The other one invalidates while the load runs: the fill is refused.
/// other.invalidate(&Invalidation::Keys(vec!["user:42".into()])).await?;
/// let value = nonce.as_bytes();
/// let fill = Fill { key: "user:42", nonce, value, tags: &[], life, token: None, dependency_life: life, announced: false };
/// assert!(!one.fill(fill).await?);
/// assert_eq!(one.calls().round_trips(), 2);
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    own: Arc<Own>,
}

/// What one handle has for itself.
#[derive(Default)]
struct Own {
    counters: Counters,
    ears: Mutex<Option<Weak<dyn Listener>>>,
}

#[derive(Debug)]
struct Shared {
    tier: Mutex<Tier>,
    changed: Notify,
    limits: (usize, usize),
    /// Everybody who may listen.
    handles: Mutex<Vec<Weak<Own>>>,
    topics: Mutex<Subscribers>,
}

impl Own {
    fn tell(&self, news: News<'_>) {
        let listener = lock(&self.ears).as_ref().and_then(Weak::upgrade);
        if let Some(listener) = listener {
            listener.hear(news);
        }
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// How many records the pattern log keeps, unless [`with_logs`](Self::with_logs) says otherwise.
    ///
    /// ```
    /// assert_eq!(cache_store::testing::MemoryStore::PATTERN_LOG, 128);
    /// ```
    pub const PATTERN_LOG: usize = 128;

    /// How many records the tag log keeps, unless [`with_logs`](Self::with_logs) says otherwise.
    ///
    /// ```
    /// assert_eq!(cache_store::testing::MemoryStore::TAG_LOG, 1024);
    /// ```
    pub const TAG_LOG: usize = 1024;

    /// An empty tier.
    ///
    /// ```
    /// let store = cache_store::testing::MemoryStore::new();
    /// assert_eq!(store.calls().round_trips(), 0);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_logs(Self::PATTERN_LOG, Self::TAG_LOG)
    }

    /// An empty tier whose logs keep at most this many records, at least one: short ones make a test of a trimmed log
    /// short.
    ///
    /// ```
    /// use cache_store::{testing::MemoryStore, Invalidation, Store};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::with_logs(2, 2);
    /// for pattern in ["a*", "b*", "c*"] {
    ///     store.invalidate(&Invalidation::Pattern(pattern.into())).await?;
    /// }
    /// assert_eq!(store.patterns().await?.len(), 2);
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn with_logs(patterns: usize, tag_log: usize) -> Self {
        let shared = Shared {
            tier: Mutex::new(Tier::new(patterns, tag_log)),
            changed: Notify::new(),
            limits: (patterns, tag_log),
            handles: Mutex::default(),
            topics: Mutex::default(),
        };
        Self::of(Arc::new(shared))
    }

    /// A handle on the same tier with counters of its own, as another process has one.
    ///
    /// ```
    /// use cache_store::{testing::MemoryStore, Store};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let one = MemoryStore::new();
    /// let other = one.connect();
    /// assert_eq!(one.patterns().await?, other.patterns().await?);
    /// assert_eq!(other.calls().round_trips(), 1);
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn connect(&self) -> Self {
        Self::of(Arc::clone(&self.shared))
    }

    fn of(shared: Arc<Shared>) -> Self {
        let own = Arc::default();
        lock(&shared.handles).push(Arc::downgrade(&own));
        Self { shared, own }
    }

    /// What was asked through this handle and its clones so far.
    ///
    /// See [`Calls`] for an example.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.own.counters.now()
    }

    /// Loses everything at once, as `FLUSHALL` or a restart without data does.
    ///
    /// ```
    /// use cache_store::{testing::MemoryStore, Store};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// let before = store.patterns().await?;
    /// store.flush();
    /// assert_ne!(store.patterns().await?, before);
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn flush(&self) {
        let (patterns, tag_log) = self.shared.limits;
        let mut tier = lock(&self.shared.tier);
        *tier = Tier::new(patterns, tag_log);
        self.tell(News::Gap);
        drop(tier);
        self.shared.changed.notify_waiters();
    }

    /// Loses one key's value but not its dependency, as an eviction may.
    ///
    /// ```
    /// use cache_store::{testing::MemoryStore, Query, Store};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// store.evict("user:42");
    /// let query = Query { key: "user:42", tags: &[], pattern: true, life: false };
    /// assert!(store.read(query).await?.value.is_none());
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn evict(&self, key: &str) {
        self.step(|tier, _| tier.evict(key));
    }

    /// Loses the pattern log and the tag log but nothing else, as an eviction may.
    ///
    /// ```
    /// use cache_store::{testing::MemoryStore, Store};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// let before = store.patterns().await?;
    /// store.lose_logs();
    /// assert_ne!(store.patterns().await?, before);
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn lose_logs(&self) {
        self.step(|tier, _| tier.lose_logs());
    }

    fn step<T>(&self, step: impl FnOnce(&mut Tier, Instant) -> T) -> T {
        let mut tier = lock(&self.shared.tier);
        let out = step(&mut tier, Instant::now());
        // Before anybody else takes a step, so that news comes in the order of the changes.
        tier.take_news().iter().for_each(|change| self.tell(change.news()));
        drop(tier);
        self.shared.changed.notify_waiters();
        out
    }

    fn tell(&self, news: News<'_>) {
        lock(&self.shared.handles).retain(|handle| {
            let Some(handle) = handle.upgrade() else { return false };
            handle.tell(news);
            true
        });
    }

    fn round_trip<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        step: impl FnOnce(&mut Tier, Instant) -> T + Send + 'a,
    ) -> BoxFuture<'a, T> {
        Box::pin(async move {
            self.own.counters.count(operation);
            yield_now().await;
            let out = self.step(step);
            yield_now().await;
            out
        })
    }

    /// One step for each request, and one round trip for all of them.
    fn one_trip<'a, Q: Sync, T: Send + 'a>(
        &'a self,
        operation: Operation,
        requests: &'a [Q],
        step: impl Fn(&mut Tier, &Q, Instant) -> Result<T> + Send + 'a,
    ) -> BoxFuture<'a, Vec<Result<T>>> {
        self.round_trip(operation, move |tier, now| {
            requests.iter().map(|request| step(tier, request, now)).collect()
        })
    }

    /// Returns when there is no end to wait for any more, or the time is over.
    fn ended<'a>(
        &'a self,
        operation: Operation,
        at_most: Duration,
        end: impl Fn() -> Option<Option<Instant>> + Send + 'a,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.own.counters.count(operation);
            let give_up = Instant::now().checked_add(at_most);
            loop {
                // Listens before it looks, so that an end in between is heard.
                let changed = self.shared.changed.notified();
                let Some(until) = end() else { return };
                if give_up.is_some_and(|at| at <= Instant::now()) {
                    return;
                }
                tokio::select! {
                    () = changed => {}
                    () = until_instant(earlier(until, give_up)) => {}
                }
            }
        })
    }

    fn leased_until(&self, key: &str) -> Option<Option<Instant>> {
        let tier = lock(&self.shared.tier);
        tier.lease_until(key, Instant::now()).map(|until| until.instant())
    }
}

impl Store for MemoryStore {
    fn read<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Result<Reading>> {
        self.round_trip(Operation::Read, move |tier, now| Ok(tier.read(query, now)))
    }

    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Claimed>> {
        self.round_trip(Operation::Claim, move |tier, now| tier.claim(claim, now))
    }

    fn patterns(&self) -> BoxFuture<'_, Result<Vec<Record>>> {
        self.round_trip(Operation::Patterns, |tier, _| tier.open_patterns())
    }

    fn tag_nonces<'a>(&'a self, tags: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Nonce>>>> {
        self.round_trip(Operation::TagNonces, |tier, now| Ok(tier.tag_nonces(tags, now)))
    }

    fn stamp_tags<'a>(
        &'a self,
        captured: Nonce,
        tags: &'a [String],
        dependency_life: Life,
    ) -> BoxFuture<'a, Result<Option<Vec<Nonce>>>> {
        self.round_trip(Operation::StampTags, move |tier, now| {
            tier.stamp_tags(captured, tags, dependency_life, now)
        })
    }

    fn fill<'a>(&'a self, fill: Fill<'a>) -> BoxFuture<'a, Result<bool>> {
        self.round_trip(Operation::Fill, move |tier, now| Ok(tier.fill(fill, now)))
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        nonce: Nonce,
        lease: Lease,
    ) -> BoxFuture<'a, Result<bool>> {
        self.round_trip(Operation::Renew, move |tier, now| Ok(tier.renew(key, nonce, lease, now)))
    }

    fn release<'a>(
        &'a self,
        key: &'a str,
        nonce: Nonce,
        token: Nonce,
    ) -> BoxFuture<'a, Result<()>> {
        self.round_trip(Operation::Release, move |tier, now| {
            tier.give_back(key, nonce, token, now);
            Ok(())
        })
    }

    fn lease_ended<'a>(&'a self, key: &'a str, at_most: Duration) -> BoxFuture<'a, ()> {
        self.ended(Operation::LeaseEnded, at_most, || self.leased_until(key))
    }

    fn begin<'a>(&'a self, begin: Begin<'a>) -> BoxFuture<'a, Result<Begun>> {
        self.round_trip(Operation::Begin, move |tier, now| tier.begin(begin, now))
    }

    fn finish<'a>(&'a self, finish: Finish<'a>) -> BoxFuture<'a, Result<bool>> {
        self.round_trip(Operation::Finish, move |tier, now| tier.finish(finish, now))
    }

    fn tagged<'a>(&'a self, tag: &'a str, from: u64) -> BoxFuture<'a, Result<Option<TagPage>>> {
        self.round_trip(Operation::Tagged, move |tier, now| Ok(Some(tier.tagged(tag, from, now))))
    }

    fn invalidate<'a>(&'a self, what: &'a Invalidation) -> BoxFuture<'a, Result<()>> {
        self.round_trip(Operation::Invalidate, |tier, _| tier.invalidate(what))
    }

    fn begin_tags<'a>(
        &'a self,
        tags: &'a [String],
        token: Nonce,
        at_most: Duration,
    ) -> BoxFuture<'a, Result<()>> {
        self.round_trip(Operation::BeginTags, move |tier, now| {
            tier.begin_tags(tags, token, at_most, now)
        })
    }

    fn finish_tags<'a>(&'a self, tags: &'a [String], token: Nonce) -> BoxFuture<'a, Result<()>> {
        self.round_trip(Operation::FinishTags, move |tier, _| tier.finish_tags(tags, token))
    }

    fn read_many<'a>(&'a self, queries: &'a [Query<'a>]) -> BoxFuture<'a, Vec<Result<Reading>>> {
        self.one_trip(Operation::ReadMany, queries, |tier, query, now| Ok(tier.read(*query, now)))
    }

    fn claim_many<'a>(&'a self, claims: &'a [Claim<'a>]) -> BoxFuture<'a, Vec<Result<Claimed>>> {
        self.one_trip(Operation::ClaimMany, claims, |tier, claim, now| tier.claim(*claim, now))
    }

    fn stamp_many<'a>(
        &'a self,
        stamps: &'a [Stamp<'a>],
    ) -> BoxFuture<'a, Vec<Result<Option<Vec<Nonce>>>>> {
        self.one_trip(Operation::StampMany, stamps, |tier, stamp, now| {
            tier.stamp_tags(stamp.captured, stamp.tags, stamp.dependency_life, now)
        })
    }

    fn fill_many<'a>(&'a self, fills: &'a [Fill<'a>]) -> BoxFuture<'a, Vec<Result<bool>>> {
        self.one_trip(Operation::FillMany, fills, |tier, fill, now| Ok(tier.fill(*fill, now)))
    }

    fn begin_many<'a>(&'a self, begins: &'a [Begin<'a>]) -> BoxFuture<'a, Vec<Result<Begun>>> {
        self.one_trip(Operation::BeginMany, begins, |tier, begin, now| tier.begin(*begin, now))
    }

    fn finish_many<'a>(&'a self, finishes: &'a [Finish<'a>]) -> BoxFuture<'a, Vec<Result<bool>>> {
        self.one_trip(Operation::FinishMany, finishes, |tier, finish, now| {
            tier.finish(*finish, now)
        })
    }

    fn listen(&self, listener: Weak<dyn Listener>) -> bool {
        let tier = lock(&self.shared.tier);
        *lock(&self.own.ears) = Some(listener);
        self.own.tell(News::Gap);
        drop(tier);
        true
    }

    fn heartbeat(&self) -> BoxFuture<'_, Result<()>> {
        self.round_trip(Operation::Heartbeat, |_, _| match *lock(&self.own.ears) {
            Some(_) => Ok(()),
            None => Err(Error::new(ErrorKind::Unavailable, "nobody listens").during("heartbeat")),
        })
    }

    fn acquire_lock<'a>(&'a self, name: &'a str, lease: Lease) -> BoxFuture<'a, Result<Locked>> {
        self.round_trip(Operation::AcquireLock, move |tier, now| {
            Ok(tier.locks.acquire(name, lease, now))
        })
    }

    fn renew_lock<'a>(&'a self, name: &'a str, lease: Lease) -> BoxFuture<'a, Result<bool>> {
        self.round_trip(Operation::RenewLock, move |tier, now| {
            Ok(tier.locks.renew(name, lease, now))
        })
    }

    fn release_lock<'a>(&'a self, name: &'a str, token: Nonce) -> BoxFuture<'a, Result<bool>> {
        self.round_trip(Operation::ReleaseLock, move |tier, now| {
            Ok(tier.locks.release(name, token, now))
        })
    }

    fn lock_ended<'a>(&'a self, name: &'a str, at_most: Duration) -> BoxFuture<'a, ()> {
        self.ended(Operation::LockEnded, at_most, move || {
            let tier = lock(&self.shared.tier);
            tier.locks.held_until(name, Instant::now()).map(Deadline::instant)
        })
    }

    fn check_limit<'a>(&'a self, check: LimitCheck<'a>) -> BoxFuture<'a, Result<LimitAnswer>> {
        self.round_trip(Operation::CheckLimit, move |tier, now| Ok(tier.limits.check(&check, now)))
    }

    fn sessions(&self) -> Option<&dyn SessionTier> {
        Some(self)
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<u64>>> {
        // A step like the others, so that messages are handed over one after the other.
        self.round_trip(Operation::Publish, move |_, _| Ok(Some(self.hand_over(topic, message))))
    }

    fn subscribe<'a>(
        &'a self,
        topics: Topics<'a>,
        subscriber: Weak<dyn Subscriber>,
    ) -> BoxFuture<'a, Result<Feed>> {
        self.round_trip(Operation::Subscribe, move |_, _| Ok(self.enlist(topics, subscriber)))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        self.round_trip(Operation::Health, |_, _| Health::up(Duration::ZERO))
    }
}

/// What panicked under one of these locks left whole things behind, so a poisoned one is as good as any other.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

async fn until_instant(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
