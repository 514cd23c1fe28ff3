//! Copies of arguments for bodies that go on without their caller.

use std::borrow::Borrow;

/// An argument that can be copied for the background.
#[diagnostic::on_unimplemented(
    message = "the argument `{Self}` cannot be copied for a body that runs in the background",
    label = "must be `Clone + Send + 'static`",
    note = "derive `Clone`, or pass an `Arc` of it"
)]
pub trait Kept: Clone + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + 'static> Kept for T {}

/// What an argument refers to, where that can be copied for the background.
#[diagnostic::on_unimplemented(
    message = "`{Self}`, which an argument refers to, cannot be copied for a body that runs in the background",
    label = "must be `Clone` (or `str`, or a slice of what is), `Send` and `'static`",
    note = "derive `Clone`, or pass an `Arc` of it"
)]
pub trait KeptRef {
    /// What a copy of it is held in.
    type Own: Borrow<Self> + Send + 'static;

    /// A copy.
    fn own(&self) -> Self::Own;
}

#[diagnostic::do_not_recommend]
impl<T: ToOwned + ?Sized> KeptRef for T
where
    T::Owned: Send + 'static,
{
    type Own = T::Owned;

    fn own(&self) -> T::Owned {
        self.to_owned()
    }
}

/// A copy of an argument.
#[must_use]
pub fn keep<T: Kept>(argument: &T) -> T {
    argument.clone()
}

/// A copy of what an argument refers to.
#[must_use]
pub fn keep_ref<T: KeptRef + ?Sized>(argument: &T) -> T::Own {
    argument.own()
}

/// The argument again, from a copy.
#[must_use]
pub fn lend<T: ?Sized, O: Borrow<T>>(own: &O) -> &T {
    own.borrow()
}
