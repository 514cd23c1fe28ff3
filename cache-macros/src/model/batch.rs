//! A batch: one argument is a list, and each of its elements has an entry.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Expr, Ident, Type, ext::IdentExt, parse_quote};

use super::{
    Argument, Callee, Mentions,
    names::same_name,
    returned::{first_type, ungrouped},
};
use crate::{
    args::{BatchOf, Given, Options},
    errors::Errors,
};

/// The list of a batch. What stands in its place among the callee's arguments is one element.
pub(crate) struct Batch {
    /// Its position among the arguments.
    pub(crate) at: usize,
    /// The argument as it was written.
    pub(crate) list: Argument,
    /// Whether it is a `Vec`, and not a slice.
    pub(crate) owned: bool,
}

impl Callee {
    /// Puts one element in the place of the list, so that keys, tags and companions are about it. `false` when it cannot be
    /// told which argument is meant; what else is wrong is noted.
    pub(crate) fn take_batch(&mut self, options: &Options, errors: &Errors) -> bool {
        let Some(given) = &options.batch else { return !options.mentions("batch") };
        let Some(at) = self.list(&given.value, errors) else { return false };
        if !self.is_new(&given.value, errors) {
            return false;
        }
        let ty = &self.args[at].ty;
        let (element, owned) = elements(ty).unwrap_or_else(|| {
            errors.push(self.args[at].type_span().0, not_a_list(ty));
            (ty.clone(), false)
        });
        let name = given.value.element.clone();
        let element = Argument {
            pat: parse_quote!(#name),
            bindings: vec![name.clone()],
            name,
            ty: element,
            taken_apart: false,
            attrs: self.args[at].attrs.clone(),
        };
        let list = std::mem::replace(&mut self.args[at], element);
        self.batch = Some(Batch { at, list, owned });
        self.check_beside(given, options, errors);
        true
    }

    /// The position of the list.
    fn list(&self, given: &BatchOf, errors: &Errors) -> Option<usize> {
        let name = given.list.unraw().to_string();
        let at = match self.binding(&name) {
            Some((at, _)) => at,
            None => {
                let names: Vec<String> = self.bindings().map(|it| it.unraw().to_string()).collect();
                let meant = cache_template::closest(&name, names.iter().map(String::as_str));
                errors.push(
                    given.list.span(),
                    match meant {
                        Some(meant) => {
                            format!("there is no argument `{name}`: did you mean `{meant}`?")
                        }
                        None => format!("there is no argument `{name}` to take elements from"),
                    },
                );
                self.binding(meant?)?.0
            }
        };
        if self.args[at].taken_apart {
            let message = format!(
                "`{name}` is part of a pattern: the elements of a batch come from an argument of its own"
            );
            errors.push(given.list.span(), message);
            return None;
        }
        Some(at)
    }

    fn is_new(&self, given: &BatchOf, errors: &Errors) -> bool {
        let element = given.element.unraw().to_string();
        let taken = self.binding(&element).is_some() || element == "self" || element == "Self";
        if taken {
            let message =
                format!("`{element}` is an argument already: give the element a name of its own");
            errors.push(given.element.span(), message);
        }
        !taken
    }

    /// What stands beside the batch and does not go with it.
    fn check_beside(&self, given: &Given<BatchOf>, options: &Options, errors: &Errors) {
        let BatchOf { element, list } = &given.value;
        if let Some(cache) = &options.cache {
            for name in [element, list] {
                if let Some(at) = mention(&cache.value, name) {
                    let message = format!(
                        "a call uses one cache for the whole batch: it cannot depend on `{name}`"
                    );
                    errors.push(at, message);
                }
            }
        }
        if let Some(at) = options.ttl.as_ref().and_then(|ttl| mention(&ttl.value, list)) {
            let message =
                format!("the ttl is that of one element: use `{element}` instead of `{list}`");
            errors.push(at, message);
        }
        if let Some(share) = &options.share_errors {
            let message = "nobody waits for a batch, so its errors are never shared: leave `share_errors` out";
            errors.push(share.span(), message);
        }
    }

    /// The arguments as a caller gives them.
    pub(crate) fn as_called(&self) -> impl Iterator<Item = &Argument> {
        self.args.iter().enumerate().map(|(at, arg)| match &self.batch {
            Some(batch) if batch.at == at => &batch.list,
            _ => arg,
        })
    }

    /// What the element is called, if this is the list of the batch.
    pub(crate) fn element_of(&self, list: &str) -> Option<(usize, &Ident)> {
        let batch = self.batch.as_ref().filter(|batch| same_name(&batch.list.name, list))?;
        Some((batch.at, &self.args[batch.at].name))
    }

    /// Whether the argument at this position is the element of the batch.
    pub(crate) fn is_element(&self, at: usize) -> bool {
        self.batch.as_ref().is_some_and(|batch| batch.at == at)
    }
}

fn mention(expr: &Expr, name: &Ident) -> Option<Span> {
    let name = name.unraw().to_string();
    expr.mentions(&name).then(|| super::names::variable(expr, &name).map(|it| it.span()))?
}

/// The element type of `&[T]` or `Vec<T>`, and whether it is the latter.
fn elements(ty: &Type) -> Option<(Type, bool)> {
    match ungrouped(ty) {
        Type::Reference(reference) if reference.mutability.is_none() => {
            match ungrouped(&reference.elem) {
                Type::Slice(slice) => Some(((*slice.elem).clone(), false)),
                _ => None,
            }
        }
        other => Some((vec_of(other)?, true)),
    }
}

fn vec_of(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ungrouped(ty) else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Vec")?;
    first_type(last).cloned()
}

fn not_a_list(ty: &Type) -> String {
    let inner = match ungrouped(ty) {
        Type::Reference(reference) => match ungrouped(&reference.elem) {
            Type::Array(array) => Some((*array.elem).clone()),
            Type::Slice(slice) => Some((*slice.elem).clone()),
            other => vec_of(other),
        },
        Type::Array(array) => Some((*array.elem).clone()),
        _ => None,
    };
    match inner.map(|inner| inner.to_token_stream().to_string()) {
        Some(inner) => {
            format!("a batch takes its elements from a slice or a `Vec`: write `&[{inner}]`")
        }
        None => {
            "a batch takes its elements from a slice or a `Vec`: write `&[T]` or `Vec<T>`".into()
        }
    }
}
