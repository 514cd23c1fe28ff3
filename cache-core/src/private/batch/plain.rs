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

impl<T, E> EachPlainly<Result<T, E>> {
    /// The inherent method wins over [`EachOk::check`], and its bound never holds.
    pub fn check(&self)
    where
        Result<T, E>: NoResultInside,
    {
    }
}

impl<T> EachPlainly<Option<T>> {
    /// The inherent method wins over [`EachOk::check`], and its bound never holds.
    pub fn check(&self)
    where
        Option<T>: NoOptionInside,
    {
    }
}

/// Every other type is plain.
pub trait EachOk {
    /// Nothing to refuse.
    fn check(&self) {}
}

impl<V> EachOk for EachPlainly<V> {}

/// Implemented by nothing.
#[diagnostic::on_unimplemented(
    message = "the values of this batch are `Result`s: their errors would be cached as values",
    label = "this is a `Result`",
    note = "return `Result<HashMap<K, V>, E>`, and leave out of the map what is absent"
)]
pub trait NoResultInside {}

/// Implemented by nothing.
#[diagnostic::on_unimplemented(
    message = "the values of this batch are `Option`s: `None` would be cached as a value",
    label = "this is an `Option`",
    note = "leave out of the map what is absent: return `HashMap<K, V>`; `negative_ttl` caches the absence"
)]
pub trait NoOptionInside {}
