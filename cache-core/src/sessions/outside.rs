//! For adapters of others' sessions, whose ids and times are others'.

use std::time::Duration;

use cache_store::{Result, SessionStart, SessionWrite, SessionWritten};
use serde::{Serialize, de::DeserializeOwned};

use super::{SessionId, SessionStore, kind::LONGEST, seal::Part};

impl<T: Serialize + DeserializeOwned> SessionStore<T> {
    /// Creates a session of nobody with an id [of another's secret](SessionId::of_secret), which lives for so long however it is
    /// used; one that there is stays as it is.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    ///
    /// # Cancel safety
    ///
    /// As [`create`](Self::create).
    #[doc(hidden)]
    pub async fn create_as(&self, id: &SessionId, data: T, life: Duration) -> Result<()> {
        let digest = id.digest();
        let who = self.kind.seal(&digest, Part::User, &None::<&str>)?;
        let data = self.kind.seal(&digest, Part::Data, &data)?;
        let at = self.kind.at(id.shard(), &digest);
        let start = self.kind.starting(at, &who, &data, fastrand::u64(..));
        let start = SessionStart { idle: LONGEST, absolute: life.min(LONGEST), ..start };
        self.kind.ask(|sessions| sessions.start_session(start)).await
    }

    /// [`update`](Self::update), and the session lives for so long from now on.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    ///
    /// # Cancel safety
    ///
    /// As [`update`](Self::update).
    #[doc(hidden)]
    pub async fn update_for(&self, id: &SessionId, data: &T, life: Duration) -> Result<bool> {
        let digest = id.digest();
        let data = self.kind.seal(&digest, Part::Data, data)?;
        let write = SessionWrite {
            at: self.kind.at(id.shard(), &digest),
            data: &data,
            stamp: fastrand::u64(..),
            expected: None,
            life: Some(life.min(LONGEST)),
        };
        let written = self.kind.ask(|sessions| sessions.write_session(write)).await?;
        Ok(written == SessionWritten::Written)
    }
}
