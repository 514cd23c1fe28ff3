use std::{
    fmt,
    ops::Sub,
    sync::atomic::{AtomicU64, Ordering},
};

/// The methods of a [`Store`](crate::Store), to count them and to aim faults at them.
///
/// ```
/// use cache_store::testing::Operation;
///
/// assert_eq!(Operation::StampTags.name(), "stamp_tags");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`Store::read`](crate::Store::read).
    Read,
    /// [`Store::claim`](crate::Store::claim).
    Claim,
    /// [`Store::patterns`](crate::Store::patterns).
    Patterns,
    /// [`Store::tag_nonces`](crate::Store::tag_nonces).
    TagNonces,
    /// [`Store::stamp_tags`](crate::Store::stamp_tags).
    StampTags,
    /// [`Store::fill`](crate::Store::fill).
    Fill,
    /// [`Store::renew`](crate::Store::renew).
    Renew,
    /// [`Store::release`](crate::Store::release).
    Release,
    /// [`Store::lease_ended`](crate::Store::lease_ended): a wait, so not a round trip.
    LeaseEnded,
    /// [`Store::begin`](crate::Store::begin).
    Begin,
    /// [`Store::finish`](crate::Store::finish).
    Finish,
    /// [`Store::tagged`](crate::Store::tagged).
    Tagged,
    /// [`Store::invalidate`](crate::Store::invalidate).
    Invalidate,
    /// [`Store::begin_tags`](crate::Store::begin_tags).
    BeginTags,
    /// [`Store::finish_tags`](crate::Store::finish_tags).
    FinishTags,
    /// [`Store::read_many`](crate::Store::read_many).
    ReadMany,
    /// [`Store::claim_many`](crate::Store::claim_many).
    ClaimMany,
    /// [`Store::stamp_many`](crate::Store::stamp_many).
    StampMany,
    /// [`Store::fill_many`](crate::Store::fill_many).
    FillMany,
    /// [`Store::begin_many`](crate::Store::begin_many).
    BeginMany,
    /// [`Store::finish_many`](crate::Store::finish_many).
    FinishMany,
    /// [`Store::heartbeat`](crate::Store::heartbeat).
    Heartbeat,
    /// [`Store::acquire_lock`](crate::Store::acquire_lock).
    AcquireLock,
    /// [`Store::renew_lock`](crate::Store::renew_lock).
    RenewLock,
    /// [`Store::release_lock`](crate::Store::release_lock).
    ReleaseLock,
    /// [`Store::lock_ended`](crate::Store::lock_ended): a wait, so not a round trip.
    LockEnded,
    /// [`Store::check_limit`](crate::Store::check_limit).
    CheckLimit,
    /// Any step of [`Store::sessions`](crate::Store::sessions).
    Sessions,
    /// [`Store::publish`](crate::Store::publish).
    Publish,
    /// [`Store::subscribe`](crate::Store::subscribe).
    Subscribe,
    /// [`Store::info`](crate::Store::info).
    Info,
    /// [`Store::health`](crate::Store::health).
    Health,
}

impl Operation {
    /// Every operation, in the order in which [`Store`](crate::Store) declares them.
    ///
    /// ```
    /// use cache_store::testing::Operation;
    ///
    /// assert!(Operation::ALL.iter().all(|operation| !operation.name().is_empty()));
    /// ```
    pub const ALL: [Self; 32] = [
        Self::Read,
        Self::Claim,
        Self::Patterns,
        Self::TagNonces,
        Self::StampTags,
        Self::Fill,
        Self::Renew,
        Self::Release,
        Self::LeaseEnded,
        Self::Begin,
        Self::Finish,
        Self::Tagged,
        Self::Invalidate,
        Self::BeginTags,
        Self::FinishTags,
        Self::ReadMany,
        Self::ClaimMany,
        Self::StampMany,
        Self::FillMany,
        Self::BeginMany,
        Self::FinishMany,
        Self::Heartbeat,
        Self::AcquireLock,
        Self::RenewLock,
        Self::ReleaseLock,
        Self::LockEnded,
        Self::CheckLimit,
        Self::Sessions,
        Self::Publish,
        Self::Subscribe,
        Self::Info,
        Self::Health,
    ];

    /// The method's name.
    ///
    /// ```
    /// assert_eq!(cache_store::testing::Operation::TagNonces.name(), "tag_nonces");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Claim => "claim",
            Self::Patterns => "patterns",
            Self::TagNonces => "tag_nonces",
            Self::StampTags => "stamp_tags",
            Self::Fill => "fill",
            Self::Renew => "renew",
            Self::Release => "release",
            Self::LeaseEnded => "lease_ended",
            Self::Begin => "begin",
            Self::Finish => "finish",
            Self::Tagged => "tagged",
            Self::Invalidate => "invalidate",
            Self::BeginTags => "begin_tags",
            Self::FinishTags => "finish_tags",
            Self::ReadMany => "read_many",
            Self::ClaimMany => "claim_many",
            Self::StampMany => "stamp_many",
            Self::FillMany => "fill_many",
            Self::BeginMany => "begin_many",
            Self::FinishMany => "finish_many",
            Self::Heartbeat => "heartbeat",
            Self::AcquireLock => "acquire_lock",
            Self::RenewLock => "renew_lock",
            Self::ReleaseLock => "release_lock",
            Self::LockEnded => "lock_ended",
            Self::CheckLimit => "check_limit",
            Self::Sessions => "sessions",
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::Info => "info",
            Self::Health => "health",
        }
    }
}

/// How often each operation was called.
///
/// Differences show what one step cost:
///
/// ```
/// use cache_store::{Query, Store, testing::{MemoryStore, Operation}};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let before = store.calls();
/// store.read(Query { key: "user:42", tags: &[], pattern: true, life: false }).await?;
/// let cost = store.calls() - before;
/// assert_eq!(cost.of(Operation::Read), 1);
/// assert_eq!(cost.round_trips(), 1);
/// # Ok::<(), cache_store::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls([u64; Operation::ALL.len()]);

impl Calls {
    /// How often this one was called.
    ///
    /// See [`Calls`] for an example.
    #[must_use]
    pub const fn of(&self, operation: Operation) -> u64 {
        self.0[operation as usize]
    }

    /// How many round trips somebody waited for. Waiting for a lease or a lock to end is none, and nobody waits for a
    /// heartbeat.
    ///
    /// See [`Calls`] for an example.
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        let uncounted = [Operation::LeaseEnded, Operation::Heartbeat, Operation::LockEnded];
        uncounted.iter().fold(self.0.iter().sum(), |sum, operation| sum - self.of(*operation))
    }
}

impl Sub for Calls {
    type Output = Self;

    /// What was called between `earlier` and this.
    fn sub(self, earlier: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].saturating_sub(earlier.0[at])))
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = Operation::ALL.into_iter().filter(|operation| self.of(*operation) > 0);
        f.debug_map().entries(made.map(|operation| (operation, self.of(operation)))).finish()
    }
}

/// The counters behind [`Calls`].
#[derive(Debug, Default)]
pub(crate) struct Counters([AtomicU64; Operation::ALL.len()]);

impl Counters {
    /// Counts one call.
    pub(crate) fn count(&self, operation: Operation) {
        self.0[operation as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts so far.
    pub(crate) fn now(&self) -> Calls {
        Calls(std::array::from_fn(|at| self.0[at].load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_counter_of_its_own() {
        let counters = Counters::default();
        for operation in Operation::ALL {
            counters.count(operation);
        }
        assert!(Operation::ALL.into_iter().all(|operation| counters.now().of(operation) == 1));
        assert_eq!(counters.now().round_trips(), Operation::ALL.len() as u64 - 3);
    }
}
