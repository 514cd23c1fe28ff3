use std::{fmt, future::Future, pin::Pin, sync::Weak, time::Duration};

use crate::{
    Begin, Begun, Claim, Claimed, Error, ErrorKind, Feed, Fill, Finish, Health, Invalidation,
    Lease, LimitAnswer, LimitCheck, Listener, Locked, Nonce, Query, Reading, Record, Result,
    SessionTier, SharedInfo, Stamp, Subscriber, TagPage, Topics,
};

/// A boxed future that can move between threads.
///
/// ```
/// use cache_store::BoxFuture;
///
/// fn later(value: u64) -> BoxFuture<'static, u64> {
///     Box::pin(async move { value })
/// }
/// # drop(later(1));
/// ```
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A shared tier: the steps of the coherence protocol over one namespace of keys.
///
/// Every method bounds its own time and fails rather than hang: callers have no deadline of their own. A store that
/// knows that its server is away answers at once with [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable).
///
/// # Cancel safety
///
/// Every future may be dropped at any await. A request that was already sent may still take effect; each step is safe
/// to take effect late, because what it stores is valid only under nonces that are still current.
///
/// # Errors
///
/// Every method but [`lease_ended`](Self::lease_ended), [`lock_ended`](Self::lock_ended) and [`health`](Self::health) fails with
/// [`Unavailable`](crate::ErrorKind::Unavailable), [`Timeout`](crate::ErrorKind::Timeout) or
/// [`Refused`](crate::ErrorKind::Refused) when the tier cannot do it now, with
/// [`Unauthorized`](crate::ErrorKind::Unauthorized) when it may not, and with [`Protocol`](crate::ErrorKind::Protocol) when
/// the reply makes no sense. After an error the request may have taken effect or not.
///
/// # Examples
///
/// Most stores of one's own wrap another. This one waits for nobody's lease; a whole store from scratch is
/// [`MemoryStore`](crate::testing::MemoryStore). Either has to pass
/// [`conformance_tests!`](crate::conformance_tests).
///
/// ```
/// use std::time::Duration;
/// use cache_store::{*, testing::MemoryStore};
///
/// #[derive(Debug)]
/// struct Impatient(MemoryStore);
///
/// impl Store for Impatient {
///     fn lease_ended<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, ()> {
///         Box::pin(async {})
///     }
///     // Everything else is passed on.
///     fn read<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Result<Reading>> {
///         self.0.read(query)
///     }
///     // …
/// #   fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Claimed>> { self.0.claim(claim) }
/// #   fn patterns(&self) -> BoxFuture<'_, Result<Vec<Record>>> { self.0.patterns() }
/// #   fn tag_nonces<'a>(&'a self, tags: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Nonce>>>> { self.0.tag_nonces(tags) }
/// #   fn stamp_tags<'a>(&'a self, captured: Nonce, tags: &'a [String], life: Life) -> BoxFuture<'a, Result<Option<Vec<Nonce>>>> { self.0.stamp_tags(captured, tags, life) }
/// #   fn fill<'a>(&'a self, fill: Fill<'a>) -> BoxFuture<'a, Result<bool>> { self.0.fill(fill) }
/// #   fn renew<'a>(&'a self, key: &'a str, nonce: Nonce, lease: Lease) -> BoxFuture<'a, Result<bool>> { self.0.renew(key, nonce, lease) }
/// #   fn release<'a>(&'a self, key: &'a str, nonce: Nonce, token: Nonce) -> BoxFuture<'a, Result<()>> { self.0.release(key, nonce, token) }
/// #   fn begin<'a>(&'a self, begin: Begin<'a>) -> BoxFuture<'a, Result<Begun>> { self.0.begin(begin) }
/// #   fn finish<'a>(&'a self, finish: Finish<'a>) -> BoxFuture<'a, Result<bool>> { self.0.finish(finish) }
/// #   fn invalidate<'a>(&'a self, what: &'a Invalidation) -> BoxFuture<'a, Result<()>> { self.0.invalidate(what) }
/// #   fn health(&self) -> BoxFuture<'_, Health> { self.0.health() }
/// }
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let store = Impatient(MemoryStore::new());
/// store.lease_ended("user:42", Duration::from_secs(60)).await; // at once
/// assert!(store.health().await.reachable);
/// # });
/// ```
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Looks up a value and its dependencies. One round trip; no script. An example is at [`Query`].
    fn read<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Result<Reading>>;

    /// Announces a load: gives the nonces that the entry will carry, making those that do not exist, and the lease where
    /// one is asked for. One round trip. An example is at [`Claim`].
    ///
    /// # Cancel safety
    ///
    /// Whoever drops this, or gets an error, does not know whether he has the lease, and does not give it back. A store that
    /// may have given it takes it back itself, as soon as it can.
    fn claim<'a>(&'a self, claim: Claim<'a>) -> BoxFuture<'a, Result<Claimed>>;

    /// The pattern log, oldest record first; opened when there is none, so never empty. An example is at [`Record`].
    fn patterns(&self) -> BoxFuture<'_, Result<Vec<Record>>>;

    /// The nonces of tags now, in their order; `None` for a tag that has none. Makes none.
    ///
    /// ```
    /// use cache_store::{Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// assert_eq!(MemoryStore::new().tag_nonces(&["user".into()]).await?, [None]);
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    fn tag_nonces<'a>(&'a self, tags: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Nonce>>>>;

    /// The nonces of tags that were learned from a value, or `None` when one of them may have been invalidated since the
    /// tag log stood at `captured` (see [`Claimed::tag_log`]). Makes those that do not exist.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{Claim, Life, Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// let dependency_life = Life::For(Duration::from_secs(600));
    /// let claimed = store.claim(Claim {
    ///     key: "user:42", tags: &[], lease: None, refused: &[], known: None, tag_log: true, dependency_life,
    /// }).await?;
    /// let captured = claimed.tag_log.expect("it was asked for");
    /// // … the load shows the tag …
    /// let stamped = store.stamp_tags(captured, &["tenant:7".into()], dependency_life).await?;
    /// assert_eq!(stamped.map(|nonces| nonces.len()), Some(1));
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    fn stamp_tags<'a>(
        &'a self,
        captured: Nonce,
        tags: &'a [String],
        dependency_life: crate::Life,
    ) -> BoxFuture<'a, Result<Option<Vec<Nonce>>>>;

    /// Stores a loaded value; `false`, and no effect, when it was fenced off: the key was invalidated since the claim, or
    /// the lease was lost. Gives the lease back. An example is at [`Fill`].
    fn fill<'a>(&'a self, fill: Fill<'a>) -> BoxFuture<'a, Result<bool>>;

    /// Prolongs a lease; `false` when it is lost.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{Lease, Nonce, Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let lease = Lease { token: Nonce::random()?, life: Duration::from_secs(30) };
    /// assert!(!MemoryStore::new().renew("stats", Nonce::random()?, lease).await?); // nobody has it
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    fn renew<'a>(&'a self, key: &'a str, nonce: Nonce, lease: Lease)
    -> BoxFuture<'a, Result<bool>>;

    /// Gives a lease back without storing anything.
    ///
    /// A lease that another one holds meanwhile stays.
    ///
    /// ```
    /// use cache_store::{Nonce, Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// MemoryStore::new().release("stats", Nonce::random()?, Nonce::random()?).await?;
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    fn release<'a>(&'a self, key: &'a str, nonce: Nonce, token: Nonce)
    -> BoxFuture<'a, Result<()>>;

    /// Returns when the key's lease has ended (its holder stored, gave up or died), at the latest after `at_most`.
    ///
    /// May return early; whoever waited claims again. An example is at [`Store`].
    fn lease_ended<'a>(&'a self, key: &'a str, at_most: Duration) -> BoxFuture<'a, ()>;

    /// Announces a write: what is stored under the key ends, and until [`finish`](Self::finish) nothing else is stored. An
    /// example is at [`Begin`].
    ///
    /// A caller without an answer in time [finishes](Self::finish) all the same: see [`Begun::unanswered`]. A request that the
    /// way repeats, with one token, is one write.
    fn begin<'a>(&'a self, begin: Begin<'a>) -> BoxFuture<'a, Result<Begun>>;

    /// Ends a write; `true` when its value was stored, `false` when the key was invalidated instead. An example is at
    /// [`Begin`].
    fn finish<'a>(&'a self, finish: Finish<'a>) -> BoxFuture<'a, Result<bool>>;

    /// The keys that were stored with a tag whose nonce is still the current one, and whose time is not over, as far as
    /// the store has kept count: a page of them, the first one from 0 on. `None` for a store that keeps no count. One
    /// round trip.
    ///
    /// An index beside the protocol: nothing rests on it. It may know too few keys, when it is bounded or lost a part, and
    /// too many, for a value may have been evicted, overwritten, or invalidated by its key or a pattern.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{Claim, ClaimOutcome, Fill, Life, Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// let (life, dependency_life) = (Life::For(Duration::from_secs(60)), Life::For(Duration::from_secs(120)));
    /// let claimed = store.claim(Claim {
    ///     key: "user:42", tags: &["user".into()], lease: None, refused: &[], known: None, tag_log: false, dependency_life,
    /// }).await?;
    /// let ClaimOutcome::Load(nonce) = claimed.outcome else { panic!("it is empty") };
    /// let tags = &[("user", claimed.tag_nonces[0])];
    /// let value = nonce.as_bytes();
    /// let fill = Fill { key: "user:42", nonce, value, tags, life, token: None, dependency_life, announced: false };
    /// store.fill(fill).await?;
    ///
    /// let page = store.tagged("user", 0).await?.expect("this store has an index");
    /// assert_eq!((page.keys, page.next), (vec!["user:42".to_owned()], None));
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    fn tagged<'a>(&'a self, tag: &'a str, from: u64) -> BoxFuture<'a, Result<Option<TagPage>>> {
        let _ = (tag, from);
        Box::pin(async { Ok(None) })
    }

    /// Invalidates. Safe to repeat. An example is at [`Invalidation`].
    fn invalidate<'a>(&'a self, what: &'a Invalidation) -> BoxFuture<'a, Result<()>>;

    /// Announces a change of tags: they are invalid from here on, and nothing that bears one of them and was loaded before
    /// [`finish_tags`](Self::finish_tags) is stored. For who changes the source of truth and may die before it can invalidate.
    /// One round trip; lists of hundreds go in pieces.
    ///
    /// Until it ends, a [`claim`](Self::claim) that names one of the tags answers [`Writing`](crate::ClaimOutcome::Writing), a
    /// write that begins with one is not [`alone`](Begun::alone), and both say in `changing` what their caller must not store
    /// should the value turn out to bear it. What is asked for is the answer at the claim, which is before the load: whoever
    /// stores later, stores what was loaded when no change was announced, or is refused by a nonce or by the tag log. So
    /// the end needs no trace, and a change that ends by itself after `at_most`, by the time of the shared tier, leaves none.
    ///
    /// `token` names this change, and no other ever has the same; several may be at one tag, and each ends alone. Invalidating
    /// the tag meanwhile ends none of them. Safe to repeat. An error says nothing about whether it was announced: whoever
    /// asked for it calls `finish_tags` in any case. What is announced and lost (an eviction, a flush) is as if it had
    /// not been. A store that leaves this out invalidates, which is right for as long as its caller lives.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{Claim, ClaimOutcome, Life, Nonce, Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let (store, tags) = (MemoryStore::new(), ["table:users".to_owned()]);
    /// let claim = || store.claim(Claim {
    ///     key: "users:1", tags: &tags, lease: None, refused: &[], known: None, tag_log: false,
    ///     dependency_life: Life::Forever,
    /// });
    /// let token = Nonce::random()?;
    /// store.begin_tags(&tags, token, Duration::from_secs(30)).await?;
    /// assert_eq!(claim().await?.outcome, ClaimOutcome::Writing);
    /// store.finish_tags(&tags, token).await?;
    /// assert!(matches!(claim().await?.outcome, ClaimOutcome::Load(_)));
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    fn begin_tags<'a>(
        &'a self,
        tags: &'a [String],
        token: Nonce,
        at_most: Duration,
    ) -> BoxFuture<'a, Result<()>> {
        let _ = (token, at_most);
        Box::pin(async move { self.invalidate(&Invalidation::Tags(tags.to_vec())).await })
    }

    /// Ends a change of tags, which invalidates them. Safe to repeat, also where nothing was announced. When it fails, a store
    /// that may still have the announcement takes it back itself, as soon as it can. An example is at
    /// [`begin_tags`](Self::begin_tags).
    fn finish_tags<'a>(&'a self, tags: &'a [String], token: Nonce) -> BoxFuture<'a, Result<()>> {
        let _ = token;
        Box::pin(async move { self.invalidate(&Invalidation::Tags(tags.to_vec())).await })
    }

    /// [`read`](Self::read) for many keys: one round trip, or a few side by side where keys live on several servers.
    ///
    /// Answers stand in the order of the queries, one for each; a server that fails takes only its own keys along. A store
    /// may cut a long list into pieces that follow each other. The same holds for the other steps whose name ends so. What
    /// is here without being implemented asks one after the other.
    ///
    /// ```
    /// use cache_store::{Query, Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// let query = |key| Query { key, tags: &[], pattern: true, life: false };
    /// let readings = store.read_many(&[query("user:1"), query("user:2")]).await;
    /// assert!(readings.len() == 2 && readings.iter().all(Result::is_ok));
    /// assert_eq!(store.calls().round_trips(), 1);
    /// # });
    /// ```
    fn read_many<'a>(&'a self, queries: &'a [Query<'a>]) -> BoxFuture<'a, Vec<Result<Reading>>> {
        one_by_one(queries, |query| self.read(*query))
    }

    /// [`claim`](Self::claim) for many keys, as [`read_many`](Self::read_many) is for reads.
    ///
    /// [`Claimed::patterns`] is the whole log only beside an outcome that needs it,
    /// [`Found`](crate::ClaimOutcome::Found); elsewhere it may be cut down to its newest record.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{Claim, ClaimOutcome, Life, Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// let claim = |key| Claim {
    ///     key, tags: &[], lease: None, refused: &[], known: None, tag_log: false,
    ///     dependency_life: Life::For(Duration::from_secs(600)),
    /// };
    /// for claimed in store.claim_many(&[claim("user:1"), claim("user:2")]).await {
    ///     assert!(matches!(claimed?.outcome, ClaimOutcome::Load(_)));
    /// }
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    fn claim_many<'a>(&'a self, claims: &'a [Claim<'a>]) -> BoxFuture<'a, Vec<Result<Claimed>>> {
        one_by_one(claims, |claim| self.claim(*claim))
    }

    /// [`stamp_tags`](Self::stamp_tags) for many values, as [`read_many`](Self::read_many) is for reads: a tag that was
    /// invalidated refuses the values that bear it and no others. An example is at [`Stamp`].
    fn stamp_many<'a>(
        &'a self,
        stamps: &'a [Stamp<'a>],
    ) -> BoxFuture<'a, Vec<Result<Option<Vec<Nonce>>>>> {
        one_by_one(stamps, |stamp| {
            self.stamp_tags(stamp.captured, stamp.tags, stamp.dependency_life)
        })
    }

    /// [`fill`](Self::fill) for many values, as [`read_many`](Self::read_many) is for reads: each is fenced off alone.
    ///
    /// ```
    /// use cache_store::{Fill, Life, Nonce, Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let (nonce, life) = (Nonce::random()?, Life::Forever);
    /// let value = nonce.as_bytes();
    /// let fill = Fill { key: "user:1", nonce, value, tags: &[], life, token: None, dependency_life: life, announced: false };
    /// let stored = MemoryStore::new().fill_many(&[fill]).await;
    /// assert!(!stored[0].as_ref().unwrap()); // it was never claimed
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    fn fill_many<'a>(&'a self, fills: &'a [Fill<'a>]) -> BoxFuture<'a, Vec<Result<bool>>> {
        one_by_one(fills, |fill| self.fill(*fill))
    }

    /// [`begin`](Self::begin) for many keys, as [`read_many`](Self::read_many) is for reads. No two of them may be of one
    /// key: the second write would find the first one at work.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{Begin, Finish, Life, Nonce, Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let (store, life) = (MemoryStore::new(), Life::For(Duration::from_secs(60)));
    /// let begin = Begin {
    ///     key: "user:1", token: Nonce::random()?, tags: &[], tag_log: false, at_most: Duration::from_secs(30),
    ///     dependency_life: life,
    /// };
    /// for begun in store.begin_many(&[begin]).await {
    ///     let begun = &begun?;
    ///     let finish = Finish {
    ///         key: "user:1", begun, value: Some(b"Ada"), tags: &[], life, dependency_life: life,
    ///     };
    ///     assert!(matches!(store.finish_many(&[finish]).await[..], [Ok(true)]));
    /// }
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    fn begin_many<'a>(&'a self, begins: &'a [Begin<'a>]) -> BoxFuture<'a, Vec<Result<Begun>>> {
        one_by_one(begins, |begin| self.begin(*begin))
    }

    /// [`finish`](Self::finish) for many writes, as [`read_many`](Self::read_many) is for reads. An example is at
    /// [`begin_many`](Self::begin_many).
    fn finish_many<'a>(&'a self, finishes: &'a [Finish<'a>]) -> BoxFuture<'a, Vec<Result<bool>>> {
        one_by_one(finishes, |finish| self.finish(*finish))
    }

    /// Has a listener told of every change in the tier from now on, whoever makes it, this handle included; beginning with a
    /// [`Gap`](crate::News::Gap). A listener that is gone is told nothing.
    ///
    /// `false`, and no effect, for a store that cannot: then memory tiers hold what they read only for the coherence bound.
    /// One store tells one listener; a second one takes the place of the first. An example is at [`Listener`].
    fn listen(&self, listener: Weak<dyn Listener>) -> bool {
        let _ = listener;
        false
    }

    /// `Ok` when the listener has been told of every change that was made before this was called.
    ///
    /// This is what lets a memory tier serve for a time without asking: it knows that at the moment of the call it knew
    /// everything. One round trip, to every server that may make changes. An example is at [`Listener`].
    ///
    /// # Errors
    ///
    /// As for every step; and always where [`listen`](Self::listen) answers `false`.
    fn heartbeat(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            Err(Error::new(ErrorKind::Unavailable, "this store tells no news").during("heartbeat"))
        })
    }

    /// Takes a lock that nobody has, for [`Lease::life`]. One round trip.
    ///
    /// Locks are the application's own: they have names, which no key meets, and nothing that is invalidated or cleared
    /// touches them. A lock is compared by [`Lease::token`], which names one acquisition; the same token again prolongs
    /// the lock that it has and gives the same fencing token.
    ///
    /// A store that has no locks leaves these four methods out.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{Lease, Locked, Nonce, Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// let lease = || Ok::<_, cache_store::Error>(Lease { token: Nonce::random()?, life: Duration::from_secs(30) });
    /// let (mine, theirs) = (lease()?, lease()?);
    /// let Locked::Acquired(first) = store.acquire_lock("import", mine).await? else { panic!("it was free") };
    /// assert!(matches!(store.acquire_lock("import", theirs).await?, Locked::Held(_)));
    /// assert!(store.renew_lock("import", mine).await?);
    /// assert!(store.release_lock("import", mine.token).await?);
    /// let Locked::Acquired(second) = store.acquire_lock("import", theirs).await? else { panic!("it is free") };
    /// assert!(second > first);
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As for every step, and [`Unsupported`](crate::ErrorKind::Unsupported) where there are no locks. After any other
    /// error the lock may have been taken, and whoever asked [releases](Self::release_lock) it.
    fn acquire_lock<'a>(&'a self, name: &'a str, lease: Lease) -> BoxFuture<'a, Result<Locked>> {
        let _ = (name, lease);
        without_locks("acquire_lock")
    }

    /// Has a lock live for [`Lease::life`] from now on; `false` when another acquisition has it or none. An example is at
    /// [`acquire_lock`](Self::acquire_lock).
    fn renew_lock<'a>(&'a self, name: &'a str, lease: Lease) -> BoxFuture<'a, Result<bool>> {
        let _ = (name, lease);
        without_locks("renew_lock")
    }

    /// Lets go of a lock; `false`, and no effect, when another acquisition has it or none. An example is at
    /// [`acquire_lock`](Self::acquire_lock).
    fn release_lock<'a>(&'a self, name: &'a str, token: Nonce) -> BoxFuture<'a, Result<bool>> {
        let _ = (name, token);
        without_locks("release_lock")
    }

    /// Returns when the lock has been let go of or its time was over, at the latest after `at_most`.
    ///
    /// May return early; whoever waited tries again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{Store, testing::MemoryStore};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// MemoryStore::new().lock_ended("import", Duration::from_secs(60)).await; // at once: nobody has it
    /// # });
    /// ```
    fn lock_ended<'a>(&'a self, name: &'a str, at_most: Duration) -> BoxFuture<'a, ()> {
        let _ = (name, at_most);
        Box::pin(async {})
    }

    /// Counts a call against a limit if there is room for it, by the server's clock, in one step with all others who ask at
    /// the same time. One round trip. An example is at [`LimitCheck`].
    ///
    /// Counts are no entries: no key and no lock meets their names, and nothing that is invalidated or cleared touches them.
    /// A store that has no limits leaves this out.
    ///
    /// # Errors
    ///
    /// As for every step, and [`Unsupported`](crate::ErrorKind::Unsupported) where there are no limits. After any other
    /// error the call may have been counted.
    fn check_limit<'a>(&'a self, check: LimitCheck<'a>) -> BoxFuture<'a, Result<LimitAnswer>> {
        let _ = check;
        Box::pin(async {
            let message = "this store has no rate limits; use one that implements `check_limit`";
            Err(Error::new(ErrorKind::Unsupported, message).during("check_limit"))
        })
    }

    /// The sessions in this store; `None` for a store that has none. An example is at [`SessionTier`].
    fn sessions(&self) -> Option<&dyn SessionTier> {
        None
    }

    /// Publishes a message to those who are subscribed to its topic at this moment. One round trip. An example is at
    /// [`Subscriber`].
    ///
    /// How many it was handed to, where the store knows: a process whose subscriptions share a connection may count once.
    ///
    /// Messages are not kept: a topic is no entry, no key meets its name, and nothing that is invalidated or cleared touches
    /// it. A store that has no topics leaves both methods out.
    ///
    /// # Errors
    ///
    /// As for every step, and [`Unsupported`](crate::ErrorKind::Unsupported) where there are no topics. After any other
    /// error the message may have been published.
    fn publish<'a>(
        &'a self,
        topic: &'a str,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<u64>>> {
        let _ = (topic, message);
        without_topics("publish")
    }

    /// Subscribes: every message of these topics whose [`publish`](Self::publish) begins after this has returned is handed
    /// over, until the [`Feed`] is dropped, or the connection is lost. It comes back by itself, and then there is a
    /// [`Gap`](crate::Delivery::Gap). An example is at [`Subscriber`].
    ///
    /// A subscriber that is gone is handed nothing.
    ///
    /// # Errors
    ///
    /// As for every step, and [`Unsupported`](crate::ErrorKind::Unsupported) where there are no topics, or none on the way to
    /// this server. After an error nothing is subscribed.
    fn subscribe<'a>(
        &'a self,
        topics: Topics<'a>,
        subscriber: Weak<dyn Subscriber>,
    ) -> BoxFuture<'a, Result<Feed>> {
        let _ = (topics, subscriber);
        without_topics("subscribe")
    }

    /// What the servers say about themselves, for whoever watches them. By default nothing is known.
    ///
    /// # Errors
    ///
    /// When a server does not answer.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is changed.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use cache_store::{SharedInfo, Store, testing::MemoryStore};
    ///
    /// assert_eq!(MemoryStore::new().info().await?, SharedInfo::default());
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    fn info(&self) -> BoxFuture<'_, Result<SharedInfo>> {
        Box::pin(async { Ok(SharedInfo::default()) })
    }

    /// Asks the shared tier how it is. One round trip. An example is at [`Health`].
    fn health(&self) -> BoxFuture<'_, Health>;
}

fn without_locks<'a, T>(operation: &'static str) -> BoxFuture<'a, Result<T>> {
    Box::pin(async move {
        let message =
            "this store has no locks; use one that implements `acquire_lock` and its like";
        Err(Error::new(ErrorKind::Unsupported, message).during(operation))
    })
}

fn without_topics<'a, T>(operation: &'static str) -> BoxFuture<'a, Result<T>> {
    Box::pin(async move {
        let message = "this store has no topics; use one that implements `publish` and `subscribe`";
        Err(Error::new(ErrorKind::Unsupported, message).during(operation))
    })
}

/// What a store does that has no better way to answer many requests.
fn one_by_one<'a, Q: Sync, T: Send + 'a>(
    requests: &'a [Q],
    ask: impl Fn(&'a Q) -> BoxFuture<'a, Result<T>> + Send + 'a,
) -> BoxFuture<'a, Vec<Result<T>>> {
    Box::pin(async move {
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(ask(request).await);
        }
        answers
    })
}
