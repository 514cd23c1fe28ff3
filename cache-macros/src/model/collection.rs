//! What a batch returns: a map, or a list with a place for each element.

use quote::ToTokens;
use syn::{PathSegment, Type, spanned::Spanned};

use super::{
    Returned,
    returned::{first_type, known_plain, may_be_alias, type_args, ungrouped, wrapper},
};
use crate::errors::Errors;

/// The part of a batch's return type that is not a `Result`.
pub(crate) struct Collection {
    /// The type of the elements.
    pub(crate) element: Type,
    /// Where it can be read off.
    pub(crate) ty: Option<Type>,
    /// Whether its values might be a `Result` or an `Option` behind an alias.
    pub(crate) suspect: bool,
}

const WANTED: &str = "a batch returns a value for each element: a `HashMap<K, V>` or a `BTreeMap<K, V>` that leaves out \
                      what is absent, or a `Vec<Option<V>>` in the order of the elements; bare or in a `Result`";

impl Returned {
    /// The same type, as that of a batch of such elements.
    pub(crate) fn of_batch(mut self, element: &Type, errors: &Errors) -> Self {
        let ty = self.value.take();
        let value = match &ty {
            _ if self.shape.has_none() => Value::None(WANTED.into()),
            Some(ty) => value_of(ty),
            None => Value::Unknown,
        };
        match value {
            Value::Read(value) => {
                refuse_nested(&value, errors);
                self.value = Some(value);
            }
            Value::Unknown => {}
            Value::None(message) => {
                errors.push(ty.as_ref().unwrap_or(&self.ty).span(), message);
                // Nothing else is said of it.
                self.value = Some(self.ty.clone());
            }
        }
        let suspect = self.value.as_ref().is_none_or(may_be_alias);
        self.shares_errors = false;
        // What hides behind an alias is no collection, and that is said.
        self.suspect = None;
        self.batch = Some(Collection { element: element.clone(), ty, suspect });
        self
    }
}

/// What can be read off a collection's type.
enum Value {
    Read(Type),
    /// An alias, or a type of somebody else.
    Unknown,
    /// It is none, and what to write.
    None(String),
}

fn value_of(ty: &Type) -> Value {
    for map in ["HashMap", "BTreeMap"] {
        if let Some(segment) = wrapper(ty, map) {
            return type_args(segment).nth(1).map_or(Value::Unknown, Value::Read);
        }
    }
    if let Some(list) = wrapper(ty, "Vec") {
        return match first_type(list).map(|inner| (inner, option(inner))) {
            Some((_, Some(option))) => {
                first_type(option).map_or(Value::Unknown, |value| Value::Read(value.clone()))
            }
            Some((inner, None)) => Value::None(format!(
                "a list says for each element whether it is there: return `Vec<Option<{}>>`",
                inner.to_token_stream()
            )),
            None => Value::Unknown,
        };
    }
    let is_path = matches!(ungrouped(ty), Type::Path(_));
    if is_path && !known_plain(ty) { Value::Unknown } else { Value::None(WANTED.into()) }
}

fn option(ty: &Type) -> Option<&PathSegment> {
    wrapper(ty, "Option")
}

/// `HashMap<K, Option<V>>` and `HashMap<K, Result<V, E>>`: absences and errors would be cached as values.
fn refuse_nested(value: &Type, errors: &Errors) {
    if wrapper(value, "Option").is_some() {
        let message =
            "`None` inside would be cached as a value: leave out of the map what is absent";
        errors.push(value.span(), message);
    }
    if wrapper(value, "Result").is_some() {
        let message = "errors inside would be cached as values: return the map in a `Result`, and leave out of it what \
                       is absent";
        errors.push(value.span(), message);
    }
}
