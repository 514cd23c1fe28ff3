//! The locks of applications: one key for who has it, one for the newest fencing token of its name.

use std::time::Duration;

use cache_store::{Lease, Locked, Nonce, Result};

use crate::{RedisStore, batch::Batch, error, script, steps::millis};

/// How long a name's fencing token is remembered after it was taken. A count that is gone begins at the clock, so this
/// only has to be longer than any clock is set back by.
const FENCE_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl RedisStore {
    pub(crate) async fn take_lock(&self, name: &str, lease: Lease) -> Result<Locked> {
        let (lock, fence) = (self.names.lock(name), self.names.fence(name));
        let mut command = script::LOCK.call(&[&lock, &fence]);
        let fence_life = FENCE_LIFE.max(lease.life.saturating_mul(2));
        command.arg(lease.token.as_bytes()).arg(millis(lease.life)).arg(millis(fence_life));
        let mut answer = self.send(&Batch::new(lock).with(command)).await?.next_list()?;
        match answer.next_int()? {
            1 => answer.next_number().map(Locked::Acquired),
            0 => {
                let left = u64::try_from(answer.next_int()?).unwrap_or_default();
                Ok(Locked::Held(Duration::from_millis(left)))
            }
            _ => Err(error::unexpected("an outcome that this protocol does not know")),
        }
    }

    pub(crate) async fn prolong_lock(&self, name: &str, lease: Lease) -> Result<bool> {
        let lock = self.names.lock(name);
        let mut command = script::RELOCK.call(&[&lock]);
        command.arg(lease.token.as_bytes()).arg(millis(lease.life));
        Ok(self.send(&Batch::new(lock).with(command)).await?.next_int()? == 1)
    }

    pub(crate) async fn drop_lock(&self, name: &str, token: Nonce) -> Result<bool> {
        let lock = self.names.lock(name);
        let mut command = script::UNLOCK.call(&[&lock]);
        command.arg(token.as_bytes());
        Ok(self.send(&Batch::new(lock).with(command)).await?.next_int()? == 1)
    }
}
