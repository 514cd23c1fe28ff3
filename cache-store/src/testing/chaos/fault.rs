use crate::{Error, ErrorKind, testing::Operation};

/// Something that goes wrong with a [`ChaosStore`](super::ChaosStore): what, with which operations, how often.
///
/// ```
/// use cache_store::{ErrorKind, testing::{Fault, Operation}};
///
/// // The next two fills are refused before they take effect.
/// let full = Fault::fail(ErrorKind::Refused).on(Operation::Fill).times(2);
/// // From now on every reply is lost although everything takes effect.
/// let deaf = Fault::lose_reply(ErrorKind::Timeout);
/// # let _ = (full, deaf);
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    kind: ErrorKind,
    on: Option<Operation>,
    left: Option<u64>,
    takes_effect: bool,
}

impl Fault {
    /// Every operation fails so, and has no effect.
    ///
    /// See [`Fault`] for an example.
    #[must_use]
    pub const fn fail(kind: ErrorKind) -> Self {
        Self { kind, on: None, left: None, takes_effect: false }
    }

    /// Every operation takes effect, but its caller is told that it failed so.
    ///
    /// See [`Fault`] for an example.
    #[must_use]
    pub const fn lose_reply(kind: ErrorKind) -> Self {
        Self { kind, on: None, left: None, takes_effect: true }
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

    /// Whether it strikes this operation.
    pub(super) fn is_due(&self, operation: Operation) -> bool {
        !self.is_over() && self.on.is_none_or(|on| on == operation)
    }

    /// It struck once.
    pub(super) fn use_up(&mut self) {
        self.left = self.left.map(|left| left.saturating_sub(1));
    }

    /// Whether it will never strike again.
    pub(super) fn is_over(&self) -> bool {
        self.left == Some(0)
    }

    /// Whether the operation reaches the store.
    pub(super) fn takes_effect(&self) -> bool {
        self.takes_effect
    }

    /// What the caller sees.
    pub(super) fn error(&self, operation: Operation) -> Error {
        let what = if self.takes_effect { "the reply was lost" } else { "the operation failed" };
        Error::new(self.kind, format!("injected fault: {what}")).during(operation.name())
    }
}
