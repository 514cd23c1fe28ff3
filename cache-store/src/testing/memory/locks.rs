//! The locks of applications, which are no entries.

use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

use super::shelf::{Deadline, Shelf};
use crate::{Lease, Life, Locked, Nonce};

/// Who has which lock, and the newest fencing token of each name.
#[derive(Clone, Debug, Default)]
pub(super) struct Locks {
    held: Shelf<Holder>,
    /// Outlives the locks: no token may ever come twice.
    fencing: HashMap<String, u64>,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    token: Nonce,
    fencing: u64,
}

impl Locks {
    pub(super) fn acquire(&mut self, name: &str, lease: Lease, now: Instant) -> Locked {
        let end = Deadline::after(Life::For(lease.life), now);
        let fencing = match self.held.entry(name, now) {
            Some((holder, _)) if holder.token == lease.token => holder.fencing,
            Some((_, until)) => {
                return Locked::Held(match until.remaining(now) {
                    Life::For(left) => left,
                    Life::Forever => std::time::Duration::MAX,
                });
            }
            None => self.next_fencing(name),
        };
        self.held.put(name, Holder { token: lease.token, fencing }, end);
        Locked::Acquired(fencing)
    }

    pub(super) fn renew(&mut self, name: &str, lease: Lease, now: Instant) -> bool {
        let mine = self.is_held(name, lease.token, now);
        if mine {
            self.held.keep_until(name, Deadline::after(Life::For(lease.life), now));
        }
        mine
    }

    pub(super) fn release(&mut self, name: &str, token: Nonce, now: Instant) -> bool {
        let mine = self.is_held(name, token, now);
        if mine {
            self.held.remove(name);
        }
        mine
    }

    /// Until when somebody has the lock; `None` when nobody does.
    pub(super) fn held_until(&self, name: &str, now: Instant) -> Option<Deadline> {
        self.held.entry(name, now).map(|(_, until)| until)
    }

    fn is_held(&self, name: &str, token: Nonce, now: Instant) -> bool {
        self.held.get(name, now).is_some_and(|holder| holder.token == token)
    }

    /// Greater than the one before, and not below the clock: so tokens grow although the count was lost.
    fn next_fencing(&mut self, name: &str) -> u64 {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let last = self.fencing.entry(name.to_owned()).or_default();
        *last = (*last + 1).max(u64::try_from(clock).unwrap_or(u64::MAX));
        *last
    }
}
