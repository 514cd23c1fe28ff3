//! The shapes of return types: what of a result is cached.

use std::{convert::Infallible, marker::PhantomData};

// Plain `match`es: each combinator would be compiled once more for every annotated function.

/// What a function returned, seen through its shape.
#[derive(Debug)]
pub enum Outcome<'a, V, E> {
    /// A value to cache.
    Value(&'a V),
    /// A `None`, cached only with `negative_ttl`.
    Nothing,
    /// An error, never cached.
    Error(&'a E),
}

/// How results of type `R` are taken apart and put together.
#[diagnostic::on_unimplemented(
    message = "`returns` says otherwise, but `{R}` is not such a type",
    label = "this shape does not fit `{R}`",
    note = "`returns` is one of \"plain\", \"result\", \"option\", \"result_option\""
)]
pub trait Shape<R> {
    /// The type that is cached.
    type Value;
    /// The type of errors.
    type Error;

    /// What `result` holds.
    fn open(result: &R) -> Outcome<'_, Self::Value, Self::Error>;
    /// What `result` holds, or itself when it holds no value.
    ///
    /// # Errors
    ///
    /// The result, when it is an error or a `None`.
    fn take(result: R) -> Result<Self::Value, R>;
    /// The result for a cached value.
    fn value(value: Self::Value) -> R;
    /// The result for a cached `None`.
    fn nothing() -> Option<R>;
    /// The result for a shared error.
    fn error(error: Self::Error) -> R;
}

/// The type of value that a shape caches.
pub type Value<S, R> = <S as Shape<R>>::Value;

/// Everything is a value.
#[derive(Debug)]
pub struct PlainShape;
/// `Ok` is a value.
#[derive(Debug)]
pub struct ResultShape;
/// `Some` is a value.
#[derive(Debug)]
pub struct OptionShape;
/// `Ok(Some(_))` is a value.
#[derive(Debug)]
pub struct ResultOptionShape;

impl<T> Shape<T> for PlainShape {
    type Value = T;
    type Error = Infallible;

    fn open(result: &T) -> Outcome<'_, T, Infallible> {
        Outcome::Value(result)
    }

    fn take(result: T) -> Result<T, T> {
        Ok(result)
    }

    fn value(value: T) -> T {
        value
    }

    fn nothing() -> Option<T> {
        None
    }

    fn error(error: Infallible) -> T {
        match error {}
    }
}

impl<T, E> Shape<Result<T, E>> for ResultShape {
    type Value = T;
    type Error = E;

    fn open(result: &Result<T, E>) -> Outcome<'_, T, E> {
        match result {
            Ok(value) => Outcome::Value(value),
            Err(error) => Outcome::Error(error),
        }
    }

    fn take(result: Result<T, E>) -> Result<T, Result<T, E>> {
        result.map_err(Err)
    }

    fn value(value: T) -> Result<T, E> {
        Ok(value)
    }

    fn nothing() -> Option<Result<T, E>> {
        None
    }

    fn error(error: E) -> Result<T, E> {
        Err(error)
    }
}

impl<T> Shape<Option<T>> for OptionShape {
    type Value = T;
    type Error = Infallible;

    fn open(result: &Option<T>) -> Outcome<'_, T, Infallible> {
        match result {
            Some(value) => Outcome::Value(value),
            None => Outcome::Nothing,
        }
    }

    fn take(result: Option<T>) -> Result<T, Option<T>> {
        result.ok_or(None)
    }

    fn value(value: T) -> Option<T> {
        Some(value)
    }

    fn nothing() -> Option<Option<T>> {
        Some(None)
    }

    fn error(error: Infallible) -> Option<T> {
        match error {}
    }
}

impl<T, E> Shape<Result<Option<T>, E>> for ResultOptionShape {
    type Value = T;
    type Error = E;

    fn open(result: &Result<Option<T>, E>) -> Outcome<'_, T, E> {
        match result {
            Ok(Some(value)) => Outcome::Value(value),
            Ok(None) => Outcome::Nothing,
            Err(error) => Outcome::Error(error),
        }
    }

    fn take(result: Result<Option<T>, E>) -> Result<T, Result<Option<T>, E>> {
        match result {
            Ok(Some(value)) => Ok(value),
            other => Err(other),
        }
    }

    fn value(value: T) -> Result<Option<T>, E> {
        Ok(Some(value))
    }

    fn nothing() -> Option<Result<Option<T>, E>> {
        Some(Ok(None))
    }

    fn error(error: E) -> Result<Option<T>, E> {
        Err(error)
    }
}

/// Refuses a plain value that is a `Result` or an `Option` behind an alias.
pub struct Plainly<R>(PhantomData<fn() -> R>);

impl<R> Plainly<R> {
    /// The question.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T, E> Plainly<Result<T, E>> {
    /// The inherent method wins over [`PlainOk::check`], and its bound never holds.
    pub fn check(&self)
    where
        Result<T, E>: NotHidden,
    {
    }
}

impl<T> Plainly<Option<T>> {
    /// The inherent method wins over [`PlainOk::check`], and its bound never holds.
    pub fn check(&self)
    where
        Option<T>: NotHiddenOption,
    {
    }
}

/// Every other type is plain.
pub trait PlainOk {
    /// Nothing to refuse.
    fn check(&self) {}
}

impl<R> PlainOk for Plainly<R> {}

/// Implemented by nothing.
#[diagnostic::on_unimplemented(
    message = "the return type is an alias of `Result`: its errors would count as values",
    label = "this alias is a `Result`",
    note = "say so: add `returns = \"result\"` (or `\"result_option\"`)"
)]
pub trait NotHidden {}

/// Implemented by nothing.
#[diagnostic::on_unimplemented(
    message = "the return type is an alias of `Option`: its `None` would be cached as a value",
    label = "this alias is an `Option`",
    note = "say so: add `returns = \"option\"` (or `\"result_option\"`, in a `Result`)"
)]
pub trait NotHiddenOption {}
