use std::{fmt, time::Duration};

use cache_store::{SessionListed, SessionTimes};

use super::SessionId;

/// A session: what it holds, and how old it is. What [`SessionStore::get`](crate::SessionStore::get) and its like give.
///
/// It is a copy: [`update`](crate::SessionStore::update) and [`modify`](crate::SessionStore::modify) change the session.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// use larder::{Cache, SessionStore};
///
/// let sessions = SessionStore::<Vec<String>>::new(&Cache::memory());
/// let session = sessions.create("42", vec!["tea".to_owned()]).await?;
/// assert_eq!((session.user(), session.data().len()), (Some("42"), 1));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Session<T> {
    pub(super) id: SessionId,
    pub(super) user: Option<String>,
    pub(super) data: T,
    pub(super) stamp: u64,
    pub(super) times: SessionTimes,
}

impl<T> Session<T> {
    /// What the client has of it.
    ///
    /// See [`SessionId`] for an example.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Whose it is; `None` for an [anonymous](crate::SessionStore::create_anonymous) one.
    ///
    /// See [`Session`] for an example.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// What it holds.
    ///
    /// See [`Session`] for an example.
    #[must_use]
    pub fn data(&self) -> &T {
        &self.data
    }

    /// What it holds, without the rest.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let sessions = larder::SessionStore::<u32>::new(&larder::Cache::memory());
    /// assert_eq!(sessions.create("42", 7).await?.into_data(), 7);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn into_data(self) -> T {
        self.data
    }

    /// Names this state of the data: another one after each write.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let sessions = larder::SessionStore::<u32>::new(&larder::Cache::memory());
    /// let session = sessions.create("42", 7).await?;
    /// sessions.update(session.id(), &8).await?;
    /// let again = sessions.get(session.id()).await?.expect("it lives");
    /// assert_ne!(again.version(), session.version());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn version(&self) -> u64 {
        self.stamp
    }

    /// How long ago it was created.
    ///
    /// See [`expires_in`](Self::expires_in) for an example.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.times.age
    }

    /// How long it had not been used when this was asked for.
    ///
    /// See [`expires_in`](Self::expires_in) for an example.
    #[must_use]
    pub fn inactive_for(&self) -> Duration {
        self.times.inactive
    }

    /// How long it lives still if nobody uses it: for the `Max-Age` of a cookie.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use std::time::Duration;
    /// use larder::{Cache, Clock, SessionStore};
    ///
    /// let (clock, hand) = Clock::manual(); // a test moves the time of sessions without a shared tier
    /// let cache = Cache::builder().clock(clock).build().await?;
    /// let sessions = SessionStore::<u32>::new(&cache).idle("30m").absolute("12h");
    /// let id = sessions.create("42", 7).await?.id().clone();
    /// let minute = Duration::from_secs(60);
    /// hand.advance(20 * minute);
    /// let session = sessions.get(&id).await?.expect("it lives");
    /// assert_eq!((session.age(), session.inactive_for()), (20 * minute, 20 * minute));
    /// assert_eq!(session.expires_in(), 30 * minute);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.times.left
    }
}

/// Shows neither the id nor the data.
impl<T> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, times, .. } = self;
        f.debug_struct("Session").field("user", user).field("times", times).finish_non_exhaustive()
    }
}

/// One of a user's sessions, as a list shows it: its times, and never its id. What
/// [`SessionStore::user_sessions`](crate::SessionStore::user_sessions) gives.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// use larder::{Cache, SessionStore};
///
/// let sessions = SessionStore::<u32>::new(&Cache::memory());
/// let mine = sessions.create("42", 0).await?;
/// sessions.create("42", 0).await?;
/// for one in sessions.user_sessions("42").await? {
///     if !one.is(mine.id()) {
///         sessions.delete_listed(&one).await?; // signed out there, and not here
///     }
/// }
/// assert_eq!(sessions.user_sessions("42").await?.len(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SessionInfo {
    pub(super) shard: u16,
    pub(super) digest: String,
    times: SessionTimes,
}

impl SessionInfo {
    pub(super) fn new(shard: u16, listed: SessionListed) -> Self {
        Self { shard, digest: listed.digest, times: listed.times }
    }

    /// Whether it is the session of this id.
    ///
    /// See [`SessionInfo`] for an example.
    #[must_use]
    pub fn is(&self, id: &SessionId) -> bool {
        id.digest() == self.digest
    }

    /// How long ago it was created.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use std::time::SystemTime;
    ///
    /// let sessions = larder::SessionStore::<u32>::new(&larder::Cache::memory());
    /// sessions.create("42", 0).await?;
    /// for one in sessions.user_sessions("42").await? {
    ///     let created = SystemTime::now() - one.age(); // by this machine's clock
    ///     println!("since {created:?}, last active {:?} ago", one.inactive_for());
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn age(&self) -> Duration {
        self.times.age
    }

    /// How long ago it was used.
    ///
    /// See [`age`](Self::age) for an example.
    #[must_use]
    pub fn inactive_for(&self) -> Duration {
        self.times.inactive
    }

    /// How long it lives still if nobody uses it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// use std::time::Duration;
    ///
    /// let sessions = larder::SessionStore::<u32>::new(&larder::Cache::memory()).idle("5m");
    /// sessions.create("42", 0).await?;
    /// assert!(sessions.user_sessions("42").await?[0].expires_in() <= Duration::from_secs(300));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.times.left
    }
}

/// Shows its times alone.
impl fmt::Debug for SessionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionInfo").field("times", &self.times).finish_non_exhaustive()
    }
}
