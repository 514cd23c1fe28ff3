use std::time::Duration;

use crate::{Error, ErrorKind, testing::Operation};

/// Something that goes wrong with a [`ChaosStore`](super::ChaosStore): what, with which operations, how often.
///
/// | the fault | takes effect | the caller |
/// |---|---|---|
/// | [`fail`](Self::fail) | no | is told so at once |
/// | [`lose_reply`](Self::lose_reply) | yes | is told at once that it failed |
/// | [`drop_request`](Self::drop_request) | no | hears nothing until its deadline |
/// | [`drop_reply`](Self::drop_reply) | yes | hears nothing until its deadline |
/// | [`delay`](Self::delay) | late | hears late how it went |
///
/// ```
/// use std::time::Duration;
/// use cache_store::{ErrorKind, testing::{Fault, Operation}};
///
/// // The next two fills are refused before they take effect.
/// let full = Fault::fail(ErrorKind::Refused).on(Operation::Fill).times(2);
/// // From now on every reply is lost although everything takes effect.
/// let deaf = Fault::lose_reply(ErrorKind::Timeout);
/// // Every request takes 20 milliseconds to arrive.
/// let far = Fault::delay(Duration::from_millis(20));
/// # let _ = (full, deaf, far);
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    effect: Effect,
    on: Option<Operation>,
    left: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    /// The operation takes effect this much later.
    Late(Duration),
    /// The operation fails.
    Failure {
        kind: ErrorKind,
        /// Whether it takes effect nevertheless.
        takes_effect: bool,
        /// How long its caller waits to be told.
        told_after: Duration,
    },
}

impl Fault {
    /// Every operation fails so, and has no effect.
    ///
    /// See [`Fault`] for an example.
    #[must_use]
    pub const fn fail(kind: ErrorKind) -> Self {
        Self::failure(kind, false, Duration::ZERO)
    }

    /// Every operation takes effect, but its caller is told that it failed so.
    ///
    /// See [`Fault`] for an example.
    #[must_use]
    pub const fn lose_reply(kind: ErrorKind) -> Self {
        Self::failure(kind, true, Duration::ZERO)
    }

    /// Every request gets lost: it has no effect, and its caller waits for an answer until `deadline` is over, as a real
    /// store does. Time is tokio's.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{ErrorKind, Store, testing::{ChaosStore, Fault, MemoryStore}};
    /// use tokio::time::Instant;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    /// # runtime.block_on(async {
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.inject(Fault::drop_request(Duration::from_millis(200)));
    /// let sent = Instant::now();
    /// assert_eq!(store.patterns().await.unwrap_err().kind(), ErrorKind::Timeout);
    /// assert_eq!(sent.elapsed(), Duration::from_millis(200)); // in a runtime whose time is paused
    /// # });
    /// ```
    #[must_use]
    pub const fn drop_request(deadline: Duration) -> Self {
        Self::failure(ErrorKind::Timeout, false, deadline)
    }

    /// Every reply gets lost: the operation takes effect at once, and its caller waits for an answer until `deadline` is
    /// over.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{Invalidation, Recorded, Store, testing::{ChaosStore, Fault, MemoryStore}};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.inject(Fault::drop_reply(Duration::from_millis(1)).times(1));
    /// store.invalidate(&Invalidation::Pattern("users:*".into())).await.unwrap_err();
    /// assert_eq!(store.patterns().await?.pop().unwrap().what, Recorded::Pattern("users:*".into())); // it happened
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub const fn drop_reply(deadline: Duration) -> Self {
        Self::failure(ErrorKind::Timeout, true, deadline)
    }

    /// Every operation takes effect this much later, and succeeds. Time is tokio's.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cache_store::{Store, testing::{ChaosStore, Fault, MemoryStore}};
    /// use tokio::time::Instant;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    /// # runtime.block_on(async {
    /// let store = ChaosStore::new(MemoryStore::new());
    /// store.inject(Fault::delay(Duration::from_secs(3600)));
    /// let sent = Instant::now();
    /// store.patterns().await?;
    /// assert_eq!(sent.elapsed(), Duration::from_secs(3600)); // in a runtime whose time is paused
    /// # Ok::<(), cache_store::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub const fn delay(by: Duration) -> Self {
        Self { effect: Effect::Late(by), on: None, left: None }
    }

    const fn failure(kind: ErrorKind, takes_effect: bool, told_after: Duration) -> Self {
        Self { effect: Effect::Failure { kind, takes_effect, told_after }, on: None, left: None }
    }

    /// Only this operation.
    ///
    /// See [`Fault`] for an example.
    #[must_use]
    pub const fn on(self, operation: Operation) -> Self {
        Self { on: Some(operation), ..self }
    }

    /// Only the next so many of them.
    ///
    /// See [`Fault`] for an example.
    #[must_use]
    pub const fn times(self, times: u64) -> Self {
        Self { left: Some(times), ..self }
    }

    /// What the caller of an operation is told that it strikes.
    pub(super) fn told(&self, operation: Operation) -> Error {
        match self.effect {
            Effect::Failure { kind, takes_effect, .. } => error(kind, takes_effect, operation),
            Effect::Late(_) => error(ErrorKind::Timeout, false, operation),
        }
    }

    /// Whether it strikes this operation.
    pub(super) fn is_due(&self, operation: Operation) -> bool {
        !self.is_over() && self.on.is_none_or(|on| on == operation)
    }

    /// It struck once.
    pub(super) fn use_up(&mut self) -> Effect {
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.effect
    }

    /// Whether it will never strike again.
    pub(super) fn is_over(&self) -> bool {
        self.left == Some(0)
    }

    pub(super) fn effect(&self) -> Effect {
        self.effect
    }
}

/// What the caller of an operation that failed sees.
pub(super) fn error(kind: ErrorKind, takes_effect: bool, operation: Operation) -> Error {
    let what = if takes_effect { "the reply was lost" } else { "the operation failed" };
    Error::new(kind, format!("injected fault: {what}")).during(operation.name())
}
