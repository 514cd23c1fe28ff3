//! Whether a failing body's error can be handed to the callers that waited for it.
//!
//! Method lookup decides (autoref): an error that is `Clone + Send + Sync + 'static` where the function is defined finds
//! the first trait, every other error the second one.

use std::{fmt, marker::PhantomData, sync::Arc};

use crate::{engine::Keep, value::Erased};

/// How to share errors of type `E`; `None` when they cannot be.
pub struct Share<E>(pub(crate) Option<Shared<E>>);

/// How to keep an error, and how to copy what was kept.
pub(crate) struct Shared<E> {
    pub(crate) keep: fn(&E) -> Erased,
    pub(crate) copy: fn(&Erased) -> Option<E>,
}

impl<E> Share<E> {
    /// Never.
    pub(crate) const fn never() -> Self {
        Self(None)
    }

    /// What those who wait get for this error.
    pub(super) fn kept(&self, error: &E) -> Keep {
        match &self.0 {
            Some(share) => Keep::Error((share.keep)(error)),
            None => Keep::Nothing,
        }
    }

    /// A caller's copy of an error that was kept.
    pub(super) fn copied(&self, kept: &Erased) -> Option<E> {
        (self.0.as_ref()?.copy)(kept)
    }
}

impl<E> Clone for Share<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Share<E> {}

impl<E> Clone for Shared<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Shared<E> {}

impl<E> fmt::Debug for Share<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Share").field(&self.0.is_some()).finish()
    }
}

/// The question whether `E` can be shared.
pub struct Probe<E>(PhantomData<fn() -> E>);

impl<E> fmt::Debug for Probe<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

impl<E> Probe<E> {
    /// The question.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// The answer of `share_errors = false`.
    #[must_use]
    pub const fn none() -> Share<E> {
        Share(None)
    }
}

/// Errors that can be shared.
pub trait Shareable<E> {
    /// How.
    fn share(&self) -> Share<E>;
}

impl<E: Clone + Send + Sync + 'static> Shareable<E> for Probe<E> {
    fn share(&self) -> Share<E> {
        Share(Some(Shared {
            keep: |error| Arc::new(error.clone()),
            copy: |kept| kept.downcast_ref::<E>().cloned(),
        }))
    }
}

/// Errors that cannot.
pub trait Unshareable<E> {
    /// Never.
    fn share(&self) -> Share<E>;
}

impl<E> Unshareable<E> for &Probe<E> {
    fn share(&self) -> Share<E> {
        Share(None)
    }
}
