//! The store itself: its life, and which step is where.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use cache_store::{
    Begin, Begun, BoxFuture, Claim, Claimed, ErrorKind, Feed, Fill, Finish, Health, Invalidation,
    Lease, Life, LimitAnswer, LimitCheck, Listener, Locked, Nonce, Query, Reading, Record, Result,
    SessionTier, SharedInfo, Stamp, Store, Subscriber, TagPage, Topics,
};

use crate::{
    bulkhead::Bulkhead,
    config::RedisConfig,
    dial::{Dialer, Purpose},
    lanes::Lanes,
    link::Link,
    names::Names,
    session::{Session, Teller},
    sweep::Sweeper,
    target::Target,
    topics::Subscriptions,
    wait::LeaseWatch,
    withdraw::Withdrawals,
};

/// A shared tier in Redis or Valkey: one server, Sentinel or a cluster.
///
/// One multiplexed connection carries all requests. To one server, reads have one more for each multi-threaded runtime they
/// come from (at most four), which its own workers drive; to each master there is one more when somebody
/// [listens](Store::listen), and one more to one server while there is a [subscription](Store::subscribe). While it is away
/// every operation fails at once with [`ErrorKind::Unavailable`], and the connection comes back by itself. Dropping the last
/// handle ends all background work.
///
/// The protocol's keys are described on the crate's [front page](crate). Users of `larder` write
/// `Cache::builder().redis(url)`; with settings that the builder does not have, they hand over a store:
///
/// ```no_run
/// # async fn example() -> cache_store::Result<()> {
/// use std::{sync::Arc, time::Duration};
/// use cache_redis::{RedisConfig, RedisStore};
///
/// let config = RedisConfig::new("redis://localhost:6379").prefix("shop:").log_records(2048);
/// let store = RedisStore::connect(config).await?;
/// // let cache = larder::Cache::builder().shared(store).build().await?;
/// # Ok(())
/// # }
/// ```
pub struct RedisStore {
    pub(crate) names: Names,
    pub(crate) link: Arc<Link>,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) watch: LeaseWatch,
    session: Session,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) sweeper: Option<Sweeper>,
    pub(crate) withdrawals: Withdrawals,
    pub(crate) log_records: usize,
    pub(crate) tag_index: usize,
}

impl RedisStore {
    /// Connects now, within a few times [`RedisConfig::connect_timeout`]. A server that cannot be reached is no error:
    /// the store starts without it and gets it when it comes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a malformed setting, [`ErrorKind::Unauthorized`] when the server refuses the
    /// credentials, the user's rights or the TLS handshake.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the connection up.
    ///
    /// ```no_run
    /// # async fn example() -> cache_store::Result<()> {
    /// use cache_redis::{RedisConfig, RedisStore};
    /// use cache_store::Store as _;
    ///
    /// let store = RedisStore::connect(RedisConfig::new("redis://localhost:6379")).await?;
    /// assert!(store.health().await.reachable);
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect(config: RedisConfig) -> BoxFuture<'static, Result<Arc<Self>>> {
        Box::pin(async move {
            let store = Self::lazy(config)?;
            match store.link.first_attempt().await {
                Err(cause) if is_a_mistake(cause.kind()) => Err(cause.during("connect")),
                Ok(()) | Err(_) => Ok(store),
            }
        })
    }

    /// Connects in the background when it is first used; that first operation waits for the connection, at most its
    /// deadline.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a malformed setting, or when there is no runtime.
    ///
    /// ```
    /// use cache_redis::{RedisConfig, RedisStore};
    ///
    /// let runtime = tokio::runtime::Runtime::new()?;
    /// let config = RedisConfig::new("redis://localhost:6379").runtime(runtime.handle().clone());
    /// let store = RedisStore::lazy(config)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lazy(config: RedisConfig) -> Result<Arc<Self>> {
        let names = Names::new(&config.prefix)?;
        let target = Target::parse(&config)?;
        let runtime = config.handle()?;
        let teller = Arc::new(Teller::new(names.clone()));
        let one_server = !matches!(target, Target::Cluster(_));
        let told = one_server.then(|| Arc::clone(&teller));
        let home = dialer(&config, target.clone(), Purpose::Data(names.clone(), told));
        let lane = Dialer { purpose: Purpose::Data(names.clone(), None), ..home.clone() };
        let bulkhead = Arc::new(Bulkhead::new(config.max_requests, config.max_request_bytes));
        let deadline = config.deadline;
        let lanes = Lanes::open(names.clone(), runtime.clone(), move |runtime, ties| {
            let dialer = if ties.leader.is_some() { &lane } else { &home };
            Link::bounded(dialer.clone(), deadline, runtime, Arc::clone(&bulkhead), ties)
        });
        let link = Arc::clone(lanes.home());
        let watch = LeaseWatch::new(
            dialer(&config, target.clone(), Purpose::Watch),
            config.deadline,
            runtime.clone(),
            Arc::clone(&link),
        );
        let subscriptions = Subscriptions::new(
            names.clone(),
            dialer(&config, target.clone(), Purpose::Subscribe),
            config.deadline,
            runtime.clone(),
        );
        let session =
            Session::new(teller, Arc::clone(&link), config.deadline, runtime, |purpose| {
                dialer(&config, target, purpose)
            });
        let sweeper = config.sweep.then(|| Sweeper::new(Arc::clone(&link), names.clone()));
        let withdrawals = Withdrawals::new(Arc::clone(&link));
        let RedisConfig { log_records, tag_index, .. } = config;
        Ok(Arc::new(Self {
            lanes,
            names,
            link,
            watch,
            session,
            subscriptions,
            sweeper,
            withdrawals,
            log_records,
            tag_index,
        }))
    }
}

fn dialer(config: &RedisConfig, target: Target, purpose: Purpose) -> Dialer {
    Dialer {
        target,
        purpose,
        connect_timeout: config.connect_timeout,
        #[cfg(all(feature = "cluster", feature = "tls"))]
        certificates: crate::tls::certificates(config),
    }
}

/// What waiting does not cure: somebody has to change a setting.
const fn is_a_mistake(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unauthorized | ErrorKind::Config)
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.link.close();
        self.lanes.close();
        self.watch.close();
        self.session.close();
        self.subscriptions.close();
        self.withdrawals.close();
        if let Some(sweeper) = &self.sweeper {
            sweeper.close();
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("link", &self.link).finish_non_exhaustive()
    }
}

impl Store for RedisStore {
    fn read<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Result<Reading>> {
        if self.link.is_one_server() {
            return self.lanes.read(query);
        }
        Box::pin(async move { self.read_value(query).await.map_err(|cause| cause.during("read")) })
    }

    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Claimed>> {
        Box::pin(async move { self.claim_load(claim).await.map_err(|cause| cause.during("claim")) })
    }

    fn patterns(&self) -> BoxFuture<'_, Result<Vec<Record>>> {
        Box::pin(
            async move { self.open_patterns().await.map_err(|cause| cause.during("patterns")) },
        )
    }

    fn tag_nonces<'a>(&'a self, tags: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Nonce>>>> {
        Box::pin(
            async move { self.read_tags(tags).await.map_err(|cause| cause.during("tag_nonces")) },
        )
    }

    fn stamp_tags<'a>(
        &'a self,
        captured: Nonce,
        tags: &'a [String],
        dependency_life: Life,
    ) -> BoxFuture<'a, Result<Option<Vec<Nonce>>>> {
        Box::pin(async move {
            let stamped = self.stamp(captured, tags, dependency_life).await;
            stamped.map_err(|cause| cause.during("stamp_tags"))
        })
    }

    fn fill<'a>(&'a self, fill: Fill<'a>) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move { self.store_value(fill).await.map_err(|cause| cause.during("fill")) })
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        nonce: Nonce,
        lease: Lease,
    ) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            self.prolong(key, nonce, lease).await.map_err(|cause| cause.during("renew"))
        })
    }

    fn release<'a>(
        &'a self,
        key: &'a str,
        nonce: Nonce,
        token: Nonce,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.give_back(key, nonce, token).await.map_err(|cause| cause.during("release"))
        })
    }

    fn lease_ended<'a>(&'a self, key: &'a str, at_most: Duration) -> BoxFuture<'a, ()> {
        let (lease, dependency) = (self.names.lease(key), self.names.dependency(key));
        Box::pin(async move {
            // Past this time the caller looks for itself, whatever is known here.
            let _ = tokio::time::timeout(at_most, self.watch.ended(&lease, &dependency)).await;
        })
    }

    fn begin<'a>(&'a self, begin: Begin<'a>) -> BoxFuture<'a, Result<Begun>> {
        Box::pin(
            async move { self.begin_write(begin).await.map_err(|cause| cause.during("begin")) },
        )
    }

    fn finish<'a>(&'a self, finish: Finish<'a>) -> BoxFuture<'a, Result<bool>> {
        Box::pin(
            async move { self.finish_write(finish).await.map_err(|cause| cause.during("finish")) },
        )
    }

    fn tagged<'a>(&'a self, tag: &'a str, from: u64) -> BoxFuture<'a, Result<Option<TagPage>>> {
        Box::pin(async move {
            self.find_tagged(tag, from).await.map_err(|cause| cause.during("tagged"))
        })
    }

    fn invalidate<'a>(&'a self, what: &'a Invalidation) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.invalidate_now(what).await.map_err(|cause| cause.during("invalidate"))
        })
    }

    fn begin_tags<'a>(
        &'a self,
        tags: &'a [String],
        token: Nonce,
        at_most: Duration,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let begun = self.begin_change(tags, token, at_most).await;
            begun.map_err(|cause| cause.during("begin_tags"))
        })
    }

    fn finish_tags<'a>(&'a self, tags: &'a [String], token: Nonce) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.finish_change(tags, token).await.map_err(|cause| cause.during("finish_tags"))
        })
    }

    fn listen(&self, listener: Weak<dyn Listener>) -> bool {
        self.session.listen(listener)
    }

    fn heartbeat(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            self.session.heartbeat().await.map_err(|cause| cause.during("heartbeat"))
        })
    }

    fn read_many<'a>(&'a self, queries: &'a [Query<'a>]) -> BoxFuture<'a, Vec<Result<Reading>>> {
        Box::pin(async move { each_during("read", self.read_values(queries).await) })
    }

    fn claim_many<'a>(&'a self, claims: &'a [Claim<'a>]) -> BoxFuture<'a, Vec<Result<Claimed>>> {
        Box::pin(async move { each_during("claim", self.claim_loads(claims).await) })
    }

    fn stamp_many<'a>(
        &'a self,
        stamps: &'a [Stamp<'a>],
    ) -> BoxFuture<'a, Vec<Result<Option<Vec<Nonce>>>>> {
        Box::pin(async move { each_during("stamp_tags", self.stamp_values(stamps).await) })
    }

    fn fill_many<'a>(&'a self, fills: &'a [Fill<'a>]) -> BoxFuture<'a, Vec<Result<bool>>> {
        Box::pin(async move { each_during("fill", self.store_values(fills).await) })
    }

    fn begin_many<'a>(&'a self, begins: &'a [Begin<'a>]) -> BoxFuture<'a, Vec<Result<Begun>>> {
        Box::pin(async move { each_during("begin", self.begin_writes(begins).await) })
    }

    fn finish_many<'a>(&'a self, finishes: &'a [Finish<'a>]) -> BoxFuture<'a, Vec<Result<bool>>> {
        Box::pin(async move { each_during("finish", self.finish_writes(finishes).await) })
    }

    fn acquire_lock<'a>(&'a self, name: &'a str, lease: Lease) -> BoxFuture<'a, Result<Locked>> {
        Box::pin(async move {
            self.take_lock(name, lease).await.map_err(|cause| cause.during("acquire_lock"))
        })
    }

    fn renew_lock<'a>(&'a self, name: &'a str, lease: Lease) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            self.prolong_lock(name, lease).await.map_err(|cause| cause.during("renew_lock"))
        })
    }

    fn release_lock<'a>(&'a self, name: &'a str, token: Nonce) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            self.drop_lock(name, token).await.map_err(|cause| cause.during("release_lock"))
        })
    }

    fn lock_ended<'a>(&'a self, name: &'a str, at_most: Duration) -> BoxFuture<'a, ()> {
        let lock = self.names.lock(name);
        Box::pin(async move {
            // Past this time the caller tries for itself, whatever is known here.
            let _ = tokio::time::timeout(at_most, self.watch.lock_ended(&lock)).await;
        })
    }

    fn check_limit<'a>(&'a self, check: LimitCheck<'a>) -> BoxFuture<'a, Result<LimitAnswer>> {
        Box::pin(async move {
            self.count_call(check).await.map_err(|cause| cause.during("check_limit"))
        })
    }

    fn sessions(&self) -> Option<&dyn SessionTier> {
        Some(self)
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(async move {
            self.publish_message(topic, message).await.map_err(|cause| cause.during("publish"))
        })
    }

    fn subscribe<'a>(
        &'a self,
        topics: Topics<'a>,
        subscriber: Weak<dyn Subscriber>,
    ) -> BoxFuture<'a, Result<Feed>> {
        Box::pin(async move {
            let subscribed = self.subscribe_to(topics, subscriber).await;
            subscribed.map_err(|cause| cause.during("subscribe"))
        })
    }

    fn info(&self) -> BoxFuture<'_, Result<SharedInfo>> {
        Box::pin(async move { self.ask_info().await.map_err(|cause| cause.during("info")) })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(self.ping())
    }
}

fn each_during<T>(operation: &'static str, answers: Vec<Result<T>>) -> Vec<Result<T>> {
    let named = |answer: Result<T>| answer.map_err(|cause| cause.during(operation));
    answers.into_iter().map(named).collect()
}
