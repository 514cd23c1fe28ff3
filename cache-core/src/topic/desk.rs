//! What a cache has of topics: its own hub, and the subscriptions that end with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use cache_store::{Error, ErrorKind, Result};

use super::{here::Here, mailbox::Mailbox};

#[derive(Default)]
pub(crate) struct Desk {
    pub(super) here: Here,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    mailboxes: Vec<Weak<Mailbox>>,
    /// How many there may be before it is looked who is gone.
    look_at: usize,
    closed: bool,
}

impl Desk {
    /// One more subscription, which ends when the cache is shut down.
    pub(super) fn open(&self, make: impl FnOnce() -> Arc<Mailbox>) -> Result<Arc<Mailbox>> {
        let mut open = self.lock();
        if open.closed {
            return Err(Error::new(ErrorKind::Unavailable, "the cache was shut down"));
        }
        if open.mailboxes.len() >= open.look_at {
            open.mailboxes.retain(|one| one.strong_count() > 0);
            open.look_at = open.mailboxes.len() * 2 + 16;
        }
        let mailbox = make();
        open.mailboxes.push(Arc::downgrade(&mailbox));
        Ok(mailbox)
    }

    /// Ends all subscriptions, for good.
    pub(crate) fn close(&self) {
        let mailboxes = {
            let mut open = self.lock();
            open.closed = true;
            std::mem::take(&mut open.mailboxes)
        };
        mailboxes.iter().filter_map(Weak::upgrade).for_each(|one| one.end());
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it is locked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
