//! A store for [tower-sessions](https://docs.rs/tower-sessions) over the sessions of [Larder](larder): in Redis, or in the process
//! where the cache has no shared tier.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use cache_tower_sessions::LarderStore;
//! use larder::Cache;
//! use tower_sessions::{Expiry, Session, SessionManagerLayer, cookie::time::Duration};
//!
//! let store = LarderStore::new(&Cache::memory()).name("web");
//! let layer = SessionManagerLayer::new(store.clone()).with_expiry(Expiry::OnInactivity(Duration::minutes(30)));
//! // … Router::new().route("/", get(page)).layer(layer), and in a handler:
//! let session = Session::new(None, std::sync::Arc::new(store), None);
//! session.insert("theme", "dark").await?;
//! session.save().await?;
//! assert_eq!(session.get::<String>("theme").await?.as_deref(), Some("dark"));
//! # drop(layer);
//! # Ok(()) }
//! ```
//!
//! # What is kept, and what is not
//!
//! - The server has a hash of the id and never the id. Data are JSON in the envelope of Larder's own sessions: checked, bounded to a
//!   mebibyte, bound to the session, and encrypted where the cache has keys.
//! - A session ends when its `expiry_date` has come, by the server's clock, and when it is deleted. **Nothing brings it back**: to save
//!   a session that has ended is an error, where most stores make it anew.
//! - When the shared tier cannot be asked, each operation is an error and never "there is none".
//! - Ids are those of tower-sessions: 128 random bits, and not the 256 of [`larder::SessionId`].
//! - The trait does not say whose a session is. So there are no lists of a user's sessions and no end of them all, no idle time
//!   beside the `expiry_date`, and of two who save at once the last one stays. Where these are wanted, use
//!   [`larder::SessionStore`] itself.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use larder::{Cache, ErrorKind, SessionId, SessionStore};
use time::OffsetDateTime;
use tower_sessions_core::{
    SessionStore as TowerStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

/// Sessions of tower-sessions in a [`Cache`], with an example at [the crate](crate).
///
/// A cheap handle; its clones have the same sessions.
#[derive(Clone)]
pub struct LarderStore(SessionStore<String>);

impl LarderStore {
    /// Sessions in this cache, of the name `tower`.
    ///
    /// See [the crate](crate) for an example.
    #[must_use]
    pub fn new(cache: &Cache) -> Self {
        Self(SessionStore::new(cache).name("tower"))
    }

    /// Tells these sessions from others in the same cache.
    ///
    /// See [the crate](crate) for an example.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        Self(self.0.name(name))
    }
}

impl fmt::Debug for LarderStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LarderStore").field(&self.0).finish()
    }
}

#[async_trait]
impl TowerStore for LarderStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let (data, life) = (written(record)?, life(record));
        // Of 128 random bits no two are alike: that of another session would be somebody else's, and is not looked for.
        self.0.create_as(&ours(record.id), data, life).await.map_err(failed)
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (data, life) = (written(record)?, life(record));
        match self.0.update_for(&ours(record.id), &data, life).await.map_err(failed)? {
            true => Ok(()),
            false => Err(Error::Backend("the session has ended and was not saved".to_owned())),
        }
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(found) = self.0.peek(&ours(*id)).await.map_err(failed)? else { return Ok(None) };
        let data =
            serde_json::from_str(found.data()).map_err(|error| Error::Decode(error.to_string()))?;
        let expiry_date = OffsetDateTime::now_utc() + found.expires_in();
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.0.delete(&ours(*id)).await.map(|_| ()).map_err(failed)
    }
}

fn ours(id: Id) -> SessionId {
    SessionId::of_secret(&id.0.to_le_bytes())
}

fn written(record: &Record) -> Result<String> {
    serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))
}

/// How long it lives still: what should have ended ends at once.
fn life(record: &Record) -> Duration {
    Duration::try_from(record.expiry_date - OffsetDateTime::now_utc()).unwrap_or_default()
}

fn failed(error: larder::Error) -> Error {
    match error.kind() {
        ErrorKind::Codec => Error::Decode(error.to_string()),
        ErrorKind::TooLarge => Error::Encode(error.to_string()),
        _ => Error::Backend(error.to_string()),
    }
}
