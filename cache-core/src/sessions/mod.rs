//! Sessions.
//!
//! `mod` is the handle's settings, `steps` what it does, `session` what it gives, `id` what a client has; `kind` asks the shared
//! tier, or `here` where there is none, and `seal` makes the bytes; `outside` is for adapters whose ids are others'.

mod here;
mod id;
mod kind;
mod outside;
mod seal;
mod session;
mod steps;
#[cfg(test)]
mod tests;

use std::{fmt, marker::PhantomData, sync::Arc};

pub(crate) use self::here::Here;
use self::kind::Kind;
pub use self::{
    id::SessionId,
    session::{Session, SessionInfo},
};
use crate::{cache::Cache, explicit::IntoTtl};

/// Sessions of users, with data of type `T`, in the shared tier of a [`Cache`]; or in the process where it has none.
///
/// A client has a [`SessionId`], of which the server keeps a hash. A session ends when it was not used for
/// [`idle`](Self::idle), when it is as old as [`absolute`](Self::absolute), and when it is deleted or all of its user's are
/// [invalidated](Self::invalidate_user_sessions): at once, for all processes. Sessions are data and no cache: each operation asks
/// the shared tier, nothing of them is kept in memory beside it, and when it cannot be asked the operation is an error and
/// never "there is no session".
///
/// A cheap handle: clones may have other times, which hold for the sessions that they create. Stores of one
/// [name](Self::name) on one cache are one store. The guide of sessions says what is promised and what is not.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
/// use larder::{Cache, SessionStore};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Web {
///     theme: String,
/// }
///
/// let sessions = SessionStore::<Web>::new(&Cache::memory()).name("web").idle("30m").absolute("12h");
/// let session = sessions.create("42", Web { theme: "dark".into() }).await?;
/// let found = sessions.get(session.id()).await?.expect("it lives");
/// assert_eq!((found.user(), &*found.data().theme), (Some("42"), "dark"));
/// assert_eq!(sessions.invalidate_user_sessions("42").await?, 1);
/// assert!(sessions.get(session.id()).await?.is_none());
/// # Ok(()) }
/// ```
pub struct SessionStore<T> {
    kind: Kind,
    data: PhantomData<fn(T) -> T>,
}

impl<T> SessionStore<T> {
    /// Sessions in this cache, with the name `session`, an idle time of 30 minutes, an absolute one of 12 hours, and room for
    /// 100 sessions of a user.
    ///
    /// They work in a cache that is not [enabled](crate::CacheBuilder::enabled), too. See [`SessionStore`] for an example.
    #[must_use]
    pub fn new(cache: &Cache) -> Self {
        Self { kind: Kind::new(Arc::clone(cache.engine())), data: PhantomData }
    }

    /// Tells these sessions from others in the same cache: an id of one name finds nothing under another.
    ///
    /// What is wrong with a setting is told by the first operation.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let (web, admin) =
    ///     (larder::SessionStore::<u32>::new(&cache).name("web"), larder::SessionStore::<u32>::new(&cache).name("admin"));
    /// let id = web.create("42", 0).await?.id().clone();
    /// assert!(admin.get(&id).await?.is_none());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.kind.set_name(name);
        self
    }

    /// How long a session lives without being used, from a millisecond to 400 days: `"30m"`, a
    /// [`Duration`](std::time::Duration), or seconds as an integer. Each [`get`](Self::get) and each write begins it anew.
    ///
    /// See [`Session::expires_in`] for an example.
    #[must_use]
    pub fn idle(mut self, time: impl IntoTtl) -> Self {
        self.kind.set_idle(time.into_ttl());
        self
    }

    /// How long a session lives at all, however much it is used, from a millisecond to 400 days. A new
    /// [id](Self::rotate) does not begin it anew.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let sessions = larder::SessionStore::<u32>::new(&larder::Cache::memory());
    /// let remembered = sessions.clone().idle("7d").absolute("30d"); // for who ticks "remember me"
    /// let id = remembered.create("42", 0).await?.id().clone();
    /// assert!(sessions.get(&id).await?.is_some_and(|session| session.expires_in().as_secs() > 86_400));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn absolute(mut self, time: impl IntoTtl) -> Self {
        self.kind.set_absolute(time.into_ttl());
        self
    }

    /// How many sessions a user has at most, from 1 to 1,000; 100 where nothing is said. One more ends the one that was not
    /// used for longest.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let sessions = larder::SessionStore::<u32>::new(&larder::Cache::memory()).max_per_user(1);
    /// let phone = sessions.create("42", 0).await?;
    /// let laptop = sessions.create("42", 0).await?;
    /// assert!(sessions.get(phone.id()).await?.is_none());
    /// assert!(sessions.get(laptop.id()).await?.is_some());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_per_user(mut self, most: u32) -> Self {
        self.kind.set_most(most);
        self
    }

    /// Another meaning of the data, 0 where nothing is said: sessions of other versions cannot be read, and only be deleted.
    /// For a type that has changed where the [`Codec`](crate::Codec) does not tell.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> larder::Result<()> {
    /// let cache = larder::Cache::memory();
    /// let old = larder::SessionStore::<u32>::new(&cache).create("42", 7).await?;
    /// let sessions = larder::SessionStore::<(u32, u32)>::new(&cache).version(1);
    /// assert_eq!(sessions.get(old.id()).await.unwrap_err().kind(), larder::ErrorKind::Codec);
    /// assert!(sessions.delete(old.id()).await?);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.kind.version = version;
        self
    }
}

impl<T> Clone for SessionStore<T> {
    fn clone(&self) -> Self {
        Self { kind: self.kind.clone(), data: PhantomData }
    }
}

impl<T> fmt::Debug for SessionStore<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kind { name, idle, absolute, most, version, .. } = &self.kind;
        f.debug_struct("SessionStore")
            .field("name", name)
            .field("idle", idle)
            .field("absolute", absolute)
            .field("max_per_user", most)
            .field("version", version)
            .finish_non_exhaustive()
    }
}
