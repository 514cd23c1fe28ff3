//! Refuses values of a batch that are a `Result` or an `Option` behind an alias.

use std::marker::PhantomData;

/// The question whether values of type `V` are plain.
pub struct EachPlainly<V>(PhantomData<fn() -> V>);

impl<V> EachPlainly<V> {
    /// The question.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<V: Wrapping> EachPlainly<V> {
    /// The inherent method wins over [`EachOk::check`], and its bound never holds.
    pub fn check(&self)
    where
        V: NothingInside,
    {
    }
}

/// Every other type is plain.
pub trait EachOk {
    /// Nothing to refuse.
    fn check(&self) {}
}

impl<V> EachOk for EachPlainly<V> {}

/// A type that may hold no value.
pub trait Wrapping {}

impl<T, E> Wrapping for Result<T, E> {}

impl<T> Wrapping for Option<T> {}

/// Implemented by nothing.
#[diagnostic::on_unimplemented(
    message = "the values of this batch are of type `{Self}`: an error or a `None` in it would be cached as a value",
    label = "this is an alias of `{Self}`",
    note = "leave out of the map what is absent, and return errors beside it: `Result<HashMap<K, V>, E>`"
)]
pub trait NothingInside {}
